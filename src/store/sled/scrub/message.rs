//! The format of the log of sled 0.34.7, as in its source: segments with a header, filled with messages.

use crc32fast::Hasher;

/// The header of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// The position of the segment in the log, in bytes; not its offset in the file.
    pub(super) position: u64,
    /// The position up to which the log was known to be written when the segment was begun.
    pub(super) stable: u64,
}

impl SegmentHeader {
    pub(super) const LENGTH: usize = 20;

    /// Reads the header of a segment; `None` if it has no valid one.
    pub(super) fn read(segment: &[u8]) -> Option<Self> {
        let (checksum, rest) = segment.split_first_chunk()?;
        let (numbers, _) = rest.split_first_chunk::<16>()?;
        let (position, stable) = numbers.split_first_chunk()?;
        if !u32::from_le_bytes(*checksum) != crc32fast::hash(numbers) {
            return None;
        }
        // Kept with all bits but the sign turned round. Nothing is known to be written yet when the first begins.
        let number = |bytes: [u8; 8]| i64::from_le_bytes(bytes) ^ i64::MAX;
        let position = u64::try_from(number(*position)).ok()?;
        let stable = number(stable.try_into().ok()?).max(0);
        Some(Self { position, stable: stable.cast_unsigned() })
    }
}

/// A message with a valid checksum.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    kind: u8,
    length: usize,
}

/// The kind of unused space.
const NONE: u8 = 0;
/// The kind of the message that fills the rest of a segment.
const CAP: u8 = 2;

impl Message {
    /// Reads the first message in `bytes`, the rest of segment `number`; `None` if it is unreadable.
    pub(super) fn read(bytes: &[u8], number: u64) -> Option<Self> {
        let (checksum, checked) = bytes.split_first_chunk()?;
        let (kind, rest) = checked.split_first()?;
        let (length, rest) = varint(rest)?;
        let (segment, rest) = varint(rest)?;
        let (_page, rest) = varint(rest)?;
        let body = rest.get(..usize::try_from(length).ok()?)?;
        let header = checked.get(..checked.len() - rest.len())?;
        let mut hasher = Hasher::new();
        hasher.update(body);
        hasher.update(header);
        let whole = !u32::from_le_bytes(*checksum) == hasher.finalize() && segment == number && *kind != NONE;
        whole.then_some(Self { kind: *kind, length: checksum.len() + header.len() + body.len() })
    }

    /// Whether this is the last message of its segment.
    pub(super) fn is_last(&self) -> bool {
        self.kind == CAP
    }

    /// The length of the message in bytes, with its header.
    pub(super) fn length(&self) -> usize {
        self.length
    }
}

/// Reads the number at the start of `bytes`; returns it with the rest.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let first = *first;
    match first {
        0..=240 => Some((u64::from(first), rest)),
        241..=248 => {
            let (low, rest) = rest.split_first()?;
            Some((240 + 256 * (u64::from(first) - 241) + u64::from(*low), rest))
        }
        249 => {
            let ([high, low], rest) = rest.split_first_chunk()?;
            Some((2288 + 256 * u64::from(*high) + u64::from(*low), rest))
        }
        250.. => {
            let (number, rest) = rest.split_at_checked(usize::from(first) - 247)?;
            Some((number.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), rest))
        }
    }
}
