//! The first process of a node's namespaces: sets them up, starts the components, and keeps them running.
//!
//! It is process 1 of its process namespace, so everything of the node dies with it at once. It ends when its standard input
//! does, that is when its supervisor is gone.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{WaitOptions, wait};

use super::components::{self, Component};
use super::layout::{INSIDE, NODE_ADDRESS, NODE_NAME, SERVICES, Spec, State, VOLUMES};
use super::{cgroup, config, network};
use crate::run;
use crate::wait::until;

/// How long each stage of the boot may take; ten times what it takes on two cores.
const STAGE_DEADLINE: Duration = Duration::from_mins(1);

/// How often a component is started again before it is left dead.
const RESTARTS: usize = 20;

/// Runs the node whose state folder is `outside`, until the supervisor is gone.
pub(super) fn run(outside: &Path) -> Result<()> {
    let begin = Instant::now();
    std::thread::spawn(end_with_the_supervisor);
    boot(outside, begin)?.keep_running()
}

fn end_with_the_supervisor() {
    let mut byte = [0];
    // Nothing is ever written: an answer of any kind is the end.
    let _ = std::io::stdin().read(&mut byte);
    std::process::exit(1);
}

/// A node whose components run.
struct Running {
    spec: Spec,
    state: State,
    children: BTreeMap<u32, (Component, usize)>,
}

fn boot(outside: &Path, begin: Instant) -> Result<Running> {
    // /proc is still the one of the outer process namespace, in which this process has another number.
    let number = fs::read_link("/proc/self").context("/proc/self cannot be read.")?;
    let spec = Spec::read(&State::at(outside))?;
    let cgroup = State::at(outside).cgroup();
    cgroup::enter(&cgroup)?;
    fs::write(
        State::at(outside).init_pid(),
        number.as_os_str().as_encoded_bytes(),
    )?;
    mounts(outside)?;
    network::set_up(NODE_ADDRESS, SERVICES)?;
    let state = State::at(Path::new(INSIDE));
    config::write(&state, &spec.programs, &cgroup)?;
    for number in 0..VOLUMES {
        let folder = state.path("volumes").join(config::volume_name(number));
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
    }
    let mut booting = Booting {
        spec,
        state,
        children: Vec::new(),
    };
    for component in components::foundation() {
        booting.start(component)?;
    }
    let images = booting.load_images();
    booting.wait("the API server to be ready", |node| {
        node.kubectl(&["get", "--raw=/readyz"]).map(|_| Some(()))
    })?;
    for component in components::cluster() {
        booting.start(component)?;
    }
    let objects = booting.state.path("etc/objects.json");
    booting.kubectl(&["create", "-f", &objects.to_string_lossy()])?;
    booting.wait("the node to be Ready", |node| {
        let status = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
        let ready = node.kubectl(&["get", "node", NODE_NAME, "-o", status])?;
        Ok((ready == "True").then_some(()))
    })?;
    // Without it no pod is admitted; the controllers start up longer than the kubelet.
    booting.wait("the default service account", |node| {
        node.kubectl(&["get", "serviceaccount", "default"])
            .map(|_| Some(()))
    })?;
    for mut image in images? {
        let status = image.wait()?;
        if !status.success() {
            bail!(
                "An image could not be loaded ({status}); see {}.",
                State::at(outside).logs().join("images.log").display()
            );
        }
    }
    fs::write(
        booting.state.path("ready.draft"),
        format!("{:.1}", begin.elapsed().as_secs_f32()),
    )?;
    fs::rename(booting.state.path("ready.draft"), booting.state.ready())?;
    let Booting {
        spec,
        state,
        children,
    } = booting;
    let children = children
        .into_iter()
        .map(|(component, child)| (child.id(), (component, 0)))
        .collect();
    Ok(Running {
        spec,
        state,
        children,
    })
}

