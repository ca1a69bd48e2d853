//! The verdict table, row by row, and what holds for every run there can be.
#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail as loudly as tests"
)]

use proctor_results::{
    Counts, Disagreement, Ending, Fact, Facts, Gate, GateFailure, Judgement, Observer, Outcome,
    OutsideReason, Record, Report, StartReason, Test, Verdict, judge,
};
use proptest::prelude::*;

use Outcome::{Error, Failed, Passed, Skipped};

fn report(outcomes: &[Outcome]) -> Report {
    let mut report = Report::new();
    for (index, outcome) in outcomes.iter().enumerate() {
        report.push("suite", Test::new(format!("test {index}"), *outcome));
    }
    report
}

/// A run in a cluster of which everything arrived.
fn complete(report: &Report, ending: Ending) -> Facts<'_> {
    let mut facts = Facts::offline(report);
    facts.ending = Some((ending, Observer::Wrapper));
    facts.record = Record::Complete;
    facts
}

fn told(outcomes: &[Outcome], exit: i32) -> Judgement {
    judge(&complete(&report(outcomes), Ending::Exited(exit)))
}

fn gate() -> GateFailure {
    GateFailure {
        gate: Gate::Skips,
        exit_code: 91,
        message: "2 tests were skipped.".to_owned(),
    }
}

#[test]
fn what_never_started_is_an_error_whatever_else_is_known() {
    let red = report(&[Failed]);
    let mut facts = complete(&red, Ending::Exited(0));
    facts.start_failure = Some((
        StartReason::ImagePull,
        Fact::new(Observer::Kubelet, "Image x was not found."),
    ));
    facts.outside = Some((
        OutsideReason::Deleted,
        Fact::new(Observer::Cluster, "It was deleted."),
    ));
    let judgement = judge(&facts);
    assert_eq!(
        (judgement.verdict, judgement.reason),
        (Verdict::Error, "ImagePull")
    );
    assert!(
        judgement.message.contains("Image x was not found."),
        "{}",
        judgement.message
    );
}

#[test]
fn what_was_ended_from_outside_is_killed_and_its_red_tests_are_told() {
    let red = report(&[Passed, Failed]);
    let mut facts = complete(&red, Ending::Signaled(9));
    facts.record = Record::Missing;
    facts.outside = Some((
        OutsideReason::OOMKilled,
        Fact::new(Observer::Kubelet, "It ran out of memory."),
    ));
    let judgement = judge(&facts);
    assert_eq!(
        (judgement.verdict, judgement.reason),
        (Verdict::Killed, "OOMKilled")
    );
    assert!(
        judgement.message.contains("1 tests had failed"),
        "{}",
        judgement.message
    );
}

#[test]
fn a_run_without_tests_is_no_pass() {
    for (outcomes, exit, verdict, reason) in [
        (&[][..], 0, Verdict::NoTests, "NoTestsRan"),
        (&[], 5, Verdict::NoTests, "NoTestsRan"),
        (&[Skipped, Skipped], 0, Verdict::NoTests, "AllSkipped"),
        (&[Skipped], 1, Verdict::NoTests, "AllSkipped"),
        (&[], 1, Verdict::Error, "CommandFailed"),
        (&[], 127, Verdict::Error, "CommandFailed"),
    ] {
        let judgement = told(outcomes, exit);
        assert_eq!(
            (judgement.verdict, judgement.reason),
            (verdict, reason),
            "exit {exit}"
        );
    }
    let none = report(&[]);
    assert_eq!(
        judge(&complete(&none, Ending::Signaled(11))).verdict,
        Verdict::Error
    );
}

