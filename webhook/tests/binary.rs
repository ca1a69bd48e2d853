//! The binary without a cluster, as the demo, the benchmarks and people run it.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking"
)]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use proctor_certs::Bundle;
use serde_json::Value;
use support::{Connection, JOB_WITH_A_SECRET, review};

struct Running {
    child: Child,
    address: SocketAddr,
}

impl Running {
    fn start(folder: &Path, policy: Option<&str>) -> Self {
        let mut command = binary();
        command.arg("--ca-out").arg(folder.join("ca.pem"));
        if let Some(policy) = policy {
            fs::write(folder.join("policy.yaml"), policy).unwrap();
            command.arg("--policy").arg(folder.join("policy.yaml"));
        }
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let address = line.get("address")?.as_str()?;
            Some(address.parse().unwrap())
        });
        // The rest of the log must go somewhere, or the server would wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let address = address.expect("the address in the log");
        Self { child, address }
    }

    async fn connect(&self, folder: &Path) -> Connection {
        let ca = fs::read_to_string(folder.join("ca.pem")).unwrap();
        Connection::open(self.address, &Bundle::from_pem(&ca).unwrap(), "http/1.1").await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_proctor-webhook"));
    command.args(["--listen", "127.0.0.1:0"]);
    command
}

fn validate() -> Vec<u8> {
    let job = serde_json::from_str(JOB_WITH_A_SECRET).unwrap();
    review("CREATE", &job).to_string().into_bytes()
}

#[tokio::test]
async fn it_serves_with_its_own_authority_and_stops_when_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(folder.path(), None);
    let mut connection = running.connect(folder.path()).await;
    assert!(
        !connection
            .post("/validate", &validate())
            .await
            .response()
            .allowed
    );

    let pid = rustix::process::Pid::from_child(&running.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(running.child.wait().unwrap().success());
}

#[tokio::test]
async fn a_policy_from_a_file_is_in_effect() {
    let folder = tempfile::tempdir().unwrap();
    let policy = "
apiVersion: proctor.dev/v1alpha1
kind: ClusterTestPolicy
metadata: {name: platform}
spec:
  rules:
  - {code: PRC101, mode: Warn}
---
apiVersion: v1
kind: Service
metadata: {name: postgres, namespace: shop}
spec: {ports: [{port: 5432}]}
";
    let running = Running::start(folder.path(), Some(policy));
    let mut connection = running.connect(folder.path()).await;
    let answer = connection.post("/validate", &validate()).await;
    assert!(answer.response().allowed);
    assert!(answer.body.contains("PRC101"), "{}", answer.body);
}

#[test]
fn a_file_that_is_no_policy_is_named_with_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (
            "kind: Deployment",
            "document 1: \"Deployment\" is not a kind that says anything here",
        ),
        ("a: [", "is not YAML"),
        (
            "kind: Service\n---\nkind: TestPolicy\nspec: 3\nmetadata: {}",
            "document 2: this is not a TestPolicy",
        ),
    ];
    for (text, sentence) in cases {
        let path = folder.path().join("policy.yaml");
        fs::write(&path, text).unwrap();
        let mut command = binary();
        command.arg("--ca-out").arg(folder.path().join("ca.pem"));
        let mut child = command
            .arg("--policy")
            .arg(&path)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        assert!(!child.wait().unwrap().success());
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert!(
            said.contains(sentence) && said.contains("policy.yaml"),
            "{said}"
        );
    }
    assert!(!folder.path().join("ca.pem").exists());
}
