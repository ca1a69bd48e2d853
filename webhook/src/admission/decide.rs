//! From a request to its answer: which part of the policy is asked, and how what it says is put.

use jiff::Timestamp;
use proctor_api::Mode;
use proctor_policy::{Context, Finding, Kind, Mutation, Object, ObjectError};

use super::answer::Cause;
use super::{Answer, Operation, Request};
use crate::state::Current;

/// Which of the two webhooks is called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// The object may still be changed.
    Mutate,
    /// The object is as it would be stored.
    Validate,
}

/// What became of a review.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It is none of our business: no test, or nothing that is judged.
    Skipped,
    /// Admitted as it is.
    Allowed,
    /// Admitted with changes.
    Patched,
    /// Admitted with warnings.
    Warned,
    /// Refused.
    Denied,
}

/// An answer, and what there is to count and to log about it.
#[derive(Debug)]
pub struct Decided {
    /// What the API server is told.
    pub answer: Answer,
    /// What became of it.
    pub outcome: Outcome,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Decides. Makes no call and has no side effect, so a dry run is like any other.
pub fn decide(phase: Phase, request: &Request<'_>, current: &Current, now: Timestamp) -> Decided {
    let operation = match request.operation {
        Operation::Create => proctor_policy::Operation::Create,
        Operation::Update => proctor_policy::Operation::Update,
        Operation::Delete | Operation::Connect => return Decided::skipped(),
    };
    let (Some(kind), Some(object)) = (kind(request), request.object) else {
        return Decided::skipped();
    };
    let object = match Object::parse(kind, object.get().as_bytes()) {
        Ok(object) => object,
        Err(error) => return Decided::unreadable(&error),
    };
    let compiled = current.compiled();
    let world = current.known();
    let context = Context {
        now,
        operation,
        namespace: &request.namespace,
        namespace_labels: &world.labels(&request.namespace),
        services: world.services(),
    };
    match phase {
        Phase::Mutate if compiled.selects(&object) => {
            Decided::mutated(compiled.mutate(&object, &context))
        }
        Phase::Mutate => Decided::skipped(),
        Phase::Validate => {
            let old = request
                .old_object
                .map(|old| Object::parse(kind, old.get().as_bytes()))
                .transpose();
            let old = match old {
                Ok(old) => old,
                Err(error) => return Decided::unreadable(&error),
            };
            // An object that lost its label is one of ours still.
            if !compiled.selects(&object) && !old.as_ref().is_some_and(|old| compiled.selects(old))
            {
                return Decided::skipped();
            }
            Decided::judged(compiled.review(&object, old.as_ref(), &context))
        }
    }
}

fn kind(request: &Request<'_>) -> Option<Kind> {
    match (&*request.kind.group, &*request.kind.kind) {
        ("", "Pod") => Some(Kind::Pod),
        ("batch", "Job") => Some(Kind::Job),
        ("batch", "CronJob") => Some(Kind::CronJob),
        _ => None,
    }
}

impl Decided {
    fn new(answer: Answer, outcome: Outcome) -> Self {
        Self {
            answer,
            outcome,
            findings: Vec::new(),
        }
    }

    fn skipped() -> Self {
        Self::new(Answer::allowed(), Outcome::Skipped)
    }

    /// The API server sends only what it has read itself, so this should not happen; what cannot be judged is not admitted.
    fn unreadable(error: &ObjectError) -> Self {
        let message = format!("Proctor cannot read the object: {}", crate::causes(error));
        Self::new(Answer::denied(message), Outcome::Denied)
    }

    fn mutated(mutation: Mutation) -> Self {
        let answer = Answer::patched(json_patch::Patch(mutation.operations))
            .with_warnings(mutation.warnings);
        let outcome = if answer.is_patched() {
            Outcome::Patched
        } else {
            Outcome::Allowed
        };
        Self::new(answer, outcome)
    }

    fn judged(findings: Vec<Finding>) -> Self {
        let of = |mode| findings.iter().filter(move |finding| finding.mode == mode);
        let warnings: Vec<_> = of(Mode::Warn)
            .map(|finding| format!("Proctor {}", brief(finding)))
            .collect();
        let refused: Vec<_> = of(Mode::Enforce).map(line).collect();
        let causes = of(Mode::Enforce).map(|finding| Cause {
            reason: finding.code,
            message: format!("{}; {}", finding.message, finding.suggestion),
            field: finding.path.clone(),
        });
        let (answer, outcome) = match (refused.len(), warnings.is_empty()) {
            (0, true) => (Answer::allowed(), Outcome::Allowed),
            (0, false) => (Answer::allowed(), Outcome::Warned),
            (1, _) => (
                Answer::denied(format!("Proctor found: {}", refused.concat())).with_causes(causes),
                Outcome::Denied,
            ),
            (count, _) => {
                let lines = refused.join("\n- ");
                let message = format!("Proctor found {count} things:\n- {lines}");
                (Answer::denied(message).with_causes(causes), Outcome::Denied)
            }
        };
        Self {
            answer: answer.with_warnings(warnings),
            outcome,
            findings,
        }
    }

    /// The codes of what was found.
    pub fn codes(&self) -> Vec<&'static str> {
        self.findings.iter().map(|finding| finding.code).collect()
    }
}

/// A finding in one line: code, place, reason, way out, page.
fn line(finding: &Finding) -> String {
    format!("{} ({})", brief(finding), finding.docs)
}

/// A finding as short as a warning has to be.
fn brief(finding: &Finding) -> String {
    let Finding {
        code,
        path,
        message,
        suggestion,
        ..
    } = finding;
    format!("{code} at {path}: {message}; {suggestion}")
}

impl Phase {
    /// In metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mutate => "mutate",
            Self::Validate => "validate",
        }
    }
}

impl Outcome {
    /// In metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Allowed => "allowed",
            Self::Patched => "patched",
            Self::Warned => "warned",
            Self::Denied => "denied",
        }
    }
}
