//! A PostgreSQL server for the benchmarks with its default settings: the one that `TEST_DATABASE_URL` names, else a
//! cluster of their own on the disk of the embedded store.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rescind::token::sealing::MasterKey;
use rescind::world::World;
use tempfile::TempDir;

use crate::machine::rest;

/// The user id of PostgreSQL where the benchmarks run as root, which PostgreSQL refuses to.
const NOBODY: u32 = 65534;

/// A running server; a cluster of the benchmarks' own is stopped when dropped.
pub(crate) struct Cluster {
    programs: PathBuf,
    /// The connection string without the database's name.
    server: String,
    folder: TempDir,
    ours: bool,
}

impl Cluster {
    /// Uses the server that `TEST_DATABASE_URL` names, or starts a new cluster.
    pub(crate) fn open() -> Result<Self> {
        let programs = programs()?;
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
            let (server, _) = url.rsplit_once('/').context("TEST_DATABASE_URL names no database")?;
            return Ok(Self { programs, server: server.to_owned(), folder, ours: false });
        }
        let cluster = Self::empty(programs, folder)?;
        cluster.initialize()?;
        cluster.start()?;
        Ok(cluster)
    }

    /// Starts a new cluster, and a standby that confirms each of its commits.
    pub(crate) fn with_standby() -> Result<(Self, Self)> {
        let folder = || tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let (primary, standby) = (Self::empty(programs()?, folder()?)?, Self::empty(programs()?, folder()?)?);
        primary.initialize()?;
        primary.start()?;
        let from = format!("{}/postgres", primary.server);
        standby.run("pg_basebackup", &["-d", &from, "-c", "fast", "-R", "-D", &standby.data()?])?;
        standby.start()?;
        let ask = |sql: &str| primary.run("psql", &["-q", "-At", "-d", &from, "-c", sql]);
        ask("alter system set synchronous_standby_names = 'FIRST 1 (walreceiver)'")?;
        ask("select pg_reload_conf()")?;
        let begun = Instant::now();
        while ask("select count(*) from pg_stat_replication where sync_state = 'sync'")?.trim() != "1" {
            ensure!(begun.elapsed() < Duration::from_secs(30), "the standby does not confirm commits");
            rest(Duration::from_millis(100));
        }
        Ok((primary, standby))
    }

    /// A cluster without data yet.
    fn empty(programs: PathBuf, folder: TempDir) -> Result<Self> {
        if rustix::process::geteuid().is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY))?;
        }
        // The port was free a moment ago; if it was taken since, the start fails with a message.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server = format!("postgres://postgres@127.0.0.1:{port}");
        Ok(Self { programs, server, folder, ours: true })
    }

    fn initialize(&self) -> Result<()> {
        let initdb = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--username=postgres", "-D"];
        self.run("initdb", &[&initdb[..], &[&self.data()?]].concat())?;
        Ok(())
    }

    fn start(&self) -> Result<()> {
        let port = self.server.rsplit(':').next().context("the server has no port")?;
        let options = format!("-p {port} -k {} -c listen_addresses=127.0.0.1", self.folder.path().display());
        let log = self.folder.path().join("log").display().to_string();
        self.run("pg_ctl", &["start", "-s", "-w", "-D", &self.data()?, "-l", &log, "-o", &options])?;
        Ok(())
    }

    /// Creates a database, replacing one of the same name, and returns its connection string.
    pub(crate) fn database(&self, name: &str) -> Result<String> {
        let name = format!("rescind_bench_{name}");
        let admin = format!("{}/postgres", self.server);
        let made = format!("create database {name}");
        self.run(
            "psql",
            &["-q", "-d", &admin, "-c", &format!("drop database if exists {name}"), "-c", &made],
        )?;
        Ok(format!("{}/{name}", self.server))
    }

    /// Creates a database, and returns a connection string that names this server and a standby of it.
    pub(crate) fn database_beside(&self, standby: &Self, name: &str) -> Result<String> {
        let of_both = |url: String| {
            let address = standby.server.rsplit('@').next().context("the standby has no address")?;
            let (server, database) =
                url.rsplit_once('/').context("the connection string names no database")?;
            Ok(format!("{server},{address}/{database}"))
        };
        of_both(self.database(name)?)
    }

    /// Writes a new master key to a file and returns the path.
    pub(crate) fn master_key(&self) -> Result<String> {
        let key = MasterKey::draw(&World::real()).context("no key could be drawn")?;
        let path = self.folder.path().join("master.key");
        std::fs::write(&path, key.paserk().as_bytes())?;
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(path.display().to_string())
    }

    /// Creates a database with the tables of `pgbench` and returns its connection string.
    pub(crate) fn prepare_pgbench(&self) -> Result<String> {
        let url = self.database("pgbench")?;
        self.run("pgbench", &["-i", "-q", "-s", "10", &url])?;
        Ok(url)
    }

    /// Measures how many prepared selections by key (`pgbench -S`) a second the server answers over this number of connections.
    pub(crate) fn selections(&self, url: &str, connections: usize) -> Result<f64> {
        self.pgbench(&["-S", "-j", "2", "-c", &connections.to_string(), url])
    }

    /// Measures how many prepared `select 1` a second one connection is answered, one after the other.
    pub(crate) fn round_trips(&self, url: &str) -> Result<f64> {
        let script = self.folder.path().join("round-trip.sql").display().to_string();
        std::fs::write(&script, "select 1;")?;
        self.pgbench(&["-c", "1", "-f", &script, url])
    }

    /// The transactions a second that `pgbench` says, of prepared statements for a second.
    fn pgbench(&self, words: &[&str]) -> Result<f64> {
        let said = self.run("pgbench", &[&["-n", "-T", "1", "-M", "prepared"], words].concat())?;
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next());
        Ok(rate.context("pgbench says no tps")?.parse()?)
    }

    fn data(&self) -> Result<String> {
        Ok(self.folder.path().join("data").to_str().context("the build folder's path is no text")?.to_owned())
    }

    /// Runs one of PostgreSQL's programs and returns its output.
    fn run(&self, program: &str, words: &[&str]) -> Result<String> {
        let mut command = Command::new("setpriv");
        if self.ours && rustix::process::geteuid().is_root() {
            let id = NOBODY.to_string();
            command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
        }
        command.arg("--no-new-privs").arg(self.programs.join(program)).args(words).current_dir("/");
        // A server that is started here would keep the pipes open.
        let starts = words.first() == Some(&"start");
        let output = if starts {
            let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
            std::process::Output { status, stdout: Vec::new(), stderr: Vec::new() }
        } else {
            command.stdin(Stdio::null()).output()?
        };
        if !output.status.success() {
            bail!("{program} failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let (true, Ok(data)) = (self.ours, self.data()) {
            let _ = self.run("pg_ctl", &["stop", "-s", "-m", "immediate", "-D", &data]);
        }
    }
}

/// The folder of the newest version's programs.
fn programs() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("TEST_POSTGRES_BIN") {
        return Ok(folder.into());
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let folders =
        versions.map(|version| version.path().join("bin")).filter(|folder| folder.join("initdb").exists());
    let version = |folder: &PathBuf| folder.parent().and_then(Path::file_name)?.to_str()?.parse::<u32>().ok();
    folders
        .max_by_key(version)
        .context("PostgreSQL's programs are missing: name their folder with TEST_POSTGRES_BIN")
}
