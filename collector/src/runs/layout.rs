//! Where everything of a run is found: Prow's layout (<https://docs.prow.k8s.io/docs/metadata-artifacts/>).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proctor_results::{Judgement, Verdict};
use serde_json::{Value, json};

use super::records::Records;
use crate::index::Stream;

/// The page.
pub const REPORT_HTML: &str = "artifacts/proctor/report.html";

/// The summary.
pub const REPORT_JSON: &str = "artifacts/proctor/report.json";

/// Our own folder among the artifacts.
const OWN: &str = "proctor/";

/// Where the log of a container goes; that of the first one has the name that viewers know.
pub fn log_name(container: &str, is_first: bool) -> String {
    if is_first {
        "build-log.txt".to_owned()
    } else {
        format!("{container}-build-log.txt")
    }
}

/// A gathered file and where it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The stream.
    pub stream: Stream,
    /// The object, `artifacts/…`.
    pub name: String,
    /// It is of the container's last attempt: it speaks for the run.
    pub counts: bool,
}

/// Places the gathered files. Of several of one path the last complete one counts; where more than one container gathered, each has
/// a folder of its own. Nothing replaces our own report, and a file never stands where a folder must be.
pub fn place(records: &Records, containers: usize) -> Vec<Placed> {
    let mut placed: BTreeMap<String, Placed> = BTreeMap::new();
    for (container, attempts) in &records.containers {
        let last = attempts.keys().next_back();
        for (number, attempt) in attempts {
            for stream in &attempt.files {
                let Some(path) = &stream.path else { continue };
                let path = if containers > 1 {
                    format!("{container}/{path}")
                } else {
                    path.clone()
                };
                let path = path
                    .strip_prefix(OWN)
                    .map_or(path.clone(), |rest| format!("{OWN}files/{rest}"));
                let better = placed
                    .get(&path)
                    .is_none_or(|old| stream.complete || !old.stream.complete);
                if better {
                    let name = format!("artifacts/{path}");
                    placed.insert(
                        path,
                        Placed {
                            stream: stream.clone(),
                            name,
                            counts: Some(number) == last,
                        },
                    );
                }
            }
        }
    }
    let folders: BTreeSet<String> = placed.keys().flat_map(|path| folders_of(path)).collect();
    let aside = |(path, mut file): (String, Placed)| {
        while folders.contains(file.name.trim_start_matches("artifacts/")) {
            file.name.push_str(".file");
        }
        tracing::trace!(path, name = file.name, "placed");
        file
    };
    placed.into_iter().map(aside).collect()
}

fn folders_of(path: &str) -> impl Iterator<Item = String> {
    path.match_indices('/')
        .filter_map(|(end, _)| path.get(..end))
        .map(str::to_owned)
}

/// `started.json`.
pub fn started(started_at: Timestamp, metadata: &Value) -> Value {
    json!({ "timestamp": started_at.as_second(), "metadata": metadata })
}

/// `finished.json`. Prow knows three results; the verdict is in the metadata.
pub fn finished(ended_at: Timestamp, judgement: &Judgement) -> Value {
    let result = match judgement.verdict {
        Verdict::Passed => "SUCCESS",
        Verdict::Killed => "ABORTED",
        Verdict::Failed | Verdict::Error | Verdict::NoTests | Verdict::Incomplete => "FAILURE",
    };
    json!({
        "timestamp": ended_at.as_second(),
        "result": result,
        "passed": judgement.verdict == Verdict::Passed,
        "metadata": judgement,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::StreamId;
    use crate::runs::records::Attempt;

    fn file(container: &str, number: u64, path: &str, complete: bool) -> Stream {
        let id = StreamId::parse(container, "0", &format!("files/{number}")).unwrap();
        Stream {
            path: Some(path.to_owned()),
            complete,
            ..Stream::new(id)
        }
    }

    fn records(files: Vec<Stream>) -> Records {
        let mut records = Records::default();
        for file in files {
            let attempts = records
                .containers
                .entry(file.id.container.to_string())
                .or_default();
            attempts
                .entry(0)
                .or_insert_with(Attempt::default)
                .files
                .push(file);
        }
        records
    }

    fn names(files: Vec<Stream>) -> Vec<(String, u64)> {
        let records = records(files);
        place(&records, records.containers.len())
            .into_iter()
            .map(|placed| {
                (
                    placed.name,
                    placed
                        .stream
                        .id
                        .to_string()
                        .rsplit('/')
                        .next()
                        .unwrap()
                        .parse()
                        .unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn of_several_files_of_one_path_the_last_complete_one_counts() {
        let files = vec![
            file("test", 0, "a.xml", true),
            file("test", 1, "a.xml", true),
            file("test", 2, "a.xml", false),
        ];
        assert_eq!(names(files), [("artifacts/a.xml".to_owned(), 1)]);
    }

    #[test]
    fn several_containers_have_a_folder_each() {
        let files = vec![file("api", 0, "a.xml", true), file("ui", 0, "a.xml", true)];
        assert_eq!(
            names(files),
            [
                ("artifacts/api/a.xml".to_owned(), 0),
                ("artifacts/ui/a.xml".to_owned(), 0)
            ]
        );
    }

    #[test]
    fn nothing_replaces_our_own_report() {
        let files = vec![file("test", 0, "proctor/report.json", true)];
        assert_eq!(
            names(files),
            [("artifacts/proctor/files/report.json".to_owned(), 0)]
        );
    }

    #[test]
    fn a_file_never_stands_where_a_folder_must_be() {
        let files = vec![file("test", 0, "a", true), file("test", 1, "a/b", true)];
        assert_eq!(
            names(files),
            [
                ("artifacts/a.file".to_owned(), 0),
                ("artifacts/a/b".to_owned(), 1)
            ]
        );
    }
}
