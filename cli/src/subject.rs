//! An object as admission would see it: with the API server's defaults, then with what it is given.

use std::path::PathBuf;

use json_patch::Patch;
use proctor_policy::{Finding, Kind, Object, set_defaults};
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::input::Document;
use crate::policies::Judge;
use crate::position::Node;

/// An object with a pod or a pod template.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// The file, or `-`.
    pub(crate) file: PathBuf,
    /// The object with its places.
    pub(crate) node: Node,
    /// What it is.
    pub(crate) kind: Kind,
    /// The object as it is in the file.
    pub(crate) object: Value,
}

impl Subject {
    /// The object of a document, where it has a pod or a pod template.
    pub(crate) fn of(document: Document) -> Option<Self> {
        let object = document.node.value();
        let kind = Kind::named(object.get("kind")?.as_str()?)?;
        Some(Self {
            file: document.file,
            node: document.node,
            kind,
            object,
        })
    }

    /// Its name, or the stem that a name is made from.
    pub(crate) fn name(&self) -> &str {
        let text = |pointer: &str| self.object.pointer(pointer).and_then(Value::as_str);
        text("/metadata/name")
            .or_else(|| text("/metadata/generateName"))
            .unwrap_or_default()
    }

    /// Its namespace; `default` where it says none.
    pub(crate) fn namespace(&self) -> &str {
        let text = self
            .object
            .pointer("/metadata/namespace")
            .and_then(Value::as_str);
        text.filter(|name| !name.is_empty()).unwrap_or("default")
    }

    /// Whether it carries the test label, on itself or on its template.
    pub(crate) fn is_test(&self, judge: &Judge) -> Result<bool, Failure> {
        self.with(&self.object, |object| judge.compiled().selects(object))
    }

    /// The same with the test label, unless it has another value under the label's key.
    fn labelled(&self, judge: &Judge) -> Self {
        let label = &judge.compiled().platform().label;
        let mut labelled = self.clone();
        let mut path = self.kind.pod_path().iter();
        let template = path.try_fold(&self.object, |value, key| value.get(*key));
        let has = |object: Option<&Value>| {
            let labels = object.and_then(|object| object.pointer("/metadata/labels"));
            labels.is_some_and(|labels| labels.get(&label.key).is_some())
        };
        if !has(template)
            && !has(Some(&self.object))
            && let Some(object) = labelled.object.as_object_mut()
            && let Some(metadata) = map_at(object, "metadata")
            && let Some(labels) = map_at(metadata, "labels")
        {
            labels.insert(label.key.clone(), label.value.clone().into());
        }
        labelled
    }

    /// The operations that admission would apply to the object as it is in the file.
    pub(crate) fn operations(&self, judge: &Judge) -> Result<Patch, Failure> {
        self.given(judge, &self.object)
    }

    /// The object as it would be stored.
    pub(crate) fn stored(&self, judge: &Judge) -> Result<Value, Failure> {
        let mut object = self.object.clone();
        set_defaults(self.kind, &mut object);
        let patch = self.given(judge, &object)?;
        json_patch::patch(&mut object, &patch).map_err(Failure::Patch)?;
        Ok(object)
    }

    /// What would be said of it at the end of admission; of one without the test label, what would be said if it had it.
    pub(crate) fn findings(&self, judge: &Judge) -> Result<Vec<Finding>, Failure> {
        let stored = self.labelled(judge).stored(judge)?;
        self.with(&stored, |object| {
            judge.in_namespace(self.namespace(), |compiled, context| {
                compiled.review(object, None, context)
            })
        })
    }

    /// The pod that would be created from it, before admission; a pod is itself.
    pub(crate) fn pod(&self, judge: &Judge) -> Result<Self, Failure> {
        if self.kind == Kind::Pod {
            return Ok(self.clone());
        }
        let stored = self.stored(judge)?;
        let template = self
            .kind
            .pod_path()
            .iter()
            .try_fold(&stored, |value, key| value.get(key));
        let part = |key: &str| template.and_then(|template| template.get(key)).cloned();
        let mut metadata = part("metadata")
            .and_then(|value| value.as_object().cloned())
            .unwrap_or_else(Map::new);
        metadata.insert(
            "generateName".to_owned(),
            format!("{}-", self.name()).into(),
        );
        metadata.insert("namespace".to_owned(), self.namespace().into());
        let object = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": part("spec") });
        Ok(Self {
            file: self.file.clone(),
            node: Node::empty(),
            kind: Kind::Pod,
            object,
        })
    }

    fn given(&self, judge: &Judge, object: &Value) -> Result<Patch, Failure> {
        self.with(object, |object| {
            judge.in_namespace(self.namespace(), |compiled, context| {
                Patch(compiled.mutate(object, context).operations)
            })
        })
    }

    /// Calls `decide` with the object as the decision sees it.
    fn with<T>(&self, object: &Value, decide: impl FnOnce(&Object<'_>) -> T) -> Result<T, Failure> {
        let json = serde_json::to_vec(object).map_err(|error| Failure::Encode(error.into()))?;
        let object = Object::parse(self.kind, &json).map_err(|object| Failure::Shape {
            path: self.file.clone(),
            object,
        })?;
        Ok(decide(&object))
    }
}

/// The map in a field; one is made where there is none.
fn map_at<'v>(
    object: &'v mut Map<String, Value>,
    field: &str,
) -> Option<&'v mut Map<String, Value>> {
    let slot = object.entry(field).or_insert(Value::Null);
    if slot.is_null() {
        *slot = Value::Object(Map::new());
    }
    slot.as_object_mut()
}
