//! Access tokens verified where they are used, and refused as soon as they are taken back.
//!
//! A [`Verifier`] holds the issuer's public keys and a copy of what has ended within the last 65 minutes. It follows
//! the issuer's signed feed and proves every two seconds or sooner that the copy is fresh. [`Verifier::verify`] is a look into
//! memory: it asks nobody, waits for nothing and takes no lock.
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
//! # What is guaranteed
//!
//! **A sign-out that the issuer answered at a moment T is honoured by every check that starts later than
//! T + `max_staleness`, on the clock of the machine that checks; a verifier that cannot prove that refuses.** While
//! the connection is well it is honoured within milliseconds.
//!
//! "Sign-out" is everything that ends a token before it expires: a device signed out or removed, all devices of a
//! user, a changed password, a disabled or deleted account, everyone, a distrusted key.
//!
//! It rests on this: a ping carries a random nonce, and the issuer signs an answer that names the newest entry of its
//! log, read *after* the ping arrived. Once everything up to that entry has been applied, whatever was acknowledged
//! before the ping was *sent* is known here. That moment, on a clock that counts while the machine sleeps and that
//! nobody sets, is [`as_of`](Verifier::as_of). An answer that is delayed, repeated, reordered, altered or of another
//! question proves nothing newer.
//!
//! Assumed: the issuer has one writable primary at a time, a standby that is promoted behind a running node has all that
//! was acknowledged, the wall clocks of its nodes agree to the minute (`rescind doctor` tells: one that is an hour ahead
//! drops entries from the log before a verifier that starts then has heard of them), this machine's clock rate is off by at
//! most 1 % and counts while it sleeps (that of a guest which its host froze does not), and the issuer's signing keys are
//! secret. The network is trusted with one thing, the public keys: they are fetched from the issuer's address at the start
//! and whenever the set of them changes, and nothing signs them. Use `https` wherever that crosses a wire.
//!
//! # What is accepted under which failure, and for how long
//!
//! | what happens | ended tokens are accepted for | good tokens |
//! |---|---|---|
//! | nothing | milliseconds: the way of one message | are accepted |
//! | the issuer is down, or cut off from its database; the network is cut, delays or drops | at most `max_staleness` after the sign-out | are accepted for at most `max_staleness` after the last proof, then refused as `stale` |
//! | frames or answers are altered, repeated or reordered on their way | as above | as above; `Altered` or `Missed` is reported |
//! | this process is paused, or the machine suspended | not at all past the bound: what was known is too old when it wakes | are refused as `stale` until the next proof, a round trip later |
//! | the issuer's store was put back from a copy, and `rescind store restored` said so | at most `max_staleness` after the restored store was served | are dead: a restore ends every token |
//! | a store was put back and nobody said so: the same id, a shorter log, or another entry where the last one was when the stream is opened again | as for a cut network that heals when the stream is opened again; nothing that was known is forgotten | are refused as `stale` after `max_staleness`, until `rescind store restored` is run there; `RolledBack` is an alarm |
//! | a signing key is distrusted | until the entry arrives, at most `max_staleness`; against a thief of the key who is also on the wire only `https` helps | of other keys are accepted |
//! | the issuer changed its keys, and the new ones cannot be fetched | at most `max_staleness` | are accepted for at most `max_staleness`; those of a key that is not here yet are refused as `stale`, not as invalid |
//! | the clocks here and at the issuer differ by more than a minute | not at all | are refused as `stale` |
//! | more ends within 65 minutes than `max_entries` | not at all | are refused as `stale` |
//!
//! Wall clocks decide about `exp` alone, and only when they agree with the issuer's to the minute. A token with a
//! longer life than 60 minutes is refused, since entries are forgotten 65 minutes after they were written.
//!
//! # What each choice costs
//!
//! * **A shorter `max_staleness`** honours a sign-out sooner when something is broken, and refuses everybody sooner:
//!   an issuer that restarts in three seconds is not noticed with 10 s and is an outage with 2 s. Below 8 s there are
//!   more pings: one every quarter of it.
//! * **[`WhenStale::Refuse`]** (the default): the issuer's outage is the resource server's outage after
//!   `max_staleness`. Nothing ended is ever accepted past the bound.
//! * **[`WhenStale::Introspect`]** with [`verify_or_ask`](Verifier::verify_or_ask): past the bound each request
//!   costs the issuer one, whose answer is not signed, so the connection must be trusted (`https`). It helps when the
//!   feed is blocked and the issuer is not; when the issuer is down it is the same as to refuse.
//! * **`max_entries`** costs about 100 bytes for each ended user and device that was heard of within the last 65 minutes; a
//!   verifier that starts hears of all that ended within as long before.
//! * **`RUSTFLAGS`**: a token seen for the first time, a frame and an answer to a ping cost one Ed25519 verification each.
//!   `--cfg curve25519_dalek_backend="avx512"`, with which our own binary is built, makes it faster where the processor has
//!   AVX-512 IFMA, and changes nothing where it has not.
//!
//! Rooms: `builder` (setting up), `claims`, `rejection` and `event` (what comes out), `state` with `revoked` and `keys`
//! with `seen` (what `verify` reads), `follower` with `pings` (the only writer: pure), `follow`, `link` and `stream`
//! (the only ones that do I/O), `introspect`.

