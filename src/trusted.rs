//! Files and folders that a secret or a lock depends on, opened without trusting their path.
//!
//! A path may lead to something other than a file of this program: a pipe that never ends, a device, a link made by
//! somebody else, a file that another user can change at any time. Nothing here blocks on opening, follows another
//! user's link or reads more than a limit, and the kind and the owner are checked on the open descriptor. Only this
//! process's user and root are trusted.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use crate::advice;

/// Why a file or folder is refused. The message ends with what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Distrust {
    /// The system refused the access.
    #[error("it cannot be used ({reason}): {advice}", reason = .0, advice = advice::for_file(.0))]
    Io(#[from] io::Error),
    /// The path leads to something of another kind.
    #[error("it is {found}, not {wanted}: name {wanted}")]
    Kind {
        /// The required kind.
        wanted: &'static str,
        /// The kind that was found.
        found: &'static str,
    },
    /// Another user owns the file or folder, and can change it.
    #[error(
        "it belongs to user {owner}, who could change it: run rescind as that user, or let user {us} own it (`chown {us}`)"
    )]
    Owner {
        /// The user id of the owner.
        owner: u32,
        /// The user id of this process.
        us: u32,
    },
    /// The file is longer than any valid content.
    #[error("it holds more than {limit} bytes: is it the right file?")]
    TooLong {
        /// The most that is read, in bytes.
        limit: u64,
    },
}

const FILE: &str = "a file";
const FOLDER: &str = "a folder";

/// Opens a file that this program made, with `options`. A symbolic link at the path is refused.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> Result<File, Distrust> {
    let file = options.custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK)).open(path)?;
    check(&file.metadata()?, FILE, FileType::is_file)?;
    Ok(file)
}

/// Reads at most `limit` bytes of a file that an operator has named, and returns its metadata too. A symbolic link is
/// followed if this user or root owns it, as in a mounted volume of secrets.
pub(crate) fn read(path: &Path, limit: u64) -> Result<(Zeroizing<String>, Metadata), Distrust> {
    trust_link(path)?;
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(flags(OFlags::NONBLOCK)).open(path)?;
    let metadata = file.metadata()?;
    check(&metadata, FILE, FileType::is_file)?;
    // Room for all of it at once: growing would leave unwiped copies behind.
    let room = usize::try_from(limit.min(metadata.len())).unwrap_or_default() + 1;
    let mut text = Zeroizing::new(String::with_capacity(room));
    file.take(limit + 1).read_to_string(&mut text)?;
    if text.len() as u64 > limit { Err(Distrust::TooLong { limit }) } else { Ok((text, metadata)) }
}

/// Reads a file that an operator has named, and whose owner does not matter: a container mounts its secrets with the
/// owner that they have outside. A longer text than `limit` bytes is refused, also of a file that never ends.
pub(crate) fn read_of_any_owner(path: &Path, limit: u64) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(limit + 1).read_to_string(&mut text)?;
    if text.len() as u64 > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
}

/// Checks that `path` is a folder, and that no other user owns it. Its mode is not checked.
pub(crate) fn folder(path: &Path) -> Result<Metadata, Distrust> {
    trust_link(path)?;
    let metadata = fs::metadata(path)?;
    check(&metadata, FOLDER, FileType::is_dir)?;
    Ok(metadata)
}

fn flags(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}

/// Refuses a symbolic link that belongs to another user.
fn trust_link(path: &Path) -> Result<(), Distrust> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_symlink() { trust_owner(&metadata) } else { Ok(()) }
}

fn check(metadata: &Metadata, wanted: &'static str, is: fn(&FileType) -> bool) -> Result<(), Distrust> {
    let kind = metadata.file_type();
    if !is(&kind) {
        return Err(Distrust::Kind { wanted, found: name(kind) });
    }
    trust_owner(metadata)
}

fn trust_owner(metadata: &Metadata) -> Result<(), Distrust> {
    let (owner, us) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if [0, us].contains(&owner) { Ok(()) } else { Err(Distrust::Owner { owner, us }) }
}

fn name(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_file() => FILE,
        kind if kind.is_dir() => FOLDER,
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        kind if kind.is_symlink() => "a symbolic link",
        _ => "a device",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, lchown, symlink};

    use super::*;

    const STRANGER: u32 = 65_534;

    fn place() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        (folder, path)
    }

    fn pipe(path: &Path) {
        rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::from(0o600)).unwrap();
    }

    #[test]
    fn a_pipe_or_a_device_is_refused_at_once() {
        let (_folder, path) = place();
        pipe(&path);
        let refused = read(&path, 10).unwrap_err();
        assert_eq!(refused.to_string(), "it is a pipe, not a file: name a file");
        let refused = open(&path, OpenOptions::new().read(true).write(true)).unwrap_err();
        assert!(matches!(refused, Distrust::Kind { found: "a pipe", .. }), "{refused}");
        assert!(matches!(read(Path::new("/dev/zero"), 10), Err(Distrust::Kind { found: "a device", .. })));
        assert!(matches!(folder(&path), Err(Distrust::Kind { wanted: "a folder", .. })));
    }

    #[test]
    fn a_link_is_followed_only_where_an_operator_named_it() {
        let (folder, path) = place();
        fs::write(folder.path().join("real"), "secret").unwrap();
        symlink("real", &path).unwrap();
        assert_eq!(read(&path, 10).unwrap().0.as_str(), "secret");
        let refused = open(&path, OpenOptions::new().read(true)).unwrap_err();
        assert!(refused.to_string().contains("symbolic link"), "{refused}");
    }

    #[test]
    fn no_more_than_the_limit_is_read() {
        let (_folder, path) = place();
        fs::write(&path, "0123456789").unwrap();
        assert_eq!(read(&path, 10).unwrap().0.as_str(), "0123456789");
        assert!(matches!(read(&path, 9), Err(Distrust::TooLong { limit: 9 })));
    }

    #[test]
    fn where_the_owner_does_not_matter_the_limit_does() {
        let (_folder, path) = place();
        fs::write(&path, "0123456789").unwrap();
        if rustix::process::geteuid().is_root() {
            chown(&path, Some(STRANGER), None).unwrap();
        }
        assert_eq!(read_of_any_owner(&path, 10).unwrap(), "0123456789");
        for endless in [&*path, Path::new("/dev/zero")] {
            let refused = read_of_any_owner(endless, 9).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge, "{refused}");
        }
    }

    #[test]
    fn what_another_user_owns_is_refused() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: only root can give a file away");
            return;
        }
        let (place, path) = place();
        fs::write(&path, "secret").unwrap();
        chown(&path, Some(STRANGER), None).unwrap();
        let refused = read(&path, 10).unwrap_err();
        assert!(
            refused.to_string().starts_with("it belongs to user 65534, who could change it"),
            "{refused}"
        );
        assert!(matches!(open(&path, OpenOptions::new().read(true)), Err(Distrust::Owner { .. })));
        let link = place.path().join("link");
        fs::write(place.path().join("ours"), "secret").unwrap();
        symlink("ours", &link).unwrap();
        lchown(&link, Some(STRANGER), None).unwrap();
        assert!(matches!(read(&link, 10), Err(Distrust::Owner { .. })));
        chown(place.path(), Some(STRANGER), None).unwrap();
        assert!(matches!(folder(place.path()), Err(Distrust::Owner { .. })));
    }
}
