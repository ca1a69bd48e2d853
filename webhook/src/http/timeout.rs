//! The time that the API server gives: `?timeout=` in Go's notation of durations.

use std::time::Duration;

/// Kept back from the time given, so that the answer is there before the API server stops listening.
const MARGIN: Duration = Duration::from_millis(100);

/// How long an answer may take, of the query's `timeout` or else of the default. `None` where the query is not readable.
pub(super) fn allowed(query: Option<&str>, default: Duration) -> Option<Duration> {
    let given = query
        .unwrap_or_default()
        .split('&')
        .find_map(|pair| pair.strip_prefix("timeout="));
    let given = match given {
        Some(text) => parse(text)?,
        None => default,
    };
    Some(given.saturating_sub(MARGIN).max(given / 2))
}

/// A duration as Go's `time.Duration.String` writes it: `10s`, `1m30s`, `9.996s`, `500ms`.
fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let unit = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit)?;
        seconds += number.parse::<f64>().ok()? * unit_seconds(unit)?;
        rest = tail;
    }
    (!text.is_empty())
        .then(|| Duration::try_from_secs_f64(seconds).ok())
        .flatten()
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "h" => 3600.0,
        "m" => 60.0,
        "s" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" | "%C2%B5s" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> Option<u128> {
        parse(text).map(|duration| duration.as_millis())
    }

    #[test]
    fn go_durations_are_read() {
        assert_eq!(millis("10s"), Some(10_000));
        assert_eq!(millis("1m30s"), Some(90_000));
        assert_eq!(millis("9.996s"), Some(9_996));
        assert_eq!(millis("500ms"), Some(500));
        assert_eq!(millis("1h0m0.5s"), Some(3_600_500));
        assert_eq!(millis("0"), Some(0));
    }

    #[test]
    fn what_is_no_duration_is_not_taken_for_one() {
        for text in [
            "", "10", "s", "10 s", "-1s", "1d", "1.2.3s", "1e300h", "NaNs",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_answer_is_due_before_the_time_given() {
        let default = Duration::from_secs(10);
        let ms = |query| allowed(query, default).map(|left| left.as_millis());
        assert_eq!(ms(Some("timeout=2s")), Some(1_900));
        assert_eq!(ms(Some("a=b&timeout=100ms")), Some(50));
        assert_eq!(ms(None), Some(9_900));
        assert_eq!(ms(Some("timeout=soon")), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_duration_or_not(text in ".{0,40}") {
            parse(&text);
        }
    }
}
