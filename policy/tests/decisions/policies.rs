//! How policies are put together, and what is wrong with them.

use super::*;

#[test]
fn policies_are_put_together_by_name_whatever_their_generations() {
    let named = |name: &str, generation: u8| {
        format!(
            "{{metadata: {{name: {name}, namespace: shop, generation: {generation}}}, \
             spec: {{inject: {{env: [{{name: FROM, value: {name}}}]}}}}}}"
        )
    };
    let (first, second) = (named("shop", 3), named("shop-db", 1));
    let policies = [second.as_str(), first.as_str()];
    let pod = json!({
        "metadata": { "labels": { "component": "e2e-test" } },
        "spec": { "containers": [{ "name": "test-runner" }] },
    });
    for cluster in [Cluster::new(&policies, &[]), Cluster::new(&[], &policies)] {
        let stored = cluster.stored(Kind::Pod, &pod);
        assert_eq!(
            stored["metadata"]["annotations"]["proctor.dev/applied"],
            "built-in,shop@3,shop-db@1"
        );
        assert_eq!(
            stored["spec"]["containers"][0]["env"],
            json!([{ "name": "FROM", "value": "shop-db" }])
        );
    }
}

#[test]
fn a_team_may_tighten_a_rule_and_never_loosen_it() {
    // In quotes: a bare Off is a boolean in YAML.
    let team = |mode: &str, code: &str| {
        format!(
            "{{metadata: {{name: t, namespace: shop}}, spec: {{rules: [{{code: {code}, mode: '{mode}'}}]}}}}"
        )
    };
    let mut job = job_with(json!({ "env": [{ "name": "JWT_SECRET", "value": "x" }] }));
    job["spec"]["backoffLimit"] = json!(2);
    let modes = |policy: &str| {
        let findings = Cluster::new(&[], &[policy]).applied(Kind::Job, &job);
        findings
            .iter()
            .map(|finding| finding.mode)
            .collect::<Vec<_>>()
    };
    assert_eq!(modes(&team("Off", "PRC1")), [Mode::Enforce, Mode::Warn]);
    assert_eq!(
        modes(&team("Enforce", "PRC301")),
        [Mode::Enforce, Mode::Enforce]
    );
}

#[test]
fn an_exception_holds_to_its_last_day() {
    let policy = "{metadata: {name: p}, spec: {rules: [{code: PRC101, mode: Enforce, exceptions: [\
        {reason: moving to Vault, expires: 2026-06-15, names: [JWT_SECRET]}]}]}}";
    let mut cluster = Cluster::new(&[policy], &[]);
    let job = |name: &str| job_with(json!({ "env": [{ "name": name, "value": "x" }] }));
    assert_eq!(
        codes(&cluster.applied(Kind::Job, &job("JWT_SECRET"))),
        [("PRC101", Mode::Audit)]
    );
    assert_eq!(
        codes(&cluster.applied(Kind::Job, &job("API_TOKEN"))),
        [("PRC101", Mode::Enforce)]
    );
    cluster.now = "2026-06-16T00:00:00Z".parse().unwrap();
    assert_eq!(
        codes(&cluster.applied(Kind::Job, &job("JWT_SECRET"))),
        [("PRC101", Mode::Enforce)]
    );
}

#[test]
fn a_roll_out_caps_every_mode() {
    let platform = Platform {
        mode: Mode::Warn,
        ..Platform::default()
    };
    let job = job_with(json!({ "env": [{ "name": "JWT_SECRET", "value": "x" }] }));
    let findings = Cluster::on(platform, &[], &[]).applied(Kind::Job, &job);
    assert_eq!(codes(&findings), [("PRC101", Mode::Warn)]);
}

#[test]
fn all_that_is_wrong_with_policies_is_told_at_once() {
    let policy: ClusterTestPolicy = yaml(
        "{metadata: {name: p}, spec: {match: {objectSelector: {matchExpressions: [{key: a, operator: Is}]}}, \
         inject: {resources: {limits: {memory: much}}, services: {own: 'localhost:5432', far: 'db:99999', \
         url: 'http://db:80', good: 'db-rw.shop.svc:5432', bare: db, rooted: 'db.shop.svc.cluster.local.:80'}}, \
         rules: [{code: PRC9, mode: Warn}, {code: PRC1, mode: Warn, exceptions: [{reason: ' ', expires: soon}]}]}}",
    );
    let team: TestPolicy = yaml(
        "{metadata: {name: t, namespace: shop}, spec: {rules: [{code: PRC1, mode: Enforce, exceptions: \
         [{reason: we said so, expires: 2030-01-01}]}]}}",
    );
    let errors = Compiled::new(&[policy], &[team], Platform::default()).unwrap_err();
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 9, "{told:#?}");
    assert!(
        errors
            .iter()
            .any(|error| matches!(error, PolicyError::TeamException { .. }))
    );
}

#[test]
fn the_built_in_policy_says_what_the_table_of_codes_says() {
    let policy = Compiled::default_policy().unwrap();
    for code in proctor_policy::CODES {
        let mut rules = policy.spec.policy.rules.iter();
        let rule = rules
            .find(|rule| code.code.starts_with(&rule.code))
            .unwrap();
        assert_eq!(rule.mode, code.default_mode, "{}", code.code);
    }
}
