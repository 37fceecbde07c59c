//! Checks that rest on proofs that the database is the primary, compared with checks that do not.

use std::sync::Arc;

use anyhow::{Result, ensure};

use crate::cluster::Cluster;
use crate::postgres::{CLIENTS, in_turns, me, shares};
use crate::results::Figure;
use crate::stage::Stage;

/// Measures checks that rest on a proof for each batch of them that the database is the primary: by the answer of its standby
/// on the same cores, where the node knows its address, or by a commit that the standby confirms.
pub(crate) fn measure() -> Result<Vec<Figure>> {
    let clients = CLIENTS[1];
    let (primary, standby) = Cluster::with_standby()?;
    let master_key = primary.master_key()?;
    let open = |store: &str, proof: &str| {
        Stage::open(&[("store", store), ("master_key_file", &master_key), ("proof_of_primacy", proof)])
            .map(Arc::new)
    };
    let asking = open(&primary.database_beside(&standby, "asking")?, "0s")?;
    let committing = open(&primary.database("committing")?, "0s")?;
    let unproven = open(&primary.database("unproven")?, "off")?;
    let embedded = Arc::new(Stage::open(&[])?);
    let sides =
        [me(&asking, clients)?, me(&committing, clients)?, me(&unproven, clients)?, me(&embedded, clients)?];
    let [asked, committed, unproven, embedded] = in_turns(sides)?;
    let by_recovery = [proven_groups(&asking, "recovery")?, proven_groups(&committing, "recovery")?];
    ensure!(by_recovery[0] > 1_000.0 && by_recovery[1] < 1.0, "a proof was another than expected");
    ensure!(proven_groups(&asking, "commit")? < by_recovery[0] / 100.0, "the standby was seldom asked");
    let proven = format!("`me` requests on PostgreSQL with the proof of every batch, {clients} clients");
    let by_commit =
        format!("`me` requests on PostgreSQL with a commit as the proof of every batch, {clients} clients");
    let of_embedded = |what: &str, rates: &[f64]| {
        Figure::median(format!("{what}, of those on the embedded store"), &shares(rates, &embedded), "×")
    };
    let beside = |whose: &str| format!("`me` requests {whose} beside it, {clients} clients");
    Ok(vec![
        of_embedded(&proven, &asked).goal("≥ 0.5×"),
        Figure::median(proven, &asked, "/s"),
        of_embedded(&by_commit, &committed),
        Figure::median(by_commit, &committed, "/s"),
        Figure::median(beside("without a proof on the same cluster"), &unproven, "/s"),
        Figure::median(beside("on the embedded store"), &embedded, "/s"),
    ])
}

/// The number of groups of checks that rested on proofs of a kind.
fn proven_groups(stage: &Stage, kind: &str) -> Result<f64> {
    let text = stage.metrics().encode();
    let name = format!("rescind_database_proven_groups_total{{kind=\"{kind}\"}} ");
    let number = text.lines().find_map(|line| line.strip_prefix(&name));
    Ok(number.map(str::parse).transpose()?.unwrap_or_default())
}
