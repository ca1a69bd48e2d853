//! Signals as something to read, so that nothing is ever interrupted.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Every signal that can be caught: blocked, and waiting here to be read.
pub(crate) struct Signals {
    waiting: SignalFd,
    before: SigSet,
}

/// One signal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    /// Its number.
    pub(crate) number: i32,
    /// The process that sent it; `None` where the kernel did (a terminal's Ctrl-C, a child's end).
    pub(crate) sender: Option<i32>,
}

impl Received {
    pub(crate) fn is(self, signal: Signal) -> bool {
        self.number == signal as i32
    }
}

impl Signals {
    /// Blocks them. To be called while the process has one thread.
    pub(crate) fn take() -> io::Result<Self> {
        let all = SigSet::all();
        let waiting = SignalFd::with_flags(&all, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let before = all.thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        Ok(Self { waiting, before })
    }

    /// The mask there was before, for a child.
    pub(crate) fn before(&self) -> &SigSet {
        &self.before
    }

    /// The next one that has come in.
    pub(crate) fn next(&self) -> Option<Received> {
        let info = self.waiting.read_signal().ok().flatten()?;
        // `si_code` is at most 0 exactly when a process sent it (sigaction(2)).
        let sender = if info.ssi_code <= 0 {
            i32::try_from(info.ssi_pid).ok()
        } else {
            None
        };
        Some(Received {
            number: i32::try_from(info.ssi_signo).ok()?,
            sender,
        })
    }

    /// Waits until one has come in or the time is over.
    pub(crate) fn wait(&self, at_most: Duration) {
        let _ = poll(
            &mut [PollFd::new(self, PollFlags::IN)],
            Some(&timespec(at_most)),
        );
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.waiting.as_fd()
    }
}

/// For `poll`.
pub(crate) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

/// Ends this process by a signal, as it ended another. Returns where that is not possible: for the
/// first process of a PID namespace, and for a signal that is ignored.
pub(crate) fn die_by(number: i32) {
    let Ok(signal) = Signal::try_from(number) else {
        return;
    };
    // The core of interest was the other process's.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let mut only = SigSet::empty();
    only.add(signal);
    let _ = only.thread_unblock();
    // A handler of the Rust runtime for stack overflows takes the first SIGSEGV or SIGBUS, and
    // restores the default for the next.
    for _ in 0..2 {
        let _ = raise(signal);
    }
}

/// Stops this process as a shell expects it when what it runs was stopped.
pub(crate) fn stop() {
    let _ = raise(Signal::SIGSTOP);
}
