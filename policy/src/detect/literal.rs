//! Whether a value is a credential itself, or only leads to one.

use super::names::{Credential, Words};

/// Values that stand for something kept elsewhere.
const REFERENCES: &[&str] = &[
    "vault:",
    "arn:",
    "op://",
    "sm://",
    "ref+",
    "secret://",
    "secretref:",
    "awssm:",
    "azurekv://",
    "gcp://",
    "env:",
    "file:",
    "ssh-rsa ",
    "ssh-ed25519 ",
    "ecdsa-sha2-",
    "-----BEGIN CERTIFICATE",
    "-----BEGIN PUBLIC KEY",
];
const SWITCHES: &[&str] = &[
    "true", "false", "yes", "no", "on", "off", "none", "null", "nil", "enabled", "disabled",
    "required", "optional",
];

/// Whether this value of a variable of that name is a credential in plain sight.
///
/// There is no entropy gate and no list of placeholders: a weak password is what a test has.
pub(crate) fn is_credential(words: &Words, value: &str) -> bool {
    let Some(kind) = words.credential() else {
        return false;
    };
    let value = value.trim();
    let lower = value.to_ascii_lowercase();
    if value.is_empty() || is_reference(value) || SWITCHES.contains(&lower.as_str()) {
        return false;
    }
    let number = value
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_path(value) || is_duration(value) || (number && kind == Credential::Token) {
        return false;
    }
    // `DB_SECRET: shop-db-credentials` names a Secret; `JWT_SECRET: test-secret-key` is one.
    let named = ["-secret", "-secrets", "-credentials", "-creds", "-conn"];
    let names_a_secret = matches!(words.last(), "secret" | "secrets" | "credentials" | "creds")
        && !words.any(&[
            "jwt", "client", "app", "signing", "session", "cookie", "webhook", "hmac", "auth",
            "api",
        ])
        && named.iter().any(|suffix| lower.ends_with(suffix));
    !names_a_secret && !value.contains("://")
}

/// Whether the value is filled in later: `$(NAME)`, `${NAME}`, `$NAME`, `{{NAME}}`, `$(cat …)`, or names something kept elsewhere.
pub(crate) fn is_reference(value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'']);
    let lower = value.to_ascii_lowercase();
    if REFERENCES
        .iter()
        .any(|start| lower.starts_with(&start.to_ascii_lowercase()))
    {
        return true;
    }
    if value.contains("$(") || value.contains("${") || value.contains("{{") || value.contains('`') {
        return true;
    }
    if value.starts_with('%') && value.ends_with(['%', 's']) {
        return true;
    }
    let braced = value
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'));
    let dollar = value.strip_prefix('$');
    let bare = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    braced.is_some_and(bare) || dollar.is_some_and(|name| bare(name) || name == "@")
}

/// A path: what is behind it is looked at where it is.
fn is_path(value: &str) -> bool {
    let rooted = ["/", "./", "../", "~/"]
        .iter()
        .any(|start| value.starts_with(start));
    let plain = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/._-@~:".contains(&byte));
    let trimmed = value.trim_start_matches(['.', '~']);
    rooted && plain && (trimmed.matches('/').count() > 1 || value.starts_with('.'))
}

fn is_duration(value: &str) -> bool {
    let unit = value.trim_start_matches(|c: char| c.is_ascii_digit());
    unit.len() < value.len() && matches!(unit, "ms" | "s" | "m" | "h" | "d" | "min" | "sec")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(name: &str, value: &str) -> bool {
        is_credential(&Words::of(name), value)
    }

    #[test]
    fn weak_and_placeholder_values_are_credentials() {
        for value in [
            "test-secret-key",
            "changeme",
            "x",
            "hunter2",
            "<your-secret>",
            "P4$sword",
            "/x+/9Qz==",
        ] {
            assert!(judged("JWT_SECRET", value), "{value}");
        }
        assert!(judged("DB_PASSWORD", "123456"));
    }

    #[test]
    fn what_leads_to_a_credential_is_none() {
        for value in [
            "",
            " ",
            "$(DB_PASSWORD)",
            "${DB_PASSWORD}",
            "$DB_PASSWORD",
            "{{DB_PASSWORD}}",
            "$(cat /run/secrets/db)",
            "/var/run/secrets/db/password",
            "vault:secret/data/db#password",
            "true",
            "15m",
        ] {
            assert!(!judged("DB_PASSWORD", value), "{value}");
        }
        assert!(!judged("DB_SECRET", "shop-db-credentials"));
        assert!(!judged("CSRF_TOKEN", "3600"));
    }
}
