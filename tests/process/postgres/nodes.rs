//! Nodes of one service: processes that share only a database and a master key.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::Arc;

use rescind::token::sealing::MasterKey;
use rescind::world::World;
use serde_json::{Value, json};

use super::cluster::{PASSWORD, free_port};
use crate::client::{Answer, Client};
use crate::place::{Place, RESCIND, Ran, SERVE, refused, run};
use crate::secrets::Secrets;
use crate::server::Server;
use crate::session::Session;

/// The settings of nodes in tests: long timeouts, since a machine busy with other tests is slow, not broken; and only
/// warnings in the log, since there are thousands of requests.
const SETTINGS: [&str; 6] =
    ["--set", "hash_wait=30s", "--set", "request_timeout=60s", "--set", "log_level=warn"];

/// One node with a working directory of its own.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) server: Server,
    pub(super) place: Place,
    metrics: Client,
}

/// The database, master key and secrets that all nodes share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) store: String,
    pub(super) master_key: String,
    pub(super) secrets: Arc<Secrets>,
    keys: Place,
}

/// Several nodes of one service.
#[derive(Debug)]
pub(super) struct Nodes {
    pub(super) nodes: Vec<Node>,
    pub(super) shared: Shared,
}

impl Shared {
    /// Makes a master key for the store at `url`.
    pub(super) fn new(url: &str) -> Self {
        let keys = Place::new();
        let secrets = Arc::clone(&keys.secrets);
        secrets.note(PASSWORD);
        let path = keys.path("master.key");
        let key = MasterKey::draw(&World::real()).unwrap().paserk();
        secrets.note(&key);
        fs::write(&path, format!("{}\n", &*key)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let master_key = path.to_str().unwrap().to_owned();
        Self { store: url.to_owned(), master_key, secrets, keys }
    }

    fn place(&self) -> Place {
        let mut place = Place::patient();
        place.secrets = Arc::clone(&self.secrets);
        place
    }

    /// `rescind` with these arguments in this working directory, on the shared store.
    pub(super) fn program(&self, place: &Place, words: &[&str]) -> Command {
        let mut command = place.program(RESCIND, words);
        command.env("RESCIND_STORE", &self.store).env("RESCIND_MASTER_KEY_FILE", &self.master_key);
        command
    }

    /// Starts another node.
    pub(super) fn join(&self, more: &[&str]) -> Node {
        self.join_with(more, |_, _| ()).0
    }

    /// Starts another node after changing its command.
    pub(super) fn join_with<T>(
        &self,
        more: &[&str],
        change: impl FnOnce(&mut Command, &Place) -> T,
    ) -> (Node, T) {
        let place = self.place();
        let metrics = format!("127.0.0.1:{}", free_port());
        let metrics_listen = ["--metrics-listen", &metrics];
        // The last one of two counts for a setting; a flag of its own may be given once.
        let serve: Vec<&str> =
            SERVE.iter().copied().filter(|word| !["--metrics-listen", "off"].contains(word)).collect();
        let mut command = self.program(&place, &[&serve[..], &metrics_listen, &SETTINGS, more].concat());
        let changed = change(&mut command, &place);
        let server = Server::start(command, &self.secrets);
        (Node { server, place, metrics: Client::new(&metrics, &self.secrets) }, changed)
    }

    /// Makes a service key with these scopes, by a command beside `node`.
    pub(super) fn service_key(&self, node: &Node, scopes: &[&str]) -> String {
        let mut words = vec!["service-key", "add", "tests", "--json"];
        words.extend(scopes.iter().flat_map(|scope| ["--scope", scope]));
        let made = run(self.program(&node.place, &words), "").json();
        let key = made["key"].as_str().unwrap();
        self.secrets.note(key);
        key.to_owned()
    }

    /// Starts a node that has to refuse to start.
    pub(super) fn refused(&self, more: &[&str]) -> Ran {
        self.refused_with(more, |_| ())
    }

    /// Starts a node that has to refuse to start, after changing its command.
    pub(super) fn refused_with(&self, more: &[&str], change: impl FnOnce(&mut Command)) -> Ran {
        let place = self.place();
        let mut command = self.program(&place, &[&SERVE, more].concat());
        change(&mut command);
        refused(command, &self.secrets)
    }

    /// The same store with another master key file.
    pub(super) fn with_master_key(&self, path: &str) -> Self {
        let secrets = Arc::clone(&self.secrets);
        let master_key = path.to_owned();
        Self { store: self.store.clone(), master_key, secrets, keys: Place::new() }
    }

    /// The same master key with another connection string.
    pub(super) fn with_store(&self, url: &str) -> Self {
        Self { store: url.to_owned(), ..self.with_master_key(&self.master_key) }
    }

    /// The path of a file for a test's own use.
    pub(super) fn path(&self, name: &str) -> String {
        self.keys.path(name).to_str().unwrap().to_owned()
    }
}

impl Nodes {
    /// Starts this number of nodes at once, on a database that may be empty.
    pub(super) fn start(url: &str, count: usize) -> Self {
        Self::with(url, count, &[])
    }

    /// Starts this number of nodes at once, with more settings.
    pub(super) fn with(url: &str, count: usize, more: &[&str]) -> Self {
        let shared = Shared::new(url);
        let nodes = std::thread::scope(|scope| {
            let starting: Vec<_> = (0..count).map(|_| scope.spawn(|| shared.join(more))).collect();
            starting.into_iter().map(|node| node.join().unwrap()).collect()
        });
        Self { nodes, shared }
    }

    pub(super) fn clients(&self) -> Vec<Client> {
        self.nodes.iter().map(|node| node.server.client.clone()).collect()
    }

    /// The client of a node; numbers beyond the last node start again at the first.
    pub(super) fn client(&self, at: usize) -> &Client {
        &self.nodes[at % self.nodes.len()].server.client
    }

    /// Runs a command beside one of the nodes.
    pub(super) fn command(&self, at: usize, words: &[&str]) -> Ran {
        run(self.shared.program(&self.nodes[at].place, words), "")
    }

    /// Makes a service key with these scopes.
    pub(super) fn service_key(&self, scopes: &[&str]) -> String {
        self.shared.service_key(&self.nodes[0], scopes)
    }

    /// The sum of a metric over all nodes.
    pub(super) fn metric(&self, name: &str) -> f64 {
        let figure = |node: &Node| {
            let text = node.metrics.get("/metrics", "").body;
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.map_or(0.0, |figure| figure.parse().unwrap())
        };
        self.nodes.iter().map(figure).sum()
    }
}

/// Opens a session for a user through the API for other systems, which hashes no password.
pub(super) fn open(client: &Client, key: &str, user: &str) -> Answer {
    let device: Value = json!({ "device": { "name": "Phone", "kind": "mobile" } });
    client.post(&format!("/api/v1/admin/users/{user}/sessions/"), key, &device)
}

/// Opens a session through the API for other systems, and asserts that it succeeds.
#[track_caller]
pub(super) fn opened(client: &Client, key: &str, user: &str) -> Session {
    Session::of(&open(client, key, user).ok())
}
