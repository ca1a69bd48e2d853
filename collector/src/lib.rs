//! Takes the uploads of test pods, keeps their TestRuns, stores their reports and serves them.
//!
//! Reporters upload logs, files and records in resumable chunks ([`uploads`]); the cluster tells how pods end ([`cluster`]); when a
//! pod has ended both become a verdict, the Prow layout in the store, and the status of a TestRun ([`runs`]). The collector is the
//! authority on how a run ended; it does not decide what may run (that is the webhook's) and parses no format itself (that is the
//! results crate's). Nothing flows back to the pods. The contract with them is `docs/data-flow.md`.
//!
//! | module | what |
//! |---|---|
//! | [`args`] | the command line |
//! | [`names`], [`limits`] | what comes in as text, and how much of it |
//! | [`store`] | bytes: parts and the composed layout, through `object_store` |
//! | [`index`] | what is known of every run, in SQLite |
//! | [`uploads`] | each byte once, stored before it is acknowledged |
//! | [`identity`] | who uploads and who reads |
//! | [`http`], [`server`], [`admin`], [`metrics`] | what is served |
//! | [`runs`] | how a pod ended, and what is made of it |
//! | [`cluster`] | pods, Jobs, TestRuns, and the authority's Secret |

pub mod admin;
pub mod args;
mod chain;
pub mod cluster;
mod collector;
pub mod http;
pub mod identity;
pub mod index;
pub mod limits;
pub mod metrics;
pub mod names;
mod process;
pub mod runs;
pub mod server;
pub mod store;
pub mod uploads;

use chain::chain;

pub use args::{Args, LogFormat};
pub use collector::{Collector, StartError};
pub use process::run;
