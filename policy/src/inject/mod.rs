//! What an object is given, as patch operations on its own JSON.

mod annotations;
mod containers;
mod dns;
mod edit;
mod environment;
mod evidence;
mod job;
mod pod;
mod reporter;
mod resources;

use json_patch::PatchOperation;

use crate::context::{Context, Operation};
use crate::merge::Effective;
use crate::platform::Platform;
use crate::view::{Kind, Object};

pub(crate) use evidence::differences;

/// What an object is given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mutation {
    /// JSON Patch (RFC 6902) on the object's own JSON.
    pub operations: Vec<PatchOperation>,
    /// A line per change, for people.
    pub changes: Vec<String>,
    /// What could not be given, for people.
    pub warnings: Vec<String>,
}

pub(crate) fn mutate(
    object: &Object<'_>,
    context: &Context<'_>,
    platform: &Platform,
    effective: &Effective<'_>,
) -> Mutation {
    let edit = match (object.kind(), context.operation) {
        (Kind::Pod, Operation::Create) => pod::supply(object, platform, effective),
        (Kind::Job, Operation::Create) | (Kind::CronJob, _) => {
            job::supply(object, platform, effective)
        }
        // A Job's template is immutable, and what runs is left alone.
        _ => return Mutation::default(),
    };
    edit.into_mutation()
}
