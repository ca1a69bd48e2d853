//! A patch in the making.

use json_patch::jsonptr::{PointerBuf, Token};
use json_patch::{AddOperation, PatchOperation, ReplaceOperation};
use serde_json::Value;

use super::Mutation;

/// A patch in the making, with what it says to people.
#[derive(Debug, Default)]
pub(crate) struct Edit {
    operations: Vec<PatchOperation>,
    changes: Vec<String>,
    warnings: Vec<String>,
}

/// A place in an object.
#[derive(Clone, Debug)]
pub(crate) struct At(PointerBuf);

impl At {
    pub(crate) fn new(path: &[&str]) -> Self {
        Self(PointerBuf::from_tokens(path.iter().copied()))
    }

    pub(crate) fn field<'t>(&self, field: impl Into<Token<'t>>) -> Self {
        Self(self.0.with_trailing_token(field))
    }
}

impl Edit {
    /// Sets a field that is absent, or null.
    pub(crate) fn add(&mut self, at: At, value: impl Into<Value>) {
        self.operations.push(PatchOperation::Add(AddOperation {
            path: at.0,
            value: value.into(),
        }));
    }

    /// Sets a field that has a value.
    pub(crate) fn replace(&mut self, at: At, value: impl Into<Value>) {
        self.operations
            .push(PatchOperation::Replace(ReplaceOperation {
                path: at.0,
                value: value.into(),
            }));
    }

    /// Puts items into a list from an index on; makes the list where it is not present.
    pub(crate) fn insert(&mut self, list: &At, present: bool, index: usize, items: Vec<Value>) {
        if items.is_empty() {
            return;
        }
        if !present {
            return self.add(list.clone(), items);
        }
        for (offset, item) in items.into_iter().enumerate() {
            self.add(list.field(index + offset), item);
        }
    }

    /// Puts entries into a map; makes the map where it is not present.
    pub(crate) fn entries(&mut self, map: &At, present: bool, entries: Vec<(String, Value)>) {
        if entries.is_empty() {
            return;
        }
        if !present {
            return self.add(map.clone(), Value::Object(entries.into_iter().collect()));
        }
        for (key, value) in entries {
            self.add(map.field(&key), value);
        }
    }

    /// A line for people.
    pub(crate) fn changed(&mut self, line: String) {
        self.changes.push(line);
    }

    pub(crate) fn warn(&mut self, line: String) {
        self.warnings.push(line);
    }

    pub(crate) fn changes(&self) -> &[String] {
        &self.changes
    }

    pub(crate) fn into_mutation(self) -> Mutation {
        Mutation {
            operations: self.operations,
            changes: self.changes,
            warnings: self.warnings,
        }
    }
}
