//! Puts this binary on the volume, from where the test containers run it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};
use thiserror::Error;

use crate::spool::{Root, make_folder};

/// Why the wrapper is not in place.
#[derive(Debug, Error)]
pub enum InstallError {
    /// Of the volume.
    #[error(
        "The folder {path} could not be made: mount the volume writable there, for every user of the pod."
    )]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Of `bin/exec`.
    #[error(
        "The wrapper could not be written to {path}: the volume must be writable and have room for this binary."
    )]
    Write {
        /// Where to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing on the volume can be run.
    #[error(
        "The volume at {path} is mounted noexec, so that the wrapper cannot run: mount it without that option, or switch the reporter off."
    )]
    NoExec {
        /// Where it is mounted.
        path: PathBuf,
    },
    /// The binary itself.
    #[error("The running binary could not be read: its image must hold it as a plain file.")]
    Itself(#[source] io::Error),
}

/// Makes the folders of the volume and puts this binary there as `bin/exec`, mode 0755.
///
/// The file appears whole, under another name first, so that it can be repeated while an older one
/// runs or is being started.
pub fn run(root: &Path) -> Result<(), InstallError> {
    let root = Root::new(root);
    for folder in [root.bin(), root.all_reports(), root.all_spools()] {
        make_folder(&folder).map_err(|source| InstallError::Folder {
            path: folder.clone(),
            source,
        })?;
    }
    let no_exec =
        statvfs(root.path()).is_ok_and(|volume| volume.f_flag.contains(StatVfsMountFlags::NOEXEC));
    if no_exec {
        return Err(InstallError::NoExec {
            path: root.path().to_owned(),
        });
    }
    let mut own = File::open("/proc/self/exe").map_err(InstallError::Itself)?;
    let path = root.bin().join("exec");
    // The hook of the container and the reporter itself may be at it at the same time.
    let temporary = root.bin().join(format!(".exec.{}.tmp", std::process::id()));
    copy(&mut own, &temporary)
        .and_then(|()| fs::rename(&temporary, &path))
        .map_err(|source| {
            let _ = fs::remove_file(&temporary);
            InstallError::Write { path, source }
        })
}

fn copy(own: &mut File, temporary: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o755)
        .open(temporary)?;
    io::copy(own, &mut file)?;
    file.set_permissions(Permissions::from_mode(0o755))?;
    file.sync_all()
}
