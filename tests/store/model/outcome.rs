//! The outcome of an operation, in a form common to the store and the model.

use rescind::model::verdict::Reason;
use rescind::store::steps::caller::Refusal;

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
    /// The number of devices that were signed out.
    SignedOut(u64),
    NotLive,
    NoUser,
    Disabled,
    PasswordChanged,
    UsernameTaken,
    Refused(Reason),
    /// A refusal of a device whose record may be dropped, and with it the exact reason.
    RefusedSomehow,
    Ahead,
}

impl Outcome {
    /// Whether this outcome of the model matches the store's.
    pub(crate) fn is(&self, said: &Outcome) -> bool {
        self == said || matches!((self, said), (Outcome::RefusedSomehow, Outcome::Refused(_)))
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Ended(reason) => Outcome::Refused(reason),
            Refusal::Ahead => Outcome::Ahead,
            Refusal::OtherKeys => panic!("nobody changes the keys"),
        }
    }
}
