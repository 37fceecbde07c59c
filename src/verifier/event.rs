//! What the verifier tells about itself, and about what ended.

use std::fmt;
use std::sync::Arc;

use super::link::Trouble;
use super::rejection::Doubt;
use crate::model::counters::{KeysVersion, Position};
use crate::model::ids::StoreId;
use crate::model::revocation::Revocation;

/// Something happened that an operator, or an application with open connections of its own, may want to know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Something ended, and is refused from now on. Comes once for each, after a (re)start also for what ended
    /// within the last 65 minutes.
    Ended(Revocation),
    /// Freshness is proven, after it was not: tokens are accepted.
    Fresh,
    /// Freshness is no longer proven: tokens are refused.
    Stale(Doubt),
    /// The stream broke or could not be opened; it is tried again.
    Disconnected(Trouble),
    /// A ping was not answered, or the keys were not to be had; it is tried again.
    Unanswered(Trouble),
    /// A frame or an answer was not authentic: something between the issuer and us alters them.
    Altered(&'static str),
    /// A frame did not continue what was applied; everything kept is asked for again.
    Missed,
    /// **Alarm.** The same store lost what it had acknowledged: its log is shorter than it was, or has another entry
    /// where the last one was. Nothing is forgotten, and it is not believed again until it is restored properly.
    RolledBack {
        /// How far its log is now.
        head: Position,
        /// How far it had been.
        applied: Position,
    },
    /// The issuer's store was replaced; tokens are refused until everything it keeps is here.
    StoreReplaced(StoreId),
    /// The set of keys changed.
    Keys(KeysVersion),
    /// Somebody else answers at the issuer's address: tokens are refused.
    OtherIssuer(String),
    /// The issuer's tokens are for another audience than the one expected here: all of them are refused.
    OtherAudience {
        /// Whom tokens have to be for here.
        expected: String,
        /// Whom the issuer's tokens are for.
        found: String,
    },
    /// The issuer is asked over plain HTTP on another machine: whoever is on the way can read the service key, and can put in
    /// keys of his own.
    Unencrypted(String),
}

impl Event {
    /// Whether a person should look.
    pub fn is_alarm(&self) -> bool {
        matches!(
            self,
            Self::RolledBack { .. }
                | Self::OtherIssuer(_)
                | Self::Altered(_)
                | Self::Stale(Doubt::Clock | Doubt::Full)
        )
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(revocation) => write!(f, "ended: {revocation:?}"),
            Self::Fresh => f.write_str("freshness is proven: tokens are accepted"),
            Self::Stale(Doubt::Unproven) => f.write_str("freshness is not proven yet: tokens are refused"),
            Self::Stale(Doubt::Late) => f.write_str("freshness is no longer proven: tokens are refused"),
            Self::Stale(Doubt::Clock) => f.write_str(
                "the clock here and the issuer's are more than a minute apart: tokens are refused",
            ),
            Self::Stale(Doubt::Keys) => f.write_str("newer keys are not here yet: their tokens are refused"),
            Self::Stale(Doubt::Full) => {
                f.write_str("more has ended than the memory set aside can hold: tokens are refused")
            }
            Self::Disconnected(why) => write!(f, "the feed was interrupted: {why}"),
            Self::Unanswered(why) => write!(f, "the issuer did not answer: {why}"),
            Self::Altered(what) => write!(f, "{what} is not authentic: something alters it on its way"),
            Self::Missed => f.write_str("entries were missed: asking for all of them"),
            Self::RolledBack { head, applied } => write!(
                f,
                "the issuer's store lost what it had acknowledged: entry {} is another one or gone, and its log ends at {}",
                applied.value(),
                head.value()
            ),
            Self::StoreReplaced(store) => write!(f, "the issuer's store was replaced by {store}"),
            Self::Keys(version) => write!(f, "the keys are now version {}", version.value()),
            Self::OtherIssuer(found) => {
                write!(f, "the issuer there calls itself {found:?}: tokens are refused")
            }
            Self::OtherAudience { expected, found } => write!(
                f,
                "the issuer's tokens are for the audience {found:?}, not {expected:?}: all of them are refused here; expect the \
                 audience {found:?}, or change the issuer's setting `audience`"
            ),
            Self::Unencrypted(url) => write!(
                f,
                "{url} is plain HTTP to another machine: whoever is on the way can read the service key and put in public keys of \
                 his own, and so make tokens that are accepted here; use https://"
            ),
        }
    }
}

/// Who wants to know.
#[derive(Clone, Default)]
pub(super) struct Listener(Option<Arc<Callback>>);

type Callback = dyn Fn(&Event) + Send + Sync;

impl Listener {
    pub(super) fn new(callback: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(callback)))
    }

    pub(super) fn tell(&self, event: &Event) {
        if let Some(listener) = &self.0 {
            listener(event);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Listener" } else { "nobody" })
    }
}
