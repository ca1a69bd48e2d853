//! What clients see while a server's certificate is replaced: real handshakes over buffers in memory.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking"
)]

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proctor_certs::{
    Authority, Bundle, Leaf, Names, Resolver, Rotation, Schedule, provider, server_config,
};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

const HOST: &str = "proctor-webhook.proctor-system.svc";

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

fn leaf(authority: &Authority) -> Leaf {
    let now = Timestamp::now();
    authority.issue(&Names::new([HOST]), hours(1), now).unwrap()
}

fn server(resolver: &Arc<Resolver>) -> Arc<ServerConfig> {
    Arc::new(server_config(Arc::clone(resolver), provider(), &["h2"]).unwrap())
}

/// Two ends of a connection.
struct Pair {
    client: ClientConnection,
    server: ServerConnection,
}

impl Pair {
    /// The handshake, or the client's reason to refuse it.
    fn connect(server: &Arc<ServerConfig>, bundle: &Bundle) -> Result<Self, rustls::Error> {
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(bundle.roots())
            .with_no_client_auth();
        let name = ServerName::try_from(HOST).unwrap();
        let mut pair = Self {
            client: ClientConnection::new(Arc::new(client), name)?,
            server: ServerConnection::new(Arc::clone(server))?,
        };
        while pair.client.is_handshaking() || pair.server.is_handshaking() {
            pair.exchange()?;
        }
        Ok(pair)
    }

    fn exchange(&mut self) -> Result<(), rustls::Error> {
        let mut wire = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut wire).unwrap();
        }
        self.server.read_tls(&mut wire.as_slice()).unwrap();
        self.server.process_new_packets()?;
        wire.clear();
        while self.server.wants_write() {
            self.server.write_tls(&mut wire).unwrap();
        }
        self.client.read_tls(&mut wire.as_slice()).unwrap();
        self.client.process_new_packets()?;
        Ok(())
    }

    fn sees(&self) -> CertificateDer<'static> {
        self.client.peer_certificates().unwrap()[0].clone()
    }

    fn carries(&mut self, text: &str) -> bool {
        self.client.writer().write_all(text.as_bytes()).unwrap();
        self.exchange().unwrap();
        let mut read = vec![0; text.len()];
        self.server.reader().read_exact(&mut read).unwrap();
        read == text.as_bytes()
    }
}

#[test]
fn a_connection_survives_a_new_leaf_and_the_next_one_sees_it() {
    let now = Timestamp::now();
    let rotation = Rotation::begin("ca", now, &Schedule::default()).unwrap();
    let resolver = Resolver::new(leaf(rotation.current()));
    let server = server(&resolver);
    let mut old = Pair::connect(&server, &rotation.bundle()).unwrap();

    resolver.replace(leaf(rotation.current()));
    assert!(old.carries("still here"));

    let new = Pair::connect(&server, &rotation.bundle()).unwrap();
    assert_ne!(new.sees(), old.sees());
    assert_eq!(new.sees(), resolver.leaf().certified_key().cert[0]);
}

#[test]
fn clients_with_the_old_and_the_new_bundle_both_verify_throughout_a_rotation() {
    let schedule = Schedule::default();
    // So old that its renewal is due.
    let begun = Timestamp::now() - hours(340 * 24);
    let settled = Rotation::begin("ca", begun, &schedule).unwrap();
    let before = settled.bundle();
    let resolver = Resolver::new(leaf(settled.current()));
    let server = server(&resolver);

    let an_hour_ago = Timestamp::now() - hours(1);
    let (published, _) = settled.advance(an_hour_ago, &schedule).unwrap();
    let overlap = published.bundle();
    for bundle in [&before, &overlap] {
        Pair::connect(&server, bundle).unwrap();
    }

    let (switched, _) = published.advance(Timestamp::now(), &schedule).unwrap();
    assert!(!resolver.leaf().is_issued_by(switched.current()));
    for bundle in [&overlap, &switched.bundle()] {
        Pair::connect(&server, bundle).expect("the old leaf in the overlap");
    }
    resolver.replace(leaf(switched.current()));
    for bundle in [&overlap, &switched.bundle()] {
        Pair::connect(&server, bundle).expect("the new leaf");
    }
    let late = Pair::connect(&server, &before);
    assert!(late.is_err(), "nothing was awaited, so nothing was proven");
}

#[test]
fn an_expired_leaf_is_shown_and_the_client_names_the_reason() {
    let now = Timestamp::now();
    let authority = Authority::create("ca", hours(48), now - hours(24)).unwrap();
    let leaf = authority
        .issue(&Names::new([HOST]), hours(1), now - hours(24))
        .unwrap();
    let resolver = Resolver::new(leaf);
    assert!(resolver.is_expired(now));

    let bundle = Bundle::new(authority.certificate().clone(), None);
    let refused = Pair::connect(&server(&resolver), &bundle).err().unwrap();
    assert!(refused.to_string().contains("expired"), "{refused}");
}

#[test]
fn a_client_that_cannot_do_tls_1_3_is_refused() {
    let now = Timestamp::now();
    let rotation = Rotation::begin("ca", now, &Schedule::default()).unwrap();
    let server = server(&Resolver::new(leaf(rotation.current())));
    let client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(rotation.bundle().roots())
        .with_no_client_auth();
    let name = ServerName::try_from(HOST).unwrap();
    let mut pair = Pair {
        client: ClientConnection::new(Arc::new(client), name).unwrap(),
        server: ServerConnection::new(server).unwrap(),
    };
    assert!(pair.exchange().is_err());
}
