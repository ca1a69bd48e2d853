//! What is wrong with a string in its place.

use proctor_api::injected::REPORTER;

use super::addresses::Target;
use super::hit::{Hit, fingerprint};
use super::literal::is_credential;
use super::loopback::is_loopback;
use super::names::Words;
use super::shell::{self, Command};
use super::strings::{Place, Role, Subject};
use super::targets;
use super::url::{Url, has_password_pair};
use super::{Detector, json, secrets, served, tokens, wayout};
use crate::context::Context;
use crate::finding::{self, Code};
use crate::merge::Effective;
use crate::platform::Platform;
use crate::view::{EnvVar, Object};

/// What a text is. In a script pairs are assignments, which are judged one by one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Value,
    Script,
}

/// What is found in one object.
pub(crate) struct Rules<'r> {
    detector: &'r Detector,
    object: &'r Object<'r>,
    context: &'r Context<'r>,
    platform: &'r Platform,
    effective: &'r Effective<'r>,
    hits: Vec<Hit>,
}

impl<'r> Rules<'r> {
    pub(crate) fn new(
        detector: &'r Detector,
        object: &'r Object<'r>,
        context: &'r Context<'r>,
        platform: &'r Platform,
        effective: &'r Effective<'r>,
    ) -> Self {
        Self {
            detector,
            object,
            context,
            platform,
            effective,
            hits: Vec::new(),
        }
    }

    pub(crate) fn into_hits(self) -> Vec<Hit> {
        self.hits
    }

    pub(crate) fn judge(&mut self, subject: &Subject<'_>) {
        match subject {
            Subject::Env(place, var) => self.env(place, var),
            Subject::Header(place, name, value) => self.header(place, name, value),
            Subject::Text(place, text) => {
                self.secret_in_text(place, text, Form::Value);
            }
            Subject::Line(words, role) => self.line(words, *role),
            Subject::HostAlias(place, ip) => self.host_alias(place, ip),
        }
    }

    fn env(&mut self, place: &Place<'_>, var: &EnvVar<'_>) {
        let (name, value) = (&*var.name, &*var.value);
        if var.value_from.is_some() || value.is_empty() || self.is_own(place, var) {
            return;
        }
        let inside = json::pairs(value);
        let holds_credential = |name: &str| {
            let mut inside = inside.iter();
            is_credential(&Words::of(name), value)
                || inside.any(|(key, text)| is_credential(&Words::of(key), text))
        };
        if !self.secret_in_text(place, value, Form::Value) && holds_credential(name) {
            let message = format!("{name} is a credential in plain sight");
            let way_out = format!("set valueFrom.secretKeyRef to a Secret that holds {name}");
            self.hit(
                &finding::SECRET_IN_ENV,
                place,
                Some(name),
                value,
                message,
                way_out,
            );
        }
        self.host_machine(place, Some(name), value);
        let Some((_, _, container)) = place.container else {
            return;
        };
        let mut found = targets::in_env(name, value, container);
        for (key, text) in &inside {
            found.extend(targets::in_env(key, text, container));
        }
        if let Some(target) = self.unserved(found, place) {
            self.localhost(place, name, &target, value, Some(name));
        }
    }

    fn header(&mut self, place: &Place<'_>, name: &str, value: &str) {
        if !self.secret_in_text(place, value, Form::Value)
            && secrets::is_secret_header_value(name, value)
        {
            let message = format!("the header {name} holds a credential");
            let code = &finding::SECRET_IN_COMMAND;
            self.hit(code, place, None, value, message, code.way_out.to_owned());
        }
    }

    fn host_alias(&mut self, place: &Place<'_>, ip: &str) {
        if is_loopback(ip) {
            let message = "a host name is pointed at the pod itself".to_owned();
            let code = &finding::LOOPBACK_ALIAS;
            self.hit(code, place, None, ip, message, code.way_out.to_owned());
        }
    }

