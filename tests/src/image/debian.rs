//! The image of a test team: a Debian with Python and pytest, as its packages have them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::Image;
use super::buildah::{Source, archive};
use super::small::pack;
use crate::cache::{Cache, Key};
use crate::run;

const SUITE: &str = "bookworm";
const PACKAGES: &str = "ca-certificates,git,python3,python3-pytest,python3-requests";
const PYTEST: &str = include_str!("../../images/pytest/Dockerfile");

/// What a pod never reads; half of the image.
const LEFT_OUT: &[&str] = &[
    "--exclude=./var/cache/apt/*",
    "--exclude=./var/lib/apt/lists/*",
    "--exclude=./usr/share/doc/*",
    "--exclude=./usr/share/man/*",
    "--exclude=./usr/share/locale/*",
];

pub(super) fn pytest(cache: &Cache) -> Result<PathBuf> {
    let content = LEFT_OUT
        .iter()
        .fold(Key::default().with(SUITE).with(PACKAGES), Key::with);
    let source = Source {
        name: Image::Pytest.name(),
        dockerfile: PYTEST,
        target: None,
        content,
    };
    archive(cache, &source, |context| {
        let root = context.with_file_name("debian");
        let log = cache.folder("logs")?.join("debootstrap.log");
        let mut debootstrap = Command::new("debootstrap");
        debootstrap
            .args(["--variant=minbase", &format!("--include={PACKAGES}"), SUITE])
            .arg(&root);
        run::logged(
            &format!("installing a Debian {SUITE} with pytest for an image"),
            &mut debootstrap,
            &log,
        )?;
        pack(&root, &context.join("root.tar"), LEFT_OUT)
    })
}
