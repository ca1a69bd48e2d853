//! Attributes and references, read as leniently as can be.

use std::borrow::Cow;

use quick_xml::events::BytesStart;

use super::is_illegal;
use crate::text;

/// `&#x10FFFF;` and some leading zeros.
const MAX_REFERENCE_BYTES: usize = 16;

/// The attributes of a tag as written, those that can be read.
pub(crate) fn attributes<'a>(
    start: &'a BytesStart<'_>,
) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
    let mut attributes = start.attributes();
    // The first of two attributes of one name would cost a comparison with all others to find.
    attributes.with_checks(false);
    attributes
        .flatten()
        .map(|attribute| (attribute.key.local_name().into_inner(), attribute.value))
}

/// The character of a reference (`lt`, `#10`, `#xA`). Characters XML does not allow become U+FFFD.
/// `None` for an entity XML does not define itself.
pub(crate) fn resolve(name: &str) -> Option<char> {
    let code = match name {
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "amp" => return Some('&'),
        "apos" => return Some('\''),
        "quot" => return Some('"'),
        _ => name.strip_prefix('#')?,
    };
    let code = match code.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => code.parse(),
    };
    let character = code.ok().and_then(char::from_u32)?;
    let allowed = !(character.is_ascii() && is_illegal(character as u8));
    Some(if allowed {
        character
    } else {
        char::REPLACEMENT_CHARACTER
    })
}

/// An attribute's value with its references resolved; what is no reference stays as it is.
pub(crate) fn unescape(raw: &str) -> String {
    let mut plain = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let resolved = text::prefix(after, MAX_REFERENCE_BYTES)
            .find(';')
            .and_then(|end| Some((resolve(after.get(..end)?)?, after.get(end + 1..)?)));
        if let Some((character, behind)) = resolved {
            plain.push(character);
            rest = behind;
        } else {
            plain.push('&');
            rest = after;
        }
    }
    plain.push_str(rest);
    plain
}
