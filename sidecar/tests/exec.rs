//! The wrapper against the bare command: whatever can be seen from outside is the same.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as loudly as tests"
)]

mod common;

use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output, Stdio};

use common::{Running, Volume, mode, names, text, until};
use nix::sys::signal::Signal;

fn bare(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

fn same(volume: &Volume, script: &str) -> Output {
    let expected = bare(script).output().unwrap();
    let wrapped = Running::piped(&mut volume.exec(script)).output();
    assert_eq!(wrapped, expected, "{script}");
    wrapped
}

#[test]
fn exit_codes_are_kept() {
    let volume = Volume::new();
    for (attempt, code) in [
        0, 1, 2, 5, 42, 90, 94, 125, 126, 127, 128, 129, 137, 143, 200, 254, 255,
    ]
    .into_iter()
    .enumerate()
    {
        same(&volume, &format!("exit {code}"));
        let end = volume.json(&format!("spool/main/{attempt}/end.json"));
        assert_eq!(
            (&end["exit_code"], &end["wrapper_exit_code"]),
            (&code.into(), &code.into())
        );
        assert!(end["signal"].is_null());
    }
}

#[test]
fn a_signal_that_ends_the_command_ends_the_wrapper() {
    let volume = Volume::new();
    for (attempt, signal) in [1, 2, 3, 6, 8, 9, 10, 11, 12, 14, 15, 24, 31]
        .into_iter()
        .enumerate()
    {
        let output = same(&volume, &format!("ulimit -c 0; kill -{signal} $$"));
        assert_eq!(output.status.signal(), Some(signal));
        let end = volume.json(&format!("spool/main/{attempt}/end.json"));
        assert_eq!(
            (&end["signal"], &end["wrapper_exit_code"]),
            (&signal.into(), &(128 + signal).into())
        );
        assert!(end["exit_code"].is_null());
    }
}

#[test]
fn signals_reach_the_command() {
    let volume = Volume::new();
    let signals = [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGALRM,
        Signal::SIGTERM,
        Signal::SIGCONT,
        Signal::SIGWINCH,
        Signal::SIGURG,
        Signal::SIGPIPE,
        Signal::SIGTSTP,
    ];
    for (attempt, signal) in (0..).zip(signals) {
        let number = signal as i32;
        // Twice, so that it is seen to arrive exactly once each time.
        let script = format!("trap 'echo got' {number}; echo ready; read a; read b; echo $a $b");
        let mut exec = Running::piped(volume.exec(&script).stdin(Stdio::piped()));
        until("the trap is set", || {
            volume.log(attempt).ends_with(b"ready\n")
        });
        exec.signal(signal);
        until("it arrives", || text(&volume.log(attempt)).contains("got"));
        // `read` is interrupted by it, so one line goes to each of what is left.
        exec.child()
            .stdin
            .as_mut()
            .unwrap()
            .write_all(b"one\ntwo\n")
            .unwrap();
        let output = exec.output();
        assert_eq!(
            text(&output.stdout).matches("got").count(),
            1,
            "{signal}: {output:?}"
        );
        assert!(output.status.success(), "{signal}: {output:?}");
    }
}

#[test]
fn sigterm_ends_a_command_that_does_not_handle_it() {
    let volume = Volume::new();
    let mut exec = Running::piped(&mut volume.exec("echo ready; exec sleep 1000"));
    until("it runs", || {
        names(&volume.join("spool/main")).len() == 1 && volume.log(0) == b"ready\n"
    });
    exec.signal(Signal::SIGTERM);
    assert_eq!(exec.output().status.signal(), Some(15));
    assert_eq!(volume.end()["signal"], 15);
}

#[test]
fn a_signal_the_command_sends_to_its_group_comes_once() {
    let volume = Volume::new();
    let script = "trap 'echo got' USR1; kill -USR1 0; read a; exit 3";
    let mut exec = Running::piped(volume.exec(script).stdin(Stdio::piped()).process_group(0));
    exec.child()
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"on\n")
        .unwrap();
    let output = exec.output();
    assert_eq!(
        (text(&output.stdout).as_str(), output.status.code()),
        ("got\n", Some(3))
    );
}

