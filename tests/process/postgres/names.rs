//! Nodes whose settings name different issuers, as while they are restarted one after the other.

use super::Cluster;
use super::followed::guard_expecting;
use super::nodes::{Nodes, Shared};
use crate::place::{Place, run};
use crate::session::Session;

#[test]
fn nodes_take_each_others_tokens_while_the_issuer_changes() {
    let Some(cluster) = Cluster::fresh() else { return };
    let nodes = Nodes::start(&cluster.url(), 1);
    let old = Session::register(nodes.client(0), "ada", "Phone");
    let (shared, key) = (&nodes.shared, nodes.shared.service_key(&nodes.nodes[0], &["feed"]));
    let published = nodes.client(0).get("/.well-known/paserk", "").ok();
    let before = (published["issuer"].as_str().unwrap(), "rescind");
    let of_the_old = guard_expecting(shared, &nodes.nodes[0], &key, before, "10s");
    of_the_old.assert_comes_to(&old.access, "204");
    let changed =
        nodes.shared.join(&["--set", "issuer=https://auth.example.com", "--set", "audience=orders"]);
    let new = Session::login(&changed.server.client, "ada", "Laptop");
    let now = ("https://auth.example.com", "orders");
    let of_the_new = guard_expecting(shared, &changed, &key, now, "10s");
    for guard in [&of_the_old, &of_the_new] {
        for session in [&old, &new] {
            guard.assert_comes_to_accept(&session.access);
        }
    }
    for client in [nodes.client(0), &changed.server.client] {
        assert_eq!(old.me(client).ok()["device"]["id"], old.device.as_str());
        assert_eq!(new.me(client).ok()["device"]["id"], new.device.as_str());
    }
    // A node of the old settings that is started anew knows both as well.
    let again = nodes.shared.join(&[]);
    old.assert_alive(&again.server.client);
    new.assert_alive(&again.server.client);
    let changed = old.with_new_password(nodes.client(0), "another long password");
    for guard in [&of_the_old, &of_the_new] {
        guard.assert_comes_to(&new.access, "401 signed_out_everywhere");
        guard.assert_comes_to(&old.access, "401 password_changed");
        guard.assert_comes_to_accept(&changed.access);
    }
}

#[test]
fn a_database_that_was_put_back_from_a_copy_revives_nothing() {
    let Some(cluster) = Cluster::fresh() else { return };
    let shared = Shared::new(&cluster.url());
    let node = shared.join(&[]);
    let key = shared.service_key(&node, &["introspect"]);
    let phone = Session::register(&node.server.client, "ada", "Phone");
    node.server.stop();
    let place = Place::patient();
    let done = run(shared.program(&place, &["store", "restored", "--yes", "--json"]), "").json();
    assert_eq!(done["service_keys"]["dropped"][0]["name"], "tests");
    assert_eq!(done["signing_keys"]["distrusted"].as_array().unwrap().len(), 4);
    assert!(done["newest_record"].as_str().unwrap().starts_with("20"), "{done}");
    let node = shared.join(&[]);
    let client = &node.server.client;
    phone.assert_dead(client, "token_invalid");
    assert_eq!(client.form("/oauth/introspect", &key, &format!("token={}", phone.access)).status, 401);
    Session::login(client, "ada", "Phone").assert_alive(client);
}
