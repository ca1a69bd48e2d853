//! Which files the wrapper gathers, and when.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail as loudly as tests"
)]

mod common;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;

use common::{Running, Volume, names, until};

/// The last gathered content of each path.
fn gathered(volume: &Volume) -> BTreeMap<String, String> {
    let files = volume.join("spool/main/0/files");
    let mut sequences: Vec<u64> = names(&files)
        .iter()
        .filter_map(|name| name.strip_suffix(".json")?.parse().ok())
        .collect();
    sequences.sort_unstable();
    let read = |sequence| {
        let record = volume.json(&format!("spool/main/0/files/{sequence}.json"));
        let data = std::fs::read(files.join(format!("{sequence}.data"))).unwrap();
        assert_eq!(record["size"], data.len());
        (
            record["path"].as_str().unwrap().to_owned(),
            common::text(&data),
        )
    };
    sequences.into_iter().map(read).collect()
}

#[test]
fn files_of_the_reports_folder_and_of_the_globs_are_gathered_with_their_paths() {
    let volume = Volume::new();
    let work = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let script = format!(
        "mkdir -p out/deep; echo 1 > out/a.xml; echo 2 > out/deep/b.xml; echo 3 > out/c.txt; \
         mkdir '{0}/sub'; echo 4 > '{0}/sub/d.xml'; echo 5 > '{1}/e.json'; ln -s a.xml out/link.xml",
        volume.join("reports/main").display(),
        elsewhere.path().display()
    );
    let far = format!("{}/*.json", elsewhere.path().display());
    let flags = [
        "--glob",
        "out/**/*.xml",
        "--glob",
        &far,
        "--glob",
        "[",
        "--glob",
        "none/**",
    ];
    let output = volume
        .exec_with(&flags, &["sh", "-c", &script])
        .current_dir(work.path())
        .output()
        .unwrap();
    assert!(
        common::text(&output.stderr).contains("The glob \"[\" is not valid"),
        "{output:?}"
    );
    let far = format!("{}/e.json", elsewhere.path().display())
        .trim_start_matches('/')
        .to_owned();
    let expected = [
        ("out/a.xml", "1\n"),
        ("out/deep/b.xml", "2\n"),
        ("out/link.xml", "1\n"),
        ("sub/d.xml", "4\n"),
        (&far, "5\n"),
    ];
    let expected: BTreeMap<_, _> = expected
        .map(|(path, content)| (path.to_owned(), content.to_owned()))
        .into();
    assert_eq!(gathered(&volume), expected);
    assert_eq!(volume.end()["files"], 5);
}

#[test]
fn files_that_were_there_before_are_not_of_this_run() {
    let volume = Volume::new();
    let work = tempfile::tempdir().unwrap();
    std::fs::write(work.path().join("old.xml"), "of the image").unwrap();
    std::fs::write(work.path().join("replaced.xml"), "old").unwrap();
    // The clock of a file system advances in steps of some milliseconds.
    let created = |path: &std::path::Path| std::fs::metadata(path).unwrap().modified().unwrap();
    let before = created(&work.path().join("replaced.xml"));
    until("the file system's clock goes on", || {
        std::fs::write(work.path().join("clock"), "").unwrap();
        created(&work.path().join("clock")) > before
    });
    volume
        .exec_with(
            &["--glob", "*.xml"],
            &["sh", "-c", "echo new > replaced.xml"],
        )
        .current_dir(work.path())
        .output()
        .unwrap();
    assert_eq!(
        gathered(&volume),
        BTreeMap::from([("replaced.xml".to_owned(), "new\n".to_owned())])
    );
}

#[test]
fn a_file_is_gathered_while_the_tests_run_and_again_when_it_changed() {
    let volume = Volume::new();
    let report = volume.join("reports/main/junit.xml");
    let script = format!(
        "echo first > '{0}'; read line; echo second >> '{0}'",
        report.display()
    );
    let mut exec = Running::piped(volume.exec(&script).stdin(Stdio::piped()));
    until("it is gathered while the test runs", || {
        names(&volume.join("spool/main/0/files")).contains(&"0.json".to_owned())
    });
    exec.child()
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"\n")
        .unwrap();
    exec.output();
    assert_eq!(gathered(&volume)["junit.xml"], "first\nsecond\n");
    assert_eq!(volume.end()["files"], 2);
}

#[test]
fn a_file_that_is_too_long_is_cut_off_and_its_record_says_so() {
    let volume = Volume::new();
    let reports = volume.join("reports/main");
    // Sparse: it takes no room itself.
    volume
        .exec(&format!(
            "truncate -s 65M {0}/big; echo small > {0}/small",
            reports.display()
        ))
        .output()
        .unwrap();
    let records: BTreeMap<_, _> = (0..2)
        .map(|sequence| volume.json(&format!("spool/main/0/files/{sequence}.json")))
        .map(|record| {
            (
                record["path"].as_str().unwrap().to_owned(),
                (record["size"].as_u64(), record["truncated"].as_bool()),
            )
        })
        .collect();
    assert_eq!(records["big"], (Some(64 * 1024 * 1024), Some(true)));
    assert_eq!(records["small"], (Some(6), Some(false)));
}

#[test]
fn more_files_than_the_limit_are_counted() {
    let volume = Volume::new();
    let reports = volume.join("reports/main");
    let output = volume
        .exec(&format!(
            "cd {}; seq 1 1005 | xargs touch",
            reports.display()
        ))
        .output()
        .unwrap();
    assert_eq!(volume.end()["files"], 1000);
    assert!(
        common::text(&output.stderr).contains("5 files were not gathered"),
        "{output:?}"
    );
}

#[test]
fn the_volume_is_no_artifact() {
    let volume = Volume::new();
    let script = format!(
        "echo log; echo r > {}/r.xml",
        volume.join("reports/main").display()
    );
    volume
        .exec_with(&["--glob", "**"], &["sh", "-c", &script])
        .current_dir(volume.path().parent().unwrap())
        .output()
        .unwrap();
    let found = gathered(&volume);
    assert_eq!(found.get("r.xml").map(String::as_str), Some("r\n"));
    assert!(
        !found
            .keys()
            .any(|path| path.contains("spool/") || path.contains("bin/exec")),
        "{:?}",
        found.keys()
    );
}
