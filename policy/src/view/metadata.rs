//! What is judged of an object's metadata; `managedFields`, most of a large object, is skipped.

use serde::Deserialize;

use super::{Map, Text};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Metadata<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    #[serde(borrow)]
    pub(crate) generate_name: Text<'a>,
    #[serde(borrow)]
    pub(crate) namespace: Text<'a>,
    #[serde(borrow)]
    pub(crate) labels: Map<'a>,
    #[serde(borrow)]
    pub(crate) annotations: Map<'a>,
}
