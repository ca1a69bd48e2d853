//! The servers of the demo, and the reporter that talks to them.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::DemoError;
use super::examples::{POLICIES, RUN};
use super::process::{Process, itself};

/// The webhook and the collector, running.
pub(super) struct Servers {
    /// The collector.
    pub(super) collector: Process,
    /// Its `https://host:port`.
    pub(super) collector_url: String,
    collector_ca: String,
    webhook: Process,
    /// The webhook's `host:port`.
    pub(super) webhook_address: String,
    /// The PEM of the webhook's authority.
    pub(super) webhook_ca: String,
}

impl Servers {
    /// Starts both and returns when both listen.
    pub(super) fn start(folder: &Path) -> Result<Self, DemoError> {
        let identity = json!([{ "token": "demo-token", "namespace": "demo", "pod": "demo-tests-x7k2p", "uid": "d3a0c0de-0000-4000-8000-000000000001" }]);
        write(&folder.join("tokens.json"), &identity.to_string())?;
        write(&folder.join("token"), "demo-token")?;
        write(&folder.join("policies.yaml"), POLICIES)?;
        let path = |name: &str| folder.join(name).display().to_string();

        let mut collector = Process::start(
            "collector",
            folder,
            [
                "collector".to_owned(),
                "--standalone".to_owned(),
                "--listen=127.0.0.1:0".to_owned(),
                format!("--store={}", path("store")),
                format!("--tokens={}", path("tokens.json")),
                format!("--ca-out={}", path("collector-ca.pem")),
                format!("--address-out={}", path("collector.address")),
            ],
        )?;
        let collector_ca = collector.writes(&folder.join("collector-ca.pem"))?;
        let collector_address = collector.writes(&folder.join("collector.address"))?;
        let collector_url = format!("https://{collector_address}");

        let mut webhook = Process::start(
            "webhook",
            folder,
            [
                "webhook".to_owned(),
                "--listen=127.0.0.1:0".to_owned(),
                format!("--policy={}", path("policies.yaml")),
                format!("--ca-out={}", path("webhook-ca.pem")),
                format!("--address-out={}", path("webhook.address")),
                "--sidecar-image=proctor.dev/sidecar:demo".to_owned(),
                format!("--collector-url={collector_url}"),
                format!("--collector-ca={}", path("collector-ca.pem")),
            ],
        )?;
        let webhook_ca = webhook.writes(&folder.join("webhook-ca.pem"))?;
        let webhook_address = webhook.writes(&folder.join("webhook.address"))?;
        Ok(Self {
            collector,
            collector_url,
            collector_ca,
            webhook,
            webhook_address,
            webhook_ca,
        })
    }

    /// Puts the wrapper on the volume and starts the reporter, as the pod's sidecar would.
    pub(super) fn reporter(&self, folder: &Path, root: &Path) -> Result<Process, DemoError> {
        let sidecar = |name: &str| [name.to_owned(), format!("--root={}", root.display())];
        let installed = itself()?.arg("sidecar").args(sidecar("install")).status();
        if !installed.is_ok_and(|status| status.success()) {
            return Err(DemoError::Example(RUN.path));
        }
        let server = vec![
            format!("--collector-url={}", self.collector_url),
            format!("--collector-ca={}", self.collector_ca),
            format!("--token-file={}", folder.join("token").display()),
        ];
        let arguments = [
            vec!["sidecar".to_owned()],
            sidecar("report").to_vec(),
            server,
        ]
        .concat();
        Process::start("reporter", folder, arguments)
    }

    /// Ends both, as their pods' end would.
    pub(super) fn stop(self) -> Result<(), DemoError> {
        self.collector.terminate()?;
        self.webhook.terminate().map(drop)
    }
}

fn write(path: &Path, text: &str) -> Result<(), DemoError> {
    fs::write(path, text).map_err(|source| DemoError::file(path, source))
}
