//! Refresh tokens of another system that several nodes are shown at once.

use std::thread;

use super::cluster::Cluster;
use super::nodes::Nodes;
use super::rounds;
use crate::former_sessions::{device, exchanging, token};
use crate::place::Place;

/// How often each token is shown, to the nodes in turn.
const SHOWN: usize = 6;

#[test]
fn a_token_that_two_nodes_are_shown_at_once_means_one_device() {
    let Some(cluster) = Cluster::fresh() else { return };
    let (place, tokens) = (Place::new(), rounds(5, 20));
    let settings = exchanging(&place);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let nodes = Nodes::with(&cluster.url(), 2, &settings);
    nodes.command(0, &["user", "add", "ada", "--external-id", "42", "--no-password"]).ok();
    for number in 0..tokens {
        let token = token(&format!("shown-{number}"));
        nodes.shared.secrets.note(&token);
        let devices: Vec<String> = thread::scope(|scope| {
            let showing = |at| {
                scope.spawn({
                    let (nodes, token) = (&nodes, &token);
                    move || device(nodes.client(at), token)
                })
            };
            let showing: Vec<_> = (0..SHOWN).map(showing).collect();
            showing.into_iter().map(|device| device.join().unwrap()).collect()
        });
        assert!(devices.iter().all(|device| *device == devices[0]), "{devices:?}");
    }
    let ended = nodes.command(1, &["user", "logout-all", "ada", "--json"]).json();
    assert_eq!(ended["signed_out"], tokens, "each token opened one device");
}
