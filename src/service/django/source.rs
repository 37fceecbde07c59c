//! The source of an import: a file of a kind that its first bytes tell, or the tables of Django in PostgreSQL.

use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::rows::{DjangoRow, RowSink, SourceError, SourceOptions};
use super::{csv, json};
use crate::settings::{Settings, StoreUrl};

/// The number of rows that are read ahead.
const AHEAD: usize = 1000;

/// The number of bytes that tell the kind of a file.
const FIRST_BYTES: u64 = 512;

/// Where the users are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DjangoSource {
    /// A file.
    File(PathBuf),
    /// A PostgreSQL database.
    Database(StoreUrl),
}

/// The rows of a source as they are read. Dropping it ends the reading.
pub struct DjangoRows {
    rows: mpsc::Receiver<ReadRow>,
    reading: JoinHandle<Result<(), SourceError>>,
    bytes_read: u64,
}

/// A row, and the number of bytes that had been read from the file when it was found.
struct ReadRow {
    row: DjangoRow,
    bytes: u64,
}

/// A file that counts the bytes read from it.
struct CountedFile<'a> {
    file: File,
    bytes: &'a Cell<u64>,
}

impl Read for CountedFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.bytes.set(self.bytes.get() + read as u64);
        Ok(read)
    }
}

impl DjangoSource {
    /// Parses a path or the URL of a database. The error does not repeat the text, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match StoreUrl::parse(text) {
            Some(url) => Ok(Self::Database(url)),
            None if text.contains("://") => Err("write a file, or postgres://user:password@host/database"),
            None if text.is_empty() => Err("write a file, or the URL of a database"),
            None => Ok(Self::File(PathBuf::from(text))),
        }
    }

    /// The number of bytes in a file; `None` for a database, and for a file that is not there.
    pub fn bytes(&self) -> Option<u64> {
        match self {
            Self::File(path) => std::fs::metadata(path).ok().map(|file| file.len()),
            Self::Database(_) => None,
        }
    }

    /// Starts to read the source. It is read anew with each call.
    pub fn open(&self, settings: &Settings, options: &SourceOptions) -> DjangoRows {
        let (sender, rows) = mpsc::channel(AHEAD);
        let options = options.clone();
        let reading = match self {
            Self::File(path) => {
                let path = path.clone();
                tokio::task::spawn_blocking(move || {
                    let bytes = Cell::new(0);
                    let mut send = |row| sender.blocking_send(ReadRow { row, bytes: bytes.get() }).is_ok();
                    read_file(&path, &options, &bytes, &mut send)
                })
            }
            Self::Database(url) => tokio::spawn(read_table(url.clone(), settings.clone(), options, sender)),
        };
        DjangoRows { rows, reading, bytes_read: 0 }
    }
}

impl fmt::Display for DjangoSource {
    /// Formats a path, or a URL without its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Database(url) => f.write_str(&url.shown()),
        }
    }
}

impl DjangoRows {
    /// The next row; none at the end.
    ///
    /// # Errors
    ///
    /// When the source cannot be read to its end.
    pub async fn next(&mut self) -> Result<Option<DjangoRow>, SourceError> {
        match self.rows.recv().await {
            Some(ReadRow { row, bytes }) => {
                self.bytes_read = bytes;
                Ok(Some(row))
            }
            None => match (&mut self.reading).await {
                Ok(read) => read.map(|()| None),
                Err(_) => Err(SourceError::Table("the reading of it failed".to_owned())),
            },
        }
    }

    /// The number of bytes that had been read from the file when the last row was found; 0 for a database.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }
}

fn read_file(
    path: &Path,
    options: &SourceOptions,
    bytes: &Cell<u64>,
    sink: &mut RowSink<'_>,
) -> Result<(), SourceError> {
    // Opening a pipe would wait for a writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(SourceError::Kind("no regular file; it is read twice, so write it to one"));
    }
    let mut file = BufReader::with_capacity(64 * 1024, CountedFile { file: File::open(path)?, bytes });
    let mut first = Vec::new();
    file.by_ref().take(FIRST_BYTES).read_to_end(&mut first)?;
    let text = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&first);
    let (is_json, skipped) = match text {
        [0x1F, 0x8B, ..] => return Err(SourceError::Kind("compressed by gzip; unpack it with gunzip first")),
        [b'P', b'K', 3, 4, ..] => return Err(SourceError::Kind("a ZIP archive; unpack it first")),
        [b'B', b'Z', b'h', ..] | [0xFD, b'7', b'z', ..] | [0x28, 0xB5, 0x2F, 0xFD, ..] => {
            return Err(SourceError::Kind("compressed; unpack it first"));
        }
        text if text.contains(&0) => return Err(SourceError::Kind("neither JSON nor CSV in UTF-8")),
        text => match text.trim_ascii_start().first() {
            None => return Err(SourceError::Kind("empty")),
            Some(b'[' | b'{') => (true, first.len() - text.len()),
            Some(b'<') => return Err(SourceError::Kind("XML; dump with --format json")),
            Some(b'-') => return Err(SourceError::Kind("YAML; dump with --format json")),
            Some(_) => (false, first.len() - text.len()),
        },
    };
    let mut again = Cursor::new(first);
    again.set_position(skipped as u64);
    let reader = BufReader::new(again.chain(file));
    if is_json { json::read(reader, options, sink) } else { csv::read(reader, options, sink) }
}

#[cfg(feature = "postgres")]
async fn read_table(
    url: StoreUrl,
    settings: Settings,
    options: SourceOptions,
    sender: mpsc::Sender<ReadRow>,
) -> Result<(), SourceError> {
    use super::rows::{DjangoFields, RowPlace};
    use crate::model::timestamp::Timestamp;
    use crate::store::postgres::user_table::{UserRows, UserTable, UserTableError};

    let table = UserTable { name: options.table, username: options.username };
    let fault = |error: UserTableError| SourceError::Table(error.to_string());
    let mut rows =
        UserRows::open(url.reveal(), settings.store_ca_file.as_deref(), &table).await.map_err(fault)?;
    let mut row = 0;
    while let Some(found) = rows.next().await.map_err(fault)? {
        row += 1;
        let fields = Ok(DjangoFields {
            id: found.id,
            password: found.password.unwrap_or_default(),
            active: found.active.unwrap_or(true),
            joined: found.joined.map(Timestamp::from_unix),
        });
        let row = DjangoRow { place: RowPlace::Row(row), username: found.username, fields };
        if sender.send(ReadRow { row, bytes: 0 }).await.is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(not(feature = "postgres"))]
fn read_table(
    _: StoreUrl,
    _: Settings,
    _: SourceOptions,
    _: mpsc::Sender<ReadRow>,
) -> impl Future<Output = Result<(), SourceError>> {
    std::future::ready(Err(SourceError::Table("this rescind was built without PostgreSQL".to_owned())))
}

#[cfg(test)]
mod tests;
