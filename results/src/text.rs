//! Small tools for text and numbers that come from outside.

/// The longest start of `text` that has at most `max` bytes and ends between characters.
pub(crate) fn prefix(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

/// Cuts `text` to at most `max` bytes and shows that it was cut.
pub(crate) fn truncate(text: &mut String, max: usize) {
    const ELLIPSIS: &str = "…";
    if text.len() > max {
        let end = prefix(text, max.saturating_sub(ELLIPSIS.len())).len();
        text.truncate(end);
        text.push_str(ELLIPSIS);
    }
}

/// Zero for what is not a time: negative, infinite, not a number.
pub(crate) fn sane_seconds(seconds: f64) -> f64 {
    if seconds.is_finite() && seconds > 0.0 {
        seconds
    } else {
        0.0
    }
}

/// Seconds as reports write them: `0.5`, `2,120.532` (Surefire, English), `0,5` (a comma locale),
/// `1.5s`. `None` for what is not a number.
pub(crate) fn seconds(text: &str) -> Option<f64> {
    let text = text.trim().trim_end_matches('s').trim_end();
    let commas = text.matches(',').count();
    let plain = match (text.rfind(','), text.rfind('.')) {
        (None, _) => text.to_owned(),
        (Some(comma), Some(dot)) if comma > dot => text.replace('.', "").replace(',', "."),
        // `0,532`: one comma without a dot is a decimal comma; several can only be groups.
        (Some(_), None) if commas == 1 => text.replace(',', "."),
        (Some(_), _) => text.replace(',', ""),
    };
    let seconds: f64 = plain.parse().ok()?;
    seconds.is_finite().then(|| sane_seconds(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_as_every_tool_writes_them() {
        for (written, meant) in [
            ("0.5", 0.5),
            ("2,120.532", 2120.532),
            ("1,002,120.5", 1_002_120.5),
            ("2.120,532", 2120.532),
            ("0,5", 0.5),
            ("1,234,567", 1_234_567.0),
            ("12s", 12.0),
            ("1e-3", 0.001),
            ("-1", 0.0),
        ] {
            assert_eq!(seconds(written), Some(meant), "{written}");
        }
        for wrong in ["", "NaN", "inf", "abc", "1.2.3"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_cut_text_ends_between_characters_and_shows_it() {
        let mut text = "ä".repeat(10);
        truncate(&mut text, 8);
        assert_eq!(text, "ää…");
        assert_eq!(prefix("äää", 3), "ä");
    }
}
