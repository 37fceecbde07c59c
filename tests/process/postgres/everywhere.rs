//! A sign-out acknowledged by one node is in force on all nodes from that answer on.

use std::thread;
use std::time::Instant;

use serde_json::json;

use super::nodes::{Nodes, opened};
use super::{Cluster, count, figure, rounds};
use crate::client::Client;
use crate::session::Session;

const NODES: usize = 3;
const CLIENTS: usize = 8;

/// Signs one user out everywhere on one node after the other, and checks at once on the others. Returns how often an
/// earlier token was still accepted.
fn sign_out_over_and_over(nodes: &[Client], key: &str, user: &str, rounds: usize) -> usize {
    Session::register(&nodes[0], user, "Phone");
    let first = opened(&nodes[0], key, user);
    nodes[0].post("/api/v1/auth/logout-all/", &first.access, &json!({})).ok();
    let node = |at: usize| &nodes[at % nodes.len()];
    let mut accepted = 0;
    for round in 0..rounds {
        let leaving = opened(node(round), key, user);
        let staying = opened(node(round + 1), key, user);
        // Every node has verified the token and remembers that, which must not be enough.
        for at in 0..nodes.len() {
            assert_eq!(staying.me(node(at)).status, 200);
        }
        let signed_out = node(round + 1).post("/api/v1/auth/logout-all/", &leaving.access, &json!({})).ok();
        assert_eq!(signed_out["signed_out"], 2);
        for (token, at) in [(&staying, round + 2), (&leaving, round), (&staying, round + 1)] {
            let answer = token.me(node(at));
            if answer.status == 200 {
                accepted += 1;
            } else {
                assert_eq!(answer.problem(), "401 signed_out_everywhere");
            }
        }
        assert_eq!(staying.refresh(node(round)).problem(), "401 signed_out_everywhere");
    }
    accepted
}

/// Runs such sign-outs for several users at a time.
pub(super) fn accepted_afterwards(nodes: &Nodes, each: usize) -> usize {
    let (key, clients) = (nodes.service_key(&["sessions"]), nodes.clients());
    thread::scope(|scope| {
        let user = |number: usize| {
            let (user, clients, key) = (format!("user-{number}"), &clients, &key);
            scope.spawn(move || sign_out_over_and_over(clients, key, &user, each))
        };
        let users: Vec<_> = (0..CLIENTS).map(user).collect();
        users.into_iter().map(|user| user.join().unwrap()).sum()
    })
}

#[test]
fn no_earlier_token_is_accepted_after_the_answer() {
    let Some(cluster) = Cluster::fresh() else { return };
    let nodes = Nodes::start(&cluster.url(), NODES);
    let each = rounds(20, 1250);
    let begun = Instant::now();
    let accepted = accepted_afterwards(&nodes, each);
    let took = begun.elapsed().as_secs_f64();
    let all = CLIENTS * each;
    figure("rounds of logout-all on one node and at once a check on the others", count(all), "", None);
    figure("such rounds a second, with 8 clients on 3 nodes", count(all) / took, "/s", None);
    figure("earlier tokens accepted after the answer", count(accepted), "", Some("0"));
    assert_eq!(accepted, 0);
}

#[test]
fn every_kind_of_sign_out_holds_on_the_other_nodes() {
    let Some(cluster) = Cluster::fresh() else { return };
    let nodes = Nodes::start(&cluster.url(), 2);
    let (one, other) = (nodes.client(0), nodes.client(1));
    let key = nodes.service_key(&["sessions", "admin"]);
    Session::register(one, "ada", "Phone");
    let signed_in = || [opened(one, &key, "ada"), opened(other, &key, "ada")];

    let [phone, laptop] = signed_in();
    one.post("/api/v1/auth/logout/", "", &json!({ "refresh": phone.refresh })).ok();
    phone.assert_dead(other, "signed_out");
    laptop.assert_alive(other);

    let [phone, laptop] = signed_in();
    one.post("/api/v1/auth/logout-others/", &phone.access, &json!({})).ok();
    laptop.assert_dead(other, "signed_out_everywhere");
    assert_eq!(phone.me(other).problem(), "401 superseded");
    phone.refreshed(other).assert_alive(other);

    let [phone, laptop] = signed_in();
    one.post("/api/v1/admin/users/ada/disable/", &key, &json!({})).ok();
    phone.assert_dead(other, "user_disabled");
    laptop.assert_dead(other, "user_disabled");
    other.post("/api/v1/admin/users/ada/enable/", &key, &json!({})).ok();

    let [phone, laptop] = signed_in();
    one.post("/api/v1/admin/everyone/logout/", &key, &json!({})).ok();
    phone.assert_dead(other, "reset");
    laptop.assert_dead(one, "reset");
    opened(other, &key, "ada").assert_alive(one);
}
