//! `exec`: runs the test command as if it were not there, and records it.
//!
//! One thread, one loop around `poll`. What the command writes goes through byte for byte, each
//! stream to its own; signals are passed on; children left behind are reaped; the exit code is kept.
//! The recording comes second: without a writable volume, or with a full one, the tests run on.
//!
//! Where it differs from the bare command: a signal that the first process of a container would not
//! even notice, because it installed no handler, ends the command here as it would anywhere else;
//! stdout and stderr are pipes even where the container has a terminal; a closed stdout or stderr is
//! `/dev/null`; real-time signals are not passed on.

mod child;
mod gather;
mod memory;
mod outcome;
mod pattern;
mod recording;
mod spawn;
mod stream;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use proctor_results::{Console, Stream as Source};
use rustix::event::{PollFd, PollFlags, poll};

use crate::signals::{Signals, die_by, timespec};
use crate::spool::{ContainerName, Time};
use crate::{describe, say};
use child::{Child, Ended, NotStarted};
use memory::Memory;
use outcome::Message;
use recording::Recording;
use stream::Stream;

/// Time between two looks at files and memory.
const TICK: Duration = Duration::from_secs(1);

/// What to run and where to record it.
#[derive(Debug, clap::Args)]
pub struct ExecOptions {
    /// The container's name: its folder on the volume.
    #[arg(long, value_name = "NAME")]
    pub container: ContainerName,
    /// Files to gather, relative to the working directory; `*` stays within a folder, `**` does not.
    #[arg(long = "glob", value_name = "GLOB")]
    pub globs: Vec<String>,
    /// Where the volume is mounted.
    #[arg(long, default_value = "/proctor", value_name = "DIR")]
    pub root: PathBuf,
    /// The file whose content the kubelet takes as the container's termination message.
    #[arg(long, default_value = "/dev/termination-log", value_name = "FILE")]
    pub termination_log: PathBuf,
    /// The test command and its arguments.
    #[arg(last = true, required = true, num_args = 1.., value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Runs the command to its end and returns what to exit with. Does not return where a signal ended
/// the command and this process can end by the same.
pub fn run(options: &ExecOptions) -> u8 {
    let started_at = Time::now();
    let ended = match Signals::take() {
        Ok(signals) => Run::new(options, started_at, signals).complete(),
        Err(error) => {
            say(&format!(
                "The test command runs unwrapped and unrecorded: {error}."
            ));
            child::replace(&options.command)
        }
    };
    if let Ended::Signaled(number) = ended {
        die_by(number);
    }
    ended.code()
}

/// Everything around the running command.
struct Run<'a> {
    options: &'a ExecOptions,
    started_at: Time,
    signals: Signals,
    observer: Observer,
    memory: Memory,
}

/// Sees all output on its way through.
struct Observer {
    recording: Option<Recording>,
    console: Console,
}

impl Observer {
    fn output(&mut self, source: Source, bytes: &[u8]) {
        if let Some(recording) = &mut self.recording {
            recording.append(bytes);
        }
        self.console.push_from(source, bytes);
    }
}

impl<'a> Run<'a> {
    fn new(options: &'a ExecOptions, started_at: Time, signals: Signals) -> Self {
        // Without it, what the command leaves behind is reaped by somebody above.
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
        let recording = Recording::begin(options, started_at)
            .map_err(|error| say(&describe(&error)))
            .ok();
        let observer = Observer {
            recording,
            console: Console::new(),
        };
        Self {
            options,
            started_at,
            signals,
            observer,
            memory: Memory::default(),
        }
    }

    fn complete(mut self) -> Ended {
        let ended = match Child::start(&self.options.command, self.signals.before()) {
            Ok((child, out, err)) => self.follow(&child, out, err),
            Err(NotStarted { line, ended }) => {
                match &mut self.observer.recording {
                    Some(recording) => recording.tell(&line),
                    None => say(&line),
                }
                ended
            }
        };
        self.finish(ended);
        ended
    }

    /// Passes everything through until the command has ended.
    fn follow(&mut self, child: &Child, mut out: Stream, mut err: Stream) -> Ended {
        let mut next_tick = Instant::now();
        loop {
            self.wait(&out, &err);
            while let Some(received) = self.signals.next() {
                child.forward(received);
            }
            if let Some(ended) = child.reap() {
                self.drain(&mut out, &mut err);
                return ended;
            }
            out.advance(&mut |bytes| self.observer.output(Source::Out, bytes));
            err.advance(&mut |bytes| self.observer.output(Source::Err, bytes));
            let now = Instant::now();
            if now >= next_tick {
                next_tick = now + TICK;
                self.memory.sample();
                if let Some(recording) = &mut self.observer.recording {
                    recording.look();
                }
            }
        }
    }

    fn wait(&self, out: &Stream, err: &Stream) {
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        fds.extend(out.interest());
        fds.extend(err.interest());
        // It fails only where memory is short; then the loop goes on without having waited.
        let _ = poll(&mut fds, Some(&timespec(TICK)));
    }

    /// Passes on what the command wrote before it ended. A process it left behind may hold the
    /// pipes open for ever: it is not waited for, as a container does not wait for it. A signal ends
    /// the wait for a reader who does not read, as it would have ended the command.
    fn drain(&mut self, out: &mut Stream, err: &mut Stream) {
        loop {
            let more_out = out.drain(&mut |bytes| self.observer.output(Source::Out, bytes));
            let more_err = err.drain(&mut |bytes| self.observer.output(Source::Err, bytes));
            if !more_out && !more_err {
                return;
            }
            if out.is_pending() || err.is_pending() {
                self.wait(out, err);
                if self
                    .signals
                    .next()
                    .is_some_and(|received| received.sender.is_some())
                {
                    return;
                }
            }
        }
    }

    fn finish(self, ended: Ended) {
        let Self {
            options,
            started_at,
            observer,
            memory,
            ..
        } = self;
        let Observer {
            mut recording,
            console,
        } = observer;
        let files = recording
            .as_mut()
            .map(Recording::gather_rest)
            .unwrap_or_default();
        if let Err(error) = Message::new(ended, console, &files).write(&options.termination_log) {
            let path = options.termination_log.display();
            say(&format!(
                "The verdict could not be written to {path}: {error}."
            ));
        }
        if let Some(recording) = recording
            && let Err(error) = recording.finish(ended, started_at, memory.measured())
        {
            let root = options.root.display();
            say(&format!(
                "The record on the volume at {root} could not be completed: {error}."
            ));
        }
    }
}
