//! A million users with three devices each: their size on disk and in memory, and the time from start to listening.
//!
//! They are loaded through the store's own steps, except the password hash, which is computed once. `--users` sets
//! another number.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rescind::store::sled::SEGMENT;

use crate::load::{Connection, request};
use crate::machine::rest;
use crate::results::Figure;
use crate::served::Served;
use crate::stage::Stage;

pub(crate) const USERS: u64 = 1_000_000;
const DEVICES: usize = 3;
/// One user in this number comes back after the restart.
const RETURNING: u64 = 50;
const STARTS: usize = 5;

pub(crate) fn measure(users: u64) -> Result<Vec<Figure>> {
    let stage = Arc::new(Stage::open(&[])?);
    let started = Instant::now();
    let tokens = fill(&stage, users)?;
    let loaded = started.elapsed().as_secs_f64();
    let folder = Arc::into_inner(stage).context("somebody holds the store")?.folder();
    let data = folder.path().join("data");
    let (disk, payload) = (on_disk(&data)?, payload(&data)?);

    let (mut starts, mut idle, mut busy) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let served = Served::start(folder.path())?;
        starts.push(served.took.as_secs_f64());
        rest(Duration::from_secs(2));
        idle.push(served.resident()?);
        let mut connection = Connection::open(served.address)?;
        for token in &tokens {
            connection.ask(&request("GET", "/api/v1/auth/me", token, None))?.ok()?;
        }
        busy.push(served.resident()?);
    }
    let who = format!("{users} users with {DEVICES} devices each");
    Ok(vec![
        Figure::median(format!("start to listening, {who}"), &starts, "s").goal("≤ 5 s"),
        Figure::median(format!("resident memory after start, {who}"), &idle, "MiB").goal("≤ 512 MiB"),
        Figure::median(format!("resident memory after {} of them came back", tokens.len()), &busy, "MiB")
            .goal("≤ 512 MiB"),
        Figure::once("disk, of the payload (the bytes of all keys and values)", disk / payload, "×")
            .goal("≤ 3×"),
        Figure::once("payload", payload / MIB, "MiB"),
        Figure::once("loading them through the store's steps", loaded, "s"),
    ])
}

const MIB: f64 = 1024.0 * 1024.0;

/// Adds the users and returns the access tokens of those who come back.
fn fill(stage: &Arc<Stage>, users: u64) -> Result<Vec<String>> {
    let style = ProgressStyle::with_template("  {bar:40} {human_pos} of {human_len} users, {eta} to go")?;
    let bar = ProgressBar::with_draw_target(Some(users), ProgressDrawTarget::stdout()).with_style(style);
    let tokens = Arc::new(Mutex::new(Vec::new()));
    let (progress, kept) = (bar.clone(), Arc::clone(&tokens));
    stage.run(stage.for_each(users, move |stage, number| {
        let (progress, kept) = (progress.clone(), Arc::clone(&kept));
        async move {
            let user = stage.add_user(&format!("user-{number:07}")).await?;
            for _ in 1..DEVICES {
                stage.add_device(user).await?;
            }
            if number % RETURNING == 0 {
                let access = stage.sign_in(user).await?.access;
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(access);
            } else {
                stage.add_device(user).await?;
            }
            progress.inc(1);
            Ok(())
        }
    }))?;
    bar.finish_and_clear();
    Ok(std::mem::take(&mut *tokens.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// The size of a folder on disk in bytes.
fn on_disk(folder: &Path) -> Result<f64> {
    use std::os::unix::fs::MetadataExt as _;
    let mut bytes = 0.0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            on_disk(&entry.path())?
        } else {
            // Counted in blocks of 512 bytes, whatever the file system's own are.
            as_f64(metadata.blocks()) * 512.0
        };
    }
    Ok(bytes)
}

/// The total length of all keys and values in bytes.
fn payload(data: &Path) -> Result<f64> {
    let store =
        sled::Config::new().path(data).segment_size(SEGMENT).cache_capacity(64 * 1024 * 1024).open()?;
    let mut bytes = 0_u64;
    for name in store.tree_names() {
        for record in &store.open_tree(name)? {
            let (key, value) = record?;
            bytes += u64::try_from(key.len() + value.len())?;
        }
    }
    Ok(as_f64(bytes))
}

#[allow(clippy::cast_precision_loss, reason = "bytes of a disk")]
fn as_f64(bytes: u64) -> f64 {
    bytes as f64
}
