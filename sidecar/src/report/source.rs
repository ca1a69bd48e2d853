//! What is on the volume of one stream.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::stream::Part;
use crate::spool::{End, Gathered, Segment, Spool};

/// A record is small; what is longer was not written by `exec`.
const MAX_RECORD_BYTES: u64 = 64 * 1024;

/// One look at one stream.
#[derive(Debug)]
pub(super) struct Source {
    /// Its bytes so far.
    pub(super) length: u64,
    /// No more will come.
    pub(super) is_whole: bool,
    /// Of a gathered file: its path, as it goes into the header.
    pub(super) path: Option<String>,
    pieces: Vec<Segment>,
}

impl Source {
    /// Looks; `None` where there is nothing of it yet. `ended`: `end.json` exists.
    pub(super) fn look(spool: &Spool, part: Part, ended: bool) -> io::Result<Option<Self>> {
        match part {
            Part::Start => whole(&spool.start()),
            Part::End => whole(&spool.end()),
            Part::Log => log(spool, ended).map(Some),
            Part::File(sequence) => file(spool, sequence),
        }
    }

    /// Reads from an offset into the buffer, up to its end or the end of what lies together.
    /// `None` where the volume has not got these bytes any more.
    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if offset == self.length {
            return Ok(Some(0));
        }
        let holds = |piece: &&Segment| piece.offset <= offset && offset < piece.end();
        let Some(piece) = self.pieces.iter().find(holds) else {
            return Ok(None);
        };
        let file = File::open(&piece.path)?;
        let within = offset.saturating_sub(piece.offset);
        // What was added after the look waits for the next: then it is known whether it is the end.
        let known = usize::try_from(piece.end().saturating_sub(offset)).unwrap_or(usize::MAX);
        let most = buffer.len().min(known);
        let mut filled = 0;
        while let Some(room) = buffer.get_mut(filled..most).filter(|room| !room.is_empty()) {
            match file.read_at(room, within.saturating_add(filled as u64))? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => filled = filled.saturating_add(length),
            }
        }
        Ok(Some(filled))
    }

    /// Deletes what is acknowledged and not needed any more.
    pub(super) fn forget(
        &self,
        spool: &Spool,
        part: Part,
        acknowledged: u64,
        ended: bool,
    ) -> io::Result<()> {
        match part {
            Part::Log => {
                let newest = if ended { None } else { self.pieces.last() };
                let done = |piece: &&Segment| piece.end() <= acknowledged && Some(*piece) != newest;
                self.pieces
                    .iter()
                    .filter(done)
                    .try_for_each(|piece| remove(&piece.path))
            }
            // The record last: as long as it is there the collector is asked, and says it is complete.
            Part::File(sequence) if acknowledged >= self.length => {
                remove(&spool.file_data(sequence))?;
                remove(&spool.file_record(sequence))
            }
            Part::Start | Part::End | Part::File(_) => Ok(()),
        }
    }
}

fn whole(path: &Path) -> io::Result<Option<Source>> {
    let Some(length) = length(path)? else {
        return Ok(None);
    };
    let pieces = vec![Segment {
        offset: 0,
        bytes: length,
        path: path.to_owned(),
    }];
    Ok(Some(Source {
        length,
        is_whole: true,
        path: None,
        pieces,
    }))
}

fn log(spool: &Spool, ended: bool) -> io::Result<Source> {
    let pieces = spool.segments()?;
    let found = pieces.last().map_or(0, Segment::end);
    // The segments of a log that ended may be gone already.
    let told = if ended {
        read_record::<End>(&spool.end())?.map_or(0, |end| end.log_bytes)
    } else {
        0
    };
    Ok(Source {
        length: found.max(told),
        is_whole: ended,
        path: None,
        pieces,
    })
}

fn file(spool: &Spool, sequence: u64) -> io::Result<Option<Source>> {
    let Some(record) = read_record::<Gathered>(&spool.file_record(sequence))? else {
        return Ok(None);
    };
    let data = spool.file_data(sequence);
    let bytes = length(&data)?.unwrap_or(0);
    let pieces = vec![Segment {
        offset: 0,
        bytes,
        path: data,
    }];
    Ok(Some(Source {
        length: record.size,
        is_whole: true,
        path: Some(record.path),
        pieces,
    }))
}

fn length(path: &Path) -> io::Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_record<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let mut content = Vec::new();
    match File::open(path) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?.take(MAX_RECORD_BYTES).read_to_end(&mut content)?,
    };
    serde_json::from_slice(&content)
        .map(Some)
        .map_err(io::Error::from)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
