//! The master key file: whether it exists, is readable, closed to others, and outside the folder that backups copy.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::diagnosis::{Diagnosis, Grade};
use super::store::StoreCondition;
use crate::advice;
use crate::cli::service::StoreInspection;
use crate::settings::{MASTER_KEY_TOO_OPEN, Settings};
use crate::trusted::{self, Distrust};

const ABOUT: &str = "master key";
/// The first characters of the file's line (PASERK, type `local`).
const HEAD: &str = "k4.local.";
/// The most that is read of the file, in bytes.
const LONGEST: u64 = 4096;

pub(super) fn examine(settings: &Settings, state: &StoreCondition) -> Vec<Diagnosis> {
    let path = settings.master_key_path();
    let needed = match state {
        StoreCondition::None if settings.store.is_some() => Needed::ByEveryNode,
        StoreCondition::None => Needed::Never,
        _ => Needed::Always,
    };
    let mut found = vec![judge(&path, needed, state)];
    if inside(&path, &settings.data) {
        let what = format!(
            "{} lies in the data folder: a backup of it would hold the key to its own keys",
            path.display()
        );
        let help = "move the file elsewhere and name it with `master_key_file`";
        found.push(Diagnosis::new(ABOUT, Grade::Warning, what, help));
    }
    found
}

/// When the master key file has to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needed {
    /// Before no start: the first start makes the file.
    Never,
    /// Before the first start on a database: a file made by one node would be unknown to the others.
    ByEveryNode,
    /// At every start: the store's keys are sealed with it.
    Always,
}

fn judge(path: &Path, needed: Needed, state: &StoreCondition) -> Diagnosis {
    let place = path.display();
    let bad = |what: String, help: &str| Diagnosis::new(ABOUT, Grade::Bad, what, help);
    match trusted::read(path, LONGEST) {
        Ok((text, _)) if text.len() < HEAD.len() => {
            bad(format!("{place} is cut short"), "put the whole file back from where secrets are kept")
        }
        Ok((text, _)) if !text.starts_with(HEAD) => bad(
            format!("{place} does not hold a master key"),
            "it should be one line that begins with k4.local.; put the right file back, or name it with `master_key_file`",
        ),
        Ok((_, metadata)) if metadata.permissions().mode() & MASTER_KEY_TOO_OPEN != 0 => {
            let mode = metadata.permissions().mode() & 0o777;
            bad(format!("{place} has mode {mode:04o}: others may read it"), &format!("chmod 0600 {place}"))
        }
        Ok(_) => match state {
            StoreCondition::Open(StoreInspection { keys: Some(Err(error)), .. }) => bad(
                format!("{place} is not the key of this store: {error}"),
                "put the right file back from where secrets are kept, or name it with `master_key_file`",
            ),
            StoreCondition::Open(StoreInspection { keys: Some(Ok(())), .. }) => Diagnosis::good(
                ABOUT,
                format!("{place} is there, closed to others, and opens the store's keys"),
            ),
            StoreCondition::Served | StoreCondition::Held => Diagnosis::good(
                ABOUT,
                format!(
                    "{place} is there and closed to others; not tried on the keys, another process holds the store"
                ),
            ),
            _ => Diagnosis::good(ABOUT, format!("{place} is there and closed to others")),
        },
        Err(Distrust::Io(error)) if error.kind() == io::ErrorKind::NotFound && needed == Needed::Never => {
            Diagnosis::good(ABOUT, format!("{place} is made at the first start"))
        }
        Err(Distrust::Io(error))
            if error.kind() == io::ErrorKind::NotFound && needed == Needed::ByEveryNode =>
        {
            bad(
                format!(
                    "{place} is missing, and a store in a database needs the same master key on every node"
                ),
                "bring it from another node, or make one with `rescind key master FILE`; name it with `master_key_file`",
            )
        }
        Err(Distrust::Io(error)) if error.kind() == io::ErrorKind::NotFound => bad(
            format!("{place} is missing, and the store's signing keys are sealed with it"),
            "put the file back from where secrets are kept, or name it with `master_key_file`",
        ),
        Err(Distrust::Io(error)) => bad(format!("{place} cannot be read: {error}"), advice::for_file(&error)),
        Err(error) => bad(format!("{place} is not trusted: {error}"), ""),
    }
}

