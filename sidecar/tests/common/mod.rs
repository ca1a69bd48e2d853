//! What the tests share: the built binary on a volume of its own, and waiting with a deadline.
#![allow(dead_code, unreachable_pub)] // each test file uses its part

pub mod peer;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long anything may take on a busy machine.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// A volume with the wrapper installed.
pub struct Volume(TempDir);

impl Volume {
    pub fn new() -> Self {
        let volume = Self::empty();
        let installed = sidecar()
            .args(["install", "--root"])
            .arg(volume.path())
            .status()
            .unwrap();
        assert!(installed.success());
        volume
    }

    pub fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        open_to_all(dir.path());
        Self(dir)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    /// The wrapper in front of a shell script, as the container `main`.
    pub fn exec(&self, script: &str) -> Command {
        self.exec_with(&[], &["sh", "-c", script])
    }

    pub fn exec_with(&self, flags: &[&str], command: &[&str]) -> Command {
        let mut exec = Command::new(self.join("bin/exec"));
        exec.args(["--container", "main", "--root"])
            .arg(self.path());
        exec.arg("--termination-log")
            .arg(self.join("termination-log"));
        exec.args(flags).arg("--").args(command);
        exec
    }

    /// The log of an attempt, put together from its segments.
    pub fn log(&self, attempt: u64) -> Vec<u8> {
        let mut log = Vec::new();
        for name in names(&self.join(&format!("spool/main/{attempt}/log"))) {
            assert_eq!(
                proctor_sidecar::spool::parse_segment(&name),
                Some(log.len() as u64)
            );
            log.extend(
                std::fs::read(self.join(&format!("spool/main/{attempt}/log/{name}"))).unwrap(),
            );
        }
        log
    }

    pub fn json(&self, path: &str) -> serde_json::Value {
        let path = self.join(path);
        serde_json::from_slice(
            &std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
        )
        .unwrap()
    }

    pub fn end(&self) -> serde_json::Value {
        self.json("spool/main/0/end.json")
    }
}

pub fn sidecar() -> Command {
    Command::new(env!("CARGO_BIN_EXE_proctor-sidecar"))
}

pub fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

pub fn open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
}

pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits for a condition.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// A process that does not outlive its test.
pub struct Running(Option<Child>);

impl Running {
    pub fn start(command: &mut Command) -> Self {
        Self(Some(command.spawn().unwrap()))
    }

    pub fn piped(command: &mut Command) -> Self {
        Self::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    pub fn child(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }

    pub fn pid(&mut self) -> i32 {
        self.child().id().try_into().unwrap()
    }

    pub fn signal(&mut self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits until it takes signals as something to read.
    pub fn takes_signals(&mut self) {
        let status = format!("/proc/{}/status", self.pid());
        until("signals are blocked", || {
            let status = std::fs::read_to_string(&status).unwrap();
            let blocked = status
                .lines()
                .find_map(|line| line.strip_prefix("SigBlk:"))
                .unwrap();
            u64::from_str_radix(blocked.trim(), 16).unwrap() & (1 << 14) != 0
        });
    }

    /// Its output, when it has ended by itself.
    #[track_caller]
    pub fn output(mut self) -> Output {
        let deadline = Instant::now() + DEADLINE;
        let mut child = self.0.take().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let pid = child.id();
        child.stdin.take();
        std::thread::spawn(move || sender.send(child.wait_with_output()));
        let Ok(output) = receiver.recv_timeout(deadline - Instant::now()) else {
            let pid = nix::unistd::Pid::from_raw(pid.try_into().unwrap());
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            panic!("the process did not end within {DEADLINE:?}")
        };
        output.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
