//! A small collector over real TLS, with faults to order: the other side of `docs/data-flow.md`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What goes wrong with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks before anything is taken.
    ResetBefore,
    /// The connection breaks after it was taken: the reporter does not know.
    ResetAfter,
    /// Half of the body is taken, then the connection breaks.
    ResetHalf,
    /// An answer instead of doing it.
    Answer(u16),
}

pub type Faults = Box<dyn FnMut(&Request) -> Option<Fault> + Send>;

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    /// The stream's name in an upload.
    pub fn stream(&self) -> Option<&str> {
        self.path.strip_prefix("/v1/streams/")
    }
}

#[derive(Clone, Debug, Default)]
pub struct Stream {
    pub bytes: Vec<u8>,
    pub complete: bool,
    pub path: Option<String>,
}

#[derive(Default)]
pub struct State {
    pub streams: BTreeMap<String, Stream>,
    pub sessions: HashSet<String>,
    pub tokens: Vec<String>,
    pub left_behind: Option<u64>,
    pub order: Vec<String>,
    faults: Option<Faults>,
}

pub struct Peer {
    pub url: String,
    pub ca: String,
    state: Arc<Mutex<State>>,
}

impl Peer {
    pub fn new() -> Self {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_protocol_versions(&[&rustls::version::TLS13])
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![CertificateDer::from(cert.der().to_vec())], key)
                .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!(
            "https://localhost:{}",
            listener.local_addr().unwrap().port()
        );
        let state = Arc::new(Mutex::new(State::default()));
        let (config, shared) = (Arc::new(config), Arc::clone(&state));
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (config, shared) = (Arc::clone(&config), Arc::clone(&shared));
                std::thread::spawn(move || serve(connection.unwrap(), config, &shared));
            }
        });
        Self {
            url,
            ca: cert.pem(),
            state,
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn faults(&self, faults: impl FnMut(&Request) -> Option<Fault> + Send + 'static) {
        self.state().faults = Some(Box::new(faults));
    }

    pub fn no_faults(&self) {
        self.state().faults = None;
    }

    pub fn stream(&self, name: &str) -> Stream {
        self.state().streams.get(name).cloned().unwrap_or_default()
    }

    pub fn is_complete(&self, name: &str) -> bool {
        self.stream(name).complete
    }
}

fn serve(tcp: TcpStream, config: Arc<ServerConfig>, state: &Mutex<State>) {
    let tls = StreamOwned::new(ServerConnection::new(config).unwrap(), tcp);
    let mut connection = BufReader::new(tls);
    // An error is a reporter that was killed; it comes back on another connection.
    while let Some(request) = read(&mut connection) {
        let Some(answer) = answer(request, &mut state.lock().unwrap()) else {
            let _ = connection.get_ref().sock.shutdown(std::net::Shutdown::Both);
            return;
        };
        if connection.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(connection: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    connection
        .read_line(&mut line)
        .ok()
        .filter(|length| *length > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        connection
            .read_line(&mut line)
            .ok()
            .filter(|length| *length > 0)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.to_owned()),
            None => break,
        };
    }
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    connection.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        path,
        headers,
        body,
    })
}

/// `None` breaks the connection.
fn answer(mut request: Request, state: &mut State) -> Option<String> {
    let fault = state.faults.as_mut().and_then(|faults| faults(&request));
    match fault {
        Some(Fault::ResetBefore) => return None,
        Some(Fault::Answer(status)) => return Some(bare(status, "")),
        Some(Fault::ResetHalf) => {
            request.body.truncate(request.body.len() / 2);
            request
                .headers
                .insert("upload-complete".into(), "?0".into());
        }
        Some(Fault::ResetAfter) | None => {}
    }
    let answer = handle(&request, state);
    fault.is_none().then_some(answer)
}

fn handle(request: &Request, state: &mut State) -> String {
    let secret = request
        .headers
        .get("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or("");
    if request.path == "/v1/session" {
        state.tokens.push(secret.to_owned());
        let session = format!("session-{}", state.tokens.len());
        state.sessions.insert(session.clone());
        let body = format!(r#"{{"session":"{session}","run":"pod-12345678","new":1}}"#);
        return format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
    }
    if !state.sessions.contains(secret) {
        return bare(401, "");
    }
    if request.path == "/v1/done" {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        state.left_behind = body["left_behind_bytes"].as_u64();
        return bare(204, "");
    }
    let name = request.stream().unwrap().to_owned();
    let stream = state.streams.entry(name.clone()).or_default();
    if request.method == "PATCH" {
        assert!(request.body.len() <= 1024 * 1024);
        let offset: usize = request.headers["upload-offset"].parse().unwrap();
        if offset != stream.bytes.len() || (stream.complete && !request.body.is_empty()) {
            return bare(409, &format!("Upload-Offset: {}\r\n", stream.bytes.len()));
        }
        stream.bytes.extend_from_slice(&request.body);
        stream.path = stream
            .path
            .take()
            .or_else(|| request.headers.get("proctor-path").cloned());
        if request.headers["upload-complete"] == "?1" && !stream.complete {
            stream.complete = true;
            state.order.push(name);
        }
        return bare(204, &format!("Upload-Offset: {}\r\n", stream.bytes.len()));
    }
    assert_eq!(request.method, "HEAD");
    let complete = u8::from(stream.complete);
    bare(
        200,
        &format!(
            "Upload-Offset: {}\r\nUpload-Complete: ?{complete}\r\n",
            stream.bytes.len()
        ),
    )
}

fn bare(status: u16, headers: &str) -> String {
    let length = if status == 204 {
        ""
    } else {
        "Content-Length: 0\r\n"
    };
    format!("HTTP/1.1 {status} Answer\r\n{length}{headers}\r\n")
}
