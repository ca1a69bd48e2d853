//! A labelled Job goes in, its report comes out: on a real node, with a real Helm install.

#![allow(
    clippy::indexing_slicing,
    reason = "a panic fails the test, which is what is wanted"
)]

mod admission;
mod endings;
mod injection;
mod install;
mod runs;

use std::process::ExitCode;

use proctor_tests::Setup;
use proctor_tests::suite::{self, Function};

const TESTS: &[(&str, Function)] = &[
    (
        "a_credential_in_plain_sight_is_refused_at_apply",
        admission::a_credential_is_refused,
    ),
    (
        "localhost_is_refused_and_the_right_service_proposed",
        admission::localhost_is_refused,
    ),
    (
        "what_is_not_labelled_is_left_alone",
        admission::what_is_not_labelled_is_left_alone,
    ),
    (
        "the_same_manifest_twice_changes_nothing",
        admission::the_same_manifest_twice_changes_nothing,
    ),
    (
        "an_update_is_judged_by_what_it_brings_in",
        admission::an_update_is_judged_by_what_it_brings_in,
    ),
    (
        "a_pod_is_given_what_the_policy_says",
        injection::a_pod_is_given_what_the_policy_says,
    ),
    (
        "reports_come_out_whoever_the_test_container_runs_as",
        injection::reports_come_out_whoever_the_test_container_runs_as,
    ),
    (
        "the_wrapper_is_in_place_before_a_wrapped_container_starts",
        injection::the_wrapper_is_in_place,
    ),
    (
        "a_reporter_that_is_killed_loses_nothing",
        injection::a_reporter_that_is_killed_loses_nothing,
    ),
    (
        "a_green_run_passes_with_its_log_and_its_junit",
        endings::a_green_run_passes,
    ),
    ("a_red_test_is_named", endings::a_red_test_is_named),
    (
        "a_test_that_is_killed_for_memory_says_so",
        endings::a_test_is_killed_for_memory,
    ),
    (
        "a_job_that_is_deleted_half_way_was_killed",
        endings::a_job_is_deleted_half_way,
    ),
    (
        "a_pod_that_never_started_is_an_error",
        endings::a_pod_never_started,
    ),
    (
        "helm_test_goes_the_whole_way",
        install::helm_test_goes_the_whole_way,
    ),
    (
        "nobody_of_the_install_may_read_secrets_of_others",
        install::nobody_may_read_secrets_of_others,
    ),
    (
        "the_cluster_s_readers_and_editors_see_runs",
        install::readers_and_editors_see_runs,
    ),
];

fn main() -> ExitCode {
    suite::run("e2e", Setup::Proctor, TESTS)
}
