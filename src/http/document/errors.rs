//! The errors each operation can answer: by rule where a rule says it, by name where only the operation does.
//!
//! A test compares them with what the operations really answered, both ways.

use std::borrow::Cow;
use std::collections::BTreeMap;

use poem::http::StatusCode;

#[allow(clippy::enum_glob_use, reason = "the tables below are nothing but codes")]
use crate::http::code::Code::{self, *};
use crate::http::credential;
use crate::http::refusal::WRONG_PASSWORD;
use crate::http::wanted::scope;

/// Errors of a JSON body.
const BODY: &[Code] = &[InvalidRequest, BadJson, TooLarge, UnsupportedMediaType];
/// Errors of a form body.
const FORM: &[Code] = &[InvalidRequest, TooLarge, UnsupportedMediaType];
/// Errors of an operation that requires the bearer token of a user.
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
/// Errors of an operation that requires a service key.
const SERVICE_KEY: &[Code] = &[TokenMissing, TokenInvalid, Forbidden];
/// Errors of an operation that uses the store, which may fail or take too long.
const STORE: &[Code] = &[Unavailable, Timeout];
/// Errors of an operation that looks up an id or a name in its path.
const PATH: &[Code] = &[NotFound];
/// Errors of query parameters.
const QUERY: &[Code] = &[InvalidRequest];
/// Errors of an operation that checks a password.
const PASSWORD: &[Code] = &[RateLimited, Overloaded];

/// The errors of one operation, grouped by status.
pub(super) fn of(operation: &str) -> Vec<(StatusCode, Vec<Code>)> {
    let mut by_status: BTreeMap<u16, (StatusCode, Vec<Code>)> = BTreeMap::new();
    for code in parts(operation).iter().copied().flatten() {
        let status = status(operation, *code);
        let (_, codes) = by_status.entry(status.as_u16()).or_insert_with(|| (status, Vec::new()));
        if !codes.contains(code) {
            codes.push(*code);
        }
    }
    by_status.into_values().collect()
}

fn parts(operation: &str) -> &'static [&'static [Code]] {
    match operation {
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
        "logout" => &[BODY, STORE, &[TokenMissing, TokenInvalid]],
        "logoutOthers" => &[BEARER, STORE, &[RateLimited]],
        "changePassword" => &[BODY, BEARER, PASSWORD, STORE, &[WeakPassword, WrongCredentials, NoPassword]],
        "deleteAccount" => &[BODY, BEARER, PASSWORD, STORE, &[WrongCredentials, NoPassword]],
        "logoutAll" | "me" | "listDevices" => &[BEARER, STORE, QUERY],
        "getDevice" => &[BEARER, STORE, PATH, QUERY],
        "endDevice" => &[BEARER, STORE, PATH],
        "renameDevice" => &[BODY, BEARER, STORE, PATH],
        "introspect" => &[FORM, SERVICE_KEY, STORE],
        "revoke" => &[FORM, STORE],
        "listUsers" => &[SERVICE_KEY, STORE, QUERY],
        "getUser" | "listDevicesOfUser" => &[SERVICE_KEY, STORE, PATH, QUERY],
        "createUser" => {
            &[BODY, SERVICE_KEY, STORE, &[Overloaded, UsernameTaken, ExternalIdTaken, WeakPassword]]
        }
        "updateUser" => &[BODY, SERVICE_KEY, STORE, PATH, &[UsernameTaken, ExternalIdTaken]],
        "deleteUser" | "logoutAllOfUser" | "disableUser" | "enableUser" | "endDeviceOfUser"
        | "openSession" => &[BODY, SERVICE_KEY, STORE, PATH],
        "logoutEveryone" | "ping" => &[BODY, SERVICE_KEY, STORE],
        "listRevocations" => &[SERVICE_KEY, STORE, QUERY, &[Resnapshot]],
        "streamRevocations" => &[SERVICE_KEY, STORE, QUERY, &[RateLimited, Overloaded]],
        "publicKeys" | "readyz" => &[STORE],
        _ => &[],
    }
}

/// What the app should do about a code that an operation answers; the `detail` of a problem, unless the problem has
/// its own.
pub(super) fn advice(operation: &str, code: Code) -> Cow<'static, str> {
    let service_key = of_service_key(operation);
    match code {
        TokenMissing if service_key => credential::missing(scope(operation)).into(),
        TokenInvalid if service_key => credential::invalid(scope(operation)).into(),
        Forbidden => match operation {
            "register" => "Ask whoever runs the service: registration is closed, `detail` says so.".into(),
            "openSession" => {
                "Use a service key with the scope `sessions`, or enable the user: `detail` says which.".into()
            }
            _ => {
                format!("Use a service key with the scope `{}`, as `detail` says.", scope(operation).as_str())
                    .into()
            }
        },
        RateLimited if operation == "streamRevocations" => {
            "Wait, or close another stream: `detail` says how many a service key may have.".into()
        }
        WrongCredentials if status(operation, code) == StatusCode::FORBIDDEN => WRONG_PASSWORD.into(),
        _ => code.advice().into(),
    }
}

fn of_service_key(operation: &str) -> bool {
    parts(operation).contains(&SERVICE_KEY)
}

/// The status of a code in answers of an operation. A wrong password beside a valid bearer token is 403, so that no
/// client refreshes because of it.
fn status(operation: &str, code: Code) -> StatusCode {
    match (operation, code) {
        ("changePassword" | "deleteAccount", WrongCredentials) => StatusCode::FORBIDDEN,
        _ => code.status(),
    }
}
