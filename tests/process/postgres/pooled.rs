//! Several nodes behind PgBouncer in transaction mode, where a session keeps no state and no notification arrives.

use std::thread;

use serde_json::json;

use super::bouncer::Bouncer;
use super::load::Load;
use super::nodes::{Nodes, opened};
use super::restarted::ready;
use super::{Cluster, everywhere, refresh_rotation, rounds};
use crate::session::Session;

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

/// Those of different users: two steps of one user are never done together.
#[test]
fn checks_and_steps_that_wait_go_together_behind_a_pooler() {
    let Some(cluster) = Cluster::fresh() else { return };
    let Some(bouncer) = Bouncer::start(&cluster) else { return };
    let nodes = Nodes::start(&bouncer.url(), 1);
    let (key, client) = (nodes.service_key(&["sessions"]), nodes.client(0));
    let users: Vec<_> = (0..16).map(|number| format!("user-{number}")).collect();
    thread::scope(|scope| {
        for user in &users {
            let key = &key;
            scope.spawn(move || {
                Session::register(client, user, "Phone");
                for _ in 0..rounds(5, 50) {
                    let [leaving, staying] = [(); 2].map(|()| opened(client, key, user));
                    staying.me(client).ok();
                    client.post("/api/v1/auth/logout-all/", &leaving.access, &json!({})).ok();
                    staying.assert_dead(client, "signed_out_everywhere");
                }
            });
        }
    });
    for kind in ["read", "step"] {
        let figure =
            |part: &str| nodes.metric(&format!("rescind_database_group_size_{part}{{kind=\"{kind}\"}}"));
        let (requests, groups) = (figure("sum"), figure("count"));
        assert!(groups > 0.0 && requests > groups, "{kind}: {requests} requests in {groups} groups");
    }
}
