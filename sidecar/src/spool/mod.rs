//! The volume between `exec`, which writes, and `report`, which reads and deletes.
//!
//! The layout is a contract: `docs/data-flow.md`. Whoever makes a folder makes it 0777 and a file
//! 0644, so that nothing depends on the user either side runs as.

mod disk;
mod log;
mod name;
mod record;

use std::io;
use std::path::{Path, PathBuf};

pub use disk::{make_file, make_folder, write_whole};
pub use log::{LogTotals, LogWriter, SEGMENT_BYTES, SPOOL_CAP_BYTES};
pub use name::{ContainerName, ContainerNameError, parse_segment, parse_sequence, segment};
pub use record::{End, Gathered, Start, Time};

/// Container restarts that can be told apart on one volume.
const MAX_ATTEMPTS: u64 = 100_000;

/// The volume as it is mounted.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

impl Root {
    /// The volume mounted at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The folder of the wrapper.
    pub fn bin(&self) -> PathBuf {
        self.0.join("bin")
    }

    /// The folder above all reports.
    pub fn all_reports(&self) -> PathBuf {
        self.0.join("reports")
    }

    /// Where the instrumented frameworks of a container write.
    pub fn reports(&self, container: &ContainerName) -> PathBuf {
        self.all_reports().join(container.as_str())
    }

    /// The folder above all spools.
    pub fn all_spools(&self) -> PathBuf {
        self.0.join("spool")
    }

    /// Makes the folder for a container's reports.
    pub fn make_reports(&self, container: &ContainerName) -> io::Result<PathBuf> {
        make_folder(&self.all_reports())?;
        let reports = self.reports(container);
        make_folder(&reports)?;
        Ok(reports)
    }

    /// Makes the spool of the container's next attempt.
    pub fn next_spool(&self, container: &ContainerName) -> io::Result<Spool> {
        let above = self.all_spools().join(container.as_str());
        make_folder(&self.all_spools())?;
        make_folder(&above)?;
        for attempt in 0..MAX_ATTEMPTS {
            let spool = Spool::new(&above, container.clone(), attempt);
            match std::fs::create_dir(&spool.dir) {
                Ok(()) => {
                    for folder in [&spool.dir, &spool.log_dir(), &spool.files_dir()] {
                        make_folder(folder)?;
                    }
                    return Ok(spool);
                }
                Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("every attempt number is taken"))
    }

    /// Every spool there is, by container and attempt. What does not look like one is left out.
    pub fn spools(&self) -> io::Result<Vec<Spool>> {
        let mut found = Vec::new();
        for container in disk::names(&self.all_spools())? {
            let Ok(container) = container.parse::<ContainerName>() else {
                continue;
            };
            let above = self.all_spools().join(container.as_str());
            for attempt in disk::names(&above)? {
                if let Some(attempt) = parse_sequence(&attempt) {
                    found.push(Spool::new(&above, container.clone(), attempt));
                }
            }
        }
        found.sort_by(|a, b| {
            (a.container.as_str(), a.attempt).cmp(&(b.container.as_str(), b.attempt))
        });
        Ok(found)
    }
}

/// What one attempt of one container left on the volume.
#[derive(Clone, Debug)]
pub struct Spool {
    /// Whose.
    pub container: ContainerName,
    /// Restarts of the container before it.
    pub attempt: u64,
    dir: PathBuf,
}

impl Spool {
    fn new(above: &Path, container: ContainerName, attempt: u64) -> Self {
        Self {
            container,
            attempt,
            dir: above.join(attempt.to_string()),
        }
    }

    /// Written first.
    pub fn start(&self) -> PathBuf {
        self.dir.join("start.json")
    }

    /// Written last: with it the record is complete.
    pub fn end(&self) -> PathBuf {
        self.dir.join("end.json")
    }

    /// The folder of the log's segments.
    pub fn log_dir(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// The folder of the gathered files.
    pub fn files_dir(&self) -> PathBuf {
        self.dir.join("files")
    }

    /// The bytes of a gathered file.
    pub fn file_data(&self, sequence: u64) -> PathBuf {
        self.files_dir().join(format!("{sequence}.data"))
    }

    /// The record that makes a gathered file visible.
    pub fn file_record(&self, sequence: u64) -> PathBuf {
        self.files_dir().join(format!("{sequence}.json"))
    }

    /// The segments of the log that are still there, in order.
    pub fn segments(&self) -> io::Result<Vec<Segment>> {
        let dir = self.log_dir();
        let mut found = Vec::new();
        for name in disk::names(&dir)? {
            let Some(offset) = parse_segment(&name) else {
                continue;
            };
            let path = dir.join(&name);
            match std::fs::metadata(&path) {
                Ok(metadata) => found.push(Segment {
                    offset,
                    bytes: metadata.len(),
                    path,
                }),
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        found.sort_by_key(|segment| segment.offset);
        Ok(found)
    }

    /// The numbers of the gathered files that are visible, in order.
    pub fn files(&self) -> io::Result<Vec<u64>> {
        let mut found: Vec<u64> = disk::names(&self.files_dir())?
            .iter()
            .filter_map(|name| parse_sequence(name.strip_suffix(".json")?))
            .collect();
        found.sort_unstable();
        Ok(found)
    }
}

/// A piece of the log on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where its first byte stands in the log.
    pub offset: u64,
    /// Its length so far.
    pub bytes: u64,
    /// The file.
    pub path: PathBuf,
}

impl Segment {
    /// The offset behind its last byte.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.bytes)
    }
}
