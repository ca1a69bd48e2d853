//! A cluster as the source of what the webhook needs: policies, namespaces and Services by watching, the authority by a shared Secret,
//! and the place where the API server learns what to trust.
//!
//! | right needed | on |
//! |---|---|
//! | list, watch | `clustertestpolicies`, `testpolicies`, `namespaces`, `services` |
//! | get, list, watch, patch | the mutating and the validating webhook configuration of the name given |
//! | get, list, watch | the ConfigMap `proctor-collector-bundle` in the own namespace |
//! | get, update | the Secret `proctor-webhook-ca` in the own namespace, which the chart makes empty |

mod authority;
#[cfg(test)]
mod authority_tests;
mod configurations;
mod keeper;
mod probe;
mod watches;

pub(crate) use authority::AuthorityStore;
pub(crate) use configurations::Configurations;
pub(crate) use keeper::Keeper;
pub(crate) use watches::{Watches, wake_on_change};

/// Under this name the webhook writes what is to be trusted, and nothing else, into configurations that Helm owns.
const FIELD_MANAGER: &str = "proctor-webhook-ca";
