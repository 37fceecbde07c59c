//! The reserve of free disk space.
//!
//! After a single "no space left on device" sled refuses every further write, even when there is space again, and does
//! not open on a full disk. So writing stops while there is still space to open, to sweep and to repair.
//!
//! It stops in steps by [`Priority`]: what adds to the store first, sign-outs last. So a disk that somebody fills with
//! sign-ins is never too full for a sign-out.

use std::io;
use std::path::Path;

use super::SEGMENT;
use crate::store::StoreError;
use crate::store::priority::Priority;

/// The overhead of a record in bytes, at worst: the page it belongs to is rewritten.
const PAGE: u64 = 4096;

/// The space that sled itself may need at any time: the segment that a group of steps fills, and the next one.
const FLOOR: u64 = 2 * SEGMENT as u64;

/// The smallest difference between the limits of the first and the last priority.
const LEAST_SPAN: u64 = 8 << 20;

/// The free space that writes of each priority must leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpaceLimits {
    floor: u64,
    span: u64,
}

impl SpaceLimits {
    /// Limits for a reserve of `reserve` bytes. `start` is the number of bytes that the next start writes first.
    fn new(reserve: u64, start: u64) -> Self {
        let floor = FLOOR.saturating_add(start);
        Self { floor, span: reserve.saturating_sub(floor).max(LEAST_SPAN) }
    }

    /// The bytes that must be free after a write of this priority.
    fn left_by(self, priority: Priority) -> u64 {
        let span = match priority {
            Priority::Adding => self.span,
            Priority::Refreshing => self.span / 2,
            Priority::Sweeping => self.span / 4,
            Priority::Ending => 0,
        };
        self.floor.saturating_add(span)
    }

    /// The highest priority for which `free` bytes are insufficient, if any; all lower ones are stopped too.
    pub fn stopped(self, free: u64) -> Option<Priority> {
        Priority::ALL.into_iter().rev().find(|priority| free < self.left_by(*priority))
    }
}

/// The monitor of the free space on one file system, used by the writer.
pub struct Reserve {
    limits: SpaceLimits,
    free: Box<dyn FnMut() -> io::Result<u64> + Send>,
    measured: Option<u64>,
}

impl Reserve {
    /// Keeps `bytes` free on the file system of `folder`, and less for steps of a higher priority.
    pub fn new(folder: &Path, bytes: u64) -> io::Result<Self> {
        let limits = SpaceLimits::new(bytes, next_start(folder)?);
        let folder = folder.to_owned();
        Ok(Self::watching(limits, move || free_space(&folder)))
    }

    fn watching(limits: SpaceLimits, free: impl FnMut() -> io::Result<u64> + Send + 'static) -> Self {
        Self { limits, free: Box::new(free), measured: None }
    }

    /// The limits of each priority.
    pub fn limits(&self) -> SpaceLimits {
        self.limits
    }

    /// Discards the measurement. The committer calls this once per group, so a measurement is never older than one
    /// group, and a group without writes costs none.
    pub fn forget(&mut self) {
        self.measured = None;
    }

    /// Whether `count` records of `bytes` bytes altogether may be written. Admitted writes are subtracted from the
    /// last measurement, so the answer stays conservative until the next one.
    pub fn admit(&mut self, priority: Priority, count: usize, bytes: u64) -> io::Result<bool> {
        let free = match self.measured {
            Some(free) => free,
            None => (self.free)()?,
        };
        let pages = u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(PAGE);
        let left = free.saturating_sub(pages).saturating_sub(bytes);
        let enough = left >= self.limits.left_by(priority);
        self.measured = Some(if enough { left } else { free });
        Ok(enough)
    }

    /// The highest priority for which the last measurement is insufficient.
    pub fn stopped(&self) -> Option<Priority> {
        self.limits.stopped(self.measured?)
    }
}

/// The bytes that sled writes at its start: a snapshot beside the last one, which grows with the store.
fn next_start(folder: &Path) -> io::Result<u64> {
    let mut bytes: u64 = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("snap.") {
            bytes = bytes.max(entry.metadata()?.len());
        }
    }
    Ok(bytes.saturating_mul(2))
}

/// The bytes that the owner of `folder` may still write to its file system.
pub fn free_space(folder: &Path) -> io::Result<u64> {
    let seen = rustix::fs::statvfs(folder)?;
    Ok(seen.f_bavail.saturating_mul(seen.f_frsize))
}

