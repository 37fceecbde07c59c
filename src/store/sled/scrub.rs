//! Reads sled's log before sled does, and reports whether some of it is unreadable.
//!
//! Every message of the log has a checksum. But when sled rebuilds its index, it takes an unreadable message in the
//! middle of the log for the rest of a reused segment and skips it without an error: the records in it are lost, or
//! older than they were. Mostly sled is wrong then, sometimes it is right: after a power failure a reused segment may
//! well be half of one and half of the other. The log alone cannot distinguish the two. So a finding here is only a
//! suspicion; the [`StoreChecksum`](super::checksum::StoreChecksum) of the records that sled has read decides.
//!
//! Only what sled replays is read, from its newest snapshot on. sled checks what lies before when it reads a page of
//! it. The end of the log may be torn by any crash; the [`head`](super::head) shows whether anything acknowledged was
//! lost with it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

mod message;

use message::{Message, SegmentHeader};

/// The size of sled's segments in bytes; sled cannot read its files with another one.
///
/// sled's garbage collector frees one segment at a time, and then pauses until its next run. With sled's default
/// segments of half a megabyte it cannot keep up with many writers, and three quarters of the file are garbage.
pub const SEGMENT: usize = 4 << 20;

/// The number of bytes at the end of a segment in which sled starts no message.
const RED_ZONE: usize = 32;

/// The first unreadable place of the log in `data` from the position `since` on.
///
/// # Errors
///
/// If the file itself cannot be read.
pub(super) fn find_damage(data: &File, since: u64) -> io::Result<Option<String>> {
    let segment_size = SEGMENT as u64;
    let since = since / segment_size * segment_size;
    let (mut beginning, mut segment) = ([0; SegmentHeader::LENGTH], vec![0; SEGMENT]);
    let (mut tears, mut stable) = (Vec::new(), 0);
    for at in (0..data.metadata()?.len()).step_by(SEGMENT) {
        let beginning = read(data, &mut beginning, at)?;
        match SegmentHeader::read(beginning) {
            Some(header) if header.position % segment_size != 0 => {
                return Ok(Some(format!("the segment at byte {at} is none of sled's")));
            }
            Some(header) => {
                stable = stable.max(header.stable);
                if header.position >= since {
                    let tear = tear(read(data, &mut segment, at)?, header.position);
                    tears.extend(tear.map(|tear| (header.position, at + tear)));
                }
            }
            // sled clears what is free whenever it starts.
            None if read(data, &mut segment, at)?.iter().all(|byte| *byte == 0) => {}
            None => return Ok(Some(format!("the segment at byte {at} has no readable beginning"))),
        }
    }
    // From here on the log may be torn, and sled cuts it off at the first tear.
    let tail = stable / segment_size * segment_size;
    let torn = tears.into_iter().find(|(position, _)| *position < tail);
    Ok(torn.map(|(_, at)| format!("the log cannot be read at byte {at}")))
}

/// The offset in a segment of the first unreadable message; `None` if the segment is intact.
fn tear(content: &[u8], position: u64) -> Option<u64> {
    let mut at = SegmentHeader::LENGTH;
    while at + RED_ZONE <= SEGMENT {
        match Message::read(content.get(at..).unwrap_or_default(), position / SEGMENT as u64) {
            Some(message) if message.is_last() => return None,
            Some(message) => at += message.length(),
            None => return u64::try_from(at).ok(),
        }
    }
    None
}

