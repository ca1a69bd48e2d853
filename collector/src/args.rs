//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Takes the uploads of test pods, keeps their TestRuns, stores their reports and serves them.
///
/// In a cluster it asks the API server who uploads, watches the test pods to their end, and keeps its own certificate authority in
/// the Secret `proctor-collector-ca`. With --standalone it needs no cluster: uploads are identified by a file of tokens.
#[derive(Clone, Debug, Parser)]
#[command(name = "proctor-collector", version)]
pub struct Args {
    /// Where uploads and readers are served, over TLS 1.3.
    #[arg(
        long,
        env = "PROCTOR_LISTEN",
        default_value = "0.0.0.0:8443",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,

    /// Where health, readiness and metrics are served, over plain HTTP [default: 0.0.0.0:8080; with --standalone: not at all].
    #[arg(long, env = "PROCTOR_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub admin_listen: Option<SocketAddr>,

    /// The folder of the store.
    #[arg(long, env = "PROCTOR_STORE", value_name = "FOLDER")]
    pub store: PathBuf,

    /// The file of the index [default: index.sqlite in the store].
    #[arg(long, env = "PROCTOR_INDEX", value_name = "FILE")]
    pub index: Option<PathBuf>,

    /// How long to wait for the last bytes of an ended pod whose reporter said neither that it is done nor that it ended.
    #[arg(long, env = "PROCTOR_FINALIZE_GRACE_SECONDS", default_value_t = crate::limits::FINALIZE_GRACE_SECONDS, value_name = "SECONDS")]
    pub finalize_grace_seconds: u32,

    /// The form of the log on standard error.
    #[arg(long, env = "PROCTOR_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// The label of test pods and Jobs.
    #[arg(long, env = "PROCTOR_LABEL", default_value = "component=e2e-test", value_parser = label, value_name = "KEY=VALUE")]
    pub label: (String, String),

    /// The namespace the collector runs in.
    #[arg(
        long,
        env = "POD_NAMESPACE",
        default_value = "proctor-system",
        value_name = "NAME"
    )]
    pub namespace: String,

    /// The Service in front of the collector; its DNS names are those of the certificate.
    #[arg(
        long,
        env = "PROCTOR_SERVICE_NAME",
        default_value = "proctor-collector",
        value_name = "NAME"
    )]
    pub service_name: String,

    /// Run without a cluster.
    #[arg(long, requires = "tokens", requires = "ca_out")]
    pub standalone: bool,

    /// With --standalone: a JSON list of {"token","namespace","pod","uid"}.
    #[arg(long, requires = "standalone", value_name = "FILE")]
    pub tokens: Option<PathBuf>,

    /// With --standalone: where to write the authority's certificate (PEM) once the collector listens.
    #[arg(long, requires = "standalone", value_name = "FILE")]
    pub ca_out: Option<PathBuf>,

    /// With --standalone: where to write the address (host:port) once the collector listens; for a --listen with port 0.
    #[arg(long, requires = "standalone", value_name = "FILE")]
    pub address_out: Option<PathBuf>,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// A JSON object a line.
    Json,
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err("a label is written KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn standalone_needs_its_tokens() {
        assert!(
            Args::try_parse_from(["proctor-collector", "--store", "s", "--standalone"]).is_err()
        );
        let args = Args::try_parse_from(["proctor-collector", "--store", "s"]).unwrap();
        assert_eq!(args.label, ("component".to_owned(), "e2e-test".to_owned()));
    }
}
