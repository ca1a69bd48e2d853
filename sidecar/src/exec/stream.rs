//! One output stream of the test command on its way through.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fcntl_setfl, fstat};
use rustix::io::Errno;

/// Read at once. A pipe holds as much by default.
const BUFFER_BYTES: usize = 64 * 1024;

/// Written at once to what may be full: a pipe that can take anything takes this much without
/// blocking (`PIPE_BUF`). Our own stdout must not be made non-blocking: others may share it.
const STEP_BYTES: usize = 4096;

/// What may still be in the pipe when the command has ended: the most a pipe can be made to hold
/// without privilege (`/proc/sys/fs/pipe-max-size`). A process left behind that goes on writing
/// does not hold up the end any longer than that.
const REST_BYTES: usize = 1024 * 1024;

/// From the command's pipe to our own stdout or stderr.
pub(super) struct Stream {
    input: Option<File>,
    output: BorrowedFd<'static>,
    step: usize,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    rest: usize,
}

impl Stream {
    pub(super) fn new(input: OwnedFd, output: BorrowedFd<'static>) -> io::Result<Self> {
        // Of our end of the pipe alone: the command's end is another open file.
        let flags = fcntl_getfl(&input)?;
        fcntl_setfl(&input, flags | OFlags::NONBLOCK)?;
        let is_file = fstat(output)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        Ok(Self {
            input: Some(File::from(input)),
            output,
            step: if is_file { BUFFER_BYTES } else { STEP_BYTES },
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            rest: REST_BYTES,
        })
    }

    /// What to wait for. While output is stuck nothing more is read, so that the command is slowed
    /// down by a slow reader exactly as it would be without us.
    pub(super) fn interest(&self) -> Option<PollFd<'_>> {
        if self.is_pending() {
            return Some(PollFd::from_borrowed_fd(self.output, PollFlags::OUT));
        }
        self.input
            .as_ref()
            .map(|input| PollFd::new(input, PollFlags::IN))
    }

    /// Moves what can be moved now. `seen` gets what was read.
    pub(super) fn advance(&mut self, seen: &mut dyn FnMut(&[u8])) {
        if !self.is_pending() {
            self.read(seen);
        }
        self.write();
    }

    /// As [`Self::advance`], after the command's end. False when there is nothing left.
    pub(super) fn drain(&mut self, seen: &mut dyn FnMut(&[u8])) -> bool {
        if !self.is_pending() {
            let length = if self.rest == 0 { 0 } else { self.read(seen) };
            if length == 0 {
                return false;
            }
            self.rest = self.rest.saturating_sub(length);
        }
        self.write();
        true
    }

    pub(super) fn is_pending(&self) -> bool {
        self.start < self.end
    }

    fn read(&mut self, seen: &mut dyn FnMut(&[u8])) -> usize {
        let Some(input) = &mut self.input else {
            return 0;
        };
        match input.read(&mut self.buffer) {
            Ok(0) => self.input = None,
            Ok(length) => {
                (self.start, self.end) = (0, length);
                seen(self.buffer.get(..length).unwrap_or_default());
                return length;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.input = None,
        }
        0
    }

    fn write(&mut self) {
        while self.is_pending() && self.is_ready() {
            let piece = self.buffer.get(self.start..self.end).unwrap_or_default();
            let piece = piece.get(..self.step).unwrap_or(piece);
            match rustix::io::write(self.output, piece) {
                Ok(written) => self.start = self.start.saturating_add(written),
                Err(Errno::AGAIN | Errno::INTR) => return,
                Err(Errno::PIPE) => {
                    // Nobody reads: let the command find out as it would without us, by SIGPIPE.
                    (self.start, self.end) = (0, 0);
                    self.input = None;
                }
                // A full disk behind a redirection: the recording has it.
                Err(_) => (self.start, self.end) = (0, 0),
            }
        }
    }

    fn is_ready(&self) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(self.output, PollFlags::OUT)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
    }
}
