//! The registry of formats: what a file is, and who reads it.
//!
//! A new format is a file beside this one, a variant of [`Format`], a line in [`detect`] and one
//! in [`read`].

use std::io::{self, Read};

use crate::console::{Console, Framework};
use crate::report::Report;

pub(crate) mod junit;
mod xml;

/// Bytes looked at to tell the format.
pub const DETECT_BYTES: usize = 64 * 1024;

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// `JUnit` XML.
    JUnit,
    /// Console output of these, in the order they appeared.
    Console(Vec<Framework>),
}

/// One file, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// What it is.
    pub format: Format,
    /// What it says.
    pub report: Report,
}

/// Why a file has no report.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The input itself failed.
    #[error(
        "The report could not be read to its end; check that the file is still there and readable."
    )]
    Io(#[source] io::Error),
    /// Nothing known in it.
    #[error(
        "No test report was recognised; known are JUnit XML and the console output of pytest, go \
         test, cargo test and TAP producers."
    )]
    Unrecognised,
}

/// A first look at a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `JUnit` XML.
    JUnit,
    /// XML of another kind.
    OtherXml,
    /// Text; whether it is a console output shows only when it is read.
    Text,
}

/// Tells what a file is from its beginning (up to [`DETECT_BYTES`] of it), never from its name.
///
/// ```
/// use proctor_results::{Kind, detect};
///
/// assert_eq!(detect(b"<?xml version=\"1.0\"?>\n<!-- by hand -->\n<testsuite name='a'/>"), Kind::JUnit);
/// assert_eq!(detect(b"<html>"), Kind::OtherXml);
/// assert_eq!(detect(b"TAP version 13\n"), Kind::Text);
/// ```
pub fn detect(start: &[u8]) -> Kind {
    let mut rest = start
        .strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(start)
        .trim_ascii_start();
    if !rest.starts_with(b"<") {
        return Kind::Text;
    }
    // Prolog: declaration, comments, document type.
    loop {
        let end: &[u8] = if rest.starts_with(b"<?") {
            b"?>"
        } else if rest.starts_with(b"<!--") {
            b"-->"
        } else if rest.starts_with(b"<!") {
            b">"
        } else {
            break;
        };
        let Some(at) = memchr::memmem::find(rest, end) else {
            return Kind::JUnit;
        };
        rest = rest
            .get(at + end.len()..)
            .unwrap_or_default()
            .trim_ascii_start();
    }
    let Some(root) = rest.strip_prefix(b"<") else {
        // Cut off before its root, or a document type with content: the reader says what is wrong.
        return Kind::JUnit;
    };
    let name_end = root
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && *byte != b':');
    let name = root
        .get(..name_end.unwrap_or(root.len()))
        .unwrap_or_default();
    let name = name.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    let whole = name_end.is_some();
    let known = [&b"testsuites"[..], b"testsuite", b"testcase"]
        .iter()
        .any(|known| *known == name || (!whole && known.starts_with(name)));
    if known { Kind::JUnit } else { Kind::OtherXml }
}

/// Reads a file of any known format to its end, in constant memory.
///
/// ```
/// use proctor_results::{Format, ReadError, read};
///
/// let xml = r#"<testsuite name="api"><testcase name="login" time="0.25"/></testsuite>"#;
/// let parsed = read(xml.as_bytes())?;
/// assert_eq!(parsed.format, Format::JUnit);
/// assert_eq!(parsed.report.counts().passed, 1);
///
/// assert!(matches!(read(&b"hello"[..]), Err(ReadError::Unrecognised)));
/// # Ok::<(), ReadError>(())
/// ```
pub fn read(mut input: impl Read) -> Result<Parsed, ReadError> {
    let mut start = Vec::new();
    input
        .by_ref()
        .take(DETECT_BYTES as u64)
        .read_to_end(&mut start)
        .map_err(ReadError::Io)?;
    let kind = detect(&start);
    let whole = start.as_slice().chain(input);
    match kind {
        Kind::JUnit => {
            let report = junit::read(whole).map_err(ReadError::Io)?;
            Ok(Parsed {
                format: Format::JUnit,
                report,
            })
        }
        Kind::OtherXml => Err(ReadError::Unrecognised),
        Kind::Text => read_console(whole),
    }
}

fn read_console(mut input: impl Read) -> Result<Parsed, ReadError> {
    let mut console = Console::new();
    let mut chunk = vec![0; DETECT_BYTES];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => console.push(chunk.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ReadError::Io(error)),
        }
    }
    let output = console.finish();
    if output.frameworks.is_empty() {
        return Err(ReadError::Unrecognised);
    }
    Ok(Parsed {
        format: Format::Console(output.frameworks),
        report: output.report,
    })
}
