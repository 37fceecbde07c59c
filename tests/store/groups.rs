//! Groups on PostgreSQL: steps that one transaction does, and checks that one statement reads. What stands in the way of
//! one of them is not another one's error.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rescind::model::external_id::ExternalId;
use rescind::model::ids::UserId;
use rescind::model::revocation::Revocation;
use rescind::model::verdict::Verdict;
use rescind::store::StoreError;
use rescind::store::steps::end_devices::DevicesEnded;
use rescind::store::steps::register::{Register, Registered};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};

use crate::backend::PostgresBackend;
use crate::service::{Pair, Service};

/// The number of users that sign out at once.
const USERS: usize = 64;

/// A service on PostgreSQL whose users are signed in, and a connection of a database administrator.
struct Crowd {
    service: Arc<Service>,
    users: Vec<Pair>,
    administrator: Client,
}

impl Crowd {
    async fn gather() -> Option<Self> {
        let backend = PostgresBackend::fresh().await?;
        let (administrator, connection) = tokio_postgres::connect(backend.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        let service = Service::found(backend).await;
        let mut users = Vec::new();
        for number in 0..USERS {
            users.push(service.register(&format!("user {number}")).await);
        }
        Some(Self { service: Arc::new(service), users, administrator })
    }

    /// Signs every user out everywhere at once. Returns the outcomes by user, except those that are not there yet.
    fn everybody_leaves(&self) -> JoinSet<(UserId, Result<DevicesEnded, StoreError>)> {
        let leaving = self.users.iter().map(|pair| (pair.user(), self.service.everywhere(pair, false)));
        let service = Arc::clone(&self.service);
        leaving
            .map(move |(user, step)| {
                let store = service.store();
                async move { (user, store.run(step).await) }
            })
            .collect()
    }

    /// How many entries of the log are about each user.
    async fn entries(&self) -> HashMap<UserId, usize> {
        let mut entries = HashMap::new();
        for entry in self.service.log().await {
            let Revocation::Generation { user, .. } = entry.revocation else { panic!("{entry:?}") };
            *entries.entry(user).or_default() += 1;
        }
        entries
    }
}

fn ended(outcome: &Result<DevicesEnded, StoreError>) -> bool {
    matches!(outcome, Ok(DevicesEnded::Ended { signed_out: 1, .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_that_wait_are_done_together_and_each_is_logged_once() {
    let Some(crowd) = Crowd::gather().await else { return };
    let alone = crowd.service.cost_of(crowd.service.sign_out_all(&crowd.users[0], false)).await.unwrap().0;
    let everybody = crowd.everybody_leaves().join_all();
    let (statements, outcomes) = crowd.service.cost_of(everybody).await.unwrap();
    let (ended, others): (Vec<_>, Vec<_>) = outcomes.iter().partition(|(_, outcome)| ended(outcome));
    // The first one had left already.
    assert_eq!((ended.len(), others.len()), (USERS - 1, 1), "{others:?}");
    let each = alone * u64::try_from(USERS).unwrap();
    assert!(statements < each / 2, "{statements} statements for {USERS} sign-outs, {alone} for one alone");
    let entries = crowd.entries().await;
    assert_eq!((entries.len(), entries.values().all(|number| *number == 1)), (USERS, true), "{entries:?}");
    for pair in &crowd.users {
        assert!(matches!(crowd.service.verdict(&pair.access).await, Verdict::Ended(_)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_are_added_together_and_each_name_and_external_id_once() {
    let Some(crowd) = Crowd::gather().await else { return };
    let service = &crowd.service;
    let adding = |name: &str, external_id: &str| {
        let external_id = Some(ExternalId::parse(external_id).unwrap());
        Register { external_id, ..service.registration(name, None) }
    };
    let all_at_once = async |steps: Vec<Register>| {
        let store = service.store();
        let added = steps.into_iter().map(|step| {
            let store = store.clone();
            async move { (step.username.key().to_owned(), store.run(step).await.unwrap()) }
        });
        added.collect::<JoinSet<_>>().join_all().await
    };
    let (alone, _) = service.cost_of(all_at_once(vec![adding("alone", "alone")])).await.unwrap();
    let different = (0..USERS).map(|number| adding(&format!("new {number}"), &format!("id-{number}")));
    let (statements, added) = service.cost_of(all_at_once(different.collect())).await.unwrap();
    assert!(added.iter().all(|(_, outcome)| matches!(outcome, Registered::User(_))), "{added:?}");
    let each = alone * u64::try_from(USERS).unwrap();
    assert!(statements < each / 2, "{statements} statements for {USERS} users, {alone} for one alone");
    let again = vec![
        adding("new 0", "id-0"),
        adding("new 1", "another"),
        adding("another", "id-2"),
        adding("one", "of-both"),
        adding("other", "of-both"),
        adding("twice", "first"),
        adding("twice", "second"),
    ];
    let outcomes = all_at_once(again).await;
    let of = |name: &str| {
        let of_name = outcomes.iter().filter(|(other, _)| other == name);
        of_name.map(|(_, outcome)| outcome).collect::<Vec<_>>()
    };
    assert!(matches!(of("new 0")[..], [Registered::Exists(_)]), "{outcomes:?}");
    assert!(matches!(of("new 1")[..], [Registered::UsernameTaken]), "{outcomes:?}");
    assert!(matches!(of("another")[..], [Registered::ExternalIdTaken]), "{outcomes:?}");
    let is_added = |outcome: &&Registered| matches!(outcome, Registered::User(_));
    let of_both = [of("one"), of("other")].concat();
    assert_eq!(of_both.iter().filter(|outcome| is_added(outcome)).count(), 1, "{outcomes:?}");
    assert!(of_both.contains(&&Registered::ExternalIdTaken), "{outcomes:?}");
    assert_eq!(of("twice").iter().filter(|outcome| is_added(outcome)).count(), 1, "{outcomes:?}");
    assert!(of("twice").contains(&&Registered::UsernameTaken), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_whom_somebody_else_has_locked_holds_up_nobody_else() {
    let Some(crowd) = Crowd::gather().await else { return };
    let locked = crowd.users[USERS / 2].user();
    let lock = format!("begin; select from rescind.users where id = '{locked}' for update");
    crowd.administrator.batch_execute(&lock).await.unwrap();
    let mut leaving = crowd.everybody_leaves();
    let others = async {
        for _ in 1..USERS {
            let (user, outcome) = leaving.join_next().await.unwrap().unwrap();
            assert!(user != locked && ended(&outcome), "{outcome:?}");
        }
    };
    let (statements, ()) = crowd.service.cost_of(others).await.unwrap();
    // A group that had waited for the lock would have been given up in the end, and each of its steps done alone.
    assert!(statements < u64::try_from(2 * USERS).unwrap(), "{statements} statements");
    crowd.administrator.batch_execute("rollback").await.unwrap();
    let (user, outcome) = leaving.join_next().await.unwrap().unwrap();
    assert!(user == locked && ended(&outcome), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_cannot_be_read_is_the_error_of_its_user_alone() {
    let Some(crowd) = Crowd::gather().await else { return };
    let damaged = crowd.users[USERS / 2].user();
    let damage = format!("update rescind.users set doc = '{{}}' where id = '{damaged}'");
    crowd.administrator.batch_execute(&damage).await.unwrap();
    for (user, outcome) in crowd.everybody_leaves().join_all().await {
        if user == damaged {
            assert!(matches!(outcome, Err(StoreError::Corrupt(_))), "{outcome:?}");
        } else {
            assert!(ended(&outcome), "{outcome:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_the_connections_were_killed_is_there_once() {
    let Some(mut crowd) = Crowd::gather().await else { return };
    let mut leaving = crowd.everybody_leaves();
    let mut acknowledged = HashSet::new();
    while let Some(left) = leaving.join_next().await {
        let (user, outcome) = left.unwrap();
        if ended(&outcome) {
            acknowledged.insert(user);
        }
        let kill = "select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()";
        crowd.administrator.batch_execute(kill).await.unwrap();
    }
    // By connections that are made after the last of those was killed.
    Arc::get_mut(&mut crowd.service).unwrap().reopen().await;
    let entries = crowd.entries().await;
    assert!(entries.values().all(|number| *number == 1), "{entries:?}");
    let lost: Vec<_> = acknowledged.iter().filter(|user| !entries.contains_key(user)).collect();
    assert!(!acknowledged.is_empty() && lost.is_empty(), "{lost:?} of {acknowledged:?}");
}

/// Holds every commit that logs something until its connection is killed.
const HOLD_COMMITS: &str = "
    create function hold() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock_shared(1); return null; end $$;
    create constraint trigger held after insert on rescind.log deferrable initially deferred
        for each row execute function hold();
    select pg_advisory_lock(1)";

/// Kills the connections that wait within a commit. Returns their processes, one that takes its time to end again and again.
const KILL_COMMITS: &str = "select pid, pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and wait_event = 'advisory'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_outcome_is_unknown_is_unknown_for_its_group_and_not_tried_again() {
    let Some(mut crowd) = Crowd::gather().await else { return };
    crowd.administrator.batch_execute(HOLD_COMMITS).await.unwrap();
    let (mut leaving, mut killed) = (crowd.everybody_leaves(), HashSet::new());
    while !leaving.is_empty() {
        tokio::select! {
            Some(left) = leaving.join_next() => {
                let (_, outcome) = left.unwrap();
                let Err(StoreError::Unavailable(why)) = outcome else { panic!("{outcome:?}") };
                assert!(why.contains("unknown"), "{why}");
            }
            rows = crowd.administrator.query(KILL_COMMITS, &[]) => {
                killed.extend(rows.unwrap().iter().map(|row| row.get::<_, i32>(0)));
            }
        }
    }
    // One for each group. A group whose steps had been tried again would have brought one for each step.
    let killed = killed.len();
    assert!(killed > 0 && killed < USERS / 2, "{killed} commits for {USERS} steps");
    Arc::get_mut(&mut crowd.service).unwrap().reopen().await;
    assert_eq!(crowd.entries().await, HashMap::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checks_that_wait_are_read_together_and_each_gets_its_own_answer() {
    let Some(crowd) = Crowd::gather().await else { return };
    let ended: HashSet<_> = crowd.users.iter().step_by(2).map(Pair::user).collect();
    for pair in crowd.users.iter().step_by(2) {
        crowd.service.sign_out(pair).await;
    }
    let mut checks = JoinSet::new();
    for pair in &crowd.users {
        let (service, access) = (Arc::clone(&crowd.service), pair.access);
        checks.spawn(async move { (access.user, service.verdict(&access).await) });
    }
    for (user, verdict) in checks.join_all().await {
        let expected =
            if ended.contains(&user) { verdict != Verdict::Live } else { verdict == Verdict::Live };
        assert!(expected, "{user} {verdict:?}");
    }
}
