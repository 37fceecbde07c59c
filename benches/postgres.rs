//! The shared store compared with the embedded one and with PostgreSQL alone, in one run.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::cluster::Cluster;
use crate::load::{self, Connection, request};
use crate::results::{Figure, median};
use crate::sign_out::{CAP, MANY, times};
use crate::stage::Stage;
use crate::verifier::{MANY_STREAMS, Scene, spread};
use crate::writes;

/// The connections of a node to the database.
const CONNECTIONS: usize = 16;
/// How many clients check at once, and how many connections `pgbench` has beside them.
pub(crate) const CLIENTS: [usize; 2] = [16, 64];
const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_secs(1);
const PAIRS: u64 = 15;
/// The number of clients that check at once where statements are counted.
const CHECKING: usize = 32;
/// The number of clients that sign out at once.
const LEAVING: usize = 64;
/// The number of users that sign out in a round.
const USERS: u64 = 4000;
const LEAVING_ROUNDS: usize = 5;
const COUNTED_ROUNDS: usize = 5;
/// The number of followers, and of sign-outs that they hear of.
const FOLLOWERS: usize = 100;
const FOLLOWED_SIGN_OUTS: usize = 300;

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let cluster = Cluster::open()?;
    let (store, master_key) = (cluster.database("rescind")?, cluster.master_key()?);
    let connections = CONNECTIONS.to_string();
    let shared = [("store", &*store), ("master_key_file", &master_key), ("store_connections", &connections)];
    let shared = Arc::new(Stage::open(&[&shared, &CAP[..]].concat())?);
    let embedded = Arc::new(Stage::open(&CAP)?);
    let mut figures = Vec::new();
    for clients in CLIENTS {
        figures.extend(checks(&cluster, &shared, &embedded, clients)?);
    }
    figures.extend(alone(&cluster, &shared, &embedded)?);
    figures.extend(statements(&shared)?);
    figures.extend(latency(&shared, &embedded)?);
    figures.push(
        Figure::median(
            "durable refreshes on PostgreSQL over HTTP with 64 clients",
            &writes::refreshes(&shared)?,
            "/s",
        )
        .goal("≥ 4,000/s on two cores"),
    );
    figures.extend(sign_outs(&shared, &embedded)?);
    drop((shared, embedded));
    figures.extend(followers(&cluster)?);
    Ok(figures)
}

/// Measures when followers of a second node refuse what the first one signed out, and those of one node on an embedded store.
fn followers(cluster: &Cluster) -> Result<Vec<Figure>> {
    let (store, master_key) = (cluster.database("nodes")?, cluster.master_key()?);
    let shared = [("store", &*store), ("master_key_file", &master_key), MANY_STREAMS];
    let node = || Scene::of(Stage::open(&shared)?);
    let (first, second) = (node()?, node()?);
    let alone = Scene::of(Stage::open(&[MANY_STREAMS])?)?;
    let what = format!("from logout-all's answer to refusal in each of {FOLLOWERS} followers");
    let mut figures = Vec::new();
    for (at, followed, whose) in [
        (&first, &second, "of another node on PostgreSQL"),
        (&first, &first, "of the same node on PostgreSQL"),
        (&alone, &alone, "of the embedded store beside it"),
    ] {
        figures.extend(spread(at, followed, FOLLOWERS, FOLLOWED_SIGN_OUTS, &format!("{what} {whose}"))?);
    }
    Ok(figures)
}

/// Requests of `me` with live tokens, one for each of this number of clients.
fn tokens(stage: &Arc<Stage>, clients: usize) -> Result<Vec<Vec<u8>>> {
    stage.run(async {
        let mut requests = Vec::new();
        for number in 0..clients {
            let user = stage.add_user(&format!("live-{clients}-{number}")).await?;
            requests.push(request("GET", "/api/v1/auth/me", &stage.sign_in(user).await?.access, None));
        }
        Ok(requests)
    })
}

/// What measures something once.
pub(crate) type Measure<'a> = Box<dyn FnMut() -> Result<f64> + 'a>;

