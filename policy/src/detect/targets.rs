//! Localhost as what a test talks to, told apart from addresses to listen on and lists to allow.

use super::addresses::{Target, in_text};
use super::loopback::is_loopback;
use super::names::Words;
use super::served::default_port;
use super::shell::{self, Command};
use super::url::host_port;
use crate::view::Container;

/// Names of addresses to listen on, of lists, and of texts.
const HARMLESS: &[&str] = &[
    "bind",
    "binding",
    "listen",
    "listener",
    "listeners",
    "listening",
    "noproxy",
    "cors",
    "origin",
    "origins",
    "allow",
    "allowed",
    "allowlist",
    "whitelist",
    "trusted",
    "redirect",
    "callback",
    "cidr",
    "cidrs",
    "exclude",
    "excluded",
    "ignore",
    "ignored",
    "skip",
    "comment",
    "message",
    "description",
    "note",
    "title",
    "help",
    "advertise",
    "advertised",
    "cookie",
    "seccomp",
    "image",
    "serve",
    "serving",
    "san",
    "sans",
    "subject",
    "issuer",
    "audience",
    "referer",
    "csrf",
    "expose",
];
/// Names of hosts to talk to.
const HOSTS: &[&str] = &[
    "host",
    "hosts",
    "hostname",
    "hostnames",
    "server",
    "servers",
    "addr",
    "addrs",
    "address",
    "addresses",
    "endpoint",
    "endpoints",
    "broker",
    "brokers",
    "url",
    "urls",
    "uri",
    "uris",
    "seeds",
    "nodes",
    "node",
    "peers",
    "upstream",
    "target",
    "backend",
    "bootstrap",
    "dsn",
    "ip",
    "master",
    "proxy",
    "connect",
    "gateway",
];
/// Alone they name where a program listens as often as where it connects.
const AMBIGUOUS: &[&str] = &[
    "host", "hostname", "address", "addr", "ip", "server", "node", "master", "hosts",
];
/// The last words of flags that take a host: `--host`, `--redis-host`, `--base-url`. Not `--address`, by which servers listen.
const HOST_FLAGS: &[&str] = &[
    "host",
    "hostname",
    "server",
    "servers",
    "url",
    "uri",
    "endpoint",
    "endpoints",
    "broker",
    "brokers",
    "target",
    "connect",
];
/// Programs that take `-h HOST`.
const DASH_H: &[&str] = &[
    "psql",
    "pg_isready",
    "pg_dump",
    "mysql",
    "mysqladmin",
    "mysqldump",
    "redis-cli",
    "mongo",
    "mongosh",
    "createdb",
    "pg_restore",
    "mariadb",
    "dropdb",
    "mosquitto_pub",
    "mosquitto_sub",
];
/// Programs that take a host as a plain argument.
const CLIENTS: &[&str] = &[
    "curl",
    "wget",
    "nc",
    "ncat",
    "netcat",
    "telnet",
    "ping",
    "nslookup",
    "dig",
    "http",
    "https",
    "grpcurl",
    "wait-for-it",
    "wait-for-it.sh",
    "wait-for",
    "nmap",
    "dockerize",
    "ssh",
];
/// Programs that listen on the host they are given.
const SERVERS: &[&str] = &[
    "uvicorn",
    "gunicorn",
    "hypercorn",
    "daphne",
    "flask",
    "runserver",
    "http.server",
    "vite",
    "redis-server",
    "nats-server",
    "postgres",
    "mysqld",
    "mongod",
    "etcd",
    "http-server",
    "rails",
    "puma",
    "php-fpm",
    "nginx",
    "caddy",
    "serve",
    "next",
    "webpack-dev-server",
    "granian",
    "fastapi",
];
const DEV_TCP: &str = "/dev/tcp/";

/// What the value of a variable points at, if it is the pod itself. All of them, as one may be served and another not.
pub(crate) fn in_env(name: &str, value: &str, container: &Container<'_>) -> Vec<Target> {
    let words = Words::of(name);
    let joined = words.iter().collect::<String>();
    if words.any(HARMLESS) || joined.ends_with("noproxy") {
        return Vec::new();
    }
    let mut targets = in_text(value);
    if !targets.is_empty() {
        return targets;
    }
    let value = value.trim();
    let ambiguous = words.len() == 1 && AMBIGUOUS.contains(&words.last());
    let listens = ambiguous && !container.ports.is_empty();
    let last = words
        .iter()
        .rev()
        .find(|word| !word.bytes().all(|byte| byte.is_ascii_digit()));
    let of_hosts = last.is_some_and(|last| {
        HOSTS.contains(&last)
            || HOSTS
                .iter()
                .any(|host| host.len() > 3 && last.ends_with(host))
    });
    for item in value
        .split([',', ';', ' '])
        .map(str::trim)
        .filter(|item| !item.is_empty())
    {
        let (host, port) = host_port(item.split('/').next().unwrap_or(item));
        let judged = port.is_some() || (of_hosts && !listens && is_like_a_host(host));
        if judged && is_loopback(host) && !(listens && port.is_some()) {
            let sibling = || sibling_port(name, container);
            let known = || words.iter().find_map(default_port);
            targets.push(Target {
                port: port.or_else(sibling).or_else(known),
                hint: String::new(),
            });
        }
    }
    targets
}

