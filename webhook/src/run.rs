//! From the command line to a server that stops when it is told to.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use proctor_certs::{Names, Resolver, Schedule, provider, server_config};
use proctor_policy::{Platform, PolicyError, ReporterPlatform};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::Args;
use crate::args::ClusterArgs;
use crate::cluster::{AuthorityStore, Configurations, Keeper, Watches, wake_on_change};
use crate::http::{App, Drain, Limits, admin_routes, routes, serve};
use crate::metrics::Metrics;
use crate::ready::{Part, Readiness};
use crate::standalone::{self, StandaloneError};
use crate::state::Current;
use crate::telemetry;

/// How long requests that were asked before the end may take; below the 30 s that Kubernetes gives a pod.
const GRACE: Duration = Duration::from_secs(20);

/// Why the server did not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The log filter is not one.
    #[error("--log is not a filter such as `info` or `info,proctor_webhook=debug`")]
    Log(#[from] tracing_subscriber::filter::ParseError),
    /// The system gives no threads.
    #[error("the server could not start its threads")]
    Runtime(#[source] io::Error),
    /// A port cannot be opened.
    #[error("{address} cannot be listened on; is another process there?")]
    Listen {
        /// The port.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Signals cannot be received.
    #[error("the server could not ask for signals")]
    Signals(#[source] io::Error),
    /// TLS cannot be set up.
    #[error("TLS 1.3 is not available in this build")]
    Tls(#[source] rustls::Error),
    /// There is no way to the API server.
    #[error(
        "there is no way to an API server; run in a cluster, give a kubeconfig, or use --ca-out to run without one"
    )]
    Kube(#[source] Box<kube::Error>),
    /// A policy is not valid.
    #[error("the policies are not valid: {0}")]
    Policies(String),
    /// A file is not what it should be.
    #[error(transparent)]
    Standalone(#[from] StandaloneError),
}

/// Serves until SIGTERM or SIGINT, then answers what has been asked and returns.
pub fn run(args: Args) -> Result<(), RunError> {
    telemetry::init(&args.log, args.log_format)?;
    // Whoever came first has installed the same one.
    let _taken = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(RunError::Runtime)?;
    runtime.block_on(async {
        let server = Server::new(args)?;
        if server.args.standalone.ca_out.is_some() {
            server.standalone().await
        } else {
            server.cluster().await
        }
    })
}

/// What both ways to run have in common.
struct Server {
    args: Args,
    metrics: Arc<Metrics>,
    current: Arc<Current>,
    stop: CancellationToken,
}

impl Server {
    fn new(args: Args) -> Result<Self, RunError> {
        let metrics = Arc::new(Metrics::default());
        let current = Current::new(platform(&args), Arc::clone(&metrics))
            .map_err(|errors| invalid(&errors))?;
        Ok(Self {
            args,
            metrics,
            current: Arc::new(current),
            stop: CancellationToken::new(),
        })
    }

    async fn standalone(self) -> Result<(), RunError> {
        let files = &self.args.standalone;
        let (policies, world) = standalone::read(&files.policies, files.collector_ca.as_deref())?;
        self.current
            .adopt(policies)
            .map_err(|errors| invalid(&errors))?;
        self.current.see(world);
        let readiness = Arc::new(Readiness::of([]));
        self.admin(&readiness).await?;
        self.on_signal(&readiness)?;

        let listener = listen(self.args.listen).await?;
        let address = listener.local_addr().map_err(|source| RunError::Listen {
            address: self.args.listen,
            source,
        })?;
        let names = Names::new(["localhost".to_owned(), self.service()]);
        let loopback = ["127.0.0.1", "::1"]
            .into_iter()
            .filter_map(|ip| ip.parse().ok());
        let names = names.with_ips(loopback.chain([address.ip()]));
        let (authority, leaf) = standalone::authority(&names)?;
        self.metrics
            .certificates_end(leaf.not_after(), authority.not_after());
        if let Some(path) = &files.ca_out {
            standalone::publish(authority.certificate_pem(), path)?;
        }
        if let Some(path) = &files.address_out {
            standalone::publish(&address.to_string(), path)?;
        }
        self.serve(listener, Resolver::new(leaf)).await
    }

    async fn cluster(self) -> Result<(), RunError> {
        let client = kube::Client::try_default()
            .await
            .map_err(|error| RunError::Kube(Box::new(error)))?;
        let readiness = Arc::new(awaited());
        self.admin(&readiness).await?;
        self.on_signal(&readiness)?;

        let ClusterArgs {
            namespace,
            webhook_configuration: configuration,
            ..
        } = self.args.cluster.clone();
        let watches = Watches {
            client: client.clone(),
            namespace: namespace.clone(),
            wants_bundle: self.args.sidecar_image.is_some(),
            current: Arc::clone(&self.current),
            readiness: Arc::clone(&readiness),
        };
        tokio::spawn(watches.run());
        let changed = Arc::new(Notify::new());
        tokio::spawn(wake_on_change(
            client.clone(),
            configuration.clone(),
            Arc::clone(&changed),
        ));

        let keeper = Keeper {
            store: AuthorityStore::new(client.clone(), &namespace, Schedule::default()),
            configurations: Configurations::new(&client, &configuration),
            service: self.service(),
            metrics: Arc::clone(&self.metrics),
            readiness: Arc::clone(&readiness),
        };
        let (rotation, resolver) = tokio::select! {
            first = keeper.begin() => first,
            () = self.stop.cancelled() => return Ok(()),
        };
        let listener = listen(self.args.listen).await?;
        tokio::spawn(keeper.run(rotation, Arc::clone(&resolver), self.args.listen, changed));
        self.serve(listener, resolver).await
    }

    async fn serve(self, listener: TcpListener, resolver: Arc<Resolver>) -> Result<(), RunError> {
        let limits = Limits::default();
        let tls =
            server_config(resolver, provider(), &["h2", "http/1.1"]).map_err(RunError::Tls)?;
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "listening");
        }
        let app = routes(App::new(self.current, self.metrics, limits));
        let stop = self.stop.cancelled_owned();
        match serve(listener, tls, app, &limits, stop, GRACE).await {
            Drain::Complete => tracing::info!("stopped; every request was answered"),
            Drain::Cut(open) => tracing::warn!(open, "stopped; connections were still open"),
        }
        Ok(())
    }

    async fn admin(&self, readiness: &Arc<Readiness>) -> Result<(), RunError> {
        let Some(address) = self.args.admin() else {
            return Ok(());
        };
        let listener = listen(address).await?;
        let app: Router = admin_routes(Arc::clone(readiness), Arc::clone(&self.metrics));
        // Ends with the process: until then it answers, even while the other port drains.
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(())
    }

    /// On a signal the server is not ready at once, and stops when everybody had time to learn that.
    fn on_signal(&self, readiness: &Arc<Readiness>) -> Result<(), RunError> {
        let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
        let (readiness, stop) = (Arc::clone(readiness), self.stop.clone());
        let announce = self.args.announce();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!(
                seconds = announce.as_secs(),
                "told to stop; serving on for a while"
            );
            readiness.drain();
            tokio::time::sleep(announce).await;
            stop.cancel();
        });
        Ok(())
    }

    fn service(&self) -> String {
        let cluster = &self.args.cluster;
        format!("{}.{}.svc", cluster.service_name, cluster.namespace)
    }
}

