//! The fixtures of the format: records as each version wrote them, which all later versions must read.
//!
//! A line of a fixture file is `name: text`, and what the name stands for is in `samples`. A line is never changed or
//! removed, but what is no longer written gets another name: a new version of a record adds lines. `raised` shows how.

mod raised;
mod samples;

pub(crate) use samples::{Sample, earlier, samples};

/// The lines of a fixture file: the name of each sample and its stored form.
pub(crate) fn lines(file: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    file.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_once(": ").unwrap())
}

/// The stored form of the sample `name` in a fixture file.
pub(crate) fn line(file: &'static str, name: &str) -> &'static str {
    let found = lines(file).find(|(of, _)| *of == name);
    found.unwrap_or_else(|| panic!("no fixture is named {name}")).1
}