/// A bare number is a loopback address only to those who look for one.
fn is_like_a_host(host: &str) -> bool {
    host.bytes().any(|byte| !byte.is_ascii_digit()) || host.len() > 8
}

/// `DB_HOST` has its port in `DB_PORT`.
fn sibling_port(name: &str, container: &Container<'_>) -> Option<u16> {
    let cut = name.rfind(['_', '-', '.']).map_or(0, |at| at + 1);
    let (prefix, last) = (name.get(..cut)?, name.get(cut..)?);
    let port = if last.bytes().all(|byte| byte.is_ascii_lowercase()) {
        "port"
    } else {
        "PORT"
    };
    container
        .env_var(&format!("{prefix}{port}"))?
        .value
        .trim()
        .parse()
        .ok()
}

/// What a command talks to, by word.
pub(crate) fn in_command(command: &Command, container: &Container<'_>) -> Vec<(usize, Target)> {
    let program = command.program();
    let serves = command
        .words
        .iter()
        .any(|word| SERVERS.contains(&word.rsplit('/').next().unwrap_or_default()));
    let mut targets = Vec::new();
    if command.is_message() {
        return targets;
    }
    let mut before = "";
    for (index, word) in command.words.iter().enumerate() {
        let mut found = |target: Target| targets.push((index, target));
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (word.as_str(), None),
        };
        let is_flag = key.starts_with('-');
        let name = Words::of(key);
        let harmless = name.any(HARMLESS) && (is_flag || value.is_some());
        let before_harmless =
            before.starts_with('-') && !before.contains('=') && Words::of(before).any(HARMLESS);
        if harmless || before_harmless {
            before = word;
            continue;
        }
        if shell::is_assignment(word) {
            let value = value.unwrap_or_default();
            in_env(key, value, container)
                .into_iter()
                .for_each(&mut found);
        } else {
            let urls = in_text(word);
            if urls.is_empty() {
                let operand = value.filter(|_| is_flag).unwrap_or(word);
                let (host, port) = host_port(operand);
                let takes_host = |flag: &str| {
                    flag.starts_with("--") && HOST_FLAGS.contains(&Words::of(flag).last())
                };
                let glued = word
                    .strip_prefix("-h")
                    .filter(|_| DASH_H.contains(&program));
                let (host, port) = glued.map_or((host, port), |host| (host, None));
                let by_flag = !serves
                    && (takes_host(before)
                        || (value.is_some() && takes_host(key))
                        || glued.is_some()
                        || (before == "-h" && DASH_H.contains(&program)));
                let plain = CLIENTS.contains(&program) && !is_flag;
                let judged = port.is_some() && !serves || by_flag || plain;
                if judged && is_like_a_host(host) && is_loopback(host) {
                    let behind = || command.words.get(index + 1)?.parse().ok();
                    let flagged = || {
                        let mut words = command.words.iter();
                        words.find(|word| *word == "-p" || *word == "--port" || *word == "-P")?;
                        words.next()?.parse().ok()
                    };
                    let client = program.split(['-', '_']).next().unwrap_or_default();
                    let known = || match client {
                        "psql" | "pg" | "createdb" | "dropdb" => Some(5432),
                        "mysqladmin" | "mysqldump" => Some(3306),
                        "mongosh" => Some(27017),
                        _ => default_port(client),
                    };
                    found(Target {
                        port: port.or_else(behind).or_else(flagged).or_else(known),
                        hint: format!("{program} {}", key.trim_start_matches('-')),
                    });
                }
            } else {
                urls.into_iter().for_each(&mut found);
            }
            if let Some((_, rest)) = word.split_once(DEV_TCP) {
                let mut parts = rest.split('/');
                let host = parts.next().unwrap_or_default();
                let port = parts
                    .next()
                    .and_then(|port| port.trim_end_matches([')', '\'', '"']).parse().ok());
                if is_loopback(host) {
                    found(Target {
                        port,
                        hint: String::new(),
                    });
                }
            }
        }
        before = word;
    }
    targets
}