fn inside(path: &Path, data: &Path) -> bool {
    let place = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (place.canonicalize(), data.canonicalize()) {
        (Ok(place), Ok(data)) => place.starts_with(data),
        _ => path.starts_with(data),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::path::PathBuf;

    use super::*;

    struct Place {
        _folder: tempfile::TempDir,
        data: PathBuf,
        key: PathBuf,
    }

    fn place() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let (data, key) = (folder.path().join("data"), folder.path().join("data.key"));
        fs::create_dir(&data).unwrap();
        Place { _folder: folder, data, key }
    }

    fn write(path: &Path, text: &str, mode: u32) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn diagnoses(place: &Place, key: Option<&Path>) -> Vec<Diagnosis> {
        let mut changes = vec![("data", place.data.to_str().unwrap())];
        changes.extend(key.map(|key| ("master_key_file", key.to_str().unwrap())));
        let founded = place.data.join("db").exists();
        let open = || StoreCondition::Open(StoreInspection { time: None, keys: None });
        let state = if founded { open() } else { StoreCondition::None };
        examine(&Settings::with(&changes).unwrap(), &state)
    }

    #[test]
    fn a_private_key_beside_the_folder_is_good() {
        let place = place();
        write(&place.key, "k4.local.abc", 0o600);
        let found = diagnoses(&place, None);
        assert_eq!(found.iter().map(|found| found.grade).collect::<Vec<_>>(), [Grade::Good]);
    }

    #[test]
    fn a_missing_key_is_bad_only_where_a_store_needs_it() {
        let place = place();
        assert_eq!(diagnoses(&place, None)[0].grade, Grade::Good);
        fs::write(place.data.join("db"), "").unwrap();
        let found = diagnoses(&place, None);
        assert_eq!(found[0].grade, Grade::Bad);
        assert!(found[0].what.contains("missing"));
    }

    #[test]
    fn a_key_others_may_read_is_bad() {
        let place = place();
        write(&place.key, "k4.local.abc", 0o644);
        let found = diagnoses(&place, None);
        assert_eq!(
            (found[0].grade, found[0].help.as_str()),
            (Grade::Bad, format!("chmod 0600 {}", place.key.display()).as_str())
        );
    }

    #[test]
    fn a_file_that_is_no_key_is_bad_and_not_quoted() {
        let place = place();
        write(&place.key, "hunter2hunter2", 0o600);
        let found = diagnoses(&place, None);
        assert_eq!(found[0].grade, Grade::Bad);
        assert!(!format!("{found:?}").contains("hunter2"));
        write(&place.key, "k4", 0o600);
        assert!(diagnoses(&place, None)[0].what.contains("cut short"));
    }

    #[test]
    fn a_key_that_cannot_be_read_is_bad() {
        let place = place();
        let found = diagnoses(&place, Some(&place.data));
        assert_eq!(found[0].grade, Grade::Bad);
        assert!(found[0].what.contains("it is a folder, not a file"), "{found:?}");
    }

    #[test]
    fn a_key_inside_the_data_folder_is_a_trap_for_backups() {
        let place = place();
        let key = place.data.join("master");
        write(&key, "k4.local.abc", 0o600);
        let found = diagnoses(&place, Some(&key));
        assert_eq!(found[1].grade, Grade::Warning);
        assert!(found[1].what.contains("backup"));
        let around = place.data.join("../data/master");
        assert_eq!(diagnoses(&place, Some(&around)).len(), 2, "whichever way the path goes");
    }
}
