//! The cache outside the target folder: what is built once and kept, safe under concurrent runs.
//!
//! An entry is a folder `KIND/NAME-KEY`. Its key is a digest of all that decides its content, so an entry is never changed:
//! it is built in a temporary folder and renamed into place, under a lock of its kind and name.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::progress;

/// The environment variable that names the cache folder.
pub const CACHE_VARIABLE: &str = "PROCTOR_CACHE";

/// How long an entry that nobody uses is kept.
const KEEP: Duration = Duration::from_hours(14 * 24);

/// How much of the digest is in a folder's name; enough against accident, short enough to read.
const KEY_DIGITS: usize = 16;

/// A digest of everything that decides an entry's content.
#[derive(Debug, Clone, Default)]
pub struct Key(Sha256);

impl Key {
    /// Adds a part; its length goes in as well, so that `ab` + `c` is not `a` + `bc`.
    #[must_use]
    pub fn with(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
        self
    }

    /// Adds a file's content.
    pub fn with_file(self, path: &Path) -> Result<Self> {
        let content =
            fs::read(path).with_context(|| format!("{} cannot be read.", path.display()))?;
        Ok(self.with(content))
    }

    fn text(self) -> String {
        use std::fmt::Write;
        let mut text = self
            .0
            .finalize()
            .iter()
            .fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            });
        text.truncate(KEY_DIGITS);
        text
    }
}

/// The cache folder.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// Opens the folder `$PROCTOR_CACHE`, else `$XDG_CACHE_HOME/proctor`, else `~/.cache/proctor`.
    pub fn open() -> Result<Self> {
        let variable = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let root = variable(CACHE_VARIABLE)
            .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("proctor")))
            .or_else(|| variable("HOME").map(|home| home.join(".cache/proctor")))
            .with_context(|| {
                format!(
                    "There is no place for the cache: set {CACHE_VARIABLE} to a folder, or HOME."
                )
            })?;
        Self::at(&root)
    }

    /// Opens the cache in this folder, made if need be.
    pub fn at(root: &Path) -> Result<Self> {
        let context = || {
            format!(
                "The cache folder {} cannot be made; set {CACHE_VARIABLE}.",
                root.display()
            )
        };
        fs::create_dir_all(root).with_context(context)?;
        Ok(Self {
            root: root.canonicalize().with_context(context)?,
        })
    }

    /// The folder `name` of the cache, made if need be.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.root.join(name);
        fs::create_dir_all(&folder)
            .with_context(|| format!("The folder {} cannot be made.", folder.display()))?;
        Ok(folder)
    }

    /// Waits for the lock `name` and holds it while the returned file lives.
    pub fn lock(&self, name: &str) -> Result<File> {
        let path = self.folder("locks")?.join(name);
        let file = File::create(&path)
            .with_context(|| format!("The lock {} cannot be made.", path.display()))?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                progress::say(&format!("waiting for another run that works on {name} …"));
            }
            Err(TryLockError::Error(error)) => {
                return Err(error)
                    .with_context(|| format!("The lock {} cannot be taken.", path.display()));
            }
        }
        file.lock()
            .with_context(|| format!("The lock {} cannot be taken.", path.display()))?;
        Ok(file)
    }

    /// Whether the entry is there already.
    pub fn has(&self, kind: &str, name: &str, key: Key) -> bool {
        self.root
            .join(kind)
            .join(format!("{name}-{}", key.text()))
            .exists()
    }

    /// The folder of the entry, built by `build` in an empty folder if it is not there yet.
    pub fn entry(
        &self,
        kind: &str,
        name: &str,
        key: Key,
        build: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let entry = self.folder(kind)?.join(format!("{name}-{}", key.text()));
        if entry.exists() {
            touch(&entry);
            return Ok(entry);
        }
        let _lock = self.lock(&format!("{kind}-{name}"))?;
        if entry.exists() {
            return Ok(entry);
        }
        // Under a fixed name, so that what a killed run left is gone with the next.
        let draft = self.folder("drafts")?.join(format!("{kind}-{name}"));
        remove(&draft)?;
        fs::create_dir(&draft)?;
        if let Err(error) = build(&draft) {
            remove(&draft)?;
            return Err(error);
        }
        fs::rename(&draft, &entry).with_context(|| {
            format!(
                "The cache entry {} cannot be put in place.",
                entry.display()
            )
        })?;
        remove_unused(&entry, name);
        Ok(entry)
    }
}

