//! Several files and the console output of one run put together.

use crate::console::Output;
use crate::facts::Disagreement;
use crate::formats::{Format, Parsed, ReadError};
use crate::model::{Warning, WarningKind};
use crate::report::Report;

/// Collects what is known of the tests of one run.
///
/// Report files win over the console output: they name every test. The console output is used where
/// the files hold no test, and is compared with them where they do.
///
/// ```
/// use proctor_results::{Aggregate, read};
///
/// let mut run = Aggregate::new();
/// run.file("junit.xml", read(&b"<testsuite><testcase name='a'/></testsuite>"[..]));
/// run.file("cut.xml", read(&b"<testsuite><testcase name='b'/>"[..]));
/// let merged = run.finish();
/// assert_eq!(merged.report.counts().passed, 2);
/// assert!(merged.report.is_unreadable());
/// ```
#[derive(Debug, Default)]
pub struct Aggregate {
    files: Report,
    console: Report,
    met_console: bool,
    report_files: u64,
}

/// The tests of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merged {
    /// All of them.
    pub report: Report,
    /// Files and console contradict each other on red or green.
    pub disagreement: Option<Disagreement>,
    /// A test framework was recognised, in files or console.
    pub recognised: bool,
    /// Report files, also those that could not be read to their end.
    pub report_files: u64,
}

impl Aggregate {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a report file. One that could not be read puts the run in doubt.
    pub fn file(&mut self, name: &str, parsed: Result<Parsed, ReadError>) {
        let is_console =
            matches!(&parsed, Ok(parsed) if matches!(parsed.format, Format::Console(_)));
        self.report_files += u64::from(!is_console);
        match parsed {
            Ok(Parsed {
                format: Format::Console(frameworks),
                report,
            }) => {
                self.console(Output { frameworks, report });
            }
            Ok(Parsed {
                format: Format::JUnit,
                report,
            }) => self.files.absorb(named(name, report)),
            Err(error) => self.files.unreadable(format!("{name}: {error}")),
        }
    }

    /// Adds console output.
    pub fn console(&mut self, output: Output) {
        self.met_console |= !output.frameworks.is_empty();
        self.console.absorb(output.report);
    }

    /// Puts it together.
    pub fn finish(self) -> Merged {
        let Self {
            mut files,
            console,
            met_console,
            report_files,
        } = self;
        let (of_files, of_console) = (files.counts(), console.counts());
        let recognised = met_console || of_files.tests() > 0;
        if of_files.tests() == 0 {
            files.absorb(console);
            return Merged {
                report: files,
                disagreement: None,
                recognised,
                report_files,
            };
        }
        let contradict = of_console.ran() > 0 && (of_files.red() > 0) != (of_console.red() > 0);
        let disagreement = contradict.then(|| Disagreement::FilesAndConsole {
            files: of_files.red(),
            console: of_console.red(),
        });
        if let (None, Some(coverage)) = (files.coverage(), console.coverage()) {
            files.cover(coverage);
        }
        if of_console.ran() > of_files.ran() {
            let (more, held) = (of_console.ran(), of_files.ran());
            files.notice(format!(
                "By the console output {more} tests ran, and the report files hold {held} of that: \
                 where several commands write the same file, give each its own."
            ));
        }
        // The files are the proof; what the console output lacks takes nothing from it.
        for warning in console
            .warnings()
            .iter()
            .filter(|warning| warning.kind == WarningKind::Unreadable)
        {
            files.notice(format!("Console output: {}", warning.message));
        }
        Merged {
            report: files,
            disagreement,
            recognised,
            report_files,
        }
    }
}

/// Warnings of one file among several say which.
fn named(name: &str, report: Report) -> Report {
    report.map_warnings(|warning| Warning {
        message: format!("{name}: {}", warning.message),
        ..warning
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::read;
    use crate::{Console, Facts, Verdict, judge};

    const ONE_TEST: &str = "<testsuite><testcase name='b'/></testsuite>";

    fn merged(console: &str) -> Merged {
        let mut run = Aggregate::new();
        let mut output = Console::new();
        output.push(console.as_bytes());
        run.console(output.finish());
        run.file("junit.xml", read(ONE_TEST.as_bytes()));
        run.finish()
    }

    fn warnings(merged: &Merged) -> Vec<&str> {
        let all = merged.report.warnings().iter();
        all.map(|warning| warning.message.as_str()).collect()
    }

    #[test]
    fn a_second_command_that_wrote_over_the_firsts_report_is_noticed() {
        let twice = merged("== 2 passed in 0.12s ==\n== 1 passed in 0.10s ==\n");
        let told = warnings(&twice).join("");
        assert!(
            told.contains("3 tests ran") && told.contains("hold 1"),
            "{told}"
        );
        let verdict = judge(&Facts::offline(&twice.report)).verdict;
        assert_eq!(verdict, Verdict::Passed);
    }

    #[test]
    fn a_console_that_tells_no_more_than_the_files_is_no_reason_for_a_warning() {
        for console in ["== 1 passed, 4 skipped in 0.10s ==\n", "no framework's\n"] {
            assert_eq!(warnings(&merged(console)), [""; 0], "{console}");
        }
    }
}
