//! How much memory the tests took.

use std::fs;

use nix::sys::resource::{UsageWho, getrusage};

/// What the kernel keeps by itself, version 2 (since Linux 5.19) and 1. Page cache is a part of it.
const PEAKS: [&str; 2] = [
    "/sys/fs/cgroup/memory.peak",
    "/sys/fs/cgroup/memory/memory.max_usage_in_bytes",
];

/// The present, for kernels that keep no peak.
const CURRENT: &str = "/sys/fs/cgroup/memory.current";

/// How often the kernel ended a process of the container for memory: a line `oom_kill N`, version 2 and 1.
const EVENTS: [&str; 2] = [
    "/sys/fs/cgroup/memory.events",
    "/sys/fs/cgroup/memory/memory.oom_control",
];

/// What the tests took, as far as it can be told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measured {
    /// In bytes.
    pub(super) peak: Option<u64>,
    /// Processes of the container that the kernel ended for memory.
    pub(super) oom_kills: Option<u64>,
}

/// Watches the memory of the container, or of the processes where we are not in one of our own.
#[derive(Debug, Default)]
pub(super) struct Memory {
    highest: u64,
}

impl Memory {
    pub(super) fn sample(&mut self) {
        if in_own_container() {
            self.highest = self.highest.max(read(CURRENT).unwrap_or_default());
        }
    }

    pub(super) fn measured(self) -> Measured {
        let oom_kills = in_own_container()
            .then(|| EVENTS.iter().find_map(|path| oom_kills(path)))
            .flatten();
        Measured {
            peak: self.peak(),
            oom_kills,
        }
    }

    fn peak(self) -> Option<u64> {
        let of_container = || PEAKS.iter().find_map(|path| read(path));
        match in_own_container().then(of_container).flatten() {
            Some(peak) => Some(peak.max(self.highest)),
            None if self.highest > 0 => Some(self.highest),
            None => largest_process(),
        }
    }
}

/// The first process of a PID namespace has a cgroup of its own in every container runtime. Anybody
/// else would read the figures of the whole machine.
fn in_own_container() -> bool {
    std::process::id() == 1
}

fn read(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn oom_kills(path: &str) -> Option<u64> {
    count_of_oom_kills(&fs::read_to_string(path).ok()?)
}

fn count_of_oom_kills(events: &str) -> Option<u64> {
    let mut lines = events.lines();
    lines.find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

fn largest_process() -> Option<u64> {
    let kibibytes = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?.max_rss();
    u64::try_from(kibibytes).ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_counted_in_both_versions_of_cgroups() {
        let version_1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n";
        let version_2 = "low 0\nhigh 0\nmax 14\noom 1\noom_kill 1\noom_group_kill 0\n";
        assert_eq!(count_of_oom_kills(version_1), Some(2));
        assert_eq!(count_of_oom_kills(version_2), Some(1));
        assert_eq!(count_of_oom_kills("oom 1\n"), None);
    }
}
