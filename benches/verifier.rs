//! Local verification: its cost, the time until a sign-out is in force at every follower, and the memory of the
//! entries.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pasetors::Public;
use pasetors::keys::AsymmetricPublicKey;
use pasetors::token::UntrustedToken;
use pasetors::version4::{PublicToken, V4};
use rescind::model::ids::UserId;
use rescind::model::revocation::Revocation;
use rescind::model::service_key::Scope;
use rescind::verifier::{Builder, Event, ServiceKey, Verifier};
use tokio::runtime::Runtime;

use crate::guarded;
use crate::load::{Connection, request};
use crate::machine::{rest, workers_apart};
use crate::results::{Figure, median, quantile};
use crate::stage::{ISSUER, Stage, order};

/// The default audience of tokens.
pub(crate) const AUDIENCE: &str = "rescind";

const ROUNDS: usize = 31;
/// The number of followers, the number of sign-outs, and the goal for the time until every follower refuses.
const CROWDS: [(usize, usize, &str); 2] = [(100, 300, "≤ 5 ms"), (1_000, 100, "≤ 50 ms")];
const ENTRIES: u64 = 100_000;
/// Allows as many followers as the largest of [`CROWDS`].
pub(crate) const MANY_STREAMS: (&str, &str) = ("feed_streams_per_key", "2000");

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let scene = Scene::open(Runtime::new()?)?;
    let mut figures = costs(&scene)?;
    let apart = Scene::open(workers_apart()?)?;
    for (followers, sign_outs, goal) in CROWDS {
        let what = format!("from logout-all's answer to refusal in each of {followers} followers");
        let [slowest, middle] =
            spread(&apart, &apart, followers, sign_outs, &format!("{what}, a worker on each core"))?;
        figures.extend([slowest.goal(goal), middle]);
        let what = format!("{what}, workers where the kernel puts them");
        figures.extend(spread(&scene, &scene, followers, sign_outs, &what)?);
    }
    drop(apart);
    figures.extend(guarded::behind_nginx(&scene)?);
    figures.extend(memory(&scene)?);
    Ok(figures)
}

/// A service with a service key for its feed.
pub(crate) struct Scene {
    pub(crate) stage: Arc<Stage>,
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
}

impl Scene {
    fn open(runtime: Runtime) -> Result<Self> {
        Self::of(Stage::open_on(runtime, &[MANY_STREAMS])?)
    }

    /// The service of `stage`, and a new service key.
    pub(crate) fn of(stage: Stage) -> Result<Self> {
        let key = stage
            .run(stage.use_cases.administration.add_service_key("bench", &[Scope::Feed], order()))?
            .text
            .to_string();
        let address = stage.serve_public()?;
        Ok(Self { stage: Arc::new(stage), address, key })
    }

    fn builder(&self) -> Result<Builder> {
        let key = ServiceKey::parse(&self.key).context("a service key")?;
        let builder = Verifier::builder(&format!("http://{}", self.address)).issuer(ISSUER);
        Ok(builder.audience(AUDIENCE).service_key(key))
    }

    /// A verifier that remembers one token: of several tokens in turn, each check is the first.
    fn forgetful(&self) -> Result<Verifier> {
        Ok(self.stage.run(self.builder()?.remembered_tokens(1).connect())?)
    }

    pub(crate) fn token(&self, name: &str) -> Result<(UserId, String)> {
        self.stage.run(async {
            let user = self.stage.add_user(name).await?;
            Ok((user, self.stage.sign_in(user).await?.access))
        })
    }
}

/// Measures one check of a token seen before, one of a token seen for the first time, and one signature check by
/// pasetors.
#[expect(clippy::disallowed_methods, reason = "what ours is compared with")]
fn costs(scene: &Scene) -> Result<Vec<Figure>> {
    let verifier = scene.stage.run(scene.builder()?.connect())?;
    let forgetful = scene.forgetful()?;
    let tokens = (0..64).map(|n| Ok(scene.token(&format!("cost-{n}"))?.1)).collect::<Result<Vec<_>>>()?;
    let (key, footer) = signed_with(scene, tokens.first().context("a token")?)?;
    let accepted = |verifier: &Verifier, token: &str| ensure_accepted(verifier.verify(token).is_ok());

    let (mut seen, mut first, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let signature = time_each(&tokens, 4, |token| {
            let untrusted = UntrustedToken::<Public, V4>::try_from(token).context("a token")?;
            black_box(PublicToken::verify(&key, &untrusted, Some(&footer), None).context("authentic")?);
            Ok(())
        })?;
        let again = time_each(&tokens, 400, |token| accepted(&verifier, token))?;
        let new = time_each(&tokens, 4, |token| accepted(&forgetful, token))?;
        // The first round warms up.
        if round > 0 {
            alone.push(signature);
            seen.push(again);
            first.push(new);
        }
    }
    let times: Vec<f64> = alone.iter().zip(&seen).map(|(alone, seen)| alone / seen).collect();
    let share: Vec<f64> = first.iter().zip(&alone).map(|(first, alone)| first / alone).collect();
    Ok(vec![
        Figure::median(
            "checks of a token seen before in the time of one Ed25519 verification by pasetors",
            &times,
            "×",
        )
        .goal("≥ 80"),
        Figure::median("a check of a token seen for the first time, of that time", &share, "×").goal("≤ 1.1"),
        Figure::median("`verify` of a token seen before", &seen, "µs").goal("≤ 0.25 µs"),
        Figure::median("`verify` of a token seen for the first time", &first, "µs"),
        Figure::median("one Ed25519 verification by pasetors", &alone, "µs"),
    ])
}