#[test]
fn a_stopped_command_stops_the_wrapper_and_goes_on_with_it() {
    let volume = Volume::new();
    let mut exec = Running::piped(&mut volume.exec("kill -STOP $$; echo on"));
    let status = format!("/proc/{}/stat", exec.pid());
    let state = || {
        std::fs::read_to_string(&status)
            .unwrap()
            .rsplit(')')
            .next()
            .unwrap()
            .trim()
            .to_owned()
    };
    until("the wrapper is stopped as well", || {
        state().starts_with('T')
    });
    exec.signal(Signal::SIGCONT);
    assert_eq!(text(&exec.output().stdout), "on\n");
}

#[test]
fn output_goes_through_byte_for_byte_each_to_its_stream() {
    let volume = Volume::new();
    let output = same(
        &volume,
        "printf 'o\\0\\377\\r\\n'; printf 'e\\033[31m' >&2; printf 'no end'",
    );
    assert_eq!(output.stderr, b"e\x1b[31m");
    let log = volume.log(0);
    assert_eq!(log.len(), output.stdout.len() + output.stderr.len());
    assert_eq!(volume.end()["log_bytes"], log.len());
}

#[test]
fn huge_binary_output_is_complete_and_in_order_on_both_streams() {
    let volume = Volume::new();
    let script =
        "head -c 20000000 /dev/zero | od -An -tx8 -v -w64 & seq 1 1500000 >&2; wait; echo last";
    let output = same(&volume, script);
    assert!(output.stdout.len() > 40_000_000);
    let end = volume.end();
    let total = (output.stdout.len() + output.stderr.len()) as u64;
    assert_eq!(end["log_bytes"].as_u64(), Some(total), "{end}");
    // Both in one, each in its order: what is of one stream is found as it was written.
    let log = volume.log(0);
    assert!(log.len() as u64 == total && log.ends_with(b"last\n"));
    assert!(names(&volume.join("spool/main/0/log")).len() > 50);
}

#[test]
fn a_full_spool_is_a_counted_gap_and_the_tests_run_on() {
    let volume = Volume::new();
    let exec = Running::piped(&mut volume.exec("head -c 70000000 /dev/zero; echo; echo last"));
    let output = exec.output();
    assert_eq!(output.stdout.len(), 70_000_006);
    let (end, log) = (volume.end(), volume.log(0));
    let dropped = end["dropped_bytes"].as_u64().unwrap();
    let gap =
        format!("\n[proctor: {dropped} bytes of output were not recorded: the spool was full]\n");
    assert!(
        log.ends_with(gap.as_bytes()),
        "{}",
        text(&log[log.len() - 200..])
    );
    assert_eq!(log.len() as u64 - gap.len() as u64 + dropped, 70_000_006);
    assert_eq!(end["log_bytes"].as_u64().unwrap(), log.len() as u64);
}

#[test]
fn when_there_is_room_again_recording_goes_on_behind_the_gap() {
    let volume = Volume::new();
    let script = "head -c 70000000 /dev/zero; echo full >&2; read line; echo $line";
    let mut exec = Running::start(
        volume
            .exec(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped()),
    );
    let mut full = [0; 5];
    std::io::Read::read_exact(exec.child().stderr.as_mut().unwrap(), &mut full).unwrap();
    let dir = volume.join("spool/main/0/log");
    std::fs::remove_file(dir.join(proctor_sidecar::spool::segment(0))).unwrap();
    exec.child()
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"behind\n")
        .unwrap();
    assert!(exec.output().status.success());
    let log: Vec<u8> = names(&dir)
        .iter()
        .flat_map(|name| std::fs::read(dir.join(name)).unwrap())
        .collect();
    let log = text(&log[log.len() - 1024 * 1024..]);
    assert!(log.ends_with("behind\n"));
    assert_eq!(
        log.matches("bytes of output were not recorded: the spool was full]\n")
            .count(),
        1
    );
}

