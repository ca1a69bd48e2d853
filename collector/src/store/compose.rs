//! Many parts become one object.

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use tokio::io::AsyncWriteExt;

use super::key::{Folder, offset_of};
use super::{Store, StoreError};
use crate::names::StreamId;

/// Bytes held while an object is written; also the size of a multipart upload's parts (S3 wants 5 MiB or more).
const BUFFER_BYTES: usize = 5 * 1024 * 1024;

/// An object that is being composed of the parts of one or more streams.
pub struct Composed {
    key: Path,
    writer: BufWriter,
    bytes: u64,
}

impl Store {
    /// Begins an object of the layout; it is there once [`Composed::finish`] has returned.
    pub fn compose(&self, folder: &Folder, name: &str) -> Result<Composed, StoreError> {
        let key = folder.object(name)?;
        let writer = BufWriter::with_capacity(self.objects.clone(), key.clone(), BUFFER_BYTES)
            .with_max_concurrency(1);
        Ok(Composed {
            key,
            writer,
            bytes: 0,
        })
    }

    /// The `length` acknowledged bytes of a stream, part by part in their order. What lies beyond was never acknowledged and is left
    /// out. Where a part is missing or not what was acknowledged they end, and [`Parts::lost`] counts the rest.
    pub async fn read_parts(
        &self,
        folder: &Folder,
        stream: &StreamId,
        length: u64,
    ) -> Result<Parts, StoreError> {
        let keys = self.parts(folder, stream).await?.into_iter();
        let whose = (folder.path(), stream.to_string());
        Ok(Parts {
            store: self.clone(),
            whose,
            keys,
            position: 0,
            length,
        })
    }

    async fn parts(
        &self,
        folder: &Folder,
        stream: &StreamId,
    ) -> Result<Vec<(u64, Path)>, StoreError> {
        let prefix = folder.parts_of(stream)?;
        let mut parts: Vec<(u64, Path)> = self
            .objects
            .list(Some(&prefix))
            .try_filter_map(|meta| {
                std::future::ready(Ok(
                    offset_of(&meta.location).map(|offset| (offset, meta.location))
                ))
            })
            .try_collect()
            .await
            .map_err(StoreError::object("list", &prefix))?;
        parts.sort_unstable();
        Ok(parts)
    }
}

/// The parts of a stream, to be read one after the other.
pub struct Parts {
    store: Store,
    whose: (String, String),
    keys: std::vec::IntoIter<(u64, Path)>,
    position: u64,
    length: u64,
}

impl Parts {
    /// The next part; none when all that is there of the acknowledged bytes has been read.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        if self.position == self.length {
            return Ok(None);
        }
        let Some((_, key)) = self
            .keys
            .next()
            .filter(|(offset, _)| *offset == self.position)
        else {
            return Ok(self.end());
        };
        let part = self
            .store
            .objects
            .get(&key)
            .await
            .map_err(StoreError::object("read", &key))?;
        let content = part
            .bytes()
            .await
            .map_err(StoreError::object("read", &key))?;
        let position = self.position + content.len() as u64;
        if content.is_empty() || position > self.length {
            return Ok(self.end());
        }
        self.position = position;
        Ok(Some(content))
    }

    /// Acknowledged bytes that have not been read: once [`Parts::next`] gives no more, those that the store has lost.
    pub fn lost(&self) -> u64 {
        self.length - self.position
    }

    /// What is gone does not come back: the rest of the run must be told without it.
    fn end(&mut self) -> Option<Bytes> {
        let ((folder, stream), lost) = (&self.whose, self.lost());
        tracing::error!(
            folder,
            stream,
            lost,
            "the store has lost bytes that were acknowledged"
        );
        self.keys = Vec::new().into_iter();
        None
    }
}

impl Composed {
    /// Appends all of it.
    pub async fn append(&mut self, parts: &mut Parts) -> Result<(), StoreError> {
        while let Some(part) = parts.next().await? {
            self.write(part).await?;
        }
        Ok(())
    }

    /// Appends.
    pub async fn write(&mut self, content: Bytes) -> Result<(), StoreError> {
        self.bytes += content.len() as u64;
        self.writer
            .put(content)
            .await
            .map_err(StoreError::object("write", &self.key))
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes the object visible, as a whole.
    pub async fn finish(mut self) -> Result<(), StoreError> {
        self.writer
            .shutdown()
            .await
            .map_err(StoreError::object("write", &self.key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::DnsName;

    fn folder() -> Folder {
        Folder::new(
            DnsName::parse("team").unwrap(),
            DnsName::parse("run").unwrap(),
        )
    }

    #[tokio::test]
    async fn a_part_beyond_what_was_acknowledged_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::folder(dir.path()).unwrap();
        let log = StreamId::parse("test", "0", "log").unwrap();
        for (offset, content) in [(0, "one "), (4, "two "), (8, "three")] {
            store
                .put_part(
                    &folder(),
                    &log,
                    offset,
                    Bytes::from_static(content.as_bytes()),
                )
                .await
                .unwrap();
        }
        let mut whole = store.compose(&folder(), "build-log.txt").unwrap();
        whole
            .append(&mut store.read_parts(&folder(), &log, 8).await.unwrap())
            .await
            .unwrap();
        whole.finish().await.unwrap();
        assert_eq!(
            std::fs::read_to_string(dir.path().join("team/run/build-log.txt")).unwrap(),
            "one two "
        );
        assert_eq!(
            store.list(&folder()).await.unwrap(),
            [("build-log.txt".to_owned(), 8)]
        );

        store.delete_parts(&folder()).await.unwrap();
        assert!(!dir.path().join("team/run/.parts").exists());
    }

    #[tokio::test]
    async fn bytes_end_where_a_part_is_gone_or_too_long_and_the_rest_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::folder(dir.path()).unwrap();
        let log = StreamId::parse("test", "0", "log").unwrap();
        for (second, content) in [(5, "gap"), (4, "too long")] {
            for (offset, content) in [(0, "one "), (second, content)] {
                let content = Bytes::from_static(content.as_bytes());
                let put = store.put_part(&folder(), &log, offset, content).await;
                put.unwrap();
            }
            let mut parts = store.read_parts(&folder(), &log, 8).await.unwrap();
            let mut whole = store.compose(&folder(), "build-log.txt").unwrap();
            whole.append(&mut parts).await.unwrap();
            assert_eq!((whole.bytes(), parts.lost()), (4, 4));
            assert_eq!(parts.next().await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn an_empty_object_is_an_object() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::folder(dir.path()).unwrap();
        store
            .compose(&folder(), "artifacts/empty#1")
            .unwrap()
            .finish()
            .await
            .unwrap();
        assert_eq!(
            store.list(&folder()).await.unwrap(),
            [("artifacts/empty#1".to_owned(), 0)]
        );
    }
}
