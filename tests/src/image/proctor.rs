//! Proctor's own images, from this workspace as it is now.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::Image;
use super::buildah::{Source, archive};
use crate::cache::{Cache, Key};
use crate::run;

/// The only Linux target that is everywhere Rust is; with a static C library its programs run on an empty image.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The image `name`: a stage of `deploy/Dockerfile` with these programs, each of a crate of its name.
pub(super) fn image(cache: &Cache, name: &str, stage: &str, crates: &[&str]) -> Result<PathBuf> {
    let root = workspace()?;
    let path = root.join("deploy/Dockerfile");
    let dockerfile =
        fs::read_to_string(&path).with_context(|| format!("{} cannot be read.", path.display()))?;
    let mut content = Key::default();
    let mut programs = Vec::new();
    for krate in crates {
        let program = build(cache, &root, krate)?;
        content = content.with(krate).with_file(&program)?;
        programs.push(program);
    }
    let source = Source {
        name,
        dockerfile: &dockerfile,
        target: Some(stage),
        content,
    };
    archive(cache, &source, |context| {
        for program in &programs {
            fs::copy(
                program,
                context.join(program.file_name().unwrap_or_default()),
            )?;
        }
        Ok(())
    })
}

const SLOW: &str = include_str!("../../images/slow-sidecar/Dockerfile");
const SLOW_SCRIPT: &str = include_str!("../../images/slow-sidecar/slow.sh");

/// The sidecar behind a script that holds its hook back.
pub(super) fn slow_sidecar(cache: &Cache) -> Result<PathBuf> {
    let program = build(cache, &workspace()?, "proctor-sidecar")?;
    let content = Key::default().with(SLOW_SCRIPT).with_file(&program)?;
    let source = Source {
        name: Image::SlowSidecar.name(),
        dockerfile: SLOW,
        target: None,
        content,
    };
    archive(cache, &source, |context| {
        fs::copy(&program, context.join("proctor-sidecar"))?;
        fs::copy("/bin/busybox", context.join("busybox"))?;
        fs::write(context.join("slow.sh"), SLOW_SCRIPT)?;
        Ok(())
    })
}

/// The workspace whose sources become the images: the one this program was built from.
fn workspace() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."));
    root.canonicalize().with_context(|| {
        format!(
            "The sources of Proctor's images were at {}, which is gone; build the testbed again.",
            root.display()
        )
    })
}

/// Cargo tells a test about its package in the environment. Build scripts (ring's is one) run again when that changes, and everything that
/// depends on them is built anew: so a build from a test and one from a shell have to look alike.
fn is_of_the_package_under_test(variable: &str) -> bool {
    const PREFIXES: [&str; 5] = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_CRATE_",
        "CARGO_BIN_",
        "CARGO_TARGET_TMPDIR",
    ];
    PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
}

/// Builds the static program of a crate. Each with its own `-p`: together their features would unite.
fn build(cache: &Cache, root: &Path, krate: &str) -> Result<PathBuf> {
    let log = cache.folder("logs")?.join(format!("cargo-{krate}.log"));
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(root)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    for (name, _) in std::env::vars_os() {
        if is_of_the_package_under_test(&name.to_string_lossy()) {
            cargo.env_remove(name);
        }
    }
    cargo.args([
        "build",
        "--release",
        "--target",
        TARGET,
        "--target-dir",
        "target/images",
        "-p",
        krate,
    ]);
    run::logged(
        &format!("building {krate} as a static program"),
        &mut cargo,
        &log,
    )?;
    let program = root
        .join("target/images")
        .join(TARGET)
        .join("release")
        .join(krate);
    program
        .is_file()
        .then_some(program.clone())
        .with_context(|| format!("The crate {krate} has no program {}.", program.display()))
}
