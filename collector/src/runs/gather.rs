//! From parts to the layout: logs and files are composed, and what they say about the tests is read along the way.

use std::io::Read;

use proctor_results::formats::DETECT_BYTES;
use proctor_results::{Aggregate, Console, Counts, Kind, Merged, Parsed, ReadError};
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::layout::{self, Placed};
use super::records::{Attempt, Records};
use super::seen::Seen;
use crate::store::{Folder, Store, StoreError};

/// The end of the log that a page shows, in bytes.
const EXCERPT_BYTES: usize = 16 * 1024;

/// The suite that tests are counted in of which only the wrapper's summary is known.
const SUMMARY_SUITE: &str = "(summary of the wrapper)";

/// What was gathered.
#[derive(Debug)]
pub struct Gathered {
    /// The tests.
    pub merged: Merged,
    /// The log of the first container.
    pub log: Option<Log>,
    /// The gathered files, as objects of the layout, and their sizes.
    pub files: Vec<(String, u64)>,
    /// The test that had begun and not ended when the output stopped.
    pub running: Option<String>,
    /// Acknowledged bytes of logs and files that the store has lost.
    pub lost_bytes: u64,
}

/// A composed log.
#[derive(Debug)]
pub struct Log {
    /// The object of the layout.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its end.
    pub excerpt: Vec<u8>,
}

/// Composes what was uploaded for a run and reads it. Doing it again gives the same.
pub async fn gather(
    store: &Store,
    folder: &Folder,
    seen: &Seen,
    records: &Records,
    containers: &[String],
) -> Result<Gathered, StoreError> {
    let mut tests = Aggregate::new();
    let mut gathered = Gathered {
        merged: Merged::default(),
        log: None,
        files: Vec::new(),
        running: None,
        lost_bytes: 0,
    };
    for (position, container) in containers.iter().enumerate() {
        let Some(attempts) = records.containers.get(container) else {
            continue;
        };
        let name = layout::log_name(container, position == 0);
        let (log, console, lost) = compose_log(store, folder, name, attempts.values()).await?;
        gathered.lost_bytes += lost;
        gathered.running = gathered
            .running
            .take()
            .or_else(|| console.running().map(str::to_owned));
        tests.console(console.finish());
        if position == 0 {
            gathered.log = Some(log);
        }
    }
    for placed in layout::place(records, containers.len()) {
        let lost = compose_file(store, folder, &placed).await?;
        gathered.lost_bytes += lost;
        if placed.counts
            && placed.stream.complete
            && let Some(parsed) = parse(store, folder, &placed.name).await?
        {
            tests.file(&placed.name, parsed);
        }
        gathered
            .files
            .push((placed.name, placed.stream.length - lost));
    }
    gathered.merged = tests.finish();
    complete(&mut gathered.merged, seen, records, containers);
    Ok(gathered)
}

/// Composes the logs of a container's attempts, one after the other, and counts the lost bytes. The last one speaks for the run.
async fn compose_log(
    store: &Store,
    folder: &Folder,
    name: String,
    attempts: impl Iterator<Item = &Attempt>,
) -> Result<(Log, Console, u64), StoreError> {
    let mut whole = store.compose(folder, &name)?;
    let (mut console, mut excerpt, mut lost) = (Console::new(), Vec::new(), 0);
    for log in attempts.filter_map(|attempt| attempt.log.as_ref()) {
        console = Console::new();
        let mut parts = store.read_parts(folder, &log.id, log.length).await?;
        while let Some(part) = parts.next().await? {
            console.push(&part);
            excerpt.extend_from_slice(&part);
            excerpt.drain(..excerpt.len().saturating_sub(EXCERPT_BYTES));
            whole.write(part).await?;
        }
        lost += parts.lost();
    }
    let bytes = whole.bytes();
    whole.finish().await?;
    Ok((
        Log {
            name,
            bytes,
            excerpt,
        },
        console,
        lost,
    ))
}

/// Composes a file, and counts its lost bytes.
async fn compose_file(store: &Store, folder: &Folder, placed: &Placed) -> Result<u64, StoreError> {
    let stream = &placed.stream;
    let mut whole = store.compose(folder, &placed.name)?;
    let mut parts = store.read_parts(folder, &stream.id, stream.length).await?;
    whole.append(&mut parts).await?;
    whole.finish().await?;
    Ok(parts.lost())
}

/// Reads a file if it is a test report; most artifacts are none.
async fn parse(
    store: &Store,
    folder: &Folder,
    name: &str,
) -> Result<Option<Result<Parsed, ReadError>>, StoreError> {
    let content = store.read(folder, name).await?;
    let mut reader = SyncIoBridge::new(StreamReader::new(content));
    let parsing = tokio::task::spawn_blocking(move || {
        let mut start = Vec::new();
        if let Err(error) = reader
            .by_ref()
            .take(DETECT_BYTES as u64)
            .read_to_end(&mut start)
        {
            return Some(Err(ReadError::Io(error)));
        }
        (proctor_results::detect(&start) == Kind::JUnit)
            .then(|| proctor_results::read(start.chain(reader)))
    });
    let failed = |source| StoreError::Object {
        action: "read",
        key: name.to_owned(),
        source,
    };
    match parsing.await.map_err(|error| failed(error.into()))? {
        // The store's failure is no word about the tests: reading is tried again.
        Some(Err(ReadError::Io(error))) => Err(failed(error.into())),
        parsed => Ok(parsed),
    }
}

/// Adds what is known without any upload, and what is known to be missing.
pub fn complete(merged: &mut Merged, seen: &Seen, records: &Records, containers: &[String]) {
    let missing: u64 = containers
        .iter()
        .filter_map(|name| records.last(name))
        .map(Attempt::missing_files)
        .sum();
    if missing > 0 {
        merged
            .report
            .unreadable(format!("{missing} gathered files did not arrive."));
    }
    if merged.report.counts() != Counts::default() {
        return;
    }
    let pod = seen.pod.iter().flat_map(|pod| &pod.containers);
    for told in pod.filter_map(|container| container.end.as_ref()?.told.as_ref()) {
        let counts = Counts {
            passed: told.passed,
            failed: told.failed,
            errors: told.errors,
            skipped: told.skipped,
        };
        merged.report.push_unnamed(SUMMARY_SUITE, counts);
    }
}
