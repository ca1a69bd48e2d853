//! Rows of the table `runs`.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Index, IndexError, signed, unsigned};
use crate::names::DnsName;
use crate::store::Folder;

/// A run seen for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// Of the pod; of the Job where there is no pod.
    pub uid: String,
    /// The namespace.
    pub namespace: DnsName,
    /// The name of the `TestRun`.
    pub name: DnsName,
    /// The pod's name.
    pub pod: Option<String>,
}

/// What is known of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Of the pod; of the Job where there is no pod.
    pub uid: String,
    /// The namespace.
    pub namespace: DnsName,
    /// The name of the `TestRun`.
    pub name: DnsName,
    /// The pod's name.
    pub pod: Option<String>,
    /// How far it is.
    pub state: RunState,
    /// The `TestRun` object was created.
    pub announced: bool,
    /// A reporter has or had a session.
    pub has_session: bool,
    /// What the cluster told, as JSON.
    pub seen: Option<String>,
    /// The reporter has nothing more.
    pub done: bool,
    /// Bytes that the reporter left in the pod.
    pub left_behind_bytes: u64,
    /// When it was seen first.
    pub created_at: Timestamp,
}

impl Run {
    /// Where its bytes are.
    pub fn folder(&self) -> Folder {
        Folder::new(self.namespace.clone(), self.name.clone())
    }
}

/// How far a run is. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunState {
    /// It goes on; uploads are taken.
    Open,
    /// It has ended; nothing is taken any more, and the verdict is being made.
    Closing,
    /// The verdict is written; the parts are still there.
    Final,
    /// The parts are gone too.
    Swept,
}

impl RunState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Final => "final",
            Self::Swept => "swept",
        }
    }

    fn parse(text: &str) -> Result<Self, IndexError> {
        [Self::Open, Self::Closing, Self::Final, Self::Swept]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| IndexError::Row(format!("state {text:?}")))
    }
}

impl Index {
    /// The run of that UID, made where it is new.
    pub async fn ensure_run(&self, new: &NewRun) -> Result<Run, IndexError> {
        sqlx::query("INSERT INTO runs (uid, namespace, name, pod, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (uid) DO NOTHING")
            .bind(&new.uid)
            .bind(new.namespace.as_str())
            .bind(new.name.as_str())
            .bind(&new.pod)
            .bind(Timestamp::now().as_millisecond())
            .execute(&self.pool)
            .await
            .map_err(IndexError::query("write down a run"))?;
        self.run(&new.uid)
            .await?
            .ok_or_else(|| IndexError::Row(format!("run {} vanished", new.uid)))
    }

    /// The run of that UID.
    pub async fn run(&self, uid: &str) -> Result<Option<Run>, IndexError> {
        let row = sqlx::query("SELECT * FROM runs WHERE uid = ?")
            .bind(uid)
            .fetch_optional(&self.pool)
            .await
            .map_err(IndexError::query("look up a run"))?;
        row.as_ref().map(read).transpose()
    }

    /// The run whose session this is, by the hash of the session's secret.
    pub async fn run_of_session(&self, session: &[u8]) -> Result<Option<Run>, IndexError> {
        let row = sqlx::query("SELECT * FROM runs WHERE session = ?")
            .bind(session)
            .fetch_optional(&self.pool)
            .await
            .map_err(IndexError::query("look up a session"))?;
        row.as_ref().map(read).transpose()
    }

    /// Every run that something remains to be done for, the oldest first.
    pub async fn runs_to_do(&self) -> Result<Vec<Run>, IndexError> {
        sqlx::query("SELECT * FROM runs WHERE state <> 'swept' ORDER BY created_at")
            .fetch_all(&self.pool)
            .await
            .map_err(IndexError::query("list the runs"))?
            .iter()
            .map(read)
            .collect()
    }

    /// Gives a run a session, in place of the one it had.
    pub async fn set_session(&self, uid: &str, session: &[u8]) -> Result<(), IndexError> {
        let query = sqlx::query("UPDATE runs SET session = ? WHERE uid = ?")
            .bind(session.to_vec())
            .bind(uid);
        query
            .execute(&self.pool)
            .await
            .map_err(IndexError::query("write down a session"))?;
        Ok(())
    }

    /// Writes down what the cluster told, as JSON; once a run is closing that changes no more.
    pub async fn set_seen(
        &self,
        uid: &str,
        seen: &(impl Serialize + Sync),
    ) -> Result<(), IndexError> {
        let seen =
            serde_json::to_string(seen).map_err(|error| IndexError::Row(error.to_string()))?;
        let query = sqlx::query("UPDATE runs SET seen = ? WHERE uid = ? AND state = 'open'")
            .bind(seen)
            .bind(uid);
        query
            .execute(&self.pool)
            .await
            .map_err(IndexError::query("write down what became of a pod"))?;
        Ok(())
    }

    /// Writes down that the reporter has nothing more.
    pub async fn set_done(&self, uid: &str, left_behind_bytes: u64) -> Result<(), IndexError> {
        let query = sqlx::query("UPDATE runs SET done = 1, left_behind_bytes = ? WHERE uid = ?")
            .bind(signed(left_behind_bytes))
            .bind(uid);
        query
            .execute(&self.pool)
            .await
            .map_err(IndexError::query("write down that a reporter is done"))?;
        Ok(())
    }

    /// Writes down that the `TestRun` object was created.
    pub async fn set_announced(&self, uid: &str) -> Result<(), IndexError> {
        let query = sqlx::query("UPDATE runs SET announced = 1 WHERE uid = ?").bind(uid);
        query
            .execute(&self.pool)
            .await
            .map_err(IndexError::query("write down that a TestRun exists"))?;
        Ok(())
    }

    /// Moves a run forward.
    pub async fn set_state(&self, uid: &str, state: RunState) -> Result<(), IndexError> {
        let query = sqlx::query("UPDATE runs SET state = ? WHERE uid = ?")
            .bind(state.as_str())
            .bind(uid);
        query
            .execute(&self.pool)
            .await
            .map_err(IndexError::query("move a run forward"))?;
        Ok(())
    }
}

fn read(row: &SqliteRow) -> Result<Run, IndexError> {
    let text = |column| {
        row.try_get::<String, _>(column)
            .map_err(IndexError::query("read a run"))
    };
    let maybe = |column| {
        row.try_get::<Option<String>, _>(column)
            .map_err(IndexError::query("read a run"))
    };
    let number = |column| {
        row.try_get::<i64, _>(column)
            .map_err(IndexError::query("read a run"))
    };
    let name =
        |column| DnsName::parse(&text(column)?).map_err(|error| IndexError::Row(error.to_string()));
    let session: Option<Vec<u8>> = row
        .try_get("session")
        .map_err(IndexError::query("read a run"))?;
    Ok(Run {
        uid: text("uid")?,
        namespace: name("namespace")?,
        name: name("name")?,
        pod: maybe("pod")?,
        state: RunState::parse(&text("state")?)?,
        announced: number("announced")? != 0,
        has_session: session.is_some(),
        seen: maybe("seen")?,
        done: number("done")? != 0,
        left_behind_bytes: unsigned(number("left_behind_bytes")?),
        created_at: Timestamp::from_millisecond(number("created_at")?)
            .map_err(|error| IndexError::Row(error.to_string()))?,
    })
}
