//! The manifests in `deploy/crds` and in the chart are what the types say. `PROCTOR_BLESS=1 cargo test -p proctor-api` writes them anew.

#![allow(
    clippy::expect_used,
    reason = "what goes wrong in a helper fails the test"
)]

use std::path::Path;
use std::{env, fs};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use proctor_api::{ClusterTestPolicy, TestPolicy, TestRun};

fn definitions() -> [CustomResourceDefinition; 3] {
    [ClusterTestPolicy::crd(), TestPolicy::crd(), TestRun::crd()]
}

fn is_up_to_date(file: &Path, text: &str) {
    if env::var_os("PROCTOR_BLESS").is_some() {
        fs::create_dir_all(file.parent().expect("a folder")).expect("the folder can be made");
        fs::write(file, text).expect("the manifest can be written");
    }
    let found = fs::read_to_string(file).unwrap_or_default();
    assert!(
        found == text,
        "{} is stale: PROCTOR_BLESS=1 cargo test -p proctor-api writes it anew",
        file.display()
    );
}

#[test]
fn the_manifests_in_deploy_are_what_the_types_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/crds");
    for definition in definitions() {
        let yaml = serde_saphyr::to_string(&definition).expect("a definition is YAML");
        is_up_to_date(
            &folder.join(format!("{}.yaml", definition.spec.names.plural)),
            &yaml,
        );
    }
}

#[test]
fn the_manifests_in_the_chart_are_kept_on_uninstall() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/proctor/templates/crds");
    for mut definition in definitions() {
        // Deleting a definition deletes every object of it, and with them the record of every run.
        definition
            .metadata
            .annotations
            .get_or_insert_default()
            .insert("helm.sh/resource-policy".into(), "keep".into());
        let yaml = serde_saphyr::to_string(&definition).expect("a definition is YAML");
        assert!(
            !yaml.contains("{{"),
            "a description would be taken for a template"
        );
        let text = format!("{{{{- if .Values.crds.install }}}}\n{yaml}{{{{- end }}}}\n");
        is_up_to_date(
            &folder.join(format!("{}.yaml", definition.spec.names.plural)),
            &text,
        );
    }
}

#[test]
fn every_field_that_people_write_is_described() {
    for definition in definitions() {
        let schema = definition.spec.versions[0]
            .schema
            .as_ref()
            .and_then(|s| s.open_api_v3_schema.as_ref())
            .expect("a schema");
        let spec = &schema.properties.as_ref().expect("properties")["spec"];
        for (name, property) in spec.properties.as_ref().expect("a spec has properties") {
            assert!(
                property.description.is_some(),
                "{}: spec.{name} has no description",
                definition.spec.names.kind
            );
        }
    }
}
