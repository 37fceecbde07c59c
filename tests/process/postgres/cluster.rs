//! A PostgreSQL cluster in a folder of its own, run as nobody when the tests run as root, which PostgreSQL refuses
//! to. It syncs as in production.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::programs;
use crate::server::{Heard, stands_still};

/// The user id of PostgreSQL where the tests run as root.
const NOBODY: u32 = 65534;

/// The password in every connection string; the server does not ask for it, and no process may print it.
pub(super) const PASSWORD: &str = "password-of-the-database";

/// The database of the service.
const DATABASE: &str = "rescind";

/// A cluster, running or not.
#[derive(Debug)]
pub(super) struct Cluster {
    programs: PathBuf,
    pub(super) folder: TempDir,
    pub(super) port: u16,
    settings: Vec<String>,
    /// The command that starts the postmaster; empty where it is started directly.
    within: Vec<String>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    postmaster: Child,
    log: Arc<Heard>,
}

impl Cluster {
    /// A new running cluster with an empty database for the service; `None` where PostgreSQL is not installed.
    pub(super) fn fresh() -> Option<Self> {
        Self::fresh_within(&[])
    }

    /// A new running cluster whose postmaster is started by another program, which ends in `exec`.
    pub(super) fn fresh_within(within: &[&str]) -> Option<Self> {
        let mut cluster = Self::empty(programs()?);
        cluster.within = within.iter().map(|&word| word.to_owned()).collect();
        let data = cluster.data();
        let initdb =
            ["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username=postgres", "-D"];
        cluster.run("initdb", &[&initdb[..], &[&data]].concat());
        cluster.start();
        cluster.sql_in("postgres", &format!("create database {DATABASE}"));
        Some(cluster)
    }

    /// A folder and a port for a cluster that is made in another way.
    pub(super) fn empty(programs: PathBuf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        owned(folder.path());
        Self { programs, folder, port: free_port(), settings: Vec::new(), within: Vec::new(), running: None }
    }

    /// An empty cluster with the same programs.
    pub(super) fn beside(&self) -> Self {
        Self::empty(self.programs.clone())
    }

    /// Sets a parameter of PostgreSQL from the next start on.
    pub(super) fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    pub(super) fn data(&self) -> String {
        self.folder.path().join("data").to_str().unwrap().to_owned()
    }

    /// The host and port for a connection string.
    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The connection string of the service.
    pub(super) fn url(&self) -> String {
        url(&self.address())
    }

    /// Starts the cluster and waits until it accepts connections.
    pub(super) fn start(&mut self) {
        let mut postgres = self.program("postgres", &["-D", &self.data(), "-p", &self.port.to_string()]);
        let settings = ["listen_addresses=127.0.0.1", "shared_buffers=32MB", "max_connections=200"];
        postgres.arg("-k").arg(self.folder.path());
        for setting in settings.into_iter().chain(self.settings.iter().map(String::as_str)) {
            postgres.args(["-c", setting]);
        }
        let mut postmaster =
            postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (log, _ear) = Heard::listen(postmaster.stderr.take().unwrap());
        log.wait_for_line("database system is ready to accept");
        self.running = Some(Running { postmaster, log });
    }

    /// Restarts as `pg_ctl restart -m immediate` does: without a checkpoint, so that the start recovers.
    pub(super) fn restart_immediately(&mut self) {
        self.end(Signal::QUIT);
        self.start();
    }

    /// Stops the cluster as `pg_ctl stop` does.
    pub(super) fn stop(&mut self) {
        self.end(Signal::INT);
    }

    /// Promotes a standby. Not by a statement: a query on a standby is cancelled for what it replays.
    pub(super) fn promote(&self) {
        self.run("pg_ctl", &["promote", "-s", "-w", "-D", &self.data()]);
    }

    /// Kills every process at once, as a machine that loses power does.
    pub(super) fn kill(&mut self) {
        self.signal(Signal::STOP);
        for process in self.processes().into_iter().rev() {
            let _gone = kill_process(process, Signal::KILL);
        }
        self.end(Signal::KILL);
    }

