//! The reasons why a token is not accepted.

use std::fmt;

use crate::model::verdict::Reason;
use crate::token::rejection_codes::{TOKEN_INVALID, ended};

/// The code of a refusal because freshness is not proven: the verifier's own.
const STALE: &str = "stale";

/// The reason why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// The text is not an access token of this issuer for this audience: answer 401.
    Invalid,
    /// The token no longer acts for its user: answer 401 with the code, which tells the app what to do.
    Ended(Reason),
    /// Freshness is not proven, so the token may be valid or not: answer 503 with `Retry-After`.
    Stale(Doubt),
}

/// The reason why freshness is not proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Doubt {
    /// No proof yet, or the issuer's store was replaced and its log is not applied yet.
    Unproven,
    /// The last proof is older than `max_staleness`.
    Late,
    /// This machine's clock and the issuer's are more than a minute apart.
    Clock,
    /// There are more revocations than `max_entries`.
    Full,
    /// The issuer has newer keys than this verifier, and the token names an unknown one; or the token carries names that the
    /// issuer may have taken since the last proof.
    Keys,
}

impl Rejection {
    /// The codes of all rejections, in the order of the service's documentation.
    pub const CODES: &'static [&'static str] = &[
        ended(Reason::Expired),
        ended(Reason::Superseded),
        ended(Reason::PasswordChanged),
        ended(Reason::SignedOut),
        ended(Reason::SignedOutEverywhere),
        ended(Reason::Reset),
        ended(Reason::UserDisabled),
        TOKEN_INVALID,
        STALE,
    ];

    /// The stable code, the same as the service's error code; `stale` is the verifier's own.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ended(reason) => ended(reason),
            Self::Invalid => TOKEN_INVALID,
            Self::Stale(_) => STALE,
        }
    }

    /// The HTTP status to answer with: 503 if freshness is not proven, else 401.
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
            Self::Stale(Doubt::Unproven) => "freshness is not proven yet",
            Self::Stale(Doubt::Late) => "freshness is no longer proven",
            Self::Stale(Doubt::Clock) => "the clock here and the issuer's are more than a minute apart",
            Self::Stale(Doubt::Keys) => "newer keys or names have not been fetched yet",
            Self::Stale(Doubt::Full) => "there are more revocations than `max_entries`",
        })
    }
}

impl std::error::Error for Rejection {}
