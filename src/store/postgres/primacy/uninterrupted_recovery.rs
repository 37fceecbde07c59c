//! The proof by what the standbys say, for which nothing is written.
//!
//! A standby is in recovery until it is promoted, and a server comes back to recovery only when its processes are started
//! again, which ends its sessions. So a standby that says in one session that it is in recovery, then confirms a commit, and
//! says in the same session that it is in recovery, has not been promoted at all: not before the commit, which it would not
//! have received, and not since. If every standby that may be promoted says so after a request arrived, nobody had been
//! promoted when it arrived. Which ones may be is read with the answer to the request: whoever promotes a standby has named
//! it before. `tests/models/primacy.rs` has it as a model.
//!
//! A host is taken for the standby that confirmed if it receives from the primary itself, and has the address of the one
//! receiver of that name which the primary knows. So no two standbys may have one address.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::confirmed_commit;
use super::proof::{Basis, Proof};
use super::receiver::{Sender, one_of_each};
use super::recovery_session::{Reached, RecoverySession, reach};
use crate::store::postgres::hosts;
use crate::store::postgres::pool::Pool;
use crate::store::postgres::run_to_end::run_to_end;
use crate::store::postgres::store_and_settings::StoreAndSettings;
use crate::store::postgres::synchronous_standbys::confirming_standbys;
use crate::time_limit::TimeLimit;

/// The longest time that a standby may take to answer, before a commit is to prove the same.
const ANSWER_LIMIT: Duration = Duration::from_millis(50);

/// How long connecting to a host may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// How long after one search the next may begin, and how long after one that found nothing else than the last one, or what
/// did not last so long.
const PAUSE: Duration = Duration::from_secs(1);
const LONG_PAUSE: Duration = Duration::from_secs(10);

/// The standbys that a node can ask, among the hosts of its connection string.
pub(in crate::store::postgres) struct Standbys {
    hosts: Vec<Config>,
    tls: MakeRustlsConnect,
    answer_limit: TimeLimit,
    /// Those that confirmed a commit. While they are asked nobody else asks them.
    confirmed: Arc<Mutex<Option<Confirmed>>>,
    /// The last search. While one is under way nobody else searches.
    searched: Arc<Mutex<Searched>>,
}

/// All standbys that may be promoted in place of a database, each with the session in which it said that it is in recovery, before
/// it confirmed a commit of that database.
struct Confirmed {
    database: StoreAndSettings,
    sessions: Vec<RecoverySession>,
}

/// What the last search has found.
#[derive(Default)]
struct Searched {
    ended: Option<Instant>,
    /// Why none were found, if none were.
    why: Option<NotAsked>,
    /// Whether the one before it ended in the same way, not long before.
    repeated: bool,
}

/// Why the standbys cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum NotAsked {
    #[error("no host of `store` answers as a standby")]
    NotReached,
    #[error(
        "no standby says where it receives from: it is not connected, or the role needs pg_read_all_stats"
    )]
    NotTold,
    #[error("no commit was confirmed")]
    Unconfirmed,
    #[error(
        "a standby that has to confirm is not exactly once among the hosts of `store`, at the address that the primary knows, which no other standby may have"
    )]
    NotThere,
}

impl Standbys {
    /// The standbys among the hosts of `config`; none where it names only one host. A proof by them that takes more than a
    /// quarter of `budget`, which is that of a read, is given up.
    pub(in crate::store::postgres) fn new(config: &Config, tls: MakeRustlsConnect, budget: Duration) -> Self {
        let mut hosts = hosts::each_host(config);
        if hosts.len() < 2 {
            hosts.clear();
        }
        for host in &mut hosts {
            host.target_session_attrs(TargetSessionAttrs::Any);
        }
        let answer_limit = TimeLimit::new(ANSWER_LIMIT.min(budget / 4));
        Self { hosts, tls, answer_limit, confirmed: Arc::default(), searched: Arc::default() }
    }

    /// A proof that is begun now; `None` if the standbys cannot give one, or another one is under way. It goes on when nobody
    /// waits for it any more: a session whose answer is not awaited could not be used again.
    pub(super) async fn prove_unless_busy(self: &Arc<Self>) -> Option<Proof> {
        let confirmed = Arc::clone(&self.confirmed).try_lock_owned().ok()?;
        confirmed.as_ref()?;
        let standbys = Arc::clone(self);
        run_to_end(async move { standbys.ask(confirmed).await }).await
    }

    /// A proof that is begun after those under way; `None` if the standbys cannot give one.
    pub(super) async fn prove(&self) -> Option<Proof> {
        self.ask(Arc::clone(&self.confirmed).lock_owned().await).await
    }

