//! A database that allows fewer connections than a node may open: requests share the available ones.

use std::thread;

use rustix::process::Signal;

use super::Cluster;
use super::nodes::{Node, Shared};
use crate::session::Session;

/// The number of threads that send requests at once, several times the number of connections.
const CLIENTS: usize = 24;

/// A role with this connection limit and the right to make tables.
fn limited(cluster: &Cluster, connections: usize) -> Shared {
    cluster.sql(&format!("create role ada login connection limit {connections}"));
    cluster.sql("grant create on database rescind to ada");
    Shared::new(&format!("postgres://ada@{}/rescind", cluster.address()))
}

/// Asserts that every request of all clients succeeds.
fn assert_all_answered(node: &Node) {
    let client = &node.server.client;
    let phone = Session::login(client, "ada", "Phone");
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                for _ in 0..5 {
                    phone.me(client).ok();
                    // A step, which holds its connection for a transaction.
                    let renamed = serde_json::json!({ "name": "Phone" });
                    let path = format!("/api/v1/devices/{}/", phone.device);
                    let sent = crate::client::Payload::Json(&renamed);
                    client.send("PATCH", &path, &phone.access, sent).unwrap().ok();
                }
            });
        }
    });
}

#[test]
fn a_node_opens_no_more_connections_than_it_is_set_to() {
    let Some(cluster) = Cluster::fresh() else { return };
    let node = limited(&cluster, 4).join(&["--set", "store_connections=4"]);
    Session::register(&node.server.client, "ada", "Phone");
    assert_all_answered(&node);
    assert!(!cluster.log().contains("too many connections"), "{}", cluster.log());
}

/// The server's process of such a connection has what it needs at hand.
#[test]
fn the_connection_that_was_used_last_is_used_first() {
    let Some(cluster) = Cluster::fresh() else { return };
    let node = limited(&cluster, 16).join(&["--set", "store_connections=8"]);
    let client = &node.server.client;
    let phone = Session::register(client, "ada", "Phone");
    let connections = |which: &str| {
        let all =
            "select count(*) from pg_stat_activity where usename = 'ada' and application_name = 'rescind'";
        cluster.sql(&format!("{all} and {which}")).parse::<usize>().unwrap()
    };
    super::eventually("several connections are open", || {
        assert_all_answered(&node);
        connections("true") > 4
    });
    let begun = cluster.sql("select clock_timestamp()");
    for _ in 0..50 {
        phone.me(client).ok();
    }
    // The node's own look at the log may be under way meanwhile.
    let used = connections(&format!("query_start > '{begun}'"));
    assert!((1..=3).contains(&used), "{used} connections were used one after the other");
}

#[test]
fn requests_wait_for_a_connection_that_is_there_when_the_database_grants_no_more() {
    let Some(cluster) = Cluster::fresh() else { return };
    let shared = limited(&cluster, 3);
    let node = shared.join(&["--set", "store_connections=16"]);
    Session::register(&node.server.client, "ada", "Phone");
    assert_all_answered(&node);
    assert!(cluster.log().contains("too many connections for role"), "{}", cluster.log());
    // Once more are granted they are taken.
    cluster.sql("alter role ada connection limit 16");
    let count =
        "select count(*) from pg_stat_activity where usename = 'ada' and application_name = 'rescind'";
    super::eventually("more connections are taken", || {
        assert_all_answered(&node);
        cluster.sql(count).parse::<usize>().unwrap() > 3
    });
    // None at all: that is reported, not waited for.
    let other = shared.with_store(&shared.store);
    cluster.sql("alter role ada connection limit 0");
    other.refused(&[]).assert_failed(&["cannot be reached", "no connection left", "store_connections"]);
}

/// Other programs take every connection but those that are kept for superusers, while the node has none.
#[test]
fn a_node_without_any_connection_says_so_and_takes_some_once_others_leave() {
    let Some(mut cluster) = Cluster::fresh() else { return };
    cluster.set("max_connections=20");
    cluster.restart_immediately();
    let node = limited(&cluster, 100).join(&["--set", "store_connections=4"]);
    let client = &node.server.client;
    let phone = Session::register(client, "ada", "Phone");
    node.server.signal(Signal::STOP);
    let ours = "from pg_stat_activity where usename = 'ada'";
    cluster.sql(&format!("select pg_terminate_backend(pid) {ours}"));
    super::eventually("its connections are gone", || cluster.sql(&format!("select count(*) {ours}")) == "0");
    let others: Vec<_> = (0..17).map(|_| cluster.holding("select")).collect();
    node.server.signal(Signal::CONT);
    super::eventually("it says why", || {
        let answer = client.get("/readyz", "");
        answer.status == 503
            && answer.body.contains("it has no connection left for this user: raise its max_connections")
    });
    assert_eq!(phone.me(client).problem(), "503 unavailable");
    drop(others);
    super::eventually("it is ready", || client.get("/readyz", "").status == 200);
    phone.assert_alive(client);
}
