//! Names of what is injected into test pods. The webhook writes them, the collector reads them back from pods; they are a contract
//! (`docs/data-flow.md`), so they stand once.

/// The native sidecar that brings results out.
pub const REPORTER: &str = "proctor-reporter";

/// The volume that reporter and test containers share.
pub const VOLUME: &str = "proctor";

/// Where the shared volume is mounted.
pub const ROOT: &str = "/proctor";

/// The wrapper in front of a test command, on the shared volume.
pub const WRAPPER: &str = "/proctor/bin/exec";

/// The volume with the token that says which pod uploads; only the reporter mounts it.
pub const TOKEN_VOLUME: &str = "proctor-token";

/// Where the reporter finds the token.
pub const TOKEN_PATH: &str = "/var/run/secrets/proctor.dev/collector";

/// The audience of tokens that upload.
pub const UPLOAD_AUDIENCE: &str = "proctor-collector";

/// The annotation that names the test containers, comma separated.
pub const TEST_CONTAINERS: &str = "proctor.dev/test-containers";

/// The test container where no annotation says which.
pub const TEST_RUNNER: &str = "test-runner";

/// What decides whether a container is a test container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Its name.
    pub name: &'a str,
    /// It names a command.
    pub has_command: bool,
    /// It declares ports.
    pub has_ports: bool,
}

/// Which containers of a pod are the tests, by index: those the annotation [`TEST_CONTAINERS`] names, else [`TEST_RUNNER`], else the only
/// one, else those with a command and without ports.
///
/// ```
/// use proctor_api::injected::{Candidate, test_containers};
///
/// let tests = Candidate { name: "tests", has_command: true, has_ports: false };
/// let database = Candidate { name: "database", has_command: true, has_ports: true };
/// assert_eq!(test_containers(None, &[database, tests]), [1]);
/// assert_eq!(test_containers(Some("database, tests"), &[database, tests]), [0, 1]);
/// ```
pub fn test_containers(annotation: Option<&str>, containers: &[Candidate<'_>]) -> Vec<usize> {
    let by = |wanted: &dyn Fn(&Candidate<'_>) -> bool| -> Vec<usize> {
        let all = containers.iter().enumerate();
        all.filter(|(_, one)| wanted(one))
            .map(|(index, _)| index)
            .collect()
    };
    if let Some(names) = annotation {
        let names: Vec<&str> = names.split(',').map(str::trim).collect();
        return by(&|one| names.contains(&one.name));
    }
    let by_convention = by(&|one| one.name == TEST_RUNNER);
    if !by_convention.is_empty() {
        return by_convention;
    }
    if containers.len() == 1 {
        return vec![0];
    }
    by(&|one| one.has_command && !one.has_ports)
}
