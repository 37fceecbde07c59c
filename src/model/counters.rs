//! Monotonic counters, each with a type of its own.

use super::timestamp::Timestamp;

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// A counter with the given value.
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// The value of the counter.
            pub const fn value(self) -> u64 {
                self.0
            }

            /// The next value; saturates at `u64::MAX`.
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
    /// A position in the revocation log.
    Position
}
counter! {
    /// The version of the set of signing keys.
    KeysVersion
}

impl Era {
    /// The era that begins after `self` at `now`: at least the Unix time, so that it never repeats, even after a
    /// restore of an old copy.
    #[must_use]
    pub fn following(self, now: Timestamp) -> Self {
        self.next().max(Self(u64::try_from(now.unix()).unwrap_or(0)))
    }
}

/// The values of both counters that can end a token: a device is live, and a token valid, only under the current ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// The era of the service.
    pub era: Era,
    /// The generation of the user.
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