mod builder;
mod claims;
mod event;
mod follow;
mod follower;
mod introspect;
mod keys;
mod link;
mod pings;
mod rejection;
mod revoked;
mod seen;
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
pub use link::{ServiceKey, Trouble};
pub use rejection::{Doubt, Rejection};

pub use crate::model::counters::{Era, Generation, KeysVersion, Position};
pub use crate::model::ids::{DeviceId, StoreId, UserId};
pub use crate::model::key::Kid;
pub use crate::model::revocation::Revocation;
pub use crate::model::timestamp::Timestamp;
pub use crate::model::verdict::Reason;

use crate::model::verdict::Verdict;
use crate::world::World;
use event::Listener;
use keys::Keys;
use link::Link;
use state::{Now, State};

/// Verifies access tokens. Clones share everything; the last one to be dropped ends the connection.
#[derive(Clone, Debug)]
pub struct Verifier {
    view: Arc<View>,
    link: Link,
    when_stale: WhenStale,
    _task: Arc<Task>,
}

/// What to do when freshness cannot be proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenStale {
    /// Refuse.
    #[default]
    Refuse,
    /// Ask the issuer about each token, where [`Verifier::verify_or_ask`] is called.
    Introspect,
}

/// What `verify` reads, from any thread.
#[derive(Debug)]
struct View {
    issuer: String,
    audience: String,
    max_staleness: Duration,
    max_entries: usize,
    listener: Listener,
    keys: ArcSwap<Keys>,
    state: ArcSwap<State>,
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
    /// A verifier for the tokens of the issuer at `url`.
    pub fn builder(url: &str) -> Builder {
        Builder::new(url)
    }

    /// What the token says, if it acts for its user.
    pub fn verify(&self, token: &str) -> Result<Claims, Rejection> {
        self.view.examine(token).map_err(|(_, rejection)| rejection)
    }

    /// The moment, by the issuer's clock, up to which every sign-out is known here. None before the first proof
    /// and after the issuer's store was replaced.
    pub fn as_of(&self) -> Option<Timestamp> {
        self.view.state.load().as_of()
    }

    /// How long ago that moment is.
    pub fn lag(&self) -> Option<Duration> {
        self.view.state.load().lag(Now::of(&self.view.world))
    }

    /// Why tokens are refused as stale now, if they are.
    pub fn doubt(&self) -> Option<Doubt> {
        self.view.state.load().doubt(Now::of(&self.view.world), self.view.max_staleness)
    }

    /// How many ended users and devices are held.
    pub fn entries(&self) -> usize {
        self.view.state.load().revoked.len()
    }
}

impl View {
    /// What an accepted token says; else why it is refused, with what it says if it is authentic.
    fn examine(&self, token: &str) -> Result<Claims, (Option<Claims>, Rejection)> {
        let now = Now::of(&self.world);
        let state = self.state.load();
        // Before anything is looked up: what is found then is at least as new as the proof.
        let doubt = state.doubt(now, self.max_staleness);
        let unless_stale = |rejection| doubt.map_or(rejection, Rejection::Stale);
        let keys = self.keys.load();
        let Some(verified) = keys.verify(token, &self.issuer, &self.audience) else {
            let is_outdated = keys.version < state.newest_keys() && keys.may_lack_the_key_of(token);
            let rejection = if is_outdated { Rejection::Stale(Doubt::Keys) } else { Rejection::Invalid };
            return Err((None, unless_stale(rejection)));
        };
        let claims = verified.claims();
        let sound = claims.is_short_lived();
        let verdict = match state.revoked.judge(claims, now.wall) {
            // A clock is wrong, there or here. The token may be good: a refresh gets one that is of now.
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
            // A clock's word counts only as long as clocks agree.
            Verdict::Ended(Reason::Expired) => unless_stale(Rejection::Ended(Reason::Expired)),
            // What ended stays ended, however stale the rest is.
            Verdict::Ended(reason) => Rejection::Ended(reason),
            Verdict::Ahead => Rejection::Stale(doubt.unwrap_or(Doubt::Unproven)),
        };
        Err((Some(claims), rejection))
    }
}