fn ensure_accepted(accepted: bool) -> Result<()> {
    ensure!(black_box(accepted), "a good token was refused");
    Ok(())
}

/// The mean time that `work` takes for one of the tokens, in microseconds.
fn time_each(tokens: &[String], times: u32, work: impl Fn(&str) -> Result<()>) -> Result<f64> {
    let started = Instant::now();
    for _ in 0..times {
        for token in tokens {
            work(token)?;
        }
    }
    let each = started.elapsed().as_secs_f64() / f64::from(times) / f64::from(u32::try_from(tokens.len())?);
    Ok(each * 1e6)
}

/// Finds the key that signed a token, and the token's footer.
#[expect(clippy::disallowed_methods, reason = "what ours is compared with")]
fn signed_with(scene: &Scene, token: &str) -> Result<(AsymmetricPublicKey<V4>, Vec<u8>)> {
    let untrusted = UntrustedToken::<Public, V4>::try_from(token).context("a token")?;
    let footer = untrusted.untrusted_footer().to_vec();
    let mut connection = Connection::open(scene.address)?;
    let keys = connection.ask(&request("GET", "/.well-known/paserk", "", None))?.ok()?.to_vec();
    let keys: serde_json::Value = serde_json::from_slice(&keys)?;
    for key in keys.get("keys").and_then(serde_json::Value::as_array).context("keys")? {
        let public = key.get("public").and_then(serde_json::Value::as_str).context("a key")?;
        let public = AsymmetricPublicKey::<V4>::try_from(public).context("a public key")?;
        if PublicToken::verify(&public, &untrusted, Some(&footer), None).is_ok() {
            return Ok((public, footer));
        }
    }
    anyhow::bail!("no key has signed it")
}

/// The user who is signed out, and the number of followers that do not refuse the user's tokens yet.
type Awaited = Arc<Mutex<Option<(UserId, usize)>>>;

/// Measures the time from the answer of logout-all at the node `scene` until every follower of the node `followed` refuses:
/// the 99th percentile and the median.
pub(crate) fn spread(
    scene: &Scene,
    followed: &Scene,
    followers: usize,
    sign_outs: usize,
    what: &str,
) -> Result<[Figure; 2]> {
    let awaited = Awaited::default();
    let (everywhere, heard) = channel();
    let mut verifiers = Vec::new();
    for _ in 0..followers {
        let (awaited, everywhere) = (Arc::clone(&awaited), everywhere.clone());
        let builder = followed.builder()?.remembered_tokens(16).on_event(move |event| {
            let mut awaited = awaited.lock().unwrap_or_else(PoisonError::into_inner);
            // The event follows once the entry is in force here.
            match (event, awaited.as_mut()) {
                (Event::Ended(Revocation::Generation { user, .. }), Some((whose, left))) if user == whose => {
                    *left = left.saturating_sub(1);
                    if *left == 0 {
                        let _ = everywhere.send(Instant::now());
                    }
                }
                _ => {}
            }
        });
        verifiers.push(followed.stage.run(builder.connect())?);
    }
    let (mut users, node) = (Vec::new(), followed.address.port());
    for number in 0..sign_outs {
        users.push(scene.token(&format!("spread-{node}-{followers}-{number}"))?);
    }
    rest(Duration::from_secs(2));
    let mut connection = Connection::open(scene.address)?;
    let mut times = Vec::new();
    for (user, token) in &users {
        *awaited.lock().unwrap_or_else(PoisonError::into_inner) = Some((*user, followers));
        connection.ask(&request("POST", "/api/v1/auth/logout-all", token, None))?.ok()?;
        let answered = Instant::now();
        let last = heard.recv_timeout(Duration::from_secs(30)).context("some follower did not hear of it")?;
        ensure!(
            verifiers.iter().all(|verifier| verifier.verify(token).is_err()),
            "an ended token was accepted"
        );
        times.push(last.saturating_duration_since(answered).as_secs_f64() * 1000.0);
    }
    let slowest = format!("{what}, 99th percentile of {sign_outs}");
    Ok([
        Figure::once(slowest, quantile(&times, 0.99), "ms"),
        Figure::once(format!("{what}, median"), median(&times), "ms"),
    ])
}

/// Measures the memory of a hundred thousand ended users: of a guard with their entries, and of one without.
fn memory(scene: &Scene) -> Result<Vec<Figure>> {
    let before = guarded::Guard::start(scene)?.resident()?;
    scene.stage.run(scene.stage.for_each(ENTRIES, |stage, number| async move {
        let user = stage.add_user(&format!("ended-{number}")).await?;
        stage.use_cases.administration.logout_all_of(user, order()).await?;
        Ok(())
    }))?;
    let with = guarded::Guard::start(scene)?.resident()?;
    let mut times = Vec::new();
    for _ in 0..5 {
        let started = Instant::now();
        let verifier = scene.stage.run(scene.builder()?.connect())?;
        times.push(started.elapsed().as_secs_f64());
        ensure!(verifier.entries() >= usize::try_from(ENTRIES)?, "only {} entries", verifier.entries());
    }
    let what = format!("{ENTRIES} live entries");
    Ok(vec![
        Figure::once(format!("{what}: memory of a guard, beyond one without"), with - before, "MiB")
            .goal("≤ 20 MiB"),
        Figure::once("memory of a guard without entries", before, "MiB"),
        Figure::median(format!("{what}: from connecting to the first proof"), &times, "s").goal("≤ 1 s"),
    ])
}
