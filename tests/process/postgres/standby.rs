//! A primary with a synchronous standby: whatever the primary acknowledges is on both.

use std::thread;

use super::cluster::url;
use super::{Cluster, eventually};

/// The setting that makes a commit wait for any standby, for ever if there is none.
const SYNCHRONOUS: &str = "synchronous_standby_names=*";

/// A primary and its standby.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) primary: Cluster,
    pub(super) standby: Cluster,
}

impl Pair {
    /// Starts both, and waits until the standby has caught up. `None` where PostgreSQL is not installed.
    pub(super) fn start() -> Option<Self> {
        let primary = Cluster::fresh()?;
        let standby = follow(&primary);
        let pair = Self { primary, standby };
        pair.primary.sql("alter system set synchronous_standby_names = '*'");
        pair.primary.sql("select pg_reload_conf()");
        pair.wait_until_in_step();
        Some(pair)
    }

    /// The connection string with both addresses.
    pub(super) fn url(&self) -> String {
        let mut addresses = [self.primary.address(), self.standby.address()];
        addresses.sort();
        format!("{}?target_session_attrs=read-write", url(&addresses.join(",")))
    }

    /// Kills the primary, and promotes the standby.
    pub(super) fn promote(&mut self) {
        self.primary.kill();
        self.standby.promote();
    }

    /// Kills the standby until this number of steps waits for it, then kills the primary, and starts and promotes the
    /// standby.
    pub(super) fn promote_behind(&mut self, steps: usize) {
        self.standby.kill();
        let waiting = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'";
        eventually("steps wait", || self.primary.sql(waiting).parse::<usize>().unwrap() >= steps);
        self.primary.kill();
        self.standby.start();
        self.standby.promote();
    }

    /// Replaces the dead primary by a new standby of the promoted one.
    pub(super) fn replace(&mut self) {
        let dead = std::mem::replace(&mut self.primary, self.standby.beside());
        // The same address: it is in the nodes' connection string.
        self.primary.port = dead.port;
        drop(dead);
        std::mem::swap(&mut self.primary, &mut self.standby);
        fill(&mut self.standby, &self.primary);
        self.wait_until_in_step();
    }

    /// Runs `work` while every wait for the suspended standby is cancelled, as an impatient operator does. PostgreSQL
    /// then reports the commit, with a warning.
    pub(super) fn broken_off<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let working = scope.spawn(work);
            eventually("an end of it", || {
                let waits =
                    "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'";
                if self.standby.is_away() {
                    self.primary.sql(waits);
                }
                working.is_finished()
            });
            working.join().unwrap()
        })
    }

    pub(super) fn wait_until_in_step(&self) {
        let state =
            "select count(*) from pg_stat_replication where sync_state = 'sync' and state = 'streaming'";
        eventually("the standby is in step", || self.primary.sql(state) == "1");
    }
}

/// A new standby of `primary`, which accepts reads.
pub(super) fn follow(primary: &Cluster) -> Cluster {
    let mut standby = primary.beside();
    fill(&mut standby, primary);
    standby
}

fn fill(standby: &mut Cluster, primary: &Cluster) {
    let port = primary.port.to_string();
    let from = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-c", "fast", "-R", "--no-sync", "-D"];
    standby.run("pg_basebackup", &[&from[..], &[&standby.data()]].concat());
    standby.set(SYNCHRONOUS);
    standby.start();
}
