//! The JSON records of the spool. Unknown fields are ignored by every reader.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

/// A moment, as RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Time(Timestamp);

impl Time {
    /// The present one.
    pub fn now() -> Self {
        Self(Timestamp::now())
    }

    /// A file's time; the present one where it lies outside the calendar.
    pub fn of_file(seconds: i64, nanoseconds: i64) -> Self {
        let nanoseconds = i32::try_from(nanoseconds).unwrap_or_default();
        Timestamp::new(seconds, nanoseconds).map_or_else(|_| Self::now(), Self)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `start.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Start {
    /// The container's name.
    pub container: String,
    /// Restarts before this one.
    pub attempt: u64,
    /// The program's name alone: arguments may hold secrets.
    pub program: String,
    /// When `exec` began.
    pub started_at: Time,
    /// Of this program.
    pub version: String,
}

/// `files/<seq>.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Gathered {
    /// Relative, with `/`.
    pub path: String,
    /// Bytes gathered: the length of the stream.
    pub size: u64,
    /// Of the file, when it was gathered.
    pub modified_at: Time,
    /// The file is longer than what was gathered.
    pub truncated: bool,
}

/// `end.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct End {
    /// The test command's own; `None` when a signal ended it or it could not be started.
    pub exit_code: Option<i32>,
    /// The signal that ended the test command.
    pub signal: Option<i32>,
    /// What the wrapper ended with: as a shell shows it (128 + signal), or a gate's reserved code.
    pub wrapper_exit_code: i32,
    /// When `exec` began.
    pub started_at: Time,
    /// When the test command had ended and everything was gathered.
    pub ended_at: Time,
    /// Length of the stream `log`.
    pub log_bytes: u64,
    /// Output that was not recorded.
    pub dropped_bytes: u64,
    /// Records of gathered files written.
    pub files: u64,
    /// Of the container where its cgroup tells, else of the largest process.
    pub peak_memory_bytes: Option<u64>,
    /// Processes of the container that the kernel ended for memory, where its cgroup tells.
    pub oom_kills: Option<u64>,
    /// The gate that failed.
    pub gate: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_utc_with_milliseconds() {
        assert_eq!(
            Time::of_file(1_700_000_000, 7_654_321).to_string(),
            "2023-11-14T22:13:20.007Z"
        );
    }

    #[test]
    fn a_reader_ignores_fields_it_does_not_know() {
        let json = r#"{"path":"a.xml","size":1,"modified_at":"2026-01-01T00:00:00.000Z","truncated":false,"new":{}}"#;
        assert_eq!(
            serde_json::from_str::<Gathered>(json).unwrap().path,
            "a.xml"
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_a_record_or_an_error(bytes: Vec<u8>) {
            let _ = serde_json::from_slice::<Gathered>(&bytes);
            let _ = serde_json::from_slice::<End>(&bytes);
            let _ = serde_json::from_slice::<Start>(&bytes);
        }

        #[test]
        fn a_record_comes_back_as_it_was_written(path: String, size: u64, truncated: bool, seconds in 0_i64..4_000_000_000) {
            let written = Gathered { path, size, truncated, modified_at: Time::of_file(seconds, 5_000_000) };
            let read: Gathered = serde_json::from_slice(&serde_json::to_vec(&written).unwrap()).unwrap();
            prop_assert_eq!((read.path, read.size, read.truncated), (written.path, size, truncated));
            prop_assert_eq!(read.modified_at, written.modified_at);
        }
    }
}
