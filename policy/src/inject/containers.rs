//! Which containers of a pod are the tests.

use proctor_api::injected::{self, Candidate, TEST_CONTAINERS};

use super::edit::Edit;
use crate::view::{Container, Pod};

/// The test containers with their indices, as `docs/data-flow.md` finds them.
pub(super) fn test_containers<'o, 'a>(pod: Pod<'o, 'a>) -> Vec<(usize, &'o Container<'a>)> {
    let Some(spec) = pod.spec else {
        return Vec::new();
    };
    let all = spec.containers.iter();
    let candidates: Vec<_> = all
        .map(|one| Candidate {
            name: &one.name,
            has_command: !one.command.is_empty(),
            has_ports: !one.ports.is_empty(),
        })
        .collect();
    let tests = injected::test_containers(pod.annotation(TEST_CONTAINERS), &candidates);
    let tests = tests.into_iter();
    tests
        .filter_map(|index| Some((index, spec.containers.get(index)?)))
        .collect()
}

/// The same, and says so where there are none.
pub(super) fn expect_tests<'o, 'a>(
    pod: Pod<'o, 'a>,
    edit: &mut Edit,
) -> Vec<(usize, &'o Container<'a>)> {
    let tests = test_containers(pod);
    if tests.is_empty() {
        edit.warn(format!(
            "no container looks like the test; name it in the annotation {TEST_CONTAINERS}"
        ));
    }
    tests
}
