//! The stable codes of problems, which apps translate and decide by. This is the only list; a verifier gives the same
//! codes for refused tokens ([`rejection_codes`](crate::token::rejection_codes)).

use poem::http::StatusCode;

use crate::model::verdict::Reason;
use crate::token::rejection_codes::{TOKEN_INVALID, ended};

macro_rules! codes {
    ($($variant:ident = $name:expr, $status:ident, $title:literal, $advice:literal;)*) => {
        /// Why a request was not answered. The text form is part of the API and never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $advice] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the documentation: refresh, use newer tokens, sign in, correct, wait,
            /// errors of the service.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The text form, as in a problem's `code`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The HTTP status of an answer with this code, unless the problem sets another one.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// The `title` of a problem (RFC 9457 §3.1.3): a short summary that never varies.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// What the app should do about a problem with this code.
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice,)* }
            }
        }
    };
}

codes! {
    TokenExpired = ended(Reason::Expired), UNAUTHORIZED, "The token has expired",
        "Refresh; if the refresh token is the one that expired, sign in again.";
    Superseded = ended(Reason::Superseded), UNAUTHORIZED, "The token was replaced",
        "Refresh: this device is still signed in, but this token was replaced.";

    PasswordChanged = ended(Reason::PasswordChanged), UNAUTHORIZED, "The password was changed",
        "Use newer tokens if you hold them, else sign in: the password was changed on this device after this token was issued.";

    SignedOut = ended(Reason::SignedOut), UNAUTHORIZED, "This device was signed out",
        "Sign in again: this device was signed out.";
    SignedOutEverywhere = ended(Reason::SignedOutEverywhere), UNAUTHORIZED, "All devices were signed out",
        "Sign in again: every device of this user was signed out.";
    Reset = ended(Reason::Reset), UNAUTHORIZED, "All sessions were reset",
        "Sign in again: every session of the service was ended.";
    RefreshReused = "refresh_reused", UNAUTHORIZED, "The refresh token was used before",
        "Sign in again: an old refresh token came back, so this device was signed out.";
    UserDisabled = ended(Reason::UserDisabled), UNAUTHORIZED, "The account is disabled",
        "Tell the user to contact whoever runs the service.";
    TokenInvalid = TOKEN_INVALID, UNAUTHORIZED, "The token is not valid here",
        "Sign in again: this is not a token of this service, or not of the kind asked for.";
    TokenMissing = "token_missing", UNAUTHORIZED, "A token is required",
        "Sign in and send the access token as `Authorization: Bearer …`.";

    InvalidRequest = "invalid_request", BAD_REQUEST, "The request is not valid",
        "Correct the fields named in `errors`.";
    BadJson = "bad_json", BAD_REQUEST, "The body is not valid JSON",
        "Correct the JSON at the place `detail` names.";
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The media type is not supported",
        "Send the body in the media type `detail` names.";
    TooLarge = "too_large", PAYLOAD_TOO_LARGE, "The request is too large",
        "Send a smaller request: `detail` says how large it may be.";
    Resnapshot = "resnapshot", GONE, "The log does not continue from there",
        "Resnapshot: forget what you hold and ask without a position.";
    NotFound = "not_found", NOT_FOUND, "There is nothing here",
        "Correct the path or the id: `detail` says which paths are near, if none is that one.";
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "The method is not allowed here",
        "Use one of the methods in the `Allow` header.";
    UsernameTaken = "username_taken", CONFLICT, "The username is taken",
        "Ask the user for another name.";
    ExternalIdTaken = "external_id_taken", CONFLICT, "The external id is taken",
        "Use the user who has this external id, or take it from that user first.";
    WeakPassword = "weak_password", BAD_REQUEST, "The password is too weak",
        "Ask the user for another password: `detail` says why.";
    WrongCredentials = "wrong_credentials", UNAUTHORIZED, "Wrong username or password",
        "Ask the user to type them again.";
    NoPassword = "no_password", FORBIDDEN, "The account has no password",
        "Send the user to the system through which this account signs in. Only an administrator can give the account a password.";
    Forbidden = "forbidden", FORBIDDEN, "This is not allowed",
        "`detail` says what is missing: a scope of the service key, or a setting of the service.";

    RateLimited = "rate_limited", TOO_MANY_REQUESTS, "Too many requests",
        "Wait for as many seconds as `Retry-After` says, then try again.";
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "The service is busy",
        "Wait for as many seconds as `Retry-After` says, then try again.";
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The service cannot answer now",
        "Wait for as many seconds as `Retry-After` says, then try again. A request that changes something may have taken effect.";
    Timeout = "timeout", SERVICE_UNAVAILABLE, "The answer took too long",
        "Wait for as many seconds as `Retry-After` says, then try again. The request may have taken effect.";

    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong here",
        "Report it with the `request_id`.";
}

