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

    /// In bytes.
    pub(super) fn peak(self) -> Option<u64> {
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

fn largest_process() -> Option<u64> {
    let kibibytes = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?.max_rss();
    u64::try_from(kibibytes).ok()?.checked_mul(1024)
}
