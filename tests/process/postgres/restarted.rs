//! The database is restarted under load, dropping all where it stands: nothing acknowledged is lost.

use std::time::Instant;

use super::load::Load;
use super::nodes::Nodes;
use super::{Cluster, count, eventually, figure, rounds};

const NODES: usize = 3;
/// Steps that are acknowledged before and after each restart.
const STEPS: usize = 60;
/// Within which every node has to answer again once the database does.
const RECOVERED: f64 = 5.0;

/// Every node says that requests may come.
pub(super) fn ready(nodes: &Nodes) {
    for client in nodes.clients() {
        eventually("a node is ready", || client.get("/readyz", "").status == 200);
    }
}

#[test]
fn nothing_acknowledged_is_lost_and_the_nodes_come_back_by_themselves() {
    let Some(mut cluster) = Cluster::fresh() else { return };
    let nodes = Nodes::start(&cluster.url(), NODES);
    let (mut load, rounds) = (Load::on(&nodes), rounds(3, 50));
    let mut longest = 0.0_f64;
    for _ in 0..rounds {
        load.during(|progress| {
            progress.acknowledged(STEPS);
            cluster.restart_immediately();
            let restarted = Instant::now();
            ready(&nodes);
            longest = longest.max(restarted.elapsed().as_secs_f64());
            progress.acknowledged(STEPS);
        });
    }
    let tally = load.tally();
    figure("restarts of the database under load (`pg_ctl restart -m immediate`)", count(rounds), "", None);
    figure("steps acknowledged meanwhile", count(tally.acknowledged), "", None);
    figure("acknowledged steps lost by them", 0, "", Some("0"));
    figure("steps answered with 503 meanwhile", count(tally.unanswered), "", None);
    figure("the longest until every node answered again by itself", longest, "s", Some("≤ 5 s"));
    assert!(longest <= RECOVERED, "it took {longest} s");
}
