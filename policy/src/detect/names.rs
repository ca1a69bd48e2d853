//! What a name says about its value, read as words.
//!
//! A name is split at everything that is no letter or digit and at camel case; the last word decides, as `TOKEN` in `API_TOKEN` does and in
//! `TOKEN_TTL` does not. Measured on real pod templates, this is what separates credentials from what only mentions them.

/// A name as lower-case words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Words(Vec<String>);

/// What a name says its value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Credential {
    /// Typed by people: may be short, or a number.
    Password,
    /// Made by machines, or `SECRET`, which is often the name of one.
    Token,
}

const PASSWORDS: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "passwort",
    "pw",
    "pass",
];
const TOKENS: &[&str] = &[
    "secret",
    "secrets",
    "token",
    "apikey",
    "apitoken",
    "authtoken",
    "accesskey",
    "secretkey",
    "privatekey",
    "credential",
    "credentials",
    "creds",
    "connectionstring",
    "pat",
    "clientsecret",
];
/// Glued to something before: `PGPASSWORD`, `MYSQLPWD`.
const GLUED: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secretkey",
    "apikey",
    "pwd",
];
/// What a word before `KEY` has to be.
const KEYS: &[&str] = &[
    "api",
    "access",
    "secret",
    "private",
    "encryption",
    "signing",
    "master",
    "auth",
    "jwt",
    "account",
    "storage",
    "session",
    "cookie",
    "hmac",
    "app",
    "shared",
    "service",
    "admin",
    "crypto",
    "cipher",
    "aes",
    "license",
    "subscription",
    "write",
    "webhook",
    "deploy",
    "root",
    "anthropic",
    "openai",
    "stripe",
    "sendgrid",
    "datadog",
    "dd",
];
/// Words that say no more than which one of several it is.
const VARIANTS: &[&str] = &[
    "1",
    "2",
    "3",
    "test",
    "tests",
    "dev",
    "prod",
    "staging",
    "default",
    "local",
    "old",
    "new",
    "value",
    "base64",
    "b64",
    "plain",
    "raw",
    "string",
    "literal",
    "primary",
    "secondary",
    "ro",
    "rw",
    "env",
    "current",
    "previous",
    "initial",
    "text",
];
/// `ALLOW_EMPTY_PASSWORD`, `RANDOM_ROOT_PASSWORD`: what is asked of a password.
const DEMANDS: &[&str] = &[
    "allow", "random", "require", "required", "enable", "disable", "use", "generate", "rotate",
    "reset", "validate",
];
/// `MAX_PASS`, `PAD_TOKEN`, `PULL_SECRET`: words before the last one that make it harmless.
const HARMLESS_PASS: &[&str] = &[
    "first", "second", "max", "min", "multi", "num", "test", "tests", "should", "must", "will",
    "all", "by", "two", "single", "proxy", "render", "n", "skip", "allow", "force", "per", "one",
    "expect", "fail", "or", "to", "is", "did",
];
const HARMLESS_TOKEN: &[&str] = &[
    "pad",
    "eos",
    "bos",
    "unk",
    "mask",
    "sep",
    "cls",
    "stop",
    "start",
    "end",
    "special",
    "next",
    "page",
    "continuation",
    "pagination",
    "sync",
    "max",
    "min",
    "num",
    "per",
    "count",
    "design",
    "cancellation",
    "cluster",
    "cancel",
    "image",
    "use",
    "enable",
    "has",
    "with",
    "require",
    "validate",
    "automount",
    "mount",
    "first",
    "last",
    "skip",
    "disable",
    "no",
];
const HARMLESS_SECRET: &[&str] = &[
    "pull",
    "tls",
    "k8s",
    "kubernetes",
    "kube",
    "existing",
    "image",
    "use",
    "enable",
    "create",
    "has",
    "with",
    "mount",
    "ssl",
    "cert",
    "certificate",
    "no",
    "skip",
    "require",
    "copy",
    "imagepull",
];

