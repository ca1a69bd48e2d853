//! Makes XML from outside safe to read: valid UTF-8, no token larger than a bound.
//!
//! XML readers hold one token in memory: a gigabyte of `<system-out>` would cost a gigabyte. This
//! reader cuts text, CDATA and attribute values to [`MAX_TOKEN_BYTES`], leaves out comments and
//! processing instructions, and replaces bytes XML 1.0 does not allow by U+FFFD, remembering that
//! there were any. The structure of the document is left as it is.

use std::io::{self, BufRead, Read};

use memchr::{memchr, memchr3, memmem};

mod values;

pub(super) use values::{attributes, resolve, unescape};

/// Bytes kept of one text, CDATA section or attribute value.
pub(crate) const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Bytes of one tag, all attributes together, before the document is given up.
const MAX_TAG_BYTES: usize = 256 * 1024;

const CHUNK_BYTES: usize = 64 * 1024;

/// What the bytes at hand belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Text,
    /// After a `<`, until it is clear what it opens.
    Opening,
    Tag,
    Quoted(u8),
    CData,
    Comment,
    Instruction,
}

/// A reader of bounded, valid tokens.
#[derive(Debug)]
pub(crate) struct Tame<R> {
    inner: R,
    /// Bytes from `inner` that are not looked at yet; its length is what is filled.
    raw: Vec<u8>,
    chunk: Box<[u8]>,
    out: Vec<u8>,
    read: usize,
    state: State,
    /// Bytes of the current text, CDATA section or attribute value.
    token: usize,
    /// Bytes of the current tag.
    tag: usize,
    /// The current tag is a `<!…>` declaration.
    declaration: bool,
    ended: bool,
    illegal: bool,
    /// Found in the middle of a chunk: what stands before it is handed out first.
    refused: Option<io::Error>,
}

