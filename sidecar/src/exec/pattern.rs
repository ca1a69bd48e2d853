//! Which files are gathered: a folder to begin at, and what to look for below it.

use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use thiserror::Error;

/// A glob that is none.
#[derive(Debug, Error)]
#[error("The glob {glob:?} is not valid; files that it means are not gathered.")]
pub(super) struct PatternError {
    glob: String,
    source: globset::Error,
}

/// A place to look at.
#[derive(Debug)]
pub(super) struct Pattern {
    /// Where to begin: a folder, or a file where the glob has no wildcard.
    pub(super) base: PathBuf,
    matcher: Option<GlobMatcher>,
}

impl Pattern {
    /// Everything below a folder.
    pub(super) fn everything(base: PathBuf) -> Self {
        Self {
            base,
            matcher: None,
        }
    }

    /// A glob, relative to `folder`. `*` stays within a folder, `**` does not.
    pub(super) fn glob(glob: &str, folder: &Path) -> Result<Self, PatternError> {
        let absolute = normal(&folder.join(glob));
        let fixed: PathBuf = absolute
            .components()
            .take_while(|part| !has_wildcard(*part))
            .collect();
        // Only what the user wrote is a pattern: the folder's own name may hold such characters too.
        let below = absolute
            .strip_prefix(&fixed)
            .unwrap_or(Path::new(""))
            .to_string_lossy();
        let (base, below) = if folder.starts_with(&fixed) && fixed != *folder {
            (folder.to_owned(), glob.to_owned())
        } else {
            (fixed, below.into_owned())
        };
        if below.is_empty() {
            return Ok(Self {
                base,
                matcher: None,
            });
        }
        let text = Path::new(&globset::escape(&base.to_string_lossy())).join(below);
        GlobBuilder::new(&text.to_string_lossy())
            .literal_separator(true)
            .build()
            .map(|built| Self {
                base,
                matcher: Some(built.compile_matcher()),
            })
            .map_err(|source| PatternError {
                glob: glob.to_owned(),
                source,
            })
    }

    /// Whether a file found below the base is meant.
    pub(super) fn is_match(&self, path: &Path) -> bool {
        self.matcher
            .as_ref()
            .is_none_or(|matcher| matcher.is_match(path))
    }
}

fn has_wildcard(part: Component<'_>) -> bool {
    part.as_os_str()
        .to_string_lossy()
        .contains(['*', '?', '[', '{'])
}

/// Without `.` and `..`, by the letters alone.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn globs_mean_what_people_expect() {
        for (glob, path, expected) in [
            ("*.xml", "/w/a.xml", true),
            ("*.xml", "/w/b/a.xml", false),
            ("**/*.xml", "/w/b/c/a.xml", true),
            ("./out/*.xml", "/w/out/a.xml", true),
            ("../x/*.{xml,json}", "/x/a.json", true),
            ("/tmp/r/**", "/tmp/r/d/e", true),
            ("/tmp/r/**", "/tmp/q", false),
            ("report.xml", "/w/report.xml", true),
        ] {
            let pattern = Pattern::glob(glob, Path::new("/w")).unwrap();
            let found =
                Path::new(path).starts_with(&pattern.base) && pattern.is_match(Path::new(path));
            assert_eq!(found, expected, "{glob} on {path}");
        }
    }

    #[test]
    fn nothing_is_walked_above_the_fixed_part() {
        let base = |glob| Pattern::glob(glob, Path::new("/w")).unwrap().base;
        assert_eq!(
            base("target/nextest/**/junit.xml"),
            Path::new("/w/target/nextest")
        );
        assert_eq!(base("/a/b/../c*/d"), Path::new("/a"));
    }

    #[test]
    fn a_folder_with_a_wildcard_in_its_name_is_not_a_pattern() {
        let pattern = Pattern::glob("*.xml", Path::new("/w[1]")).unwrap();
        assert!(pattern.is_match(Path::new("/w[1]/a.xml")));
    }

    proptest! {
        #[test]
        fn any_text_is_a_glob_or_an_error(glob in "\\PC{0,40}") {
            let _ = Pattern::glob(&glob, Path::new("/w"));
        }
    }
}
