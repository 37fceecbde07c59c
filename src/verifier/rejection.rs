//! Why a token is not accepted.

use std::fmt;

use crate::model::verdict::Reason;

/// Why a token is not accepted, as far as it is the caller's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// It is no access token of this issuer for this audience: answer 401.
    Invalid,
    /// It no longer acts for its user: answer 401 with the code, which tells the app what to do.
    Ended(Reason),
    /// Nobody here can tell: whether it was taken back is not known freshly enough. Answer 503, with `Retry-After`;
    /// the token may be good.
    Stale(Doubt),
}

/// Why nobody here can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Doubt {
    /// The issuer has not been heard in full yet, or its store was replaced and the new log is not here yet.
    Unproven,
    /// The last proof is older than `max_staleness`.
    Late,
    /// The clock here and the issuer's are more than a minute apart.
    Clock,
    /// More has ended than fits into the memory set aside for it.
    Full,
    /// The issuer has newer keys than those here, and the token names one that is not here.
    Keys,
}

impl Rejection {
    /// Every code a rejection can have, in the order of the service's documentation.
    pub const CODES: &'static [&'static str] = &[
        "token_expired",
        "superseded",
        "password_changed",
        "signed_out",
        "signed_out_everywhere",
        "reset",
        "user_disabled",
        "token_invalid",
        "stale",
    ];

    /// The stable code: the service's own, which apps know already, and `stale`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ended(Reason::Expired) => "token_expired",
            Self::Ended(Reason::Superseded) => "superseded",
            Self::Ended(Reason::PasswordChanged) => "password_changed",
            Self::Ended(Reason::SignedOut) => "signed_out",
            Self::Ended(Reason::SignedOutEverywhere) => "signed_out_everywhere",
            Self::Ended(Reason::Reset) => "reset",
            Self::Ended(Reason::UserDisabled) => "user_disabled",
            Self::Invalid => "token_invalid",
            Self::Stale(_) => "stale",
        }
    }

    /// The HTTP status to answer with: 503 when it cannot be told, else 401.
    pub const fn status(self) -> u16 {
        if matches!(self, Self::Stale(_)) { 503 } else { 401 }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "not a token of this issuer for this audience",
            Self::Ended(Reason::Expired) => "the token has expired",
            Self::Ended(Reason::Superseded) => "the token was replaced: refresh",
            Self::Ended(Reason::PasswordChanged) => "the password was changed after the token was issued",
            Self::Ended(Reason::SignedOut) => "the device was signed out",
            Self::Ended(Reason::SignedOutEverywhere) => "the user signed out everywhere",
            Self::Ended(Reason::Reset) => "every session of the service was ended",
            Self::Ended(Reason::UserDisabled) => "the account is disabled",
            Self::Stale(Doubt::Unproven) => "what was signed out is not known here yet",
            Self::Stale(Doubt::Late) => "what was signed out is not known freshly enough",
            Self::Stale(Doubt::Clock) => "the clock here and the issuer's disagree",
            Self::Stale(Doubt::Keys) => "newer keys are not here yet",
            Self::Stale(Doubt::Full) => "more was signed out than there is memory for",
        })
    }
}

impl std::error::Error for Rejection {}