impl<R: Read> Tame<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            raw: Vec::new(),
            chunk: vec![0; CHUNK_BYTES].into_boxed_slice(),
            out: Vec::with_capacity(CHUNK_BYTES),
            read: 0,
            state: State::Text,
            token: 0,
            tag: 0,
            declaration: false,
            ended: false,
            illegal: false,
            refused: None,
        }
    }

    /// There were bytes XML does not allow.
    pub(crate) fn met_illegal_bytes(&self) -> bool {
        self.illegal
    }

    /// Reads until there is something to hand out, or the input has ended.
    fn refill(&mut self) -> io::Result<()> {
        self.out.clear();
        self.read = 0;
        while self.out.is_empty() {
            if let Some(error) = self.refused.take() {
                self.ended = true;
                return Err(error);
            }
            if self.ended {
                break;
            }
            let count = match self.inner.read(&mut self.chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            self.ended = count == 0;
            self.raw
                .extend_from_slice(self.chunk.get(..count).unwrap_or_default());
            let raw = std::mem::take(&mut self.raw);
            match self.consume(&raw) {
                Ok(used) => {
                    self.raw = raw;
                    self.raw.drain(..used);
                }
                Err(error) => self.refused = Some(error),
            }
        }
        Ok(())
    }

    /// Passes on what can be decided from `raw`; returns how much of it that is.
    fn consume(&mut self, raw: &[u8]) -> io::Result<usize> {
        let mut at = 0;
        while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
            let state = self.state;
            let used = match state {
                State::Text => self.text(rest),
                State::Opening => self.opening(rest),
                State::Tag => self.tag(rest)?,
                State::Quoted(quote) => self.quoted(rest, quote)?,
                State::CData => self.until(rest, b"]]>", true),
                State::Comment => self.until(rest, b"-->", false),
                State::Instruction => self.until(rest, b"?>", false),
            };
            if used == 0 && self.state == state {
                break;
            }
            at += used;
        }
        if self.ended {
            // What was never finished is handed on for the XML reader to complain about.
            let rest = raw.get(at..).unwrap_or_default().to_vec();
            self.pass(&rest);
            at = raw.len();
        }
        Ok(at)
    }

    fn text(&mut self, rest: &[u8]) -> usize {
        let end = memchr(b'<', rest);
        // A character may be split between chunks: keep its start for the next one.
        let len = end.unwrap_or_else(|| whole_characters(rest, self.ended));
        self.bounded(rest.get(..len).unwrap_or_default());
        if end.is_some() {
            self.state = State::Opening;
        }
        len
    }

    /// `rest` begins with `<`.
    fn opening(&mut self, rest: &[u8]) -> usize {
        const CDATA: &[u8] = b"<![CDATA[";
        const COMMENT: &[u8] = b"<!--";
        const INSTRUCTION: &[u8] = b"<?";
        const DECLARATION: &[u8] = b"<?xml";
        self.token = 0;
        self.tag = 0;
        if rest.starts_with(CDATA) {
            self.out.extend_from_slice(CDATA);
            self.state = State::CData;
            return CDATA.len();
        }
        if rest.starts_with(COMMENT) {
            self.state = State::Comment;
            return COMMENT.len();
        }
        if rest.starts_with(INSTRUCTION) {
            self.state = State::Instruction;
            return INSTRUCTION.len();
        }
        let undecided = [CDATA, COMMENT, INSTRUCTION, DECLARATION]
            .iter()
            .any(|start| rest.len() < start.len() && start.starts_with(rest));
        if undecided && !self.ended {
            return 0;
        }
        self.declaration = rest.starts_with(b"<!");
        self.out.push(b'<');
        self.state = State::Tag;
        1
    }

    fn tag(&mut self, rest: &[u8]) -> io::Result<usize> {
        let end = memchr3(b'>', b'"', b'\'', rest);
        let len = end.map_or_else(|| whole_characters(rest, self.ended), |end| end + 1);
        let part = rest.get(..len).unwrap_or_default();
        self.tag += len;
        self.check_tag()?;
        if self.declaration && memchr(b'[', part).is_some() {
            // Entities of a document's own expand without bound or read other files; no test tool
            // writes any.
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it declares a document type with entities of its own, which is refused",
            ));
        }
        self.pass(part);
        self.token = 0;
        match end.and_then(|end| rest.get(end)) {
            Some(b'>') => self.state = State::Text,
            Some(quote) => self.state = State::Quoted(*quote),
            None => {}
        }
        Ok(len)
    }

    fn quoted(&mut self, rest: &[u8], quote: u8) -> io::Result<usize> {
        let end = memchr(quote, rest);
        let len = end.unwrap_or_else(|| whole_characters(rest, self.ended));
        let before = self.token;
        self.bounded(rest.get(..len).unwrap_or_default());
        self.tag += self.token - before;
        self.check_tag()?;
        if end.is_some() {
            self.out.push(quote);
            self.token = 0;
            self.state = State::Tag;
            return Ok(len + 1);
        }
        Ok(len)
    }

    /// Content up to and with `end`, passed on within the bound or left out with its markers.
    fn until(&mut self, rest: &[u8], end: &[u8], keep: bool) -> usize {
        let found = memmem::find(rest, end);
        let len = found.unwrap_or_else(|| {
            let safe = rest
                .len()
                .saturating_sub(if self.ended { 0 } else { end.len() - 1 });
            whole_characters(rest.get(..safe).unwrap_or_default(), self.ended)
        });
        if keep {
            self.bounded(rest.get(..len).unwrap_or_default());
        }
        if found.is_none() {
            return len;
        }
        if keep {
            self.out.extend_from_slice(end);
        }
        self.token = 0;
        self.state = State::Text;
        len + end.len()
    }

    fn check_tag(&self) -> io::Result<()> {
        if self.tag > MAX_TAG_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a tag is longer than {MAX_TAG_BYTES} bytes"),
            ));
        }
        Ok(())
    }

    /// Passes on what fits the bound of the current token.
    fn bounded(&mut self, part: &[u8]) {
        let room = MAX_TOKEN_BYTES.saturating_sub(self.token);
        self.token = self.token.saturating_add(part.len()).min(MAX_TOKEN_BYTES);
        let len = if part.len() > room {
            whole_characters(part.get(..room).unwrap_or_default(), false)
        } else {
            part.len()
        };
        self.pass(part.get(..len).unwrap_or_default());
    }

    /// Passes on valid characters; everything else becomes U+FFFD.
    fn pass(&mut self, part: &[u8]) {
        const REPLACEMENT: &str = "\u{FFFD}";
        for piece in part.utf8_chunks() {
            let valid = piece.valid();
            if valid.bytes().any(is_illegal) {
                self.illegal = true;
                self.out.extend(
                    valid
                        .split(|c: char| c.is_ascii() && is_illegal(c as u8))
                        .enumerate()
                        .flat_map(|(index, good)| {
                            let gap = if index > 0 { REPLACEMENT } else { "" };
                            gap.bytes().chain(good.bytes())
                        }),
                );
            } else {
                self.out.extend_from_slice(valid.as_bytes());
            }
            if !piece.invalid().is_empty() {
                self.illegal = true;
                self.out.extend_from_slice(REPLACEMENT.as_bytes());
            }
        }
    }
}

impl<R: Read> Read for Tame<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let count = available.read(buf)?;
        self.consume_out(count);
        Ok(count)
    }
}

impl<R> Tame<R> {
    fn consume_out(&mut self, count: usize) {
        self.read = self.read.saturating_add(count).min(self.out.len());
    }
}

impl<R: Read> BufRead for Tame<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read >= self.out.len() {
            self.refill()?;
        }
        Ok(self.out.get(self.read..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.consume_out(count);
    }
}

/// Control characters XML 1.0 does not allow (section 2.2).
fn is_illegal(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')
}

/// The length of `bytes` without a character that is only begun at its end.
fn whole_characters(bytes: &[u8], ended: bool) -> usize {
    if ended {
        return bytes.len();
    }
    let begun = bytes
        .iter()
        .rev()
        .take(3)
        .position(|byte| *byte >= 0xC0)
        .map_or(0, |from_end| {
            let len = from_end + 1;
            let lead = bytes.get(bytes.len() - len).copied().unwrap_or_default();
            let needs = if lead >= 0xF0 {
                4
            } else if lead >= 0xE0 {
                3
            } else {
                2
            };
            if len < needs { len } else { 0 }
        });
    bytes.len() - begun
}

#[cfg(test)]
mod tests;
