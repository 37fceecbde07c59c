//! The public app in process, as clients, resource servers and administrators use it.
//!
//! Clock and randomness are the tests' own ([`service`]), the store can be made to fail ([`store`]), and every client
//! is an actor ([`actors`]), so that a test reads like a sentence. Every answer of every test is compared with the
//! OpenAPI document ([`declared`]); that the service really gives every answer in the document is checked by
//! [`contract`].

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as it says"
)]
#![allow(unreachable_pub, reason = "modules of one test binary")]

mod actors;
mod answer;
#[path = "../database.rs"]
mod database;
mod declared;
mod listener;
mod log;
mod request;
mod sample;
mod service;
#[path = "../skipped.rs"]
mod skipped;
mod store;

mod admin;
mod bad_input;
mod clocks;
mod contract;
mod devices;
mod ended;
mod events;
mod everywhere;
mod faults;
mod feed;
mod fence;
mod headers;
mod input;
mod keys;
mod limits;
mod logout;
mod managed_users;
mod names;
mod oauth;
mod openapi;
mod refresh;
mod rolled_back;
mod session;
mod simplejwt;
mod texts;
mod tokens;
