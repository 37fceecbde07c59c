//! The service on an empty store: the time until it listens, and its idle memory.

use std::time::Duration;

use anyhow::Result;

use crate::machine::rest;
use crate::results::Figure;
use crate::served::Served;

const ROUNDS: usize = 11;

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let (mut first, mut again, mut resident) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let served = Served::start(folder.path())?;
        first.push(served.took.as_secs_f64());
        rest(Duration::from_secs(1));
        resident.push(served.resident()?);
        drop(served);
        again.push(Served::start(folder.path())?.took.as_secs_f64());
    }
    Ok(vec![
        Figure::median("first start to listening, which makes the store and its keys", &first, "s")
            .goal("≤ 0.3 s"),
        Figure::median("start to listening on an empty store, after `kill -9`", &again, "s").goal("≤ 0.3 s"),
        Figure::median("resident memory after start on an empty store", &resident, "MiB").goal("≤ 64 MiB"),
    ])
}