/// A file system of the node's own: what its components write to fixed paths must not be left on the machine.
fn mounts(outside: &Path) -> Result<()> {
    // -n: `mount` takes no notes in the machine's own /run.
    let mount =
        |arguments: &[&str]| run::output(Command::new("mount").arg("-n").args(arguments)).map(drop);
    mount(&["-t", "tmpfs", "tmpfs", "/run"])?;
    mount(&["-t", "proc", "proc", "/proc"])?;
    fs::create_dir(INSIDE)?;
    mount(&["--bind", &outside.to_string_lossy(), INSIDE])?;
    for folder in ["var/upper", "var/work"] {
        fs::create_dir_all(Path::new(INSIDE).join(folder))?;
    }
    let layers = format!("lowerdir=/var,upperdir={INSIDE}/var/upper,workdir={INSIDE}/var/work");
    mount(&["-t", "overlay", "overlay", "-o", &layers, "/var"])?;
    // The kubelet passes mounts on to containers that ask for it.
    mount(&["--make-rshared", "/"])
}

/// A node whose components are being started.
struct Booting {
    spec: Spec,
    state: State,
    children: Vec<(Component, Child)>,
}

impl Booting {
    fn start(&mut self, component: Component) -> Result<()> {
        let child = spawn(&self.spec, &self.state, &component)?;
        self.children.push((component, child));
        Ok(())
    }

    fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(self.spec.programs.program("kubectl")?);
        command
            .arg("--kubeconfig")
            .arg(self.state.kubeconfig())
            .arg("--cache-dir")
            .arg(self.state.path("kubectl"));
        run::output(command.args(arguments))
    }

    /// Waits for a stage, and fails at once when a component ends.
    fn wait(
        &mut self,
        what: &str,
        mut condition: impl FnMut(&Self) -> Result<Option<()>>,
    ) -> Result<()> {
        let mut dead = None;
        until(what, STAGE_DEADLINE, || {
            for (component, child) in &mut self.children {
                if let Some(status) = child.try_wait()? {
                    dead = Some((component.name, status));
                    return Ok(Some(()));
                }
            }
            condition(self)
        })?;
        match dead {
            None => Ok(()),
            Some((name, status)) => {
                let words = fs::read_to_string(log(&self.state, name)).unwrap_or_default();
                bail!(
                    "{name} ended ({status}) while waiting for {what}:\n{}",
                    run::tail(&words, 15)
                );
            }
        }
    }

    /// Starts loading all images; the control plane starts meanwhile.
    fn load_images(&self) -> Result<Vec<Child>> {
        until("containerd to answer", STAGE_DEADLINE, || {
            let version =
                run::output(Command::new(self.spec.programs.program("ctr")?).arg("version"));
            version.map(|_| Some(()))
        })?;
        let log = File::create(log(&self.state, "images"))?;
        let mut children = Vec::new();
        for image in &self.spec.images {
            let mut command = Command::new(self.spec.programs.program("ctr")?);
            command
                .args(["--namespace=k8s.io", "images", "import", "--local"])
                .arg(image);
            command
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log.try_clone()?);
            children.push(command.spawn()?);
        }
        Ok(children)
    }
}

impl Running {
    /// Reaps what ends, and starts a component again, as a machine's service manager would.
    fn keep_running(mut self) -> Result<()> {
        let mut journal = File::create(log(&self.state, "init"))?;
        loop {
            let Some((pid, status)) = wait(WaitOptions::empty())? else {
                continue;
            };
            let Ok(pid) = u32::try_from(pid.as_raw_nonzero().get()) else {
                continue;
            };
            // Everything else are orphans of containers and of people's commands.
            let Some((component, restarts)) = self.children.remove(&pid) else {
                continue;
            };
            writeln!(
                journal,
                "{} ended ({status:?}), restart {restarts}",
                component.name
            )?;
            if restarts < RESTARTS {
                let child = spawn(&self.spec, &self.state, &component)?;
                self.children.insert(child.id(), (component, restarts + 1));
            }
        }
    }
}

fn log(state: &State, component: &str) -> PathBuf {
    state.logs().join(format!("{component}.log"))
}

fn spawn(spec: &Spec, state: &State, component: &Component) -> Result<Child> {
    let log = log(state, component.name);
    let file = File::options().create(true).append(true).open(&log)?;
    let program = spec.programs.program(component.name)?;
    Command::new(program)
        .args(&component.arguments)
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .with_context(|| format!("{} cannot be started.", program.display()))
}
