//! The shapes of what the feed answers.

use poem_openapi::Object;
use serde::Serialize;

use super::answers::count;
use super::moment::Moment;
use crate::model::revocation::{Entry, Revocation};
use crate::token::feed::Frame;

/// Some of the log of revocations.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Revocations")]
pub(super) struct RevocationsAnswer {
    /// The entries as one signed frame: PASETO `v4.public` with the implicit assertion `rescind/feed/v1`.
    pub frame: String,
    /// The id of the store whose log this is. Another one than before: refuse all tokens until everything it keeps is here.
    pub store: String,
    /// Whether this is the beginning of what is kept. Of the same store forget nothing.
    pub start: bool,
    /// The position before the first entry.
    pub after: i64,
    /// The position of the last entry: the `since` of the next page.
    pub last: i64,
    /// The newest position there is.
    pub head: i64,
    /// The era: tokens of an earlier one are dead.
    pub era: i64,
    /// The version of the public keys.
    pub keys_version: i64,
    /// What ended, in order.
    pub entries: Vec<EntryAnswer>,
}

/// Something ended.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Revocation")]
pub(super) struct EntryAnswer {
    /// The position of the entry in the log.
    pub position: i64,
    /// `device_ended`, `generation`, `era` or `keys`. Of another one only this is known: refuse all tokens.
    pub r#type: String,
    /// When.
    pub at: Moment,
    /// Whose tokens, claim `sub`: of a device or a generation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Which device, claim `sid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The user's generation: tokens with a lower `gen` are dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// The device that goes on under it, once its app has refreshed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// `password_changed` when the device that goes on is the one on which the password was changed: a refresh helps none of
    /// its earlier tokens. `disabled` when the account is disabled, until the user's next entry with a generation. Another
    /// cause changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The era: tokens with a lower `era` are dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub era: Option<i64>,
    /// The version of the public keys: fetch them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys_version: Option<i64>,
    /// The id of the key whose tokens are dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distrusted: Option<String>,
}

/// The answer to a ping.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Pong")]
pub(super) struct PongAnswer {
    /// Signed: PASETO `v4.public` with the implicit assertion `rescind/feed/v1`.
    pub pong: String,
}

impl RevocationsAnswer {
    pub(super) fn of(frame: &Frame, text: String) -> Self {
        let statement = &frame.statement;
        Self {
            frame: text,
            store: statement.store.to_string(),
            start: frame.start,
            after: count(frame.after.value()),
            last: count(frame.last().value()),
            head: count(statement.head.value()),
            era: count(statement.era.value()),
            keys_version: count(statement.keys.value()),
            entries: frame.entries.iter().map(EntryAnswer::of).collect(),
        }
    }
}

impl EntryAnswer {
    fn of(entry: &Entry) -> Self {
        let of_type = |r#type: &str| Self {
            position: count(entry.position.value()),
            r#type: r#type.to_owned(),
            at: Moment(entry.at),
            user: None,
            device: None,
            generation: None,
            kept: None,
            cause: None,
            era: None,
            keys_version: None,
            distrusted: None,
        };
        match &entry.revocation {
            Revocation::Device { user, device } => Self {
                user: Some(user.to_string()),
                device: Some(device.to_string()),
                ..of_type("device_ended")
            },
            Revocation::Generation { user, generation, extent } => Self {
                user: Some(user.to_string()),
                generation: Some(count(generation.value())),
                kept: extent.kept().map(|device| device.to_string()),
                cause: extent.cause().map(|cause| cause.as_str().to_owned()),
                ..of_type("generation")
            },
            Revocation::Era(era) => Self { era: Some(count(era.value())), ..of_type("era") },
            Revocation::Keys { version, distrusted } => Self {
                keys_version: Some(count(version.value())),
                distrusted: distrusted.as_ref().map(ToString::to_string),
                ..of_type("keys")
            },
        }
    }
}
