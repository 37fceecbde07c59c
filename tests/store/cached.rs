//! Checks on PostgreSQL that are answered from cached standings and the head of the log: what one node acknowledges holds
//! for what another node has cached.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rescind::model::device::DeviceName;
use rescind::model::verdict::{Reason, Verdict};
use rescind::store::Store;
use rescind::store::postgres::{Checked, OpenMode, Options, Postgres};
use rescind::store::queries::standing::CheckSeenStanding;
use rescind::store::steps::delete_user::{DeleteUser, DeleteUserBy};
use rescind::store::steps::end_everyone::EndEveryone;
use rescind::store::steps::rename_device::RenameDevice;
use tokio_postgres::NoTls;

use crate::backend::PostgresBackend;
use crate::service::{Pair, Service, by_first_keys};

/// A service with a node of its own, and another node on the same database that counts what its checks were answered from.
struct Nodes {
    service: Service,
    url: String,
    other: Store,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    cached: AtomicUsize,
    read: AtomicUsize,
    changes: AtomicUsize,
}

impl Nodes {
    async fn start() -> Option<Self> {
        let backend = PostgresBackend::fresh().await?;
        let url = backend.url().to_owned();
        let service = Service::found(backend).await;
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        let check_observer = Arc::new(move |checked: Checked| {
            counted.cached.fetch_add(checked.cached, Ordering::SeqCst);
            counted.read.fetch_add(checked.read, Ordering::SeqCst);
            counted.changes.fetch_add(usize::from(checked.another), Ordering::SeqCst);
        });
        let budget = std::time::Duration::from_secs(60);
        let options = Options {
            connections: 4,
            read_budget: budget,
            step_budget: budget,
            check_observer,
            ..Options::default()
        };
        let other = Postgres::connect(&url, options, OpenMode::Existing).await.unwrap();
        Some(Self { service, url, other: Store::new(Arc::new(other)), counts })
    }

    async fn other_says(&self, pair: &Pair) -> Verdict {
        self.service.verdict_of(&self.other, &pair.access).await
    }

    /// Has the other node cache the standing, and shows that its next check reads no records.
    async fn cache(&self, pair: &Pair) {
        assert_eq!(self.other_says(pair).await, Verdict::Live);
        // What is read while the log grows is not cached.
        assert_eq!(self.other_says(pair).await, Verdict::Live);
        let (cached, read) = self.answered();
        assert_eq!(self.other_says(pair).await, Verdict::Live);
        assert_eq!(self.answered(), (cached + 1, read));
    }

    fn answered(&self) -> (usize, usize) {
        (self.counts.cached.load(Ordering::SeqCst), self.counts.read.load(Ordering::SeqCst))
    }

