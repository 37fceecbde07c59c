//! A full disk of the database: writes are refused, checks go on, and a start reports the cause.

use serde_json::json;

use super::Cluster;
use super::cluster::is_root;
use super::nodes::{Nodes, Shared, opened};
use crate::client::Answer;
use crate::session::Session;
use crate::skipped::skipped;

/// Mounts a small disk in the mount namespace of the postmaster.
const SMALL_DISK: &str = "mount -t tmpfs -o size=64m,uid=65534,gid=65534,mode=0700 small /mnt && exec \"$@\"";

/// A cluster whose databases are on a small disk; its write-ahead log is elsewhere, since a full disk would end the
/// server.
fn small() -> Option<Cluster> {
    if !is_root() {
        skipped("only root can mount a small disk, so nothing shows what a full one does");
        return None;
    }
    let cluster = Cluster::fresh_within(&["unshare", "--mount", "sh", "-c", SMALL_DISK, "sh"])?;
    for statement in [
        "create tablespace small location '/mnt'",
        "create table filler (content bytea) tablespace small",
        "alter table filler alter column content set storage external",
    ] {
        cluster.sql_in("postgres", statement);
    }
    cluster.sql_in("postgres", "alter database rescind set tablespace small");
    // The first connection writes a file that every later one reads.
    cluster.sql("select");
    Some(cluster)
}

/// Fills the disk, in smaller and smaller pieces.
fn fill(cluster: &Cluster) {
    let fill = "do $$ declare piece int := 4000000; begin
        while piece > 100 loop
            begin insert into filler values (convert_to(repeat('x', piece), 'UTF8'));
            exception when disk_full then piece := piece / 2; end;
        end loop; end $$";
    cluster.sql_in("postgres", fill);
}

fn assert_refused(answer: &Answer) {
    assert_eq!(answer.problem(), "503 unavailable");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
}

#[test]
fn writes_are_refused_and_checks_go_on() {
    let Some(cluster) = small() else { return };
    let nodes = Nodes::start(&cluster.url(), 2);
    let key = nodes.service_key(&["sessions", "introspect"]);
    let phone = Session::register(nodes.client(0), "ada", "Phone");
    fill(&cluster);
    // Pages with free space take a few more rows.
    let mut taken = 0;
    while super::nodes::open(nodes.client(taken), &key, "ada").status == 201 {
        taken += 1;
        assert!(taken < 1000, "the disk is not full");
    }
    assert_refused(&super::nodes::open(nodes.client(0), &key, "ada"));
    for client in nodes.clients() {
        phone.me(&client).ok();
        assert_eq!(
            client.form("/oauth/introspect", &key, &format!("token={}", phone.access)).ok()["active"],
            true
        );
    }
    cluster.sql_in("postgres", "drop table filler");
    opened(nodes.client(0), &key, "ada").assert_alive(nodes.client(1));
    nodes.client(1).post("/api/v1/auth/logout-all/", &phone.access, &json!({})).ok();
    phone.assert_dead(nodes.client(0), "signed_out_everywhere");
}

#[test]
fn a_start_without_room_for_the_tables_is_refused() {
    let Some(cluster) = small() else { return };
    fill(&cluster);
    let shared = Shared::new(&cluster.url());
    shared.refused(&[]).assert_failed(&["the database's disk is full", "make room"]);
    cluster.sql_in("postgres", "drop table filler");
    let node = shared.join(&[]);
    Session::register(&node.server.client, "ada", "Phone").assert_alive(&node.server.client);
}
