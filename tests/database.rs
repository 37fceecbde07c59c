//! Databases for tests: one for each test, on the server that `TEST_DATABASE_URL` names as a superuser.

use std::sync::{Mutex, PoisonError};

use rescind::world::World;
use tokio_postgres::{Config, NoTls};

use crate::skipped::skipped;

/// An empty database that no other test uses until it is dropped.
pub(crate) struct Database {
    server: Config,
    name: String,
    url: String,
}

/// The pool of databases: to empty one costs less than to make and drop one for each test.
static EMPTY: Mutex<Empty> = Mutex::new(Empty { names: Vec::new(), used: 0 });

/// The databases not in use, and the number of those in use.
struct Empty {
    names: Vec<String>,
    used: usize,
}

impl Database {
    /// Takes or makes an empty database; without a server the test reports itself as skipped and gets `None`.
    pub(crate) async fn fresh() -> Option<Self> {
        let Ok(server) = std::env::var("TEST_DATABASE_URL") else {
            skipped("TEST_DATABASE_URL is not set, so nothing ran on PostgreSQL; `tests/run rust` sets it");
            return None;
        };
        let config: Config = server.parse().unwrap();
        let name = match taken() {
            Some(name) => name,
            None => made(&config).await,
        };
        let url = with_database(&server, &name);
        Some(Self { server: config, name, url })
    }

    /// The connection string of the database.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A thread of its own, since the value may be dropped within a runtime, where nothing else can be waited for.
        let emptied = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                empty(&server, &name).await;
                for name in given_back(name) {
                    execute(&server, &format!("drop database {name} with (force)")).await;
                }
            });
        });
        let _ = emptied.join();
    }
}

fn taken() -> Option<String> {
    let mut empty = EMPTY.lock().unwrap_or_else(PoisonError::into_inner);
    empty.used += 1;
    empty.names.pop()
}

async fn made(server: &Config) -> String {
    // The name is random, since others may test on the same server.
    let name = format!("rescind_test_{}", World::real().store_id().to_string().replace('-', "_"));
    execute(server, &format!("create database {name}")).await;
    name
}

/// Ends every other connection to a database and drops its schema.
async fn empty(server: &Config, name: &str) {
    let mut within = server.clone();
    within.dbname(name);
    let others = "select pg_terminate_backend(pid) from pg_stat_activity \
                  where datname = current_database() and pid <> pg_backend_pid()";
    execute(&within, &format!("{others}; drop schema if exists rescind cascade")).await;
}

/// Returns a database to the pool. Gives the databases to drop: all of them once none is in use, as after the last
/// test.
fn given_back(name: String) -> Vec<String> {
    let mut empty = EMPTY.lock().unwrap_or_else(PoisonError::into_inner);
    empty.used -= 1;
    empty.names.push(name);
    if empty.used == 0 { std::mem::take(&mut empty.names) } else { Vec::new() }
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
