//! The free space that is never written into.
//!
//! After a single "no space left on device" sled refuses every further write, also when there is room again, and
//! does not open on a full disk. So it must never meet one: writing stops while there is still room to open,
//! to sweep and to repair.

use std::io;
use std::path::Path;

/// What a write costs on disk beyond its own bytes, at worst: the page it lands in is written anew.
const PAGE: u64 = 4096;

/// Watches the free space of one file system on behalf of the one writer.
pub struct Reserve {
    bytes: u64,
    free: Box<dyn FnMut() -> io::Result<u64> + Send>,
    measured: Option<u64>,
}

impl Reserve {
    /// Keeps `bytes` free on the file system that holds `folder`.
    pub fn new(folder: &Path, bytes: u64) -> Self {
        let folder = folder.to_owned();
        Self::watching(bytes, move || free_space(&folder))
    }

    fn watching(bytes: u64, free: impl FnMut() -> io::Result<u64> + Send + 'static) -> Self {
        Self { bytes, free: Box::new(free), measured: None }
    }

    /// Looks again at the next question. The committer calls this once per group, so a measurement is never older
    /// than one group, and a group without writes costs none.
    pub fn forget(&mut self) {
        self.measured = None;
    }

    /// Whether `count` records of `bytes` bytes altogether may be written. What is let in is taken off the last
    /// measurement, so the answer stays careful until the next one.
    pub fn admit(&mut self, count: usize, bytes: u64) -> io::Result<bool> {
        let free = match self.measured {
            Some(free) => free,
            None => (self.free)()?,
        };
        let pages = u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(PAGE);
        let left = free.saturating_sub(pages).saturating_sub(bytes);
        let enough = left >= self.bytes;
        self.measured = Some(if enough { left } else { free });
        Ok(enough)
    }
}

/// Bytes that the owner of `folder` may still write to its file system.
pub fn free_space(folder: &Path) -> io::Result<u64> {
    let seen = rustix::fs::statvfs(folder)?;
    Ok(seen.f_bavail.saturating_mul(seen.f_frsize))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn disk(free: u64, reserve: u64) -> (Arc<AtomicU64>, Reserve) {
        let disk = Arc::new(AtomicU64::new(free));
        let seen = disk.clone();
        (disk, Reserve::watching(reserve, move || Ok(seen.load(Ordering::Relaxed))))
    }

    #[test]
    fn admits_what_leaves_the_reserve_untouched_and_no_byte_more() {
        let (_disk, mut reserve) = disk(10_000 + PAGE + 100, 10_000);
        assert!(!reserve.admit(1, 101).unwrap());
        assert!(reserve.admit(1, 100).unwrap());
        assert!(!reserve.admit(1, 0).unwrap());
    }

    #[test]
    fn what_is_admitted_counts_until_the_next_look() {
        let (_disk, mut reserve) = disk(10 * PAGE, 5 * PAGE);
        let admitted = (0..10).filter(|_| reserve.admit(1, 0).unwrap()).count();
        assert_eq!(admitted, 5);
    }

    #[test]
    fn room_made_on_the_disk_is_noticed_at_the_next_look() {
        let (disk, mut reserve) = disk(0, PAGE);
        assert!(!reserve.admit(1, 0).unwrap());
        disk.store(3 * PAGE, Ordering::Relaxed);
        assert!(!reserve.admit(1, 0).unwrap());
        reserve.forget();
        assert!(reserve.admit(1, 0).unwrap());
    }

    #[test]
    fn a_file_system_that_cannot_be_asked_is_an_error_not_room() {
        let gone = tempfile::tempdir().unwrap().path().join("gone");
        assert!(Reserve::new(&gone, 0).admit(1, 1).is_err());
    }

    #[test]
    fn the_real_file_system_has_some_room_but_not_everything() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Reserve::new(folder.path(), 1).admit(1, 1).unwrap());
        assert!(!Reserve::new(folder.path(), u64::MAX).admit(1, 1).unwrap());
    }
}
