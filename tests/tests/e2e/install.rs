//! What the chart installs, and what it may do.

use anyhow::{Result, ensure};
use proctor_tests::node::HelmVersion;
use proctor_tests::{RELEASE, SYSTEM_NAMESPACE, Test};

use crate::runs::{completed, counts};

pub(crate) fn helm_test_goes_the_whole_way(test: &Test) -> Result<()> {
    let cluster = test.cluster();
    cluster.helm(HelmVersion::V3, &["test", RELEASE, "-n", SYSTEM_NAMESPACE])?;
    let run = completed(cluster, SYSTEM_NAMESPACE, &[])?;
    ensure!(
        run["status"]["verdict"] == "Passed" && counts(&run)[0] > 0,
        "{}",
        run["status"]
    );
    Ok(())
}

/// `kubectl auth can-i`, which says no by its exit code.
fn may(test: &Test, account: &str, arguments: &[&str]) -> bool {
    let user = format!("--as=system:serviceaccount:{SYSTEM_NAMESPACE}:{account}");
    test.cluster()
        .kubectl(&[&["auth", "can-i", &user], arguments].concat())
        .is_ok()
}

pub(crate) fn nobody_may_read_secrets_of_others(test: &Test) -> Result<()> {
    for account in ["proctor-webhook", "proctor-collector"] {
        for verb in ["get", "list", "watch", "create", "update", "delete"] {
            ensure!(
                !may(test, account, &[verb, "secrets", "-A"]),
                "{account} may {verb} Secrets everywhere"
            );
            ensure!(
                !may(test, account, &[verb, "secrets", "-n", "default"]),
                "{account} may {verb} Secrets in another namespace"
            );
            ensure!(
                !may(test, account, &[verb, "secrets", "-n", SYSTEM_NAMESPACE]),
                "{account} may {verb} any Secret of its namespace"
            );
        }
        let own = format!("secrets/{account}-ca");
        ensure!(
            may(test, account, &["get", &own, "-n", SYSTEM_NAMESPACE]),
            "{account} may not read its own authority"
        );
    }
    ensure!(
        !may(
            test,
            "proctor-webhook",
            &[
                "get",
                "secrets/proctor-collector-ca",
                "-n",
                SYSTEM_NAMESPACE
            ]
        ),
        "the webhook may read the collector's authority"
    );
    Ok(())
}

pub(crate) fn readers_and_editors_see_runs(test: &Test) -> Result<()> {
    let cluster = test.cluster();
    for (role, resource, verb, expected) in [
        ("view", "testruns", "list", true),
        ("view", "testpolicies", "create", false),
        ("edit", "testpolicies", "create", true),
        ("edit", "testruns", "delete", false),
        ("edit", "clustertestpolicies", "create", false),
    ] {
        let name = format!("{role}-of-runs");
        let binding = format!("--clusterrole={role}");
        // The role is bound for the question alone; a binding that is there already is as good.
        let _ = cluster.kubectl(&[
            "create",
            "rolebinding",
            &name,
            &binding,
            &format!("--user={name}"),
            "-n",
            "default",
        ]);
        let answer = cluster
            .kubectl(&[
                "auth",
                "can-i",
                verb,
                &format!("{resource}.proctor.dev"),
                "-n",
                "default",
                &format!("--as={name}"),
            ])
            .is_ok();
        ensure!(answer == expected, "{role} may {verb} {resource}: {answer}");
    }
    Ok(())
}
