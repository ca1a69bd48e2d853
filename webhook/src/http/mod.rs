//! HTTP: the routes of the two ports, the limits of the one that the API server calls, and the serving itself.

mod admin;
mod gate;
mod listener;
mod routes;
mod timeout;

pub use admin::admin_routes;
pub use gate::Limits;
pub use listener::{Drain, serve};
pub use routes::{App, routes};
