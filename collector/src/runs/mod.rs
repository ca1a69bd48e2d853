//! How a pod ended, and what is made of it.
//!
//! What the cluster told ([`seen`]) and what the wrapper recorded ([`records`]) together say how a run ended ([`ending`], a pure
//! function); logs and files are composed and read ([`gather`]) into Prow's layout ([`layout`]); [`finalise`] makes the verdict of
//! all of it, and [`due`] decides when.

pub mod container;
pub mod due;
pub mod ending;
pub mod finalise;
pub mod gather;
pub mod layout;
mod never_started;
mod outside;
mod quantity;
pub mod records;
pub mod seen;
