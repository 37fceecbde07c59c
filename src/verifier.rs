//! Access tokens verified where they are used, and refused as soon as they are taken back.
//!
//! A [`Verifier`] holds the issuer's public keys and a copy of the revocations of the last 65 minutes. It follows the
//! issuer's signed feed and proves every two seconds or sooner that the copy is fresh. [`Verifier::verify`] only reads
//! memory: it sends no request, does not wait and takes no lock.
//!
//! ```no_run
//! use rescind::verifier::{ServiceKey, Verifier};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let key = ServiceKey::parse(&std::env::var("RESCIND_SERVICE_KEY")?).ok_or("RESCIND_SERVICE_KEY is no service key")?;
//! let verifier = Verifier::builder("https://id.example").audience("rescind").service_key(key).connect().await?;
//!
//! match verifier.verify("v4.public.…") {
//!     Ok(claims) => println!("{} on device {}", claims.user(), claims.device()),
//!     Err(rejection) => println!("{} {}", rejection.status(), rejection.code()),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! **A sign-out that the issuer answered at a time T is honoured by every check that starts later than T +
//! `max_staleness`, on the clock of the machine that checks; a verifier that cannot prove that refuses.** While the
//! connection works it is honoured within milliseconds.
//!
//! "Sign-out" is everything that ends a token before it expires: a device signed out or removed, all devices of a
//! user, a changed password, a disabled or deleted account, everyone, a distrusted key.
//!
//! The proof: a ping carries a random nonce, and the issuer signs an answer that names the newest entry of its log,
//! read *after* the ping arrived. Once everything up to that entry has been applied, whatever was acknowledged before
//! the ping was *sent* is known here. That time, on a monotonic clock that counts while the machine sleeps, is
//! [`as_of`](Verifier::as_of). An answer that is delayed, repeated, reordered, altered or made for another ping proves
//! nothing newer.
//!
//! Assumptions: the issuer has one writable primary at a time; a standby that is promoted behind a running node has
//! all that was acknowledged; the wall clocks of its nodes agree to the minute (`rescind doctor` checks that: a node
//! that is an hour ahead drops entries from the log before a verifier that starts then has received them); this
//! machine's clock rate is off by at most 1 % and counts while it sleeps (that of a guest which its host froze does
//! not); and the issuer's signing keys are secret. The network is trusted for one thing, the public keys: they are
//! fetched unsigned from the issuer's address at the start and whenever the set of them changes. Use `https` wherever
//! that crosses a network.
//!
//! # Behaviour under failures
//!
//! | failure | ended tokens are accepted for | valid tokens |
//! |---|---|---|
//! | none | milliseconds: the travel time of one message | are accepted |
//! | the issuer is down, or cut off from its database; the network is cut, delays or drops | at most `max_staleness` after the sign-out | are accepted for at most `max_staleness` after the last proof, then refused as `stale` |
//! | frames or answers are altered, repeated or reordered on their way | as in the row above | as in the row above; `Altered` or `Missed` is reported |
//! | this process is paused, or the machine suspended | not at all past the bound: the copy is too old when it resumes | are refused as `stale` until the next proof, a round trip later |
//! | the issuer's store was restored from a copy, followed by `rescind store restored` | at most `max_staleness` after the restored store was served | are ended: a restore ends every token |
//! | a store was restored from a copy without that command: the same id, a shorter log, or another entry at the last position when the stream is opened again | as for a cut network that heals when the stream is opened again; no known revocation is forgotten | are refused as `stale` after `max_staleness`, until `rescind store restored` is run there; `RolledBack` is an alarm |
//! | a signing key is distrusted | until the entry arrives, at most `max_staleness`; against a thief of the key who is also on the wire only `https` helps | of other keys are accepted |
//! | the issuer changed its keys, and the new ones cannot be fetched | at most `max_staleness` | are accepted for at most `max_staleness`; those of an unknown key are refused as `stale`, not as invalid |
//! | the issuer's settings changed its name or audience | as without a failure | are accepted, with the former names and the current ones; those with names not yet fetched are refused as `stale`, not as invalid |
//! | the clocks here and at the issuer differ by more than a minute | not at all | are refused as `stale` |
//! | more revocations within 65 minutes than `max_entries` | not at all | are refused as `stale` |
//!
//! Wall clocks decide about `exp` alone, and only while they agree with the issuer's to the minute. A token with a
//! lifetime above 60 minutes is refused, since entries are forgotten 65 minutes after they were received.
//!
//! # Whose tokens are accepted
//!
//! The expected issuer and audience identify the service: the one at the url that publishes this pair among its
//! names. Beside its keys the service publishes every pair of `iss` and `aud` that its valid tokens may carry: the
//! current pair, and the former ones before its settings changed. **Exactly these pairs are accepted, each as a
//! pair**, and they are updated like the keys: a change of the setting `issuer` or `audience` signs nobody out here,
//! whether this verifier's configuration changes before, after or not at all. [`Event::Renamed`] reports that the
//! current pair is not the expected one.
//!
//! * If only the issuer is as expected, and the expected pair is not published, the expected pair alone is accepted:
//!   no token that is minted now is valid here ([`Event::OtherAudience`]).
//! * If not even the issuer is as expected, nothing is accepted ([`ConnectError::OtherIssuer`],
//!   [`Event::OtherIssuer`]).
//! * An issuer of an earlier version publishes no pairs: the expected pair alone is accepted.
//!
//! Names cannot exclude a resource server from the service, since the issuer may change them: to exclude one, remove
//! its service key.
//!
//! # Costs of each choice
//!
//! * **A shorter `max_staleness`** honours a sign-out sooner during a failure, and refuses everybody sooner: an issuer
//!   that restarts in three seconds is not noticed with 10 s and is an outage with 2 s. Below 8 s there are more
//!   pings: one every quarter of it.
//! * **[`WhenStale::Refuse`]** (the default): the issuer's outage is the resource server's outage after
//!   `max_staleness`. Nothing ended is ever accepted past the bound.
//! * **[`WhenStale::Introspect`]** with [`verify_or_ask`](Verifier::verify_or_ask): past the bound each request costs
//!   the issuer one, whose answer is not signed, so the connection must be trusted (`https`). It helps when the feed
//!   is blocked and the issuer is not; when the issuer is down it has the same effect as to refuse.
//! * **`max_entries`** costs about 100 bytes for each ended user and device received within the last 65 minutes; a
//!   verifier that starts receives all revocations of as long before.
//! * **`RUSTFLAGS`**: a token seen for the first time, a frame and an answer to a ping cost one Ed25519 verification
//!   each. `--cfg curve25519_dalek_backend="avx512"`, with which the released binary is built, makes it faster on
//!   processors with AVX-512 IFMA, and changes nothing on others.
//!
//! Modules: `builder` (configuration), `claims`, `rejection`, `event` and `issuer_error` (the results), `state` with
//! `revoked` and `keys` with `names` (what `verify` reads), `published` (the issuer's document of its keys and names),
//! `replica` with `pings` (the only writer, without I/O), `replica_task`, `link` and `stream` (the only ones with I/O),
//! `introspect`.

