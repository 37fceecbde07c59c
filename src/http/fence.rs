//! `?wait=`: a sign-out that is answered once it is in force at every follower that is connected here.

use std::time::Duration;

use super::answers::count;
use super::code::FieldCode;
use super::problem::Problem;
use crate::feed::Feed;
use crate::feed::fence::Fenced;
use crate::settings;

/// How long a caller asks to wait: a length of time as in the settings, `1s`, `250ms`.
pub(super) fn wait(text: Option<String>) -> Result<Option<Duration>, Problem> {
    let wrong = || Problem::field("wait", FieldCode::InvalidFormat);
    text.map(|text| settings::length_of_time(&text).ok_or_else(wrong)).transpose()
}

/// What came of the wait; nothing for who does not wait.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waited(Option<Fenced>);

/// Waits, if the caller asks for it.
pub(super) async fn put_up(feed: &Feed, wait: Option<Duration>) -> Waited {
    match wait {
        None => Waited(None),
        Some(wait) => Waited(Some(feed.fence(wait).await)),
    }
}

impl Waited {
    /// Whether every follower has confirmed: what a user may know.
    pub(super) fn in_force(self) -> Option<bool> {
        self.0.map(Fenced::is_past_all)
    }

    /// How many followers there are: for service keys only, since it tells how the operator's systems are built.
    pub(super) fn followers(self) -> Option<i64> {
        self.0.map(|fenced| count(fenced.followers as u64))
    }

    /// How many of them have confirmed: for service keys only.
    pub(super) fn confirmed(self) -> Option<i64> {
        self.0.map(|fenced| count(fenced.confirmed as u64))
    }
}
