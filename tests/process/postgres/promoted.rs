//! The primary dies under load and its synchronous standby is promoted: no acknowledged step is lost.

use rustix::process::Signal;
use serde_json::json;

use super::load::Load;
use super::nodes::{Nodes, opened};
use super::restarted::ready;
use super::standby::Pair;
use super::{count, figure, rounds};
use crate::session::{PASSWORD, Session};

const NODES: usize = 3;
/// The number of steps that are acknowledged before each promotion and after the last.
const STEPS: usize = 60;
/// The number of steps that are committed on a primary that dies, but not on the standby that is promoted.
const IN_BETWEEN: usize = 3;

#[test]
fn nothing_acknowledged_is_lost() {
    let Some(mut pair) = Pair::start() else { return };
    let nodes = Nodes::start(&pair.url(), NODES);
    let (mut load, rounds) = (Load::on(&nodes), rounds(2, 20));
    for round in 0..rounds {
        load.during(|progress| {
            progress.acknowledged(STEPS);
            if round % 2 == 0 {
                pair.promote_behind(IN_BETWEEN);
            } else {
                pair.promote();
            }
            // Until it has a standby itself, the new primary acknowledges nothing.
            pair.replace();
            ready(&nodes);
        });
    }
    load.during(|progress| progress.acknowledged(STEPS));
    figure("primaries killed under load, their synchronous standby promoted", count(rounds), "", None);
    load.tally().report();
}

/// A commit that has not reached the standby is not acknowledged, nor is a step that only read it.
#[test]
fn without_its_standby_nothing_is_acknowledged() {
    let Some(mut pair) = Pair::start() else { return };
    let nodes = Nodes::start(&pair.url(), 2);
    let key = nodes.service_key(&["sessions", "feed"]);
    let phone = Session::register(nodes.client(0), "ada", "Phone");
    let laptop = opened(nodes.client(1), &key, "ada");
    let ping = json!({ "nonce": "a-nonce-of-our-own", "applied": 0 });
    nodes.client(0).get("/api/v1/revocations", &key).ok();
    nodes.client(1).post("/api/v1/revocations/ping", &key, &ping).ok();
    pair.standby.kill();
    let refresh = json!({ "refresh": phone.refresh });
    for at in 0..4 {
        let node = nodes.client(at);
        let signed_out = pair.broken_off(|| node.post("/api/v1/auth/logout/", "", &refresh));
        assert_eq!(signed_out.problem(), "503 unavailable");
        // A reader of the primary may see the sign-out; no answer may report it.
        assert_eq!(phone.me(node).problem(), "401 signed_out");
        assert_eq!(pair.broken_off(|| node.get("/api/v1/revocations", &key)).problem(), "503 unavailable");
        assert_eq!(
            pair.broken_off(|| node.post("/api/v1/revocations/ping", &key, &ping)).problem(),
            "503 unavailable"
        );
    }
    // The primary's machine is lost, too, and the standby has no sign-out.
    pair.primary.kill();
    pair.standby.start();
    pair.standby.promote();
    pair.replace();
    ready(&nodes);
    phone.assert_alive(nodes.client(0));
    laptop.assert_alive(nodes.client(1));
}

/// The deletion of an account is reported, like any step, only once the standby has it.
#[test]
fn without_its_standby_nobody_is_gone() {
    let Some(pair) = Pair::start() else { return };
    let nodes = Nodes::start(&pair.url(), 2);
    let key = nodes.service_key(&["sessions"]);
    let phone = Session::register(nodes.client(0), "ada", "Phone");
    let laptop = opened(nodes.client(1), &key, "ada");
    pair.standby.signal(Signal::STOP);
    let deleted = pair.broken_off(|| {
        nodes.client(0).post("/api/v1/auth/delete-account/", &phone.access, &json!({ "password": PASSWORD }))
    });
    assert_eq!(deleted.problem(), "503 unavailable");
    let refresh = json!({ "refresh": laptop.refresh });
    let signed_out = pair.broken_off(|| nodes.client(1).post("/api/v1/auth/logout/", "", &refresh));
    assert_eq!(signed_out.problem(), "503 unavailable");
    pair.standby.signal(Signal::CONT);
    pair.wait_until_in_step();
    assert_eq!(nodes.client(1).post("/api/v1/auth/logout/", "", &refresh).ok()["signed_out"], 0);
}
