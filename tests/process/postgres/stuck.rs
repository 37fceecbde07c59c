//! A node that is suspended within a step, or a standby that is away, delays the others only for a bounded time.

use std::thread;

use rustix::process::Signal;
use serde_json::json;

use super::nodes::{Nodes, opened};
use super::standby::Pair;
use super::{Cluster, eventually};
use crate::session::Session;

#[test]
fn a_node_that_stands_still_within_a_step_gives_up_its_locks() {
    let Some(cluster) = Cluster::fresh() else { return };
    let nodes = Nodes::start(&cluster.url(), 2);
    let key = nodes.service_key(&["sessions"]);
    let phone = Session::register(nodes.client(0), "ada", "Phone");
    let laptop = opened(nodes.client(1), &key, "ada");
    let logout_all =
        |at: usize, by: &Session| nodes.client(at).post("/api/v1/auth/logout-all/", &by.access, &json!({}));
    thread::scope(|scope| {
        let held = cluster.holding("select from rescind.users for update");
        let unanswered = scope.spawn(|| logout_all(0, &phone));
        // The step, not the sweep of either node, which waits as well.
        let waiting = "select count(*) from pg_stat_activity
            where wait_event_type = 'Lock' and query like '%lock_user%'";
        eventually("the step waits", || cluster.sql(waiting) != "0");
        nodes.nodes[0].server.signal(Signal::STOP);
        // Now the node that stands still holds the user's row.
        drop(held);
        let idle = "select count(*) from pg_stat_activity where state = 'idle in transaction'";
        eventually("the step stands still", || cluster.sql(idle) == "1");
        eventually("another node signs out", || logout_all(1, &laptop).status == 200);
        nodes.nodes[0].server.signal(Signal::CONT);
        assert_eq!(unanswered.join().unwrap().problem(), "503 unavailable");
    });
    phone.assert_dead(nodes.client(0), "signed_out_everywhere");
}

#[test]
fn steps_that_were_given_up_keep_no_connection_while_the_standby_is_away() {
    let Some(pair) = Pair::start() else { return };
    let nodes = Nodes::with(&pair.url(), 1, &["--set", "store_step_budget=2s"]);
    let key = nodes.service_key(&["sessions"]);
    let phone = Session::register(nodes.client(0), "ada", "Phone");
    pair.standby.signal(Signal::STOP);
    for _ in 0..5 {
        assert_eq!(super::nodes::open(nodes.client(0), &key, "ada").problem(), "503 unavailable");
        phone.me(nodes.client(0)).ok();
    }
    let waiting = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'";
    eventually("no commit waits", || pair.primary.sql(waiting) == "0");
    pair.standby.signal(Signal::CONT);
    pair.wait_until_in_step();
    let open = || super::nodes::open(nodes.client(0), &key, "ada");
    eventually("it takes steps again", || open().status < 300);
    opened(nodes.client(0), &key, "ada").assert_alive(nodes.client(0));
}