#[test]
fn what_the_command_leaves_behind_is_not_waited_for() {
    let volume = Volume::new();
    // The orphan holds the wrapper's pipes, not those of this test.
    let output = Running::piped(&mut volume.exec("sleep 1000 & echo $!; exit 4")).output();
    assert_eq!(output.status.code(), Some(4));
    let orphan = text(&volume.log(0)).trim().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(orphan), Signal::SIGKILL).unwrap();
}

#[test]
fn orphans_that_end_are_reaped() {
    let volume = Volume::new();
    let mut exec = Running::piped(
        volume
            .exec("(true & true & true &); read line")
            .stdin(Stdio::piped()),
    );
    let children = format!("/proc/{0}/task/{0}/children", exec.pid());
    let count = || {
        std::fs::read_to_string(&children)
            .unwrap()
            .split_whitespace()
            .count()
    };
    until("the command runs, and nothing but it", || {
        names(&volume.join("spool/main/0")).len() > 2 && count() == 1
    });
    exec.child()
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"\n")
        .unwrap();
    assert!(exec.output().status.success());
}

#[test]
fn closed_streams_are_no_reason_to_stop() {
    let volume = Volume::new();
    let wrapper = volume.join("bin/exec").display().to_string();
    let root = volume.path().display().to_string();
    for (attempt, closed) in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"]
        .into_iter()
        .enumerate()
    {
        let script = format!(
            "'{wrapper}' --container main --root '{root}' -- sh -c 'echo out; echo err >&2; exit 6' {closed}"
        );
        assert_eq!(
            bare(&script).output().unwrap().status.code(),
            Some(6),
            "{closed}"
        );
        assert_eq!(text(&volume.log(attempt as u64)).len(), 8, "{closed}");
    }
}

#[test]
fn a_reader_that_goes_away_is_felt_by_the_command() {
    let volume = Volume::new();
    let wrapper = volume.join("bin/exec").display().to_string();
    let root = volume.path().display().to_string();
    let script = format!("'{wrapper}' --container main --root '{root}' -- yes | head -n 1");
    assert_eq!(text(&bare(&script).output().unwrap().stdout), "y\n");
    assert_eq!(volume.end()["signal"], 13);
}

#[test]
fn a_command_that_cannot_be_started_leaves_a_complete_record() {
    let volume = Volume::new();
    std::fs::write(volume.join("plain"), "").unwrap();
    let plain = volume.join("plain").display().to_string();
    let cases = [
        ("no-such-command", 127, "is not in the image"),
        (&plain, 126, "is not executable for this user"),
    ];
    std::fs::write(volume.join("termination-log"), "").unwrap();
    for (attempt, (program, code, reason)) in cases.into_iter().enumerate() {
        let output = volume.exec_with(&[], &[program]).output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert!(text(&output.stderr).contains(reason), "{output:?}");
        assert_eq!(
            volume.log(attempt as u64),
            output.stderr,
            "the reason is in the log as well"
        );
        let end = volume.json(&format!("spool/main/{attempt}/end.json"));
        assert!(end["exit_code"].is_null() && end["signal"].is_null());
        assert_eq!(end["wrapper_exit_code"], code);
        assert_eq!(volume.json("termination-log")["verdict"], "Error");
    }
}

#[test]
fn stdin_is_the_commands() {
    let volume = Volume::new();
    let mut exec = Running::piped(volume.exec_with(&[], &["cat"]).stdin(Stdio::piped()));
    exec.child()
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"through\0")
        .unwrap();
    assert_eq!(exec.output().stdout, b"through\0");
}

#[test]
fn environment_folder_and_umask_are_the_commands_own() {
    let volume = Volume::new();
    same(
        &volume,
        "env | grep -v ^_= | sort; pwd; umask; cat /proc/self/status | grep ^Sig[BI]",
    );
}