impl Words {
    pub(crate) fn of(name: &str) -> Self {
        let mut words = Vec::new();
        let mut word = String::new();
        let mut before = ' ';
        let mut letters = name.chars().peekable();
        while let Some(letter) = letters.next() {
            let next_is_lower = letters.peek().is_some_and(char::is_ascii_lowercase);
            let hump = letter.is_ascii_uppercase()
                && (before.is_ascii_lowercase()
                    || (before.is_ascii_uppercase() && next_is_lower && word.len() > 1));
            if (!letter.is_alphanumeric() || hump) && !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            if letter.is_alphanumeric() {
                word.extend(letter.to_lowercase());
            }
            before = letter;
        }
        if !word.is_empty() {
            words.push(word);
        }
        Self(words)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn any(&self, list: &[&str]) -> bool {
        self.iter().any(|word| list.contains(&word))
    }

    pub(crate) fn last(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// Whether a credential is what the name promises.
    pub(crate) fn credential(&self) -> Option<Credential> {
        let mut words = self.iter().rev().peekable();
        let mut last = words.next()?;
        while VARIANTS.contains(&last) {
            last = words.next()?;
        }
        let numbered = last.trim_end_matches(|c: char| c.is_ascii_digit());
        if !numbered.is_empty() {
            last = numbered;
        }
        let before = words.next().unwrap_or("");
        if self.any(DEMANDS) {
            return None;
        }
        match last {
            "pass" | "pw" if HARMLESS_PASS.contains(&before) => None,
            "pw" | "pat" if before.is_empty() => None,
            "key" => KEYS.contains(&before).then_some(Credential::Token),
            "keys" => ["api", "access", "private", "secret"]
                .contains(&before)
                .then_some(Credential::Token),
            "string" | "dsn" => None,
            "auth" => ["basic", "redis", "registry"]
                .contains(&before)
                .then_some(Credential::Token),
            "token" if HARMLESS_TOKEN.contains(&before) => None,
            "secret" | "secrets" | "credentials" if HARMLESS_SECRET.contains(&before) => None,
            _ if PASSWORDS.contains(&last) => Some(Credential::Password),
            _ if TOKENS.contains(&last) => Some(Credential::Token),
            _ if GLUED.iter().any(|glued| last.ends_with(glued)) => Some(Credential::Password),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_into_words() {
        for (name, words) in [
            ("JWT_SECRET", "jwt secret"),
            ("spring.datasource.password", "spring datasource password"),
            ("clientSecret", "client secret"),
            ("APIKey", "api key"),
            ("--api-key", "api key"),
        ] {
            assert_eq!(Words::of(name).0.join(" "), words);
        }
    }

    #[test]
    fn a_credential_is_known_by_its_name() {
        for name in [
            "JWT_SECRET",
            "POSTGRES_PASSWORD",
            "PGPASSWORD",
            "DB_PASS",
            "OPENAI_API_KEY",
            "apiKey",
            "GITHUB_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "MYSQL_PWD",
            "clientSecret",
            "DB_PASSWORD_TEST",
            "PASSWORD",
            "ADMIN_PASSWORD2",
            "SECRET_KEY",
            "spring.datasource.password",
            "GOOGLE_CREDENTIALS",
            "SECRET_KEY_BASE64",
        ] {
            assert!(Words::of(name).credential().is_some(), "{name}");
        }
    }

    #[test]
    fn what_only_mentions_a_credential_is_none() {
        for name in [
            "PASSWORD_FILE",
            "TOKEN_URL",
            "TOKEN_TTL",
            "SECRET_NAME",
            "AWS_ACCESS_KEY_ID",
            "MAX_TOKENS",
            "PAD_TOKEN",
            "PARTITION_KEY",
            "PUBLIC_KEY",
            "CACHE_KEY",
            "BYPASS",
            "COMPASS",
            "IMAGE_PULL_SECRET",
            "PASSWORD_MIN_LENGTH",
            "TOKEN_ENABLED",
            "KEY",
            "TOKENIZER",
            "FIRST_PASS",
            "SECRET_MANAGER",
            "API_KEY_HEADER",
            "MYSQL_ALLOW_EMPTY_PASSWORD",
            "initial-cluster-token",
        ] {
            assert_eq!(Words::of(name).credential(), None, "{name}");
        }
    }
}
