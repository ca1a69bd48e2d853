//! What is wrong with an object.
//!
//! `strings` shows every string with its place; `rules` says what is wrong with it, with the help of the readers of names, URLs, hosts,
//! tokens and shell scripts beside it. Modes and exceptions come last.

mod addresses;
mod hit;
mod hygiene;
mod json;
mod literal;
mod loopback;
mod names;
mod rules;
mod secrets;
mod served;
mod shell;
mod strings;
mod targets;
mod tokens;
mod url;
mod wayout;

use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use proctor_api::Mode;

use crate::context::Context;
use crate::finding::Finding;
use crate::merge::Effective;
use crate::platform::Platform;
use crate::view::{Kind, Object};
use hit::Hit;
pub(crate) use loopback::is_loopback;
use rules::Rules;

/// Everything that looks for something, built once.
#[derive(Debug)]
pub(crate) struct Detector {
    /// What token formats begin with.
    tokens: AhoCorasick,
    prefixes: Vec<&'static str>,
    host_machines: AhoCorasick,
}

impl Detector {
    pub(crate) fn new() -> Result<Self, BuildError> {
        let prefixes: Vec<&str> = tokens::prefixes().collect();
        Ok(Self {
            tokens: AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .build(&prefixes)?,
            prefixes,
            host_machines: AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .match_kind(MatchKind::LeftmostLongest)
                .build(loopback::HOST_MACHINES)?,
        })
    }

    pub(crate) fn review(
        &self,
        object: &Object<'_>,
        old: Option<&Object<'_>>,
        context: &Context<'_>,
        platform: &Platform,
        effective: &Effective<'_>,
    ) -> Vec<Finding> {
        let mut hits = self.hits(object, context, platform, effective);
        // What was no test was never judged: the update that makes it one brings in all that is in it.
        if let Some(old) = old.filter(|old| platform.label.selects(old)) {
            let before = self.hits(old, context, platform, effective);
            hits.retain(|hit| !before.iter().any(|known| known.same_as(hit)));
        }
        if let Some(old) = old {
            hygiene::of_label_taken(object, old, platform, &mut hits);
        }
        let findings = hits.into_iter().filter_map(|hit| {
            let names: Vec<&str> = hit
                .name
                .as_deref()
                .into_iter()
                .chain([object.name()])
                .collect();
            let mode = effective.mode(hit.code, context.namespace, &names, context.now);
            let mode = mode.min(platform.mode);
            (mode != Mode::Off).then(|| Finding {
                code: hit.code.code,
                rule: hit.code.rule,
                mode,
                path: hit.path,
                message: hit.message,
                suggestion: hit.suggestion,
                docs: hit.code.docs(),
            })
        });
        findings.collect()
    }

    fn hits(
        &self,
        object: &Object<'_>,
        context: &Context<'_>,
        platform: &Platform,
        effective: &Effective<'_>,
    ) -> Vec<Hit> {
        let mut rules = Rules::new(self, object, context, platform, effective);
        strings::each(object, &mut |subject| rules.judge(&subject));
        let mut hits = rules.into_hits();
        if object.kind() != Kind::Pod {
            hygiene::of_job(object, &mut hits);
        }
        hygiene::of_label(object, platform, &mut hits);
        hygiene::of_reporter(object, platform, effective, &mut hits);
        hits
    }
}