/// What a cluster must have told before the server is ready.
fn awaited() -> Readiness {
    Readiness::of(
        [
            (Part::Policies, "the policies have not been read yet"),
            (Part::Namespaces, "the namespaces have not been read yet"),
            (Part::Services, "the Services have not been read yet"),
            (
                Part::Certificate,
                "the certificate is not known to the API server yet",
            ),
        ]
        .map(|(part, why)| (part, why.to_owned())),
    )
}

fn platform(args: &Args) -> Platform {
    let reporter = args.sidecar_image.clone().zip(args.collector_url.clone());
    Platform {
        label: args.label.clone(),
        mode: args.mode.into(),
        reporter: reporter.map(|(image, collector_url)| ReporterPlatform {
            image,
            pull_policy: args.sidecar_pull_policy,
            pull_secrets: args.sidecar_pull_secret.clone(),
            collector_url,
            collector_ca: String::new(),
        }),
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| RunError::Listen { address, source })
}

fn invalid(errors: &[PolicyError]) -> RunError {
    let errors: Vec<_> = errors.iter().map(|error| crate::causes(error)).collect();
    RunError::Policies(errors.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_that_is_not_there_yet_keeps_no_server_from_being_ready() {
        let readiness = awaited();
        for part in [
            Part::Policies,
            Part::Namespaces,
            Part::Services,
            Part::Certificate,
        ] {
            assert!(!readiness.missing().is_empty());
            readiness.done(part);
        }
        assert_eq!(readiness.missing(), [""; 0]);
    }
}
