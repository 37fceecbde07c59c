//! A user as a source has it, before it is judged, and why a source cannot be read.

use std::fmt;
use std::io;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::model::timestamp::Timestamp;

/// The place of a user in a source, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowPlace {
    /// The line of a file on which the user begins.
    Line(u64),
    /// The row of a table, in order of the primary key.
    Row(u64),
}

impl fmt::Display for RowPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// A user as a source has it. It has no `Debug`, since it holds a password hash.
pub struct DjangoRow {
    /// Where the user is in the source.
    pub place: RowPlace,
    /// The username, as far as the source has one.
    pub username: Option<String>,
    /// The other fields, or what is wrong with them.
    pub fields: Result<DjangoFields, &'static str>,
}

/// The fields of a user that are imported.
pub struct DjangoFields {
    /// The primary key.
    pub id: String,
    /// The encoded password hash.
    pub password: String,
    /// Whether the account is active.
    pub active: bool,
    /// When the account was made.
    pub joined: Option<Timestamp>,
}

/// What takes the rows of a source; false ends the reading.
pub(super) type RowSink<'a> = dyn FnMut(DjangoRow) -> bool + 'a;

/// Which of a source's objects are users, and how they are named.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// The model of a dump, as `app.model`; without one, whichever has usernames and passwords.
    pub model: Option<String>,
    /// The table of a database, with its schema if it is not on the search path.
    pub table: String,
    /// The field or column of the username.
    pub username: String,
}

/// Reads a time as Django writes it: RFC 3339, with any number of digits after the second, and with a space or `T`. A time
/// without an offset, which a site with `USE_TZ = False` writes, counts as UTC.
pub(super) fn joined(text: &str) -> Option<Timestamp> {
    let text = text.replacen(' ', "T", 1);
    // PostgreSQL shows an offset of whole hours without the minutes.
    let hours = text.len() > 19 && text.get(text.len() - 3..).is_some_and(|end| end.starts_with(['+', '-']));
    let minutes = if hours { ":00" } else { "" };
    let read = |offset| OffsetDateTime::parse(&format!("{text}{offset}"), &Rfc3339).ok();
    let moment = read(minutes).or_else(|| read("Z"))?;
    Some(Timestamp::from_unix(moment.unix_timestamp()))
}

/// Reads a truth value as JSON, Python and databases write it.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" | "t" | "1" => Some(true),
        "false" | "False" | "FALSE" | "f" | "0" => Some(false),
        _ => None,
    }
}

/// The reason why a source cannot be read, or not to its end. It never repeats a field.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the messages name")]
pub enum SourceError {
    /// The file cannot be opened or read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file is of a kind that is not read.
    #[error("it is {0}")]
    Kind(&'static str),
    /// The file is not valid JSON.
    #[error("it is not valid JSON at line {line}, column {column}")]
    Json { line: u64, column: usize },
    /// A part of the file is too long.
    #[error("the object or record that begins at line {line} is longer than 1 MiB")]
    TooLong { line: u64 },
    /// The file is not a valid CSV file.
    #[error("the record at line {line} is not valid: a record has as many fields as the header, in UTF-8")]
    Csv { line: u64 },
    /// A column of the header is missing, or there twice.
    #[error(
        "its header has no column {0}, or more than one: the columns are id, username, password, and if wanted is_active and date_joined"
    )]
    Column(String),
    /// Objects of several models have a username and a password.
    #[error("both {0} and {1} have usernames and passwords: choose one with --model")]
    Models(String, String),
    /// No object has a username and a password.
    #[error("it has no object with a username and a password{0}")]
    NoUsers(String),
    /// The table cannot be read.
    #[error("{0}")]
    Table(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_django_and_databases_write_them() {
        for text in [
            "2020-05-17T10:20:30Z",
            "2020-05-17T10:20:30.123Z",
            "2020-05-17 10:20:30.123456+00:00",
            "2020-05-17 12:20:30.5+02",
            "2020-05-17T04:50:30-05:30",
            "2020-05-17T10:20:30",
            "2020-05-17 10:20:30.123456",
        ] {
            assert_eq!(joined(text).map(Timestamp::unix), Some(1_589_710_830), "{text}");
        }
        for text in ["", "2020-05-17", "2020-05-17T04:50:30-05:30Z", "yesterday"] {
            assert_eq!(joined(text), None, "{text}");
        }
    }
}
