//! What an operation came to, in words that both the store and the naive model can say.

use rescind::model::verdict::Reason;
use rescind::store::steps::Refusal;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Opened {
        evicted: Vec<usize>,
    },
    Rotated(u64),
    Repeated(u64),
    Recovered(u64),
    Reused,
    /// So many devices.
    SignedOut(u64),
    NotLive,
    NoUser,
    Disabled,
    PasswordChanged,
    UsernameTaken,
    Refused(Reason),
    /// Said of a device whose record may be gone, and with it the exact reason.
    RefusedSomehow,
    Ahead,
}

impl Outcome {
    /// Whether this, said by the model, is what the store said.
    pub(crate) fn is(&self, said: &Outcome) -> bool {
        self == said || matches!((self, said), (Outcome::RefusedSomehow, Outcome::Refused(_)))
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Ended(reason) => Outcome::Refused(reason),
            Refusal::Ahead => Outcome::Ahead,
        }
    }
}
