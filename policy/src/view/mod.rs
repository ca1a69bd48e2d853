//! Objects as the decision sees them: borrowed from the JSON, and only what is judged.

mod lenient;
mod metadata;
mod object;
mod pod;

pub(crate) use lenient::{List, Map, Text};
pub(crate) use metadata::Metadata;
pub(crate) use object::Pod;
pub use object::{Kind, Object, ObjectError};
pub(crate) use pod::{Container, ContainerList, EnvVar, Handler, Named, PodSpec};
