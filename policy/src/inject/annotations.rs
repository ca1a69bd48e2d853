//! What people are told on the pod itself.

use serde_json::{Value, json};

use super::edit::{At, Edit};
use crate::merge::Effective;
use crate::view::Pod;

const APPLIED: &str = "proctor.dev/applied";
const CHANGES: &str = "proctor.dev/changes";
const MAX_CHANGES_BYTES: usize = 2048;
const MORE: &str = "\n…";

pub(super) fn supply(pod: Pod<'_, '_>, effective: &Effective<'_>, edit: &mut Edit) {
    let mut entries = Vec::new();
    let applied = effective.applied.join(",");
    if pod.annotation(APPLIED) != Some(&applied) {
        entries.push((APPLIED.to_owned(), Value::from(applied)));
    }
    if !edit.changes().is_empty() {
        // What an earlier pass of admission did is kept.
        let earlier = pod.annotation(CHANGES).filter(|text| !text.is_empty());
        let lines = earlier
            .into_iter()
            .chain(edit.changes().iter().map(String::as_str));
        let text = bounded(&lines.collect::<Vec<_>>().join("\n"));
        if pod.annotation(CHANGES) != Some(&text) {
            entries.push((CHANGES.to_owned(), Value::from(text)));
        }
    }
    let metadata = At::new(&["metadata"]);
    match pod.metadata {
        Some(known) => {
            let map = metadata.field("annotations");
            edit.entries(&map, known.annotations.is_present(), entries);
        }
        None => edit.add(
            metadata,
            json!({ "annotations": Value::from_iter(entries) }),
        ),
    }
}

fn bounded(text: &str) -> String {
    if text.len() <= MAX_CHANGES_BYTES {
        return text.to_owned();
    }
    let mut end = MAX_CHANGES_BYTES - MORE.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let kept = text.get(..end).unwrap_or_default();
    let whole_lines = kept.rsplit_once('\n').map_or(kept, |(lines, _)| lines);
    format!("{whole_lines}{MORE}")
}
