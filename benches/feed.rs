//! The feed: how soon after a sign-out's answer every follower has been told, and how soon a new one has it all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rescind::model::service_key::Scope;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::load::{Connection, request};
use crate::machine::rest;
use crate::results::{Figure, median, quantile};
use crate::stage::{Stage, order};

/// How many follow, and how many sign-outs they are told of.
const CROWDS: [(usize, usize); 2] = [(100, 200), (1_000, 40)];
/// How many entries a snapshot has.
const ENTRIES: u64 = 100_000;
const SNAPSHOTS: usize = 5;
/// Entries are spread over so many users, since each takes a user's row.
const USERS: u64 = 500;

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let stage = Arc::new(Stage::open(&[])?);
    let address = stage.serve_public()?;
    let key = stage.run(stage.auth.add_service_key("bench", &[Scope::Feed]))?.text.to_string();
    let mut figures = Vec::new();
    for (followers, sign_outs) in CROWDS {
        let times = delivery(&stage, address, &key, followers, sign_outs)?;
        let what = format!("from logout-all's answer to its frame at {followers} followers");
        figures.push(Figure::once(format!("{what}, median"), median(&times), "ms"));
        figures.push(Figure::once(format!("{what}, 99th percentile"), quantile(&times, 0.99), "ms"));
    }
    figures.push(snapshot(&stage, address, &key)?);
    Ok(figures)
}

/// Milliseconds from each answer to each follower; none where the frame came first.
fn delivery(
    stage: &Arc<Stage>,
    address: SocketAddr,
    key: &str,
    followers: usize,
    sign_outs: usize,
) -> Result<Vec<f64>> {
    let user = stage.run(stage.add_user(&format!("followed-by-{followers}")))?;
    let mut crowd = stage.run(async {
        let mut crowd = Vec::new();
        for _ in 0..followers {
            crowd.push(Listener::open(address, key).await?);
        }
        anyhow::Ok(crowd)
    })?;
    let mut connection = Connection::open(address)?;
    let mut times = Vec::new();
    for _ in 0..sign_outs {
        let (access, head) = stage.run(async {
            let access = stage.sign_in(user).await?.access;
            anyhow::Ok((access, stage.auth.store().clock().await?.head.value()))
        })?;
        let mut waiting = JoinSet::new();
        stage.run(async {
            for mut listener in crowd.drain(..) {
                waiting.spawn(async move {
                    listener.hear(head + 1).await?;
                    anyhow::Ok((listener, Instant::now()))
                });
            }
        });
        // All of them listen before anything happens.
        rest(Duration::from_millis(50));
        connection.ask(&request("POST", "/api/v1/auth/logout-all", &access, None))?.ok()?;
        let answered = Instant::now();
        stage.run(async {
            while let Some(heard) = waiting.join_next().await {
                let (listener, at) = heard??;
                times.push(at.saturating_duration_since(answered).as_secs_f64() * 1000.0);
                crowd.push(listener);
            }
            anyhow::Ok(())
        })?;
    }
    Ok(times)
}

/// How long a new follower takes to be sent all of a long log.
fn snapshot(stage: &Arc<Stage>, address: SocketAddr, key: &str) -> Result<Figure> {
    let head = stage.run(async {
        let users: Arc<[_]> = {
            let mut users = Vec::new();
            for number in 0..USERS {
                users.push(stage.add_user(&format!("snapshot-{number}")).await?);
            }
            users.into()
        };
        let sign_out = move |stage: Arc<Stage>, number: u64| {
            let users = Arc::clone(&users);
            async move {
                let user = usize::try_from(number % USERS)?;
                stage.auth.logout_all_of(*users.get(user).context("a user")?, order()).await?;
                anyhow::Ok(())
            }
        };
        stage.for_each(ENTRIES, sign_out).await?;
        anyhow::Ok(stage.auth.store().clock().await?.head.value())
    })?;
    let mut times = Vec::new();
    for _ in 0..SNAPSHOTS {
        rest(Duration::from_millis(500));
        let began = Instant::now();
        stage.run(async { Listener::open(address, key).await?.hear(head).await })?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(Figure::median(format!("a snapshot of {ENTRIES} entries, sent"), &times, "ms"))
}

/// An open stream, read as cheaply as can be: all it knows is the ids that came by.
struct Listener {
    stream: TcpStream,
    buffer: Vec<u8>,
    seen: u64,
}

impl Listener {
    async fn open(address: SocketAddr, key: &str) -> Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&request("GET", "/api/v1/revocations/stream", key, None)).await?;
        Ok(Self { stream, buffer: Vec::with_capacity(128 * 1024), seen: 0 })
    }

    /// Reads until a frame that ends at `position` or later has come in whole.
    async fn hear(&mut self, position: u64) -> Result<()> {
        while self.seen < position {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the stream ended at {}", self.seen);
            }
            while let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let event = self.buffer.drain(..end + 2).collect::<Vec<u8>>();
                let id = event.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"id: "));
                if let Some(id) = id {
                    self.seen = std::str::from_utf8(id)?.parse()?;
                }
            }
        }
        Ok(())
    }
}
