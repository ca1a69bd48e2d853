//! Progress for a person, on standard error.
//!
//! Written to the stream itself, as libtest's capture of `eprintln!` would hide a build of minutes.

use std::io::{Write, stderr};
use std::time::{Duration, Instant};

/// After how much silence a long step says that it is still at work.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// Says one line.
pub fn say(line: &str) {
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(stderr().lock(), "testbed: {line}");
}

/// An error as sentences: what went wrong, then a line for each cause.
pub fn sentences(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n  because: ")
}

/// A step that takes its time: announced, repeated with the elapsed seconds, and concluded.
#[derive(Debug)]
pub struct Step {
    what: String,
    start: Instant,
    spoken: Instant,
}

impl Step {
    /// Announces the step.
    pub fn begin(what: impl Into<String>) -> Self {
        let what = what.into();
        say(&format!("{what} …"));
        let now = Instant::now();
        Self {
            what,
            start: now,
            spoken: now,
        }
    }

    /// Says that the step is still at work, when it was silent for long enough.
    pub fn beat(&mut self) {
        if self.spoken.elapsed() >= HEARTBEAT {
            self.spoken = Instant::now();
            say(&format!(
                "{} … {} s",
                self.what,
                self.start.elapsed().as_secs()
            ));
        }
    }

    /// Says that the step is done, and what it took.
    pub fn end(self) {
        say(&format!(
            "{}: done in {:.1} s",
            self.what,
            self.start.elapsed().as_secs_f32()
        ));
    }
}
