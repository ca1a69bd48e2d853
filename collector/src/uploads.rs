//! Taking uploads: each byte once, in its place, and in the store before it is acknowledged.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use thiserror::Error;

use crate::index::{Index, IndexError, Run, RunState, Stream};
use crate::limits::{MAX_RECORD_BYTES, MAX_RUN_BYTES, MAX_RUN_PARTS, MAX_RUN_STREAMS};
use crate::names::{ArtifactPath, StreamId, StreamName};
use crate::store::{Store, StoreError};

/// A chunk of a stream, as a request brings it.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Where its first byte belongs.
    pub offset: u64,
    /// Nothing follows it.
    pub complete: bool,
    /// The path of a gathered file; on the first chunk.
    pub path: Option<ArtifactPath>,
    /// The bytes; may be none.
    pub content: Bytes,
}

/// Why a chunk was not taken.
#[derive(Debug, Error)]
pub enum UploadError {
    /// It belongs elsewhere.
    #[error("this stream is at offset {offset}: go on from there")]
    Offset {
        /// Where the stream is.
        offset: u64,
        /// Whether it is complete.
        complete: bool,
    },
    /// The run has its verdict.
    #[error("the run {0} has ended and takes nothing more")]
    Ended(String),
    /// A gathered file without a path.
    #[error("the first chunk of a gathered file needs the header Proctor-Path")]
    NoPath,
    /// A limit is reached.
    #[error("the run has reached the limit of {limit} {what}: gather fewer or smaller files")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        limit: u64,
    },
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index did not take it.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// It was begun and cut off.
    #[error("the chunk was not taken to its end: ask where the stream is and go on from there")]
    CutOff(#[source] tokio::task::JoinError),
}

/// Takes uploads into store and index. One change of a run at a time: chunks of a run wait for each other, and for its closing.
#[derive(Clone, Debug)]
pub struct Uploads {
    store: Store,
    index: Index,
    locks: Arc<Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>>,
}

impl Uploads {
    /// Takes uploads into these.
    pub fn new(store: Store, index: Index) -> Self {
        Self {
            store,
            index,
            locks: Arc::default(),
        }
    }

    /// How far a stream is.
    pub async fn stream(&self, run: &Run, id: StreamId) -> Result<Stream, IndexError> {
        Ok(self
            .index
            .stream(&run.uid, &id)
            .await?
            .unwrap_or_else(|| Stream::new(id)))
    }

    /// Takes a chunk; the answer is where the stream is now. When it has returned, the bytes are in the store.
    ///
    /// What has begun goes on when the request is gone: a write to the store cannot be called back, so nothing else may touch the
    /// run until it has ended.
    pub async fn append(
        &self,
        run: &Run,
        id: StreamId,
        chunk: Chunk,
    ) -> Result<Stream, UploadError> {
        let alone = self.lock(&run.uid).lock_owned().await;
        let (uploads, run) = (self.clone(), run.clone());
        let taking = tokio::spawn(async move {
            let taken = uploads.take(&run, id, chunk).await;
            drop(alone);
            taken
        });
        taking.await.map_err(UploadError::CutOff)?
    }

    async fn take(&self, run: &Run, id: StreamId, chunk: Chunk) -> Result<Stream, UploadError> {
        self.check_open(run).await?;
        let mut stream = self.stream(run, id).await?;
        if chunk.offset != stream.length
            || (stream.complete && !(chunk.content.is_empty() && chunk.complete))
        {
            return Err(UploadError::Offset {
                offset: stream.length,
                complete: stream.complete,
            });
        }
        if let (StreamName::File(_), None) = (stream.id.name, &stream.path) {
            stream.path = Some(
                chunk
                    .path
                    .as_ref()
                    .ok_or(UploadError::NoPath)?
                    .as_str()
                    .to_owned(),
            );
        }
        self.check_limits(run, &stream, chunk.content.len() as u64)
            .await?;
        if !chunk.content.is_empty() {
            stream.length += chunk.content.len() as u64;
            stream.parts += 1;
            self.store
                .put_part(&run.folder(), &stream.id, chunk.offset, chunk.content)
                .await?;
        }
        stream.complete |= chunk.complete;
        self.index.set_stream(&run.uid, &stream).await?;
        Ok(stream)
    }

