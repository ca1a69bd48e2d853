//! The log in segments, with a cap and counted gaps.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use super::{disk, name};

/// A segment that has reached this length is followed by the next one.
pub const SEGMENT_BYTES: u64 = 1024 * 1024;

/// Bytes of the log that may wait on the volume.
pub const SPOOL_CAP_BYTES: u64 = 64 * 1024 * 1024;

/// Appends to the log. Never fails: what cannot be written is counted, and a line in the log says
/// so where the gap is.
#[derive(Debug)]
pub struct LogWriter {
    dir: PathBuf,
    cap: u64,
    newest: Option<File>,
    /// Offset and length of each segment that was there when last looked at.
    segments: VecDeque<(u64, u64)>,
    offset: u64,
    at_line_start: bool,
    gap: u64,
    dropped: u64,
}

/// What the log came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogTotals {
    /// Length of the stream.
    pub bytes: u64,
    /// Output that is not in it.
    pub dropped: u64,
}

impl LogWriter {
    /// A new log in an empty folder.
    pub fn new(dir: PathBuf, cap: u64) -> Self {
        Self {
            dir,
            cap,
            newest: None,
            segments: VecDeque::new(),
            offset: 0,
            at_line_start: true,
            gap: 0,
            dropped: 0,
        }
    }

    /// Appends output, or counts it as dropped.
    pub fn append(&mut self, output: &[u8]) {
        let length = output.len() as u64;
        // After a gap there is room again when a whole segment is: a gap is one line, not many.
        let needed = if self.gap > 0 {
            length.max(SEGMENT_BYTES)
        } else {
            length
        };
        if self.waiting(needed).saturating_add(needed) > self.cap || self.close_gap().is_err() {
            self.drop_bytes(length);
            return;
        }
        if let Err(unwritten) = self.write(output) {
            self.drop_bytes(unwritten);
        }
    }

    /// Closes the log. The line about a last gap is written even above the cap.
    pub fn finish(mut self) -> LogTotals {
        // What this line cannot say because the volume is gone, `dropped_bytes` of the end does.
        let _ = self.close_gap();
        LogTotals {
            bytes: self.offset,
            dropped: self.dropped,
        }
    }

    /// Bytes on the volume, looked at again only where `more` would not fit.
    fn waiting(&mut self, more: u64) -> u64 {
        let total =
            |segments: &VecDeque<(u64, u64)>| segments.iter().map(|(_, bytes)| bytes).sum::<u64>();
        // The reporter deletes from the front, so the first one that is still there ends the search.
        while total(&self.segments).saturating_add(more) > self.cap
            && let Some((offset, _)) = self.segments.front()
            && !self.dir.join(name::segment(*offset)).exists()
        {
            self.segments.pop_front();
        }
        total(&self.segments)
    }

    fn drop_bytes(&mut self, bytes: u64) {
        self.gap = self.gap.saturating_add(bytes);
        self.dropped = self.dropped.saturating_add(bytes);
    }

    fn close_gap(&mut self) -> Result<(), u64> {
        if self.gap == 0 {
            return Ok(());
        }
        let line_end = if self.at_line_start { "" } else { "\n" };
        let gap = self.gap;
        let line = format!(
            "{line_end}[proctor: {gap} bytes of output were not recorded: the spool was full]\n"
        );
        self.write(line.as_bytes())?;
        self.gap = 0;
        Ok(())
    }

    /// The error is the number of bytes at the end of `bytes` that were not written.
    fn write(&mut self, mut bytes: &[u8]) -> Result<(), u64> {
        while !bytes.is_empty() {
            let written = self.write_some(bytes).map_err(|_| bytes.len() as u64)?;
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = match (&mut self.newest, self.segments.back()) {
            (Some(file), Some((_, length))) if *length < SEGMENT_BYTES => file,
            _ => {
                let file = disk::make_file(&self.dir.join(name::segment(self.offset)))?;
                self.segments.push_back((self.offset, 0));
                self.newest.insert(file)
            }
        };
        let Some((_, length)) = self.segments.back_mut() else {
            return Ok(0);
        };
        let room = usize::try_from(SEGMENT_BYTES.saturating_sub(*length)).unwrap_or(usize::MAX);
        let piece = bytes.get(..room).unwrap_or(bytes);
        let written = match file.write(piece) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            written => written?,
        };
        *length = length.saturating_add(written as u64);
        self.offset = self.offset.saturating_add(written as u64);
        self.at_line_start = piece
            .get(..written)
            .is_some_and(|done| done.ends_with(b"\n"));
        Ok(written)
    }
}