mod builder;
mod claims;
mod event;
mod introspect;
mod issuer_error;
mod keys;
mod link;
mod names;
mod pings;
mod published;
mod rejection;
mod replica;
mod replica_task;
mod revoked;
mod state;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use builder::{Builder, ConnectError};
pub use claims::Claims;
pub use event::Event;
pub use issuer_error::IssuerError;
pub use link::ServiceKey;
pub use rejection::{Doubt, Rejection};

pub use crate::model::counters::{Era, Generation, KeysVersion, Position};
pub use crate::model::ids::{DeviceId, StoreId, UserId};
pub use crate::model::key::Kid;
pub use crate::model::revocation::{BumpExtent, Revocation};
pub use crate::model::timestamp::Timestamp;
pub use crate::model::verdict::Reason;

use crate::model::claims::AccessClaims;
use crate::model::names::Names;
use crate::model::verdict::Verdict;
use crate::world::World;
use event::EventListener;
use keys::{ReplicaKeys, Unverified};
use link::Link;
use state::{Now, ReplicaState};

/// A verifier of access tokens. Clones share everything; dropping the last one ends the connection.
#[derive(Clone, Debug)]
pub struct Verifier {
    view: Arc<ReplicaView>,
    link: Link,
    when_stale: WhenStale,
    _task: Arc<Task>,
}