/// Removes a folder that may not be there.
fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed.", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Marks an entry as used. Another user's entry cannot be marked, which only makes it go earlier.
fn touch(entry: &Path) {
    let _ = File::open(entry).and_then(|folder| folder.set_modified(SystemTime::now()));
}

/// Removes the entries of this name, other versions of `new`, that were not used for long.
fn remove_unused(new: &Path, name: &str) {
    let others = new
        .parent()
        .and_then(|kind| fs::read_dir(kind).ok())
        .into_iter()
        .flatten()
        .flatten();
    for other in others {
        let same = other
            .file_name()
            .to_str()
            .and_then(|file| file.rsplit_once('-'))
            .is_some_and(|(stem, _)| stem == name);
        let used = other.metadata().and_then(|data| data.modified());
        let unused = used.is_ok_and(|used| used.elapsed().is_ok_and(|idle| idle > KEEP));
        if same && unused && other.path() != new {
            // What cannot be removed costs space only.
            let _ = fs::remove_dir_all(other.path());
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A cache that goes with its folder.
    pub(crate) fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        (folder, cache)
    }

    #[test]
    fn an_entry_is_built_once_under_concurrent_runs() {
        let (_folder, cache) = cache();
        let (builds, together) = (AtomicUsize::new(0), Barrier::new(4));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    together.wait();
                    let entry = cache.entry("things", "one", Key::default().with("v1"), |draft| {
                        builds.fetch_add(1, Ordering::SeqCst);
                        Ok(fs::write(draft.join("content"), "whole")?)
                    });
                    assert_eq!(
                        fs::read_to_string(entry.unwrap().join("content")).unwrap(),
                        "whole"
                    );
                });
            }
        });
        assert_eq!(builds.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn another_version_is_another_entry() {
        let (_folder, cache) = cache();
        let entry = |version| {
            cache
                .entry("things", "one", Key::default().with(version), |_| Ok(()))
                .unwrap()
        };
        assert_ne!(entry("v1"), entry("v2"));
        assert_eq!(entry("v1"), entry("v1"));
    }

    #[test]
    fn an_old_version_that_nobody_used_for_long_goes_when_a_new_one_comes() {
        let (_folder, cache) = cache();
        let entry = |version| {
            cache
                .entry("things", "one", Key::default().with(version), |_| Ok(()))
                .unwrap()
        };
        let (old, recent) = (entry("v1"), entry("v2"));
        File::open(&old)
            .unwrap()
            .set_modified(SystemTime::now() - 2 * KEEP)
            .unwrap();
        let new = entry("v3");
        assert!(!old.exists() && recent.exists() && new.exists());
    }

    #[test]
    fn a_failed_build_leaves_no_entry() {
        let (_folder, cache) = cache();
        let key = || Key::default().with("v1");
        cache
            .entry("things", "one", key(), |_| anyhow::bail!("no compiler"))
            .unwrap_err();
        let mut built = false;
        let second = cache.entry("things", "one", key(), |_| {
            built = true;
            Ok(())
        });
        assert!(second.is_ok() && built);
        assert_eq!(
            fs::read_dir(cache.folder("drafts").unwrap())
                .unwrap()
                .count(),
            0
        );
    }

    #[test]
    fn parts_of_a_key_do_not_run_together() {
        assert_ne!(
            Key::default().with("ab").with("c").text(),
            Key::default().with("a").with("bc").text()
        );
    }
}
