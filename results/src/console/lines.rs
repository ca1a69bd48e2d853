//! Bytes in any chunks to bounded lines without colours.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// Bytes of a line that are looked at; the rest of a longer one is left out.
pub const MAX_LINE_BYTES: usize = 8 * 1024;

/// Collects lines of one stream.
#[derive(Debug, Default)]
pub(super) struct Lines {
    line: Vec<u8>,
}

impl Lines {
    /// Calls `each` for every line that is complete with `bytes`.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(&str)) {
        while let Some(end) = memchr(b'\n', bytes) {
            let line = bytes.get(..end).unwrap_or_default();
            if self.line.is_empty() {
                split(line.get(..MAX_LINE_BYTES).unwrap_or(line), &mut each);
            } else {
                self.keep(line);
                split(&self.line, &mut each);
                self.line.clear();
            }
            bytes = bytes.get(end + 1..).unwrap_or_default();
        }
        self.keep(bytes);
    }

    /// Calls `each` for what no line end came for.
    pub(super) fn finish(&mut self, mut each: impl FnMut(&str)) {
        split(&std::mem::take(&mut self.line), &mut each);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MAX_LINE_BYTES.saturating_sub(self.line.len());
        self.line
            .extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }
}

/// A carriage return begins a line anew (progress bars); empty ones say nothing.
fn split(line: &[u8], each: &mut impl FnMut(&str)) {
    for part in line
        .split(|byte| *byte == b'\r')
        .filter(|part| !part.is_empty())
    {
        let plain = strip_ansi(part);
        let text = String::from_utf8_lossy(&plain);
        if !text.trim().is_empty() {
            each(&text);
        }
    }
}

/// Leaves out escape sequences (ECMA-48): colours, cursor movements, window titles.
fn strip_ansi(line: &[u8]) -> Cow<'_, [u8]> {
    const ESCAPE: u8 = 0x1B;
    const BELL: u8 = 0x07;
    if memchr(ESCAPE, line).is_none() {
        return Cow::Borrowed(line);
    }
    let mut plain = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = memchr(ESCAPE, rest) {
        let (before, sequence) = rest.split_at(at);
        plain.extend_from_slice(before);
        let end = match sequence.get(1) {
            // Parameters, then one final byte.
            Some(b'[') => sequence
                .iter()
                .skip(2)
                .position(|b| (0x40..=0x7E).contains(b))
                .map(|p| p + 3),
            // A string up to BEL or ESC \.
            Some(b']' | b'P' | b'^' | b'_') => sequence.get(2..).and_then(|string| {
                let end = memchr2(BELL, ESCAPE, string)?;
                Some(end + if string.get(end) == Some(&BELL) { 3 } else { 4 })
            }),
            Some(0x20..=0x2F) => Some(3),
            Some(_) => Some(2),
            None => None,
        };
        rest = end.and_then(|end| sequence.get(end..)).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        for chunk in chunks {
            lines.push(chunk, |line| all.push(line.to_owned()));
        }
        lines.finish(|line| all.push(line.to_owned()));
        all
    }

    #[test]
    fn colours_titles_and_progress_are_left_out() {
        assert_eq!(lines(&[b"\x1b[32;1mok\x1b[0m 1\r\n"]), ["ok 1"]);
        assert_eq!(
            lines(&[b"\x1b]0;title\x07PASS\n", b"\x1b]0;t\x1b\\x\n"]),
            ["PASS", "x"]
        );
        assert_eq!(lines(&[b" 10%\r 20%\rdone\n"]), [" 10%", " 20%", "done"]);
        assert_eq!(lines(&[b"a\x1b", b"[3", b"1mb\x1b[0"]), ["ab"]);
        assert_eq!(lines(&[b"\n\n \t\nx"]), ["x"]);
    }

    #[test]
    fn a_line_without_end_costs_no_more_than_its_bound() {
        let mut stream = Lines::default();
        for _ in 0..1_000 {
            stream.push(&[b'x'; 1_000], |_| panic!("no line ended"));
        }
        assert_eq!(stream.line.len(), MAX_LINE_BYTES);
    }
}
