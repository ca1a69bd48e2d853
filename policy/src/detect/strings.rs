//! The one iterator: every string in every kind of container, with its place. No rule walks on its own.

use proctor_api::injected::WRAPPER;

use crate::view::{Container, ContainerList, EnvVar, Handler, Metadata, Object, Pod, Text};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
const OWN_ANNOTATIONS: &str = "proctor.dev/";

/// Where a string is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'p> {
    /// Where the pod is in the object.
    pod_path: &'static [&'static str],
    pub(crate) container: Option<(ContainerList, usize, &'p Container<'p>)>,
    slot: Slot<'p>,
}

#[derive(Clone, Copy, Debug)]
enum Slot<'p> {
    Env(&'p EnvVar<'p>, usize),
    /// `command` or `args`, or the command of a probe or hook.
    Word(&'static str, usize),
    Header(&'static str, usize, &'p str),
    HttpPath(&'static str),
    Annotation(&'p str),
    ObjectAnnotation(&'p str),
    HostAlias(usize),
}

/// What a rule is shown.
#[derive(Debug)]
pub(crate) enum Subject<'p> {
    /// A value with a name: of an environment variable.
    Env(Place<'p>, &'p EnvVar<'p>),
    /// A value with a name: of a header.
    Header(Place<'p>, &'p str, &'p str),
    /// Any other string.
    Text(Place<'p>, &'p str),
    /// A command line, word by word.
    Line(Vec<(Place<'p>, &'p str)>, Role),
    /// An address in `hostAliases`.
    HostAlias(Place<'p>, &'p str),
}

/// What a command line is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    Main,
    Hook,
    /// A probe talks to its own pod by nature.
    Probe,
}

impl Place<'_> {
    /// `spec.template.spec.containers[name=test-runner].env[name=JWT_SECRET].value`
    pub(crate) fn path(&self) -> String {
        let mut path = self.pod_path.join(".");
        if let Slot::ObjectAnnotation(key) = self.slot {
            return format!("metadata.annotations[{key}]");
        }
        if !path.is_empty() {
            path.push('.');
        }
        if let Slot::Annotation(key) = self.slot {
            return format!("{path}metadata.annotations[{key}]");
        }
        path.push_str("spec");
        if let Some((list, index, container)) = &self.container {
            let item = named(&container.name, *index);
            path = format!("{path}.{}[{item}]", list.field());
        }
        let rest = match self.slot {
            Slot::Env(var, index) => format!(".env[{}].value", named(&var.name, index)),
            Slot::Word(field, index) => format!(".{field}[{index}]"),
            Slot::Header(handler, index, name) => {
                format!(
                    ".{handler}.httpGet.httpHeaders[{}].value",
                    named(name, index)
                )
            }
            Slot::HttpPath(handler) => format!(".{handler}.httpGet.path"),
            Slot::HostAlias(index) => format!(".hostAliases[{index}].ip"),
            Slot::Annotation(_) | Slot::ObjectAnnotation(_) => String::new(),
        };
        path + &rest
    }
}

fn named(name: &str, index: usize) -> String {
    if name.is_empty() {
        index.to_string()
    } else {
        format!("name={name}")
    }
}

/// Shows every string of the object to the rules, grouped as they are used.
pub(crate) fn each<'p>(object: &'p Object<'p>, visit: &mut dyn FnMut(Subject<'p>)) {
    let pod_path = object.kind().pod_path();
    let pod: Pod<'p, 'p> = object.pod();
    let place = |container, slot| Place {
        pod_path,
        container,
        slot,
    };
    if !pod_path.is_empty() {
        annotations(Some(object.metadata()), &mut |key, text| {
            visit(Subject::Text(
                place(None, Slot::ObjectAnnotation(key)),
                text,
            ));
        });
    }
    annotations(pod.metadata, &mut |key, text| {
        visit(Subject::Text(place(None, Slot::Annotation(key)), text));
    });
    let Some(spec) = pod.spec else {
        return;
    };
    for (index, alias) in spec.host_aliases.iter().enumerate() {
        visit(Subject::HostAlias(
            place(None, Slot::HostAlias(index)),
            &alias.ip,
        ));
    }
    for (list, index, container) in spec.indexed_containers() {
        let place = |slot| place(Some((list, index, container)), slot);
        for (index, var) in container.env.iter().enumerate() {
            visit(Subject::Env(place(Slot::Env(var, index)), var));
        }
        let command = submitted(container)
            .iter()
            .enumerate()
            .map(|(i, word)| (place(Slot::Word("command", i)), &**word));
        let args = container.args.iter().enumerate();
        let args = args.map(|(i, word)| (place(Slot::Word("args", i)), &**word));
        visit(Subject::Line(command.chain(args).collect(), Role::Main));

        let lifecycle = container.lifecycle.as_ref();
        let handlers = [
            (
                "lifecycle.postStart",
                "lifecycle.postStart.exec.command",
                lifecycle.and_then(|one| one.post_start.as_ref()),
                Role::Hook,
            ),
            (
                "lifecycle.preStop",
                "lifecycle.preStop.exec.command",
                lifecycle.and_then(|one| one.pre_stop.as_ref()),
                Role::Hook,
            ),
            (
                "livenessProbe",
                "livenessProbe.exec.command",
                container.liveness_probe.as_ref(),
                Role::Probe,
            ),
            (
                "readinessProbe",
                "readinessProbe.exec.command",
                container.readiness_probe.as_ref(),
                Role::Probe,
            ),
            (
                "startupProbe",
                "startupProbe.exec.command",
                container.startup_probe.as_ref(),
                Role::Probe,
            ),
        ];
        for (name, command, handler, role) in handlers {
            if let Some(handler) = handler {
                each_in_handler(handler, name, command, role, &place, visit);
            }
        }
    }
}

fn each_in_handler<'p>(
    handler: &'p Handler<'p>,
    name: &'static str,
    command: &'static str,
    role: Role,
    place: &dyn Fn(Slot<'p>) -> Place<'p>,
    visit: &mut dyn FnMut(Subject<'p>),
) {
    if let Some(exec) = &handler.exec {
        let words = exec.command.iter().enumerate();
        let words = words.map(|(i, word)| (place(Slot::Word(command, i)), &**word));
        visit(Subject::Line(words.collect(), role));
    }
    if let Some(get) = &handler.http_get {
        visit(Subject::Text(place(Slot::HttpPath(name)), &get.path));
        for (index, header) in get.http_headers.iter().enumerate() {
            let place = place(Slot::Header(name, index, &header.name));
            visit(Subject::Header(place, &header.name, &header.value));
        }
    }
}

fn annotations<'p>(metadata: Option<&'p Metadata<'p>>, visit: &mut dyn FnMut(&'p str, &'p str)) {
    let annotations = metadata
        .into_iter()
        .flat_map(|metadata| metadata.annotations.iter());
    for (key, text) in annotations {
        if key != LAST_APPLIED && !key.starts_with(OWN_ANNOTATIONS) {
            visit(key, text);
        }
    }
}

/// The command as it was before the wrapper came in front of it, so that paths are those of the submitted object.
fn submitted<'p>(container: &'p Container<'p>) -> &'p [Text<'p>] {
    let words: &[_] = &container.command;
    if words.first().is_some_and(|word| &**word == WRAPPER)
        && let Some(end) = words.iter().position(|word| &**word == "--")
        && let Some(command) = words.get(end + 1..)
    {
        return command;
    }
    words
}