    /// A command line: each script in it by itself, the words around as one command.
    fn line(&mut self, words: &[(Place<'_>, &str)], role: Role) {
        let mut argv = Command::default();
        let mut places = Vec::new();
        let mut before = None;
        for (place, word) in words {
            let script = shell::is_script(before, word);
            self.secret_in_text(place, word, if script { Form::Script } else { Form::Value });
            if script {
                for command in shell::commands(word) {
                    let everywhere = vec![place; command.words.len()];
                    self.command(&command, &everywhere, role);
                }
            } else {
                argv.words.push((*word).to_owned());
                places.push(place);
            }
            before = Some(*word);
        }
        self.command(&argv, &places, role);
    }

    fn command(&mut self, command: &Command, places: &[&Place<'_>], role: Role) {
        let at = |index: usize| Some((*places.get(index)?, command.words.get(index)?.as_str()));
        for (index, name) in secrets::in_command(command) {
            if let Some((place, word)) = at(index) {
                let message = format!("{name} holds a credential in plain sight");
                let code = &finding::SECRET_IN_COMMAND;
                self.hit(code, place, None, word, message, code.way_out.to_owned());
            }
        }
        if let Some((place, _)) = secrets::tunnel(command).and_then(at) {
            let message = format!("{} opens a tunnel", command.program());
            let what = command.words.join(" ");
            let way_out = self.way_out(&[&what], None);
            self.hit(&finding::TUNNEL, place, None, &what, message, way_out);
        }
        if role == Role::Probe {
            return;
        }
        if let Some((place, word)) = secrets::writes_hosts(command).and_then(at) {
            let message = "a line written to /etc/hosts points a name at the pod itself".to_owned();
            let way_out = finding::LOOPBACK_ALIAS.way_out.to_owned();
            self.hit(
                &finding::LOOPBACK_ALIAS,
                place,
                None,
                word,
                message,
                way_out,
            );
            return;
        }
        if !command.is_message() {
            for (place, word) in places.iter().zip(&command.words) {
                self.host_machine(place, None, word);
            }
        }
        let Some((_, _, container)) = places.first().and_then(|place| place.container) else {
            return;
        };
        for (index, target) in targets::in_command(command, container) {
            if let Some((place, word)) = at(index)
                && let Some(target) = self.unserved(vec![target], place)
            {
                self.localhost(place, "the command", &target, word, None);
            }
        }
    }

    /// Credentials that show in any string: tokens, keys, passwords in URLs. Whether there was one.
    fn secret_in_text(&mut self, place: &Place<'_>, text: &str, form: Form) -> bool {
        let detector = self.detector;
        let mut known = detector.tokens.find_iter(text).filter_map(|found| {
            let prefix = detector.prefixes.get(found.pattern().as_usize())?;
            tokens::at(text, found.start(), prefix)
        });
        if let Some((code, service)) = known.next() {
            let message = match service {
                "PEM" | "JWT" => format!(
                    "{} is in plain sight",
                    code.title
                        .to_lowercase()
                        .replace("json web token", "JSON Web Token")
                ),
                _ => format!("an access token of {service} is in plain sight"),
            };
            self.hit(code, place, None, text, message, code.way_out.to_owned());
            return true;
        }
        if Url::all(text).any(|url| url.has_password())
            || (form == Form::Value && has_password_pair(text))
        {
            let code = &finding::SECRET_IN_URL;
            let message = "a connection string holds a password in plain sight".to_owned();
            self.hit(code, place, None, text, message, code.way_out.to_owned());
            return true;
        }
        false
    }

    fn host_machine(&mut self, place: &Place<'_>, name: Option<&str>, text: &str) {
        let Some(found) = self.detector.host_machines.find(text) else {
            return;
        };
        let part_of_name = |byte: Option<&u8>| {
            byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        };
        let bytes = text.as_bytes();
        let before = found.start().checked_sub(1).and_then(|at| bytes.get(at));
        if part_of_name(before) || part_of_name(bytes.get(found.end())) {
            return;
        }
        let who = name.unwrap_or("the command");
        let message = format!(
            "{who} points at the machine outside, which exists on a developer's machine only"
        );
        let way_out = self.way_out(&[name.unwrap_or_default()], None);
        self.hit(&finding::HOST_MACHINE, place, name, text, message, way_out);
    }

    fn localhost(
        &mut self,
        place: &Place<'_>,
        who: &str,
        target: &Target,
        text: &str,
        name: Option<&str>,
    ) {
        let port = target
            .port
            .map(|port| format!(" port {port}"))
            .unwrap_or_default();
        let message = format!(
            "{who} points at localhost{port}, which inside the cluster is the test pod itself"
        );
        let way_out = self.way_out(&[name.unwrap_or_default(), &target.hint], target.port);
        self.hit(&finding::LOCALHOST, place, name, text, message, way_out);
    }

    fn unserved(&self, targets: Vec<Target>, place: &Place<'_>) -> Option<Target> {
        let container = place.container.map(|(_, _, container)| container);
        targets.into_iter().find(|target| {
            !served::by_pod(
                self.object.pod(),
                container,
                target.port,
                self.context,
                self.effective,
            )
        })
    }

    /// What the platform itself puts into its own container.
    fn is_own(&self, place: &Place<'_>, var: &EnvVar<'_>) -> bool {
        let Some(reporter) = &self.platform.reporter else {
            return false;
        };
        let ours = [&reporter.collector_url, &reporter.collector_ca];
        place
            .container
            .is_some_and(|(_, _, container)| &*container.name == REPORTER)
            && ours.iter().any(|value| **value == *var.value)
    }

    fn way_out(&self, hints: &[&str], port: Option<u16>) -> String {
        wayout::service(hints, port, self.context, self.effective)
    }

    fn hit(
        &mut self,
        code: &'static Code,
        place: &Place<'_>,
        name: Option<&str>,
        what: &str,
        message: String,
        suggestion: String,
    ) {
        let path = place.path();
        if self
            .hits
            .iter()
            .any(|known| known.path == path && known.code.code == code.code)
        {
            return;
        }
        self.hits.push(Hit {
            code,
            path,
            message,
            suggestion,
            name: name.map(str::to_owned),
            fingerprint: fingerprint(what),
        });
    }
}
