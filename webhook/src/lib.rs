//! The admission server.
//!
//! The API server posts admission reviews; the policy crate decides them; this crate is what is between: bytes in, bytes out, over
//! TLS that it keeps in order itself, within named limits of size, number and time. It decides nothing, makes no call while it
//! answers, and reads no Secret but that of its own authority.
//!
//! | module | what |
//! |---|---|
//! | [`args`] | the command line |
//! | [`admission`] | a review in, its answer out |
//! | [`state`] | what decisions are made by: the policy in effect, what is known of the cluster |
//! | [`http`] | the two ports: routes, limits, accept loop, drain |
//! | `cluster` | where inputs come from in a cluster: watches, the shared authority, the webhook configurations |
//! | [`standalone`] | where they come from without one: files |
//! | [`ready`], [`metrics`] | what people and their monitoring see |

pub mod admission;
pub mod args;
mod cluster;
pub mod http;
pub mod metrics;
pub mod ready;
mod run;
pub mod standalone;
pub mod state;
mod telemetry;

pub use args::Args;
pub use run::{RunError, run};

/// An error and all its causes, in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // The client's errors repeat the API server's status in Rust's notation.
        let more = more.split(" (Status {").next().unwrap_or_default();
        // Some errors repeat their cause in their own text.
        if !text.contains(more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
