//! The real binary, as a process: started, asked, killed, traced, given bad settings and damaged stores.
//!
//! Every test has a folder of its own and lets the system choose the ports, so they run side by side. Nothing waits
//! by the clock: a server is ready when it has said so, gone when the system says so. Whatever any process prints is
//! compared with every token, password and key of its test (`secrets`).
//!
//! Rooms: `place` (the folder and its processes), `server`, `client`, `session`, `secrets`, `trace`, `listener` (who
//! reads the feed), `wire` (what lies between followers and their issuer) and `guarded` (all of these together) are what the
//! tests work with; all the others are tests, named after what they show.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test says what is wrong by failing, and what it left out by printing"
)]

mod any_request;
mod callers;
mod cgi;
mod client;
mod clocks;
mod commands;
mod connections;
mod damaged;
#[cfg(feature = "postgres")]
#[path = "../database.rs"]
mod database;
mod doctor;
mod durable;
mod feed;
mod follower;
mod full;
mod gateway;
mod guard;
mod guarded;
mod held;
mod keys;
mod killed;
mod listener;
mod logs;
mod memory;
mod names;
mod place;
mod postgres;
mod readme;
mod readme_tables;
mod resource_server;
mod restored;
mod secrets;
mod server;
mod session;
mod settings;
mod signals;
#[path = "../skipped.rs"]
mod skipped;
mod start;
#[cfg(feature = "postgres")]
mod store_copy;
mod trace;
mod wire;
