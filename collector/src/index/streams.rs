//! Rows of the table `streams`.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Index, IndexError, signed, unsigned};
use crate::names::StreamId;

/// How far a stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Which.
    pub id: StreamId,
    /// Where a gathered file was.
    pub path: Option<String>,
    /// Acknowledged bytes.
    pub length: u64,
    /// Objects that hold them.
    pub parts: u64,
    /// Nothing follows.
    pub complete: bool,
}

impl Stream {
    /// A stream of which nothing has come yet.
    pub fn new(id: StreamId) -> Self {
        Self {
            id,
            path: None,
            length: 0,
            parts: 0,
            complete: false,
        }
    }
}

/// What a run takes up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of all streams.
    pub bytes: u64,
    /// Streams.
    pub streams: u64,
    /// Parts of all streams.
    pub parts: u64,
}

impl Index {
    /// The stream as far as it has come; one of which nothing has come where there is none.
    pub async fn stream(&self, run: &str, id: &StreamId) -> Result<Option<Stream>, IndexError> {
        let row = sqlx::query(
            "SELECT * FROM streams WHERE run = ? AND container = ? AND attempt = ? AND name = ?",
        )
        .bind(run)
        .bind(id.container.as_str())
        .bind(i64::from(id.attempt))
        .bind(id.name.to_string())
        .fetch_optional(&self.pool)
        .await
        .map_err(IndexError::query("look up a stream"))?;
        row.as_ref().map(read).transpose()
    }

    /// All streams of a run, sorted.
    pub async fn streams(&self, run: &str) -> Result<Vec<Stream>, IndexError> {
        let mut streams: Vec<Stream> = sqlx::query("SELECT * FROM streams WHERE run = ?")
            .bind(run)
            .fetch_all(&self.pool)
            .await
            .map_err(IndexError::query("list the streams of a run"))?
            .iter()
            .map(read)
            .collect::<Result<_, _>>()?;
        streams.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(streams)
    }

    /// What a run takes up.
    pub async fn usage(&self, run: &str) -> Result<Usage, IndexError> {
        let row = sqlx::query("SELECT COALESCE(SUM(length), 0) AS bytes, COUNT(*) AS streams, COALESCE(SUM(parts), 0) AS parts FROM streams WHERE run = ?")
            .bind(run)
            .fetch_one(&self.pool)
            .await
            .map_err(IndexError::query("add up a run"))?;
        let number = |column| {
            row.try_get::<i64, _>(column)
                .map(unsigned)
                .map_err(IndexError::query("add up a run"))
        };
        Ok(Usage {
            bytes: number("bytes")?,
            streams: number("streams")?,
            parts: number("parts")?,
        })
    }

    /// Writes down how far a stream is.
    pub async fn set_stream(&self, run: &str, stream: &Stream) -> Result<(), IndexError> {
        sqlx::query(
            "INSERT INTO streams (run, container, attempt, name, path, length, parts, complete) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (run, container, attempt, name)
             DO UPDATE SET path = excluded.path, length = excluded.length, parts = excluded.parts, complete = excluded.complete",
        )
        .bind(run)
        .bind(stream.id.container.as_str())
        .bind(i64::from(stream.id.attempt))
        .bind(stream.id.name.to_string())
        .bind(&stream.path)
        .bind(signed(stream.length))
        .bind(signed(stream.parts))
        .bind(stream.complete)
        .execute(&self.pool)
        .await
        .map_err(IndexError::query("write down a stream"))?;
        Ok(())
    }
}

fn read(row: &SqliteRow) -> Result<Stream, IndexError> {
    let text = |column| {
        row.try_get::<String, _>(column)
            .map_err(IndexError::query("read a stream"))
    };
    let number = |column| {
        row.try_get::<i64, _>(column)
            .map_err(IndexError::query("read a stream"))
    };
    let attempt = number("attempt")?.to_string();
    Ok(Stream {
        id: StreamId::parse(&text("container")?, &attempt, &text("name")?)
            .map_err(|error| IndexError::Row(error.to_string()))?,
        path: row
            .try_get("path")
            .map_err(IndexError::query("read a stream"))?,
        length: unsigned(number("length")?),
        parts: unsigned(number("parts")?),
        complete: number("complete")? != 0,
    })
}
