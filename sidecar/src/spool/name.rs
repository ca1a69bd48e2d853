//! The names on the volume, strictly: one number has one spelling.

use std::str::FromStr;

use thiserror::Error;

const SEGMENT_DIGITS: usize = 20;

/// The file name of the log segment that begins at `offset`.
///
/// ```
/// assert_eq!(proctor_sidecar::spool::segment(1_048_576), "00000000000001048576.seg");
/// ```
pub fn segment(offset: u64) -> String {
    format!("{offset:020}.seg")
}

/// The offset a segment's file name tells, `None` for any other name.
pub fn parse_segment(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    let well_formed = digits.len() == SEGMENT_DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    if well_formed {
        digits.parse().ok()
    } else {
        None
    }
}

/// The number of an attempt or a gathered file: decimal, without leading zeros.
pub fn parse_sequence(name: &str) -> Option<u64> {
    let number: u64 = name.parse().ok()?;
    (number.to_string() == name).then_some(number)
}

/// A container's name, which is a folder on the volume and a part of URLs: an RFC 1123 label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerName(String);

impl ContainerName {
    /// As Kubernetes writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ContainerName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name no container can have.
#[derive(Debug, Error)]
#[error(
    "The container name {0:?} is not valid: give 1 to 63 lower case letters, digits and '-', with a letter or digit at both ends."
)]
pub struct ContainerNameError(String);

impl FromStr for ContainerName {
    type Err = ContainerNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let letters = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let valid = (1..=63).contains(&name.len())
            && name.bytes().all(letters)
            && !name.starts_with('-')
            && !name.ends_with('-');
        if valid {
            Ok(Self(name.to_owned()))
        } else {
            Err(ContainerNameError(name.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_segment_name_tells_its_offset(offset: u64) {
            prop_assert_eq!(parse_segment(&segment(offset)), Some(offset));
        }

        #[test]
        fn segment_names_sort_like_their_offsets(a: u64, b: u64) {
            prop_assert_eq!(segment(a).cmp(&segment(b)), a.cmp(&b));
        }

        #[test]
        fn one_number_has_one_spelling(name in "[+0-9_ -]{0,22}(\\.seg)?") {
            if let Some(offset) = parse_segment(&name) {
                prop_assert_eq!(segment(offset), name.clone());
            }
            if let Some(number) = parse_sequence(&name) {
                prop_assert_eq!(number.to_string(), name);
            }
        }

        #[test]
        fn a_container_name_is_never_a_way_out_of_the_volume(name in "\\PC{0,70}") {
            if let Ok(valid) = name.parse::<ContainerName>() {
                prop_assert!(!valid.as_str().contains(['/', '.', '\0', '%', '?', '#']));
            }
        }
    }

    #[test]
    fn a_number_that_does_not_fit_is_no_segment() {
        assert_eq!(parse_segment("99999999999999999999.seg"), None);
        assert_eq!(parse_segment("00000000000000000007.seg"), Some(7));
        assert_eq!(parse_segment("+0000000000000000007.seg"), None);
    }
}
