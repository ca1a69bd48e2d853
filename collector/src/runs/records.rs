//! What the wrapper recorded and the reporter uploaded, attempt by attempt.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proctor_results::Ending;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::index::Stream;
use crate::names::StreamName;
use crate::store::{Folder, Store, StoreError};

/// The record `start`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StartRecord {
    /// When the wrapper began.
    pub started_at: Timestamp,
}

/// The record `end`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct EndRecord {
    /// The test command's own; absent when a signal ended it, or it could not be started.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What the wrapper ended with.
    pub wrapper_exit_code: i32,
    /// When the test command had ended.
    pub ended_at: Timestamp,
    /// Length of the log.
    pub log_bytes: u64,
    /// Output that was not recorded.
    #[serde(default)]
    pub dropped_bytes: u64,
    /// Gathered files.
    #[serde(default)]
    pub files: u64,
    /// The most memory the tests took.
    #[serde(default)]
    pub peak_memory_bytes: Option<u64>,
    /// Processes of the container that the kernel ended for memory.
    #[serde(default)]
    pub oom_kills: Option<u64>,
    /// The gate that failed, and why.
    #[serde(default)]
    pub gate: Option<String>,
}

impl EndRecord {
    /// How the test command ended; none where it could not be started.
    pub fn ending(&self) -> Option<Ending> {
        self.signal
            .map(Ending::Signaled)
            .or(self.exit_code.map(Ending::Exited))
    }
}

/// One start of a test container, as far as it was uploaded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attempt {
    /// Its record of the start.
    pub start: Option<StartRecord>,
    /// Its record of the end.
    pub end: Option<EndRecord>,
    /// Its log.
    pub log: Option<Stream>,
    /// Its gathered files, in the order in which they were gathered.
    pub files: Vec<Stream>,
}

impl Attempt {
    /// Bytes that the end record speaks of and that did not come.
    pub fn missing_bytes(&self) -> u64 {
        let Some(end) = &self.end else { return 0 };
        let log = self.log.as_ref().map_or(0, |log| log.length);
        end.log_bytes
            .saturating_sub(log)
            .saturating_add(end.dropped_bytes)
    }

    /// Gathered files of which the end did not come.
    pub fn missing_files(&self) -> u64 {
        let complete = self.files.iter().filter(|file| file.complete).count() as u64;
        let begun = self.files.len() as u64 - complete;
        let announced = self
            .end
            .as_ref()
            .map_or(0, |end| end.files.saturating_sub(complete));
        begun.max(announced)
    }
}

/// The attempts of every container, by container and attempt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    /// By container, then by attempt.
    pub containers: BTreeMap<String, BTreeMap<u32, Attempt>>,
}

impl Records {
    /// Reads the records of a run. One that is not what it should be counts as not there.
    pub async fn load(
        store: &Store,
        folder: &Folder,
        streams: Vec<Stream>,
    ) -> Result<Self, StoreError> {
        let mut records = Self::default();
        for stream in streams {
            let attempts = records
                .containers
                .entry(stream.id.container.to_string())
                .or_default();
            let attempt = attempts.entry(stream.id.attempt).or_default();
            match stream.id.name {
                StreamName::Start => attempt.start = record(store, folder, &stream).await?,
                StreamName::End => attempt.end = record(store, folder, &stream).await?,
                StreamName::Log => attempt.log = Some(stream),
                StreamName::File(_) => attempt.files.push(stream),
            }
        }
        Ok(records)
    }

    /// The last attempt of a container: the one that counts.
    pub fn last(&self, container: &str) -> Option<&Attempt> {
        self.containers.get(container)?.values().next_back()
    }

    /// A wrapper has begun.
    pub fn has_started(&self) -> bool {
        self.containers
            .values()
            .flat_map(BTreeMap::values)
            .any(|attempt| attempt.start.is_some() || attempt.log.is_some())
    }
}

async fn record<T: DeserializeOwned>(
    store: &Store,
    folder: &Folder,
    stream: &Stream,
) -> Result<Option<T>, StoreError> {
    let mut text = Vec::new();
    let mut parts = store.read_parts(folder, &stream.id, stream.length).await?;
    while let Some(part) = parts.next().await? {
        text.extend_from_slice(&part);
    }
    let read = serde_json::from_slice(&text);
    if let (true, Err(error)) = (stream.complete, &read) {
        tracing::warn!(folder = folder.path(), stream = %stream.id, line = error.line(), "a record is not what it should be");
    }
    Ok(read.ok().filter(|_| stream.complete))
}
