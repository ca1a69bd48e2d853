//! What one pod may send, and what is served at once. Memory and store are bounded by these numbers.

use std::time::Duration;

/// Largest body of a PATCH: 1 MiB.
pub const MAX_CHUNK_BYTES: usize = 1024 * 1024;

/// Largest body of any other request.
pub const MAX_SMALL_BODY_BYTES: usize = 4 * 1024;

/// Bytes of one run, all its streams together: 2 GiB, a fifth of the volume that the chart asks for.
pub const MAX_RUN_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// Streams of one run: containers, attempts and gathered files.
pub const MAX_RUN_STREAMS: u64 = 10_000;

/// Parts of one run, so that a run of many tiny chunks cannot fill the store with objects.
pub const MAX_RUN_PARTS: u64 = 200_000;

/// Largest `start` and `end` record.
pub const MAX_RECORD_BYTES: u64 = 64 * 1024;

/// Longest path of a gathered file, in bytes.
pub const MAX_PATH_BYTES: usize = 1024;

/// Longest segment of such a path, in bytes: what file systems take, less what a store adds to a file that is being written.
pub const MAX_SEGMENT_BYTES: usize = 200;

/// Requests served at once; with [`MAX_CHUNK_BYTES`] it bounds the memory that bodies take. More are answered 503.
pub const MAX_REQUESTS_IN_FLIGHT: usize = 64;

/// Connections held open at once; further ones wait in the kernel's queue.
pub const MAX_CONNECTIONS: usize = 1024;

/// Time for a TLS handshake, and for the head of a request.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for the whole of a request, its body included.
pub const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// What a client that is turned away is told to wait.
pub const RETRY_AFTER_SECONDS: u64 = 2;

/// Time for requests in flight when the process ends.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);

/// Runs finalised at once.
pub const MAX_FINALISING: usize = 2;

/// Failing tests named in a TestRun's status.
pub const MAX_STATUS_TESTS: usize = 20;

/// Longest message of a failing test in a TestRun's status, in bytes.
pub const MAX_STATUS_MESSAGE_BYTES: usize = 1024;

/// Gathered files named in a TestRun's status.
pub const MAX_STATUS_FILES: usize = 50;

/// How long an ended pod's last bytes may take where its reporter said neither that it is done nor that it ended.
pub const FINALIZE_GRACE_SECONDS: u32 = 30;
