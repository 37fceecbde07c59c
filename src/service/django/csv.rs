//! A CSV file of users, with a header row.

use std::io::{self, Read};

use csv::{ErrorKind, ReaderBuilder, StringRecord};

use super::limited::LimitedReader;
use super::rows::{DjangoFields, DjangoRow, RowPlace, RowSink, SourceError, SourceOptions, joined, truth};

/// The columns of a file: the number of each.
struct Columns {
    id: usize,
    username: usize,
    password: usize,
    active: Option<usize>,
    joined: Option<usize>,
}

/// Reads a file from its header on.
pub(super) fn read(
    reader: impl Read,
    options: &SourceOptions,
    sink: &mut RowSink<'_>,
) -> Result<(), SourceError> {
    let (reader, position) = LimitedReader::new(reader);
    let mut csv = ReaderBuilder::new().from_reader(LinesOnly(reader));
    let fault = |error: csv::Error, line: u64| match error.into_kind() {
        ErrorKind::Io(_) if position.exceeded() => SourceError::TooLong { line },
        ErrorKind::Io(error) => SourceError::Io(error),
        _ => SourceError::Csv { line },
    };
    let header = csv.headers().map_err(|error| fault(error, 1))?;
    let columns = Columns::of(header, &options.username)?;
    let mut record = StringRecord::new();
    loop {
        position.begin();
        let line = csv.position().line();
        if !csv.read_record(&mut record).map_err(|error| fault(error, line))? {
            return Ok(());
        }
        let line = record.position().map_or(line, csv::Position::line);
        if !sink(columns.row(line, &record)) {
            return Ok(());
        }
    }
}

/// A reader that leaves carriage returns out: the parser counts the line of a record before the line break that ends the
/// record before it, if that has two characters.
struct LinesOnly<R>(R);

impl<R: Read> Read for LinesOnly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.0.read(buffer)?;
            let kept: Vec<u8> = buffer.iter().take(read).copied().filter(|byte| *byte != b'\r').collect();
            buffer.iter_mut().zip(&kept).for_each(|(to, from)| *to = *from);
            if read == 0 || !kept.is_empty() {
                return Ok(kept.len());
            }
        }
    }
}

impl Columns {
    fn of(header: &StringRecord, username: &str) -> Result<Self, SourceError> {
        let find = |name: &str| -> Result<Option<usize>, SourceError> {
            let mut found = header.iter().enumerate().filter(|(_, column)| column.trim() == name);
            match (found.next(), found.next()) {
                (Some((at, _)), None) => Ok(Some(at)),
                (None, _) => Ok(None),
                (Some(_), Some(_)) => Err(SourceError::Column(name.to_owned())),
            }
        };
        let must = |name: &str| find(name)?.ok_or_else(|| SourceError::Column(name.to_owned()));
        Ok(Self {
            id: must("id")?,
            username: must(username)?,
            password: must("password")?,
            active: find("is_active")?,
            joined: find("date_joined")?,
        })
    }

    fn row(&self, line: u64, record: &StringRecord) -> DjangoRow {
        let text = |at: usize| record.get(at).unwrap_or_default();
        let fields = || {
            let active = self.active.map(text).map_or(Some(true), truth);
            let joined_at = self.joined.map(text).filter(|text| !text.is_empty());
            Ok(DjangoFields {
                id: text(self.id).to_owned(),
                password: text(self.password).to_owned(),
                active: active.ok_or("its is_active is neither true nor false")?,
                joined: match joined_at {
                    Some(text) => Some(joined(text).ok_or("its date_joined is not a time")?),
                    None => None,
                },
            })
        };
        let username = Some(text(self.username).to_owned());
        DjangoRow { place: RowPlace::Line(line), username, fields: fields() }
    }
}
