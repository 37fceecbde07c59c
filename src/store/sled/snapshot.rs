//! The format of the snapshots of sled 0.34.7, as in its source: the table of pages, its length in eight bytes and its
//! CRC-32 in four, both little-endian.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

const TRAILER: u64 = 12;
const CHUNK: usize = 64 * 1024;

/// Whether the snapshot at `path` is intact. sled checks the same, but only after it has begun to start.
///
/// # Errors
///
/// If the file cannot be read.
pub(super) fn is_whole(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    if length <= TRAILER {
        return Ok(false);
    }
    let (mut hasher, mut chunk) = (crc32fast::Hasher::new(), vec![0; CHUNK]);
    let mut table = (&mut file).take(length - TRAILER);
    loop {
        let read = table.read(&mut chunk)?;
        match chunk.get(..read) {
            Some([]) | None => break,
            Some(more) => hasher.update(more),
        }
    }
    let (mut written_length, mut checksum) = ([0; 8], [0; 4]);
    file.read_exact(&mut written_length)?;
    file.read_exact(&mut checksum)?;
    Ok(u64::from_le_bytes(written_length) == length - TRAILER
        && u32::from_le_bytes(checksum) == hasher.finalize())
}
