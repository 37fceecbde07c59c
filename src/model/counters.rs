//! The counters. Each only grows; each is a type of its own.

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(u64);

        impl $name {
            /// The counter at `value`.
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// Its number.
            pub const fn value(self) -> u64 {
                self.0
            }

            /// One more.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }
    };
}

counter! {
    /// A user's counter, claim `gen`: a bump ends every earlier token of that user.
    Generation
}
counter! {
    /// The service-wide counter, claim `era`: a bump ends every token of everyone.
    Era
}
counter! {
    /// A device's refresh counter, claim `seq`: each rotation adds one.
    Sequence
}
counter! {
    /// A place in the ordered log of revocations.
    Position
}
counter! {
    /// The version of the set of signing keys.
    KeysVersion
}

impl Era {
    /// The era that follows `self` at `now`. It never repeats, not even after a restore of an old copy: it is at
    /// least the Unix time.
    #[must_use]
    pub fn following(self, now: Timestamp) -> Self {
        self.next().max(Self(u64::try_from(now.unix()).unwrap_or(0)))
    }
}

/// What a device stands under and a token was minted under: both counters that can end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The service's era.
    pub era: Era,
    /// The user's generation.
    pub generation: Generation,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_era_never_repeats() {
        let now = Timestamp::from_unix(1_000);
        assert_eq!(Era::new(0).following(now), Era::new(1_000));
        assert_eq!(Era::new(1_000).following(now), Era::new(1_001));
        assert_eq!(Era::new(5_000).following(now), Era::new(5_001));
    }
}
