//! What the machine must be and have: Linux, root, Go, and a few Debian packages, which are installed when missing.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::run;

/// A Debian package and a file that is there when it is installed.
type Package = (&'static str, &'static str);

/// What running a node needs.
const TO_RUN: &[Package] = &[
    ("iproute2", "/usr/share/doc/iproute2/copyright"),
    ("nftables", "/usr/share/doc/nftables/copyright"),
    ("conntrack", "/usr/share/doc/conntrack/copyright"),
    ("util-linux", "/usr/share/doc/util-linux/copyright"),
];

/// What building runc (cgo) needs.
pub(super) const TO_BUILD: &[Package] = &[
    ("libseccomp-dev", "/usr/share/doc/libseccomp-dev/copyright"),
    ("pkg-config", "/usr/bin/pkg-config"),
    ("gcc", "/usr/bin/cc"),
];

/// What building images needs.
const FOR_IMAGES: &[Package] = &[
    ("buildah", "/usr/bin/buildah"),
    ("busybox-static", "/usr/share/doc/busybox-static/copyright"),
    ("debootstrap", "/usr/sbin/debootstrap"),
    ("gcc", "/usr/bin/cc"),
];

/// Why no node can boot here, in one sentence, or nothing when one can.
pub(super) fn obstacle() -> Option<String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Some("The testbed runs a Kubernetes node and needs Linux on x86-64; run it in a virtual machine.".into());
    }
    if !rustix::process::geteuid().is_root() {
        return Some(
            "The testbed makes namespaces and cgroups and needs root; run it as root (sudo -E)."
                .into(),
        );
    }
    None
}

/// Why nothing can be built here, in one sentence, or nothing when Go is there.
pub(super) fn obstacle_to_build() -> Option<String> {
    let go = Command::new("go").arg("version").output();
    (!go.is_ok_and(|version| version.status.success())).then(|| {
        "Kubernetes is built from source with Go, which is not in PATH: install Go 1.26 or newer, or point KUBEBUILDER_ASSETS at a folder with the built programs.".into()
    })
}

/// Makes sure that the packages for running a node are there.
pub(super) fn install_to_run(cache: &Cache) -> Result<()> {
    install(cache, TO_RUN)
}

/// Makes sure that the packages for building images are there.
pub(crate) fn install_for_images(cache: &Cache) -> Result<()> {
    install(cache, FOR_IMAGES)
}

/// Installs what is missing of these packages with apt-get.
pub(super) fn install(cache: &Cache, packages: &[Package]) -> Result<()> {
    let missing = || {
        packages
            .iter()
            .filter(|(_, file)| !Path::new(file).exists())
            .map(|(name, _)| *name)
    };
    if missing().next().is_none() {
        return Ok(());
    }
    let _lock = cache.lock("debian-packages")?;
    let names: Vec<_> = missing().collect();
    if names.is_empty() {
        return Ok(());
    }
    let list = names.join(" ");
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!(
            "The testbed needs what Debian has in the packages {list}, and there is no apt-get here; install them by hand."
        );
    }
    let log = cache.folder("logs")?.join("apt-get.log");
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(arguments);
        command
    };
    let way_out = || {
        format!(
            "The Debian packages {list} could not be installed; `apt-get install {list}` by hand may say more."
        )
    };
    run::logged(
        "updating the package lists",
        &mut apt(&["update", "-q"]),
        &log,
    )
    .with_context(way_out)?;
    let arguments = [
        &["install", "-q", "-y", "--no-install-recommends"],
        names.as_slice(),
    ]
    .concat();
    run::logged(&format!("installing {list}"), &mut apt(&arguments), &log).with_context(way_out)
}
