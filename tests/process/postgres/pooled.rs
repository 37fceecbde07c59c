//! Several nodes behind PgBouncer in transaction mode, where a session keeps no state and no notification arrives.

use super::bouncer::Bouncer;
use super::load::Load;
use super::nodes::Nodes;
use super::restarted::ready;
use super::{Cluster, everywhere, refresh_rotation, rounds};

const NODES: usize = 3;

#[test]
fn all_holds_behind_a_pooler() {
    let Some(mut cluster) = Cluster::fresh() else { return };
    let Some(bouncer) = Bouncer::start(&cluster) else { return };
    let nodes = Nodes::with(&bouncer.url(), NODES, &refresh_rotation::BEHIND_A_PROXY);
    assert_eq!(everywhere::accepted_afterwards(&nodes, rounds(5, 50)), 0);
    refresh_rotation::refresh_at_once(&nodes, rounds(5, 50));

    let mut load = Load::on(&nodes);
    load.during(|progress| {
        progress.acknowledged(60);
        cluster.restart_immediately();
        ready(&nodes);
        progress.acknowledged(60);
    });
    assert_eq!(load.tally().lost, 0);
}