#[test]
fn red_tests_and_bad_exits_fail_and_contradictions_are_flagged() {
    for (outcomes, exit, reason, flagged) in [
        (&[Passed, Failed][..], 1, "TestsFailed", None),
        (&[Passed, Error], 2, "TestsFailed", None),
        (
            &[Passed, Failed],
            0,
            "TestsFailed",
            Some(Disagreement::ZeroWithRed { red: 1 }),
        ),
        (
            &[Passed],
            1,
            "Disagreement",
            Some(Disagreement::OneWithGreen),
        ),
        (&[Passed], 3, "NonZeroExit", None),
    ] {
        let judgement = told(outcomes, exit);
        assert_eq!(
            (judgement.verdict, judgement.reason),
            (Verdict::Failed, reason),
            "exit {exit}"
        );
        assert_eq!(
            judgement.disagreements,
            Vec::from_iter(flagged),
            "exit {exit}"
        );
    }
}

#[test]
fn a_gate_fails_a_green_run() {
    let green = report(&[Passed]);
    let gates = [gate()];
    let mut facts = complete(&green, Ending::Exited(0));
    facts.gates = &gates;
    let judgement = judge(&facts);
    assert_eq!(
        (judgement.verdict, judgement.reason),
        (Verdict::Failed, "GateFailed")
    );
    assert_eq!(judgement.message, "2 tests were skipped.");
}

#[test]
fn green_with_something_missing_is_incomplete() {
    let green = report(&[Passed]);
    let mut unreadable = report(&[Passed]);
    unreadable.unreadable("The file is cut off.");
    let ended = Some((Ending::Exited(0), Observer::Kubelet));
    for (report, record, ending, reason) in [
        (&green, Record::Missing, ended, "NoEndRecord"),
        (&green, Record::Missing, None, "NoEndRecord"),
        (&green, Record::BytesMissing(17), ended, "UploadIncomplete"),
        (&green, Record::Complete, None, "EndingUnknown"),
        (&unreadable, Record::Complete, ended, "Unreadable"),
        (&unreadable, Record::NotExpected, None, "Unreadable"),
    ] {
        let facts = Facts {
            record,
            ending,
            ..Facts::offline(report)
        };
        let judgement = judge(&facts);
        assert_eq!(
            (judgement.verdict, judgement.reason),
            (Verdict::Incomplete, reason)
        );
    }
}

#[test]
fn nothing_known_at_all_is_incomplete_and_not_without_tests() {
    let nothing = report(&[]);
    let facts = Facts {
        record: Record::Missing,
        ..Facts::offline(&nothing)
    };
    assert_eq!(judge(&facts).verdict, Verdict::Incomplete);
}

#[test]
fn every_fact_says_who_observed_it() {
    let judgement = told(&[Passed, Failed], 0);
    let by = |observer| {
        judgement
            .facts
            .iter()
            .find(|fact| fact.observer == observer)
            .unwrap()
            .statement
            .clone()
    };
    assert_eq!(
        by(Observer::Wrapper),
        "The test command ended with exit code 0."
    );
    assert_eq!(
        by(Observer::Tests),
        "2 tests: 1 passed, 1 failed, 0 errors, 0 skipped."
    );
    assert_eq!(
        by(Observer::Collector),
        "The record of the run is complete."
    );
}

#[test]
fn verdicts_are_written_as_their_names() {
    for verdict in [
        Verdict::Passed,
        Verdict::Failed,
        Verdict::Error,
        Verdict::Killed,
        Verdict::NoTests,
        Verdict::Incomplete,
    ] {
        assert_eq!(
            serde_json::to_string(&verdict).unwrap(),
            format!("\"{verdict}\"")
        );
    }
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![4 => Just(Passed), 1 => Just(Failed), 1 => Just(Error), 1 => Just(Skipped)]
}

/// A run of any kind, owned so that [`Facts`] can borrow from it.
#[allow(clippy::struct_excessive_bools, reason = "each is drawn on its own")]
#[derive(Clone, Debug)]
struct Run {
    outcomes: Vec<Outcome>,
    unreadable: bool,
    start_failure: bool,
    outside: bool,
    ending: Option<Ending>,
    disagreement: bool,
    gates: Vec<GateFailure>,
    record: Record,
}

