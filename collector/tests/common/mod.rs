//! A standalone collector over real HTTPS on loopback, and a client for it.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "what goes wrong in here fails the test"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use proctor_collector::{Args, Collector};
use serde_json::{Value, json};
use ureq::http::Response;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig};
use ureq::{Agent, Body};

pub const RUN: &str = "api-tests-x7k2p-4be1f2a6";
const DEADLINE: Duration = Duration::from_secs(20);

pub struct Server {
    runtime: tokio::runtime::Runtime,
    collector: Option<Collector>,
    dir: tempfile::TempDir,
    agent: Agent,
}

impl Server {
    pub fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let tokens = json!([
            {"token": "token-a", "namespace": "team-a", "pod": "api-tests-x7k2p", "uid": "4be1f2a6-0c7d-4b1e-9f3a-d2c5e8b7a601"},
            {"token": "token-b", "namespace": "team-b", "pod": "other", "uid": "99999999-0c7d-4b1e-9f3a-d2c5e8b7a601"},
        ]);
        std::fs::write(dir.path().join("tokens.json"), tokens.to_string()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (collector, agent) = boot(&runtime, dir.path());
        Self {
            runtime,
            collector: Some(collector),
            dir,
            agent,
        }
    }

    /// Ends the collector as SIGTERM does, and starts it again on the same store and index.
    pub fn restart(&mut self) {
        self.stop();
        let (collector, agent) = boot(&self.runtime, self.dir.path());
        self.collector = Some(collector);
        self.agent = agent;
    }

    pub fn stop(&mut self) {
        if let Some(collector) = self.collector.take() {
            self.runtime.block_on(collector.stop());
        }
    }

    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("store/team-a").join(RUN)
    }

    pub fn url(&self, path: &str) -> String {
        format!(
            "https://{}{path}",
            self.collector.as_ref().unwrap().address()
        )
    }

    pub fn open(&self, token: &str) -> Response<Body> {
        self.agent
            .post(self.url("/v1/session"))
            .header("Authorization", format!("Bearer {token}"))
            .send_empty()
            .unwrap()
    }

    pub fn session(&self, token: &str) -> String {
        let mut answer = self.open(token);
        assert_eq!(answer.status(), 200);
        body(&mut answer)["session"].as_str().unwrap().to_owned()
    }

    pub fn head(&self, session: &str, stream: &str) -> Response<Body> {
        let url = self.url(&format!("/v1/streams/{stream}"));
        self.agent
            .head(url)
            .header("Authorization", format!("Bearer {session}"))
            .call()
            .unwrap()
    }

    pub fn patch(
        &self,
        session: &str,
        stream: &str,
        offset: u64,
        complete: bool,
        content: &[u8],
    ) -> Response<Body> {
        self.patch_file(session, stream, offset, complete, content, None)
    }

    pub fn patch_file(
        &self,
        session: &str,
        stream: &str,
        offset: u64,
        complete: bool,
        content: &[u8],
        path: Option<&str>,
    ) -> Response<Body> {
        let mut request = self
            .agent
            .patch(self.url(&format!("/v1/streams/{stream}")))
            .header("Authorization", format!("Bearer {session}"))
            .header("Upload-Offset", offset.to_string())
            .header("Upload-Complete", if complete { "?1" } else { "?0" });
        if let Some(path) = path {
            request = request.header("Proctor-Path", path);
        }
        request.send(content).unwrap()
    }

    pub fn done(&self, session: &str, left_behind_bytes: u64) -> Response<Body> {
        self.agent
            .post(self.url("/v1/done"))
            .header("Authorization", format!("Bearer {session}"))
            .send_json(json!({ "left_behind_bytes": left_behind_bytes }))
            .unwrap()
    }

    pub fn read(&self, token: &str, path: &str) -> Response<Body> {
        let url = self.url(&format!("/v1/namespaces/team-a/runs/{RUN}{path}"));
        self.agent
            .get(url)
            .header("Proctor-Token", token)
            .call()
            .unwrap()
    }

    /// Waits until the verdict is written, and returns `finished.json`.
    pub fn finished(&self) -> Value {
        let file = self.folder().join("finished.json");
        let parts = self.folder().join(".parts");
        wait_until("the run to be finalised", || {
            file.exists() && !parts.exists()
        });
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    }

    pub fn report(&self) -> Value {
        serde_json::from_slice(
            &std::fs::read(self.folder().join("artifacts/proctor/report.json")).unwrap(),
        )
        .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn boot(runtime: &tokio::runtime::Runtime, dir: &Path) -> (Collector, Agent) {
    let ca = dir.join("ca.crt");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let args = Args::parse_from([
        "proctor-collector".to_owned(),
        "--standalone".to_owned(),
        "--listen=127.0.0.1:0".to_owned(),
        format!("--store={}", text(&dir.join("store"))),
        format!("--tokens={}", text(&dir.join("tokens.json"))),
        format!("--ca-out={}", text(&ca)),
    ]);
    let collector = runtime.block_on(Collector::start(args)).unwrap();
    (collector, agent(&std::fs::read(ca).unwrap()))
}

fn agent(pem: &[u8]) -> Agent {
    let roots: Vec<Certificate<'static>> = ureq::tls::parse_pem(pem)
        .filter_map(|item| match item.unwrap() {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .build();
    Agent::config_builder()
        .http_status_as_error(false)
        .tls_config(tls)
        .build()
        .new_agent()
}

pub fn body(answer: &mut Response<Body>) -> Value {
    answer.body_mut().read_json().unwrap()
}

pub fn offset(answer: &Response<Body>) -> u64 {
    answer.headers()["upload-offset"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap()
}

/// Waits for a condition, and not for ever.
pub fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