    async fn administrate(&self, statement: &str) {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        let driver = tokio::spawn(connection);
        client.batch_execute(statement).await.unwrap();
        drop(client);
        driver.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn whatever_ends_a_device_on_one_node_ends_it_for_one_that_has_it_cached() {
    let Some(nodes) = Nodes::start().await else { return };
    let service = &nodes.service;
    let users = ["device", "everywhere", "others", "disabled", "deleted", "era"];
    let mut pairs = Vec::new();
    for name in users {
        let pair = service.register(name).await;
        let second = service.sign_in(pair.user()).await;
        nodes.cache(&pair).await;
        nodes.cache(&second).await;
        pairs.push((pair, second));
    }
    for (name, (first, second)) in users.iter().zip(&pairs) {
        let reason = match *name {
            "device" => {
                service.sign_out(first).await;
                Reason::SignedOut
            }
            "everywhere" => {
                service.sign_out_all(second, false).await;
                Reason::SignedOutEverywhere
            }
            "others" => {
                service.sign_out_all(second, true).await;
                assert_eq!(nodes.other_says(second).await, Verdict::Ended(Reason::Superseded));
                Reason::SignedOutEverywhere
            }
            "disabled" => {
                service.store().run(service.disabling(first.user(), true)).await.unwrap();
                Reason::UserDisabled
            }
            "deleted" => {
                let by = DeleteUserBy::Administrator(first.user());
                service
                    .store()
                    .run(DeleteUser { by, now: service.now(), former_until: service.now() })
                    .await
                    .unwrap();
                Reason::SignedOutEverywhere
            }
            _ => {
                service.store().run(EndEveryone { now: service.now() }).await.unwrap();
                Reason::Reset
            }
        };
        assert_eq!(nodes.other_says(first).await, Verdict::Ended(reason), "{name}");
        if *name == "device" {
            assert_eq!(nodes.other_says(second).await, Verdict::Live);
        }
    }
}

#[tokio::test]
async fn a_sign_out_leaves_what_is_cached_of_others() {
    let Some(nodes) = Nodes::start().await else { return };
    let [leaves, stays] = [nodes.service.register("leaves").await, nodes.service.register("stays").await];
    nodes.cache(&stays).await;
    nodes.service.sign_out(&leaves).await;
    let (cached, read) = nodes.answered();
    for checks in 1..=3 {
        assert_eq!(nodes.other_says(&stays).await, Verdict::Live);
        assert_eq!(nodes.answered(), (cached + checks, read));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_check_that_begins_after_a_sign_out_was_answered_says_live() {
    let Some(nodes) = Nodes::start().await else { return };
    let nodes = Arc::new(nodes);
    let mut pairs = Vec::new();
    for number in 0..48 {
        pairs.push(nodes.service.register(&format!("user {number}")).await);
    }
    let pairs = Arc::new(pairs);
    // The rest of them is checked all the time, so that every check shares a statement with others.
    let busy: Vec<_> = (0..4)
        .map(|offset| {
            let (nodes, pairs) = (Arc::clone(&nodes), Arc::clone(&pairs));
            tokio::spawn(async move {
                for round in 0.. {
                    let pair = &pairs[(round * 7 + offset) % pairs.len()];
                    let _either = nodes.other_says(pair).await;
                }
            })
        })
        .collect();
    for pair in &*pairs {
        nodes.service.sign_out(pair).await;
        assert_eq!(nodes.other_says(pair).await, Verdict::Ended(Reason::SignedOut));
    }
    busy.iter().for_each(tokio::task::JoinHandle::abort);
    assert!(nodes.counts.cached.load(Ordering::SeqCst) > 0);
}

#[tokio::test]
async fn only_that_a_token_is_live_is_answered_from_the_cache() {
    let Some(nodes) = Nodes::start().await else { return };
    let pair = nodes.service.register("ada").await;
    nodes.cache(&pair).await;
    nodes.service.pass(std::time::Duration::from_secs(3600));
    let (_, read) = nodes.answered();
    assert_eq!(nodes.other_says(&pair).await, Verdict::Ended(Reason::Expired));
    assert_eq!(nodes.answered().1, read + 1);
}

#[tokio::test]
async fn a_node_sees_its_own_step_also_where_the_log_says_nothing_of_it() {
    let Some(nodes) = Nodes::start().await else { return };
    let pair = nodes.service.register("ada").await;
    nodes.cache(&pair).await;
    let now = nodes.service.now();
    let name = DeviceName::parse("Ada's telephone").unwrap();
    let rename =
        RenameDevice { caller: by_first_keys(pair.access), device: pair.device(), name: name.clone(), now };
    nodes.other.run(rename).await.unwrap();
    let seen = nodes.other.read(CheckSeenStanding { presented: pair.access, now }).await.unwrap();
    assert_eq!(seen.standing.device.unwrap().name, name);
}

#[tokio::test]
async fn a_store_that_is_another_one_empties_the_cache() {
    let Some(nodes) = Nodes::start().await else { return };
    let pair = nodes.service.register("ada").await;
    nodes.cache(&pair).await;
    let (_, read) = nodes.answered();
    nodes.administrate("update rescind.service set founding = jsonb_set(founding::jsonb, '{at}', '1')").await;
    assert_eq!(nodes.other_says(&pair).await, Verdict::Live);
    assert_eq!(nodes.answered().1, read + 1);
    assert_eq!(nodes.counts.changes.load(Ordering::SeqCst), 1);
}
