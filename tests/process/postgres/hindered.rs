//! A database that answers late, takes no writes, or has its tables locked by somebody: 503 with the reason, nothing half
//! done, no connections that pile up, and all is well again once the cause is gone.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::cluster::url;
use super::nodes::{Nodes, open, opened};
use super::restarted::ready;
use super::{Cluster, eventually};
use crate::client::{Answer, Client};
use crate::faulty_proxy::{FaultyProxy, NetworkFault};
use crate::session::Session;

/// The number of connections that a node may open here.
const CONNECTIONS: usize = 6;

/// The number of threads that send requests at once.
const CLIENTS: usize = 16;

/// A node with these budgets.
fn node(url: &str, read: &str, step: &str) -> Nodes {
    let (read, step) = (format!("store_read_budget={read}"), format!("store_step_budget={step}"));
    let connections = format!("store_connections={CONNECTIONS}");
    Nodes::with(url, 1, &["--set", &read, "--set", &step, "--set", &connections])
}

/// The number of the node's connections as the database counts them.
fn connections(cluster: &Cluster) -> usize {
    let count = "select count(*) from pg_stat_activity where application_name = 'rescind'";
    cluster.sql(count).parse().unwrap()
}

fn sign_out(client: &Client, session: &Session) -> Answer {
    client.post("/api/v1/auth/logout/", "", &json!({ "refresh": session.refresh }))
}

/// Sets a parameter of the running cluster.
fn alter(cluster: &Cluster, change: &str) {
    cluster.sql(&format!("alter system {change}"));
    cluster.sql("select pg_reload_conf()");
}

/// What `rescind doctor` prints beside the node.
fn doctor(nodes: &Nodes) -> String {
    let ports = ["--set", "listen=127.0.0.1:0", "--set", "metrics_listen=127.0.0.1:0"];
    // The doctor waits for a step of its own as long as this says: by default here, 20 s.
    let budget = ["--set", "store_step_budget=2s"];
    nodes.command(0, &[&["doctor"], &ports[..], &budget].concat()).out
}

#[test]
fn tables_that_somebody_has_locked() {
    let Some(cluster) = Cluster::fresh() else { return };
    let nodes = node(&cluster.url(), "1s", "6s");
    let client = nodes.client(0);
    let phone = Session::register(client, "ada", "Phone");
    let entries = || cluster.sql("select count(*) from rescind.log");
    let before = entries();
    let held = cluster.holding("lock table rescind.users, rescind.service in access exclusive mode");
    // At a second each, about ten seconds.
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| (0..10).for_each(|_| assert_eq!(phone.me(client).problem(), "503 unavailable")));
        }
        assert_eq!(sign_out(client, &phone).problem(), "503 unavailable");
    });
    assert_eq!(client.get("/livez", "").status, 200);
    nodes.nodes[0]
        .server
        .stderr
        .wait_for_line("no answer in 1000 ms; `rescind doctor` says who may be in the way");
    eventually("what was given up holds no connection", || connections(&cluster) <= CONNECTIONS);
    let said = doctor(&nodes);
    for part in [
        "(psql) holds a lock on rescind's tables (service, users)",
        "holds a lock on the tables of the store",
    ] {
        assert!(said.contains(part), "{part} is missing in {said}");
    }
    drop(held);
    eventually("checks are answered again", || phone.me(client).status == 200);
    assert_eq!(entries(), before);
    eventually("steps are taken again", || sign_out(client, &phone).status == 200);
    phone.assert_dead(client, "signed_out");
}

#[test]
fn a_primary_that_was_made_read_only() {
    let Some(cluster) = Cluster::fresh() else { return };
    let nodes = Nodes::start(&cluster.url(), 1);
    let client = nodes.client(0);
    let phone = Session::register(client, "ada", "Phone");
    let rename = || {
        let name = json!({ "name": "Laptop" });
        let path = format!("/api/v1/devices/{}/", phone.device);
        client.send("PATCH", &path, &phone.access, crate::client::Payload::Json(&name)).unwrap().status
    };
    // An operator does so before a failover by hand: what is acknowledged after that would be lost.
    alter(&cluster, "set default_transaction_read_only = on");
    eventually("steps are refused", || rename() == 503);
    assert_eq!(sign_out(client, &phone).problem(), "503 unavailable");
    eventually("it says why", || {
        let answer = client.get("/readyz", "");
        answer.status == 503 && answer.body.contains("default_transaction_read_only is on")
    });
    let said = doctor(&nodes);
    assert!(
        said.contains("BAD      store: the database is read-only") && said.contains("set it to off"),
        "{said}"
    );
    alter(&cluster, "reset default_transaction_read_only");
    ready(&nodes);
    phone.me(client).ok();
    sign_out(client, &phone).ok();
    phone.assert_dead(client, "signed_out");
}

