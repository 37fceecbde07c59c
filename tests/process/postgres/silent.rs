//! A database that does not answer or does not exist: 503, never "valid", never "signed out".

use std::net::TcpListener;
use std::time::Instant;

use rustix::process::Signal;

use super::cluster::url;
use super::nodes::{Nodes, opened};
use super::restarted::ready;
use super::standby::follow;
use super::{Cluster, eventually, figure, rounds};
use crate::client::{Answer, Client};
use crate::session::Session;

/// The budget of a check in milliseconds: the default where the figure is published, else one that a busy machine
/// keeps, too.
fn read_budget() -> usize {
    rounds(2_000, 250)
}

/// Nodes whose requests may take longer than any test waits: an earlier answer has another reason.
fn patient_nodes(url: &str, count: usize) -> Nodes {
    let read = format!("store_read_budget={}ms", read_budget());
    Nodes::with(
        url,
        count,
        &["--set", &read, "--set", "store_step_budget=5s", "--set", "request_timeout=120s"],
    )
}

#[track_caller]
fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.problem(), "503 unavailable");
    assert!(answer.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok()), "{answer:?}");
}

/// Checks both tokens in every way, asserts 503, and returns the time of the slowest answer in seconds.
fn ask_in_vain(client: &Client, key: &str, tokens: [&Session; 2]) -> f64 {
    let mut slowest = 0.0_f64;
    for token in tokens {
        let introspect = || client.form("/oauth/introspect", key, &format!("token={}", token.access));
        for ask in [&|| token.me(client), &introspect as &dyn Fn() -> Answer] {
            let asked = Instant::now();
            assert_unavailable(&ask());
            slowest = slowest.max(asked.elapsed().as_secs_f64());
        }
    }
    slowest
}

#[test]
fn a_database_that_stands_still_is_503_within_the_budget() {
    let Some(cluster) = Cluster::fresh() else { return };
    let nodes = patient_nodes(&cluster.url(), 2);
    let key = nodes.service_key(&["sessions", "introspect"]);
    let phone = Session::register(nodes.client(0), "ada", "Phone");
    let ended = opened(nodes.client(1), &key, "ada");
    nodes.client(0).form("/oauth/revoke", "", &format!("token={}", ended.refresh)).ok();
    // Remembered signatures must not be enough.
    nodes.clients().iter().for_each(|client| drop(phone.me(client).ok()));

    cluster.signal(Signal::STOP);
    let mut slowest = 0.0_f64;
    for client in nodes.clients() {
        slowest = slowest.max(ask_in_vain(&client, &key, [&phone, &ended]));
        assert_eq!(client.get("/livez", "").status, 200);
        assert_says(&client, &format!("no answer in {} ms", read_budget()));
        assert_unavailable(&phone.refresh(&client));
    }
    figure("slowest answer to a check while the database stands still", slowest, "s", Some("about 0.25 s"));
    cluster.signal(Signal::CONT);
    ready(&nodes);
    for client in nodes.clients() {
        phone.assert_alive(&client);
        ended.assert_dead(&client, "signed_out");
    }
}

/// Waits until readiness reports this fault of the database.
#[track_caller]
fn assert_says(client: &Client, what: &str) {
    eventually(what, || {
        let answer = client.get("/readyz", "");
        assert_unavailable(&answer);
        let detail = answer.json()["detail"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned();
        detail.contains("The database cannot answer") && detail.contains(what)
    });
}

#[test]
fn a_standby_that_nobody_promoted_is_not_asked() {
    let Some(mut cluster) = Cluster::fresh() else { return };
    let standby = follow(&cluster);
    let both = url(&format!("{},{}", cluster.address(), standby.address()));
    let nodes = patient_nodes(&both, 1);
    let key = nodes.service_key(&["sessions", "introspect"]);
    let phone = Session::register(nodes.client(0), "ada", "Phone");
    let ended = opened(nodes.client(0), &key, "ada");
    nodes.client(0).form("/oauth/revoke", "", &format!("token={}", ended.refresh)).ok();
    cluster.stop();
    // The standby would answer, with outdated records.
    ask_in_vain(nodes.client(0), &key, [&phone, &ended]);
    assert_says(nodes.client(0), "every host is read-only: a standby");
    standby.promote();
    ready(&nodes);
    phone.me(nodes.client(0)).ok();
    assert_eq!(ended.me(nodes.client(0)).problem(), "401 signed_out");
}

#[test]
fn a_host_that_accepts_connections_and_says_nothing_hides_no_primary() {
    let Some(cluster) = Cluster::fresh() else { return };
    // As a database that was stopped by a signal: the kernel accepts for it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let both = url(&format!("{},{}", silent.local_addr().unwrap(), cluster.address()));
    let nodes = patient_nodes(&both, 1);
    Session::register(nodes.client(0), "ada", "Phone").assert_alive(nodes.client(0));
}

#[test]
fn a_database_that_is_gone_is_503_until_it_is_back() {
    let Some(mut cluster) = Cluster::fresh() else { return };
    let nodes = patient_nodes(&cluster.url(), 2);
    let key = nodes.service_key(&["sessions", "introspect"]);
    let phone = Session::register(nodes.client(0), "ada", "Phone");
    let ended = opened(nodes.client(1), &key, "ada");
    nodes.client(0).form("/oauth/revoke", "", &format!("token={}", ended.refresh)).ok();
    cluster.stop();
    for client in nodes.clients() {
        ask_in_vain(&client, &key, [&phone, &ended]);
        assert_says(&client, "refused");
        assert_unavailable(&phone.refresh(&client));
    }
    cluster.start();
    ready(&nodes);
    for client in nodes.clients() {
        phone.assert_alive(&client);
        ended.assert_dead(&client, "signed_out");
    }
}
