//! The steps of the demo, one after the other.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;
use serde_json::Value;

use super::DemoError;
use super::admission::{Admitted, admit, pod_of};
use super::examples::{OTHERS, RUN};
use super::https::Client;
use super::pod::test_command;
use super::servers::Servers;

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
    let mut servers = Servers::start(folder)?;
    told.line(&format!(
        "   webhook    https://{}",
        servers.webhook_address
    ));
    told.line(&format!("   collector  {}", servers.collector_url));

    told.step("The example Jobs go through admission, over TLS, as the API server would send them");
    let client = Client::new(&servers.webhook_address, &servers.webhook_ca)?;
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
    let reporter = servers.reporter(folder, &root)?;
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
    let summary = servers
        .collector
        .writes(&run.join("artifacts/proctor/report.json"))?;
    let summary: Value = serde_json::from_str(&summary)
        .map_err(|source| DemoError::answer("report.json", source))?;
    let part = |name: &str| summary.get(name).cloned().unwrap_or_default();
    told.line(&format!(
        "   verdict {}, {} tests",
        part("verdict"),
        part("tests")
    ));
    servers.stop()?;
    Ok(Outcome {
        verdict: part("verdict"),
        tests: part("tests"),
        report,
        admitted,
    })
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