impl Run {
    fn judge(&self) -> Judgement {
        let mut report = report(&self.outcomes);
        if self.unreadable {
            report.unreadable("A part is missing.");
        }
        let fact = || Fact::new(Observer::Kubelet, "It was seen.");
        judge(&Facts {
            start_failure: self
                .start_failure
                .then(|| (StartReason::NeverStarted, fact())),
            outside: self.outside.then(|| (OutsideReason::Evicted, fact())),
            ending: self.ending.map(|ending| (ending, Observer::Wrapper)),
            report: &report,
            disagreement: self.disagreement.then_some(Disagreement::FilesAndConsole {
                files: 0,
                console: 1,
            }),
            gates: &self.gates,
            record: self.record,
        })
    }
}

prop_compose! {
    fn run()(
        outcomes in prop::collection::vec(outcome(), 0..4),
        unreadable in prop::bool::weighted(0.2),
        start_failure in prop::bool::weighted(0.1),
        outside in prop::bool::weighted(0.1),
        ending in prop_oneof![
            4 => Just(Some(Ending::Exited(0))),
            1 => (0..6).prop_map(|code| Some(Ending::Exited(code))),
            1 => (1..16).prop_map(|signal| Some(Ending::Signaled(signal))),
            1 => Just(None),
        ],
        disagreement in prop::bool::weighted(0.1),
        gates in prop::collection::vec(Just(gate()), 0..2),
        record in prop_oneof![
            3 => Just(Record::Complete),
            1 => Just(Record::NotExpected),
            1 => Just(Record::Missing),
            1 => (1..99_u64).prop_map(Record::BytesMissing),
        ],
    ) -> Run {
        Run { outcomes, unreadable, start_failure, outside, ending, disagreement, gates, record }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn passed_needs_proof_of_everything(run in run()) {
        let passed = run.judge().verdict == Verdict::Passed;
        let red = run.outcomes.iter().any(|outcome| outcome.is_red());
        let ran = run.outcomes.contains(&Passed);
        let clean = match run.ending {
            Some(ending) => ending.is_success(),
            // Files alone have no ending.
            None => run.record == Record::NotExpected,
        };
        let arrived = matches!(run.record, Record::Complete | Record::NotExpected);
        let proven = ran && !red && clean && arrived && !run.unreadable && !run.start_failure
            && !run.outside && !run.disagreement && run.gates.is_empty();
        prop_assert_eq!(passed, proven);
    }

    #[test]
    fn another_failure_never_makes_a_run_greener(run in run(), red in prop_oneof![Just(Failed), Just(Error)]) {
        let mut worse = run.clone();
        worse.outcomes.push(red);
        let (before, after) = (run.judge().verdict, worse.judge().verdict);
        prop_assert_ne!(after, Verdict::Passed);
        // It changes what was green, empty or in doubt to Failed, and nothing else.
        prop_assert!(after == before || after == Verdict::Failed, "{before} became {after}");
    }

    #[test]
    fn every_verdict_has_a_camel_case_reason_and_a_sentence(run in run()) {
        let Judgement { reason, message, facts, .. } = run.judge();
        prop_assert!(reason.starts_with(|c: char| c.is_ascii_uppercase()));
        prop_assert!(reason.chars().all(|c| c.is_ascii_alphanumeric()));
        prop_assert!(message.ends_with('.'), "{message}");
        prop_assert!(facts.iter().all(|fact| fact.statement.ends_with('.')));
    }

    #[test]
    fn the_parts_add_up(first in prop::collection::vec(outcome(), 0..40), second in prop::collection::vec(outcome(), 0..40), unnamed in 0..9_u64) {
        let mut sum = report(&first);
        let mut other = report(&second);
        other.push_unnamed("elsewhere", Counts { passed: unnamed, ..Counts::default() });
        sum.absorb(other);
        let counts = sum.counts();
        prop_assert_eq!(counts.tests(), (first.len() + second.len()) as u64 + unnamed);
        prop_assert_eq!(counts.tests(), counts.passed + counts.failed + counts.errors + counts.skipped);
        let suites = sum.suites().iter().fold(Counts::default(), |all, suite| all.plus(suite.counts()));
        prop_assert_eq!(suites, counts);
    }
}
