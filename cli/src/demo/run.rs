//! The steps of the demo, one after the other.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use serde::Serialize;
use serde_json::{Value, json};

use super::DemoError;
use super::admission::{Admitted, admit, pod_of};
use super::examples::{OTHERS, POLICIES, RUN, SECRETS};
use super::https::Client;
use super::process::{Process, itself};

/// `proctor demo`
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What is printed: what happens, step by step, or one JSON object at the end
    #[arg(long, value_enum, default_value = "text")]
    output: Output,

    /// Where report, log and the servers' own logs are left [default: a new folder for temporary files]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    Text,
    Json,
}

/// What the demo came to.
#[derive(Debug, Serialize)]
struct Outcome {
    verdict: Value,
    tests: Value,
    /// The report as a page.
    report: PathBuf,
    /// What admission said to each example.
    admitted: Vec<Admitted>,
}

/// Goes the whole way. The verdict of the test is no error of the demo.
pub(crate) fn run(options: &Options) -> Result<ExitCode, DemoError> {
    let folder = match &options.folder {
        Some(folder) => {
            fs::create_dir_all(folder).map_err(|source| DemoError::file(folder, source))?;
            folder.clone()
        }
        None => tempfile::Builder::new()
            .prefix("proctor-demo-")
            .tempdir()
            .map_err(|source| DemoError::file(&std::env::temp_dir(), source))?
            .keep(),
    };
    let folder = folder
        .canonicalize()
        .map_err(|source| DemoError::file(&folder, source))?;
    let told = Told(options.output);
    let outcome = whole_way(&folder, told)?;
    match options.output {
        Output::Json => told.line(
            &serde_json::to_string(&outcome)
                .map_err(|source| DemoError::answer("the demo", source))?,
        ),
        Output::Text => {
            told.step("Look around");
            told.line(&format!("   the report       {}", outcome.report.display()));
            told.line(&format!("   all that is left {}", folder.display()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn whole_way(folder: &Path, told: Told) -> Result<Outcome, DemoError> {
    told.step("The collector and the webhook start, each with a certificate authority of its own");
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
    told.line(&format!("   webhook    https://{webhook_address}"));
    told.line(&format!("   collector  {collector_url}"));

    told.step("The example Jobs go through admission, over TLS, as the API server would send them");
    let client = Client::new(&webhook_address, &webhook_ca)?;
    let mut admitted = vec![admit(&client, RUN.job()?)?];
    for example in OTHERS {
        admitted.push(admit(&client, example.job()?)?);
    }
    for example in &admitted {
        told.admitted(example);
    }

    told.step("The Job controller creates the pod of the first one; admission gives it what the policy says");
    let job = admitted
        .first()
        .map(|first| first.object.clone())
        .unwrap_or_default();
    let pod = admit(&client, pod_of(&job))?;
    told.changes(&pod.object);

    told.step("Its test runs under the wrapper, the reporter beside it");
    let root = folder.join("volume");
    let sidecar = |name: &str| [name.to_owned(), format!("--root={}", root.display())];
    let installed = itself()?.arg("sidecar").args(sidecar("install")).status();
    if !installed.is_ok_and(|status| status.success()) {
        return Err(DemoError::Example(RUN.path));
    }
    let reporter = Process::start(
        "reporter",
        folder,
        [
            vec!["sidecar".to_owned()],
            sidecar("report").to_vec(),
            vec![
                format!("--collector-url={collector_url}"),
                format!("--collector-ca={collector_ca}"),
                format!("--token-file={}", path("token")),
            ],
        ]
        .concat(),
    )?;
    let status = test_command(&pod.object, &root, folder)?
        .status()
        .map_err(|source| DemoError::Start {
            name: "test",
            source,
        })?;
    told.line(&format!("   the test command ended with {status}"));

    told.step("The pod ends; the reporter brings out what is left, the collector judges");
    reporter.terminate()?;
    let run = folder.join("store/demo/demo-tests-x7k2p-d3a0c0de");
    let report = run.join("artifacts/proctor/report.html");
    let summary = collector.writes(&run.join("artifacts/proctor/report.json"))?;
    let summary: Value = serde_json::from_str(&summary)
        .map_err(|source| DemoError::answer("report.json", source))?;
    let part = |name: &str| summary.get(name).cloned().unwrap_or_default();
    told.line(&format!(
        "   verdict {}, {} tests",
        part("verdict"),
        part("tests")
    ));
    collector.terminate()?;
    webhook.terminate()?;
    Ok(Outcome {
        verdict: part("verdict"),
        tests: part("tests"),
        report,
        admitted,
    })
}

/// The command of the pod's test container as the kubelet would start it, but for where the volume is.
fn test_command(pod: &Value, root: &Path, folder: &Path) -> Result<Command, DemoError> {
    let broken = || DemoError::Example(RUN.path);
    let container = pod.pointer("/spec/containers/0").ok_or_else(broken)?;
    let words = |field: &str| -> Vec<&str> {
        let list = container.get(field).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    };
    let command = words("command");
    let (wrapper, arguments) = command.split_first().ok_or_else(broken)?;
    if *wrapper != "/proctor/bin/exec" {
        return Err(broken());
    }
    let termination = folder.join("termination-log");
    let mut process = itself()?;
    process
        .args(["sidecar", "exec"])
        .arg("--root")
        .arg(root)
        .arg("--termination-log")
        .arg(termination)
        .args(arguments)
        .args(words("args"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null());
    for (name, value) in environment(container) {
        process.env(name, value);
    }
    let output = folder.join("test.log");
    let file = fs::File::create(&output).map_err(|source| DemoError::file(&output, source))?;
    let errors = file
        .try_clone()
        .map_err(|source| DemoError::file(&output, source))?;
    process.stdout(file).stderr(errors);
    Ok(process)
}

/// The environment of a container: what its Secrets hold, then its own variables.
fn environment(container: &Value) -> Vec<(String, String)> {
    let mut environment = Vec::new();
    let list = |field: &str| {
        container
            .get(field)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    for source in list("envFrom") {
        let name = source
            .pointer("/secretRef/name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let secret = SECRETS.iter().find(|(secret, _)| *secret == name);
        for (name, value) in secret.into_iter().flat_map(|(_, entries)| *entries) {
            environment.push(((*name).to_owned(), (*value).to_owned()));
        }
    }
    for variable in list("env") {
        let part = |field: &str| {
            variable
                .get(field)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        if let (Some(name), Some(value)) = (part("name"), part("value")) {
            environment.push((name, value));
        }
    }
    environment
}

fn write(path: &Path, text: &str) -> Result<(), DemoError> {
    fs::write(path, text).map_err(|source| DemoError::file(path, source))
}

/// Where what happens is told: to people as it happens, to programs once at the end.
#[derive(Clone, Copy)]
struct Told(Output);

impl Told {
    /// A line on standard output, which may be closed.
    fn line(self, text: &str) {
        if self.0 == Output::Text || text.starts_with('{') {
            let _ = writeln!(std::io::stdout(), "{text}");
        }
    }

    fn step(self, text: &str) {
        self.line(&format!("\n== {text}"));
    }

    fn admitted(self, example: &Admitted) {
        let answer = if example.allowed {
            "admitted"
        } else {
            "refused "
        };
        self.line(&format!("   {answer}  {}", example.name));
        for cause in &example.findings {
            self.line(&format!("             {} {}", cause.code, cause.path));
            self.line(&format!("                    {}", cause.message));
        }
    }

    fn changes(self, pod: &Value) {
        let changes = pod
            .pointer("/metadata/annotations/proctor.dev~1changes")
            .and_then(Value::as_str);
        for change in changes.unwrap_or_default().lines() {
            self.line(&format!("   {change}"));
        }
    }
}
