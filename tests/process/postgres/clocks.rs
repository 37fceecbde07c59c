//! A node whose clock differs from the database's: it does not start, or answers nothing until the clock is right.

use super::Cluster;
use super::nodes::{Nodes, Shared};
use crate::clocks::{Clock, clocks_can_be_set, off_by};
use crate::place::run;
use crate::session::Session;

#[test]
fn the_doctor_sees_a_clock_that_is_apart_from_the_databases() {
    let Some(cluster) = Cluster::fresh().filter(|_| clocks_can_be_set()) else { return };
    let nodes = Nodes::start(&cluster.url(), 1);
    let of_the_clock = |offset: &str| {
        let mut doctor = nodes.shared.program(&nodes.nodes[0].place, &["doctor"]);
        off_by(&mut doctor, offset);
        let said = run(doctor, "").out;
        said.lines().find(|line| line.contains("the database")).unwrap_or_else(|| panic!("{said}")).to_owned()
    };
    for (offset, way) in [("+1h", "ahead of"), ("-1h", "behind")] {
        let said = of_the_clock(offset);
        assert!(said.starts_with("BAD") && said.ends_with(&format!("s {way} the database's")), "{said}");
    }
    assert!(of_the_clock("+5s").ends_with("the database answers"));
}

#[test]
fn a_node_whose_clock_is_apart_from_the_databases_does_not_start() {
    let Some(cluster) = Cluster::fresh().filter(|_| clocks_can_be_set()) else { return };
    let nodes = Nodes::start(&cluster.url(), 1);
    for (offset, way) in [("+70m", "ahead of"), ("-70m", "behind"), ("+40d", "ahead of")] {
        let ran = nodes.shared.refused_with(&[], |serve| off_by(serve, offset));
        ran.assert_failed(&[&format!(" s {way} the database's: set it")]);
        let mut command = nodes.shared.program(&nodes.nodes[0].place, &["store", "restored", "--yes"]);
        off_by(&mut command, offset);
        run(command, "").assert_failed(&[&format!(" s {way} the database's: set it")]);
    }
    let (near, ()) = nodes.shared.join_with(&[], |serve, _| off_by(serve, "+30s"));
    Session::register(&near.server.client, "ada", "Phone").assert_alive(nodes.client(0));
}

#[test]
fn a_node_whose_clock_drifts_away_answers_nothing_until_it_is_right() {
    let Some(cluster) = Cluster::fresh().filter(|_| clocks_can_be_set()) else { return };
    let nodes = Nodes::start(&cluster.url(), 1);
    let (other, clock) = nodes.shared.join_with(&[], |serve, place| Clock::of(serve, &place.path("clock")));
    let (right, wrong) = (nodes.client(0), &other.server.client);
    let phone = Session::register(wrong, "ada", "Phone");
    phone.assert_alive(right);
    for (offset, way) in [("+90", "ahead of"), ("-4200", "behind"), ("+3456000", "ahead of")] {
        clock.set(offset);
        other.server.stderr.wait_for_line("nothing is answered until the clock is right");
        for answer in [phone.me(wrong), phone.refresh(wrong), wrong.get("/readyz", "")] {
            assert_eq!(answer.problem(), "503 unavailable", "{offset}");
        }
        let why = wrong.get("/readyz", "").json()["detail"].as_str().unwrap().to_owned();
        assert!(why.starts_with("The clock is wrong: ") && why.contains(way), "{why}");
        assert_eq!(wrong.get("/livez", "").status, 200);
        assert_eq!(phone.me(right).status, 200);
        clock.set("+0");
        assert_eq!(phone.me(wrong).status, 200);
    }
    phone.assert_alive(wrong);
}

#[test]
fn a_node_whose_clock_is_apart_from_the_databases_does_not_sweep() {
    let Some(cluster) = Cluster::fresh().filter(|_| clocks_can_be_set()) else { return };
    let shared = Shared::new(&cluster.url());
    let (node, clock) = shared.join_with(&[], |serve, place| Clock::of(serve, &place.path("clock")));
    let phone = Session::register(&node.server.client, "ada", "Phone");
    // Beyond the lifetime of every device.
    clock.set("+34560000");
    let swept = node.server.stderr.wait_for_line("the sweep");
    assert!(swept.contains("fails") && swept.contains("the clock is wrong"), "{swept}");
    clock.set("+0");
    phone.assert_alive(&node.server.client);
}
