//! The pieces put together: started, served, drained.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};
use proctor_certs::{Names, Resolver, Rotation, Schedule};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing_subscriber::EnvFilter;

use crate::admin::Ready;
use crate::args::{Args, LogFormat};
use crate::http::App;
use crate::identity::{Identity, TokenFileError, Tokens};
use crate::index::{Index, IndexError};
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};
use crate::uploads::Uploads;
use crate::{admin, http, server};

/// Threads that serve; finalising runs on them too.
const WORKER_THREADS: usize = 2;

/// Why the collector did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address is taken or not this machine's.
    #[error(
        "nothing can be served at {address}: choose another address with --listen or --admin-listen"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index cannot be used.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The tokens cannot be used.
    #[error(transparent)]
    Tokens(#[from] TokenFileError),
    /// There is no certificate.
    #[error("no certificate could be issued")]
    Certificate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The authority's certificate could not be written.
    #[error(
        "the authority's certificate could not be written to {path}: name a file in a writable folder with --ca-out"
    )]
    CaOut {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// No runtime.
    #[error("the threads of the collector could not be started")]
    Runtime(#[source] std::io::Error),
}

/// Runs the collector until SIGTERM or SIGINT, and drains.
pub fn run(args: Args) -> Result<(), StartError> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    log_to_stderr(args.log_format);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build()
        .map_err(StartError::Runtime)?;
    runtime.block_on(async {
        let collector = Collector::start(args).await?;
        ended().await;
        tracing::info!("draining");
        collector.stop().await;
        Ok(())
    })
}

/// A collector that serves.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    index: Index,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Collector {
    /// Opens store and index and serves.
    pub async fn start(args: Args) -> Result<Self, StartError> {
        let store = Store::folder(&args.store)?;
        let index_file = args
            .index
            .clone()
            .unwrap_or_else(|| args.store.join("index.sqlite"));
        let index = Index::open(&index_file).await?;
        let uploads = Uploads::new(store.clone(), index.clone());
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (wake, ready, metrics) = (
            Arc::new(Notify::new()),
            Arc::new(Ready::default()),
            Arc::new(Metrics::default()),
        );

        let listener = listen(args.listen).await?;
        let address = listener.local_addr().map_err(|source| StartError::Listen {
            address: args.listen,
            source,
        })?;
        let tokens = args
            .tokens
            .as_deref()
            .map(Tokens::read)
            .transpose()?
            .unwrap_or_default();
        let identity = Identity::Tokens(tokens);
        let rotation = Rotation::begin(
            "proctor-collector-ca",
            Timestamp::now(),
            &Schedule::default(),
        )
        .map_err(|error| StartError::Certificate(error.into()))?;
        let names = Names::new(["localhost"]).with_ips([address.ip()]);
        let leaf = rotation
            .current()
            .issue(&names, SignedDuration::from_hours(24), Timestamp::now())
            .map_err(|error| StartError::Certificate(error.into()))?;
        let resolver = Resolver::new(leaf);
        let tls = proctor_certs::server_config(resolver, proctor_certs::provider(), &["http/1.1"])
            .map_err(|error| StartError::Certificate(error.into()))?;
        let app = App {
            uploads,
            index: index.clone(),
            store,
            identity: Arc::new(identity),
            wake,
            metrics: metrics.clone(),
        };
        tasks.spawn(server::serve(
            listener,
            Arc::new(tls),
            http::router(app),
            stop.clone(),
        ));
        if let Some(path) = &args.ca_out {
            std::fs::write(path, rotation.bundle().to_pem()).map_err(|source| {
                StartError::CaOut {
                    path: path.clone(),
                    source,
                }
            })?;
        }
        ready.serving.store(true, Ordering::Relaxed);
        if let Some(admin) = args.admin_listen {
            let listener = listen(admin).await?;
            let routes = admin::router(ready, metrics);
            let stopped = stop.clone().cancelled_owned();
            tasks.spawn(async move {
                axum::serve(listener, routes)
                    .with_graceful_shutdown(stopped)
                    .await
            });
        }
        tracing::info!(%address, "listening");
        Ok(Self {
            address,
            index,
            stop,
            tasks,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes nothing more, ends what is in flight, and closes the index.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.index.close().await;
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen { address, source })
}

/// SIGTERM or SIGINT.
async fn ended() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        tracing::warn!("signals cannot be handled here: the collector ends only when it is killed");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

fn log_to_stderr(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A process has one log; where the caller has set one up already, that is it.
    let _ = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    };
}
