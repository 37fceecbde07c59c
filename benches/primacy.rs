//! Checks that rest on proofs that the database is the primary, compared with checks that do not.

use std::sync::Arc;

use anyhow::Result;

use crate::cluster::Cluster;
use crate::postgres::{CLIENTS, in_turns, me, shares};
use crate::results::Figure;
use crate::stage::Stage;

/// Measures checks that rest on a proof that the database is the primary: a commit for each batch of them, which a standby on
/// the same cores confirms.
pub(crate) fn measure() -> Result<Vec<Figure>> {
    let clients = CLIENTS[1];
    let (primary, _standby) = Cluster::with_standby()?;
    let (store, other) = (primary.database("proven")?, primary.database("unproven")?);
    let master_key = primary.master_key()?;
    let settings = |store| [("store", store), ("master_key_file", &*master_key)];
    let proven = [&settings(&store)[..], &[("proof_of_primacy", "0s")]].concat();
    let proven = Arc::new(Stage::open(&proven)?);
    let unproven = Arc::new(Stage::open(&settings(&other))?);
    let embedded = Arc::new(Stage::open(&[])?);
    let sides = [me(&proven, clients)?, me(&unproven, clients)?, me(&embedded, clients)?];
    let [proven, unproven, embedded] = in_turns(sides)?;
    let what = format!("`me` requests on PostgreSQL with the proof of every batch, {clients} clients");
    let beside = |whose: &str| format!("`me` requests {whose} beside it, {clients} clients");
    Ok(vec![
        Figure::median(format!("{what}, of those on the embedded store"), &shares(&proven, &embedded), "×")
            .goal("≥ 0.5×"),
        Figure::median(what, &proven, "/s"),
        Figure::median(beside("without a proof on the same cluster"), &unproven, "/s"),
        Figure::median(beside("on the embedded store"), &embedded, "/s"),
    ])
}
