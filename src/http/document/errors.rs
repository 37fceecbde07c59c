//! Which errors each operation can answer: by rule where a rule says it, by name where only the operation does.
//!
//! A test compares this with what the operations really answered, both ways.

use std::collections::BTreeMap;

use poem::http::StatusCode;

#[allow(clippy::enum_glob_use, reason = "the tables below are nothing but codes")]
use crate::http::code::Code::{self, *};

/// A JSON body that is required.
const BODY: &[Code] = &[InvalidRequest, BadJson, TooLarge, UnsupportedMediaType];
/// A JSON body that a client may leave out, and whose unknown fields are ignored.
const LENIENT_BODY: &[Code] = &[InvalidRequest, BadJson, TooLarge, UnsupportedMediaType];
/// A form body.
const FORM: &[Code] = &[InvalidRequest, TooLarge, UnsupportedMediaType];
/// The bearer token of a signed-in user.
const BEARER: &[Code] = &[
    TokenMissing,
    TokenInvalid,
    TokenExpired,
    Superseded,
    PasswordChanged,
    SignedOut,
    SignedOutEverywhere,
    Reset,
    UserDisabled,
];
/// A service key.
const SERVICE_KEY: &[Code] = &[TokenMissing, TokenInvalid, Forbidden];
/// The store is asked; it may fail, and it may take too long.
const STORE: &[Code] = &[Unavailable, Timeout];
/// Something in the path is looked up.
const PATH: &[Code] = &[NotFound];
/// Parameters in the query.
const QUERY: &[Code] = &[InvalidRequest];
/// A password is checked.
const PASSWORD: &[Code] = &[RateLimited, Overloaded];

/// The errors of one operation, by status.
pub(super) fn of(operation: &str) -> Vec<(StatusCode, Vec<Code>)> {
    let parts: &[&[Code]] = match operation {
        "register" => &[BODY, PASSWORD, STORE, &[UsernameTaken, WeakPassword, Forbidden]],
        "login" => &[BODY, PASSWORD, STORE, &[WrongCredentials]],
        "refresh" => &[
            BODY,
            STORE,
            &[
                TokenInvalid,
                PasswordChanged,
                SignedOut,
                SignedOutEverywhere,
                Reset,
                UserDisabled,
                RefreshReused,
            ],
        ],
        "logout" => &[LENIENT_BODY, STORE, &[TokenMissing, TokenInvalid]],
        "logoutAll" | "listDevices" => &[BEARER, STORE, QUERY],
        "logoutOthers" => &[BEARER, STORE, &[RateLimited]],
        "changePassword" => &[BODY, BEARER, PASSWORD, STORE, &[WeakPassword, WrongCredentials]],
        "deleteAccount" => &[BODY, BEARER, PASSWORD, STORE, &[WrongCredentials]],
        "me" => &[BEARER, STORE],
        "getDevice" | "endDevice" => &[BEARER, STORE, PATH],
        "renameDevice" => &[BODY, BEARER, STORE, PATH],
        "introspect" => &[FORM, SERVICE_KEY, STORE],
        "revoke" => &[FORM, STORE],
        "listUsers" => &[SERVICE_KEY, STORE, QUERY],
        "listDevicesOfUser" => &[SERVICE_KEY, STORE, QUERY, PATH],
        "getUser" => &[SERVICE_KEY, STORE, PATH],
        "logoutAllOfUser" | "disableUser" | "enableUser" | "endDeviceOfUser" => {
            &[LENIENT_BODY, SERVICE_KEY, STORE, PATH]
        }
        "logoutEveryone" => &[LENIENT_BODY, SERVICE_KEY, STORE],
        "openSession" => &[BODY, SERVICE_KEY, STORE, PATH],
        "listRevocations" => &[SERVICE_KEY, STORE, QUERY, &[Resnapshot]],
        "streamRevocations" => &[SERVICE_KEY, STORE, &[RateLimited, Overloaded]],
        "ping" => &[BODY, SERVICE_KEY, STORE],
        "publicKeys" | "readyz" => &[STORE],
        _ => &[],
    };
    let mut by_status: BTreeMap<u16, (StatusCode, Vec<Code>)> = BTreeMap::new();
    for code in parts.iter().copied().flatten() {
        let status = status(operation, *code);
        let (_, codes) = by_status.entry(status.as_u16()).or_insert_with(|| (status, Vec::new()));
        if !codes.contains(code) {
            codes.push(*code);
        }
    }
    by_status.into_values().collect()
}

/// A wrong password beside a good bearer token is 403, so that no client refreshes over it.
fn status(operation: &str, code: Code) -> StatusCode {
    match (operation, code) {
        ("changePassword" | "deleteAccount", WrongCredentials) => StatusCode::FORBIDDEN,
        _ => code.status(),
    }
}
