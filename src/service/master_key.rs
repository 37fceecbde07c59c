//! The master key file: one PASERK `k4.local.…` line that only its owner may read.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::error::OpenError;
use crate::advice;
use crate::settings::{MASTER_KEY_TOO_OPEN, Settings};
use crate::token::sealing::MasterKey;
use crate::trusted::{self, Distrust};
use crate::world::World;

/// The most bytes that are read of the file; a valid line has 52.
const LONGEST: u64 = 4096;

/// Reads the master key from its file.
pub fn read(settings: &Settings) -> Result<MasterKey, OpenError> {
    find(settings)?.ok_or_else(|| {
        let why = if settings.store.is_some() {
            "it is missing, and a shared store needs the same one on every node: bring it here from another node, or for a new store make one with `rescind key master FILE`; name it with master_key_file"
        } else {
            "it is missing, and without it the store's keys stay sealed: restore it, or name it with master_key_file"
        };
        OpenError::MasterKey { path: settings.master_key_path(), why: why.to_owned() }
    })
}

/// Reads the master key. If the file is missing and the store is embedded, generates a new key and writes it.
pub fn read_or_make(settings: &Settings, world: &World) -> Result<MasterKey, OpenError> {
    if settings.store.is_some() {
        return read(settings);
    }
    match find(settings)? {
        Some(key) => Ok(key),
        None => make(&settings.master_key_path(), world),
    }
}

/// Generates a master key and writes it to a new file at `path`.
pub fn make(path: &Path, world: &World) -> Result<MasterKey, OpenError> {
    let failed = |why: String| OpenError::MasterKey { path: path.to_owned(), why };
    let key = MasterKey::draw(world).ok_or_else(|| failed("no key could be drawn".to_owned()))?;
    write_key(path, &key).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return failed("it is there already, and is never replaced".to_owned());
        }
        let advice = advice::for_file(&error);
        failed(format!("it cannot be written ({error}): {advice}; master_key_file names its path"))
    })?;
    Ok(key)
}

fn find(settings: &Settings) -> Result<Option<MasterKey>, OpenError> {
    let path = settings.master_key_path();
    let failed = |why: String| OpenError::MasterKey { path: path.clone(), why };
    let read = trusted::read(&path, LONGEST);
    let read = read.map(|(line, metadata)| (line, metadata.permissions().mode() & 0o777));
    match read {
        Ok((_, mode)) if mode & MASTER_KEY_TOO_OPEN != 0 => Err(failed(format!(
            "other users may read or change it (mode {mode:04o}): run `chmod 600 \"{}\"`, and rotate the keys if somebody may have read it",
            path.display()
        ))),
        Ok((line, _)) => match MasterKey::parse(&line) {
            Some(key) => Ok(Some(key)),
            None => Err(failed(
                "it does not hold a PASERK `k4.local.…` line: restore it from where it is kept".to_owned(),
            )),
        },
        Err(Distrust::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Writes the key to a new file that only its owner may read, and syncs it before anything is sealed under it. The
/// name appears when the file is complete, so that a crash leaves no empty file that the next start would take for a
/// lost key. An existing file is never replaced.
fn write_key(path: &Path, key: &MasterKey) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = Path::new(&draft);
    // What a start that was killed left behind; no store was sealed under it.
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(key.paserk().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    // A link, since a rename would replace.
    let linked = fs::hard_link(draft, path);
    fs::remove_file(draft)?;
    linked?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests;
