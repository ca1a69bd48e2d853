//! Folders and files with exact modes, and whole files that appear at once.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Makes a folder and those above it, and gives it mode 0777 whatever the umask.
///
/// A folder that somebody else made with that mode already is fine: only its owner may change it.
pub fn make_folder(path: &Path) -> io::Result<()> {
    const OPEN: u32 = 0o777;
    fs::create_dir_all(path)?;
    if fs::metadata(path)?.permissions().mode() & OPEN == OPEN {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(OPEN))
}

/// Makes a new, empty file that everybody can read, whatever the umask.
pub fn make_file(path: &Path) -> io::Result<File> {
    let file = File::create(path)?;
    file.set_permissions(Permissions::from_mode(0o644))?;
    Ok(file)
}

/// Writes a file that is either not there or whole: under another name first, then renamed.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    make_file(&temporary)?.write_all(content)?;
    fs::rename(&temporary, path)
}

/// The names in a folder that are UTF-8; none where there is no such folder.
pub(super) fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        found.extend(entry?.file_name().into_string().ok());
    }
    Ok(found)
}
