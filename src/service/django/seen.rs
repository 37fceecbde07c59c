//! What a source has had so far: the first part in memory, and all of a larger one in a temporary file, so that the memory
//! taken does not grow with it.
//!
//! The file is a hash table of buckets: what does not fit into its bucket is in one of those behind it. It holds hashes
//! under a random key, never what was hashed. It has no name and is gone with the process.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};

/// The number of hashes in a bucket, and its bytes.
const BUCKET: usize = 64;
const BUCKET_BYTES: usize = BUCKET * size_of::<u64>();

/// The most hashes in memory: the names and keys of some thirty thousand users.
const IN_MEMORY: usize = 1 << 16;

/// The buckets of a new file, a quarter full with the hashes from memory.
const BUCKETS: u64 = 4 * (IN_MEMORY / BUCKET) as u64;

/// A set that can only be added to.
pub(super) struct SeenTable {
    hasher: RandomState,
    hashes: SeenHashes,
}

enum SeenHashes {
    Memory(HashSet<u64>),
    File(SeenBuckets),
}

struct SeenBuckets {
    file: File,
    count: u64,
    hashes: u64,
}

impl SeenTable {
    pub(super) fn new() -> Self {
        Self { hasher: RandomState::new(), hashes: SeenHashes::Memory(HashSet::new()) }
    }

    /// Adds something; false if it is there already.
    pub(super) fn add(&mut self, what: impl Hash) -> io::Result<bool> {
        // Zero marks an entry that is free.
        let hash = self.hasher.hash_one(what).max(1);
        match &mut self.hashes {
            SeenHashes::Memory(hashes) if hashes.len() < IN_MEMORY => Ok(hashes.insert(hash)),
            SeenHashes::Memory(hashes) => {
                let mut buckets = SeenBuckets::new(BUCKETS)?;
                for hash in hashes.iter() {
                    buckets.add(*hash)?;
                }
                let is_new = buckets.add(hash)?;
                self.hashes = SeenHashes::File(buckets);
                Ok(is_new)
            }
            SeenHashes::File(buckets) => {
                // At most half full, so that a search ends soon.
                if buckets.hashes * 2 >= buckets.count * BUCKET as u64 {
                    *buckets = buckets.doubled()?;
                }
                buckets.add(hash)
            }
        }
    }
}

impl SeenBuckets {
    fn new(count: u64) -> io::Result<Self> {
        let file = unnamed_file()?;
        file.set_len(count * BUCKET_BYTES as u64)?;
        Ok(Self { file, count, hashes: 0 })
    }

    fn add(&mut self, hash: u64) -> io::Result<bool> {
        let mut bytes = [0; BUCKET_BYTES];
        let first = hash % self.count;
        for bucket in (first..self.count).chain(0..first) {
            let start = bucket * BUCKET_BYTES as u64;
            self.file.read_exact_at(&mut bytes, start)?;
            for (at, entry) in hashes(&bytes).enumerate() {
                if entry == hash {
                    return Ok(false);
                }
                if entry == 0 {
                    self.file.write_all_at(&hash.to_ne_bytes(), start + (at * size_of::<u64>()) as u64)?;
                    self.hashes += 1;
                    return Ok(true);
                }
            }
        }
        Err(io::Error::other("the table is full"))
    }

    /// The same hashes in twice as many buckets.
    fn doubled(&self) -> io::Result<Self> {
        let mut larger = Self::new(self.count * 2)?;
        let mut bytes = [0; BUCKET_BYTES];
        for bucket in 0..self.count {
            self.file.read_exact_at(&mut bytes, bucket * BUCKET_BYTES as u64)?;
            for hash in hashes(&bytes).take_while(|hash| *hash != 0) {
                larger.add(hash)?;
            }
        }
        Ok(larger)
    }
}

fn hashes(bytes: &[u8; BUCKET_BYTES]) -> impl Iterator<Item = u64> + '_ {
    bytes.as_chunks().0.iter().map(|entry| u64::from_ne_bytes(*entry))
}

/// A new file in the folder for temporary files, which nobody else can open.
fn unnamed_file() -> io::Result<File> {
    let name = format!("rescind-{:016x}", RandomState::new().hash_one(()));
    let path = std::env::temp_dir().join(name);
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_new_once_however_often_the_table_grows() {
        // As many as make the file grow twice.
        const MOST: u64 = 5 * IN_MEMORY as u64;
        let (mut table, mut model) = (SeenTable::new(), HashSet::new());
        // Each number comes twice, in another order.
        for step in 0..2 * MOST {
            let number = step * 7919 % MOST;
            assert_eq!(table.add(("name", number)).unwrap(), model.insert(number), "{number}");
        }
        assert!(table.add(("id", 1_u64)).unwrap());
        let SeenHashes::File(buckets) = table.hashes else { panic!("all is in memory") };
        assert_eq!((buckets.hashes, buckets.count), (MOST + 1, 4 * BUCKETS));
    }

    #[test]
    fn what_does_not_fit_into_its_bucket_is_found_behind_it_and_behind_the_last_is_the_first() {
        let mut buckets = SeenBuckets::new(4).unwrap();
        let hashes: Vec<u64> = (1..=150).map(|number| number * 4 + 3).collect();
        for hash in &hashes {
            assert!(buckets.add(*hash).unwrap());
        }
        assert!(hashes.iter().all(|hash| !buckets.add(*hash).unwrap()));
        let mut doubled = buckets.doubled().unwrap();
        assert!(hashes.iter().all(|hash| !doubled.add(*hash).unwrap()));
        assert_eq!((doubled.count, doubled.hashes), (8, 150));
    }

    #[test]
    fn the_file_has_no_name() {
        assert_eq!(std::os::unix::fs::MetadataExt::nlink(&unnamed_file().unwrap().metadata().unwrap()), 0);
    }
}
