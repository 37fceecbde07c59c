//! `?wait=`: a sign-out that is answered once it is in force at every follower that is connected here.

use std::time::Duration;

use super::answers::count;
use super::code::FieldCode;
use super::problem::Problem;
use crate::feed::Feed;
use crate::settings;

/// How long a caller asks to wait: a length of time as in the settings, `1s`, `250ms`.
pub(super) fn wait(text: Option<String>) -> Result<Option<Duration>, Problem> {
    let wrong = || Problem::field("wait", FieldCode::InvalidFormat);
    text.map(|text| settings::length_of_time(&text).ok_or_else(wrong)).transpose()
}

/// How many followers there are, and how many have confirmed; nothing for who does not wait.
pub(super) async fn put_up(feed: &Feed, wait: Option<Duration>) -> (Option<i64>, Option<i64>) {
    match wait {
        None => (None, None),
        Some(wait) => {
            let fenced = feed.fence(wait).await;
            (Some(count(fenced.followers as u64)), Some(count(fenced.confirmed as u64)))
        }
    }
}
