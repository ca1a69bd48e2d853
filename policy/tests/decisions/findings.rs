//! What is refused, and what the way out is.

use super::*;

#[test]
fn the_jwt_secret_of_ide_orchestrator_is_refused_and_nothing_else_of_it() {
    let job: Value = yaml(&example("ide-orchestrator/job.yaml"));
    let findings = Cluster::new(&[], &[]).applied(Kind::Job, &job);
    assert_eq!(codes(&findings), [("PRC101", Mode::Enforce)]);
    let [finding] = findings.as_slice() else {
        unreachable!()
    };
    assert_eq!(
        finding.path,
        "spec.template.spec.containers[name=test-runner].env[name=JWT_SECRET].value"
    );
    assert_eq!(
        finding.suggestion,
        "set valueFrom.secretKeyRef to a Secret that holds JWT_SECRET"
    );
    assert!(!allowed(&findings));
}

#[test]
fn the_job_of_swe_ai_fleet_is_admitted() {
    let job: Value = yaml(&example("swe-ai-fleet/job.yaml"));
    let cluster = Cluster::new(&[&example("swe-ai-fleet/policy.yaml")], &[]);
    assert_eq!(cluster.applied(Kind::Job, &job), []);
}

#[test]
fn kodosumi_is_told_which_services_to_use() {
    let job: Value = yaml(&example("kodosumi/job.yaml"));
    let cluster = Cluster::new(&[&example("kodosumi/policy.yaml")], &[]);
    let findings = cluster.applied(Kind::Job, &job);
    let said: Vec<(&str, &str)> = findings
        .iter()
        .map(|finding| (finding.code, finding.suggestion.as_str()))
        .filter(|(code, _)| *code == "PRC201")
        .collect();
    assert_eq!(
        said,
        [
            ("PRC201", "use postgres.kodosumi.svc.cluster.local:5432"),
            ("PRC201", "use redis.kodosumi.svc.cluster.local:6379"),
            ("PRC201", "use temporal.kodosumi.svc.cluster.local:7233"),
        ]
    );
    assert!(findings.iter().any(|finding| finding.code == "PRC102"));
}

#[test]
fn a_service_of_the_namespace_is_the_way_out_by_name_or_by_port() {
    let mut cluster = Cluster::new(&[], &[]);
    cluster.services.insert("shop", "orders-db", vec![5432]);
    cluster.services.insert("shop", "cache", vec![6379, 9121]);
    let way_out = |name: &str, value: &str| {
        let job = job_with(json!({ "env": [{ "name": name, "value": value }] }));
        cluster.applied(Kind::Job, &job)[0].suggestion.clone()
    };
    assert_eq!(
        way_out("ORDERS_URL", "http://localhost:9999"),
        "use orders-db.shop.svc.cluster.local:5432"
    );
    assert_eq!(
        way_out("STORE", "redis://localhost:6379"),
        "use cache.shop.svc.cluster.local:6379"
    );
    assert_eq!(
        way_out("PAYMENTS_URL", "http://localhost:7777"),
        "use the DNS name of the Service: NAME.shop.svc.cluster.local:7777"
    );
}
