//! Checks of live tokens: the share of the bare framework's request rate that is left when every request is checked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rescind::model::service_key::Scope;

use crate::bare::{self, Answers};
use crate::load::{self, Connection, request};
use crate::results::Figure;
use crate::stage::{Stage, order};

const CONNECTIONS: usize = 16;
/// The number of rounds: many short ones, so that other load on the machine affects every side alike.
const ROUNDS: usize = 61;
const ROUND: Duration = Duration::from_millis(200);

/// One of the servers that are compared.
struct Side {
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    rates: Vec<f64>,
}

impl Side {
    fn round(&mut self) -> Result<()> {
        self.rates.push(load::rate(self.address, &mut self.requests, ROUND, |_, _| Ok(()))?);
        Ok(())
    }
}

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let stage = Arc::new(Stage::open(&[])?);
    let key = stage
        .run(stage.use_cases.administration.add_service_key("bench", &[Scope::Introspect], order()))?
        .text;
    let tokens = stage.run(async {
        let mut tokens = Vec::new();
        for number in 0..CONNECTIONS {
            let user = stage.add_user(&format!("user-{number:06}")).await?;
            tokens.push(stage.sign_in(user).await?.access);
        }
        anyhow::Ok(tokens)
    })?;
    // The same bytes but for the path, and for the form that is JSON for the bare framework.
    let me = |path: &str| tokens.iter().map(|token| request("GET", path, token, None)).collect::<Vec<_>>();
    let asked = |path: &str, kind: &str, before: &str, after: &str| {
        let body = |token: &String| format!("{before}{token}{after}");
        let request = |token| request("POST", path, &key, Some((kind, &body(token))));
        tokens.iter().map(request).collect::<Vec<_>>()
    };
    let form = asked("/oauth/introspect", "application/x-www-form-urlencoded", "token=", "");
    let json = asked("/bare/introspect", "application/json", "{\"token\":\"", "\"}");

    let public = stage.serve_public()?;
    let answers = answers(public, &me("/api/v1/auth/me"), &form)?;
    let edge = stage.serve_app(bare::behind_the_edge(&answers, stage.edge_config(), stage.metrics()))?;
    let plain = stage.serve_plain(bare::plain(&answers))?;
    let mut sides = [
        (public, me("/api/v1/auth/me")),
        (edge, me("/bare/me")),
        (plain, me("/bare/me")),
        (public, form),
        (edge, json.clone()),
        (plain, json),
    ]
    .map(|(address, requests)| Side { address, requests, rates: Vec::new() });

    for side in &mut sides {
        side.round()?;
    }
    for side in &mut sides {
        side.rates.clear();
    }
    for round in 0..ROUNDS {
        // Another side goes first each time, so that no side has an advantage.
        for turn in 0..sides.len() {
            let at = (round + turn) % sides.len();
            sides.get_mut(at).context("a side")?.round()?;
        }
    }
    let [me, me_edge, me_plain, introspect, introspect_edge, introspect_plain] = &sides;
    let same = "of a bare JSON route with the same answer behind the same middleware";
    Ok(vec![
        Figure::median(format!("`GET /api/v1/auth/me` with a live token, {same}"), &share(me, me_edge), "×")
            .goal("≥ 0.85"),
        Figure::median(
            format!("`POST /oauth/introspect` of a live token, {same}"),
            &share(introspect, introspect_edge),
            "×",
        )
        .goal("≥ 0.85"),
        Figure::median("`me` requests", &me.rates, "/s"),
        Figure::median("introspections", &introspect.rates, "/s"),
        Figure::median("the bare framework without any middleware, `GET`", &me_plain.rates, "/s"),
        Figure::median("the bare framework without any middleware, `POST`", &introspect_plain.rates, "/s"),
        middleware("`GET`", me_edge, me_plain),
        middleware("`POST`", introspect_edge, introspect_plain),
    ])
}

/// The answer of each operation, which shows that both work and is what the bare routes repeat.
fn answers(public: SocketAddr, me: &[Vec<u8>], form: &[Vec<u8>]) -> Result<Answers> {
    let (me, form) = (me.first().context("a token")?, form.first().context("a token")?);
    let mut connection = Connection::open(public)?;
    let me = connection.ask(me)?.ok()?.to_vec();
    Answers::read(&me, connection.ask(form)?.ok()?)
}

fn share(side: &Side, of: &Side) -> Vec<f64> {
    side.rates.iter().zip(&of.rates).map(|(rate, of)| rate / of).collect()
}

fn middleware(method: &str, with: &Side, without: &Side) -> Figure {
    let costs: Vec<f64> = share(with, without).iter().map(|share| 100.0 * (1.0 - share)).collect();
    Figure::median(format!("what the middleware costs of the bare framework, {method}"), &costs, "%")
}
