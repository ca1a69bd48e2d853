//! An admission review in, its answer out. What is between them is the policy crate's decision.

mod answer;
mod decide;
mod review;

pub use answer::Answer;
pub use decide::{Decided, Outcome, Phase, decide};
pub use review::{Operation, Request, ReviewError};
