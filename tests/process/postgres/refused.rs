//! Starts that are refused: the node reports what is wrong and what to do, and ends with an exit code.

use std::fs;

use super::Cluster;
use super::cluster::{free_port, url};
use super::nodes::{Nodes, Shared};
use super::standby::follow;
use crate::session::Session;

/// A wrong password for the database.
const WRONG: &str = "not-the-password";

#[test]
fn a_database_that_cannot_be_reached() {
    let shared = Shared::new(&url(&format!("127.0.0.1:{}", free_port())));
    shared.refused(&[]).assert_failed(&["the database cannot be reached", "refused", "See that it runs"]);
    let nowhere = shared.with_store("postgres://ada@no-such-host.invalid/rescind");
    nowhere.refused(&[]).assert_failed(&["the database cannot be reached", "`store` names its host"]);
}

#[test]
fn a_connection_string_that_is_none() {
    let shared = Shared::new("mysql://ada@127.0.0.1/rescind");
    shared.refused(&[]).assert_failed(&["`store`", "postgres://user:password@host/database"]);
    for url in
        ["postgres://ada@127.0.0.1/rescind?sslmode=sometimes", "postgres://ada@127.0.0.1/rescind?colour=blue"]
    {
        shared
            .with_store(url)
            .refused(&[])
            .assert_failed(&["`store`", "postgres://user:password@host/database"]);
    }
}

#[test]
fn a_user_or_database_that_is_refused() {
    let Some(cluster) = Cluster::fresh() else { return };
    cluster.sql("create role ada login password 'the right one'");
    cluster.admit("host all ada 127.0.0.1/32 scram-sha-256");
    let shared = Shared::new(&cluster.url());
    shared.secrets.note(WRONG);
    let store =
        |user: &str, database: &str| format!("postgres://{user}:{WRONG}@{}/{database}", cluster.address());
    let refused = |user: &str, database: &str| shared.with_store(&store(user, database)).refused(&[]);
    refused("ada", "rescind").assert_failed(&[
        "the database refuses this user",
        "the password is wrong",
        "`store`",
    ]);
    refused("nobody", "rescind").assert_failed(&["the database refuses this user", "there is no such user"]);
    refused("postgres", "elsewhere").assert_failed(&["there is no database of that name", "create it"]);
}

#[test]
fn a_user_who_may_not_make_tables() {
    let Some(cluster) = Cluster::fresh() else { return };
    cluster.sql("create role ada login");
    let shared = Shared::new(&format!("postgres://ada@{}/rescind", cluster.address()));
    shared.refused(&[]).assert_failed(&["the database refuses to be set up", "GRANT CREATE"]);
    cluster.sql("grant create on database rescind to ada");
    let node = shared.join(&[]);
    Session::register(&node.server.client, "ada", "Phone").assert_alive(&node.server.client);
}

#[test]
fn a_master_key_that_is_missing_or_another() {
    let Some(cluster) = Cluster::fresh() else { return };
    let shared = Shared::new(&cluster.url());
    let missing = shared.path("nowhere.key");
    // A master key made here would be unknown to other nodes.
    let refused = shared.with_master_key(&missing).refused(&[]);
    refused.assert_failed(&["master key", &missing, "from another node", "rescind key master"]);
    assert!(fs::metadata(&missing).is_err(), "a master key was made");

    let node = shared.join(&[]);
    let phone = Session::register(&node.server.client, "ada", "Phone");
    let other = Shared::new(&cluster.url());
    other.refused(&[]).assert_failed(&["the signing keys do not open", "is the master key file the one"]);
    shared.with_master_key(&missing).refused(&[]).assert_failed(&["master key", &missing]);
    phone.assert_alive(&node.server.client);
}

