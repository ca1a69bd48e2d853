//! The images of the tests, as archives in the cache: Proctor's own two, and those of the pods that try them.
//!
//! All are built by buildah from a Dockerfile and a folder, Proctor's from `deploy/Dockerfile`, as a user would.

mod buildah;
mod debian;
mod proctor;
mod small;

use std::path::PathBuf;

use anyhow::Result;

use crate::cache::Cache;
use crate::toolchain::host;

/// An image that the testbed knows how to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Image {
    /// Holds a pod's namespaces; no pod runs without it.
    Pause,
    /// A static busybox, as root: a shell, `httpd`, `nc`, `wget`, `nslookup`.
    Busybox,
    /// Debian with Python 3, pytest, requests and git; a user `jobuser` (1000), `/workspace` and `/app`, which are that user's.
    Pytest,
    /// `/proctor-webhook` and `/proctor-collector` of this workspace.
    Server,
    /// `/proctor-sidecar` of this workspace.
    Sidecar,
    /// The same with a `postStart` hook that takes five seconds.
    SlowSidecar,
}

impl Image {
    /// What the tests of the testbed itself need.
    pub const BASIC: &[Self] = &[Self::Pause, Self::Busybox];

    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Pause,
        Self::Busybox,
        Self::Pytest,
        Self::Server,
        Self::Sidecar,
        Self::SlowSidecar,
    ];

    /// The name that a pod asks for. Its tag is not `latest`, so that nothing is pulled.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pause => crate::node::PAUSE_IMAGE,
            Self::Busybox => "proctor.dev/busybox:dev",
            Self::Pytest => "proctor.dev/pytest:dev",
            Self::Server => "proctor.dev/server:dev",
            Self::Sidecar => "proctor.dev/sidecar:dev",
            Self::SlowSidecar => "proctor.dev/slow-sidecar:dev",
        }
    }

    /// The archive, built if need be.
    pub fn archive(self, cache: &Cache) -> Result<PathBuf> {
        host::install_for_images(cache)?;
        match self {
            Self::Pause => small::pause(cache),
            Self::Busybox => small::busybox(cache),
            Self::Pytest => debian::pytest(cache),
            Self::Server => proctor::image(
                cache,
                self.name(),
                "server",
                &["proctor-webhook", "proctor-collector"],
            ),
            Self::Sidecar => proctor::image(cache, self.name(), "sidecar", &["proctor-sidecar"]),
            Self::SlowSidecar => proctor::slow_sidecar(cache),
        }
    }
}

/// The archives of these images.
pub fn archives(cache: &Cache, images: &[Image]) -> Result<Vec<PathBuf>> {
    images.iter().map(|image| image.archive(cache)).collect()
}
