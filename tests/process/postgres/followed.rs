//! Followers of a node that is cut off from the database while another node still signs users out: neither the node
//! nor its followers can prove freshness.

use std::time::Instant;

use serde_json::json;

use super::Cluster;
use super::cluster::url;
use super::nodes::{Node, Shared};
use crate::faulty_proxy::{FaultyProxy, NetworkFault};
use crate::guarded::BOUND;
use crate::place::RESCIND;
use crate::server::Server;
use crate::session::Session;

/// A guard that follows this node.
fn guard(shared: &Shared, node: &Node, key: &str, issuer: &str) -> Server {
    guard_expecting(shared, node, key, (issuer, "rescind"), "1s")
}

/// A guard that follows this node, with the names that it expects in tokens and its bound.
pub(super) fn guard_expecting(
    shared: &Shared,
    node: &Node,
    key: &str,
    (issuer, audience): (&str, &str),
    bound: &str,
) -> Server {
    let url = format!("http://{}", node.server.client.address);
    let words = ["guard", "--url", &url, "--issuer", issuer, "--audience", audience];
    let rest = ["--listen", "127.0.0.1:0", "--max-staleness", bound];
    let mut command = node.place.program(RESCIND, &[&words[..], &rest[..]].concat());
    command.env("RESCIND_SERVICE_KEY", key);
    let guard = Server::start(command, &shared.secrets);
    guard.assert_ready();
    guard
}

fn a_node_whose_database_is(fault: NetworkFault) {
    let Some(cluster) = Cluster::fresh() else { return };
    let proxy = FaultyProxy::to_database(&cluster.address());
    let shared = Shared::new(&cluster.url());
    let well = shared.join(&[]);
    let cut_off = shared.with_store(&url(&proxy.address)).join(&[]);
    let key = shared.service_key(&well, &["feed"]);
    let published = well.server.client.get("/.well-known/paserk", "").ok();
    let issuer = published["issuer"].as_str().unwrap();
    let guards = [&cut_off, &cut_off, &well].map(|node| guard(&shared, node, &key, issuer));

    let client = &well.server.client;
    let (gone, good) = (Session::register(client, "ada", "Phone"), Session::register(client, "eve", "Phone"));
    for guard in &guards {
        guard.assert_comes_to(&gone.access, "204");
    }
    proxy.set(fault);
    client.post("/api/v1/auth/logout-all", &gone.access, &json!({})).ok();
    let acknowledged = Instant::now();
    while acknowledged.elapsed() < BOUND * 2 {
        for guard in &guards {
            let past = acknowledged.elapsed() > BOUND;
            let status = guard.check(&gone.access).status;
            assert!(!(past && status == 204), "accepted {:?} later", acknowledged.elapsed());
        }
    }
    let [first, second, of_the_well] = &guards;
    for guard in [first, second] {
        assert_eq!(guard.verdict(&good.access), "503 stale", "{}", guard.stderr.text());
    }
    of_the_well.assert_comes_to(&gone.access, "401 signed_out_everywhere");
    of_the_well.assert_comes_to(&good.access, "204");

    proxy.set(NetworkFault::None);
    for guard in &guards {
        guard.assert_comes_to(&gone.access, "401 signed_out_everywhere");
        guard.assert_comes_to(&good.access, "204");
    }
}

#[test]
fn a_node_that_hears_nothing_of_its_database_proves_nothing() {
    a_node_whose_database_is(NetworkFault::Silent);
}

#[test]
fn a_node_without_a_way_to_its_database_proves_nothing() {
    a_node_whose_database_is(NetworkFault::Cut);
}
