//! The programs of a Kubernetes node and its clients: taken from where the user says, else built from their Go modules, once.

mod build;
pub(crate) mod host;
mod recipe;

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::cache::Cache;
pub use recipe::KUBERNETES;

/// The environment variable of a folder with programs that are used as they are; the name is the one of envtest.
pub const ASSETS_VARIABLE: &str = "KUBEBUILDER_ASSETS";

/// Where each program is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Toolchain {
    programs: BTreeMap<String, PathBuf>,
}

impl Toolchain {
    /// Why there can be no toolchain, in one sentence, or nothing when it is there or can be built.
    pub fn obstacle(cache: &Cache) -> Option<String> {
        let all_there = || {
            recipe::RECIPES
                .iter()
                .all(|recipe| is_given(recipe) || build::is_built(cache, recipe))
        };
        host::obstacle().or_else(|| {
            if all_there() {
                None
            } else {
                host::obstacle_to_build()
            }
        })
    }

    /// Finds every program, builds what is missing, and installs the Debian packages which a node needs to run.
    pub fn ensure(cache: &Cache) -> Result<Self> {
        if let Some(obstacle) = Self::obstacle(cache) {
            bail!(obstacle);
        }
        host::install_to_run(cache)?;
        let mut programs = BTreeMap::new();
        for recipe in recipe::RECIPES {
            let built = if is_given(recipe) {
                None
            } else {
                Some(build::ensure(cache, recipe)?)
            };
            for (program, _) in recipe.builds {
                let path =
                    given(program)?.or_else(|| built.as_ref().map(|folder| folder.join(program)));
                let path = path.with_context(|| format!("There is no program {program}."))?;
                programs.insert((*program).to_owned(), path);
            }
        }
        Ok(Self { programs })
    }

    /// The path of a program, such as `kubelet`.
    pub fn program(&self, name: &str) -> Result<&Path> {
        let path = self.programs.get(name).map(PathBuf::as_path);
        path.with_context(|| format!("There is no program {name} among those of the testbed."))
    }
}

/// The environment variable that names the full path of a program.
fn variable(program: &str) -> String {
    format!("PROCTOR_{}", program.to_uppercase().replace('-', "_"))
}

/// Whether the user gave all programs of a recipe.
fn is_given(recipe: &recipe::Recipe) -> bool {
    recipe
        .builds
        .iter()
        .all(|(program, _)| given(program).is_ok_and(|path| path.is_some()))
}

/// The program as the user gave it: by its own variable, else by the folder of assets.
fn given(program: &str) -> Result<Option<PathBuf>> {
    let variable = variable(program);
    if let Some(path) = env::var_os(&variable)
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
    {
        if !path.is_file() {
            bail!(
                "{variable} is {}, which is not a file; give the full path of {program}.",
                path.display()
            );
        }
        return Ok(Some(path));
    }
    let folder = env::var_os(ASSETS_VARIABLE)
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    Ok(folder
        .map(|folder| folder.join(program))
        .filter(|path| path.is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_variable_is_spelled_as_shells_allow() {
        assert_eq!(variable("kube-apiserver"), "PROCTOR_KUBE_APISERVER");
    }
}
