//! A node's clock beside the database's: what it writes is kept by the one and dropped by the others.

use super::Cluster;
use super::nodes::Nodes;
use crate::clocks::{clocks_can_be_set, off_by};
use crate::place::run;

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
