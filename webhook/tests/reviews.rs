//! What the API server is told about test Jobs and about everything else.

#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{JOB, JOB_WITH_A_SECRET, Server, review};

#[tokio::test]
async fn a_job_with_a_literal_secret_is_refused_with_the_place_and_without_the_secret() {
    let server = Server::start().await;
    let response = server
        .review("/validate", "CREATE", JOB_WITH_A_SECRET)
        .await;
    assert!(!response.allowed);
    assert_eq!(response.code, Some(403));
    let message = response.message;
    assert!(message.contains("PRC101"), "{message}");
    assert!(
        message
            .contains("spec.template.spec.containers[name=test-runner].env[name=JWT_SECRET].value"),
        "{message}"
    );
    assert!(!message.contains("correct-horse"), "{message}");
}

#[tokio::test]
async fn a_job_in_order_is_admitted_and_its_template_is_labelled() {
    let server = Server::start().await;
    let response = server.review("/mutate", "CREATE", JOB).await;
    assert!(response.allowed);
    let stored = response.applied_to(JOB);
    assert_eq!(
        stored["spec"]["template"]["metadata"]["labels"]["component"],
        "e2e-test"
    );

    let response = server
        .review("/validate", "CREATE", &stored.to_string())
        .await;
    assert!(response.allowed, "{}", response.message);
}

#[tokio::test]
async fn what_is_no_test_is_admitted_untouched() {
    let server = Server::start().await;
    let mut job: Value = serde_json::from_str(JOB_WITH_A_SECRET).unwrap();
    job["metadata"]["labels"] = json!({});
    job["spec"]["template"]["metadata"]["labels"] = json!({});
    for path in ["/mutate", "/validate"] {
        let response = server.review(path, "CREATE", &job.to_string()).await;
        assert!(
            response.allowed && response.patch.is_none(),
            "{path}: {response:?}"
        );
    }
}

#[tokio::test]
async fn a_deletion_is_admitted_whatever_the_object_is() {
    let server = Server::start().await;
    for path in ["/mutate", "/validate"] {
        let response = server.review(path, "DELETE", JOB_WITH_A_SECRET).await;
        assert!(
            response.allowed && response.patch.is_none(),
            "{path}: {response:?}"
        );
    }
}

#[tokio::test]
async fn an_object_of_several_megabytes_is_reviewed() {
    let server = Server::start().await;
    let mut job: Value = serde_json::from_str(JOB_WITH_A_SECRET).unwrap();
    let megabyte = "x".repeat(1024 * 1024);
    for index in 0..6 {
        job["metadata"]["managedFields"][0]["fieldsV1"][format!("f:{index}")] = json!(megabyte);
    }
    let response = server.review("/validate", "CREATE", &job.to_string()).await;
    assert!(!response.allowed);
}

#[tokio::test]
async fn what_is_not_a_review_is_refused_with_what_is_wrong() {
    let server = Server::start().await;
    let mut old = review("CREATE", &serde_json::from_str(JOB).unwrap());
    old["apiVersion"] = json!("admission.k8s.io/v1beta1");
    let mut unnamed = review("CREATE", &serde_json::from_str(JOB).unwrap());
    unnamed["request"]["operation"] = json!("PATCH");
    let cases = [
        (
            String::new(),
            "EOF while parsing a value at line 1 column 0",
        ),
        (
            "{".to_owned(),
            "EOF while parsing an object at line 1 column 1",
        ),
        (
            JOB.to_owned(),
            "\"batch/v1\" \"Job\", not an AdmissionReview",
        ),
        (old.to_string(), "\"admission.k8s.io/v1beta1\""),
        (unnamed.to_string(), "unknown variant `PATCH`"),
        (
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}).to_string(),
            "has no `request`",
        ),
        ("\u{0}".repeat(100), "expected value at line 1 column 1"),
        ("[".repeat(100_000), "not an AdmissionReview"),
    ];
    for (body, sentence) in cases {
        let answer = server.post("/validate", body.as_bytes()).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert!(answer.body.contains(sentence), "{}", answer.body);
    }

    let mut connection = server.connect().await;
    connection
        .head("/validate", "Content-Type: text/plain", 2)
        .await;
    connection.send(b"{}").await;
    let answer = connection.answer().await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("content type"), "{}", answer.body);
}

#[tokio::test]
async fn every_answer_is_counted_and_no_label_is_of_the_users_making() {
    let server = Server::start().await;
    server
        .review("/validate", "CREATE", JOB_WITH_A_SECRET)
        .await;
    let text = server.metrics.encode().unwrap();
    let line = r#"proctor_webhook_reviews_total{phase="validate",kind="Job",operation="CREATE",outcome="denied"} 1"#;
    assert!(text.contains(line), "{text}");
    let line = r#"proctor_webhook_findings_total{code="PRC101",mode="Enforce"} 1"#;
    assert!(text.contains(line), "{text}");
    assert!(
        text.contains(r#"proctor_webhook_review_duration_seconds_bucket{le="0.0001""#),
        "{text}"
    );
    assert!(!text.contains("checkout"), "{text}");
}
