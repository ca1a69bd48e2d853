//! The pieces put together: started, served, drained.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};
use kube::Client;
use proctor_certs::{Names, Resolver, Rotation, Schedule};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::Ready;
use crate::args::Args;
use crate::cluster::{Jobs, Pods, Publisher, SharedAuthority, SharedError};
use crate::http::App;
use crate::identity::{ClusterIdentity, Identity, TokenFileError, Tokens};
use crate::index::{Index, IndexError};
use crate::metrics::Metrics;
use crate::runs::due::Loop;
use crate::runs::finalise::Finaliser;
use crate::store::{Store, StoreError};
use crate::uploads::Uploads;
use crate::{admin, http, server};

/// How long the certificate of a collector without a cluster is valid; it ends with the process.
const STANDALONE_VALIDITY: SignedDuration = SignedDuration::from_hours(30 * 24);

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
    /// A file for others could not be written.
    #[error(
        "{path} could not be written: name a file in a writable folder with --ca-out or --address-out"
    )]
    Out {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// No cluster.
    #[error(
        "there is no cluster to work in: run the collector in a pod with a service account, set KUBECONFIG, or use --standalone"
    )]
    Cluster(#[source] Box<kube::Error>),
    /// The authority in the cluster.
    #[error(transparent)]
    Authority(#[from] SharedError),
    /// No runtime.
    #[error("the threads of the collector could not be started")]
    Runtime(#[source] std::io::Error),
}

/// A collector that serves.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    parts: Parts,
}

/// What every mode has.
#[derive(Clone, Debug)]
struct Parts {
    store: Store,
    index: Index,
    uploads: Uploads,
    ready: Arc<Ready>,
    metrics: Arc<Metrics>,
    wake: Arc<Notify>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// What the modes differ in.
struct Surroundings {
    identity: Identity,
    publisher: Publisher,
    resolver: Arc<Resolver>,
}

impl Collector {
    /// Opens store and index and serves.
    pub async fn start(args: Args) -> Result<Self, StartError> {
        let parts = Parts::open(&args).await?;
        let listener = listen(args.listen).await?;
        let address = listener.local_addr().map_err(|source| StartError::Listen {
            address: args.listen,
            source,
        })?;
        parts.serve_admin(&args).await?;
        let surroundings = if args.standalone {
            parts.alone(&args, address)?
        } else {
            parts.in_cluster(&args).await?
        };
        parts.finalise(&args, surroundings.publisher);
        let tls = proctor_certs::server_config(
            surroundings.resolver,
            proctor_certs::provider(),
            &["http/1.1"],
        )
        .map_err(|error| StartError::Certificate(error.into()))?;
        let routes = http::router(App {
            uploads: parts.uploads.clone(),
            index: parts.index.clone(),
            store: parts.store.clone(),
            identity: Arc::new(surroundings.identity),
            wake: parts.wake.clone(),
            metrics: parts.metrics.clone(),
        });
        parts.tasks.spawn(server::serve(
            listener,
            Arc::new(tls),
            routes,
            parts.stop.clone(),
        ));
        parts.ready.serving.store(true, Ordering::Relaxed);
        tracing::info!(%address, "listening");
        Ok(Self { address, parts })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes nothing more, ends what is in flight, finalises what is due, and closes the index.
    pub async fn stop(self) {
        self.parts.stop.cancel();
        self.parts.tasks.close();
        self.parts.tasks.wait().await;
        self.parts.index.close().await;
    }
}

impl Parts {
    async fn open(args: &Args) -> Result<Self, StartError> {
        let store = Store::folder(&args.store)?;
        let index_file = args
            .index
            .clone()
            .unwrap_or_else(|| args.store.join("index.sqlite"));
        let index = Index::open(&index_file).await?;
        Ok(Self {
            uploads: Uploads::new(store.clone(), index.clone()),
            store,
            index,
            ready: Arc::default(),
            metrics: Arc::default(),
            wake: Arc::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        })
    }

    /// A list of tokens, and an authority that ends with the process.
    fn alone(&self, args: &Args, address: SocketAddr) -> Result<Surroundings, StartError> {
        let certificate =
            |error: Box<dyn std::error::Error + Send + Sync>| StartError::Certificate(error);
        let tokens = args
            .tokens
            .as_deref()
            .map(Tokens::read)
            .transpose()?
            .unwrap_or_default();
        let now = Timestamp::now();
        let rotation = Rotation::begin("proctor-collector-ca", now, &Schedule::default())
            .map_err(|error| certificate(error.into()))?;
        let names = Names::new(["localhost"]).with_ips([address.ip()]);
        let leaf = rotation
            .current()
            .issue(&names, STANDALONE_VALIDITY, now)
            .map_err(|error| certificate(error.into()))?;
        write_out(args.ca_out.as_deref(), &rotation.bundle().to_pem())?;
        write_out(args.address_out.as_deref(), &address.to_string())?;
        self.ready.published.store(true, Ordering::Relaxed);
        self.ready.listed.store(true, Ordering::Relaxed);
        Ok(Surroundings {
            identity: Identity::Tokens(tokens),
            publisher: Publisher::Nobody,
            resolver: Resolver::new(leaf),
        })
    }

    /// The API server's word, watches, and the authority in its Secret.
    async fn in_cluster(&self, args: &Args) -> Result<Surroundings, StartError> {
        let client = Client::try_default()
            .await
            .map_err(|error| StartError::Cluster(Box::new(error)))?;
        let authority = SharedAuthority::new(client.clone(), &args.namespace, &args.service_name)?;
        let (rotation, resolver) = authority.first().await?;
        let keep = authority.keep(
            rotation,
            resolver.clone(),
            self.ready.clone(),
            self.metrics.clone(),
            self.stop.clone(),
        );
        self.tasks.spawn(keep);
        let publisher = Publisher::Cluster(client.clone());
        let selector = format!("{}={}", args.label.0, args.label.1);
        let pods = Pods {
            client: client.clone(),
            selector: selector.clone(),
            index: self.index.clone(),
            publisher: publisher.clone(),
            wake: self.wake.clone(),
            followed: Arc::default(),
            tasks: self.tasks.clone(),
            stop: self.stop.clone(),
        };
        let jobs = Jobs {
            client: client.clone(),
            selector,
            index: self.index.clone(),
            publisher: publisher.clone(),
            wake: self.wake.clone(),
        };
        self.tasks.spawn(
            self.stop
                .clone()
                .run_until_cancelled_owned(pods.watch(self.ready.clone())),
        );
        self.tasks
            .spawn(self.stop.clone().run_until_cancelled_owned(jobs.watch()));
        let identity = Identity::Cluster(ClusterIdentity::new(client, args.label.clone()));
        Ok(Surroundings {
            identity,
            publisher,
            resolver,
        })
    }

    fn finalise(&self, args: &Args, publisher: Publisher) {
        let finalising = Loop {
            finaliser: Finaliser {
                store: self.store.clone(),
                index: self.index.clone(),
                uploads: self.uploads.clone(),
                publisher,
            },
            in_cluster: !args.standalone,
            grace: SignedDuration::from_secs(args.finalize_grace_seconds.into()),
            wake: self.wake.clone(),
            metrics: self.metrics.clone(),
        };
        self.tasks.spawn(finalising.run(self.stop.clone()));
    }

    async fn serve_admin(&self, args: &Args) -> Result<(), StartError> {
        const IN_CLUSTER: SocketAddr =
            SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 8080);
        let Some(address) = args
            .admin_listen
            .or((!args.standalone).then_some(IN_CLUSTER))
        else {
            return Ok(());
        };
        let listener = listen(address).await?;
        let routes = admin::router(self.ready.clone(), self.metrics.clone());
        let stopped = self.stop.clone().cancelled_owned();
        self.tasks.spawn(async move {
            if let Err(error) = axum::serve(listener, routes)
                .with_graceful_shutdown(stopped)
                .await
            {
                tracing::error!(%error, "the admin port is not served any more");
            }
        });
        Ok(())
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen { address, source })
}

/// Whoever waits for the file finds all of it.
fn write_out(path: Option<&Path>, text: &str) -> Result<(), StartError> {
    let Some(path) = path else { return Ok(()) };
    let temporary = path.with_extension("tmp");
    std::fs::write(&temporary, text)
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(|source| StartError::Out {
            path: path.to_owned(),
            source,
        })
}
