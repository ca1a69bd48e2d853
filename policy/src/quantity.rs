//! Quantities of Kubernetes: `500m`, `1.5Gi`, `2e3`.

/// A quantity in billionths, rounded up as Kubernetes does.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Amount(i128);

/// Longer ones are no quantities; keeps the arithmetic inside `i128`.
const MAX_DIGITS: usize = 18;

impl Amount {
    /// Nothing where the text is no quantity.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (sign, text) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() > MAX_DIGITS
            || whole.len() + fraction.len() == 0
            || fraction.contains('.')
        {
            return None;
        }
        let digits: i128 = format!("0{whole}{fraction}").parse().ok()?;
        let places = u32::try_from(fraction.len()).ok()?;
        let scaled = digits.checked_mul(billionths(suffix)?)?;
        let divisor = 10_i128.checked_pow(places)?;
        Some(Self(sign * (scaled + divisor - 1).div_euclid(divisor)))
    }
}

fn billionths(suffix: &str) -> Option<i128> {
    const ONE: i128 = 1_000_000_000;
    Some(match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => ONE,
        "k" => ONE * 1_000,
        "M" => ONE * 1_000_000,
        "G" => ONE * 1_000_000_000,
        "T" => ONE * 1_000_000_000_000,
        "P" => ONE * 1_000_000_000_000_000,
        "E" => ONE * 1_000_000_000_000_000_000,
        "Ki" => ONE << 10,
        "Mi" => ONE << 20,
        "Gi" => ONE << 30,
        "Ti" => ONE << 40,
        "Pi" => ONE << 50,
        "Ei" => ONE << 60,
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            10_i128.checked_pow(u32::try_from(exponent.checked_add(9)?).ok()?)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_compare_across_suffixes() {
        let sorted = [
            "1n", "100m", "0.5", "1", "1k", "1Ki", "1.5Gi", "2Gi", "2e10",
        ];
        let amounts: Vec<_> = sorted
            .iter()
            .map(|text| Amount::parse(text).unwrap())
            .collect();
        assert!(amounts.is_sorted_by(|one, next| one < next), "{amounts:?}");
        assert_eq!(Amount::parse("1000m"), Amount::parse("1"));
        assert_eq!(Amount::parse("1024Mi"), Amount::parse("1Gi"));
    }

    #[test]
    fn what_is_no_quantity_is_none() {
        for text in [
            "",
            "Gi",
            "1.2.3",
            "1Q",
            "1 Gi",
            "999999999999999999999",
            "1e99",
        ] {
            assert_eq!(Amount::parse(text), None, "{text}");
        }
    }
}
