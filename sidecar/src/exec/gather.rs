//! Report files and artifacts, copied into the spool with this container's sight and rights.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::pattern::Pattern;
use crate::spool::{Gathered, Spool, Time, make_file, write_whole};

/// Gathered of one file; the rest is cut off and the record says so.
pub(super) const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Records written in one attempt; a file that changes counts again.
pub(super) const MAX_FILES: u64 = 1000;

/// Gathered files that may wait on the volume.
pub(super) const WAITING_BYTES: u64 = 128 * 1024 * 1024;

/// Folders below each other that are looked into.
const MAX_DEPTH: usize = 24;

/// Files and folders looked at in one scan.
const MAX_ENTRIES: usize = 20_000;

/// What a file looked like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    bytes: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl From<&Metadata> for Version {
    fn from(metadata: &Metadata) -> Self {
        Self {
            bytes: metadata.len(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
        }
    }
}

#[derive(Debug)]
struct Seen {
    version: Version,
    gathered: Option<Version>,
}

/// Looks for files again and again, and remembers what it has.
#[derive(Debug)]
pub(super) struct Gatherer {
    patterns: Vec<Pattern>,
    reports: PathBuf,
    folder: PathBuf,
    /// The volume itself, which is no artifact.
    own: PathBuf,
    /// Files that were there before are of another run, or of the image.
    since: (i64, i64),
    seen: HashMap<PathBuf, Seen>,
    written: u64,
    left_out: u64,
}

impl Gatherer {
    /// Files that changed after `spool` was begun, below `reports` and as `patterns` say.
    pub(super) fn new(
        spool: &Spool,
        own: &Path,
        reports: PathBuf,
        folder: PathBuf,
        mut patterns: Vec<Pattern>,
    ) -> io::Result<Self> {
        let begun = fs::metadata(spool.start())?;
        patterns.push(Pattern::everything(reports.clone()));
        Ok(Self {
            patterns,
            reports,
            folder,
            own: own.to_owned(),
            since: (begun.ctime(), begun.ctime_nsec()),
            seen: HashMap::new(),
            written: 0,
            left_out: 0,
        })
    }

    /// While the tests run: gathers what has not changed since the last look.
    pub(super) fn look(&mut self, spool: &Spool) {
        for (path, metadata) in self.find() {
            let version = Version::from(&metadata);
            let settled = self
                .seen
                .get(&path)
                .is_some_and(|seen| seen.version == version);
            let seen = self.seen.entry(path.clone()).or_insert(Seen {
                version,
                gathered: None,
            });
            seen.version = version;
            let wanted = metadata.len().min(MAX_FILE_BYTES);
            if settled && seen.gathered != Some(version) && wanted <= room(spool) {
                self.gather(spool, &path, &metadata, MAX_FILE_BYTES);
            }
        }
    }

    /// At the end: gathers all that is new, the smallest first, for reports are small. What does not
    /// fit is cut off, with a record that says so.
    pub(super) fn finish(&mut self, spool: &Spool) {
        let mut found = self.find();
        found.sort_by_key(|(_, metadata)| metadata.len());
        for (path, metadata) in found {
            let version = Version::from(&metadata);
            let seen = self.seen.entry(path.clone()).or_insert(Seen {
                version,
                gathered: None,
            });
            if seen.gathered == Some(version) {
                continue;
            }
            let limit = MAX_FILE_BYTES.min(room(spool));
            if !self.gather(spool, &path, &metadata, limit) {
                self.left_out = self.left_out.saturating_add(1);
            }
        }
    }

    /// The files there are a record of.
    pub(super) fn gathered(&self) -> Vec<PathBuf> {
        let known = self.seen.iter().filter(|(_, seen)| seen.gathered.is_some());
        let mut paths: Vec<PathBuf> = known.map(|(path, _)| path.clone()).collect();
        paths.sort();
        paths
    }

    /// Records written, and files there is no room for.
    pub(super) fn totals(&self) -> (u64, u64) {
        (self.written, self.left_out)
    }

    fn find(&self) -> Vec<(PathBuf, Metadata)> {
        let mut found: HashMap<PathBuf, Metadata> = HashMap::new();
        let mut entries = MAX_ENTRIES;
        // The reports folder comes last in the list and first here: it is what matters most.
        for pattern in self.patterns.iter().rev() {
            let walk = WalkDir::new(&pattern.base)
                .max_depth(MAX_DEPTH)
                .into_iter()
                .filter_entry(|entry| entry.depth() == 0 || !self.is_forbidden(entry.path()))
                .take(entries);
            for entry in walk {
                entries = entries.saturating_sub(1);
                let Ok(entry) = entry else { continue };
                if entry.file_type().is_dir() || !pattern.is_match(entry.path()) {
                    continue;
                }
                // Follows a link: `latest.xml` is a common one.
                if let Ok(metadata) = fs::metadata(entry.path())
                    && metadata.is_file()
                    && self.is_new(&metadata)
                {
                    found.insert(entry.into_path(), metadata);
                }
            }
        }
        found.into_iter().collect()
    }

    fn is_forbidden(&self, path: &Path) -> bool {
        let kernel = ["/proc", "/sys", "/dev"]
            .iter()
            .any(|folder| path == Path::new(folder));
        kernel || path == self.own || path == self.own.join("spool")
    }

    fn is_new(&self, metadata: &Metadata) -> bool {
        // Not the time of modification: a file that was copied or moved here keeps its old one.
        (metadata.ctime(), metadata.ctime_nsec()) >= self.since
    }

    fn gather(&mut self, spool: &Spool, path: &Path, metadata: &Metadata, limit: u64) -> bool {
        if self.written >= MAX_FILES {
            return false;
        }
        let data = spool.file_data(self.written);
        let done = copy(path, &data, limit).and_then(|size| {
            let record = Gathered {
                path: self.name(path),
                size,
                modified_at: Time::of_file(metadata.mtime(), metadata.mtime_nsec()),
                truncated: size < metadata.len(),
            };
            write_whole(
                &spool.file_record(self.written),
                &serde_json::to_vec(&record)?,
            )
        });
        if done.is_err() {
            // Gone meanwhile, not readable for this user, or no room: the next look tries again.
            let _ = fs::remove_file(&data);
            return false;
        }
        self.written = self.written.saturating_add(1);
        if let Some(seen) = self.seen.get_mut(path) {
            seen.gathered = Some(Version::from(metadata));
        }
        true
    }

    fn name(&self, path: &Path) -> String {
        let relative = path
            .strip_prefix(&self.reports)
            .or_else(|_| path.strip_prefix(&self.folder))
            .or_else(|_| path.strip_prefix("/"))
            .unwrap_or(path);
        relative.to_string_lossy().into_owned()
    }
}

fn copy(from: &Path, to: &Path, limit: u64) -> io::Result<u64> {
    io::copy(&mut File::open(from)?.take(limit), &mut make_file(to)?)
}

/// Bytes that fit before the reporter has deleted more.
fn room(spool: &Spool) -> u64 {
    let entries = fs::read_dir(spool.files_dir())
        .into_iter()
        .flatten()
        .flatten();
    let waiting: u64 = entries
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum();
    WAITING_BYTES.saturating_sub(waiting)
}
