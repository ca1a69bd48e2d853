//! What is wrong with an object, and the table of all the codes.

use proctor_api::Mode;
use serde::Serialize;

/// What is wrong with an object, where, and the way out. No part of it ever holds a secret.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// The stable code, `PRC101`.
    pub code: &'static str,
    /// The rule in words, `secret-in-env`.
    pub rule: &'static str,
    /// `Enforce`: it is refused. `Warn` and `Audit`: it is admitted.
    pub mode: Mode,
    /// Where, from the submitted object: `spec.template.spec.containers[name=test-runner].env[name=JWT_SECRET].value`.
    pub path: String,
    /// Why it is refused.
    pub message: String,
    /// The way out, one line.
    pub suggestion: String,
    /// The page about the code.
    pub docs: String,
}

/// Whether an object with these findings is admitted.
///
/// ```
/// assert!(proctor_policy::allowed(&[]));
/// ```
pub fn allowed(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.mode != Mode::Enforce)
}

/// A kind of finding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Code {
    /// The stable code.
    pub code: &'static str,
    /// The rule in words.
    pub rule: &'static str,
    /// The heading of its page.
    pub title: &'static str,
    /// Its mode where no policy says otherwise.
    pub default_mode: Mode,
    /// Why it is refused, in two or three sentences.
    pub explanation: &'static str,
    /// What to do instead.
    pub way_out: &'static str,
}

impl Code {
    /// The page about it, in the folder `docs/findings` of the repository.
    pub fn docs(&self) -> String {
        format!(
            "https://github.com/proctor-dev/proctor/blob/main/docs/findings/{}.md",
            self.code
        )
    }

    /// The code of this name, in any case.
    ///
    /// ```
    /// use proctor_policy::Code;
    ///
    /// assert_eq!(Code::find("prc101").map(|code| code.rule), Some("secret-in-env"));
    /// ```
    pub fn find(name: &str) -> Option<&'static Self> {
        let mut codes = CODES.iter();
        codes.find(|code| code.code.eq_ignore_ascii_case(name))
    }
}

macro_rules! codes {
    ($($name:ident = $code:literal, $rule:literal, $mode:ident, $title:literal, $explanation:literal, $way_out:literal;)*) => {
        $(pub(crate) const $name: Code = Code {
            code: $code,
            rule: $rule,
            title: $title,
            default_mode: Mode::$mode,
            explanation: $explanation,
            way_out: $way_out,
        };)*

        /// All the codes, in order.
        pub const CODES: &[Code] = &[$($name),*];
    };
}

