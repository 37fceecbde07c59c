//! The stable codes that say why a token is refused, the same from the service and from a verifier.
//!
//! Apps decide by them what to do, so that their meaning never changes.

use crate::model::verdict::Reason;

/// The code for a text that is not an authentic token of the issuer.
pub const TOKEN_INVALID: &str = "token_invalid";

/// The code for an authentic token that no longer acts for its user.
pub const fn ended(reason: Reason) -> &'static str {
    match reason {
        Reason::Reset => "reset",
        Reason::UserDisabled => "user_disabled",
        Reason::SignedOutEverywhere => "signed_out_everywhere",
        Reason::Superseded => "superseded",
        Reason::PasswordChanged => "password_changed",
        Reason::SignedOut => "signed_out",
        Reason::Expired => "token_expired",
    }
}
