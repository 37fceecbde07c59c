//! Proofs that the database is the primary by the answers of its standby, where the node knows the standby's address.

use std::fs;
use std::io::{Read as _, Write as _};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::cluster::url;
use super::nodes::Nodes;
use super::proof::{PROVEN, pair};
use super::standby::{Pair, follow};
use super::{Cluster, eventually};
use crate::client::Client;
use crate::faulty_proxy::{FaultyProxy, NetworkFault};
use crate::session::Session;

/// How many groups of checks rested on proofs of a kind: `recovery` or `commit`.
fn proven(nodes: &Nodes, kind: &str) -> f64 {
    nodes.metric(&format!("rescind_database_proven_groups_total{{kind=\"{kind}\"}}"))
}

/// Waits until the standby's answer proves that the database is the primary.
fn until_asked(nodes: &Nodes, phone: &Session) {
    eventually("the standby is asked", || {
        let before = proven(nodes, "recovery");
        phone.me(nodes.client(0)).status == 200 && proven(nodes, "recovery") > before
    });
}

/// A node that asks the standby, and a device that is signed in there.
fn asking(pair: &Pair) -> (Nodes, Session) {
    asking_at(&pair.url())
}

/// A node that asks the standby through a proxy, and a device that is signed in there.
fn asking_through(proxy: &FaultyProxy, pair: &Pair) -> (Nodes, Session) {
    asking_at(&url(&[pair.primary.address(), proxy.address.clone()].join(",")))
}

fn asking_at(store: &str) -> (Nodes, Session) {
    let nodes = Nodes::with(store, 1, &PROVEN);
    let phone = Session::register(nodes.client(0), "ada", "Phone");
    until_asked(&nodes, &phone);
    (nodes, phone)
}

/// Checks some times, each of which has to be refused or to fail.
#[track_caller]
fn assert_never_live(nodes: &Nodes, phone: &Session) {
    for _ in 0..2 {
        assert_ne!(phone.me(nodes.client(0)).status, 200);
    }
}

/// Asks for the list of devices, and goes before the answer comes.
fn impatient(client: &Client, phone: &Session) {
    let mut connection = client.connect().unwrap();
    let request =
        format!("GET /api/v1/devices/ HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", phone.access);
    connection.write_all(request.as_bytes()).unwrap();
    connection.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    let _late = connection.read(&mut [0]);
}

#[test]
fn a_proof_by_the_standby_writes_nothing() {
    let Some(pair) = pair() else { return };
    let (nodes, phone) = asking(&pair);
    let written = || pair.primary.sql("select pg_current_wal_insert_lsn()");
    eventually("no write for ten checks", || {
        let before = written();
        (0..10).for_each(|_| drop(phone.me(nodes.client(0)).ok()));
        written() == before
    });
    nodes.client(0).post("/api/v1/auth/logout/", "", &json!({ "refresh": phone.refresh })).ok();
    phone.assert_dead(nodes.client(0), "signed_out");
}

#[test]
fn after_its_standby_was_promoted_a_primary_says_yes_to_nobody() {
    let Some(mut pair) = pair() else { return };
    let (nodes, phone) = asking(&pair);
    // The promoted one waits for none of its own.
    pair.standby.stop();
    pair.standby.set("synchronous_standby_names=");
    pair.standby.start();
    until_asked(&nodes, &phone);
    pair.standby.promote();
    let after = nodes.shared.with_store(&pair.standby.url()).join(&[]);
    after.server.client.post("/api/v1/auth/logout-all/", &phone.access, &json!({})).ok();
    assert_never_live(&nodes, &phone);
}

