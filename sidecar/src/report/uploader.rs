//! Uploads the streams of all spools, a few pieces of each in turn.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use super::backoff::Backoff;
use super::collector::{Collector, Failure};
use super::life::Life;
use super::source::Source;
use super::stream::{Part, StreamId};
use super::upload::{Sender, Stage, Trouble, Turn, Upload};
use crate::spool::{Root, Spool};
use crate::{describe, say};

/// Time between two looks at the volume when nothing is new.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What one pass over all streams came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    /// Nothing is left that could be uploaded.
    pub(super) settled: bool,
    /// Time until the next one.
    pub(super) pause: Duration,
}

/// All that the reporter knows; every bit of it can be asked for again.
pub(super) struct Uploader {
    root: Root,
    sender: Sender,
    uploads: HashMap<StreamId, Upload>,
    backoff: Backoff,
    last_said: String,
}

impl Uploader {
    pub(super) fn new(root: Root, collector: Collector) -> Self {
        Self {
            root,
            sender: Sender::new(collector),
            uploads: HashMap::new(),
            backoff: Backoff::default(),
            last_said: String::new(),
        }
    }

    /// Ends all pauses.
    pub(super) fn hurry(&mut self) {
        self.backoff.hurry();
        self.uploads
            .values_mut()
            .for_each(|upload| upload.backoff.hurry());
    }

    /// Gives every stream a turn.
    pub(super) fn pass(&mut self, life: &mut Life) -> Pass {
        let pause = self.backoff.left();
        if !pause.is_zero() {
            return Pass {
                settled: false,
                pause,
            };
        }
        // Even before there is anything to upload: a token stops working soon after the pod's
        // deletion began, a session does not.
        match self.sender.connect(life.request_timeout()) {
            Ok(true) => self.say_once("The collector takes the upload.".to_owned()),
            Ok(false) => {}
            Err(failure) => return self.went_wrong(&failure),
        }
        let spools = match self.root.spools() {
            Ok(spools) => spools,
            Err(error) => return self.unreadable(&error),
        };
        let mut pass = Pass {
            settled: true,
            pause: LOOK_EVERY,
        };
        for spool in &spools {
            if let Err(failure) = self.pass_spool(spool, life, &mut pass) {
                return self.went_wrong(&failure);
            }
            if life.is_over() {
                break;
            }
        }
        pass
    }

    fn pass_spool(
        &mut self,
        spool: &Spool,
        life: &mut Life,
        pass: &mut Pass,
    ) -> Result<(), Failure> {
        let ended = spool.end().exists();
        let files = spool.files().unwrap_or_default();
        let parts = [Part::Start, Part::Log]
            .into_iter()
            .chain(files.into_iter().map(Part::File));
        let mut others_on_their_way = false;
        for part in parts {
            others_on_their_way |= self.turn(spool, part, ended, life, pass)? == Turn::More;
        }
        // The end comes last, except behind a stream that is in trouble, or when there may be no time.
        if ended && (!others_on_their_way || life.is_ending()) {
            self.turn(spool, Part::End, ended, life, pass)?;
        }
        Ok(())
    }

    /// A few pieces of one stream. Fails where the whole collector seems to be away.
    fn turn(
        &mut self,
        spool: &Spool,
        part: Part,
        ended: bool,
        life: &mut Life,
        pass: &mut Pass,
    ) -> Result<Turn, Failure> {
        let id = StreamId::new(spool, part);
        let mut upload = self.uploads.remove(&id).unwrap_or_default();
        let pause = upload.backoff.left();
        let mut result = Ok(Turn::UpToDate);
        if upload.stage == Stage::Open && !pause.is_zero() {
            pass.settled = false;
            pass.pause = pass.pause.min(pause);
            if !upload.backoff.is_persistent() {
                result = Ok(Turn::More);
            }
        } else if upload.stage == Stage::Open {
            result = match self.sender.send(spool, &id, &mut upload, ended, life) {
                Ok(turn) => {
                    self.backoff.succeeded();
                    if turn == Turn::More {
                        *pass = Pass {
                            settled: false,
                            pause: Duration::ZERO,
                        };
                    }
                    Ok(turn)
                }
                Err(trouble) => {
                    pass.settled = false;
                    self.trouble(&id, &mut upload, trouble)
                }
            };
        }
        // A gathered file that is complete is gone from the volume: nobody will ask for it again.
        if !(matches!(part, Part::File(_)) && upload.stage == Stage::Complete) {
            self.uploads.insert(id, upload);
        }
        result
    }