/// Measures each of these in turns. The first round warms up.
pub(crate) fn in_turns<const N: usize>(mut measures: [Measure<'_>; N]) -> Result<[Vec<f64>; N]> {
    let mut figures = [const { Vec::new() }; N];
    for round in 0..=ROUNDS {
        for (measure, figures) in measures.iter_mut().zip(&mut figures) {
            let figure = measure()?;
            if round > 0 {
                figures.push(figure);
            }
        }
    }
    Ok(figures)
}

/// What measures how many requests of `me` by so many clients are answered in a second.
pub(crate) fn me(stage: &Arc<Stage>, clients: usize) -> Result<Measure<'static>> {
    let (address, mut requests) = (stage.serve_public()?, tokens(stage, clients)?);
    Ok(Box::new(move || load::rate(address, &mut requests, ROUND, |_, _| Ok(()))))
}

/// Measures checks by so many clients on both stores, and what `pgbench` is answered over as many connections.
fn checks(
    cluster: &Cluster,
    shared: &Arc<Stage>,
    embedded: &Arc<Stage>,
    clients: usize,
) -> Result<Vec<Figure>> {
    let url = cluster.prepare_pgbench()?;
    let selections = || cluster.selections(&url, clients);
    let [shared, embedded, prepared] =
        in_turns([me(shared, clients)?, me(embedded, clients)?, Box::new(selections)])?;
    let what = format!("`me` requests on PostgreSQL, {clients} clients");
    let alone = format!("`pgbench -S -M prepared` with {clients} connections");
    Ok(vec![
        Figure::median(format!("{what}, of those on the embedded store"), &shares(&shared, &embedded), "×")
            .goal("≥ 0.7×"),
        Figure::median(format!("{what}, of {alone}"), &shares(&shared, &prepared), "×").goal("≥ 1.0×"),
        Figure::median(what, &shared, "/s"),
        Figure::median(
            format!("`me` requests on the embedded store beside it, {clients} clients"),
            &embedded,
            "/s",
        ),
        Figure::median(alone, &prepared, "/s"),
    ])
}

pub(crate) fn shares(rates: &[f64], of: &[f64]) -> Vec<f64> {
    rates.iter().zip(of).map(|(rate, of)| rate / of).collect()
}

/// Measures how long one client waits for a check, beside what a check on a database cannot do without.
fn alone(cluster: &Cluster, shared: &Arc<Stage>, embedded: &Arc<Stage>) -> Result<Vec<Figure>> {
    let empty = cluster.database("empty")?;
    let round_trips = || cluster.round_trips(&empty);
    let rates = in_turns([me(shared, 1)?, me(embedded, 1)?, Box::new(round_trips)])?;
    let [shared, embedded, round_trips] =
        rates.map(|rates| rates.iter().map(|rate| 1e6 / rate).collect::<Vec<_>>());
    let parts: Vec<f64> = round_trips.iter().zip(&embedded).map(|(trip, check)| trip + check).collect();
    Ok(vec![
        Figure::median(
            "`me` of one client on PostgreSQL, of the time of one prepared `select 1` and one `me` on the embedded store",
            &shares(&shared, &parts),
            "×",
        )
        .goal("≤ 1.2×"),
        Figure::median("`me` of one client on PostgreSQL", &shared, "µs"),
        Figure::median("`me` of one client on the embedded store beside it", &embedded, "µs"),
        Figure::median("one prepared `select 1`, by `pgbench`", &round_trips, "µs"),
    ])
}

