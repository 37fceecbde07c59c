//! `?wait=`: a sign-out that is answered once it is in force at every follower connected to this node.

use std::time::Duration;

use super::answers::count;
use super::code::FieldCode;
use super::problem::Problem;
use crate::feed::Feed;
use crate::feed::fence::Fenced;
use crate::settings;

/// Parses how long the caller asks to wait: a duration as in the settings, `1s`, `250ms`.
pub(super) fn wait(text: Option<String>) -> Result<Option<Duration>, Problem> {
    let wrong = || Problem::field("wait", FieldCode::InvalidFormat);
    text.map(|text| settings::length_of_time(&text).ok_or_else(wrong)).transpose()
}

/// The result of a wait; empty if the caller did not ask to wait.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waited(Option<Fenced>);

/// Waits until every follower has confirmed, or the time is over, if the caller asks for it.
pub(super) async fn wait_for_followers(feed: &Feed, wait: Option<Duration>) -> Waited {
    match wait {
        None => Waited(None),
        Some(wait) => Waited(Some(feed.fence(wait).await)),
    }
}

impl Waited {
    /// Whether every follower has confirmed: the only part of the result that a user may see.
    pub(super) fn in_force(self) -> Option<bool> {
        self.0.map(Fenced::is_past_all)
    }

    /// The number of followers: for service keys only, since it reveals how the operator's systems are built.
    pub(super) fn followers(self) -> Option<i64> {
        self.0.map(|fenced| count(fenced.followers as u64))
    }

    /// The number of followers that have confirmed: for service keys only.
    pub(super) fn confirmed(self) -> Option<i64> {
        self.0.map(|fenced| count(fenced.confirmed as u64))
    }
}
