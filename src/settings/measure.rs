//! Durations and sizes as people write them: `15m`, `30d`, `64MiB`.
//!
//! A text is one number and one unit: `1h30m` or a bare `900` could be misread.

use std::time::Duration;

const UNITS_OF_TIME: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const UNITS_OF_SIZE: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// Parses a duration: a whole number and `ms`, `s`, `m`, `h` or `d`.
pub fn time(text: &str) -> Option<Duration> {
    number_with_unit(text, &UNITS_OF_TIME).map(Duration::from_millis)
}

/// Parses a size in bytes: a whole number and `B`, `KiB`, `MiB` or `GiB`.
pub(super) fn size(text: &str) -> Option<u64> {
    number_with_unit(text, &UNITS_OF_SIZE)
}

/// Formats a size for people, in the largest unit that keeps it whole.
pub fn size_text(bytes: u64) -> String {
    let unit =
        UNITS_OF_SIZE.iter().rev().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    let (name, factor) = unit.unwrap_or(&("B", 1));
    format!("{}{name}", bytes / factor)
}

fn number_with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_one_number_and_one_unit() {
        assert_eq!(time("15m"), Some(Duration::from_secs(900)));
        assert_eq!(time("30d"), Some(Duration::from_secs(30 * 86_400)));
        assert_eq!(time("250ms"), Some(Duration::from_millis(250)));
        for wrong in ["", "15", "m", "1h30m", "15 m", "-1m", "+1m", "1.5h", "15M", "99999999999999999d"] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_size_is_one_number_and_one_binary_unit() {
        assert_eq!(size("64MiB"), Some(64 << 20));
        assert_eq!(size("1B"), Some(1));
        for wrong in ["64", "64MB", "64 MiB", "99999999999GiB"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_size_is_told_in_the_largest_whole_unit() {
        assert_eq!(size_text(64 << 20), "64MiB");
        assert_eq!(size_text(1536), "1536B");
        assert_eq!(size_text(0), "0B");
    }
}
