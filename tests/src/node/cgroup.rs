//! The node's own cgroup, in every hierarchy the machine has mounted (version 1 and 2), made and removed as a whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::wait;

/// How long the kernel may take to see that the last process of a cgroup is gone.
const EMPTY_DEADLINE: Duration = Duration::from_secs(30);

/// Below the node's cgroup: the control plane, the kubelet and containerd, apart from the pods that the kubelet makes room for.
const SYSTEM: &str = "system";

/// The mount points of all hierarchies.
fn hierarchies() -> Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/mounts")
        .context("/proc/mounts cannot be read, so the cgroups are not known.")?;
    Ok(mount_points(&mounts))
}

fn mount_points(mounts: &str) -> Vec<PathBuf> {
    let lines = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>());
    lines
        .filter(|fields| {
            fields
                .get(2)
                .is_some_and(|kind| *kind == "cgroup" || *kind == "cgroup2")
        })
        .filter_map(|fields| fields.get(1).map(PathBuf::from))
        .collect()
}

/// Makes the cgroup `name` in every hierarchy.
pub(super) fn create(name: &str) -> Result<()> {
    for root in hierarchies()? {
        for folder in [root.join(name), root.join(name).join(SYSTEM)] {
            fs::create_dir_all(&folder)
                .with_context(|| format!("The cgroup {} cannot be made.", folder.display()))?;
            inherit_cpuset(&folder)?;
        }
    }
    Ok(())
}

/// A new cpuset of version 1 is empty, and takes no process until it has processors and memory nodes.
fn inherit_cpuset(folder: &Path) -> Result<()> {
    let Some(parent) = folder.parent() else {
        return Ok(());
    };
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let Ok(value) = fs::read_to_string(parent.join(file)) else {
            continue;
        };
        if fs::read_to_string(folder.join(file)).is_ok_and(|own| own.trim().is_empty()) {
            fs::write(folder.join(file), value)
                .with_context(|| format!("{file} of {} cannot be set.", folder.display()))?;
        }
    }
    Ok(())
}

/// Moves the calling process into the cgroup `name`; its children follow.
pub(super) fn enter(name: &str) -> Result<()> {
    for root in hierarchies()? {
        let processes = root.join(name).join(SYSTEM).join("cgroup.procs");
        // 0 is the writer itself, whatever its number is in this namespace.
        fs::write(&processes, "0")
            .with_context(|| format!("{} cannot be entered.", processes.display()))?;
    }
    Ok(())
}

/// The processes of the node itself, its components among them.
pub(super) fn processes(name: &str) -> Result<Vec<u32>> {
    let mut all = Vec::new();
    for root in hierarchies()? {
        let list = root.join(name).join(SYSTEM).join("cgroup.procs");
        let text = fs::read_to_string(&list)
            .with_context(|| format!("{} cannot be read.", list.display()))?;
        all.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
    }
    Ok(all)
}

/// Removes the cgroup `name` and all below it, once its last process is gone.
pub(super) fn remove(name: &str) -> Result<()> {
    for root in hierarchies()? {
        let folder = root.join(name);
        wait::until(
            &format!("the removal of the cgroup {}", folder.display()),
            EMPTY_DEADLINE,
            || {
                remove_tree(&folder)?;
                Ok(Some(()))
            },
        )?;
    }
    Ok(())
}

/// The kernel removes a cgroup's files with it; only the folders are ours to remove, the deepest first.
fn remove_tree(folder: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
    {
        remove_tree(&entry.path())?;
    }
    fs::remove_dir(folder).with_context(|| format!("{} is still in use.", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_cgroups_are_found() {
        let mounts = "proc /proc proc rw 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        assert_eq!(
            mount_points(mounts),
            [
                PathBuf::from("/sys/fs/cgroup/memory"),
                PathBuf::from("/sys/fs/cgroup/unified")
            ]
        );
    }
}