/// The error when the free space cannot be measured.
pub(super) fn unknown_space(error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("the free disk space is unknown: {error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const MIB: u64 = 1 << 20;

    fn disk(free: u64, reserve: u64) -> (Arc<AtomicU64>, Reserve) {
        let disk = Arc::new(AtomicU64::new(free));
        let seen = disk.clone();
        (disk, Reserve::watching(SpaceLimits::new(reserve, 0), move || Ok(seen.load(Ordering::Relaxed))))
    }

    #[test]
    fn admits_what_leaves_the_reserve_untouched_and_no_byte_more() {
        let (_disk, mut reserve) = disk(64 * MIB + PAGE + 100, 64 * MIB);
        assert!(!reserve.admit(Priority::Adding, 1, 101).unwrap());
        assert!(reserve.admit(Priority::Adding, 1, 100).unwrap());
        assert!(!reserve.admit(Priority::Adding, 1, 0).unwrap());
    }

    #[test]
    fn what_is_admitted_counts_until_the_next_look() {
        let (_disk, mut reserve) = disk(64 * MIB + 5 * PAGE, 64 * MIB);
        let admitted = (0..10).filter(|_| reserve.admit(Priority::Adding, 1, 0).unwrap()).count();
        assert_eq!(admitted, 5);
    }

    #[test]
    fn room_made_on_the_disk_is_noticed_at_the_next_look() {
        let (disk, mut reserve) = disk(0, 64 * MIB);
        assert!(!reserve.admit(Priority::Ending, 1, 0).unwrap());
        disk.store(80 * MIB, Ordering::Relaxed);
        assert!(!reserve.admit(Priority::Adding, 1, 0).unwrap());
        reserve.forget();
        assert!(reserve.admit(Priority::Adding, 1, 0).unwrap());
    }

    #[test]
    fn what_adds_stops_first_and_what_ends_goes_on_while_one_entry_fits() {
        for reserve in [16 * MIB, 64 * MIB, 1 << 40] {
            let limits = SpaceLimits::new(reserve, 0);
            assert_eq!(limits.left_by(Priority::Adding), reserve);
            assert_eq!(limits.left_by(Priority::Ending), FLOOR);
            let left: Vec<_> = Priority::ALL.map(|priority| limits.left_by(priority)).into();
            assert!(left.is_sorted_by(|a, b| a > b), "{left:?}");
            for priority in Priority::ALL {
                let (_disk, mut exact) = disk(limits.left_by(priority) + PAGE, reserve);
                let admitted = Priority::ALL.map(|asked| exact.admit(asked, 1, 0).unwrap());
                assert_eq!(admitted, Priority::ALL.map(|asked| asked >= priority), "{priority:?}");
            }
        }
    }

    #[test]
    fn it_can_be_said_what_has_stopped() {
        let limits = SpaceLimits::new(64 * MIB, 0);
        assert_eq!(limits.stopped(64 * MIB), None);
        assert_eq!(limits.stopped(64 * MIB - 1), Some(Priority::Adding));
        assert_eq!(limits.stopped(30 * MIB), Some(Priority::Refreshing));
        assert_eq!(limits.stopped(20 * MIB), Some(Priority::Sweeping));
        assert_eq!(limits.stopped(FLOOR - 1), Some(Priority::Ending));
    }

    #[test]
    fn what_the_next_start_writes_is_never_used_up() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("snap.0000000000000001"), vec![0; 3 << 20]).unwrap();
        std::fs::write(folder.path().join("db"), vec![0; 5 << 20]).unwrap();
        let reserve = Reserve::new(folder.path(), 16 * MIB).unwrap();
        assert_eq!(reserve.limits().left_by(Priority::Ending), FLOOR + 6 * MIB);
        assert!(reserve.limits().left_by(Priority::Adding) > reserve.limits().left_by(Priority::Refreshing));
    }

    #[test]
    fn a_file_system_that_cannot_be_asked_is_an_error_not_room() {
        let gone = tempfile::tempdir().unwrap().path().join("gone");
        assert!(Reserve::new(&gone, 0).is_err());
        assert!(free_space(&gone).is_err());
        let mut unknown = Reserve::watching(SpaceLimits::new(0, 0), || Err(io::ErrorKind::NotFound.into()));
        assert!(unknown.admit(Priority::Ending, 1, 1).is_err());
    }

    #[test]
    fn the_real_file_system_has_some_room_but_not_everything() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Reserve::new(folder.path(), 1).unwrap().admit(Priority::Ending, 1, 1).unwrap());
        assert!(!Reserve::new(folder.path(), u64::MAX).unwrap().admit(Priority::Adding, 1, 1).unwrap());
    }
}
