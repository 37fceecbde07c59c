//! A change of keys on one node is in force on all nodes at once.

use super::Cluster;
use super::nodes::Nodes;
use crate::session::Session;

fn kids(key_list: &serde_json::Value, state: &str) -> Vec<String> {
    let keys = key_list["keys"].as_array().unwrap().iter();
    keys.filter(|key| key["state"] == state).map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn no_node_uses_a_key_that_another_one_distrusted() {
    let Some(cluster) = Cluster::fresh() else { return };
    let nodes = Nodes::start(&cluster.url(), 2);
    let published = |at: usize| nodes.client(at).get("/.well-known/paserk", "").ok();
    let phone = Session::register(nodes.client(1), "ada", "Phone");
    phone.assert_alive(nodes.client(0));
    let active = kids(&published(1), "active");

    nodes.command(0, &["key", "distrust", &active[0], "--yes"]).ok();
    assert_eq!(phone.me(nodes.client(1)).problem(), "401 token_invalid");
    assert_eq!(kids(&published(1), "active"), kids(&published(0), "active"));
    assert_ne!(kids(&published(1), "active"), active);
    // Each mints with the new key, and each takes what the other has minted.
    for at in 0..2 {
        Session::login(nodes.client(at), "ada", "Laptop").assert_alive(nodes.client(at + 1));
    }
    nodes.command(1, &["key", "rotate"]).ok();
    for at in 0..2 {
        Session::login(nodes.client(at), "ada", "Laptop").assert_alive(nodes.client(at + 1));
    }
}
