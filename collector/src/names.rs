//! Names at the border: what comes in as text is parsed once, and what has been parsed is safe as a part of a path.

use std::fmt;

use thiserror::Error;

use crate::limits::{MAX_PATH_BYTES, MAX_SEGMENT_BYTES};

/// Why a name was refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// Not a name Kubernetes gives.
    #[error(
        "{0:?} is not a Kubernetes name: use lower-case letters, digits, '-' and '.', at most 253 of them"
    )]
    NotDns(String),
    /// The attempt is not a number.
    #[error("the attempt {0:?} is not a number from 0 to 4294967295")]
    Attempt(String),
    /// No such stream.
    #[error("there is no stream {0:?}: use start, log, files/<number> or end")]
    Stream(String),
    /// A path that cannot be stored.
    #[error("the path of a gathered file {0}")]
    Path(&'static str),
}

/// A name as Kubernetes gives it (RFC 1123 subdomain): safe as a segment of a path, as it is neither empty nor `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(String);

impl DnsName {
    /// Longest name of an object.
    pub const MAX: usize = 253;

    /// Takes `text` when it is such a name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let label = |label: &str| {
            label.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && label.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if text.len() <= Self::MAX && text.split('.').all(label) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::NotDns(text.chars().take(Self::MAX).collect()))
        }
    }

    /// The name of the run of a pod (or of a Job without pods): its name, cut where that would become too long, and the first 8
    /// characters of its UID.
    ///
    /// ```
    /// use proctor_collector::names::DnsName;
    ///
    /// let run = DnsName::of_run("api-tests-x7k2p", "4be1f2a6-0c7d-4b1e-9f3a-d2c5e8b7a601")?;
    /// assert_eq!(run.as_str(), "api-tests-x7k2p-4be1f2a6");
    /// # Ok::<(), proctor_collector::names::NameError>(())
    /// ```
    pub fn of_run(object: &str, uid: &str) -> Result<Self, NameError> {
        const SHORT_UID: usize = 8;
        let short: String = uid.chars().take(SHORT_UID).collect();
        let head: String = object.chars().take(Self::MAX - SHORT_UID - 1).collect();
        Self::parse(&format!("{}-{short}", head.trim_end_matches(['-', '.'])))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One stream of a run: what a container's attempt wrote under one name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// The test container.
    pub container: DnsName,
    /// Its restarts, from 0.
    pub attempt: u32,
    /// Which of its streams.
    pub name: StreamName,
}

impl StreamId {
    /// Reads `<container>/<attempt>/<name>` of a request's path.
    pub fn parse(container: &str, attempt: &str, name: &str) -> Result<Self, NameError> {
        Ok(Self {
            container: DnsName::parse(container)?,
            attempt: attempt
                .parse()
                .map_err(|_| NameError::Attempt(attempt.to_owned()))?,
            name: name.parse()?,
        })
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.container, self.attempt, self.name)
    }
}

/// The streams of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamName {
    /// The record written before the command starts.
    Start,
    /// What the command wrote.
    Log,
    /// A gathered file, by its number.
    File(u64),
    /// The record of how the command ended.
    End,
}

impl std::str::FromStr for StreamName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let unknown = || NameError::Stream(text.chars().take(80).collect());
        match text {
            "start" => Ok(Self::Start),
            "log" => Ok(Self::Log),
            "end" => Ok(Self::End),
            _ => {
                let number = text.strip_prefix("files/").ok_or_else(unknown)?;
                number.parse().map(Self::File).map_err(|_| unknown())
            }
        }
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::Log => f.write_str("log"),
            Self::File(number) => write!(f, "files/{number}"),
            Self::End => f.write_str("end"),
        }
    }
}

/// The path of a gathered file: relative, with `/`, without a way out of its folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArtifactPath(String);

impl ArtifactPath {
    /// Takes `text` when it is such a path.
    ///
    /// ```
    /// use proctor_collector::names::ArtifactPath;
    ///
    /// assert!(ArtifactPath::parse("reports/junit.xml").is_ok());
    /// assert!(ArtifactPath::parse("../../etc/passwd").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refused = |why| Err(NameError::Path(why));
        if text.len() > MAX_PATH_BYTES {
            return refused("is longer than 1024 bytes");
        }
        if text.chars().any(char::is_control) {
            return refused("has a control character in it");
        }
        for segment in text.split('/') {
            match segment {
                "" => return refused("is empty, absolute, or has an empty segment"),
                "." | ".." => return refused("has a segment '.' or '..'"),
                _ if segment.len() > MAX_SEGMENT_BYTES => {
                    return refused("has a segment longer than 200 bytes");
                }
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_way_out_of_the_folder_is_refused() {
        for path in [
            "../x",
            "a/../b",
            "/etc/passwd",
            "a//b",
            "",
            ".",
            "a/.",
            "a\0b",
            "a\nb",
            "a/",
            "\u{7f}",
        ] {
            assert!(ArtifactPath::parse(path).is_err(), "{path:?}");
        }
        assert!(ArtifactPath::parse(&"a/".repeat(600)).is_err());
        assert!(ArtifactPath::parse(&"a".repeat(201)).is_err());
        for path in [
            "junit.xml",
            "a/b/c.txt",
            "report[1].html",
            "..a/b..",
            "mit Leerzeichen/ü.png",
        ] {
            assert!(ArtifactPath::parse(path).is_ok(), "{path:?}");
        }
    }

    #[test]
    fn the_name_of_a_run_is_a_name_however_long_the_pods_is() {
        let long = format!("{}.{}", "a".repeat(200), "b".repeat(52));
        let run = DnsName::of_run(&long, "4be1f2a6-0c7d-4b1e-9f3a-d2c5e8b7a601").unwrap();
        assert!(run.as_str().len() <= DnsName::MAX);
        assert!(run.as_str().ends_with("-4be1f2a6"));
    }

    #[test]
    fn streams_are_read_as_they_are_printed() {
        for text in ["start", "log", "files/0", "files/12", "end"] {
            let id = StreamId::parse("test-runner", "1", text).unwrap();
            assert_eq!(id.to_string(), format!("test-runner/1/{text}"));
        }
        assert!(StreamId::parse("Test", "0", "log").is_err());
        assert!(StreamId::parse("..", "0", "log").is_err());
        assert!(StreamId::parse("a", "-1", "log").is_err());
        assert!(StreamId::parse("a", "0", "files/../x").is_err());
    }

    proptest! {
        #[test]
        fn nothing_that_is_taken_leaves_the_folder(text in "\\PC{0,40}|[./a\\\\]{0,12}") {
            if let Ok(path) = ArtifactPath::parse(&text) {
                let mut depth = 0_i32;
                for part in std::path::Path::new(path.as_str()).components() {
                    prop_assert!(matches!(part, std::path::Component::Normal(_)));
                    depth += 1;
                }
                prop_assert!(depth > 0);
            }
            if let Ok(name) = DnsName::parse(&text) {
                prop_assert!(!name.as_str().contains('/') && name.as_str() != "..");
            }
        }
    }
}
