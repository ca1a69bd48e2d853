//! Console output in, a report out: for the many runs that write no report file.
//!
//! All parsers look at the same lines at once; those that recognise their tool's output say so, and
//! what they found is put together. They are push parsers: feed chunks as they come, of any size.

use crate::report::Report;

mod cargo;
mod go;
mod lines;
mod pending;
mod pytest;
mod tap;

pub use lines::MAX_LINE_BYTES;

use lines::Lines;

/// A tool whose console output is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Framework {
    /// pytest, with and without `-v`, `-q`, `-s`, and under xdist.
    Pytest,
    /// `go test`, and test binaries it compiled.
    Go,
    /// `cargo test` and test binaries it compiled.
    Cargo,
    /// The Test Anything Protocol, versions 12 to 14.
    Tap,
}

impl Framework {
    /// Its usual name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pytest => "pytest",
            Self::Go => "go test",
            Self::Cargo => "cargo test",
            Self::Tap => "TAP",
        }
    }
}

/// Where bytes came from. Lines of the two are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, or both in one.
    Out,
    /// Standard error.
    Err,
}

/// What a console output says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// Whose output was recognised. Empty: no test framework was.
    pub frameworks: Vec<Framework>,
    /// Its tests; empty where no framework was recognised.
    pub report: Report,
}

/// Parses console output as it comes.
///
/// ```
/// use proctor_results::{Console, Framework};
///
/// let mut console = Console::new();
/// console.push(b"=== RUN   TestLogin\n--- PASS: Test");
/// assert_eq!(console.running(), Some("TestLogin"));
/// console.push(b"Login (0.25s)\nPASS\ncoverage: 54.1% of statements\nok  \tapi\t0.3s\n");
/// let output = console.finish();
/// assert_eq!(output.frameworks, [Framework::Go]);
/// assert_eq!(output.report.counts().passed, 1);
/// assert_eq!(output.report.coverage().map(|coverage| coverage.percent), Some(54.1));
/// ```
#[derive(Debug, Default)]
pub struct Console {
    out: Lines,
    err: Lines,
    parsers: Parsers,
}

#[derive(Debug, Default)]
struct Parsers {
    pytest: pytest::Pytest,
    go: go::Go,
    cargo: cargo::Cargo,
    tap: tap::Tap,
}

impl Parsers {
    fn line(&mut self, line: &str) {
        self.pytest.line(line);
        self.go.line(line);
        self.cargo.line(line);
        self.tap.line(line);
    }
}

impl Console {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of standard output.
    pub fn push(&mut self, bytes: &[u8]) {
        self.push_from(Stream::Out, bytes);
    }

    /// Takes the next bytes of one of the two streams.
    pub fn push_from(&mut self, stream: Stream, bytes: &[u8]) {
        let Self { out, err, parsers } = self;
        let lines = match stream {
            Stream::Out => out,
            Stream::Err => err,
        };
        lines.push(bytes, |line| parsers.line(line));
    }

    /// The test that has begun and not ended, as far as the lines so far tell: "killed during X".
    pub fn running(&self) -> Option<&str> {
        let Parsers {
            pytest,
            go,
            cargo,
            tap: _,
        } = &self.parsers;
        pytest
            .running()
            .or_else(|| go.running())
            .or_else(|| cargo.running())
    }

    /// The output is over.
    pub fn finish(self) -> Output {
        let Self {
            mut out,
            mut err,
            mut parsers,
        } = self;
        out.finish(|line| parsers.line(line));
        err.finish(|line| parsers.line(line));
        let Parsers {
            pytest,
            go,
            cargo,
            tap,
        } = parsers;
        let found = [
            (Framework::Pytest, pytest.finish()),
            (Framework::Go, go.finish()),
            (Framework::Cargo, cargo.finish()),
            (Framework::Tap, tap.finish()),
        ];
        let mut output = Output::default();
        for (framework, report) in found {
            if let Some(report) = report {
                output.frameworks.push(framework);
                output.report.absorb(report);
            }
        }
        output
    }
}
