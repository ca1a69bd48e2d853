//! Running tests that need a cluster: reported as ignored, with the reason, where none can boot.
//!
//! A test is a function that takes a [`Test`] and returns a [`Result`]; [`suite!`](crate::suite!) makes the `main` of a file of
//! them (`harness = false`). All tests of a file share one cluster, which boots when the first of them begins.

use std::env;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::Result;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::cache::Cache;
use crate::cluster::{Cluster, Namespace, PodSecurity, Setup, logs};
use crate::progress::{say, sentences};
use crate::toolchain::Toolchain;

/// Set to `required`, tests that need a cluster fail where none can boot. For CI, where an ignored test would go unseen.
pub const REQUIRED_VARIABLE: &str = "PROCTOR_E2E";

/// A test: `Err` and a panic are failures.
pub type Function = fn(&Test) -> Result<()>;

/// What a test gets: the cluster, and namespaces of its own.
#[derive(Debug)]
pub struct Test<'a> {
    cluster: &'a Cluster,
    name: &'static str,
    namespaces: Mutex<Vec<String>>,
}

impl Test<'_> {
    /// The cluster that the tests of a file share.
    pub fn cluster(&self) -> &Cluster {
        self.cluster
    }

    /// A new namespace, named after the test, that enforces a PodSecurity level. Deleted when the test passed; kept, for the logs
    /// of its pods, when it failed.
    pub fn namespace(&self, security: PodSecurity) -> Result<Namespace<'_>> {
        let name = {
            let mut namespaces = self
                .namespaces
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let name = namespace_name(self.name, namespaces.len());
            namespaces.push(name.clone());
            name
        };
        Namespace::create(self.cluster, name, security)
    }
}

/// Kubernetes allows 63 characters; room is left for what is derived from the name.
fn namespace_name(test: &str, number: usize) -> String {
    let stem: String = test
        .chars()
        .map(|letter| if letter == '_' { '-' } else { letter })
        .take(50)
        .collect();
    format!("{}-{number}", stem.trim_end_matches('-'))
}

/// Runs the tests of a file; [`suite!`](crate::suite!) calls it.
pub fn run(name: &'static str, setup: Setup, tests: &[(&'static str, Function)]) -> ExitCode {
    // Held by nothing but this function, so that the node has ended when the process does.
    let shared: &'static OnceLock<Result<Cluster, String>> = Box::leak(Box::default());
    let trials = tests.iter().map(|&(test, function)| {
        Trial::ignorable_test(test, move || {
            if let Some(obstacle) = obstacle() {
                if env::var_os(REQUIRED_VARIABLE).is_some_and(|value| value == "required") {
                    return Err(
                        format!("{REQUIRED_VARIABLE} is \"required\", but: {obstacle}").into(),
                    );
                }
                return Ok(Completion::ignored_with(obstacle));
            }
            let cluster = shared.get_or_init(|| boot(setup).map_err(|error| sentences(&error)));
            let cluster = cluster
                .as_ref()
                .map_err(|error| Failed::from(format!("There is no cluster: {error}")))?;
            attempt(cluster, name, test, function).map(|()| Completion::Completed)
        })
    });
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials.collect());
    if let Some(Ok(cluster)) = shared.get()
        && let Err(error) = cluster.node().shut_down()
    {
        say(&format!(
            "The node did not end cleanly: {}",
            sentences(&error)
        ));
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

/// Why there can be no cluster here.
fn obstacle() -> Option<String> {
    Cache::open().map_or_else(
        |error| Some(sentences(&error)),
        |cache| Toolchain::obstacle(&cache),
    )
}

fn boot(setup: Setup) -> Result<Cluster> {
    Cluster::boot(&Cache::open()?, setup, None)
}

fn attempt(
    cluster: &Cluster,
    suite: &str,
    name: &'static str,
    function: Function,
) -> Result<(), Failed> {
    let test = Test {
        cluster,
        name,
        namespaces: Mutex::default(),
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| function(&test)));
    let mut message = match outcome {
        Ok(Ok(())) => {
            for namespace in test
                .namespaces
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
            {
                Namespace::delete(cluster, namespace)
                    .map_err(|error| Failed::from(sentences(&error)))?;
            }
            return Ok(());
        }
        Ok(Err(error)) => sentences(&error),
        Err(panic) => words(panic.as_ref()),
    };
    let _ = write!(
        message,
        "\n\n{}",
        logs::collect(cluster, &Path::new(suite).join(name))
    );
    Err(message.into())
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("The test panicked.")
        .to_owned()
}

/// The `main` of a file of tests that share a cluster.
///
/// ```no_run
/// use proctor_tests::{PodSecurity, Setup, Test};
///
/// proctor_tests::suite!(Setup::Bare; a_pod_says_hello);
///
/// fn a_pod_says_hello(test: &Test) -> anyhow::Result<()> {
///     let namespace = test.namespace(PodSecurity::Restricted)?;
///     namespace.run_script("greeter", "echo hello")?;
///     assert_eq!(namespace.ended("greeter")?, ("Succeeded".into(), "hello\n".into()));
///     Ok(())
/// }
/// ```
#[macro_export]
macro_rules! suite {
    ($setup:expr; $($test:ident),+ $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            $crate::suite::run(env!("CARGO_CRATE_NAME"), $setup, &[$((stringify!($test), $test as $crate::suite::Function)),+])
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_named_after_its_test() {
        assert_eq!(namespace_name("a_pod_runs", 1), "a-pod-runs-1");
        let long = namespace_name(&"x".repeat(100), 0);
        assert!(long.len() <= 63, "{long}");
    }
}
