//! The command line.

#![allow(
    clippy::doc_markdown,
    rustdoc::bare_urls,
    reason = "the comments are the help text, where Markdown would be shown as it is"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use proctor_api::{Mode, PullPolicy};
use proctor_policy::Label;

/// Reviews test pods and their Jobs: supplies what they need, refuses what makes them lie.
///
/// In a cluster it reads its policies, issues its own certificate and tells the API server to trust it. With --ca-out it needs no
/// cluster: policies are files, and the certificate to trust is written to a file.
#[derive(Clone, Debug, Parser)]
#[command(name = "proctor-webhook", version)]
pub struct Args {
    /// Where the API server calls
    #[arg(long, env = "PROCTOR_LISTEN", value_name = "ADDR", default_value_t = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8443)))]
    pub listen: SocketAddr,

    /// Where people and monitoring ask: /healthz, /readyz, /metrics, plain HTTP [default: 0.0.0.0:8080 in a cluster, else none]
    #[arg(long, env = "PROCTOR_ADMIN_LISTEN", value_name = "ADDR")]
    pub admin_listen: Option<SocketAddr>,

    /// The label that marks tests
    #[arg(long, env = "PROCTOR_LABEL", value_name = "KEY=VALUE", default_value = "component=e2e-test", value_parser = label)]
    pub label: Label,

    /// The strictest that any rule may be
    #[arg(long, env = "PROCTOR_MODE", value_enum, default_value = "enforce")]
    pub mode: ModeArg,

    /// Image of the reporter; without it test pods get none
    #[arg(
        long,
        env = "PROCTOR_SIDECAR_IMAGE",
        value_name = "IMAGE",
        requires = "collector_url"
    )]
    pub sidecar_image: Option<String>,

    /// When the reporter's image is pulled
    #[arg(long, env = "PROCTOR_SIDECAR_PULL_POLICY", value_name = "POLICY", default_value = "IfNotPresent", value_parser = pull_policy)]
    pub sidecar_pull_policy: PullPolicy,

    /// Pull secret that test pods need for the reporter's image; may be repeated
    #[arg(
        long,
        env = "PROCTOR_SIDECAR_PULL_SECRETS",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub sidecar_pull_secret: Vec<String>,

    /// Where the reporter uploads to, such as https://proctor-collector.proctor-system.svc:8443
    #[arg(long, env = "PROCTOR_COLLECTOR_URL", value_name = "URL")]
    pub collector_url: Option<String>,

    /// How log lines are written, to stderr
    #[arg(long, env = "PROCTOR_LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,

    /// What is logged: a level, or directives such as info,proctor_webhook=debug
    #[arg(long, env = "RUST_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,

    /// Seconds to go on serving after SIGTERM, until everybody has learnt not to call any more [default: 5 in a cluster, else 0]
    #[arg(long, env = "PROCTOR_SHUTDOWN_DELAY", value_name = "SECONDS")]
    pub shutdown_delay: Option<u64>,

    /// In a cluster
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// Without a cluster
    #[command(flatten)]
    pub standalone: StandaloneArgs,
}

/// What is needed in a cluster.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "In a cluster")]
pub struct ClusterArgs {
    /// The namespace of the Service, the Secret and the collector's bundle
    #[arg(
        long,
        env = "POD_NAMESPACE",
        value_name = "NAME",
        default_value = "proctor-system"
    )]
    pub namespace: String,

    /// The Service by which the API server calls
    #[arg(
        long,
        env = "PROCTOR_SERVICE_NAME",
        value_name = "NAME",
        default_value = "proctor-webhook"
    )]
    pub service_name: String,

    /// The MutatingWebhookConfiguration and ValidatingWebhookConfiguration of this name are told what to trust
    #[arg(
        long,
        env = "PROCTOR_WEBHOOK_CONFIGURATION",
        value_name = "NAME",
        default_value = "proctor"
    )]
    pub webhook_configuration: String,
}

/// What is needed without a cluster.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Without a cluster")]
pub struct StandaloneArgs {
    /// Run without a cluster, and write the certificate to trust to this file as soon as the port is open
    #[arg(long, value_name = "FILE")]
    pub ca_out: Option<PathBuf>,

    /// Write the address that is listened on to this file, for --listen with port 0
    #[arg(long, value_name = "FILE", requires = "ca_out")]
    pub address_out: Option<PathBuf>,

    /// YAML with ClusterTestPolicy, TestPolicy, Namespace and Service objects; may be repeated [default: the built-in policy]
    #[arg(long = "policy", value_name = "FILE", requires = "ca_out")]
    pub policies: Vec<PathBuf>,

    /// PEM file with what the reporter trusts
    #[arg(
        long,
        value_name = "FILE",
        requires = "ca_out",
        requires = "collector_url"
    )]
    pub collector_ca: Option<PathBuf>,
}

/// The strictest that any rule may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ModeArg {
    /// Findings refuse, where their rule says so
    Enforce,
    /// Findings warn at most
    Warn,
    /// Findings are only counted
    Audit,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum LogFormat {
    /// An object a line
    Json,
    /// For people
    Text,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Enforce => Self::Enforce,
            ModeArg::Warn => Self::Warn,
            ModeArg::Audit => Self::Audit,
        }
    }
}

impl Args {
    /// How long to go on serving after SIGTERM before no new connection is accepted.
    pub(crate) fn announce(&self) -> Duration {
        let default = if self.standalone.ca_out.is_some() {
            0
        } else {
            5
        };
        Duration::from_secs(self.shutdown_delay.unwrap_or(default))
    }

    /// Where the admin port is, if there is one.
    pub(crate) fn admin(&self) -> Option<SocketAddr> {
        let default = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080));
        let in_cluster = self.standalone.ca_out.is_none();
        self.admin_listen.or(in_cluster.then_some(default))
    }
}

fn label(text: &str) -> Result<Label, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok(Label {
            key: key.to_owned(),
            value: value.to_owned(),
        }),
        _ => Err("a label is written KEY=VALUE, such as component=e2e-test".to_owned()),
    }
}

fn pull_policy(text: &str) -> Result<PullPolicy, String> {
    match text {
        "Always" => Ok(PullPolicy::Always),
        "IfNotPresent" => Ok(PullPolicy::IfNotPresent),
        "Never" => Ok(PullPolicy::Never),
        _ => Err("a pull policy is Always, IfNotPresent or Never".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_policy_file_needs_the_standalone_mode() {
        let error = Args::try_parse_from(["proctor-webhook", "--policy", "x.yaml"]).unwrap_err();
        assert!(error.to_string().contains("--ca-out"), "{error}");
    }

    #[test]
    fn without_a_cluster_there_is_no_admin_port_unless_asked_for() {
        let args = Args::parse_from(["proctor-webhook", "--ca-out", "ca.pem"]);
        assert_eq!(args.admin(), None);
        assert!(Args::parse_from(["proctor-webhook"]).admin().is_some());
    }
}
