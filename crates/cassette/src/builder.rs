use crate::filter::{Filter, Filters, Sensitive};
use crate::format::{Limits, Serializer};
use crate::leak::LeakGate;
use crate::{Matcher, RecordMode, RecordedRequest, RecordedResponse, Vcr};
use std::path::PathBuf;
use std::sync::Arc;

/// Everything a [`Vcr`] can be told.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own, named as in vcrpy")]
pub(crate) struct Config {
    pub(crate) library_dir: Option<PathBuf>,
    pub(crate) mode: Option<RecordMode>,
    pub(crate) serializer: Option<Serializer>,
    pub(crate) match_on: Vec<Matcher>,
    pub(crate) strict_query: bool,
    pub(crate) filters: Filters,
    /// Placeholders and the secrets they stand for.
    pub(crate) secrets: Vec<(String, String)>,
    pub(crate) leak_gate: LeakGate,
    pub(crate) allow_playback_repeats: bool,
    pub(crate) drop_unused_requests: bool,
    pub(crate) record_on_exception: bool,
    pub(crate) require_all_played: bool,
    pub(crate) store_raw: bool,
    pub(crate) limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            library_dir: None,
            mode: None,
            serializer: None,
            match_on: Matcher::DEFAULT.to_vec(),
            strict_query: false,
            filters: Filters::default(),
            secrets: Vec::new(),
            leak_gate: LeakGate::default(),
            allow_playback_repeats: false,
            drop_unused_requests: false,
            record_on_exception: true,
            require_all_played: false,
            store_raw: false,
            limits: Limits::default(),
        }
    }
}

/// Settings of a [`Vcr`]; the names and defaults are vcrpy's where vcrpy has them.
#[derive(Clone, Default)]
#[must_use]
pub struct VcrBuilder {
    pub(crate) config: Config,
}