/// The behaviour while freshness cannot be proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenStale {
    /// Refuse every token as `stale`.
    #[default]
    Refuse,
    /// Ask the issuer about each token by introspection (RFC 7662), where [`Verifier::verify_or_ask`] is called.
    Introspect,
}

/// The state that `verify` reads, from any thread.
#[derive(Debug)]
struct ReplicaView {
    /// The names that the issuer is expected to have.
    expected: Names,
    max_staleness: Duration,
    max_entries: usize,
    listener: EventListener,
    keys: ArcSwap<ReplicaKeys>,
    state: ArcSwap<ReplicaState>,
    fresh: watch::Sender<bool>,
    world: World,
}

#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Verifier {
    /// A builder of a verifier for the tokens of the issuer at `url`.
    pub fn builder(url: &str) -> Builder {
        Builder::new(url)
    }

    /// Verifies an access token: its claims, if it acts for its user. Does no I/O.
    pub fn verify(&self, token: &str) -> Result<Claims, Rejection> {
        self.view.examine(token).map_err(|(_, rejection)| rejection)
    }

    /// The time, by the issuer's clock, up to which every sign-out is known here. `None` before the first proof and
    /// after the issuer's store was replaced.
    pub fn as_of(&self) -> Option<Timestamp> {
        self.view.state.load().as_of()
    }

    /// The time passed since [`as_of`](Self::as_of); `None` if there is no proof.
    pub fn lag(&self) -> Option<Duration> {
        self.view.state.load().lag(Now::of(&self.view.world))
    }

    /// Why tokens are refused as stale now; `None` while freshness is proven.
    pub fn doubt(&self) -> Option<Doubt> {
        self.view.state.load().doubt(Now::of(&self.view.world), self.view.max_staleness)
    }

    /// The number of ended users and devices in memory.
    pub fn entries(&self) -> usize {
        self.view.state.load().revoked.len()
    }
}

impl ReplicaView {
    /// The claims of an accepted token; else the rejection, with the claims if the token is authentic.
    fn examine(&self, token: &str) -> Result<Claims, (Option<Claims>, Rejection)> {
        let now = Now::of(&self.world);
        let state = self.state.load();
        // Before anything is looked up: what is found then is at least as new as the proof.
        let doubt = state.doubt(now, self.max_staleness);
        let unless_stale = |rejection| doubt.map_or(rejection, Rejection::Stale);
        let keys = self.keys.load();
        let verified = match keys.verify(token) {
            Ok(verified) => verified,
            Err(unverified) => {
                let is_outdated = keys.version < state.newest_keys();
                let may_be_good = match unverified {
                    Unverified::NotAuthentic => is_outdated && keys.may_lack_the_key_of(token),
                    // The issuer may have got the names after the moment of which everything is known.
                    Unverified::OtherNames(issued) => {
                        is_outdated || state.as_of().is_none_or(|as_of| issued >= as_of)
                    }
                };
                let rejection = if may_be_good { Rejection::Stale(Doubt::Keys) } else { Rejection::Invalid };
                return Err((None, unless_stale(rejection)));
            }
        };
        let claims: &AccessClaims = &verified;
        let sound = claims.is_short_lived();
        let verdict = match state.revoked.judge(claims, now.wall) {
            // A clock is wrong, there or here. The token may be good: a refresh gets a new one.
            Verdict::Live if claims.is_from_the_future(now.wall) => Verdict::Ended(Reason::Expired),
            verdict => verdict,
        };
        let claims = Claims::of(verified);
        let rejection = match verdict {
            _ if !sound => unless_stale(Rejection::Invalid),
            Verdict::Live => match doubt {
                None => return Ok(claims),
                Some(doubt) => Rejection::Stale(doubt),
            },
            // `exp` is trusted only while the clocks agree.
            Verdict::Ended(Reason::Expired) => unless_stale(Rejection::Ended(Reason::Expired)),
            // What ended stays ended, however stale the rest is.
            Verdict::Ended(reason) => Rejection::Ended(reason),
            Verdict::Ahead => Rejection::Stale(doubt.unwrap_or(Doubt::Unproven)),
        };
        Err((Some(claims), rejection))
    }
}
