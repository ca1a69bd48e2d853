//! Building an archive from a Dockerfile and a folder, without an engine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cache::{Cache, Key};
use crate::run;

/// The file of an entry that is the archive.
const ARCHIVE: &str = "image.tar";

/// What becomes an image.
#[derive(Debug)]
pub(super) struct Source<'a> {
    /// The full name of the image.
    pub(super) name: &'a str,
    /// The text of the Dockerfile.
    pub(super) dockerfile: &'a str,
    /// The stage of the Dockerfile, where it has several.
    pub(super) target: Option<&'a str>,
    /// A digest of everything that `fill` puts into the folder.
    pub(super) content: Key,
}

/// The archive of an image; `fill` makes the folder that the Dockerfile copies from, if it has to be built.
pub(super) fn archive(
    cache: &Cache,
    source: &Source,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let key = source
        .content
        .clone()
        .with(source.name)
        .with(source.dockerfile)
        .with(source.target.unwrap_or_default());
    let short = source
        .name
        .rsplit('/')
        .next()
        .and_then(|name| name.split(':').next())
        .unwrap_or(source.name);
    let entry = cache.entry("images", short, key, |draft| {
        let work = draft.join("work");
        let context = work.join("context");
        std::fs::create_dir_all(&context)?;
        fill(&context)?;
        let dockerfile = work.join("Dockerfile");
        std::fs::write(&dockerfile, source.dockerfile)?;
        let log = cache.folder("logs")?.join(format!("image-{short}.log"));
        let mut build = buildah(&work);
        build
            .args([
                "build",
                "--isolation=chroot",
                "--tag",
                source.name,
                "--file",
            ])
            .arg(&dockerfile);
        build
            .args(source.target.map(|target| format!("--target={target}")))
            .arg(&context);
        run::logged(
            &format!("building the image {}", source.name),
            &mut build,
            &log,
        )?;
        let destination = format!(
            "oci-archive:{}:{}",
            draft.join(ARCHIVE).display(),
            source.name
        );
        run::output(buildah(&work).args(["push", "--quiet", source.name, &destination]))?;
        Ok(std::fs::remove_dir_all(&work)?)
    })?;
    Ok(entry.join(ARCHIVE))
}

/// buildah with storage of its own, which goes with the folder.
fn buildah(work: &Path) -> Command {
    let mut command = Command::new("buildah");
    command
        .arg("--root")
        .arg(work.join("storage"))
        .arg("--runroot")
        .arg(work.join("run"))
        .arg("--storage-driver=vfs");
    command
}