/// Before a first start, and after one that failed, there is no store to lose.
#[test]
fn a_first_start_and_what_the_doctor_says_of_it() {
    let Some(cluster) = Cluster::fresh() else { return };
    let shared = Shared::new(&cluster.url());
    let place = crate::place::Place::patient();
    let told = |shared: &Shared| {
        let ports = ["--set", "listen=127.0.0.1:0", "--set", "metrics_listen=127.0.0.1:0"];
        crate::place::run(shared.program(&place, &[&["doctor"], &ports[..]].concat()), "")
    };
    let missing = shared.with_master_key(&shared.path("nowhere.key"));
    let without_key = |ran: crate::place::Ran| {
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let bad = "nowhere.key is missing, and a store in a database needs the same master key on every node";
        assert!(ran.out.contains(bad) && ran.out.contains("to correct: 1\n"), "{ran:?}");
        assert!(
            !ran.out.contains("is made at the first start") && !ran.out.contains("sealed with it"),
            "{ran:?}"
        );
    };
    let ready = |ran: crate::place::Ran| {
        let out = ran.ok();
        assert!(out.contains("there is no store in it yet, the first start makes it"), "{out}");
        assert!(out.ends_with("nothing is broken\n"), "{out}");
    };
    without_key(told(&missing));
    ready(told(&shared));
    // In the same folder, which the failed start leaves behind.
    let serve = [&crate::place::SERVE[..]].concat();
    crate::place::refused(missing.program(&place, &serve), &shared.secrets).assert_failed(&["it is missing"]);
    without_key(told(&missing));
    ready(told(&shared));
    drop(shared.join(&[]));
    let out = told(&shared).ok();
    assert!(out.contains("opens the store's keys") && out.ends_with("nothing is broken\n"), "{out}");
    let other = Shared::new(&cluster.url());
    let ran = told(&other);
    assert!(ran.code == Some(1) && ran.out.contains("is not the key of this store"), "{ran:?}");
}

#[test]
fn tables_of_a_newer_version() {
    let Some(cluster) = Cluster::fresh() else { return };
    let nodes = Nodes::start(&cluster.url(), 1);
    cluster.sql("insert into rescind.version (version) values (999)");
    nodes.shared.refused(&[]).assert_failed(&["version 999", "use the version that wrote them"]);
}

#[test]
fn a_read_only_standby() {
    let Some(cluster) = Cluster::fresh() else { return };
    let nodes = Nodes::start(&cluster.url(), 1);
    let standby = follow(&cluster);
    let shared = nodes.shared.with_store(&standby.url());
    shared.refused(&[]).assert_failed(&["read-only standby", "name the primary"]);
    // The result does not depend on the order of the hosts.
    let both = url(&format!("{},{}", standby.address(), cluster.address()));
    let node = shared.with_store(&both).join(&[]);
    Session::register(&node.server.client, "ada", "Phone").assert_alive(nodes.client(0));
}

#[test]
fn a_database_that_loses_what_it_acknowledges() {
    let Some(cluster) = Cluster::fresh() else { return };
    let shared = Shared::new(&cluster.url());
    // One setting does not wait for the primary's disk, the other not for the standby's.
    for careless in ["off", "local"] {
        cluster.sql(&format!("alter role postgres set synchronous_commit = {careless}"));
        let what = format!("synchronous_commit = {careless}, so");
        shared.refused(&[]).assert_failed(&[&what, "can be lost", "set synchronous_commit = on"]);
    }
    cluster.sql("alter role postgres set synchronous_commit = remote_apply");
    drop(shared.join(&[]));
}

#[test]
fn a_command_on_an_empty_database_makes_nothing_of_it() {
    let Some(cluster) = Cluster::fresh() else { return };
    let shared = Shared::new(&cluster.url());
    let place = crate::place::Place::new();
    let refused = || {
        let ran = crate::place::run(shared.program(&place, &["user", "list"]), "");
        ran.assert_failed(&["there is no store in this database", "rescind serve"]);
    };
    refused();
    assert_eq!(cluster.sql("select count(*) from pg_namespace where nspname = 'rescind'"), "0");
    // Nor of tables that a start left behind which then had no master key.
    shared.with_master_key("none").refused(&[]).assert_failed(&["it is missing"]);
    assert_eq!(cluster.sql("select count(*) from rescind.service where founding is null"), "1");
    refused();
}