    /// The process ids, as arguments of `kill`.
    pub(super) fn ids(&self) -> String {
        self.processes()
            .iter()
            .map(|process| process.as_raw_nonzero().to_string())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Sends a signal to every process: SIGSTOP makes a database that does not answer.
    pub(super) fn signal(&self, signal: Signal) {
        // The postmaster first, so that it starts no other.
        for process in self.processes() {
            let _gone = kill_process(process, signal);
        }
    }

    /// Whether the cluster is stopped or suspended.
    pub(super) fn is_away(&self) -> bool {
        self.running.as_ref().is_none_or(|running| stands_still(running.postmaster.id()))
    }

    fn end(&mut self, signal: Signal) {
        let mut running = self.running.take().unwrap();
        let _gone = kill_process(Pid::from_child(&running.postmaster), signal);
        running.postmaster.wait().unwrap();
    }

    fn processes(&self) -> Vec<Pid> {
        let postmaster = self.running.as_ref().unwrap().postmaster.id();
        let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap();
        let children = children.split_whitespace().map(|child| child.parse().unwrap());
        [postmaster].into_iter().chain(children).filter_map(|id| Pid::from_raw(id.cast_signed())).collect()
    }

    /// Waits for a line of the cluster's log that contains this text.
    pub(super) fn wait_for_line(&self, part: &str) -> String {
        self.running.as_ref().unwrap().log.wait_for_line(part)
    }

    /// The cluster's log so far.
    pub(super) fn log(&self) -> String {
        self.running.as_ref().unwrap().log.text()
    }

    /// Runs a statement in the service's database, and returns the rows with `|` between cells.
    pub(super) fn sql(&self, statement: &str) -> String {
        self.sql_in(DATABASE, statement)
    }

    pub(super) fn sql_in(&self, database: &str, statement: &str) -> String {
        let url = format!("postgres://postgres@{}/{database}", self.address());
        self.run("psql", &["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &url, "-c", statement])
    }

    /// Opens a session in the service's database that has run a statement, in a transaction that stays open until it
    /// is dropped.
    pub(super) fn holding(&self, statement: &str) -> Holding {
        let url = format!("postgres://postgres@{}/{DATABASE}", self.address());
        let mut psql = self.program("psql", &["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &url]);
        let mut psql = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (said, _ear) = Heard::listen(psql.stdout.take().unwrap());
        writeln!(psql.stdin.as_mut().unwrap(), "begin; {statement};\n\\echo held").unwrap();
        said.wait_for_line("held");
        Holding(psql)
    }

    /// Adds a line to the front of `pg_hba.conf`.
    pub(super) fn admit(&self, line: &str) {
        let path = Path::new(&self.data()).join("pg_hba.conf");
        let others = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{line}\n{others}")).unwrap();
        self.sql("select pg_reload_conf()");
        self.wait_for_line("reloading configuration files");
    }

    /// Runs one of PostgreSQL's programs to its end, and returns its output.
    pub(super) fn run(&self, program: &str, args: &[&str]) -> String {
        let output = self.program(program, args).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn program(&self, program: &str, args: &[&str]) -> Command {
        let within: Vec<&str> =
            self.within.iter().map(String::as_str).filter(|_| program == "postgres").collect();
        let path = self.programs.join(program);
        let mut command = unprivileged(&within, path.to_str().unwrap());
        command.args(args).current_dir("/");
        command
    }
}

/// A session with an open transaction, ended when dropped.
#[derive(Debug)]
pub(super) struct Holding(Child);

impl Drop for Holding {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _gone = self.0.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.running.is_some() {
            // A suspended process handles no signal before SIGCONT.
            self.signal(Signal::CONT);
            self.end(Signal::QUIT);
        }
    }
}

/// The service's connection string to a PostgreSQL server, or a proxy of one, at one or several addresses.
pub(super) fn url(address: &str) -> String {
    format!("postgres://postgres:{PASSWORD}@{address}/{DATABASE}")
}

/// A program started by `within`, run as nobody if the tests run as root. It ends with the test that started it.
pub(super) fn unprivileged(within: &[&str], program: &str) -> Command {
    let identity: &[&str] =
        if is_root() { &["--reuid=65534", "--regid=65534", "--clear-groups"] } else { &[] };
    let words = [within, &["setpriv"], identity, &["--pdeathsig", "QUIT", program]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env_clear().env("PATH", path());
    command
}

/// The search path for programs, with the folders where Debian installs those for root.
pub(super) fn path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Gives a file or folder to the user that PostgreSQL runs as.
pub(super) fn owned(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// A free port below those that the system gives to clients: it stays free while the server on it is restarted.
pub(super) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() * 61 % 12_000).unwrap();
    loop {
        let port = 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
