//! Ids in paths, and pages of lists.
//!
//! A list goes on after a *cursor*, which the page before gave as its `next`: opaque to clients, so that no name in a list
//! can break it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::code::{Code, FieldCode};
use super::problem::Problem;
use crate::model::ids::DeviceId;
use crate::model::timestamp::Timestamp;
use crate::store::EndedPlace;

/// How many results a page has unless the client asks for another number.
const PAGE: u32 = 100;

/// A device's id in a path; a text that is none names nothing.
pub(super) fn device_id(text: &str) -> Result<DeviceId, Problem> {
    DeviceId::parse(text).ok_or_else(|| Problem::new(Code::NotFound))
}

/// The longest cursor read, in bytes: a username's key has at most 150 characters, each folded to at most three of four
/// bytes, in base64url.
const LONGEST_CURSOR: usize = 2_400;

/// The cursor of the user with that name's key.
pub(super) fn user_cursor(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

/// The name's key that a list of users goes on after.
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

/// The place a page begins after.
pub(super) fn cursor(after: Option<&str>) -> Result<Option<DeviceId>, Problem> {
    let wrong = || Problem::field("after", FieldCode::InvalidFormat);
    after.map(|text| DeviceId::parse(text).ok_or_else(wrong)).transpose()
}

/// The place among ended devices that a page begins after.
pub(super) fn ended_cursor(after: Option<&str>) -> Result<Option<EndedPlace>, Problem> {
    let place = |text: &str| {
        let (at, device) = text.split_once('.')?;
        let at = at.parse().ok().map(Timestamp::from_unix)?;
        Some(EndedPlace { at, device: DeviceId::parse(device)? })
    };
    after.map(|text| place(text).ok_or_else(|| Problem::field("after", FieldCode::InvalidFormat))).transpose()
}

/// What [`ended_cursor`] reads.
pub(super) fn ended_cursor_text(place: EndedPlace) -> String {
    format!("{}.{}", place.at.unix(), place.device)
}

/// How many results a page has.
pub(super) fn page_size(limit: Option<u32>) -> Result<usize, Problem> {
    match limit.unwrap_or(PAGE) {
        limit @ 1..=1000 => Ok(limit as usize),
        _ => Err(Problem::field("limit", FieldCode::OutOfRange)),
    }
}
