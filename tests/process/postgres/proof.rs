//! A proof that the database is the primary, for every answer that is read from it: a commit that its synchronous standby
//! confirmed after the request arrived.

use std::thread;

use rustix::process::Signal;
use serde_json::json;

use super::cluster::url;
use super::nodes::{Nodes, Shared, open};
use super::standby::{Pair, follow};
use super::{Cluster, eventually};
use crate::faulty_proxy::FaultyProxy;
use crate::place::{Place, RESCIND, SERVE, refused};
use crate::session::Session;

/// Each answer needs a proof, and does not wait for it long.
pub(super) const PROVEN: [&str; 4] = ["--set", "proof_of_primacy=0s", "--set", "store_read_budget=2s"];

/// A primary whose one standby is named, as Patroni does.
pub(super) fn pair() -> Option<Pair> {
    let pair = Pair::start()?;
    pair.primary.sql("alter system set synchronous_standby_names = 'FIRST 1 (walreceiver)'");
    pair.primary.sql("select pg_reload_conf()");
    pair.wait_until_in_step();
    Some(pair)
}

#[test]
fn a_primary_that_was_replaced_says_yes_to_nobody() {
    let Some(mut pair) = pair() else { return };
    let before = Nodes::with(&pair.primary.url(), 1, &PROVEN);
    let careless = before.shared.join(&[]);
    let key = before.service_key(&["sessions"]);
    let phone = Session::register(before.client(0), "ada", "Phone");
    for node in [before.client(0), &careless.server.client] {
        phone.me(node).ok();
        phone.me(node).ok();
    }
    // The promoted standby waits for none of its own.
    pair.standby.stop();
    assert_eq!(phone.me(before.client(0)).problem(), "503 unavailable");
    pair.standby.set("synchronous_standby_names=");
    pair.standby.start();
    eventually("the standby confirms again", || phone.me(before.client(0)).status == 200);
    pair.standby.promote();
    let after = Shared::with_store(&before.shared, &pair.standby.url()).join(&[]);
    let logout_all = after.server.client.post("/api/v1/auth/logout-all/", &phone.access, &json!({}));
    logout_all.ok();
    for _ in 0..3 {
        assert_eq!(phone.me(before.client(0)).problem(), "503 unavailable");
    }
    let _grace = Session::register(&after.server.client, "grace", "Phone");
    assert_eq!(open(before.client(0), &key, "grace").problem(), "503 unavailable");
    assert_eq!(before.client(0).get("/readyz", "").status, 503);
    // That is what the proof is for.
    phone.me(&careless.server.client).ok();
    assert_eq!(open(&careless.server.client, &key, "grace").problem(), "404 not_found");
}

/// A commit that stops waiting for its standby is reported as done: with a warning where its wait was cancelled, which a role
/// can have suppressed, and without one where nobody is named any more.
#[test]
fn a_commit_that_stopped_waiting_proves_nothing() {
    let Some(pair) = pair() else { return };
    pair.primary.sql("alter role all set client_min_messages = error");
    let nodes = Nodes::with(&pair.primary.url(), 1, &["--set", "proof_of_primacy=0s"]);
    let phone = Session::register(nodes.client(0), "ada", "Phone");
    phone.me(nodes.client(0)).ok();
    pair.standby.signal(Signal::STOP);
    assert_eq!(pair.broken_off(|| phone.me(nodes.client(0))).problem(), "503 unavailable");
    thread::scope(|scope| {
        let asked = scope.spawn(|| phone.me(nodes.client(0)));
        let waiting = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'";
        eventually("a proof waits", || pair.primary.sql(waiting) != "0");
        pair.primary.sql("alter system set synchronous_standby_names = ''");
        pair.primary.sql("select pg_reload_conf()");
        assert_eq!(asked.join().unwrap().problem(), "503 unavailable");
    });
    pair.standby.signal(Signal::CONT);
}

/// A step waits for what `synchronous_commit` says, a proof no longer than until the standby has received it.
#[test]
fn a_proof_does_not_wait_until_the_standby_has_applied_it() {
    let Some(pair) = pair() else { return };
    pair.primary.sql("alter system set synchronous_commit = remote_apply");
    pair.primary.sql("select pg_reload_conf()");
    eventually("the setting", || pair.primary.sql("show synchronous_commit") == "remote_apply");
    let nodes =
        Nodes::with(&pair.primary.url(), 1, &[&PROVEN[..], &["--set", "store_step_budget=2s"]].concat());
    let client = nodes.client(0);
    let phone = Session::register(client, "ada", "Phone");
    pair.standby.sql("select pg_wal_replay_pause()");
    let paused = || pair.standby.sql("select pg_get_wal_replay_pause_state()") == "paused";
    eventually("the standby applies nothing", paused);
    let logout_all = || client.post("/api/v1/auth/logout-all/", &phone.access, &json!({}));
    (0..3).for_each(|_| drop(phone.me(client).ok()));
    assert_eq!(logout_all().problem(), "503 unavailable");
    pair.standby.sql("select pg_wal_replay_resume()");
    eventually("steps are taken again", || [200, 401].contains(&logout_all().status));
    phone.assert_dead(client, "signed_out_everywhere");
}

