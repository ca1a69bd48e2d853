//! `proctor demo`: its JSON is a contract, and what it says happened has happened.

#![cfg(feature = "demo")]

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

#[test]
fn the_demo_goes_the_whole_way_and_tells_it_in_one_object() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_proctor"))
        .args(["demo", "--output", "json", "--folder"])
        .arg(folder.path())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(outcome["verdict"], "Passed", "{outcome}");
    assert_eq!(outcome["tests"], 4);

    let admitted = outcome["admitted"].as_array().unwrap();
    let is = |allowed: bool| {
        admitted
            .iter()
            .filter(move |example| example["allowed"] == allowed)
    };
    assert!(is(true).count() > 0 && is(true).all(|example| example["findings"] == json!([])));
    assert!(is(false).count() > 0 && is(false).all(|example| example["findings"] != json!([])));
    assert!(
        !outcome.to_string().contains("test-secret-key"),
        "a secret is told"
    );

    let page = Path::new(outcome["report"].as_str().unwrap());
    let text = std::fs::read_to_string(page).unwrap();
    assert!(text.contains("the password was injected from a Secret"));
    let log = std::fs::read_to_string(folder.path().join("test.log")).unwrap();
    let kept = page.parent().unwrap().join("../../build-log.txt");
    assert_eq!(
        std::fs::read_to_string(kept).unwrap(),
        log,
        "the log is not what was printed"
    );
}
