//! The bytes: parts as they are acknowledged, and the Prow layout they are composed into.
//!
//! Everything goes through `object_store`, so that a folder and a bucket are the same code. A part is an object of its own, named
//! by its offset in the stream: it is written whole or not at all, and writing it again does no harm.

mod compose;
mod key;

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetResult, ObjectStore, ObjectStoreExt};
use thiserror::Error;

pub use compose::{Composed, Parts};
pub use key::Folder;

use crate::names::StreamId;

/// Why the store did not do as asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The folder cannot be used.
    #[error(
        "the store's folder {folder} cannot be used: make it, and make it writable for the collector"
    )]
    Open {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A read, write or listing failed.
    #[error("the store could not {action} {key}: look at its free space and its connection")]
    Object {
        /// What was tried.
        action: &'static str,
        /// Of which object.
        key: String,
        /// What the store said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    fn object<E>(action: &'static str, key: impl ToString) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        move |source| Self::Object {
            action,
            key: key.to_string(),
            source: source.into(),
        }
    }
}

/// The store.
#[derive(Clone, Debug)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
}

impl Store {
    /// A folder of this machine. What is written is on the disk (fsync) before a write returns.
    pub fn folder(folder: &FilePath) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open {
            folder: folder.to_owned(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(|error| failed(error.into()))?;
        let objects = LocalFileSystem::new_with_prefix(folder)
            .map_err(|error| failed(error.into()))?
            .with_automatic_cleanup(true)
            .with_fsync(true);
        Ok(Self {
            objects: Arc::new(objects),
        })
    }

    /// Writes an object of the layout as a whole.
    pub async fn put(&self, folder: &Folder, name: &str, content: Bytes) -> Result<(), StoreError> {
        self.put_at(&folder.object(name)?, content).await
    }

    /// Writes the part of a stream that begins at `offset`, in place of one that is there already.
    pub async fn put_part(
        &self,
        folder: &Folder,
        stream: &StreamId,
        offset: u64,
        content: Bytes,
    ) -> Result<(), StoreError> {
        self.put_at(&folder.part(stream, offset)?, content).await
    }

    async fn put_at(&self, key: &Path, content: Bytes) -> Result<(), StoreError> {
        self.objects
            .put(key, content.into())
            .await
            .map_err(StoreError::object("write", key))?;
        Ok(())
    }

    /// Opens an object of the layout; `None` where there is none of that name.
    pub async fn get(&self, folder: &Folder, name: &str) -> Result<Option<GetResult>, StoreError> {
        let key = folder.object(name)?;
        match self.objects.get(&key).await {
            Ok(found) => Ok(Some(found)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(StoreError::object("read", &key)(error)),
        }
    }

    /// Opens an object of the layout as a stream of bytes.
    pub async fn read(
        &self,
        folder: &Folder,
        name: &str,
    ) -> Result<BoxStream<'static, std::io::Result<Bytes>>, StoreError> {
        let key = folder.object(name)?;
        let found = self
            .objects
            .get(&key)
            .await
            .map_err(StoreError::object("read", &key))?;
        Ok(found.into_stream().map_err(std::io::Error::other).boxed())
    }

    /// The objects of a run's layout and their sizes, sorted by name; parts are not among them.
    pub async fn list(&self, folder: &Folder) -> Result<Vec<(String, u64)>, StoreError> {
        let prefix = folder.prefix()?;
        let mut found: Vec<(String, u64)> = self
            .objects
            .list(Some(&prefix))
            .try_filter_map(|meta| {
                std::future::ready(Ok(folder
                    .name_of(&meta.location)
                    .map(|name| (name, meta.size))))
            })
            .try_collect()
            .await
            .map_err(StoreError::object("list", &prefix))?;
        found.sort_unstable();
        Ok(found)
    }

    /// Removes every part of a run.
    pub async fn delete_parts(&self, folder: &Folder) -> Result<(), StoreError> {
        let prefix = folder.parts()?;
        let locations = self
            .objects
            .list(Some(&prefix))
            .map_ok(|meta| meta.location)
            .boxed();
        let mut deleted = self.objects.delete_stream(locations);
        while let Some(result) = deleted.next().await {
            match result {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => {
                    return Err(StoreError::object("delete the parts below", &prefix)(error));
                }
            }
        }
        Ok(())
    }
}