/// A node refuses to start with such a role; its sessions may get the setting later.
#[test]
fn a_session_whose_steps_wait_for_no_standby_proves_nothing() {
    let Some(pair) = pair() else { return };
    let nodes = Nodes::with(&pair.primary.url(), 1, &PROVEN);
    let phone = Session::register(nodes.client(0), "ada", "Phone");
    phone.me(nodes.client(0)).ok();
    let in_new_sessions = |change: &str| {
        pair.primary.sql(&format!("alter role all {change}"));
        let ours = "from pg_stat_activity where application_name = 'rescind'";
        pair.primary.sql(&format!("select pg_terminate_backend(pid) {ours}"));
    };
    in_new_sessions("set synchronous_commit = local");
    eventually("no proof", || phone.me(nodes.client(0)).status == 503);
    (0..3).for_each(|_| assert_eq!(phone.me(nodes.client(0)).problem(), "503 unavailable"));
    in_new_sessions("reset synchronous_commit");
    eventually("it is proven again", || phone.me(nodes.client(0)).status == 200);
}

#[test]
fn a_proof_serves_for_as_long_as_the_setting_says() {
    let Some(pair) = pair() else { return };
    let nodes = Nodes::with(
        &pair.primary.url(),
        1,
        &["--set", "proof_of_primacy=5s", "--set", "store_read_budget=2s"],
    );
    let phone = Session::register(nodes.client(0), "ada", "Phone");
    let commits = || pair.primary.sql("select pg_current_wal_lsn()");
    eventually("answers without a commit of their own", || {
        phone.me(nodes.client(0)).ok();
        let before = commits();
        (0..5).for_each(|_| drop(phone.me(nodes.client(0)).ok()));
        commits() == before
    });
    assert!(nodes.metric("rescind_database_proof_age_seconds") > 0.0);
    pair.standby.signal(Signal::STOP);
    eventually("the last proof is too old", || phone.me(nodes.client(0)).status == 503);
    pair.standby.signal(Signal::CONT);
    eventually("it is proven again", || phone.me(nodes.client(0)).status == 200);
}

/// A proxy leads the node to its primary, and then to a copy of it that answers reads and proves nothing. The proof of the
/// primary is still young enough, but it is of another database than the answer.
#[test]
fn a_proof_of_one_database_serves_no_answer_of_another() {
    let Some(pair) = pair() else { return };
    let proxy = FaultyProxy::to_database(&pair.primary.address());
    let young_for_long = ["--set", "proof_of_primacy=60s", "--set", "store_read_budget=2s"];
    let nodes = Nodes::with(&url(&proxy.address), 1, &young_for_long);
    let client = nodes.client(0);
    let phone = Session::register(client, "ada", "Phone");
    let copy = follow(&pair.primary);
    copy.promote();
    phone.me(client).ok();
    client.post("/api/v1/auth/logout-all/", &phone.access, &json!({})).ok();
    assert_eq!(phone.me(client).problem(), "401 signed_out_everywhere");
    proxy.lead_to(&copy.address());
    let connected = "select count(*) from pg_stat_activity where application_name = 'rescind'";
    eventually("the copy is asked", || phone.me(client).status == 503 && copy.sql(connected) != "0");
    for _ in 0..3 {
        assert_eq!(phone.me(client).problem(), "503 unavailable");
    }
    proxy.lead_to(&pair.primary.address());
    eventually("the primary answers", || phone.me(client).status == 401);
    phone.assert_dead(client, "signed_out_everywhere");
}

#[test]
fn it_is_refused_where_it_cannot_hold() {
    let place = Place::new();
    let embedded = place.program(RESCIND, &[&SERVE[..], &PROVEN].concat());
    refused(embedded, &place.secrets).assert_failed(&["`proof_of_primacy` is for a shared store", "off"]);
    let Some(cluster) = Cluster::fresh() else { return };
    let shared = Shared::new(&cluster.url());
    shared.refused(&PROVEN).assert_failed(&["no standby confirms a commit", "synchronous_mode"]);
    for names in ["*", "FIRST 1 (one, two)", "ANY 1 (one, two)"] {
        cluster.sql(&format!("alter system set synchronous_standby_names = '{names}'"));
        cluster.sql("select pg_reload_conf()");
        eventually("the setting", || cluster.sql("show synchronous_standby_names") == names);
        shared
            .refused(&PROVEN)
            .assert_failed(&[&format!("`{names}`"), "As many have to confirm as are named"]);
    }
}
