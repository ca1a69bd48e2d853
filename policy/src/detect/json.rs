//! JSON in strings: configuration that travels in an environment variable.

use serde_json::Value;

/// Longer ones are data.
const MAX_BYTES: usize = 64 * 1024;

/// The strings in a text that is JSON, each with the key it stands under.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let text = text.trim_start();
    if text.starts_with(['{', '[']) && text.len() <= MAX_BYTES {
        let parsed = serde_json::from_str::<Value>(text);
        walk("", &parsed.unwrap_or_default(), &mut pairs);
    }
    pairs
}

/// As deep as the parser lets it be.
fn walk(key: &str, value: &Value, pairs: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => pairs.push((key.to_owned(), text.clone())),
        Value::Array(items) => items.iter().for_each(|item| walk(key, item, pairs)),
        Value::Object(map) => map.iter().for_each(|(key, value)| walk(key, value, pairs)),
        _ => {}
    }
}
