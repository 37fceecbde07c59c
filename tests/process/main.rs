//! The real binary as a process: started, used, killed, traced, with bad settings and damaged stores.
//!
//! Every test has a working directory of its own and lets the system choose the ports, so they run side by side. No
//! test sleeps: a server is ready when it says so, and gone when the system says so. The output of every process is
//! compared with every token, password and key of its test (`secrets`).
//!
//! Modules: `place` (the working directory and its processes), `server`, `client`, `session`, `secrets`, `trace`,
//! `terminal` (a command that a person looks at), `listener` (a follower of the feed), `faulty_proxy` (a fault-injecting proxy before an issuer or a database) and
//! `guarded` (all of these together) are what the tests use; all others are tests, named after what they show.

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
mod exclusive_access;
mod faulty_proxy;
mod feed;
mod follower;
mod former_sessions;
mod full;
mod gateway;
mod guard;
mod guarded;
mod interrupted_import;
mod keys;
mod killed;
mod listener;
mod logs;
mod memory;
mod names;
mod place;
mod postgres;
mod progress;
mod readme;
mod readme_tables;
mod resource_server;
mod restored;
mod same_codes;
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
mod terminal;
mod trace;
#[cfg(feature = "postgres")]
mod transfer;