/// It is in recovery again, but it has acknowledged what the former primary does not know.
#[test]
fn a_standby_that_was_promoted_and_came_back_proves_nothing() {
    let Some(mut pair) = pair() else { return };
    let (nodes, phone) = asking(&pair);
    pair.standby.stop();
    pair.standby.set("synchronous_standby_names=");
    pair.standby.start();
    until_asked(&nodes, &phone);
    nodes.nodes[0].server.signal(Signal::STOP);
    pair.standby.promote();
    let after = nodes.shared.with_store(&pair.standby.url()).join(&[]);
    after.server.client.post("/api/v1/auth/logout-all/", &phone.access, &json!({})).ok();
    drop(after);
    let successor = follow(&pair.standby);
    let streams = "select count(*) from pg_stat_replication where state = 'streaming'";
    eventually("the successor has everything", || pair.standby.sql(streams) == "1");
    pair.standby.stop();
    successor.promote();
    let folder = pair.standby.data();
    fs::write(format!("{folder}/standby.signal"), "").unwrap();
    let upstream = format!("host=127.0.0.1 port={} user=postgres", successor.port);
    pair.standby.set(&format!("primary_conninfo={upstream}"));
    pair.standby.start();
    let receives = "select count(*) from pg_stat_wal_receiver where status = 'streaming'";
    eventually("it is a standby again", || pair.standby.sql(receives) == "1");
    nodes.nodes[0].server.signal(Signal::CONT);
    assert_never_live(&nodes, &phone);
}

/// Whoever promotes another standby names it before, so the names are read with every answer.
#[test]
fn a_standby_that_is_no_longer_named_proves_nothing() {
    let Some(pair) = pair() else { return };
    let (nodes, phone) = asking(&pair);
    let name = |names: &str| {
        pair.primary.sql(&format!("alter system set synchronous_standby_names = '{names}'"));
        pair.primary.sql("select pg_reload_conf()");
        eventually("the setting", || pair.primary.sql("show synchronous_standby_names") == names);
    };
    for names in ["FIRST 1 (another)", ""] {
        name(names);
        assert_never_live(&nodes, &phone);
    }
    name("FIRST 1 (walreceiver)");
    until_asked(&nodes, &phone);
    // One of two that have to confirm is not there to be asked.
    name("FIRST 2 (walreceiver, another)");
    assert_never_live(&nodes, &phone);
}

#[test]
fn while_the_standby_cannot_be_asked_a_commit_proves_the_same() {
    let Some(pair) = pair() else { return };
    let proxy = FaultyProxy::to_database(&pair.standby.address());
    let (nodes, phone) = asking_through(&proxy, &pair);
    for fault in [NetworkFault::Silent, NetworkFault::Cut] {
        proxy.set(fault);
        let before = proven(&nodes, "commit");
        (0..3).for_each(|_| drop(phone.me(nodes.client(0)).ok()));
        assert!(proven(&nodes, "commit") > before, "{fault:?}");
        proxy.set(NetworkFault::None);
        until_asked(&nodes, &phone);
    }
    // Sessions with it that ended.
    pair.standby
        .sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'rescind'");
    phone.me(nodes.client(0)).ok();
    until_asked(&nodes, &phone);
}

/// The answer of a standby that receives from elsewhere is that of another one, whatever its name.
#[test]
fn a_standby_that_receives_from_elsewhere_is_not_asked() {
    let Some(pair) = pair() else { return };
    let (nodes, phone) = asking(&pair);
    let detour = FaultyProxy::to_database(&pair.primary.address());
    let port = detour.address.rsplit_once(':').unwrap().1;
    let upstream = format!("host=127.0.0.1 port={port} user=postgres");
    pair.standby.sql(&format!("alter system set primary_conninfo = '{upstream}'"));
    pair.standby.sql("select pg_reload_conf()");
    let from_detour = format!("select count(*) from pg_stat_wal_receiver where sender_port = {port}");
    eventually("the detour is taken", || pair.standby.sql(&from_detour) == "1");
    pair.wait_until_in_step();
    eventually("a commit proves", || {
        let before = proven(&nodes, "commit");
        phone.me(nodes.client(0)).status == 200 && proven(&nodes, "commit") > before
    });
    let asked = proven(&nodes, "recovery");
    (0..20).for_each(|_| drop(phone.me(nodes.client(0)).ok()));
    assert!(proven(&nodes, "recovery") < asked + 1.0);
}