/// Reads up to `buffer`'s length at `at`; less at the end of the file.
fn read<'a>(data: &File, buffer: &'a mut [u8], at: u64) -> io::Result<&'a [u8]> {
    let mut length = 0;
    while let Some(rest) = buffer.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match data.read_at(rest, at + length as u64) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(buffer.get(..length).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A log of sled's, and the offsets in the file of those segments that a later one marks as stable; the oldest
    /// first, since sled reuses segments in any order.
    fn log(records: u32) -> (TempDir, File, Vec<u64>) {
        let folder = tempfile::tempdir().unwrap();
        let db = sled::Config::new().path(folder.path()).segment_size(SEGMENT).open().unwrap();
        for n in 0..records {
            db.insert(n.wrapping_mul(0x9E37_79B1).to_be_bytes(), vec![7; 500]).unwrap();
            // As after each commit: a segment says how much before it is stable, and only that can be doubted.
            if n % 500 == 0 {
                db.flush().unwrap();
            }
        }
        db.flush().unwrap();
        drop(db);
        let data = File::options().read(true).write(true).open(folder.path().join("db")).unwrap();
        let beginnings = (0..data.metadata().unwrap().len()).step_by(SEGMENT);
        let mut headers: Vec<_> =
            beginnings.filter_map(|at| header(&data, at).map(|header| (header.position, at))).collect();
        headers.sort_unstable();
        let stable = headers
            .iter()
            .filter_map(|(_, at)| header(&data, *at))
            .map(|header| header.stable)
            .max()
            .unwrap();
        headers.retain(|(position, _)| position + SEGMENT as u64 <= stable);
        (folder, data, headers.into_iter().map(|(_, at)| at).collect())
    }

    /// The header of the segment at `at`; `None` if the segment is free.
    fn header(data: &File, at: u64) -> Option<SegmentHeader> {
        SegmentHeader::read(read(data, &mut [0; SegmentHeader::LENGTH], at).unwrap())
    }

    const SEVERAL_SEGMENTS: u32 = 30_000;

    /// The finding for `bytes` written at `at`, which are then restored.
    fn find_damage_with(data: &File, at: u64, bytes: &[u8], since: u64) -> Option<String> {
        let mut before = vec![0; bytes.len()];
        data.read_exact_at(&mut before, at).unwrap();
        data.write_all_at(bytes, at).unwrap();
        let find_damage = find_damage(data, since).unwrap();
        data.write_all_at(&before, at).unwrap();
        find_damage
    }

    #[test]
    fn a_log_as_sled_wrote_it_is_beyond_doubt() {
        let (_folder, data, _) = log(SEVERAL_SEGMENTS);
        assert_eq!(find_damage(&data, 0).unwrap(), None);
    }

    #[test]
    fn garbage_before_the_end_is_doubted_wherever_it_is() {
        let (_folder, data, segments) = log(SEVERAL_SEGMENTS);
        assert!(segments.len() > 1, "only {segments:?}");
        for segment in &segments {
            for within in [0, 7, 20, 4096, 999_999, SEGMENT as u64 / 2] {
                let at = segment + within;
                assert!(find_damage_with(&data, at, &[0xA5; 64], 0).is_some(), "at {at} of {segments:?}");
                assert!(
                    find_damage_with(&data, at, &[0; 64], 0).is_some(),
                    "at {at} of {segments:?}, zeroes"
                );
            }
        }
    }

    #[test]
    fn a_torn_end_is_no_doubt() {
        let (_folder, data, _) = log(2_000);
        let end = data.metadata().unwrap().len();
        assert_eq!(find_damage_with(&data, end - 200, &[0xA5; 100], 0), None);
        data.set_len(end - 1000).unwrap();
        assert_eq!(find_damage(&data, 0).unwrap(), None);
    }

    #[test]
    fn what_sled_does_not_replay_is_not_read() {
        let (_folder, data, segments) = log(SEVERAL_SEGMENTS);
        let first = *segments.first().unwrap();
        let since = header(&data, first).unwrap().position + SEGMENT as u64;
        assert!(find_damage_with(&data, first + 5000, &[0xA5; 64], since - 1).is_some());
        assert_eq!(find_damage_with(&data, first + 5000, &[0xA5; 64], since), None);
        assert!(find_damage_with(&data, first, &[0xA5; 64], u64::MAX).is_some());
    }

    #[test]
    fn a_cleared_segment_holds_nothing() {
        let (_folder, data, segments) = log(SEVERAL_SEGMENTS);
        let first = *segments.first().unwrap();
        assert_eq!(find_damage_with(&data, first, &vec![0; SEGMENT], 0), None);
        assert!(find_damage_with(&data, first, &vec![0; SEGMENT / 2], 0).is_some());
    }
}
