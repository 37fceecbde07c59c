//! The data folder: whether it exists, belongs to this user, is writable and closed to others.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{Access, access};
use rustix::process::geteuid;

use super::diagnosis::{Diagnosis, Grade};
use crate::settings::Settings;

const ABOUT: &str = "data folder";

/// A finding if this user may not examine the folder, because another user owns it or it cannot be read.
pub(super) fn of_another(data: &Path) -> Option<Diagnosis> {
    let us = geteuid().as_raw();
    let owner = match data.metadata() {
        Ok(metadata) => metadata.uid(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let what = format!("{} cannot be looked at by this user: {error}", data.display());
            return Some(Diagnosis::new(
                ABOUT,
                Grade::Warning,
                what,
                "run this as the user the server runs as",
            ));
        }
        Err(_) => return None,
    };
    (owner != us).then(|| {
        let what = format!(
            "{} belongs to user {owner} and this is user {us}: the store and its master key were not looked at",
            data.display()
        );
        Diagnosis::new(ABOUT, Grade::Warning, what, format!("run this as its owner: sudo -u '#{owner}' rescind doctor"))
    })
}

pub(super) fn examine(settings: &Settings) -> Vec<Diagnosis> {
    let data = &settings.data;
    if settings.store.is_some() && data.metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    {
        let place = data.display();
        let made =
            Diagnosis::good(ABOUT, format!("{place} is made at the start, for the socket of this node"));
        return if access(nearest_existing(data), Access::WRITE_OK).is_ok() {
            vec![made]
        } else {
            vec![missing(data, false)]
        };
    }
    examine_at(data)
}

fn examine_at(data: &Path) -> Vec<Diagnosis> {
    let writable =
        |folder: &Path| access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_ok();
    match data.metadata() {
        Ok(metadata) => vec![judge(data, &metadata, writable(data))],
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            vec![missing(data, writable(nearest_existing(data)))]
        }
        Err(error) => {
            let what = format!("{} cannot be looked at: {error}", data.display());
            vec![Diagnosis::new(ABOUT, Grade::Bad, what, "run this as the user the server runs as")]
        }
    }
}

fn missing(data: &Path, parent_writable: bool) -> Diagnosis {
    let place = data.display();
    if parent_writable {
        let help = "`rescind serve` makes one; if there should be one already, name its folder with --data";
        return Diagnosis::new(ABOUT, Grade::Hint, format!("there is no store in {place} yet"), help);
    }
    let help = format!("make it for the user the server runs as: install -d -m 0700 -o USER {place}");
    Diagnosis::new(ABOUT, Grade::Bad, format!("{place} is missing and this user cannot make it"), help)
}

fn judge(data: &Path, metadata: &Metadata, writable: bool) -> Diagnosis {
    let place = data.display();
    let mode = metadata.permissions().mode() & 0o777;
    if !metadata.is_dir() {
        return Diagnosis::new(
            ABOUT,
            Grade::Bad,
            format!("{place} is not a folder"),
            "name a folder with --data",
        );
    }
    if !writable {
        let help = format!("run this as the user the server runs as, or: chown -R USER {place}");
        return Diagnosis::new(ABOUT, Grade::Bad, format!("{place} is not writable by this user"), help);
    }
    if mode & 0o077 != 0 {
        let what = format!(
            "{place} has mode {mode:04o}: other users of the machine may reach the store and its socket"
        );
        return Diagnosis::new(ABOUT, Grade::Bad, what, format!("chmod 0700 {place}"));
    }
    Diagnosis::good(ABOUT, format!("{place} is there, writable, and closed to others"))
}

/// The folder that stands for a path not made yet: its nearest existing ancestor, or the path itself if it exists.
pub(super) fn nearest_existing(path: &Path) -> &Path {
    let mut folders = path.ancestors().filter(|folder| !folder.as_os_str().is_empty());
    folders.find(|folder| folder.exists()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    fn folder_with(mode: u32) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
        folder
    }

    fn first(data: &Path) -> Diagnosis {
        examine_at(data).remove(0)
    }

    #[test]
    fn a_private_writable_folder_is_good() {
        assert_eq!(first(folder_with(0o700).path()).grade, Grade::Good);
    }

    #[test]
    fn a_missing_folder_is_a_hint_where_it_can_be_made() {
        let folder = folder_with(0o700);
        let diagnosis = first(&folder.path().join("data"));
        assert_eq!(diagnosis.grade, Grade::Hint);
        assert!(diagnosis.help.contains("rescind serve"));
        assert_eq!(missing(folder.path(), false).grade, Grade::Bad);
    }

    #[test]
    fn a_folder_open_to_others_is_bad_and_the_remedy_is_told() {
        for mode in [0o755, 0o750, 0o701] {
            let folder = folder_with(mode);
            let diagnosis = first(folder.path());
            assert_eq!(diagnosis.grade, Grade::Bad, "{mode:o}");
            assert_eq!(diagnosis.help, format!("chmod 0700 {}", folder.path().display()));
        }
    }

    #[test]
    fn a_folder_that_is_not_writable_is_bad() {
        let folder = folder_with(0o700);
        let metadata = folder.path().metadata().unwrap();
        let diagnosis = judge(folder.path(), &metadata, false);
        assert_eq!(diagnosis.grade, Grade::Bad);
        assert!(diagnosis.what.contains("not writable"));
    }

    #[test]
    fn a_file_in_the_folders_place_is_bad() {
        let folder = folder_with(0o700);
        let file = folder.path().join("data");
        fs::write(&file, "").unwrap();
        assert!(first(&file).what.contains("not a folder"));
    }

    #[test]
    fn the_nearest_folder_of_something_not_made_yet_is_found() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(nearest_existing(&folder.path().join("a/b/c")), folder.path());
        assert_eq!(nearest_existing(Path::new("not-made-yet")), Path::new("."));
    }
}
