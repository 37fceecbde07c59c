//! PgBouncer in transaction mode, with Debian's defaults: each transaction may run on another connection.

use std::fs;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::cluster::{self, Cluster, free_port, owned, path, unprivileged};
use crate::server::Heard;
use crate::skipped::skipped;

/// A running PgBouncer.
#[derive(Debug)]
pub(super) struct Bouncer {
    child: Child,
    _folder: TempDir,
    port: u16,
}

impl Bouncer {
    /// Starts a PgBouncer with fewer connections to `cluster` than the nodes have to it; `None` where it is not
    /// installed.
    pub(super) fn start(cluster: &Cluster) -> Option<Self> {
        let version = Command::new("pgbouncer").arg("-V").env("PATH", path()).stdout(Stdio::null()).status();
        if !version.is_ok_and(|status| status.success()) {
            skipped("pgbouncer is missing, so nothing shows that the store works behind it");
            return None;
        }
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        owned(folder.path());
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\nmax_client_conn = 500\ndefault_pool_size = 8\n",
            cluster.port
        );
        // `any` logs everyone in as the user that is named here.
        let settings = settings.replace("port=", "user=postgres port=");
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, settings).unwrap();
        owned(&file);
        let mut command = unprivileged(&[], "pgbouncer");
        command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (log, _ear) = Heard::listen(child.stderr.take().unwrap());
        log.wait_for_line("process up");
        Some(Self { child, _folder: folder, port })
    }

    /// The connection string of the service through PgBouncer.
    pub(super) fn url(&self) -> String {
        cluster::url(&format!("127.0.0.1:{}", self.port))
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
