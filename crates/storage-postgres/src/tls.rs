//! Which certificates of a server are trusted, as libpq's `sslmode` and `sslrootcert` say.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::SetupError;

/// What is checked of a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verify {
    /// That the server holds its key: whoever listens is kept out, and an impostor is not.
    Nothing,
    /// Also that someone who is trusted signed it.
    Issuer,
    /// Also that it is for the host that was asked for.
    Name,
}

/// Whose signature is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Roots {
    None,
    System,
    File(PathBuf),
}

/// What opens TLS on a connection.
pub(crate) fn connector(verify: Verify, roots: &Roots) -> Result<MakeRustlsConnect, SetupError> {
    let provider = Arc::new(ring::default_provider());
    let trusted = match roots {
        _ if verify == Verify::Nothing => Vec::new(),
        Roots::None => Vec::new(),
        Roots::System => system_roots()?,
        Roots::File(path) => file_roots(path)?,
    };
    let verifier = Verifier::new(verify, trusted, Arc::clone(&provider));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SetupError::Url(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn system_roots() -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let reason = found.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
        return Err(SetupError::RootCertificates { from: "the system".to_owned(), reason });
    }
    Ok(found.certs)
}

fn file_roots(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let unreadable = |reason| SetupError::RootCertificates { from: path.display().to_string(), reason };
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let roots = read.map_err(|error| unreadable(error.to_string()))?;
    if roots.is_empty() {
        return Err(unreadable("it holds no PEM certificate".to_owned()));
    }
    Ok(roots)
}

#[derive(Debug)]
struct Verifier {
    verify: Verify,
    roots: RootCertStore,
    /// The same roots, whole: a certificate that is itself among them needs no signature.
    trusted: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    /// Roots that cannot be used are passed over: the system's own have some, and one that is needed is
    /// missed at the handshake.
    fn new(verify: Verify, trusted: Vec<CertificateDer<'static>>, provider: Arc<CryptoProvider>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        Self { verify, roots, trusted, provider }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.verify == Verify::Nothing {
            return Ok(ServerCertVerified::assertion());
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        if !self.trusted.contains(end_entity) {
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                &self.roots,
                intermediates,
                now,
                algorithms,
            )?;
        }
        if self.verify == Verify::Name {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