impl VcrBuilder {
    /// The folder of the cassettes. A name is looked up in it unless it starts with it already. A relative
    /// one is taken from the working directory, which under `cargo test` is the package.
    pub fn cassette_library_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.config.library_dir = Some(folder.into());
        self
    }

    /// When to record and when to replay. Without it, `none` where the variable `CI` is set, else `once`. The
    /// variable `VCR_RECORD_MODE` decides before both.
    pub fn record_mode(mut self, mode: RecordMode) -> Self {
        self.config.mode = Some(mode);
        self
    }

    /// The format of the files. Without it, JSON for names that end in `.json`, else YAML.
    pub fn serializer(mut self, serializer: Serializer) -> Self {
        self.config.serializer = Some(serializer);
        self
    }

    /// What two requests must agree in; [`Matcher::DEFAULT`] without it. The body is not among the default.
    pub fn match_on(mut self, matchers: impl IntoIterator<Item = Matcher>) -> Self {
        self.config.match_on = matchers.into_iter().collect();
        self
    }

    /// Whether a query parameter without a value counts; not without it, as in vcrpy.
    pub fn strict_query(mut self, strict: bool) -> Self {
        self.config.strict_query = strict;
        self
    }

    /// Takes header fields out of requests, whatever the case of their names.
    ///
    /// Without it, and without [`filter_response_headers`](Self::filter_response_headers), the usual secrets
    /// are removed: `authorization`, `proxy-authorization`, `cookie`, `x-api-key`, `api-key`, `x-auth-token`,
    /// and `set-cookie` of responses. With it, exactly those given.
    pub fn filter_headers<F: Into<Filter>>(mut self, filters: impl IntoIterator<Item = F>) -> Self {
        self.config.filters.headers = Some(collect(filters));
        self
    }

    /// Takes header fields out of the responses that are written. vcrpy has no such filter.
    pub fn filter_response_headers<F: Into<Filter>>(mut self, filters: impl IntoIterator<Item = F>) -> Self {
        self.config.filters.response_headers = Some(collect(filters));
        self
    }

    /// Takes parameters out of the query.
    pub fn filter_query_parameters<F: Into<Filter>>(mut self, filters: impl IntoIterator<Item = F>) -> Self {
        self.config.filters.query = collect(filters);
        self
    }

    /// Takes fields out of request bodies of every method: forms, multipart, and JSON of any `+json` type, at
    /// any depth.
    pub fn filter_post_data_parameters<F: Into<Filter>>(
        mut self,
        filters: impl IntoIterator<Item = F>,
    ) -> Self {
        self.config.filters.post_data = collect(filters);
        self
    }

    /// Whether fields inside others are filtered; so without it. vcrpy's default is `false`.
    pub fn filter_nested_post_data_parameters(mut self, nested: bool) -> Self {
        self.config.filters.nested = nested;
        self
    }

    /// Secrets, each after the placeholder that stands for it in the file. They are hidden in URI, headers
    /// and bodies of requests and responses, in every spelling (percent-encoded, JSON, Base64), and are back
    /// when the cassette plays. A placeholder should be a word that occurs nowhere else, such as `<TOKEN>`.
    /// The secrets are canaries as well.
    pub fn filter_sensitive_data<P, V>(mut self, secrets: impl IntoIterator<Item = (P, V)>) -> Self
    where
        P: Into<String>,
        V: Into<String>,
    {
        let secrets: Vec<(String, String)> = secrets.into_iter().map(|(p, v)| (p.into(), v.into())).collect();
        self.config.secrets.extend(secrets);
        self.config.filters.sensitive = Sensitive::new(self.config.secrets.clone());
        self
    }

    /// Changes requests before they are compared and recorded, after the other filters; `None` sends the
    /// request past the cassette. It runs on recorded requests too, when they are loaded. Hooks run in the
    /// order they were added; the real request is never changed.
    pub fn before_record_request<F>(mut self, hook: F) -> Self
    where
        F: Fn(RecordedRequest) -> Option<RecordedRequest> + Send + Sync + 'static,
    {
        self.config.filters.before_request.push(Arc::new(hook));
        self
    }

    /// Changes responses before they are recorded; `None` keeps the interaction out of the cassette. It runs
    /// on recorded responses too, when they are loaded. Whoever made the request gets the real response.
    pub fn before_record_response<F>(mut self, hook: F) -> Self
    where
        F: Fn(RecordedResponse) -> Option<RecordedResponse> + Send + Sync + 'static,
    {
        self.config.filters.before_response.push(Arc::new(hook));
        self
    }

    /// Hosts whose requests always go to the network and are never recorded: names, or `*.domain`.
    pub fn ignore_hosts<S: Into<String>>(mut self, hosts: impl IntoIterator<Item = S>) -> Self {
        self.config.filters.ignored.set_names(hosts.into_iter().map(Into::into).collect());
        self
    }

    /// Whether `localhost`, `127.0.0.1`, `0.0.0.0` and `::1` are ignored hosts.
    pub fn ignore_localhost(mut self, ignore: bool) -> Self {
        self.config.filters.ignored.localhost = ignore;
        self
    }

    /// Whether a recorded interaction plays any number of times; it plays once without it.
    pub fn allow_playback_repeats(mut self, allow: bool) -> Self {
        self.config.allow_playback_repeats = allow;
        self
    }

    /// Whether interactions that were not played are taken out of the file.
    pub fn drop_unused_requests(mut self, drop: bool) -> Self {
        self.config.drop_unused_requests = drop;
        self
    }

    /// Whether a test that panics still saves what it recorded; so without it.
    pub fn record_on_exception(mut self, record: bool) -> Self {
        self.config.record_on_exception = record;
        self
    }

    /// Whether [`finish`](crate::Cassette::finish) fails where a recorded interaction was not played.
    pub fn require_all_played(mut self, require: bool) -> Self {
        self.config.require_all_played = require;
        self
    }

    /// Whether bodies are kept as they came, compressed ones with their `Content-Encoding`, and are played
    /// like that. Without it they are kept and played decoded.
    pub fn store_raw(mut self, raw: bool) -> Self {
        self.config.store_raw = raw;
        self
    }

    /// Texts that must never be in a cassette, in any spelling: a save that would write one fails.
    pub fn canaries<S: Into<String>>(mut self, canaries: impl IntoIterator<Item = S>) -> Self {
        self.config.leak_gate.canaries.extend(canaries.into_iter().map(Into::into));
        self
    }

    /// Texts that look like secrets to the gate and are none; a part of each is enough.
    pub fn allow_in_cassette<S: Into<String>>(mut self, texts: impl IntoIterator<Item = S>) -> Self {
        self.config.leak_gate.allowed.extend(texts.into_iter().map(Into::into));
        self
    }

    /// Whether a save is refused where something looks like a secret (tokens, keys, passwords); so without
    /// it. Canaries are looked for in any case.
    pub fn leak_gate(mut self, on: bool) -> Self {
        self.config.leak_gate.patterns = on;
        self
    }

    /// The largest cassette that is read, or written, in bytes; 16 MiB without it.
    pub fn max_cassette_bytes(mut self, bytes: u64) -> Self {
        self.config.limits.file_bytes = bytes;
        self
    }

    /// The most interactions that are read, or written; 10 000 without it.
    pub fn max_interactions(mut self, interactions: usize) -> Self {
        self.config.limits.interactions = interactions;
        self
    }

    /// The largest body that is recorded, or unpacked to be played, in bytes; 8 MiB without it.
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.config.limits.body_bytes = bytes;
        self
    }

    /// The finished [`Vcr`].
    pub fn build(mut self) -> Vcr {
        let secrets = &self.config.secrets;
        // One that a placeholder contains would be found wherever that stands.
        let apart =
            |value: &String| secrets.iter().all(|(placeholder, _)| !placeholder.contains(value.as_str()));
        let values = secrets.iter().map(|(_, value)| value).filter(|value| apart(value)).cloned();
        self.config.leak_gate.canaries.extend(values.collect::<Vec<_>>());
        self.config.leak_gate.placeholders = self.config.filters.placeholders();
        Vcr::new(self.config)
    }
}

impl std::fmt::Debug for VcrBuilder {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.config.fmt(out)
    }
}

impl std::fmt::Debug for Config {
    /// Secrets and closures are left out.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Vcr")
            .field("cassette_library_dir", &self.library_dir)
            .field("record_mode", &self.mode)
            .field("match_on", &self.match_on)
            .finish_non_exhaustive()
    }
}

fn collect<F: Into<Filter>>(filters: impl IntoIterator<Item = F>) -> Vec<Filter> {
    filters.into_iter().map(Into::into).collect()
}
