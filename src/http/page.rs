//! Ids in paths, and pages of lists.
//!
//! A list continues after a *cursor*, which the page before gave as its `next`: opaque to clients, so that no name in
//! a list can break it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::code::{Code, FieldCode};
use super::problem::Problem;
use crate::model::ids::DeviceId;
use crate::model::timestamp::Timestamp;
use crate::store::queries::devices::EndedPosition;

/// The number of results on a page unless the client sets `limit`.
const PAGE: u32 = 100;

/// Parses a device's id in a path. An invalid id is 404, like an unknown one.
pub(super) fn device_id(text: &str) -> Result<DeviceId, Problem> {
    DeviceId::parse(text).ok_or_else(|| Problem::new(Code::NotFound))
}

/// The longest cursor that is decoded, in bytes: a username's key has at most 150 characters, each folded to at most
/// three of four bytes, in base64url.
const LONGEST_CURSOR: usize = 2_400;

/// The cursor of the user with this key of a username.
pub(super) fn user_cursor(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

/// Parses a cursor of a list of users: the key of the username that the page starts after.
pub(super) fn after_user(cursor: Option<&str>) -> Result<Option<String>, Problem> {
    let wrong = || Problem::field("after", FieldCode::InvalidFormat);
    let read = |cursor: &str| {
        let key = URL_SAFE_NO_PAD.decode(cursor).ok().filter(|_| cursor.len() <= LONGEST_CURSOR)?;
        let key = String::from_utf8(key).ok()?;
        // PostgreSQL takes no text with a zero character.
        (!key.contains('\0')).then_some(key)
    };
    cursor.map(|cursor| read(cursor).ok_or_else(wrong)).transpose()
}

/// Parses a cursor of a list of live devices: the device that the page starts after.
pub(super) fn cursor(after: Option<&str>) -> Result<Option<DeviceId>, Problem> {
    let wrong = || Problem::field("after", FieldCode::InvalidFormat);
    after.map(|text| DeviceId::parse(text).ok_or_else(wrong)).transpose()
}

/// Parses a cursor of a list of ended devices: the position that the page starts after.
pub(super) fn ended_cursor(after: Option<&str>) -> Result<Option<EndedPosition>, Problem> {
    let position = |text: &str| {
        let (at, device) = text.split_once('.')?;
        let at = at.parse().ok().map(Timestamp::from_unix)?;
        Some(EndedPosition { at, device: DeviceId::parse(device)? })
    };
    after
        .map(|text| position(text).ok_or_else(|| Problem::field("after", FieldCode::InvalidFormat)))
        .transpose()
}

/// The cursor of a position among ended devices, as [`ended_cursor`] parses it.
pub(super) fn ended_cursor_text(position: EndedPosition) -> String {
    format!("{}.{}", position.at.unix(), position.device)
}

/// The number of results on a page, from a `limit` of 1 to 1000.
pub(super) fn page_size(limit: Option<u32>) -> Result<usize, Problem> {
    match limit.unwrap_or(PAGE) {
        limit @ 1..=1000 => Ok(limit as usize),
        _ => Err(Problem::field("limit", FieldCode::OutOfRange)),
    }
}
