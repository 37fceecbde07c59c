//! The import of Django's users into an empty store over the running service: its speed, and the peak memory of the command
//! and of the service, on the embedded store and on PostgreSQL. Two numbers of users show whether memory grows; `--users`
//! sets one.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::cluster::Cluster;
use crate::machine::{peak, rest};
use crate::results::Figure;
use crate::served::Served;

pub(crate) const USERS: [u64; 2] = [100_000, 1_000_000];

/// The interval between two looks at the peak memory of the command, which nobody can ask for when it has ended.
const LOOK: Duration = Duration::from_millis(20);

pub(crate) fn measure(counts: &[u64]) -> Result<Vec<Figure>> {
    let cluster = Cluster::open()?;
    let mut figures = Vec::new();
    for &users in counts {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let dump = folder.path().join("users.json");
        write_dump(&dump, users)?;
        figures.extend(imported("the embedded store", &dump, users, &[])?);
        let (store, master_key) = (cluster.database("import")?, cluster.master_key()?);
        let shared = [("RESCIND_STORE", &*store), ("RESCIND_MASTER_KEY_FILE", &master_key)];
        figures.extend(imported("PostgreSQL", &dump, users, &shared)?);
    }
    Ok(figures)
}

fn imported(store: &str, dump: &Path, users: u64, settings: &[(&str, &str)]) -> Result<[Figure; 4]> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let served = Served::start_with(folder.path(), settings)?;
    let started = Instant::now();
    let checked = import(folder.path(), dump, &["--dry-run"])?;
    let check = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let peak = import(folder.path(), dump, &[])?.max(checked);
    // The import checks first, as the dry run does.
    let wrote = started.elapsed().as_secs_f64() - check;
    let what = format!("{users} users, {store}");
    #[expect(clippy::cast_precision_loss, reason = "the count of users is small")]
    let rate = users as f64 / wrote;
    Ok([
        Figure::once(format!("check of an import (`--dry-run`): {what}"), check, "s"),
        Figure::once(format!("users written in a second: {what}"), rate, "/s"),
        Figure::once(format!("peak memory of the import command: {what}"), peak, "MiB"),
        Figure::once(format!("peak memory of the service meanwhile: {what}"), served.peak()?, "MiB"),
    ])
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
fn import(folder: &Path, dump: &Path, more: &[&str]) -> Result<f64> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rescind"))
        .args(["user", "import", "django"])
        .arg(dump)
        .args(more)
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