impl Code {
    /// The `error` of an OAuth 2.0 answer with this code: RFC 6749 §5.2, RFC 6750 §3.1, RFC 7009 §2.2.1.
    pub const fn oauth_error(self) -> &'static str {
        match self {
            Self::Forbidden => "insufficient_scope",
            Self::RateLimited | Self::Overloaded | Self::Unavailable | Self::Timeout => {
                "temporarily_unavailable"
            }
            Self::Internal => "server_error",
            _ if self.status().as_u16() == 401 => "invalid_client",
            _ => "invalid_request",
        }
    }

    /// The `WWW-Authenticate` of an answer with this code (RFC 6750 §3).
    pub const fn challenge(self) -> &'static str {
        if self.is_refused_token() {
            r#"Bearer realm="rescind", error="invalid_token""#
        } else {
            r#"Bearer realm="rescind""#
        }
    }

    /// Whether an answer with this code means that a token was presented and refused (RFC 6750 §3.1).
    pub const fn is_refused_token(self) -> bool {
        self.status().as_u16() == 401 && !matches!(self, Self::TokenMissing | Self::WrongCredentials)
    }
}

macro_rules! field_codes {
    ($($variant:ident = $name:literal, $meaning:literal;)*) => {
        /// What is wrong with one field of a request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FieldCode {
            $(#[doc = $meaning] $variant,)*
        }

        impl FieldCode {
            /// Every field code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The text form, as in a problem's `errors[].code`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The meaning of the code in one sentence, for the document.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

field_codes! {
    Required = "required", "The field is missing, or null.";
    Unknown = "unknown", "There is no such field here.";
    Duplicate = "duplicate", "The field or parameter is given more than once.";
    WrongType = "wrong_type", "The value is of another JSON type.";
    TooShort = "too_short", "The value is too short.";
    TooLong = "too_long", "The value is too long.";
    OutOfRange = "out_of_range", "The number is too small or too large.";
    InvalidFormat = "invalid_format", "The text does not have the required form.";
    NotAllowed = "not_allowed", "The value is not one of those allowed.";
    InvalidCharacters = "invalid_characters", "The text has characters that are not allowed in it.";
    Reserved = "reserved", "The name would be read as an id or as a part of a path.";
    Ambiguous = "ambiguous", "The text names several: `detail` says how to name each.";
    TooCommon = "too_common", "The password is among the first that anyone guessing would try.";
    SameAsUsername = "same_as_username", "The password is the username.";
    OtherUser = "other_user", "The token belongs to another user than the bearer token.";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_codes_are_exactly_the_documented_ones() {
        let mut listed: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        listed.sort_unstable();
        let mut documented: Vec<_> = "token_expired superseded password_changed signed_out signed_out_everywhere reset refresh_reused \
             user_disabled token_invalid token_missing invalid_request bad_json unsupported_media_type too_large \
             not_found resnapshot method_not_allowed username_taken external_id_taken weak_password wrong_credentials no_password forbidden rate_limited \
             overloaded unavailable timeout internal"
            .split_whitespace()
            .collect();
        documented.sort_unstable();
        assert_eq!(listed, documented);
    }

    #[test]
    fn field_codes_have_one_name_each() {
        let names: HashSet<_> = FieldCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), FieldCode::ALL.len());
    }

    #[test]
    fn only_a_presented_token_is_called_invalid() {
        assert!(Code::SignedOut.is_refused_token());
        assert!(!Code::TokenMissing.is_refused_token());
        assert!(!Code::WrongCredentials.is_refused_token());
        assert!(!Code::Forbidden.is_refused_token());
    }
}
