//! Building a recipe's programs with Go into the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::host;
use super::recipe::{KUBERNETES, RECIPE_REVISION, Recipe, Source};
use crate::cache::{Cache, Key};
use crate::run;

/// The kind of cache entry.
const KIND: &str = "toolchain";

/// Whether the recipe's programs are in the cache.
pub(super) fn is_built(cache: &Cache, recipe: &Recipe) -> bool {
    cache.has(KIND, &name(recipe), key(recipe))
}

/// The folder with the recipe's programs, built if need be.
pub(super) fn ensure(cache: &Cache, recipe: &Recipe) -> Result<PathBuf> {
    cache.entry(KIND, &name(recipe), key(recipe), |draft| {
        if recipe.cgo {
            host::install(cache, host::TO_BUILD)?;
        }
        let log = cache
            .folder("logs")?
            .join(format!("build-{}.log", recipe.name));
        match recipe.source {
            Source::Module(files) => {
                let module = tempfile::tempdir()
                    .context("A temporary folder for a Go module could not be made.")?;
                for (name, content) in files {
                    fs::write(module.path().join(name), content)?;
                }
                for build in recipe.builds {
                    let mut command = go(recipe);
                    command
                        .current_dir(module.path())
                        .args(["build", "-mod=readonly"]);
                    command
                        .args(flags(recipe))
                        .arg("-o")
                        .arg(draft.join(build.0))
                        .arg(build.1);
                    run::logged(&title(recipe, build.0), &mut command, &log)?;
                }
            }
            Source::Published => {
                for (program, package) in recipe.builds {
                    let mut command = go(recipe);
                    command
                        .current_dir(draft)
                        .env("GOBIN", draft)
                        .arg("install")
                        .args(flags(recipe));
                    command.arg(format!("{package}@{}", recipe.version));
                    run::logged(&title(recipe, program), &mut command, &log)?;
                    let installed = draft.join(installed_name(package));
                    fs::rename(&installed, draft.join(program))
                        .with_context(|| format!("Go did not leave {}.", installed.display()))?;
                }
            }
        }
        Ok(())
    })
}

fn name(recipe: &Recipe) -> String {
    format!("{}-{}", recipe.name, recipe.version)
}

fn title(recipe: &Recipe, program: &str) -> String {
    format!("building {program} {}", recipe.version)
}

fn go(recipe: &Recipe) -> Command {
    let mut command = Command::new("go");
    command
        .env("CGO_ENABLED", if recipe.cgo { "1" } else { "0" })
        .env("GOFLAGS", "-buildvcs=false")
        .env("GOWORK", "off");
    command
}

fn flags(recipe: &Recipe) -> Vec<String> {
    let mut linker = "-s -w".to_owned();
    if recipe.stamp {
        let minor = KUBERNETES.split('.').nth(1).unwrap_or_default();
        for (name, value) in [
            ("gitVersion", KUBERNETES),
            ("gitMajor", "1"),
            ("gitMinor", minor),
            ("gitTreeState", "clean"),
            ("gitCommit", KUBERNETES),
        ] {
            linker = format!("{linker} -X k8s.io/component-base/version.{name}={value}");
        }
    }
    let mut flags = vec!["-trimpath".to_owned(), "-ldflags".to_owned(), linker];
    if !recipe.tags.is_empty() {
        flags.extend(["-tags".to_owned(), recipe.tags.to_owned()]);
    }
    flags
}

/// The file name that `go install` gives a package: its last element that is not a major version.
fn installed_name(package: &str) -> &str {
    Path::new(package)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or(package)
}

fn key(recipe: &Recipe) -> Key {
    let mut key = Key::default().with(RECIPE_REVISION).with(recipe.version);
    for flag in flags(recipe) {
        key = key.with(flag);
    }
    for (program, package) in recipe.builds {
        key = key.with(program).with(package);
    }
    if let Source::Module(files) = recipe.source {
        for (name, content) in files {
            key = key.with(name).with(content);
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::super::recipe::RECIPES;
    use super::*;

    #[test]
    fn the_key_follows_the_version_and_the_packages() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        let entry = |recipe: &Recipe| cache.entry("t", "n", key(recipe), |_| Ok(())).unwrap();
        let recipe = RECIPES[0];
        assert_eq!(entry(&recipe), entry(&recipe));
        assert_ne!(
            entry(&recipe),
            entry(&Recipe {
                version: "v0.0.1",
                ..recipe
            })
        );
        assert_ne!(
            entry(&recipe),
            entry(&Recipe {
                builds: &[("other", "example.org/other")],
                ..recipe
            })
        );
        assert_ne!(
            entry(&recipe),
            entry(&Recipe {
                tags: "other",
                ..recipe
            })
        );
    }
}
