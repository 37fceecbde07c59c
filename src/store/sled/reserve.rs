//! The free space that is never written into.
//!
//! After a single "no space left on device" sled refuses every further write, also when there is room again, and
//! does not open on a full disk. So it must never meet one: writing stops while there is still room to open,
//! to sweep and to repair.
//!
//! It stops in steps, by [`Priority`]: what adds to the store first, sign-outs last. So a disk that somebody fills
//! with sign-ins is never too full to sign out.

use std::io;
use std::path::Path;

use super::SEGMENT;
use crate::store::priority::Priority;

/// What a write costs on disk beyond its own bytes, at worst: the page it lands in is written anew.
const PAGE: u64 = 4096;

/// What sled itself may need at any moment: the segment that a group of steps fills, and the next one.
const FLOOR: u64 = 2 * SEGMENT as u64;

/// The smallest distance between where the first and the last priority stop.
const LEAST_SPAN: u64 = 8 << 20;

/// How much free space each priority leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    floor: u64,
    span: u64,
}

impl Steps {
    /// What adds to the store leaves `reserve` bytes. `start` is what the next start writes before anything else.
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

    /// The highest priority for which `free` bytes are too few, if any: those below it are stopped too.
    pub fn stopped(self, free: u64) -> Option<Priority> {
        Priority::ALL.into_iter().rev().find(|priority| free < self.left_by(*priority))
    }
}

/// Watches the free space of one file system on behalf of the one writer.
pub struct Reserve {
    steps: Steps,
    free: Box<dyn FnMut() -> io::Result<u64> + Send>,
    measured: Option<u64>,
}

impl Reserve {
    /// Keeps `bytes` free on the file system that holds `folder`, and what steps of a higher priority may not use up.
    pub fn new(folder: &Path, bytes: u64) -> io::Result<Self> {
        let steps = Steps::new(bytes, next_start(folder)?);
        let folder = folder.to_owned();
        Ok(Self::watching(steps, move || free_space(&folder)))
    }

    fn watching(steps: Steps, free: impl FnMut() -> io::Result<u64> + Send + 'static) -> Self {
        Self { steps, free: Box::new(free), measured: None }
    }

    /// Where each priority stops.
    pub fn steps(&self) -> Steps {
        self.steps
    }

    /// Looks again at the next question. The committer calls this once per group, so a measurement is never older
    /// than one group, and a group without writes costs none.
    pub fn forget(&mut self) {
        self.measured = None;
    }

    /// Whether `count` records of `bytes` bytes altogether may be written. What is let in is taken off the last
    /// measurement, so the answer stays careful until the next one.
    pub fn admit(&mut self, priority: Priority, count: usize, bytes: u64) -> io::Result<bool> {
        let free = match self.measured {
            Some(free) => free,
            None => (self.free)()?,
        };
        let pages = u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(PAGE);
        let left = free.saturating_sub(pages).saturating_sub(bytes);
        let enough = left >= self.steps.left_by(priority);
        self.measured = Some(if enough { left } else { free });
        Ok(enough)
    }

    /// The highest priority that the last measurement leaves no room for.
    pub fn stopped(&self) -> Option<Priority> {
        self.steps.stopped(self.measured?)
    }
}

/// What sled writes when it is started: a snapshot beside the last one, which grows with the store.
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

    const MIB: u64 = 1 << 20;

    fn disk(free: u64, reserve: u64) -> (Arc<AtomicU64>, Reserve) {
        let disk = Arc::new(AtomicU64::new(free));
        let seen = disk.clone();
        (disk, Reserve::watching(Steps::new(reserve, 0), move || Ok(seen.load(Ordering::Relaxed))))
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
            let steps = Steps::new(reserve, 0);
            assert_eq!(steps.left_by(Priority::Adding), reserve);
            assert_eq!(steps.left_by(Priority::Ending), FLOOR);
            let left: Vec<_> = Priority::ALL.map(|priority| steps.left_by(priority)).into();
            assert!(left.is_sorted_by(|a, b| a > b), "{left:?}");
            for priority in Priority::ALL {
                let (_disk, mut exact) = disk(steps.left_by(priority) + PAGE, reserve);
                let admitted = Priority::ALL.map(|asked| exact.admit(asked, 1, 0).unwrap());
                assert_eq!(admitted, Priority::ALL.map(|asked| asked >= priority), "{priority:?}");
            }
        }
    }

    #[test]
    fn it_can_be_said_what_has_stopped() {
        let steps = Steps::new(64 * MIB, 0);
        assert_eq!(steps.stopped(64 * MIB), None);
        assert_eq!(steps.stopped(64 * MIB - 1), Some(Priority::Adding));
        assert_eq!(steps.stopped(30 * MIB), Some(Priority::Refreshing));
        assert_eq!(steps.stopped(20 * MIB), Some(Priority::Sweeping));
        assert_eq!(steps.stopped(FLOOR - 1), Some(Priority::Ending));
    }

    #[test]
    fn what_the_next_start_writes_is_never_used_up() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("snap.0000000000000001"), vec![0; 3 << 20]).unwrap();
        std::fs::write(folder.path().join("db"), vec![0; 5 << 20]).unwrap();
        let reserve = Reserve::new(folder.path(), 16 * MIB).unwrap();
        assert_eq!(reserve.steps().left_by(Priority::Ending), FLOOR + 6 * MIB);
        assert!(reserve.steps().left_by(Priority::Adding) > reserve.steps().left_by(Priority::Refreshing));
    }

    #[test]
    fn a_file_system_that_cannot_be_asked_is_an_error_not_room() {
        let gone = tempfile::tempdir().unwrap().path().join("gone");
        assert!(Reserve::new(&gone, 0).is_err());
        assert!(free_space(&gone).is_err());
        let mut unknown = Reserve::watching(Steps::new(0, 0), || Err(io::ErrorKind::NotFound.into()));
        assert!(unknown.admit(Priority::Ending, 1, 1).is_err());
    }

    #[test]
    fn the_real_file_system_has_some_room_but_not_everything() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Reserve::new(folder.path(), 1).unwrap().admit(Priority::Ending, 1, 1).unwrap());
        assert!(!Reserve::new(folder.path(), u64::MAX).unwrap().admit(Priority::Adding, 1, 1).unwrap());
    }
}