/// Counts the statements that a node sends for checks, by the metric of its groups.
fn statements(shared: &Arc<Stage>) -> Result<Vec<Figure>> {
    let (address, mut requests) = (shared.serve_public()?, tokens(shared, CHECKING)?);
    let counted = |of: &str| {
        let text = shared.metrics().encode();
        let name = format!("rescind_database_group_size_{of}{{kind=\"read\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&name)).context("no groups")?;
        anyhow::Ok(value.parse::<f64>()?)
    };
    let mut rounds = Vec::new();
    // The first round warms up.
    for round in 0..=COUNTED_ROUNDS {
        let before = if round > 0 { [counted("count")?, counted("sum")?] } else { [0.0; 2] };
        load::rate(address, &mut requests, ROUND, |_, _| Ok(()))?;
        if round > 0 {
            rounds.push(1000.0 * (counted("count")? - before[0]) / (counted("sum")? - before[1]));
        }
    }
    let what = format!("statements that the database answers for a thousand checks with {CHECKING} clients");
    Ok(vec![Figure::median(what, &rounds, "").goal("≤ 60")])
}

fn latency(shared: &Arc<Stage>, embedded: &Arc<Stage>) -> Result<Vec<Figure>> {
    let [many, one] = times(shared, PAIRS)?;
    let [_, beside] = times(embedded, PAIRS)?;
    Ok(vec![
        Figure::once(
            format!("logout-all with {MANY} devices on PostgreSQL, of its median time with 1"),
            median(&many) / median(&one),
            "×",
        )
        .goal("≤ 1.2×"),
        Figure::median(format!("logout-all with {MANY} devices on PostgreSQL"), &many, "ms"),
        Figure::median("logout-all with 1 device on PostgreSQL", &one, "ms"),
        Figure::median("logout-all with 1 device on the embedded store beside it", &beside, "ms"),
    ])
}

/// Measures how many sign-outs a second the one row that orders them allows.
fn sign_outs(shared: &Arc<Stage>, embedded: &Arc<Stage>) -> Result<Vec<Figure>> {
    let mut sides = [(shared, Vec::new()), (embedded, Vec::new())];
    for round in 0..LEAVING_ROUNDS {
        for (stage, rates) in &mut sides {
            let requests = leaving(stage, round)?;
            rates.push(drained(stage.serve_public()?, &requests)?);
        }
    }
    let [(_, shared), (_, embedded)] = &sides;
    Ok(vec![
        Figure::median(
            format!("sign-outs on PostgreSQL, through its one row of counters, {LEAVING} clients"),
            shared,
            "/s",
        )
        .goal("≥ 5,000/s on two cores"),
        Figure::median(
            format!("sign-outs on the embedded store beside it, {LEAVING} clients"),
            embedded,
            "/s",
        ),
    ])
}

/// Requests of logout-all, one for each of many users.
fn leaving(stage: &Arc<Stage>, round: usize) -> Result<Vec<Vec<u8>>> {
    let requests: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let signed_in = Arc::clone(&requests);
    let sign_in = move |stage: Arc<Stage>, number: u64| {
        let signed_in = Arc::clone(&signed_in);
        async move {
            let user = stage.add_user(&format!("leaving-{round}-{number}")).await?;
            let token = stage.sign_in(user).await?.access;
            let leave = request("POST", "/api/v1/auth/logout-all", &token, None);
            signed_in.lock().unwrap_or_else(PoisonError::into_inner).push(leave);
            Ok(())
        }
    };
    stage.run(stage.for_each(USERS, sign_in))?;
    let mut requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut requests))
}

/// Measures how many of these requests a second are answered over [`LEAVING`] connections.
fn drained(address: SocketAddr, requests: &[Vec<u8>]) -> Result<f64> {
    let mut rest = requests.iter();
    let mut connections = Vec::new();
    for request in rest.by_ref().take(LEAVING) {
        let mut connection = Connection::open(address)?;
        connection.send(request)?;
        connections.push(connection);
    }
    let started = Instant::now();
    let mut answered = 0_u32;
    while let Some(first) = connections.first_mut() {
        first.receive()?.ok()?;
        answered += 1;
        match rest.next() {
            Some(request) => {
                first.send(request)?;
                connections.rotate_left(1);
            }
            None => drop(connections.remove(0)),
        }
    }
    let all = u32::try_from(requests.len()).context("few")?;
    debug_assert_eq!(answered, all);
    Ok(f64::from(answered) / started.elapsed().as_secs_f64())
}
