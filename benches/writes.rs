//! Durable writes: refreshes over HTTP, and the gain of group commit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use rescind::model::claims::Presented;
use rescind::model::device::{Device, DeviceName};
use rescind::store::queries::service::ReadCounters;
use rescind::store::steps::caller::CallerToken;
use rescind::store::steps::rename_device::{RenameDevice, Renamed};

use crate::load::{self, request};
use crate::results::Figure;
use crate::stage::Stage;

const CLIENTS: usize = 64;
const WRITERS: usize = 256;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_secs(2);

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let stage = Arc::new(Stage::open(&[])?);
    let refreshes = refreshes(&stage)?;
    let devices = stage.run(async {
        let mut devices = Vec::new();
        for number in 0..WRITERS {
            let user = stage.add_user(&format!("writer-{number}")).await?;
            devices.push(stage.add_device(user).await?);
        }
        anyhow::Ok(devices)
    })?;
    let (mut alone, mut together, mut gain) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let one = renames(&stage, devices.get(..1).context("a device")?)?;
        let many = renames(&stage, &devices)?;
        alone.push(one);
        together.push(many);
        gain.push(many / one);
    }
    Ok(vec![
        Figure::median(format!("durable refreshes over HTTP with {CLIENTS} clients"), &refreshes, "/s")
            .goal("≥ 5,000/s on two cores"),
        Figure::median(
            format!("acknowledged store writes with {WRITERS} writers, of those with 1"),
            &gain,
            "×",
        )
        .goal("≥ 10×"),
        Figure::median(format!("acknowledged store writes with {WRITERS} writers"), &together, "/s"),
        Figure::median("acknowledged store writes with 1 writer", &alone, "/s"),
    ])
}

/// Measures refreshes a second: every client refreshes one device over and over with the newest token.
pub(crate) fn refreshes(stage: &Stage) -> Result<Vec<f64>> {
    let address = stage.serve_public()?;
    let mut requests = stage.run(async {
        let mut requests = Vec::new();
        for number in 0..CLIENTS {
            let user = stage.add_user(&format!("client-{number}")).await?;
            requests.push(refresh(&stage.sign_in(user).await?.refresh));
        }
        anyhow::Ok(requests)
    })?;
    let mut rates = Vec::new();
    // The first round warms up.
    for round in 0..=ROUNDS {
        let rate = load::rate(address, &mut requests, ROUND, |answer, request| {
            let (_, rest) =
                std::str::from_utf8(answer)?.split_once("\"refresh\":\"").context("no refresh token")?;
            *request = refresh(rest.split('"').next().context("no refresh token")?);
            Ok(())
        })?;
        if round > 0 {
            rates.push(rate);
        }
    }
    Ok(rates)
}

fn refresh(token: &str) -> Vec<u8> {
    let body = format!("{{\"refresh\":\"{token}\"}}");
    request("POST", "/api/v1/auth/refresh", "", Some(("application/json", &body)))
}

/// Measures how many renames a second are acknowledged when each device has a writer of its own.
fn renames(stage: &Arc<Stage>, devices: &[Device]) -> Result<f64> {
    stage.run(async {
        let started = Instant::now();
        let writers = devices.iter().cloned().map(|device| tokio::spawn(writer(Arc::clone(stage), device)));
        let mut acknowledged = 0;
        for writer in writers.collect::<Vec<_>>() {
            acknowledged += writer.await??;
        }
        Ok(f64::from(acknowledged) / started.elapsed().as_secs_f64())
    })
}

async fn writer(stage: Arc<Stage>, device: Device) -> Result<u32> {
    let expires = device.end();
    let presented = Presented { user: device.user, device: device.id, stamp: device.stamp, expires };
    let caller = CallerToken { presented, keys: stage.store().read(ReadCounters).await?.keys };
    let name = |text| DeviceName::parse(text).map_err(|why| anyhow!("{why:?}"));
    let names = [name("phone")?, name("tablet")?];
    let started = Instant::now();
    let mut acknowledged = 0;
    for name in names.iter().cycle().take_while(|_| started.elapsed() < ROUND) {
        let (store, now) = (stage.store(), stage.now());
        let renaming = RenameDevice { caller, device: device.id, name: name.clone(), now };
        match store.run(renaming).await? {
            Renamed::Renamed(_) => acknowledged += 1,
            other => bail!("renaming came to {other:?}"),
        }
    }
    Ok(acknowledged)
}
