//! Signing out everywhere: the cost of ten thousand devices compared with one, and the time until it is in force.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rescind::model::ids::UserId;
use rescind::store::Store;
use rescind::store::memory::Memory;

use crate::load::{Connection, request};
use crate::machine::rest;
use crate::results::{Figure, median, quantile};
use crate::stage::{Stage, order};

pub(crate) const MANY: u64 = 10_000;
const PAIRS: u64 = 25;
const TRUTHS: usize = 300;
/// Allows as many devices of one user as [`MANY`].
pub(crate) const CAP: [(&str, &str); 1] = [("devices_per_user", "10000")];

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let stage = Arc::new(Stage::open(&CAP)?);
    let [many, one] = times(&stage, PAIRS)?;
    let mut figures = vec![
        Figure::once(
            format!("logout-all with {MANY} devices, of its median time with 1"),
            median(&many) / median(&one),
            "×",
        )
        .goal("≤ 1.2"),
        Figure::median(format!("logout-all with {MANY} devices"), &many, "ms"),
        Figure::median("logout-all with 1 device", &one, "ms"),
    ];
    let (many, one) = (writes(MANY)?, writes(1)?);
    figures.push(
        Figure::once(format!("store writes of logout-all with {MANY} devices"), many, "")
            .goal("the same as with 1"),
    );
    figures.push(Figure::once("store writes of logout-all with 1 device", one, ""));
    figures.extend(truth(&stage)?);
    Ok(figures)
}

/// Signs pairs of users out everywhere in turn, one with many devices and one with a single device. Returns the
/// milliseconds that each took.
pub(crate) fn times(stage: &Arc<Stage>, pairs: u64) -> Result<[Vec<f64>; 2]> {
    let tokens = stage.run(async {
        let (mut many, mut tokens) = (Vec::new(), Vec::new());
        for pair in 0..pairs {
            many.push(stage.add_user(&format!("many-{pair}")).await?);
        }
        let users: Arc<[UserId]> = many.clone().into();
        // In turns, since a user's sign-ins wait for each other.
        let sign_in = move |stage: Arc<Stage>, number: u64| {
            let users = Arc::clone(&users);
            async move {
                let user =
                    usize::try_from(number % pairs).ok().and_then(|at| users.get(at)).context("a user")?;
                stage.add_device(*user).await.map(drop)
            }
        };
        stage.for_each((MANY - 1) * pairs, sign_in).await?;
        for (pair, many) in many.into_iter().enumerate() {
            let one = stage.add_user(&format!("one-{pair}")).await?;
            tokens.push([stage.sign_in(many).await?.access, stage.sign_in(one).await?.access]);
        }
        anyhow::Ok(tokens)
    })?;
    rest(Duration::from_secs(1));
    let address = stage.serve_public()?;
    let mut connection = Connection::open(address)?;
    let mut times = [Vec::new(), Vec::new()];
    for (round, pair) in tokens.iter().enumerate() {
        for turn in 0..2 {
            let at = (round + turn) % 2;
            let request = request("POST", "/api/v1/auth/logout-all", pair.get(at).context("a token")?, None);
            let started = Instant::now();
            connection.ask(&request)?.ok()?;
            times.get_mut(at).context("a side")?.push(milliseconds(started.elapsed()));
        }
    }
    Ok(times)
}

/// Counts the records that one logout-all writes, with the reference store: a step writes the same in every engine.
fn writes(devices: u64) -> Result<f64> {
    let engine = Arc::new(Memory::default());
    let stage = Arc::new(Stage::over(Store::new(engine.clone()), &CAP)?);
    stage.run(async {
        let user = stage.add_user("counted").await?;
        stage
            .for_each(devices, move |stage, _| async move { stage.add_device(user).await.map(drop) })
            .await?;
        let before = engine.writes();
        let signed_out = stage.use_cases.administration.logout_all_of(user, order()).await?.signed_out;
        if signed_out != devices {
            bail!("{signed_out} devices were signed out, not {devices}");
        }
        Ok(f64::from(u32::try_from(engine.writes() - before)?))
    })
}

/// Measures the time from the answer of logout-all to the first answer that refuses an earlier token.
fn truth(stage: &Stage) -> Result<Vec<Figure>> {
    let address = stage.serve_public()?;
    let mut times = Vec::new();
    let mut believed = 0_u32;
    for number in 0..TRUTHS {
        let tokens = stage.run(async {
            let user = stage.add_user(&format!("truth-{number}")).await?;
            anyhow::Ok([stage.sign_in(user).await?.access, stage.sign_in(user).await?.access])
        })?;
        let [leaving, other] = &tokens;
        let (mut one, mut two) = (Connection::open(address)?, Connection::open(address)?);
        let check = request("GET", "/api/v1/auth/me", other, None);
        two.ask(&check)?.ok()?;
        one.ask(&request("POST", "/api/v1/auth/logout-all", leaving, None))?.ok()?;
        let answered = Instant::now();
        while two.ask(&check)?.status == 200 {
            believed += 1;
        }
        times.push(milliseconds(answered.elapsed()));
    }
    let what = "from logout-all's answer to the first refused request";
    Ok(vec![
        Figure::once(format!("{what}, median of {TRUTHS}"), median(&times), "ms"),
        Figure::once(format!("{what}, 99th percentile"), quantile(&times, 0.99), "ms"),
        Figure::once("requests answered with an earlier token after that", f64::from(believed), "").goal("0"),
    ])
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
