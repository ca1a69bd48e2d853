//! However chunks are cut, interleaved, repeated and lost: what is composed is what was sent, each byte once.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "what goes wrong in a helper fails the test"
)]

use bytes::Bytes;
use proctor_collector::index::{Index, NewRun, Run};
use proctor_collector::names::{DnsName, StreamId};
use proctor_collector::store::Store;
use proctor_collector::uploads::{Chunk, UploadError, Uploads};
use proptest::prelude::*;

/// What a reporter does next on one of its streams.
#[derive(Clone, Debug)]
enum Step {
    /// Sends the next bytes, at most this many.
    Send { stream: usize, bytes: usize },
    /// Sends bytes again whose acknowledgement was lost: `back` before the offset, at most `bytes`.
    Repeat {
        stream: usize,
        back: u64,
        bytes: usize,
    },
    /// Two processes send the same bytes at the same time.
    Twice { stream: usize, bytes: usize },
    /// The collector dies after the part was written and before the index was.
    Crash { stream: usize, bytes: usize },
}

fn step(streams: usize) -> impl Strategy<Value = Step> {
    let stream = 0..streams;
    prop_oneof![
        4 => (stream.clone(), 1..40_usize).prop_map(|(stream, bytes)| Step::Send { stream, bytes }),
        1 => (stream.clone(), 1..50_u64, 1..40_usize).prop_map(|(stream, back, bytes)| Step::Repeat { stream, back, bytes }),
        1 => (stream.clone(), 1..40_usize).prop_map(|(stream, bytes)| Step::Twice { stream, bytes }),
        1 => (stream, 1..40_usize).prop_map(|(stream, bytes)| Step::Crash { stream, bytes }),
    ]
}

/// A reporter whose streams' contents are known in full from the beginning.
struct Reporter {
    store: Store,
    uploads: Uploads,
    run: Run,
    contents: Vec<(StreamId, Vec<u8>)>,
}

impl Reporter {
    async fn new(folder: &std::path::Path, contents: &[Vec<u8>]) -> Self {
        let store = Store::folder(folder).unwrap();
        let index = Index::open(&folder.join("index.sqlite")).await.unwrap();
        let new = NewRun {
            uid: "u".to_owned(),
            namespace: DnsName::parse("team").unwrap(),
            name: DnsName::parse("run").unwrap(),
            pod: Some("pod".to_owned()),
        };
        let run = index.ensure_run(&new).await.unwrap();
        let id = |attempt: usize| StreamId::parse("test", &attempt.to_string(), "log").unwrap();
        let contents = contents
            .iter()
            .enumerate()
            .map(|(attempt, content)| (id(attempt), content.clone()))
            .collect();
        Self {
            uploads: Uploads::new(store.clone(), index),
            store,
            run,
            contents,
        }
    }

    async fn offset(&self, stream: usize) -> u64 {
        self.uploads
            .stream(&self.run, self.contents[stream].0.clone())
            .await
            .unwrap()
            .length
    }

    fn cut(&self, stream: usize, offset: u64, bytes: usize) -> Chunk {
        let rest = &self.contents[stream].1[usize::try_from(offset).unwrap()..];
        let content = Bytes::copy_from_slice(&rest[..bytes.min(rest.len())]);
        Chunk {
            offset,
            complete: content.len() == rest.len(),
            path: None,
            content,
        }
    }

    async fn append(&self, stream: usize, chunk: Chunk) -> Result<(), UploadError> {
        self.uploads
            .append(&self.run, self.contents[stream].0.clone(), chunk)
            .await
            .map(|_| ())
    }

    async fn take(&self, step: &Step) {
        match *step {
            Step::Send { stream, bytes } => {
                let offset = self.offset(stream).await;
                self.append(stream, self.cut(stream, offset, bytes))
                    .await
                    .unwrap();
            }
            Step::Repeat {
                stream,
                back,
                bytes,
            } => {
                let offset = self.offset(stream).await;
                let chunk = self.cut(stream, offset.saturating_sub(back), bytes);
                if chunk.offset < offset {
                    let refused = self.append(stream, chunk).await;
                    assert!(
                        matches!(refused, Err(UploadError::Offset { offset: right, .. }) if right == offset)
                    );
                }
            }
            Step::Twice { stream, bytes } => {
                let offset = self.offset(stream).await;
                let chunk = self.cut(stream, offset, bytes);
                let is_empty = chunk.content.is_empty();
                let (one, other) = tokio::join!(
                    self.append(stream, chunk.clone()),
                    self.append(stream, chunk)
                );
                assert!(
                    is_empty || one.is_ok() != other.is_ok(),
                    "the same bytes were taken twice"
                );
            }
            Step::Crash { stream, bytes } => {
                let offset = self.offset(stream).await;
                let content = self.cut(stream, offset, bytes).content;
                if !content.is_empty() {
                    self.store
                        .put_part(
                            &self.run.folder(),
                            &self.contents[stream].0,
                            offset,
                            content,
                        )
                        .await
                        .unwrap();
                }
            }
        }
    }

    /// Sends what remains, and reads everything back.
    async fn finish(&self) -> Vec<Vec<u8>> {
        let mut composed = Vec::new();
        for (stream, (id, _)) in self.contents.iter().enumerate() {
            let offset = self.offset(stream).await;
            self.append(stream, self.cut(stream, offset, usize::MAX))
                .await
                .unwrap();
            let length = self.offset(stream).await;
            let mut parts = self
                .store
                .read_parts(&self.run.folder(), id, length)
                .await
                .unwrap();
            let mut whole = Vec::new();
            while let Some(part) = parts.next().await.unwrap() {
                whole.extend_from_slice(&part);
            }
            composed.push(whole);
        }
        composed
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn what_is_composed_is_what_was_sent(
        contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..3),
        steps in proptest::collection::vec(step(2), 0..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let composed = runtime.block_on(async {
            let reporter = Reporter::new(folder.path(), &contents).await;
            for step in &steps {
                let (Step::Send { stream, .. } | Step::Repeat { stream, .. } | Step::Twice { stream, .. } | Step::Crash { stream, .. }) = step;
                if *stream < contents.len() {
                    reporter.take(step).await;
                }
            }
            reporter.finish().await
        });
        prop_assert_eq!(composed, contents);
    }
}
