//! Which containers of a pod are the tests.

use crate::view::{Container, Pod};

/// Names the test containers, separated by commas.
pub(crate) const TEST_CONTAINERS: &str = "proctor.dev/test-containers";

const CONVENTION: &str = "test-runner";

/// The test containers with their indices: those the annotation names, else `test-runner`, else the only one, else those with a
/// command and without ports.
pub(crate) fn test_containers<'o, 'a>(pod: Pod<'o, 'a>) -> Vec<(usize, &'o Container<'a>)> {
    let Some(spec) = pod.spec else {
        return Vec::new();
    };
    let all = spec.containers.iter().enumerate();
    if let Some(names) = pod.annotation(TEST_CONTAINERS) {
        let names: Vec<&str> = names.split(',').map(str::trim).collect();
        return all.filter(|(_, one)| names.contains(&&*one.name)).collect();
    }
    let by_convention: Vec<_> = all
        .clone()
        .filter(|(_, one)| &*one.name == CONVENTION)
        .collect();
    if !by_convention.is_empty() {
        return by_convention;
    }
    if spec.containers.len() == 1 {
        return all.collect();
    }
    all.filter(|(_, one)| !one.command.is_empty() && one.ports.is_empty())
        .collect()
}