#[test]
fn a_database_that_answers_late() {
    let Some(cluster) = Cluster::fresh() else { return };
    let proxy = FaultyProxy::to_database(&cluster.address());
    let nodes = node(&url(&proxy.address), "2s", "40s");
    let client = nodes.client(0);
    let phone = Session::register(client, "ada", "Phone");
    let laptop = Session::login(client, "ada", "Laptop");
    proxy.set(NetworkFault::Delay(Duration::from_millis(2500)));
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| (0..5).for_each(|_| assert_eq!(phone.me(client).problem(), "503 unavailable")));
        }
    });
    eventually("it says why", || client.get("/readyz", "").body.contains("no answer in 2000 ms"));
    let signed_out = sign_out(client, &phone).status;
    assert!(signed_out == 200 || signed_out == 503, "{signed_out}");
    proxy.set(NetworkFault::None);
    ready(&nodes);
    laptop.assert_alive(client);
    if signed_out == 200 {
        phone.assert_dead(client, "signed_out");
    }
    eventually("what was given up holds no connection", || connections(&cluster) <= CONNECTIONS);
}

/// A check takes one round trip and a new connection at least three, more than a check may wait. The connection that one
/// check has asked for in vain is there for a later one.
#[test]
fn a_database_that_takes_longer_to_connect_to_than_a_check_may_wait() {
    let Some(cluster) = Cluster::fresh() else { return };
    let proxy = FaultyProxy::to_database(&cluster.address());
    let nodes = node(&url(&proxy.address), "2s", "40s");
    let client = nodes.client(0);
    let phone = Session::register(client, "ada", "Phone");
    proxy.set(NetworkFault::Cut);
    proxy.set(NetworkFault::Delay(Duration::from_millis(450)));
    assert_eq!(phone.me(client).problem(), "503 unavailable");
    assert!((0..9).any(|_| phone.me(client).status == 200), "no check reaches the database");
}

#[test]
fn a_synchronous_standby_that_is_not_there() {
    let Some(cluster) = Cluster::fresh() else { return };
    let nodes = node(&cluster.url(), "10s", "2s");
    let client = nodes.client(0);
    let key = nodes.service_key(&["sessions"]);
    let (phone, laptop) = (Session::register(client, "ada", "Phone"), opened(client, &key, "ada"));
    let users: Vec<_> = (0..=CONNECTIONS).map(|number| format!("user-{number}")).collect();
    for user in &users {
        let _phone = Session::register(client, user, "Phone");
    }
    alter(&cluster, "set synchronous_standby_names = 'nobody'");
    eventually("commits wait", || open(client, &key, "ada").status == 503);
    assert_eq!(sign_out(client, &phone).problem(), "503 unavailable");
    nodes.nodes[0].server.stderr.wait_for_line("a synchronous standby may be away");
    // A commit that waits for its standby waits on when its client has gone, and keeps its connection. One after the other, so
    // that each is in a transaction of its own.
    for user in &users {
        assert_eq!(open(client, &key, user).problem(), "503 unavailable");
    }
    eventually("what was given up holds no connection", || connections(&cluster) <= CONNECTIONS);
    // A check waits for nobody, and whether the sign-out was taken is unknown.
    laptop.me(client).ok();
    assert_ne!(phone.me(client).status, 503);
    let said = doctor(&nodes);
    let part = "synchronous_standby_names = nobody, and no such standby is connected";
    assert!(said.contains("BAD      database") && said.contains(part), "{said}");
    alter(&cluster, "reset synchronous_standby_names");
    eventually("steps are taken again", || open(client, &key, "ada").status < 300);
    assert!([200, 401].contains(&sign_out(client, &phone).status));
    phone.assert_dead(client, "signed_out");
    laptop.assert_alive(client);
}
