//! One stream on its way: pieces from the volume to the collector.

use std::io;
use std::time::Duration;

use super::backoff::Backoff;
use super::collector::{Collector, Failure, Piece, Session};
use super::life::Life;
use super::source::Source;
use super::stream::StreamId;
use crate::say;
use crate::spool::Spool;

/// The longest piece the protocol allows.
const PIECE_BYTES: usize = 1024 * 1024;

/// Pieces get shorter, down to this, where a connection is too slow for the time a request has.
const SHORTEST_PIECE_BYTES: usize = 64 * 1024;

/// Pieces of one stream before the next one's turn.
const PIECES_IN_A_TURN: usize = 8;

/// How far one stream is.
#[derive(Debug, Default)]
pub(super) struct Upload {
    /// As the collector said last; `None` until it is asked.
    pub(super) acknowledged: Option<u64>,
    pub(super) stage: Stage,
    pub(super) backoff: Backoff,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    #[default]
    Open,
    Complete,
    /// The collector will not have the rest, or the volume has not got it.
    GivenUp,
}

/// What a stream's turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// All that is there is acknowledged.
    UpToDate,
    /// More is there.
    More,
}

/// Why a stream's turn ended early.
pub(super) enum Trouble {
    Collector(Failure),
    Volume(io::Error),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Collector(failure)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Volume(error)
    }
}

/// Sends pieces, in a session of the collector.
pub(super) struct Sender {
    collector: Collector,
    session: Option<Session>,
    buffer: Vec<u8>,
    piece_bytes: usize,
}

impl Sender {
    pub(super) fn new(collector: Collector) -> Self {
        Self {
            collector,
            session: None,
            buffer: Vec::new(),
            piece_bytes: PIECE_BYTES,
        }
    }

    /// Makes sure there is a session. True where it is a new one.
    pub(super) fn connect(&mut self, timeout: Duration) -> Result<bool, Failure> {
        if self.session.is_some() {
            return Ok(false);
        }
        self.session = Some(self.collector.session(timeout)?);
        Ok(true)
    }

    /// The session is not good any more.
    pub(super) fn disconnect(&mut self) {
        self.session = None;
    }

    /// A request did not get through in time, or not at all.
    pub(super) fn slow_down(&mut self) {
        self.piece_bytes = (self.piece_bytes / 2).max(SHORTEST_PIECE_BYTES);
    }

    /// Says that nothing more comes.
    pub(super) fn done(&self, left_behind_bytes: u64, timeout: Duration) -> Result<(), Failure> {
        let session = self.session.as_ref().ok_or(Failure::Unauthorized)?;
        self.collector.done(session, left_behind_bytes, timeout)
    }

    /// Sends a few pieces of one stream, and deletes what is acknowledged.
    pub(super) fn send(
        &mut self,
        spool: &Spool,
        id: &StreamId,
        upload: &mut Upload,
        ended: bool,
        life: &mut Life,
    ) -> Result<Turn, Trouble> {
        let Some(source) = Source::look(spool, id.part, ended)? else {
            return Ok(Turn::UpToDate);
        };
        let Some(session) = &self.session else {
            return Err(Failure::Unauthorized.into());
        };
        for _ in 0..PIECES_IN_A_TURN {
            if life.is_over() {
                return Ok(Turn::More);
            }
            let offset = match upload.acknowledged {
                Some(offset) => offset,
                None if source.length == 0 && !source.is_whole => return Ok(Turn::UpToDate),
                None => {
                    let progress = self
                        .collector
                        .progress(session, id, life.request_timeout())?;
                    if progress.is_complete {
                        upload.stage = Stage::Complete;
                    }
                    *upload.acknowledged.insert(progress.offset)
                }
            };
            let nothing_new = offset == source.length && !source.is_whole;
            if upload.stage == Stage::Complete || nothing_new {
                source.forget(spool, id.part, offset, ended)?;
                return Ok(Turn::UpToDate);
            }
            self.buffer.resize(self.piece_bytes, 0);
            let Some(length) = source.read(offset, &mut self.buffer)? else {
                upload.stage = Stage::GivenUp;
                say(&format!(
                    "{id}: the collector has {offset} bytes, and the volume has not got what follows; the rest is given up."
                ));
                return Ok(Turn::UpToDate);
            };
            let end = offset.saturating_add(length as u64);
            let is_last = source.is_whole && end == source.length;
            let bytes = self.buffer.get(..length).unwrap_or_default();
            let piece = Piece {
                offset,
                is_last,
                path: source.path.as_deref(),
                bytes,
            };
            let acknowledged =
                self.collector
                    .append(session, id, &piece, life.request_timeout())?;
            upload.acknowledged = Some(acknowledged);
            if is_last && acknowledged == end {
                upload.stage = Stage::Complete;
            }
            upload.backoff.succeeded();
            self.piece_bytes = self.piece_bytes.saturating_mul(2).min(PIECE_BYTES);
            source.forget(spool, id.part, acknowledged, ended)?;
        }
        let is_done = upload.stage == Stage::Complete
            || (upload.acknowledged == Some(source.length) && !source.is_whole);
        Ok(if is_done { Turn::UpToDate } else { Turn::More })
    }
}