    /// One stream's trouble pauses that stream; where it may be everybody's it also ends the pass.
    /// The pass after it begins with the others.
    fn trouble(
        &mut self,
        id: &StreamId,
        upload: &mut Upload,
        trouble: Trouble,
    ) -> Result<Turn, Failure> {
        let failure = match trouble {
            Trouble::Collector(failure) => failure,
            Trouble::Volume(error) => {
                upload.backoff.failed(None);
                self.say_once(format!("{id}: the volume could not be read: {error}."));
                return Ok(Turn::UpToDate);
            }
        };
        match failure {
            Failure::Moved(offset) if upload.acknowledged != Some(offset) => {
                upload.acknowledged = Some(offset);
                Ok(Turn::More)
            }
            Failure::Refused(_) => {
                upload.stage = Stage::GivenUp;
                say(&format!("{id}: {failure} The rest is given up."));
                Ok(Turn::UpToDate)
            }
            Failure::Unauthorized => {
                self.sender.disconnect();
                upload.acknowledged = None;
                Err(failure)
            }
            Failure::Moved(_)
            | Failure::Nonsense(_)
            | Failure::Token { .. }
            | Failure::TokenRefused => {
                upload.acknowledged = None;
                upload.backoff.failed(None);
                self.say_once(format!("{id}: {failure}"));
                Ok(Turn::UpToDate)
            }
            Failure::Away { retry_after, .. } => {
                upload.acknowledged = None;
                upload.backoff.failed(retry_after);
                Err(failure)
            }
            Failure::NotReached(_) => {
                // Whether it arrived is not known: the collector is asked.
                upload.acknowledged = None;
                upload.backoff.failed(None);
                self.sender.slow_down();
                Err(failure)
            }
        }
    }

    fn went_wrong(&mut self, failure: &Failure) -> Pass {
        let retry_after = match failure {
            Failure::Away { retry_after, .. } => *retry_after,
            _ => None,
        };
        self.backoff.failed(retry_after);
        self.say_once(describe(failure));
        Pass {
            settled: false,
            pause: self.backoff.left(),
        }
    }

    fn unreadable(&mut self, error: &io::Error) -> Pass {
        self.backoff.failed(None);
        self.say_once(format!("The spool could not be read: {error}."));
        Pass {
            settled: false,
            pause: self.backoff.left(),
        }
    }

    /// What goes on for minutes is one line.
    fn say_once(&mut self, line: String) {
        if self.last_said != line {
            say(&line);
            self.last_said = line;
        }
    }

    /// Tells the collector what is left behind.
    pub(super) fn done(&mut self, life: &Life) {
        let left_behind = self.left_behind();
        let told = self.sender.done(left_behind, life.last_timeout());
        match (told, left_behind) {
            (Ok(()), 0) => say("Everything is uploaded."),
            (Ok(()), bytes) => say(&format!(
                "{bytes} bytes are left behind; the collector knows."
            )),
            (Err(failure), bytes) => {
                say(&format!(
                    "{bytes} bytes are left behind, and the collector could not be told. {}",
                    describe(&failure)
                ));
            }
        }
    }

    fn left_behind(&self) -> u64 {
        let spools = self.root.spools().unwrap_or_default();
        spools.iter().map(|spool| self.left_of(spool)).sum()
    }

    fn left_of(&self, spool: &Spool) -> u64 {
        let ended = spool.end().exists();
        let files = spool.files().unwrap_or_default();
        let parts = [Part::Start, Part::Log, Part::End]
            .into_iter()
            .chain(files.into_iter().map(Part::File));
        let left = parts.map(|part| {
            let upload = self.uploads.get(&StreamId::new(spool, part));
            if upload.is_some_and(|upload| upload.stage == Stage::Complete) {
                return 0;
            }
            let acknowledged = upload.and_then(|upload| upload.acknowledged).unwrap_or(0);
            let length = Source::look(spool, part, ended)
                .ok()
                .flatten()
                .map_or(0, |source| source.length);
            length.saturating_sub(acknowledged)
        });
        left.sum()
    }
}