    async fn ask(&self, mut confirmed: OwnedMutexGuard<Option<Confirmed>>) -> Option<Proof> {
        // Put back only if all of them answer as before.
        let asked = confirmed.take()?;
        let sent = Instant::now();
        let answers = {
            let asking = join_all(asked.sessions.iter().map(RecoverySession::says_the_same));
            self.answer_limit.wait(pin!(asking)).await
        };
        let why = match answers {
            Some(answers) if answers.iter().all(|same| *same) => {
                let database = asked.database.clone();
                *confirmed = Some(asked);
                return Some(Proof { sent, database, basis: Basis::Recovery });
            }
            Some(_) => "a standby is no longer in recovery as before",
            None => "a standby is late",
        };
        tracing::info!(why, "commits prove who is the primary");
        None
    }

    /// Forgets the standbys, which are those of another database, or no longer those that may be promoted.
    pub(super) async fn forget(&self) {
        *self.confirmed.lock().await = None;
    }

    /// Looks in the background for standbys to ask, unless that is under way or was a moment ago.
    pub(super) fn search(self: &Arc<Self>, pool: &Arc<Pool>) {
        let searched = Arc::clone(&self.searched).try_lock_owned();
        let (false, Ok(mut searched)) = (self.hosts.is_empty(), searched) else { return };
        if searched.is_recent() {
            return;
        }
        let (standbys, pool) = (Arc::clone(self), Arc::clone(pool));
        tokio::spawn(async move {
            let found = standbys.find(&pool).await;
            if searched.note(found.as_ref().err().copied()) {
                match &found {
                    Ok(_) => {
                        tracing::info!("the standbys prove who is the primary: no commit is needed for it");
                    }
                    Err(why) => {
                        tracing::info!(%why, "commits prove who is the primary: the standbys cannot be asked");
                    }
                }
            }
            if let Ok(found) = found {
                *standbys.confirmed.lock().await = Some(found);
            }
        });
    }

    /// All standbys that may be promoted, once each of them has confirmed a commit after its first answer.
    async fn find(&self, pool: &Pool) -> Result<Confirmed, NotAsked> {
        let reaching = self.hosts.iter().map(|host| timeout(CONNECT_LIMIT, reach(host, &self.tls)));
        let (mut sessions, mut primaries, mut nothing) = (Vec::new(), Vec::new(), NotAsked::NotReached);
        for reached in join_all(reaching).await {
            match reached {
                Ok(Some(Reached::Standby(session))) => sessions.push(*session),
                Ok(Some(Reached::Untold)) => nothing = NotAsked::NotTold,
                Ok(Some(Reached::Primary(database, endpoint))) => primaries.push((database, endpoint)),
                Ok(None) | Err(_) => {}
            }
        }
        if sessions.is_empty() {
            return Err(nothing);
        }
        // Sent after the first answers, so whoever confirms it had not been promoted when answering.
        let confirmed = timeout(CONNECT_LIMIT, confirmed_commit::prove(pool)).await;
        let Ok(Ok(Proof { database, .. })) = confirmed else { return Err(NotAsked::Unconfirmed) };
        let sender = timeout(CONNECT_LIMIT, Sender::of(pool, &database)).await;
        let Ok(Ok(Some(sender))) = sender else { return Err(NotAsked::Unconfirmed) };
        let names = confirming_standbys(&database.names, &database.commit);
        let Ok(names) = names else { return Err(NotAsked::Unconfirmed) };
        let of_it = primaries.into_iter().filter(|(primary, _)| *primary == database);
        let endpoints: Vec<_> = of_it.map(|(_, endpoint)| endpoint).chain(sender.endpoint).collect();
        sessions.retain(|session| endpoints.contains(&session.said.sender));
        let addresses: Vec<_> = sessions.iter().map(|session| &*session.said.address).collect();
        let which = one_of_each(&names, &sender.receivers, &addresses).ok_or(NotAsked::NotThere)?;
        let sessions = sessions.into_iter().enumerate().filter(|(at, _)| which.contains(at));
        Ok(Confirmed { database, sessions: sessions.map(|(_, session)| session).collect() })
    }
}

impl Searched {
    /// Whether the next search has to wait.
    fn is_recent(&self) -> bool {
        let pause = if self.repeated { LONG_PAUSE } else { PAUSE };
        self.ended.is_some_and(|ended| ended.elapsed() < pause)
    }

    /// Notes how a search has ended. Answers whether that is news.
    fn note(&mut self, why: Option<NotAsked>) -> bool {
        let is_soon = self.ended.is_some_and(|ended| ended.elapsed() < 2 * LONG_PAUSE);
        let is_same = self.ended.is_some() && self.why == why;
        *self = Self { ended: Some(Instant::now()), why, repeated: is_same && is_soon };
        !is_same || why.is_none()
    }
}
