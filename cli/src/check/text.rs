//! The answer for people, in colour on a terminal.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use proctor_api::Mode;

use super::Checked;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBT: Style = AnsiColor::Yellow.on_default();
const DIM: Style = Style::new().dimmed();

pub(super) fn write(all: &[Checked]) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    for checked in all {
        object(&mut out, checked)?;
    }
    let count = |wanted: fn(&Checked) -> bool| all.iter().filter(|checked| wanted(checked)).count();
    let refused = count(|checked| !checked.is_allowed());
    let skipped = count(|checked| checked.skipped);
    let admitted = all.len() - refused - skipped;
    write!(out, "{admitted} admitted, {refused} refused")?;
    if skipped > 0 {
        write!(
            out,
            ", {skipped} without the test label (--all judges them too)"
        )?;
    }
    writeln!(out)
}

fn object(out: &mut impl Write, checked: &Checked) -> io::Result<()> {
    let (style, answer) = match (checked.skipped, checked.is_allowed()) {
        (true, _) => (DIM, "not a test"),
        (false, true) => (GOOD, "admitted"),
        (false, false) => (BAD, "refused"),
    };
    let subject = &checked.subject;
    writeln!(
        out,
        "{style}{answer}{style:#}  {} {}/{}  {DIM}{}{DIM:#}",
        subject.kind.name(),
        subject.namespace(),
        subject.name(),
        subject.file.display()
    )?;
    for (finding, position) in &checked.findings {
        let style = if finding.mode == Mode::Enforce {
            BAD
        } else {
            DOUBT
        };
        let mode = format!("{:?}", finding.mode).to_lowercase();
        writeln!(
            out,
            "  {style}{} {mode}{style:#}  {}",
            finding.code, finding.path
        )?;
        writeln!(
            out,
            "      {DIM}{}:{}:{}{DIM:#}",
            subject.file.display(),
            position.line,
            position.column
        )?;
        writeln!(out, "      {}", finding.message)?;
        writeln!(out, "      way out: {}", finding.suggestion)?;
    }
    Ok(())
}