#[test]
fn the_record_can_be_read_and_deleted_by_any_user_whatever_the_umask() {
    let volume = Volume::new();
    let reports = volume.join("reports/main");
    let inner = volume.exec(&format!(
        "echo x > {0}/a.xml; chmod 644 {0}/a.xml",
        reports.display()
    ));
    let args: Vec<_> = inner
        .get_args()
        .map(|arg| format!("'{}'", arg.to_str().unwrap()))
        .collect();
    let program = inner.get_program().to_str().unwrap();
    let quoted = args.join(" ");
    assert!(
        bare(&format!("umask 077; exec {program} {quoted}"))
            .status()
            .unwrap()
            .success()
    );
    let spool = volume.join("spool/main/0");
    for folder in [
        &reports,
        &volume.join("spool/main"),
        &spool,
        &spool.join("log"),
        &spool.join("files"),
    ] {
        assert_eq!(mode(folder), 0o777, "{}", folder.display());
    }
    for file in ["start.json", "end.json", "files/0.data", "files/0.json"] {
        assert_eq!(mode(&spool.join(file)), 0o644, "{file}");
    }
}

#[test]
fn another_user_than_the_installers_is_recorded_all_the_same() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not root: this test needs to become another user");
        return;
    }
    let volume = Volume::new();
    let output = volume.exec("id -u").uid(65532).gid(65532).output().unwrap();
    assert_eq!(text(&output.stdout), "65532\n", "{output:?}");
    assert_eq!(volume.end()["exit_code"], 0);
}

#[test]
fn without_a_volume_the_tests_run_and_one_line_says_that_nothing_is_recorded() {
    let volume = Volume::new();
    let wrapper = volume.join("bin/exec");
    std::fs::write(volume.join("a file"), "").unwrap();
    std::fs::write(volume.join("termination-log"), "").unwrap();
    let mut command = Command::new(wrapper);
    command
        .args(["--container", "main", "--root"])
        .arg(volume.join("a file"));
    command
        .arg("--termination-log")
        .arg(volume.join("termination-log"));
    let output = command
        .args([
            "--",
            "sh",
            "-c",
            "echo --- PASS: TestA '(0.00s)'; echo PASS; exit 7",
        ])
        .output()
        .unwrap();
    assert_eq!(
        (text(&output.stdout).as_str(), output.status.code()),
        ("--- PASS: TestA (0.00s)\nPASS\n", Some(7))
    );
    let said = text(&output.stderr);
    assert!(
        said.lines().count() == 1 && said.contains("cannot be written; the tests run all the same"),
        "{said}"
    );
    let message = volume.json("termination-log");
    assert_eq!(
        (&message["exit_code"], &message["verdict"]),
        (&7.into(), &"Failed".into())
    );
}

#[test]
fn the_termination_message_says_what_the_report_files_say() {
    let volume = Volume::new();
    std::fs::write(volume.join("termination-log"), "x".repeat(5000)).unwrap();
    let junit = r#"<testsuite name="s"><testcase name="a"/><testcase name="b"><failure message="no"/></testcase><testcase name="c"><skipped/></testcase></testsuite>"#;
    let script = format!(
        "echo '{junit}' > {}/junit.xml; exit 1",
        volume.join("reports/main").display()
    );
    volume.exec(&script).output().unwrap();
    assert_eq!(
        std::fs::read_to_string(volume.join("termination-log")).unwrap(),
        r#"{"proctor":1,"exit_code":1,"signal":null,"verdict":"Failed","tests":3,"passed":1,"failed":1,"errors":0,"skipped":1,"gate":null}"#
    );
}

#[test]
fn without_a_report_file_the_console_output_is_read() {
    let volume = Volume::new();
    std::fs::write(volume.join("termination-log"), "").unwrap();
    let script =
        "printf '=== RUN   TestA\\n--- PASS: TestA (0.01s)\\nPASS\\nok  \\tapi\\t0.01s\\n'";
    volume.exec(script).output().unwrap();
    let message = volume.json("termination-log");
    assert_eq!(
        (&message["verdict"], &message["passed"]),
        (&"Passed".into(), &1.into()),
        "{message}"
    );
}
