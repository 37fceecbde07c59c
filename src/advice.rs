//! What to do about an error of the operating system, by its number.
//!
//! The cause decides the advice: a change of owner helps against a refused permission and against nothing else, so no
//! message about files guesses.

use std::io;

use rustix::io::Errno;

/// What an operator can do about `error`, which occurred on a file or a folder. A clause without a full stop.
pub(crate) fn for_file(error: &io::Error) -> &'static str {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::ACCESS | Errno::PERM) => PERMISSION,
        Some(Errno::ROFS) => {
            "its file system is mounted read-only: mount it for writing, or name another place"
        }
        Some(Errno::NOSPC | Errno::DQUOT) => "no space is left: make room and start again",
        Some(Errno::MFILE | Errno::NFILE) => {
            "the limit of open files is reached: raise it (`ulimit -n`, LimitNOFILE of systemd)"
        }
        Some(Errno::IO | Errno::NXIO | Errno::NODEV) => {
            "the disk or its connection fails: look at the kernel's log (`dmesg`), keep a copy of what can still be read, and start again on a disk that works"
        }
        Some(Errno::UCLEAN | Errno::BADMSG) => {
            "the file system is damaged: stop what uses it, run its check (`fsck`), then start again"
        }
        Some(Errno::STALE | Errno::NOTCONN | Errno::TIMEDOUT | Errno::HOSTDOWN | Errno::REMOTEIO) => {
            "the network file system does not answer: mount it again"
        }
        Some(Errno::NAMETOOLONG) => "the path is too long: name a shorter one",
        Some(Errno::LOOP) => "it is a symbolic link, or one leads to itself: name the place itself",
        Some(Errno::NOTDIR) => "a part of the path is a file, not a folder: name another place",
        Some(Errno::ISDIR) => "it is a folder, not a file: name a file",
        Some(Errno::NOENT) => "a part of the path is missing: make it, or name another place",
        Some(Errno::NOMEM) => "memory is full: give the process more, or stop others",
        Some(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
            "its file system lacks something that is needed: name a place on a local disk"
        }
        Some(_) => SYSTEM,
        None => for_kind(error.kind()),
    }
}

const PERMISSION: &str = "let the user who runs rescind own it";
const SYSTEM: &str = "the system refused: look at the kernel's log (`dmesg`) and the limits of the process";

/// Advice for an error that this program made itself, which has no number of the operating system.
fn for_kind(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied => PERMISSION,
        io::ErrorKind::NotADirectory => "it is a file, not a folder: name another place",
        io::ErrorKind::NotFound => "a part of the path is missing: make it, or name another place",
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            "its content cannot be read: restore it from a backup"
        }
        _ => SYSTEM,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refused_permission_is_mended_by_a_change_of_owner() {
        for number in 1..=133 {
            let told = for_file(&io::Error::from_raw_os_error(number));
            let refused = [Errno::ACCESS, Errno::PERM].contains(&Errno::from_raw_os_error(number));
            assert_eq!(told.contains("own it"), refused, "errno {number}: {told}");
        }
    }

    #[test]
    fn each_cause_has_its_own_next_step() {
        let told = |errno: Errno| for_file(&errno.into());
        assert!(told(Errno::IO).starts_with("the disk or its connection fails"));
        assert!(told(Errno::ROFS).contains("mounted read-only"));
        assert!(told(Errno::NOSPC).contains("make room"));
        assert!(told(Errno::MFILE).contains("LimitNOFILE"));
        assert!(told(Errno::NAMETOOLONG).contains("shorter"));
        assert!(for_file(&io::ErrorKind::PermissionDenied.into()).contains("own it"));
        assert!(for_file(&io::Error::other("anything")).contains("dmesg"));
    }
}
