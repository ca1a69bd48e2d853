//! The kubelet's part of the demo: a container's command and environment as a process of this machine.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::DemoError;
use super::examples::{RUN, SECRETS};
use super::process::itself;

/// The command of the pod's test container as the kubelet would start it, but for where the volume is.
pub(super) fn test_command(pod: &Value, root: &Path, folder: &Path) -> Result<Command, DemoError> {
    let broken = || DemoError::Example(RUN.path);
    let container = pod.pointer("/spec/containers/0").ok_or_else(broken)?;
    let words = |field: &str| -> Vec<&str> {
        let list = container.get(field).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    };
    let command = words("command");
    let (wrapper, arguments) = command.split_first().ok_or_else(broken)?;
    if *wrapper != "/proctor/bin/exec" {
        return Err(broken());
    }
    let termination = folder.join("termination-log");
    let mut process = itself()?;
    process
        .args(["sidecar", "exec"])
        .arg("--root")
        .arg(root)
        .arg("--termination-log")
        .arg(termination)
        .args(arguments)
        .args(words("args"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null());
    for (name, value) in environment(container) {
        process.env(name, value);
    }
    let output = folder.join("test.log");
    let file = fs::File::create(&output).map_err(|source| DemoError::file(&output, source))?;
    let errors = file
        .try_clone()
        .map_err(|source| DemoError::file(&output, source))?;
    process.stdout(file).stderr(errors);
    Ok(process)
}

/// The environment of a container: what its Secrets hold, then its own variables.
fn environment(container: &Value) -> Vec<(String, String)> {
    let mut environment = Vec::new();
    let list = |field: &str| {
        container
            .get(field)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    for source in list("envFrom") {
        let name = source
            .pointer("/secretRef/name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let secret = SECRETS.iter().find(|(secret, _)| *secret == name);
        for (name, value) in secret.into_iter().flat_map(|(_, entries)| *entries) {
            environment.push(((*name).to_owned(), (*value).to_owned()));
        }
    }
    for variable in list("env") {
        let part = |field: &str| {
            variable
                .get(field)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        if let (Some(name), Some(value)) = (part("name"), part("value")) {
            environment.push((name, value));
        }
    }
    environment
}
