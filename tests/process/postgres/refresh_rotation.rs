//! A refresh token rotates once, on however many nodes it is presented at a time.

use std::sync::Barrier;
use std::thread;

use super::nodes::Nodes;
use super::{Cluster, count, figure, rounds};
use crate::session::Session;

const NODES: usize = 3;
const AT_ONCE: usize = 32;

/// The setting that makes a node trust the addresses that a test claims.
pub(super) const BEHIND_A_PROXY: [&str; 2] = ["--set", "trusted_proxies=127.0.0.1/32"];

/// Presents one token many times at once, and one of its successors after it; returns how often the device advanced.
/// Each round is on another network, since a device advances once a minute on one.
#[track_caller]
pub(super) fn refresh_at_once(nodes: &Nodes, rounds: usize) -> f64 {
    let mut phone = Session::register(nodes.client(0), "grace", "Phone");
    for round in 0..rounds {
        let all_here = Barrier::new(AT_ONCE);
        let address = format!("10.{}.{}.1", round / 256, round % 256);
        let tabs: Vec<Session> = thread::scope(|scope| {
            let tab = |number: usize| {
                let (phone, all_here) = (&phone, &all_here);
                let node = nodes.client(number + round).forwarded_for(&address);
                scope.spawn(move || {
                    all_here.wait();
                    phone.refreshed(&node)
                })
            };
            let tabs: Vec<_> = (0..AT_ONCE).map(tab).collect();
            tabs.into_iter().map(|tab| tab.join().unwrap()).collect()
        });
        // No tab was signed out, and the tabs' tokens are equivalent.
        assert!(tabs.iter().all(|tab| tab.device == phone.device));
        phone = tabs[round % AT_ONCE].clone();
    }

    phone.assert_alive(nodes.client(1));
    let class = |class: &str| nodes.metric(&format!("rescind_refreshes_total{{class=\"{class}\"}}"));
    // One less: the last refresh shows that the device still works.
    let (advanced, repeated) = (class("rotated") - 1.0, class("repeated"));
    assert_eq!((advanced, repeated), (count(rounds), count(rounds * (AT_ONCE - 1))));
    advanced
}

#[test]
fn of_parallel_refreshes_on_several_nodes_exactly_one_advances() {
    let Some(cluster) = Cluster::fresh() else { return };
    let nodes = Nodes::with(&cluster.url(), NODES, &BEHIND_A_PROXY);
    let rounds = rounds(10, 1000);
    let advanced = refresh_at_once(&nodes, rounds);
    figure("rounds of 32 parallel refreshes of one token on 3 nodes", count(rounds), "", None);
    figure("advances in all of these", advanced, "", Some("one a round"));
}
