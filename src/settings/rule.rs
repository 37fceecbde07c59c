//! Rules for the text of a setting: how it is parsed, and a description of what it allows.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::measure;

/// How a value is written in TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueShape {
    /// A quoted string.
    Text,
    /// A number or a boolean, without quotes.
    Bare,
    /// An array of strings, separated by commas in the environment.
    List,
}

type Parse<T> = Box<dyn Fn(&str) -> Option<T>>;

/// Parses one setting and describes the allowed values. A refusal has no text of its own, so it cannot quote a secret.
pub(super) struct Rule<T> {
    pub(super) parse: Parse<T>,
    pub(super) allowed: String,
    pub(super) shape: ValueShape,
    pub(super) secret: bool,
}

impl<T: 'static> Rule<T> {
    fn new(allowed: impl Into<String>, parse: impl Fn(&str) -> Option<T> + 'static) -> Self {
        Self { parse: Box::new(parse), allowed: allowed.into(), shape: ValueShape::Text, secret: false }
    }

    fn bare(self) -> Self {
        Self { shape: ValueShape::Bare, ..self }
    }

    /// Marks the value as secret: never shown, never quoted in an error, and also read from a file named by `…_FILE`.
    pub(super) fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// Allows an empty text, which means no value.
    pub(super) fn optional(self) -> Rule<Option<T>> {
        self.or_word("")
    }

    /// Allows the text `off`, which means no value.
    pub(super) fn or_off(self) -> Rule<Option<T>> {
        let allowed = format!("{}, or off", self.allowed);
        Rule { allowed, ..self.or_word("off") }
    }

    fn or_word(self, word: &'static str) -> Rule<Option<T>> {
        let Self { parse, allowed, shape, secret } = self;
        let parse = move |text: &str| if text == word { Some(None) } else { parse(text).map(Some) };
        Rule { parse: Box::new(parse), allowed, shape, secret }
    }

    /// Allows any number of values, separated by commas.
    pub(super) fn list(self) -> Rule<Vec<T>> {
        let Self { parse, allowed, secret, .. } = self;
        let parse = move |text: &str| items(text).map(&parse).collect();
        Rule {
            parse: Box::new(parse),
            allowed: format!("a list: {allowed}"),
            shape: ValueShape::List,
            secret,
        }
    }
}

/// Splits a list's text at commas, ignoring blanks around the parts.
pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// A value of a type that parses itself, such as an address.
pub(super) fn parsed<T: FromStr + 'static>(allowed: &str) -> Rule<T> {
    Rule::new(allowed, |text| text.parse().ok())
}

/// A text parsed by `parse`.
pub(super) fn judged<T: 'static>(allowed: &str, parse: fn(&str) -> Option<T>) -> Rule<T> {
    Rule::new(allowed, parse)
}

/// A whole number within bounds, both inclusive.
pub(super) fn number<T>(range: RangeInclusive<T>) -> Rule<T>
where
    T: FromStr + PartialOrd + Display + 'static,
{
    let allowed = format!("{} to {}", range.start(), range.end());
    Rule::new(allowed, move |text| text.parse().ok().filter(|number| range.contains(number))).bare()
}

/// A duration within bounds, both inclusive and written as in a setting.
pub(super) fn length(from: &'static str, to: &'static str) -> Rule<Duration> {
    Rule::new(format!("{from} to {to}"), move |text| {
        let (low, high) = (measure::time(from)?, measure::time(to)?);
        measure::time(text).filter(|length| (low..=high).contains(length))
    })
}

/// A size within bounds, both inclusive and written as in a setting.
pub(super) fn size(from: &'static str, to: &'static str) -> Rule<u64> {
    Rule::new(format!("{from} to {to}"), move |text| {
        let (low, high) = (measure::size(from)?, measure::size(to)?);
        measure::size(text).filter(|size| (low..=high).contains(size))
    })
}

/// A boolean, `true` or `false`.
pub(super) fn switch() -> Rule<bool> {
    parsed("true or false").bare()
}

/// One of a fixed list of words.
pub(super) fn choice<T: Copy + 'static>(words: &'static [(&'static str, T)]) -> Rule<T> {
    let allowed = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    Rule::new(allowed, move |text| words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value))
}

/// A path of a file or folder, absolute or relative to the working directory.
pub(super) fn path() -> Rule<PathBuf> {
    Rule::new("a path", |text| (!text.is_empty() && !text.contains('\0')).then(|| PathBuf::from(text)))
}

/// A number of threads, or `cores` for the number of the machine's cores.
pub(super) fn cores() -> Rule<usize> {
    Rule::new("cores, or 1 to 1024", |text| match text {
        "cores" => Some(std::thread::available_parallelism().map_or(1, usize::from)),
        number => number.parse().ok().filter(|count| (1..=1024).contains(count)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_belong_to_the_range() {
        let minutes = length("1m", "60m");
        assert!((minutes.parse)("1m").is_some());
        assert!((minutes.parse)("1h").is_some());
        assert!((minutes.parse)("61m").is_none());
        assert!((minutes.parse)("59s").is_none());
        assert!((number(1..=5u32).parse)("6").is_none());
        assert!((size("1MiB", "1GiB").parse)("1023KiB").is_none());
    }

    #[test]
    fn off_and_nothing_mean_no_value() {
        assert_eq!((number(1..=5u32).or_off().parse)("off"), Some(None));
        assert_eq!((number(1..=5u32).optional().parse)(""), Some(None));
        assert_eq!((number(1..=5u32).optional().parse)("off"), None);
    }

    #[test]
    fn one_wrong_item_spoils_a_list() {
        let nets = parsed::<ipnet::IpNet>("a network").list();
        assert_eq!((nets.parse)("10.0.0.0/8, ::1/128").map(|nets| nets.len()), Some(2));
        assert_eq!((nets.parse)("").map(|nets| nets.len()), Some(0));
        assert!((nets.parse)("10.0.0.0/8, everywhere").is_none());
    }
}
