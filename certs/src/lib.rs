//! Authorities, leaf certificates, their rotation, and hot reload for rustls.
//!
//! Every replica of a server reads one shared secret (a [`Rotation`]), issues its own [`Leaf`] from it at run time, in memory only,
//! and serves it through a [`Resolver`]; clients trust a [`Bundle`]. There is no leader: whoever finds a step due takes it, and the
//! store of the secret decides between two who do it at once.
//!
//! The crate decides and signs. It reads no file, no clock and no cluster: where the secret is kept, and when to look again, is its
//! caller's business. Keys are ECDSA P-256, the crypto provider is ring.
//!
//! ```
//! use jiff::{SignedDuration, Timestamp};
//! use proctor_certs::{Names, Resolver, Rotation, Schedule};
//!
//! let now = Timestamp::now();
//! let rotation = Rotation::begin("proctor-webhook-ca", now, &Schedule::default())?;
//! let names = Names::new(["proctor-webhook.proctor-system.svc"]);
//! let leaf = rotation.current().issue(&names, SignedDuration::from_hours(24), now)?;
//! let resolver = Resolver::new(leaf);
//! let config = proctor_certs::server_config(resolver, proctor_certs::provider(), &["h2", "http/1.1"])?;
//! assert!(rotation.bundle().to_pem().starts_with("-----BEGIN CERTIFICATE-----"));
//! # let _ = config;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod authority;
mod bundle;
mod leaf;
mod resolver;
mod rotation;
mod schedule;
mod secret;

pub use authority::{Authority, AuthorityError};
pub use bundle::{Bundle, BundleError};
pub use leaf::{IssueError, Leaf, Names};
pub use resolver::{Resolver, provider, server_config};
pub use rotation::{Rotation, Step};
pub use schedule::{Schedule, ScheduleError};
pub use secret::{SecretData, SecretError};
