//! The labelled cases in `corpus/`, and how well the rules do on them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use proctor_policy::{Compiled, Context, Kind, Object, Operation, Platform, Services};
use serde_json::{Value, json};

#[derive(serde::Deserialize)]
struct Case {
    says: String,
    container: Option<Value>,
    pod: Option<Value>,
    annotations: Option<Value>,
    expects: BTreeSet<String>,
}

impl Case {
    fn object(&self) -> Value {
        let mut container = self.container.clone().unwrap_or_else(|| json!({}));
        container["name"] = json!("test-runner");
        let spec = self
            .pod
            .clone()
            .unwrap_or_else(|| json!({ "containers": [container] }));
        json!({ "metadata": { "annotations": self.annotations }, "spec": spec })
    }
}

#[test]
fn every_case_has_exactly_its_codes() {
    let compiled = Compiled::new(&[], &[], Platform::default()).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let cases: Vec<Case> = serde_saphyr::from_str(&text).unwrap();
        let (mut right, mut found, mut expected) = (0, 0, 0);
        for case in &cases {
            let codes = codes(&compiled, &case.object());
            right += codes.intersection(&case.expects).count();
            found += codes.len();
            expected += case.expects.len();
            if codes != case.expects {
                wrong.push(format!(
                    "{}: has {codes:?}, not {:?}",
                    case.says, case.expects
                ));
            }
        }
        println!(
            "{}: {} cases, precision {right}/{found}, recall {right}/{expected}",
            path.file_name().unwrap().display(),
            cases.len()
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn codes(compiled: &Compiled, object: &Value) -> BTreeSet<String> {
    let json = serde_json::to_vec(object).unwrap();
    let object = Object::parse(Kind::Pod, &json).unwrap();
    let context = Context {
        now: Timestamp::UNIX_EPOCH,
        operation: Operation::Create,
        namespace: "shop",
        namespace_labels: &BTreeMap::new(),
        services: &Services::default(),
    };
    let findings = compiled.review(&object, None, &context);
    findings
        .into_iter()
        .map(|finding| finding.code.to_owned())
        .collect()
}