codes! {
    SECRET_IN_ENV = "PRC101", "secret-in-env", Enforce,
        "A credential in an environment variable",
        "A variable whose name says that it holds a credential has a literal value. Everybody who may read the Job, its history in git, or the audit log of the cluster can read it, and nobody can rotate it. Test and placeholder values count: they are what reaches the next environment.",
        "Put the value into a Secret and refer to it with valueFrom.secretKeyRef, or let a policy inject the Secret.";
    SECRET_IN_URL = "PRC102", "secret-in-url", Enforce,
        "A credential in a URL or connection string",
        "A URL or connection string holds a password in plain sight. It ends up in logs and error messages of every library that prints where it connects to.",
        "Take the whole connection string from a Secret, or put the password into a variable from a Secret and write $(NAME) in its place.";
    KNOWN_TOKEN = "PRC103", "known-token", Enforce,
        "An access token",
        "A string has the unmistakable format of an access token of a known service.",
        "Revoke the token, put a new one into a Secret, and refer to it with valueFrom.secretKeyRef.";
    PRIVATE_KEY = "PRC104", "private-key", Enforce,
        "A private key",
        "A string holds a private key in PEM.",
        "Replace the key, put the new one into a Secret, and mount that as a file.";
    JWT = "PRC105", "json-web-token", Enforce,
        "A JSON Web Token",
        "A string holds a signed JSON Web Token. Until it expires, whoever reads the object can use it.",
        "Let the test fetch a token, or take it from a Secret with valueFrom.secretKeyRef.";
    SECRET_IN_COMMAND = "PRC106", "secret-in-command", Enforce,
        "A credential in a command",
        "A command or its arguments hold a credential: as a flag, or as an assignment in a shell script. Besides everybody who may read the Job, everybody who may list processes in the pod can read it.",
        "Take the value from a Secret as environment and write $(NAME) in a command, \"$NAME\" in a shell script.";
    LOCALHOST = "PRC201", "localhost-target", Enforce,
        "localhost as a target",
        "Inside the cluster localhost is the test pod itself. A test that talks to localhost tests a forwarded port on somebody's machine, or nothing.",
        "Use the DNS name of the Service, such as postgres.shop.svc.cluster.local:5432. If a container of the pod serves the port, declare it as a containerPort there, or name it in the annotation proctor.dev/serves.";
    HOST_MACHINE = "PRC202", "host-machine", Enforce,
        "The machine outside as a target",
        "A name such as host.docker.internal stands for the machine a container runs on. It exists on a developer's machine only.",
        "Use the DNS name of the Service.";
    TUNNEL = "PRC203", "tunnel", Enforce,
        "A tunnel",
        "A command opens a tunnel (kubectl port-forward, ssh -L, telepresence). In-cluster tests reach Services directly; a tunnel hides whether they could.",
        "Remove the tunnel and use the DNS name of the Service.";
    LOOPBACK_ALIAS = "PRC204", "loopback-alias", Enforce,
        "A host name pointed at the pod itself",
        "hostAliases, or a line written to /etc/hosts, points a name at a loopback address, so that the name no longer means the Service.",
        "Remove the alias and use the DNS name of the Service.";
    RETRIES = "PRC301", "retries", Warn,
        "Retries that mask failures",
        "With a backoffLimit above 0 a test that fails now and then ends green, and nobody learns of it.",
        "Set backoffLimit: 0 and let the test framework mark flaky tests.";
    RESTART_POLICY = "PRC302", "restart-policy", Warn,
        "A test container that restarts",
        "With a restartPolicy other than Never a failed test container is started again in the same pod, over the leftovers of the first attempt.",
        "Set restartPolicy: Never in the pod template.";
    NO_DEADLINE = "PRC303", "no-deadline", Warn,
        "No deadline",
        "Without activeDeadlineSeconds a test that hangs keeps its pod until somebody looks.",
        "Set activeDeadlineSeconds in the Job.";
    OTHER_LABEL = "PRC401", "other-label-value", Enforce,
        "The pod template has another value under the test label's key",
        "The object carries the test label, but its pod template has another value under the same key. The pods would not be test pods, and nothing would be supplied or brought out. An existing label is never overwritten, because selectors may depend on it.",
        "Give the pod template the same value, or move the other meaning to another key.";
    NOT_INJECTED = "PRC402", "not-injected", Enforce,
        "The reporter is missing or was changed",
        "The pod should carry the reporter, and at the end of admission it does not, or not as it was injected: another webhook removed or changed it, the pod uses one of Proctor's names itself, or another container mounts the reporter's token. A Job is refused when its pod template takes such a name.",
        "Rename containers and volumes that are called proctor-reporter, proctor or proctor-token; look for a webhook that changes containers of others.";
    LABEL_REMOVED = "PRC403", "label-removed", Enforce,
        "The test label was removed",
        "An update takes the test label away from a pod or pod template, so that its pods would no longer be judged.",
        "Keep the label; delete the object when the test is no longer needed.";
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_code_has_its_page() {
        let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/findings");
        for code in CODES {
            let page = pages.join(format!("{}.md", code.code));
            let text = std::fs::read_to_string(&page).unwrap_or_default();
            for part in [code.title, code.explanation, code.way_out] {
                assert!(text.contains(part), "{} lacks: {part}", page.display());
            }
        }
    }

    #[test]
    fn codes_are_sorted_and_unique() {
        assert!(CODES.is_sorted_by(|one, next| one.code < next.code));
    }
}
