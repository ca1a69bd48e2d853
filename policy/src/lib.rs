//! The decision: an object and its context in, patch operations and findings out.
//!
//! [`Compiled`] is made from the policies once per change. It says what an object is given ([`Compiled::mutate`]) and what is wrong
//! with it ([`Compiled::review`]). Objects are borrowed views of JSON ([`Object`]): what is not judged is skipped, and a change is JSON
//! Patch on the object's own JSON, so that unknown fields survive.
//!
//! This crate does no I/O, knows no server, and asks nobody: what is known around an object comes in a [`Context`].
//!
//! | module | what |
//! |---|---|
//! | `view` | objects, borrowed from their JSON |
//! | `compiled`, `merge`, `selector` | policies checked, and put together for one object |
//! | `inject` | what is given, as patch operations |
//! | `detect` | what is wrong, as findings |
//! | `finding` | findings, and the table of their codes |
//! | `defaults` | what the API server fills in before admission |

mod compiled;
mod context;
mod defaults;
mod detect;
mod finding;
mod inject;
mod merge;
mod platform;
mod quantity;
mod selector;
mod view;

pub use compiled::{Compiled, PolicyError};
pub use context::{Context, Operation, Services};
pub use defaults::set_defaults;
pub use finding::{CODES, Code, Finding, allowed};
pub use inject::Mutation;
pub use platform::{Label, Platform, ReporterPlatform};
pub use view::{Kind, Object, ObjectError};