/// Two standbys at one address cannot be told from each other by it.
#[test]
fn of_two_standbys_at_one_address_none_is_asked() {
    let Some(pair) = pair() else { return };
    let mut beside = follow(&pair.primary);
    beside.stop();
    let upstream = format!("host=127.0.0.1 port={} user=postgres application_name=other", pair.primary.port);
    beside.set(&format!("primary_conninfo={upstream}"));
    beside.start();
    let receivers = "select count(*) from pg_stat_replication where state = 'streaming'";
    eventually("both receive", || pair.primary.sql(receivers) == "2");
    let nodes = Nodes::with(&pair.url(), 1, &PROVEN);
    let phone = Session::register(nodes.client(0), "ada", "Phone");
    eventually("commits prove", || {
        phone.me(nodes.client(0)).status == 200 && proven(&nodes, "commit") > 20.0
    });
    assert!(proven(&nodes, "recovery") < 1.0);
}

/// The other one is still in recovery. Each has an address of its own.
#[test]
fn after_one_of_two_standbys_was_promoted_a_primary_says_yes_to_nobody() {
    let Some(mut primary) = Cluster::fresh() else { return };
    let both = "listen_addresses=127.0.0.1,::1";
    primary.stop();
    primary.set(both);
    primary.start();
    let (one, mut other) = (follow(&primary), follow(&primary));
    other.stop();
    other.set(both);
    other.set(&format!(
        "primary_conninfo=host=::1 port={} user=postgres application_name=other",
        primary.port
    ));
    other.set("synchronous_standby_names=");
    other.start();
    primary.sql("alter system set synchronous_standby_names = 'FIRST 2 (other, walreceiver)'");
    primary.sql("select pg_reload_conf()");
    let in_step = "select count(*) from pg_stat_replication where sync_state = 'sync'";
    eventually("both are in step", || primary.sql(in_step) == "2");
    let [at, of_one, of_other] = [primary.port, one.port, other.port];
    let store = format!("127.0.0.1:{at},[::1]:{at},127.0.0.1:{of_one},[::1]:{of_other}");
    let (nodes, phone) = asking_at(&url(&store));
    other.promote();
    let after = nodes.shared.with_store(&other.url()).join(&[]);
    after.server.client.post("/api/v1/auth/logout-all/", &phone.access, &json!({})).ok();
    assert_never_live(&nodes, &phone);
}

/// Clients that go while the standby is asked cost no session with it.
#[test]
fn a_client_that_goes_leaves_the_standby_to_be_asked() {
    let Some(pair) = pair() else { return };
    let proxy = FaultyProxy::to_database(&pair.standby.address());
    let (nodes, phone) = asking_through(&proxy, &pair);
    proxy.set(NetworkFault::Delay(Duration::from_millis(5)));
    let commits = proven(&nodes, "commit");
    for _ in 0..20 {
        impatient(nodes.client(0), &phone);
        phone.me(nodes.client(0)).ok();
    }
    assert!(proven(&nodes, "commit") < commits + 5.0);
}

#[test]
fn a_role_that_may_not_know_the_standby_has_commits_prove() {
    let Some(pair) = pair() else { return };
    pair.primary.sql("create role ada login; grant create on database rescind to ada");
    let store = pair.url().replace("postgres:password-of-the-database", "ada:password-of-the-database");
    let nodes = Nodes::with(&store, 1, &PROVEN);
    let phone = Session::register(nodes.client(0), "ada", "Phone");
    let commits = |number: f64| {
        eventually("commits prove", || {
            phone.me(nodes.client(0)).ok();
            proven(&nodes, "commit") > number
        });
    };
    commits(20.0);
    assert!(proven(&nodes, "recovery") < 1.0);
    pair.primary.sql("grant pg_read_all_stats to ada");
    until_asked(&nodes, &phone);
}
