//! The wrapper on its volume.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as loudly as tests"
)]

mod common;

use std::os::unix::process::CommandExt;
use std::process::Command;

use common::{Running, Volume, mode, names, sidecar, text, until};

fn install(volume: &Volume) -> Command {
    let mut command = sidecar();
    command.args(["install", "--root"]).arg(volume.path());
    command
}

#[test]
fn folders_and_wrapper_have_exact_modes_whatever_the_umask() {
    let volume = Volume::empty();
    let script = format!(
        "umask 077; exec '{}' install --root '{}'",
        env!("CARGO_BIN_EXE_proctor-sidecar"),
        volume.path().display()
    );
    assert!(
        Command::new("sh")
            .args(["-c", &script])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(names(volume.path()), ["bin", "reports", "spool"]);
    for folder in ["bin", "reports", "spool"] {
        assert_eq!(mode(&volume.join(folder)), 0o777);
    }
    assert_eq!(mode(&volume.join("bin/exec")), 0o755);
    assert_eq!(names(&volume.join("bin")), ["exec"], "nothing is left over");
}

#[test]
fn it_can_be_repeated_while_the_wrapper_runs() {
    let volume = Volume::new();
    let mut exec = Running::piped(
        volume
            .exec("read line; echo $line")
            .stdin(std::process::Stdio::piped()),
    );
    until("it runs", || {
        volume.join("spool/main/0/start.json").exists()
    });
    for _ in 0..3 {
        assert!(install(&volume).status().unwrap().success());
    }
    std::io::Write::write_all(exec.child().stdin.as_mut().unwrap(), b"still here\n").unwrap();
    assert_eq!(text(&exec.output().stdout), "still here\n");
    assert!(volume.exec("true").status().unwrap().success());
}

#[test]
fn a_volume_that_cannot_be_written_is_named() {
    let volume = Volume::empty();
    std::fs::write(volume.join("bin"), "").unwrap();
    let output = install(&volume).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains("bin could not be made: mount the volume writable there"),
        "{said}"
    );
}

#[test]
fn a_volume_of_another_user_with_open_folders_is_fine() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not root: this test needs to become another user");
        return;
    }
    let volume = Volume::new();
    // The binary under test lies where another user may not look.
    let output = Command::new(volume.join("bin/exec"))
        .arg0("proctor-sidecar")
        .args(["install", "--root"])
        .arg(volume.path())
        .uid(65532)
        .gid(65532)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(mode(&volume.join("bin/exec")), 0o755);
}
