//! The commit witness: a small file `head` beside the data, which records the last commit.
//!
//! If sled's log is cut short or corrupted, sled opens what precedes the damage without an error: the store would
//! return to an earlier state, with sign-outs undone. So every commit has a number, in the same batch as its writes,
//! and once it is synced the number is also written here, before any caller is answered. A tree that is behind its
//! `head` has lost something that was acknowledged.
//!
//! * `head` is never ahead of what is durable, because it is written after the sync. So a crash in between leaves it
//!   behind, which is no damage.
//! * It needs no sync of its own: a killed process loses nothing it has written, and after a power failure an older
//!   `head` only proves less. Only before a restored store takes another id is it synced, without the old id: an older
//!   `head` would name another store then.
//! * It is created in full length and synced before the store counts as initialized, and then only overwritten. So an
//!   initialized store whose `head` is missing, short or unreadable was tampered with or damaged, and is refused:
//!   there is no proof any more that nothing is lost.
//! * Two slots are written in turn, so that a torn write leaves the previous one.
//!
//! It also records the length of the data file, because sled may reuse its last part for records older than the last
//! commit: a file that is shorter now was shortened by sled, or cut.
//!
//! It cannot detect corrupted bytes in the middle of the log: that is the task of [`scrub`](super::scrub) and
//! [`checksum`](super::checksum). Nor can any module here detect that the whole folder went back in time, as when an old image
//! of the disk is restored; tokens and followers that are ahead of the store reveal that.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::model::ids::StoreId;
use crate::model::timestamp::Timestamp;
use crate::store::sled::checksum::StoreChecksum;

/// The size of a slot: a sector, the unit that a disk writes atomically.
const SECTOR: usize = 512;
const SLOTS: u64 = 2;

/// The record in the tree about its last commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastCommit {
    /// The number of commits so far.
    pub(super) number: u64,
    /// The newest time in any record; 1970 if there is none.
    pub(super) newest: Timestamp,
    /// The checksum of all records.
    pub(super) sum: StoreChecksum,
}

impl LastCommit {
    const LENGTH: usize = 16 + StoreChecksum::LENGTH;

    /// The state before the first commit.
    pub(super) fn none() -> Self {
        Self { number: 0, newest: Timestamp::from_unix(0), sum: StoreChecksum::default() }
    }

    pub(super) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let (number, newest) = (self.number.to_be_bytes(), self.newest.unix().to_be_bytes());
        let mut bytes = [0; Self::LENGTH];
        for (place, byte) in bytes.iter_mut().zip(number.into_iter().chain(newest).chain(self.sum.to_bytes()))
        {
            *place = byte;
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk()?;
        let (newest, sum) = rest.split_first_chunk()?;
        let newest = Timestamp::from_unix(i64::from_be_bytes(*newest));
        let sum = StoreChecksum::from_bytes(sum.try_into().ok()?);
        Some(Self { number: u64::from_be_bytes(*number), newest, sum })
    }
}

/// The content of the `head` file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CommitWitness {
    /// The number of the last synced commit.
    pub(super) commit: u64,
    /// The store's id; `None` before the store is initialized.
    pub(super) store: Option<StoreId>,
    /// The length of the data file at that commit, in bytes.
    pub(super) length: u64,
}

/// The `head` file, open for the writer.
#[derive(Debug)]
pub(super) struct Head {
    file: File,
}

impl Head {
    /// Creates the file durably except for its name: the folder is synced with the marker.
    pub(super) fn create(path: &Path) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        for slot in 0..SLOTS {
            file.write_all_at(&CommitWitness::default().to_sector(), slot * SECTOR as u64)?;
        }
        file.sync_all()
    }

    /// Opens the file for writing.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::options().write(true).open(path)? })
    }

    /// Records a commit that has been synced.
    pub(super) fn note(&self, seen: CommitWitness) -> io::Result<()> {
        self.file.write_all_at(&seen.to_sector(), (seen.commit % SLOTS) * SECTOR as u64)
    }

    /// Makes the last record durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Reads the file at `path`; `None` if it is missing or unreadable.
    pub(super) fn read(path: &Path) -> io::Result<Option<CommitWitness>> {
        let mut bytes = Vec::new();
        match File::open(path) {
            Ok(file) => file.take(SECTOR as u64 * SLOTS).read_to_end(&mut bytes)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        Ok(bytes.chunks(SECTOR).filter_map(CommitWitness::from_sector).max())
    }
}

impl CommitWitness {
    fn to_sector(self) -> [u8; SECTOR] {
        let store = self.store.map_or([0; 16], |store| *store.as_bytes());
        let text = [self.commit.to_be_bytes().as_slice(), &store, &self.length.to_be_bytes()].concat();
        let mut sector = [0; SECTOR];
        let hash = blake3::hash(&text);
        for (place, byte) in sector.iter_mut().zip(text.iter().chain(hash.as_bytes())) {
            *place = *byte;
        }
        sector
    }

    fn from_sector(sector: &[u8]) -> Option<Self> {
        let (text, rest) = sector.split_first_chunk::<32>()?;
        let (hash, _) = rest.split_first_chunk::<32>()?;
        let (commit, rest) = text.split_first_chunk()?;
        let (store, length) = rest.split_first_chunk()?;
        let store = Some(StoreId::from_bytes(*store)).filter(|_| store != &[0; 16]);
        let seen = Self {
            commit: u64::from_be_bytes(*commit),
            store,
            length: u64::from_be_bytes(length.try_into().ok()?),
        };
        (blake3::hash(text) == *hash).then_some(seen)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn seen(commit: u64) -> CommitWitness {
        CommitWitness { commit, store: Some(StoreId::from_bytes([7; 16])), length: commit / 2 }
    }

    #[test]
    fn the_last_note_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head");
        assert_eq!(Head::read(&path).unwrap(), None);
        Head::create(&path).unwrap();
        assert_eq!(Head::read(&path).unwrap(), Some(CommitWitness::default()));
        let head = Head::open(&path).unwrap();
        for commit in [1, 2, 3, 3, u64::MAX] {
            head.note(seen(commit)).unwrap();
            assert_eq!(Head::read(&path).unwrap(), Some(seen(commit)));
        }
        assert_eq!(fs::metadata(&path).unwrap().len(), 1024, "never grows, so a write never needs room");
    }

    #[test]
    fn a_torn_note_leaves_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head");
        Head::create(&path).unwrap();
        let head = Head::open(&path).unwrap();
        head.note(seen(4)).unwrap();
        head.note(seen(5)).unwrap();
        head.file.write_all_at(&9_u64.to_be_bytes(), 512).unwrap();
        assert_eq!(Head::read(&path).unwrap(), Some(seen(4)));
        head.file.write_all_at(&9_u64.to_be_bytes(), 0).unwrap();
        assert_eq!(Head::read(&path).unwrap(), None);
    }
}
