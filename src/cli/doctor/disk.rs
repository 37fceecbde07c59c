//! Free disk space, compared with the reserve below which the service stops writing.

use rustix::fs::statvfs;

use super::diagnosis::{Diagnosis, Grade};
use super::folder::nearest_existing;
use crate::settings::{Settings, size_text};

const ABOUT: &str = "disk";
const MIB: u64 = 1 << 20;

pub(super) fn examine(settings: &Settings) -> Diagnosis {
    if settings.store.is_some() {
        return Diagnosis::good(ABOUT, "the store is in the database, whose disk is not seen from here");
    }
    match statvfs(nearest_existing(&settings.data)) {
        Ok(disk) => judge(disk.f_bavail.saturating_mul(disk.f_frsize), settings.free_space_reserve),
        Err(error) => {
            let what = format!("free space is unknown: {error}");
            Diagnosis::new(ABOUT, Grade::Warning, what, "see `df` for the data folder")
        }
    }
}

fn judge(free: u64, reserve: u64) -> Diagnosis {
    let (free_text, reserve_text) = (size_text(free / MIB * MIB), size_text(reserve));
    let help = "make room, or move the data folder to a larger disk";
    if free < reserve {
        let what =
            format!("{free_text} free, less than the reserve of {reserve_text}: every write is refused");
        Diagnosis::new(ABOUT, Grade::Bad, what, help)
    } else if free < reserve.saturating_mul(4) {
        let what = format!("{free_text} free; writes stop at the reserve of {reserve_text}");
        Diagnosis::new(ABOUT, Grade::Warning, what, help)
    } else {
        Diagnosis::good(ABOUT, format!("{free_text} free"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_than_the_reserve_is_bad_and_a_little_more_a_warning() {
        assert_eq!(judge(64 * MIB - 1, 64 * MIB).grade, Grade::Bad);
        assert_eq!(judge(64 * MIB, 64 * MIB).grade, Grade::Warning);
        assert_eq!(judge(256 * MIB, 64 * MIB).grade, Grade::Good);
    }

    #[test]
    fn a_full_disk_here_says_nothing_of_a_database() {
        let shared = [("free_space_reserve", "1024GiB"), ("store", "postgres://ada@localhost/rescind")];
        assert_eq!(examine(&Settings::with(&shared).unwrap()).grade, Grade::Good);
    }

    #[test]
    fn the_real_disk_is_measured() {
        let reserve = [("free_space_reserve", "1024GiB")];
        let diagnosis = examine(&Settings::with(&reserve).unwrap());
        assert!(diagnosis.what.contains("free"), "{diagnosis:?}");
    }
}
