//! `selftest`: what `helm test` runs in a test pod, to see from the inside that the pod was given all it should be.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Prints TAP, so that the run has tests to count.
#[derive(Debug, clap::Args)]
pub struct SelftestOptions {
    /// Where the volume is mounted.
    #[arg(long, default_value = "/proctor", value_name = "DIR")]
    pub root: PathBuf,
    /// Expect no reporter: the install has none.
    #[arg(long)]
    pub no_reporter: bool,
}

/// Looks and tells; fails where something is missing.
pub fn run(options: &SelftestOptions) -> ExitCode {
    let root = &options.root;
    let checks: &[(&str, bool)] = if options.no_reporter {
        &[("the pod was admitted without a reporter", !root.exists())]
    } else {
        &[
            ("the volume is mounted", root.is_dir()),
            (
                "the wrapper is in place",
                is_executable(&root.join("bin/exec")),
            ),
            (
                "the command runs under the wrapper",
                is_recorded(&root.join("spool")),
            ),
        ]
    };
    let lines = (1..).zip(checks).map(|(number, (name, holds))| {
        let not = if *holds { "" } else { "not " };
        format!("{not}ok {number} - {name}")
    });
    let lines: Vec<String> = lines.collect();
    let told = writeln!(
        io::stdout(),
        "TAP version 13\n{}\n1..{}",
        lines.join("\n"),
        checks.len()
    );
    if told.is_ok() && checks.iter().all(|(_, holds)| *holds) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn is_executable(file: &Path) -> bool {
    fs::metadata(file)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 == 0o111)
}

/// Whether some container has begun a record.
fn is_recorded(spool: &Path) -> bool {
    let containers = fs::read_dir(spool).into_iter().flatten().flatten();
    let mut attempts = containers.flat_map(|container| {
        fs::read_dir(container.path())
            .into_iter()
            .flatten()
            .flatten()
    });
    attempts.any(|attempt| attempt.path().join("start.json").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_without_the_wrapper_fails() {
        let root = tempfile::tempdir().unwrap();
        let options = SelftestOptions {
            root: root.path().to_owned(),
            no_reporter: false,
        };
        assert_eq!(run(&options), ExitCode::FAILURE);

        fs::create_dir_all(root.path().join("bin")).unwrap();
        fs::write(root.path().join("bin/exec"), "").unwrap();
        fs::set_permissions(
            root.path().join("bin/exec"),
            fs::Permissions::from_mode(0o755),
        )
        .unwrap();
        assert_eq!(run(&options), ExitCode::FAILURE);

        fs::create_dir_all(root.path().join("spool/main/0")).unwrap();
        fs::write(root.path().join("spool/main/0/start.json"), "{}").unwrap();
        assert_eq!(run(&options), ExitCode::SUCCESS);
    }
}
