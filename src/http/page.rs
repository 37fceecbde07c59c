//! Ids in paths, and pages of lists.

use super::code::{Code, FieldCode};
use super::problem::Problem;
use crate::model::ids::DeviceId;

/// How many results a page has unless the client asks for another number.
const PAGE: u32 = 100;

/// A device's id in a path; a text that is none names nothing.
pub(super) fn device_id(text: &str) -> Result<DeviceId, Problem> {
    DeviceId::parse(text).ok_or_else(|| Problem::new(Code::NotFound))
}

/// The place a page begins after.
pub(super) fn cursor(after: Option<&str>) -> Result<Option<DeviceId>, Problem> {
    let wrong = || Problem::field("after", FieldCode::InvalidFormat);
    after.map(|text| DeviceId::parse(text).ok_or_else(wrong)).transpose()
}

/// How many results a page has.
pub(super) fn page_size(limit: Option<u32>) -> Result<usize, Problem> {
    match limit.unwrap_or(PAGE) {
        limit @ 1..=1000 => Ok(limit as usize),
        _ => Err(Problem::field("limit", FieldCode::OutOfRange)),
    }
}
