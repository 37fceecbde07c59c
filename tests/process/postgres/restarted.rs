//! The database is restarted under load without a checkpoint: no acknowledged step is lost.

use std::time::Instant;

use super::load::Load;
use super::nodes::Nodes;
use super::{Cluster, count, eventually, figure, rounds};

const NODES: usize = 3;
/// The number of steps that are acknowledged before each restart and after the last. Acknowledged steps are checked
/// right after each restart, before many others hide a lost one.
const STEPS: usize = 60;

/// Waits until every node is ready.
pub(super) fn ready(nodes: &Nodes) {
    for client in nodes.clients() {
        eventually("a node is ready", || client.get("/readyz", "").status == 200);
    }
}

/// Makes every commit wait before it is written, or not. With the wait a restart meets most steps between their
/// COMMIT and the disk, when none may be acknowledged yet.
fn slow_commits(cluster: &Cluster, slow: bool) {
    let microseconds = if slow { 20_000 } else { 0 };
    cluster.sql("alter system set commit_siblings = 0");
    cluster.sql(&format!("alter system set commit_delay = {microseconds}"));
    cluster.sql("select pg_reload_conf()");
}

#[test]
fn nothing_acknowledged_is_lost_and_the_nodes_come_back_by_themselves() {
    let Some(mut cluster) = Cluster::fresh() else { return };
    let nodes = Nodes::start(&cluster.url(), NODES);
    let (mut load, rounds) = (Load::on(&nodes), rounds(4, 50));
    let mut longest = 0.0_f64;
    for round in 0..rounds {
        slow_commits(&cluster, round % 4 != 3);
        load.during(|progress| {
            progress.acknowledged(STEPS);
            cluster.restart_immediately();
            let restarted = Instant::now();
            ready(&nodes);
            longest = longest.max(restarted.elapsed().as_secs_f64());
        });
    }
    load.during(|progress| progress.acknowledged(STEPS));
    figure("restarts of the database under load (`pg_ctl restart -m immediate`)", count(rounds), "", None);
    load.tally().report();
    figure("the longest until every node answered again by itself", longest, "s", Some("≤ 5 s"));
}
