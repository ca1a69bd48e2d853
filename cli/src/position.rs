//! YAML with the places of its values, so that a finding can be shown in its file.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Location, Spanned};

/// A value and where it is.
#[derive(Clone, Debug)]
pub(crate) struct Node(Spanned<Content>);

#[derive(Clone, Debug)]
enum Content {
    Scalar(Value),
    Sequence(Vec<Node>),
    Mapping(Vec<(String, Node)>),
}

/// A line and a column in a file, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The line.
    pub(crate) line: u64,
    /// The column.
    pub(crate) column: u64,
}

impl Node {
    /// What is in no file.
    pub(crate) fn empty() -> Self {
        Self(Spanned::new(
            Content::Scalar(Value::Null),
            Location::UNKNOWN,
            Location::UNKNOWN,
        ))
    }

    /// The value without its places.
    pub(crate) fn value(&self) -> Value {
        match &self.0.value {
            Content::Scalar(value) => value.clone(),
            Content::Sequence(items) => Value::Array(items.iter().map(Self::value).collect()),
            Content::Mapping(entries) => {
                let entries = entries
                    .iter()
                    .map(|(key, node)| (key.clone(), node.value()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    /// Where it is.
    fn position(&self) -> Position {
        Position {
            line: self.0.referenced.line(),
            column: self.0.referenced.column(),
        }
    }

    /// The entry of a mapping.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Content::Mapping(entries) = &self.0.value else {
            return None;
        };
        entries
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, node)| node)
    }

    /// The objects of a List, where it is one; else the object back.
    pub(crate) fn into_items(self) -> Result<Vec<Self>, Self> {
        let named = self
            .get("kind")
            .and_then(Self::text)
            .is_some_and(|kind| kind.ends_with("List"));
        if !named {
            return Err(self);
        }
        let Content::Mapping(entries) = self.0.value else {
            return Ok(Vec::new());
        };
        let items = entries.into_iter().find(|(key, _)| key == "items");
        Ok(match items.map(|(_, node)| node.0.value) {
            Some(Content::Sequence(items)) => items,
            _ => Vec::new(),
        })
    }

    /// The items of a sequence.
    fn items(&self) -> &[Self] {
        match &self.0.value {
            Content::Sequence(items) => items,
            _ => &[],
        }
    }

    fn text(&self) -> Option<&str> {
        match &self.0.value {
            Content::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The place of a finding's path, or of the innermost part of it that the file has: what a default or a policy added has no line.
    pub(crate) fn find(&self, path: &str) -> Position {
        let mut node = self;
        let mut rest = path;
        while !rest.is_empty() {
            let (next, after) = node.step(rest);
            let Some(next) = next else { break };
            node = next;
            rest = after;
        }
        node.position()
    }

    /// The child that the first step of a path leads to, and the rest of the path.
    fn step<'p>(&self, path: &'p str) -> (Option<&Self>, &'p str) {
        if let Some(inside) = path.strip_prefix('[') {
            let end = inside.find(']').unwrap_or(inside.len());
            let (step, rest) = (
                inside.get(..end).unwrap_or_default(),
                inside.get(end + 1..).unwrap_or_default(),
            );
            let child = match step.split_once('=') {
                Some((key, value)) => self
                    .items()
                    .iter()
                    .find(|item| item.get(key).and_then(Self::text) == Some(value)),
                None => step
                    .parse()
                    .ok()
                    .and_then(|index: usize| self.items().get(index))
                    .or_else(|| self.get(step)),
            };
            return (child, rest.strip_prefix('.').unwrap_or(rest));
        }
        // Keys may have dots in them (annotations do), so the longest key that fits is taken.
        let Content::Mapping(entries) = &self.0.value else {
            return (None, path);
        };
        let fits = |key: &str| {
            path.strip_prefix(key)
                .filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let longest = entries
            .iter()
            .filter(|(key, _)| fits(key).is_some())
            .max_by_key(|(key, _)| key.len());
        match longest {
            Some((key, node)) => {
                let rest = fits(key).unwrap_or_default();
                (Some(node), rest.strip_prefix('.').unwrap_or(rest))
            }
            None => (None, path),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Node)
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value that JSON can hold")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Content, E> {
        Ok(Content::Scalar(
            Number::from_f64(value).map_or(Value::Null, Value::Number),
        ))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Content, D::Error> {
        Content::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Content::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Content::Mapping(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = "kind: Job
spec:
  template:
    metadata:
      annotations:
        example.org/a.b: x
    spec:
      containers:
      - name: other
      - name: test-runner
        env:
        - name: A
          value: one
        - name: JWT_SECRET
          value: two
";

    fn line_of(path: &str) -> u64 {
        let node: Node = serde_saphyr::from_str(JOB).unwrap();
        node.find(path).line
    }

    #[test]
    fn a_finding_is_found_in_its_file() {
        assert_eq!(
            line_of("spec.template.spec.containers[name=test-runner].env[name=JWT_SECRET].value"),
            15
        );
        assert_eq!(line_of("spec.template.spec.containers[0].name"), 9);
        assert_eq!(
            line_of("spec.template.metadata.annotations[example.org/a.b]"),
            6
        );
        assert_eq!(
            line_of("spec.template.metadata.annotations.example.org/a.b"),
            6
        );
    }

    #[test]
    fn what_is_not_in_the_file_is_shown_where_it_would_be() {
        assert_eq!(
            line_of("spec.template.spec.containers[name=test-runner].env[name=B].value"),
            12
        );
        assert_eq!(line_of(""), 1);
    }

    #[test]
    fn values_are_those_of_json() {
        let node: Node =
            serde_saphyr::from_str("{a: 1, b: [true, null, 1.5, \"{{X}}\"], c: text}").unwrap();
        assert_eq!(
            node.value(),
            serde_json::json!({"a": 1, "b": [true, null, 1.5, "{{X}}"], "c": "text"})
        );
    }
}
