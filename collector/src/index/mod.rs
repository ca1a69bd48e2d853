//! The index: what is known of every run, apart from its bytes.
//!
//! A row is written after the object it speaks of, and a write is on the disk before it returns, so that whatever the index says is
//! there is in the store. SQLite in one file; the tables are in `migrations/`.

mod runs;
mod streams;

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use thiserror::Error;

pub use runs::{NewRun, Run, RunState};
pub use streams::{Stream, Usage};

/// How long a write waits for another one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections to the index.
const CONNECTIONS: u32 = 4;

/// Why the index did not do as asked.
#[derive(Debug, Error)]
pub enum IndexError {
    /// The file cannot be opened.
    #[error(
        "the index {path} cannot be opened: its folder must exist and be writable, and the file must be an SQLite database"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: sqlx::Error,
    },
    /// The tables cannot be brought to this version's form.
    #[error(
        "the index {path} cannot be brought to this version's form: it was written by a newer version, or is damaged"
    )]
    Migrate {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        #[source]
        source: MigrateError,
    },
    /// A query failed.
    #[error("the index could not {action}: look at the free space where it is")]
    Query {
        /// What was tried.
        action: &'static str,
        /// What SQLite said.
        #[source]
        source: sqlx::Error,
    },
    /// A row holds something that this program never writes.
    #[error(
        "the index holds a row that cannot be read ({0}): restore it, or delete the file to begin anew"
    )]
    Row(String),
}

impl IndexError {
    fn query(action: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Query { action, source }
    }
}

/// The index.
#[derive(Clone, Debug)]
pub struct Index {
    pool: SqlitePool,
}

impl Index {
    /// Opens the file, made where it is not there, and brings its tables to this version's form.
    pub async fn open(path: &Path) -> Result<Self, IndexError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .connect_with(options)
            .await
            .map_err(|source| IndexError::Open {
                path: path.to_owned(),
                source,
            })?;
        sqlx::migrate!()
            .run(&pool)
            .await
            .map_err(|source| IndexError::Migrate {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self { pool })
    }

    /// Writes everything down and closes the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// SQLite's integers are signed.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