    /// Writes down that the reporter has nothing more.
    pub async fn done(&self, run: &Run, left_behind_bytes: u64) -> Result<(), UploadError> {
        let lock = self.lock(&run.uid);
        let _alone = lock.lock().await;
        self.check_open(run).await?;
        Ok(self.index.set_done(&run.uid, left_behind_bytes).await?)
    }

    /// Closes a run: what is acknowledged by now is what the verdict is made of.
    pub async fn close(&self, run: &Run) -> Result<(), IndexError> {
        let lock = self.lock(&run.uid);
        let _alone = lock.lock().await;
        self.index.set_state(&run.uid, RunState::Closing).await
    }

    async fn check_open(&self, run: &Run) -> Result<(), UploadError> {
        match self.index.run(&run.uid).await? {
            Some(now) if now.state == RunState::Open => Ok(()),
            _ => Err(UploadError::Ended(run.name.to_string())),
        }
    }

    async fn check_limits(&self, run: &Run, stream: &Stream, more: u64) -> Result<(), UploadError> {
        let usage = self.index.usage(&run.uid).await?;
        let new = u64::from(stream.parts == 0 && !stream.complete);
        let limit = |what, limit, value| {
            if value > limit {
                Err(UploadError::Limit { what, limit })
            } else {
                Ok(())
            }
        };
        limit("bytes", MAX_RUN_BYTES, usage.bytes.saturating_add(more))?;
        limit("streams", MAX_RUN_STREAMS, usage.streams + new)?;
        limit("parts", MAX_RUN_PARTS, usage.parts + 1)?;
        if matches!(stream.id.name, StreamName::Start | StreamName::End) {
            limit(
                "bytes in a record",
                MAX_RECORD_BYTES,
                stream.length.saturating_add(more),
            )?;
        }
        Ok(())
    }

    /// The lock of a run. Locks that nobody holds are dropped along the way.
    fn lock(&self, uid: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(uid).and_then(Weak::upgrade) {
            return lock;
        }
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        locks.insert(uid.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::NewRun;
    use crate::names::DnsName;

    fn chunk(content: &'static str) -> Chunk {
        Chunk {
            offset: 0,
            complete: false,
            path: None,
            content: Bytes::from_static(content.as_bytes()),
        }
    }

    #[tokio::test]
    async fn a_chunk_whose_request_is_gone_is_taken_to_its_end_before_a_shorter_retry() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::folder(dir.path()).unwrap();
        let index = Index::open(&dir.path().join("index.sqlite")).await.unwrap();
        let new = NewRun {
            uid: "u".to_owned(),
            namespace: DnsName::parse("team").unwrap(),
            name: DnsName::parse("run").unwrap(),
            pod: None,
        };
        let run = index.ensure_run(&new).await.unwrap();
        let uploads = Uploads::new(store.clone(), index);
        let log = StreamId::parse("test", "0", "log").unwrap();

        let mut gone = Box::pin(uploads.append(&run, log.clone(), chunk("all of it")));
        tokio::select! {
            biased;
            _ = &mut gone => panic!("nothing was in flight"),
            () = std::future::ready(()) => drop(gone),
        }
        let retry = uploads.append(&run, log.clone(), chunk("all")).await;
        assert!(
            matches!(retry, Err(UploadError::Offset { offset: 9, .. })),
            "{retry:?}"
        );
        let mut parts = store.read_parts(&run.folder(), &log, 9).await.unwrap();
        assert_eq!(parts.next().await.unwrap().unwrap(), "all of it");
    }
}
