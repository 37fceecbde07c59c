//! `rescind doctor` on a database: what makes a promise untrue on the primary and on its standbys, and what to do.

use rustix::process::Signal;
use serde_json::Value;

use super::cluster::url;
use super::nodes::Nodes;
use super::standby::{Pair, follow};
use super::{Cluster, eventually};

/// The findings about the database, as `grade: what -> help`.
fn findings(nodes: &Nodes) -> Vec<String> {
    let ports = ["--json", "--set", "listen=127.0.0.1:0", "--set", "metrics_listen=127.0.0.1:0"];
    let ran = nodes.command(0, &[&["doctor"], &ports[..]].concat());
    let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"));
    let diagnoses = told["diagnoses"].as_array().unwrap().iter();
    let text = |diagnosis: &Value, field: &str| diagnosis[field].as_str().unwrap_or_default().to_owned();
    let line =
        |one: &Value| format!("{}: {} -> {}", text(one, "grade"), text(one, "what"), text(one, "help"));
    diagnoses.filter(|diagnosis| diagnosis["about"] == "database").map(line).collect()
}

#[track_caller]
fn assert_found(nodes: &Nodes, expected: &[&[&str]]) {
    let found = findings(nodes);
    for parts in expected {
        let fits = |finding: &&String| parts.iter().all(|part| finding.contains(part));
        assert!(found.iter().any(|finding| fits(&finding)), "{parts:?} is missing in {found:#?}");
    }
}

#[test]
fn settings_that_lose_what_was_acknowledged() {
    let Some(mut cluster) = Cluster::fresh() else { return };
    let nodes = Nodes::start(&cluster.url(), 1);
    let address = cluster.address();
    assert_found(&nodes, &[&["good: ", &address, "(primary) keeps what it acknowledges"]]);
    if cluster.sql("show data_checksums") == "off" {
        assert_found(&nodes, &[&["hint: ", "data_checksums = off", "pg_checksums --enable"]]);
    }
    for careless in ["fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0"] {
        cluster.set(careless);
    }
    cluster.restart_immediately();
    cluster.sql("alter role postgres in database rescind set synchronous_commit = off");
    cluster.sql("alter database rescind set default_transaction_isolation = serializable");
    assert_found(
        &nodes,
        &[
            &["bad: ", &address, "fsync = off", "can lose", "set fsync = on in its configuration"],
            &["warning: ", "full_page_writes = off", "destroy it", "set full_page_writes = on"],
            &["warning: ", "wal_level = minimal", "on one disk only", "set wal_level = replica"],
            &["bad: ", "synchronous_commit = off", "ALTER ROLE … IN DATABASE … RESET synchronous_commit"],
            &[
                "warning: ",
                "default_transaction_isolation",
                "ALTER DATABASE … RESET default_transaction_isolation",
            ],
        ],
    );
}

#[test]
fn standbys_that_nobody_waits_for_or_that_lag() {
    let Some(pair) = Pair::start() else { return };
    let mut other = follow(&pair.primary);
    other.set("fsync=off");
    other.restart_immediately();
    let nodes = Nodes::start(&url(&format!("{},{}", pair.primary.address(), other.address())), 1);
    let (primary, standby) = (pair.primary.address(), other.address());
    // What a standby is set to holds once it is promoted.
    assert_found(&nodes, &[&["bad: ", &standby, "fsync = off"]]);
    let set = |names: &str| {
        pair.primary.sql(&format!("alter system set synchronous_standby_names = '{names}'"));
        pair.primary.sql("select pg_reload_conf()");
    };
    set("");
    let none = ["warning: ", &primary, "is empty, and standbys are connected (", "synchronous_mode: true"];
    eventually("nobody waits", || {
        findings(&nodes).iter().any(|one| none.iter().all(|part| one.contains(part)))
    });

    set("*");
    let streaming =
        "select count(*) from pg_stat_replication where state = 'streaming' and sync_state = 'sync'";
    eventually("one is waited for", || pair.primary.sql(streaming) == "1");
    let grow = "set synchronous_commit = local; select pg_logical_emit_message(false, 'test', repeat('x', 20000000)) is null";
    pair.standby.signal(Signal::STOP);
    other.signal(Signal::STOP);
    pair.primary.sql(grow);
    assert_found(&nodes, &[&["warning: ", &primary, "MiB behind", "waits for it"]]);
    pair.standby.signal(Signal::CONT);
    other.signal(Signal::CONT);

    set("somebody");
    let async_standby = ["hint: ", "is async", "never promote it"];
    eventually("both are async", || {
        findings(&nodes).iter().any(|one| async_standby.iter().all(|part| one.contains(part)))
    });
    assert_found(&nodes, &[&["bad: ", &primary, "= somebody, and no such standby is connected"]]);
}
