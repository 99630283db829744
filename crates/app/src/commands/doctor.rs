//! `roster doctor`: looks at all that the program stands on, and says what it found.

use std::net::SocketAddr;
use std::process::ExitCode;

use roster_domain::ports::{Examination, Finding, Verdict};

use super::{health, print, run};
use crate::access::Gatekeeper;
use crate::config::{Config, HttpConfig};
use crate::failure::Failure;
use crate::{server, wiring};

/// What a person is told of.
const SETTINGS: &str = "settings";
const ADDRESS: &str = "address";
const OPS_ADDRESS: &str = "ops address";

/// Prints a line for each thing that was looked at; ends with 1 where one of them will not do. It changes nothing.
///
/// # Errors
///
/// Where it cannot be told.
pub(crate) fn doctor(config: &Config) -> Result<ExitCode, Failure> {
    let findings = run(async { anyhow::Ok(examine(config).await) })?;
    let told: String = findings.iter().map(line).collect();
    print(&told)?;
    let has_failed = findings.iter().any(|finding| finding.verdict == Verdict::Failed);
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut examinations = vec![access(config)];
    examinations.extend(wiring::examinations(config).await);
    for examination in examinations {
        match examination {
            Ok(examination) => findings.extend(examination.examine().await),
            Err(refused) => findings.push(Finding::failed(SETTINGS, refused.to_string())),
        }
    }
    let (listen, ops) = (config.http.listen, config.http.ops_listen);
    findings.push(address(ADDRESS, listen, HttpConfig::LISTEN, ("/openapi.json", "\"Roster\"")).await);
    if let Some(ops) = ops {
        findings.push(address(OPS_ADDRESS, ops, HttpConfig::OPS_LISTEN, ("/livez", "alive")).await);
    }
    findings
}

/// Who is let in, if what is set about that goes together.
fn access(config: &Config) -> Result<Box<dyn Examination>, Failure> {
    config.access.check(config.http.listen, HttpConfig::LISTEN)?;
    Ok(Box::new(Gatekeeper::start(&config.access)?))
}

/// Whether an address is free, or the program serves there already: then it tells this much of itself.
async fn address(
    about: &'static str,
    address: SocketAddr,
    setting: &'static str,
    (path, of_ours): (&str, &str),
) -> Finding {
    match server::listen(address, setting) {
        Ok(_free) => Finding::ok(about, format!("{address} is free")),
        Err(refused) => match health::ask(address, path).await {
            Ok((200, body)) if body.contains(of_ours) => {
                Finding::ok(about, format!("{address} is served by a Roster already"))
            }
            _ => Finding::failed(about, refused.to_string()),
        },
    }
}

fn line(finding: &Finding) -> String {
    let Finding { about, verdict, told } = finding;
    let verdict = match verdict {
        Verdict::Ok => "ok",
        Verdict::Warning => "warning",
        Verdict::Failed => "failed",
    };
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{verdict:<8} {about}: {told}\n")
}
