//! A server as the API server sees it: real TLS on loopback, reviews in the form in which it sends them.

#![allow(
    dead_code,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, and no test uses all of them"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use proctor_certs::{Authority, Bundle, Names, Resolver, provider, server_config};
use proctor_policy::Platform;
use proctor_webhook::http::{App, Drain, Limits, routes, serve};
use proctor_webhook::metrics::Metrics;
use proctor_webhook::state::Current;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

pub(crate) const JOB: &str = include_str!("../objects/job.json");
pub(crate) const JOB_WITH_A_SECRET: &str = include_str!("../objects/job-with-a-secret.json");

const HOST: &str = "proctor-webhook.proctor-system.svc";
const DEADLINE: Duration = Duration::from_secs(20);

/// A server in this process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) metrics: Arc<Metrics>,
    authority: Authority,
    stop: CancellationToken,
    serving: JoinHandle<Drain>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default(), DEADLINE).await
    }

    pub(crate) async fn with(limits: Limits, grace: Duration) -> Self {
        let now = Timestamp::now();
        let validity = SignedDuration::from_hours(1);
        let authority = Authority::create("test", validity, now).unwrap();
        let resolver = Resolver::new(authority.issue(&Names::new([HOST]), validity, now).unwrap());
        let protocols = ["h2", "http/1.1"];
        let tls = server_config(Arc::clone(&resolver), provider(), &protocols).unwrap();

        let metrics = Arc::new(Metrics::default());
        let current = Arc::new(Current::new(Platform::default(), Arc::clone(&metrics)).unwrap());
        let app = routes(App::new(current, Arc::clone(&metrics), limits));

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let serving =
            tokio::spawn(async move { serve(listener, tls, app, &limits, stopped, grace).await });
        Self {
            address,
            resolver,
            metrics,
            authority,
            stop,
            serving,
        }
    }

    pub(crate) fn bundle(&self) -> Bundle {
        Bundle::new(self.authority.certificate().clone(), None)
    }

    /// Shows another certificate from now on.
    pub(crate) fn renew(&self) {
        let validity = SignedDuration::from_hours(1);
        let leaf = self
            .authority
            .issue(&Names::new([HOST]), validity, Timestamp::now());
        self.resolver.replace(leaf.unwrap());
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::open(self.address, &self.bundle(), "http/1.1").await
    }

    /// One request on a connection of its own.
    pub(crate) async fn post(&self, path: &str, body: &[u8]) -> Answer {
        self.connect().await.post(path, body).await
    }

    /// The answer to a review of this object.
    pub(crate) async fn review(&self, path: &str, operation: &str, object: &str) -> Response {
        let body = review(operation, &serde_json::from_str(object).unwrap());
        self.post(path, body.to_string().as_bytes())
            .await
            .response()
    }

    /// Waits until so many requests are being answered.
    pub(crate) async fn in_flight(&self, requests: usize) {
        let line = format!("proctor_webhook_requests_in_flight {requests}\n");
        until(|| self.metrics.encode().unwrap().contains(&line)).await;
    }

    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    pub(crate) async fn drained(self) -> Drain {
        self.serving.await.unwrap()
    }
}

/// Waits for a condition, with a deadline.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting)
        .await
        .expect("the condition");
}

/// A review as the API server sends it.
pub(crate) fn review(operation: &str, object: &Value) -> Value {
    let kind = object["kind"].as_str().unwrap();
    let (group, resource) = match kind {
        "Pod" => ("", "pods"),
        _ => ("batch", "jobs"),
    };
    let kind = json!({"group": group, "version": "v1", "kind": kind});
    let resource = json!({"group": group, "version": "v1", "resource": resource});
    let deleted = operation == "DELETE";
    json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            "name": object["metadata"]["name"],
            "namespace": "shop",
            "operation": operation,
            "userInfo": {"username": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"]},
            "object": if deleted { &Value::Null } else { object },
            "oldObject": if operation == "CREATE" { &Value::Null } else { object },
            "dryRun": false,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "kubectl"},
        },
    })
}

/// An HTTP/1.1 connection, of which a test can send a part at a time.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr, bundle: &Bundle, protocol: &str) -> Self {
        Self::try_open(address, bundle, protocol)
            .await
            .expect("a connection")
    }

    pub(crate) async fn try_open(
        address: SocketAddr,
        bundle: &Bundle,
        protocol: &str,
    ) -> std::io::Result<Self> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(bundle.roots())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from(HOST).unwrap();
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await?;
        Ok(Self { stream })
    }

    pub(crate) fn into_stream(self) -> TlsStream<TcpStream> {
        self.stream
    }

    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.stream.get_ref().1.peer_certificates().unwrap()[0].clone()
    }

    pub(crate) async fn post(&mut self, path: &str, body: &[u8]) -> Answer {
        self.head(path, "Content-Type: application/json", body.len())
            .await;
        self.send(body).await;
        self.answer().await
    }

    /// Sends the head of a request, and no body yet.
    pub(crate) async fn head(&mut self, path: &str, header: &str, length: usize) {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {HOST}\r\n{header}\r\nContent-Length: {length}\r\n\r\n"
        );
        self.send(head.as_bytes()).await;
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        // The server may have answered and closed before it was told everything.
        let _closed = self.stream.write_all(bytes).await;
        let _closed = self.stream.flush().await;
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        tokio::time::timeout(DEADLINE, self.read())
            .await
            .expect("an answer in time")
    }

    async fn read(&mut self) -> Answer {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.expect("the head of an answer"));
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.unwrap();
        Answer {
            status: head[9..12].parse().unwrap(),
            head,
            body: String::from_utf8(body).unwrap(),
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn response(&self) -> Response {
        assert_eq!(self.status, 200, "{}", self.body);
        let review: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(review["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(review["kind"], "AdmissionReview");
        let response = &review["response"];
        assert_eq!(response["uid"], "705ab4f5-6393-11e8-b7cc-42010a800002");
        let patch = response["patch"].as_str().map(|patch| {
            assert_eq!(response["patchType"], "JSONPatch");
            serde_json::from_slice(&STANDARD.decode(patch).unwrap()).unwrap()
        });
        Response {
            allowed: response["allowed"].as_bool().unwrap(),
            code: response["status"]["code"].as_u64(),
            message: response["status"]["message"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            patch,
        }
    }
}

/// The answer to a review.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) allowed: bool,
    pub(crate) code: Option<u64>,
    pub(crate) message: String,
    pub(crate) patch: Option<json_patch::Patch>,
}

impl Response {
    /// The object as it would be after the patch.
    pub(crate) fn applied_to(&self, object: &str) -> Value {
        let mut object = serde_json::from_str(object).unwrap();
        if let Some(patch) = &self.patch {
            json_patch::patch(&mut object, patch).unwrap();
        }
        object
    }
}
