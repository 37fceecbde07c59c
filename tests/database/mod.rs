//! Databases for tests: one of its own for each, on the server that `TEST_DATABASE_URL` names as a superuser.

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_postgres::{Config, NoTls};

/// A database that is dropped with this.
pub(crate) struct Database {
    server: Config,
    name: String,
    url: String,
}

impl Database {
    /// A new one; none without a server, which is said once, and is a failure where nothing may be skipped.
    pub(crate) async fn fresh() -> Option<Self> {
        static TOLD: Once = Once::new();
        static MADE: AtomicU64 = AtomicU64::new(0);
        let Ok(server) = std::env::var("TEST_DATABASE_URL") else {
            assert!(
                std::env::var_os("CI").is_none(),
                "TEST_DATABASE_URL is not set, and in CI nothing may be skipped"
            );
            TOLD.call_once(skipped);
            return None;
        };
        let name = format!("rescind_test_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let config: Config = server.parse().unwrap();
        execute(&config, &format!("create database {name}")).await;
        let url = with_database(&server, &name);
        Some(Self { server: config, name, url })
    }

    /// How to connect to it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, drop) =
            (self.server.clone(), format!("drop database if exists {} with (force)", self.name));
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&server, &drop));
        });
        let _ = dropped.join();
    }
}

#[allow(clippy::print_stderr, reason = "whoever runs the tests must see what was not tested")]
fn skipped() {
    eprintln!("!!! SKIPPED PostgreSQL: TEST_DATABASE_URL is not set; tests/run sets it");
}

async fn execute(server: &Config, statement: &str) {
    let (client, connection) = server.connect(NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute(statement).await.unwrap();
    drop(client);
    let _ = connection.await;
}

/// `url` with another database: `postgres://user@host:port/THIS?options`.
fn with_database(url: &str, name: &str) -> String {
    let (rest, options) =
        url.split_once('?').map_or((url, String::new()), |(rest, options)| (rest, format!("?{options}")));
    let server =
        rest.find("://").and_then(|scheme| rest[scheme + 3..].find('/').map(|at| &rest[..scheme + 3 + at]));
    format!("{}/{name}{options}", server.unwrap_or(rest))
}
