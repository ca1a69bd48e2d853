//! Credentials in command lines: flags, assignments, headers, and the arguments of common tools.

use super::literal::{is_credential, is_reference};
use super::names::Words;
use super::shell::Command;

const OPTION: &str = "-D";
/// `curl -u user:password`
const USER_FLAGS: &[&str] = &["-u", "--user"];

/// The words of a command that hold a credential, with what names them.
pub(crate) fn in_command(command: &Command) -> Vec<(usize, String)> {
    let program = command.program();
    let mut found = Vec::new();
    let mut before = "";
    for (index, word) in command.words.iter().enumerate() {
        let by_pair = in_pair(word);
        let named = by_pair.or_else(|| {
            // `--secret NAME` and `--token FILE` name things as often as not; then a value that reads like one decides.
            let flag = before.starts_with("--") && !before.contains('=') && !word.starts_with('-');
            let bare = matches!(before, "--secret" | "--secrets" | "--credentials");
            (flag && !bare && is_credential(&Words::of(before), word)).then(|| before.to_owned())
        });
        let named = named.or_else(|| of_tool(program, before, word));
        let named = named.or_else(|| {
            let header = matches!(before, "-H" | "--header");
            (header && is_secret_header(word)).then(|| before.to_owned())
        });
        if let Some(name) = named {
            found.push((index, name));
        }
        before = word;
    }
    found
}

/// `NAME=value`, `--name=value`, `-Dname=value`, `--set name=value`, `--from-literal=name=value`
fn in_pair(word: &str) -> Option<String> {
    let (key, value) = word.split_once('=')?;
    let key = key
        .strip_prefix(OPTION)
        .unwrap_or(key)
        .trim_start_matches('-');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if key.is_empty() || !key.bytes().all(plain) {
        return None;
    }
    // `test -z $X = …` and URLs with a query are no assignments.
    if value.starts_with('=') {
        return None;
    }
    // In SQL and code inside a script, quotes and commas belong to the language there.
    let bare = value.trim_matches(['"', '\'', ',', ';', ')']);
    if is_credential(&Words::of(key), bare) && !is_variable(value) {
        return Some(key.to_owned());
    }
    in_pair(value)
}

/// In a shell a `$NAME` anywhere is filled in.
fn is_variable(value: &str) -> bool {
    value.split_once('$').is_some_and(|(_, rest)| {
        rest.starts_with(|c: char| c.is_ascii_alphanumeric() || "_{(@".contains(c))
    })
}

fn of_tool(program: &str, before: &str, word: &str) -> Option<String> {
    let literal = |value: &str| !value.is_empty() && !is_reference(value) && !is_variable(value);
    match program {
        "curl" | "wget" | "http" => {
            let glued = word.strip_prefix("-u").filter(|rest| !rest.is_empty());
            let user_info = if USER_FLAGS.contains(&before) {
                Some(word)
            } else {
                glued
            };
            let (_, password) = user_info?.split_once(':')?;
            literal(password).then(|| "-u".to_owned())
        }
        "docker" | "podman" | "helm" | "crane" | "oras" if before == "-p" => {
            literal(word).then(|| "-p".to_owned())
        }
        "mysql" | "mysqladmin" | "mysqldump" | "mariadb" => {
            let password = word
                .strip_prefix("-p")
                .filter(|_| !word.starts_with("--"))?;
            literal(password).then(|| "-p".to_owned())
        }
        "redis-cli" if before == "-a" => literal(word).then(|| "-a".to_owned()),
        "sshpass" if before == "-p" => literal(word).then(|| "-p".to_owned()),
        "sshpass" => literal(word.strip_prefix("-p")?).then(|| "-p".to_owned()),
        _ => None,
    }
}

/// `Authorization: Bearer …`, `X-Api-Key: …`
pub(crate) fn is_secret_header(header: &str) -> bool {
    let Some((name, value)) = header.split_once(':') else {
        return false;
    };
    is_secret_header_value(name, value) && !is_variable(value)
}

pub(crate) fn is_secret_header_value(name: &str, value: &str) -> bool {
    let value = value.trim();
    if name.trim().eq_ignore_ascii_case("authorization") {
        let secret = value
            .split_once(' ')
            .map_or(value, |(_, secret)| secret.trim());
        return !secret.is_empty() && !is_reference(secret);
    }
    is_credential(&Words::of(name), value)
}

/// Whether the command opens a tunnel, and the word that does.
pub(crate) fn tunnel(command: &Command) -> Option<usize> {
    let words = &command.words;
    let at = |word: &str| words.iter().position(|one| one == word);
    match command.program() {
        "kubectl" | "oc" | "k3s" | "microk8s" => at("port-forward"),
        "minikube" => at("tunnel"),
        "ssh" | "autossh" => ssh_forward(words),
        "telepresence" | "kubefwd" | "ngrok" | "cloudflared" | "ktunnel" => {
            words.iter().position(|word| {
                let name = word.rsplit('/').next().unwrap_or_default();
                name == command.program()
            })
        }
        _ => None,
    }
}

/// The option of `ssh` that forwards a port; what comes after the host and is no option is the remote command.
fn ssh_forward(words: &[String]) -> Option<usize> {
    const WITH_VALUE: &str = "BbcEeFIiJlmOopQSWw";
    let is_ssh = |word: &String| word.ends_with("ssh");
    let start = words.iter().position(is_ssh)? + 1;
    let mut host = false;
    let mut value = false;
    for (index, word) in words.iter().enumerate().skip(start) {
        if std::mem::take(&mut value) {
            continue;
        }
        let Some(letters) = word.strip_prefix('-') else {
            if std::mem::replace(&mut host, true) {
                return None;
            }
            continue;
        };
        // Letters up to the first that takes a value; the value is glued on, or the next word.
        for (at, letter) in letters.char_indices() {
            if "LRD".contains(letter) {
                return Some(index);
            }
            if WITH_VALUE.contains(letter) {
                value = at + 1 == letters.len();
                break;
            }
        }
    }
    None
}

/// Whether the command writes a loopback address into `/etc/hosts`.
pub(crate) fn writes_hosts(command: &Command) -> Option<usize> {
    let target = command.words.iter().position(|word| {
        word.starts_with('>') && word.ends_with("/etc/hosts")
            || word == "/etc/hosts" && command.program() == "tee"
    })?;
    let loopback = command.words.iter().any(|word| {
        let first = word.split_whitespace().next().unwrap_or_default();
        super::loopback::is_loopback(first)
    });
    (loopback || command.program() == "tee").then_some(target)
}
