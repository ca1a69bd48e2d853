//! Images of a single static program.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::Image;
use super::buildah::{Source, archive};
use crate::cache::{Cache, Key};
use crate::run;

const PAUSE_PROGRAM: &str = include_str!("../../images/pause/pause.c");
const PAUSE: &str = include_str!("../../images/pause/Dockerfile");
const BUSYBOX: &str = include_str!("../../images/busybox/Dockerfile");

pub(super) fn pause(cache: &Cache) -> Result<PathBuf> {
    let content = Key::default().with(PAUSE_PROGRAM);
    let source = Source {
        name: Image::Pause.name(),
        dockerfile: PAUSE,
        target: None,
        content,
    };
    archive(cache, &source, |context| {
        let program = context.join("pause.c");
        fs::write(&program, PAUSE_PROGRAM)?;
        let mut compiler = Command::new("cc");
        compiler
            .args(["-static", "-Os", "-s", "-o"])
            .arg(context.join("pause"))
            .arg(&program);
        run::output(&mut compiler).map(drop)
    })
}

/// Counted up when the root below gets other files.
const BUSYBOX_ROOT: &str = "1";

pub(super) fn busybox(cache: &Cache) -> Result<PathBuf> {
    let busybox = Path::new("/bin/busybox");
    let content = Key::default().with(BUSYBOX_ROOT).with_file(busybox)?;
    let source = Source {
        name: Image::Busybox.name(),
        dockerfile: BUSYBOX,
        target: None,
        content,
    };
    archive(cache, &source, |context| {
        let root = tempfile::tempdir()?;
        for folder in ["bin", "etc", "tmp", "www"] {
            fs::create_dir(root.path().join(folder))?;
        }
        let bin = root.path().join("bin");
        fs::copy(busybox, bin.join("busybox"))?;
        let applets = run::output(Command::new(busybox).arg("--list"))?;
        for applet in applets.lines().filter(|applet| *applet != "busybox") {
            symlink("busybox", bin.join(applet))?;
        }
        fs::write(
            root.path().join("etc/passwd"),
            "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
        )?;
        fs::write(
            root.path().join("etc/group"),
            "root:x:0:\nnogroup:x:65534:\n",
        )?;
        pack(root.path(), &context.join("root.tar"), &["--mode=a+rwX"])
    })
}

/// Packs a root folder as it is, owners and modes included.
pub(super) fn pack(root: &Path, archive: &Path, more: &[&str]) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.arg("--create")
        .arg("--file")
        .arg(archive)
        .arg("--directory")
        .arg(root)
        .arg("--numeric-owner")
        .args(more)
        .arg(".");
    run::output(&mut tar).map(drop)
}
