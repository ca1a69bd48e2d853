//! Files, folders and standard input, as objects with their places.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::position::Node;

/// What manifests are called in a folder.
const EXTENSIONS: &[&str] = &["yaml", "yml", "json"];

/// A larger file is no manifest.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// An object of a file.
#[derive(Debug)]
pub(crate) struct Document {
    /// The file, or `-`.
    pub(crate) file: PathBuf,
    /// The object.
    pub(crate) node: Node,
}

/// All objects of a file, of the manifests in a folder, or of standard input (`-`); the items of a List each by itself.
pub(crate) fn read(path: &Path) -> Result<Vec<Document>, Failure> {
    let mut documents = Vec::new();
    for file in files(path, is_manifest)? {
        let text = text(&file)?;
        for node in parse(&file, &text)? {
            flatten(&file, node, &mut documents);
        }
    }
    Ok(documents)
}

fn is_manifest(file: &Path) -> bool {
    file.extension()
        .is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
}

/// The wanted files in a folder and the folders in it, in order; a path that is no folder is itself.
pub(crate) fn files(path: &Path, wanted: fn(&Path) -> bool) -> Result<Vec<PathBuf>, Failure> {
    let failed = |source| Failure::Open {
        path: path.to_owned(),
        source,
    };
    if path == Path::new("-") || !fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries = fs::read_dir(path)
        .map_err(failed)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut found = Vec::new();
    for entry in entries {
        // A link may lead back into the folder; it is followed only where it was named.
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() || (kind.is_file() && wanted(&entry.path())) {
            found.extend(files(&entry.path(), wanted)?);
        }
    }
    Ok(found)
}

fn text(file: &Path) -> Result<String, Failure> {
    let failed = |source| Failure::Open {
        path: file.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().take(MAX_BYTES).read_to_end(&mut bytes)
    } else {
        fs::File::open(file).and_then(|open| open.take(MAX_BYTES).read_to_end(&mut bytes))
    };
    read.map_err(failed)?;
    String::from_utf8(bytes).map_err(|_| Failure::NotText {
        path: file.to_owned(),
    })
}

fn parse(file: &Path, text: &str) -> Result<Vec<Node>, Failure> {
    let parsed = serde_saphyr::from_multiple::<Node>(text);
    let parsed = parsed.or_else(|error| {
        let quoted = quote_placeholders(text);
        // What it says of the text as it is helps more than what it says of the other.
        serde_saphyr::from_multiple::<Node>(&quoted).map_err(|_| error)
    });
    parsed.map_err(|error| {
        let location = error.location();
        let line = location.map_or(1, |location| location.line());
        Failure::Syntax {
            path: file.to_owned(),
            document: document_at(text, line),
            line,
            column: location.map_or(1, |location| location.column()),
            reason: error
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
        }
    })
}

/// A template's `image: {{IMAGE}}` is a mapping in YAML; quoted, it is what its author meant. Lines and columns stay as they are.
fn quote_placeholders(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let start = ["- {{", ": {{"]
            .iter()
            .filter_map(|opening| line.find(opening))
            .min();
        let Some((before, rest)) = start.and_then(|at| line.split_at_checked(at + 2)) else {
            quoted.push_str(line);
            continue;
        };
        let value = rest.split(" #").next().unwrap_or(rest).trim_end();
        let after = rest.get(value.len()..).unwrap_or_default();
        let value = value.replace('\'', "''");
        quoted.extend([before, "'", &value, "'", after]);
    }
    quoted
}

/// Which document of a file a line is in, from 1.
fn document_at(text: &str, line: u64) -> usize {
    let before = text
        .lines()
        .take(usize::try_from(line).unwrap_or(usize::MAX));
    let separators = before
        .skip(1)
        .filter(|line| line.trim_end() == "---")
        .count();
    separators + 1
}

fn flatten(file: &Path, node: Node, documents: &mut Vec<Document>) {
    match node.into_items() {
        Ok(items) => items
            .into_iter()
            .for_each(|item| flatten(file, item, documents)),
        Err(node) => documents.push(Document {
            file: file.to_owned(),
            node,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_without_quotes_are_read() {
        let text = "image: {{IMAGE}} # ours\nargs:\n- {{ .it's }}-x\n- plain\n";
        let [node] = parse(Path::new("-"), text).unwrap().try_into().unwrap();
        assert_eq!(
            node.value(),
            serde_json::json!({ "image": "{{IMAGE}}", "args": ["{{ .it's }}-x", "plain"] })
        );
    }

    #[test]
    fn a_broken_document_is_named_with_its_line() {
        let text = "kind: Job\n---\nkind: Pod\n  spec: {\n";
        let error = parse(Path::new("tests.yaml"), text)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("tests.yaml, document 2, line 4,"),
            "{error}"
        );
    }
}
