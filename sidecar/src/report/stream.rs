//! The names of streams, as they stand in URLs.

use std::fmt;

use crate::spool::{ContainerName, Spool};

/// A part of what one attempt recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Start,
    Log,
    File(u64),
    End,
}

/// One stream of one attempt of one container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct StreamId {
    pub(super) container: ContainerName,
    pub(super) attempt: u64,
    pub(super) part: Part,
}

impl StreamId {
    pub(super) fn new(spool: &Spool, part: Part) -> Self {
        Self {
            container: spool.container.clone(),
            attempt: spool.attempt,
            part,
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/", self.container, self.attempt)?;
        match self.part {
            Part::Start => f.write_str("start"),
            Part::Log => f.write_str("log"),
            Part::File(sequence) => write!(f, "files/{sequence}"),
            Part::End => f.write_str("end"),
        }
    }
}
