//! The import of Django's users into an empty embedded store over the running service: its speed, and the peak memory
//! of the command and of the service. `--users` sets the numbers of users, the second of which shows whether memory
//! grows.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::machine::{peak, rest};
use crate::results::Figure;
use crate::served::Served;

pub(crate) const USERS: [u64; 2] = [100_000, 1_000_000];

/// The interval between two looks at the peak memory of the command, which nobody can ask for when it has ended.
const LOOK: Duration = Duration::from_millis(20);

pub(crate) fn measure(counts: &[u64]) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for &users in counts {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let dump = folder.path().join("users.json");
        write_dump(&dump, users)?;
        let served = Served::start(folder.path())?;
        let started = Instant::now();
        let peak_of_command = import(folder.path(), &dump)?;
        let took = started.elapsed().as_secs_f64();
        let who = format!("{users} users");
        figures.extend([
            Figure::once(format!("import of {who}, checked first and then written"), took, "s"),
            Figure::once(format!("peak memory of the command, {who}"), peak_of_command, "MiB"),
            Figure::once(format!("peak memory of the service, {who}"), served.peak()?, "MiB"),
        ]);
    }
    Ok(figures)
}

/// Writes a dump as Django does, with PBKDF2 hashes that differ.
fn write_dump(path: &Path, users: u64) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    write!(file, "[")?;
    for user in 1..=users {
        let comma = if user == users { "" } else { "," };
        write!(
            file,
            r#"{{"model": "auth.user", "pk": {user}, "fields": {{"password": "pbkdf2_sha256$1000000${user:022}$kKDbrpIeCoF5qnz6L/3+GdfaUIG5nTz3IDssluggnpk=", "last_login": null, "is_superuser": false, "username": "user{user}", "first_name": "", "last_name": "", "email": "user{user}@example.com", "is_staff": false, "is_active": true, "date_joined": "2020-05-17T10:20:30.123Z", "groups": [], "user_permissions": []}}}}{comma}"#
        )?;
    }
    writeln!(file, "]")?;
    Ok(file.flush()?)
}

/// Runs the command and returns its peak memory in MiB.
fn import(folder: &Path, dump: &Path) -> Result<f64> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rescind"))
        .args(["user", "import", "django"])
        .arg(dump)
        .arg("--data")
        .arg(folder.join("data"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let mut highest: f64 = 0.0;
    loop {
        if let Ok(peak) = peak(child.id()) {
            highest = highest.max(peak);
        }
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(highest),
            Some(status) => bail!("the import failed: {status}"),
            None => rest(LOOK),
        }
    }
}
