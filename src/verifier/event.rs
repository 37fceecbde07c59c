//! Events of the verifier: its own state, and revocations.

use std::fmt;
use std::sync::Arc;

use super::issuer_error::IssuerError;
use super::rejection::{Doubt, Rejection};
use crate::model::counters::{KeysVersion, Position};
use crate::model::ids::StoreId;
use crate::model::revocation::Revocation;

/// An event for operators, or for applications that have open connections of their own.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A revocation was applied and is honoured from now on. Sent once for each, after a (re)start also for those of
    /// the last 65 minutes.
    Ended(Revocation),
    /// Freshness is proven again: tokens are accepted.
    Fresh,
    /// Freshness is no longer proven: tokens are refused.
    Stale(Doubt),
    /// The stream broke or could not be opened; it is opened again.
    Disconnected(IssuerError),
    /// A ping was not answered, or the keys could not be fetched; the request is repeated.
    Unanswered(IssuerError),
    /// The named text, a frame or an answer to a ping, was not authentic: something between the issuer and here alters
    /// it.
    Altered(&'static str),
    /// A frame did not continue the applied entries; a snapshot is requested.
    Missed,
    /// **Alarm.** The store was rolled back: under the same id its log is shorter than before, or has another entry at
    /// the last applied position. Known revocations are kept, and nothing proves freshness until the store is restored
    /// properly.
    RolledBack {
        /// The head of the store's log now.
        head: Position,
        /// The position up to which its log had been applied.
        applied: Position,
    },
    /// The issuer's store was replaced; tokens are refused until all entries it keeps are applied.
    StoreReplaced(StoreId),
    /// The set of keys changed to this version.
    Keys(KeysVersion),
    /// The issuer's tokens now carry other names than the expected ones. They are accepted, because the issuer publishes
    /// the expected names among its own; the configuration should change to these names.
    Renamed {
        /// The `iss` of the issuer's tokens now.
        issuer: String,
        /// The `aud` of the issuer's tokens now.
        audience: String,
    },
    /// Another issuer answers at the issuer's address: tokens are refused.
    OtherIssuer(String),
    /// The issuer's tokens are for another audience than the expected one: all of them are refused.
    OtherAudience {
        /// The audience expected here.
        expected: String,
        /// The audience of the issuer's tokens.
        found: String,
    },
    /// The issuer at this url is on another machine and reached by plain HTTP: anybody on the network path can read
    /// the service key and substitute public keys.
    Unencrypted(String),
}

impl Event {
    /// Whether the event needs a person's attention.
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
            Self::Stale(doubt) => write!(f, "{}: tokens are refused", Rejection::Stale(*doubt)),
            Self::Disconnected(why) => write!(f, "the feed was interrupted: {why}"),
            Self::Unanswered(why) => write!(f, "a request to the issuer failed: {why}"),
            Self::Altered(what) => write!(f, "{what} is not authentic: something alters it on its way"),
            Self::Missed => f.write_str("entries are missing: requesting a snapshot"),
            Self::RolledBack { head, applied } => write!(
                f,
                "the issuer's store lost what it had acknowledged: entry {} is another one or gone, and its log ends at {}",
                applied.value(),
                head.value()
            ),
            Self::StoreReplaced(store) => write!(f, "the issuer's store was replaced by {store}"),
            Self::Keys(version) => write!(f, "the keys are now version {}", version.value()),
            Self::Renamed { issuer, audience } => write!(
                f,
                "the issuer's tokens now name the issuer {issuer:?} and the audience {audience:?}: they are accepted, as are those \
                 with the names of before; expect the new names here"
            ),
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
                "{url} is plain HTTP to another machine: anybody on the network path can read the service key and replace the \
                 public keys, and so make tokens that are accepted here; use https://"
            ),
        }
    }
}

/// The listener for events, if any.
#[derive(Clone, Default)]
pub(super) struct EventListener(Option<Arc<Callback>>);

type Callback = dyn Fn(&Event) + Send + Sync;

impl EventListener {
    pub(super) fn new(callback: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(callback)))
    }

    pub(super) fn notify(&self, event: &Event) {
        if let Some(listener) = &self.0 {
            listener(event);
        }
    }
}

impl fmt::Debug for EventListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "EventListener" } else { "EventListener(none)" })
    }
}
