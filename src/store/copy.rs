//! Copying a store: every record is written, then read back and compared.

use super::archive::{Archive, ArchiveSource, ArchiveTarget};
use super::format::{JsonRecord, Record, RecordKind};
use super::{StoreError, StoreIdentity};

/// The reason why a store was not copied. Unless a variant says otherwise, the source is unchanged.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the messages name")]
pub enum CopyError {
    /// The source could not be read.
    #[error("the store that is copied cannot be read: {0}")]
    Source(StoreError),
    /// The target could not be written.
    #[error("the copy cannot be written: {0}; run the same command again, it starts over")]
    Target(StoreError),
    /// It is unknown whether the source was marked as moved.
    #[error("all is copied, but the store could not be marked as moved: {0}; run the same command again")]
    Leaving(StoreError),
    /// It is unknown whether the target was initialized. The source is marked as moved.
    #[error(
        "all is copied, but whether the copy is a store now is unknown: {0}; start `rescind serve` on it, and if that calls the copy unfinished run the same command again"
    )]
    Initializing(StoreError),
    /// The source was moved to this target before, and the copy there does not exist any more.
    #[error(
        "this store was moved to the target before, and the copy there is gone: restore it from its backup. The data left here is outdated"
    )]
    Gone,
    /// The records read back differ from those written.
    #[error(
        "the copy differs in its {}: {copied} were copied and {found} read back; the source is as it was, the copy is no store. Check the target's disk and memory, then run the same command again",
        .kind.name()
    )]
    Differs { kind: RecordKind, copied: Tally, found: Tally },
}

/// The progress of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyProgress {
    /// This many more records were written.
    Copied(u64),
    /// This many more records were read back.
    Compared(u64),
}

/// The number of records, and a checksum that does not depend on their order: the sum of their hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The number of records.
    pub count: u64,
    sum: [u64; 4],
}

/// The result of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The identity of the store, the same in source and target.
    pub identity: StoreIdentity,
    /// The tally of each kind, in order.
    pub tallies: Vec<(RecordKind, Tally)>,
}

impl Copied {
    /// The number of records of each kind, with the kind's name.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.tallies.iter().map(|(kind, tally)| (kind.name(), tally.count))
    }

    /// One checksum of all records, in hexadecimal.
    pub fn checksum(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (kind, tally) in &self.tallies {
            hasher.update(kind.name().as_bytes());
            for part in [tally.count].iter().chain(&tally.sum) {
                hasher.update(&part.to_le_bytes());
            }
        }
        hasher.finalize().to_hex().to_string()
    }
}

/// Copies all of `source` to `target`, shown as `to`, marks the source as moved, and initializes the target.
pub async fn copy(
    source: &mut dyn ArchiveSource,
    target: &mut dyn ArchiveTarget,
    to: &str,
    progress: &mut (dyn FnMut(CopyProgress) + Send),
) -> Result<Copied, CopyError> {
    if source.left() && !target.resumed() {
        return Err(CopyError::Gone);
    }
    let identity = source.identity().await.map_err(CopyError::Source)?;
    let mut tallies = Vec::new();
    for kind in RecordKind::COPIED {
        tallies.push((kind, write(source, target, kind, progress).await?));
    }
    for (kind, copied) in &tallies {
        let found = read_back(target, *kind, progress).await.map_err(CopyError::Target)?;
        if found != *copied {
            return Err(CopyError::Differs { kind: *kind, copied: *copied, found });
        }
    }
    target.commit().await.map_err(CopyError::Target)?;
    // Also when it was left before: whether that was durable is not known.
    source.leave(to).await.map_err(CopyError::Leaving)?;
    target.initialize(identity.clone()).await.map_err(CopyError::Initializing)?;
    Ok(Copied { identity, tallies })
}

async fn write(
    source: &mut dyn ArchiveSource,
    target: &mut dyn ArchiveTarget,
    kind: RecordKind,
    progress: &mut (dyn FnMut(CopyProgress) + Send),
) -> Result<Tally, CopyError> {
    let mut tally = Tally::default();
    source.seek(kind).await.map_err(CopyError::Source)?;
    loop {
        let page = source.page().await.map_err(CopyError::Source)?;
        if page.is_empty() {
            return Ok(tally);
        }
        let count = tally.add_all(&page).map_err(CopyError::Source)?;
        target.put(page).await.map_err(CopyError::Target)?;
        progress(CopyProgress::Copied(count));
    }
}

async fn read_back(
    target: &mut dyn ArchiveTarget,
    kind: RecordKind,
    progress: &mut (dyn FnMut(CopyProgress) + Send),
) -> Result<Tally, StoreError> {
    let archive: &mut dyn Archive = target;
    let mut tally = Tally::default();
    archive.seek(kind).await?;
    loop {
        let page = archive.page().await?;
        if page.is_empty() {
            return Ok(tally);
        }
        progress(CopyProgress::Compared(tally.add_all(&page)?));
    }
}

impl Tally {
    /// Adds a page of records; returns how many it has.
    fn add_all(&mut self, page: &[Record]) -> Result<u64, StoreError> {
        let before = self.count;
        for record in page {
            let hash = hash(record)?;
            let (parts, _) = hash.as_bytes().as_chunks::<8>();
            for (sum, part) in self.sum.iter_mut().zip(parts) {
                *sum = sum.wrapping_add(u64::from_le_bytes(*part));
            }
            self.count += 1;
        }
        Ok(self.count - before)
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [first, ..] = self.sum;
        write!(f, "{} (checksum {first:016x})", self.count)
    }
}

/// The hash of a record as a document, whichever encoding an engine stores it in.
fn hash(record: &Record) -> Result<blake3::Hash, StoreError> {
    match record {
        Record::Counters(counters) => of(counters),
        Record::Totals(totals) => of(totals),
        Record::Key(key) => of(key),
        Record::ServiceKey(key) => of(key),
        Record::User(user) => of(&**user),
        Record::Device(device) | Record::EndedDevice(device) => of(&**device),
        Record::LastSeen(user, device, seen) => {
            let document = seen.to_json()?;
            let parts = [&user.as_bytes()[..], &device.as_bytes()[..], document.as_bytes()];
            Ok(blake3::hash(&parts.concat()))
        }
        Record::ExpiryCheck(check) => of(check),
        Record::Entry(entry) => of(entry),
        Record::StoreIdentity(_) | Record::RolledBack => {
            Err(StoreError::Corrupt("no record of an archive".to_owned()))
        }
    }
}

fn of(record: &impl JsonRecord) -> Result<blake3::Hash, StoreError> {
    Ok(blake3::hash(record.to_json()?.as_bytes()))
}

#[cfg(test)]
#[cfg(feature = "sled")]
mod tests;
