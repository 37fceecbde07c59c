//! The groups of users that are sent to the service, several at once, so that the store commits them together.

use std::collections::VecDeque;
use std::time::Duration;

use poem::http::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::cli::context::CommandContext;
use crate::cli::failure::CommandFailure;
use crate::cli::service_refusal::ServiceRefusal;
use crate::cli::user::tally::{ImportTally, Report};
use crate::http::transfer::MOST_AT_ONCE;
use crate::service::django::judge::ImportableUser;

/// The most groups under way.
const GROUPS_AT_ONCE: usize = 16;

/// How many milliseconds to wait before a group is sent again that the service could not take, each time longer: some minute
/// in all, as for a service that starts again. Users of the group who were written all the same are there already then.
const PAUSES: [u64; 6] = if cfg!(test) { [1; 6] } else { [200, 1_000, 3_000, 8_000, 20_000, 30_000] };

/// What one reading of a source sends, and what it counts.
pub(super) struct GroupSender<'a> {
    pub(super) context: &'a mut CommandContext,
    pub(super) tally: &'a mut ImportTally,
    pub(super) report: Option<&'a mut Report>,
    pub(super) weak: bool,
    pub(super) dry_run: bool,
    /// The users who wait for their group to be full.
    pub(super) waiting: Vec<ImportableUser>,
    /// The groups that are not answered yet, in their order.
    pub(super) under_way: VecDeque<SentGroup>,
    /// How often groups were sent again since the service last took one. Once it has been too often, no further group waits.
    pub(super) again: usize,
}

/// A group that is sent.
pub(super) struct SentGroup {
    users: Vec<ImportableUser>,
    answer: SentAnswer,
}

/// The answer to a request that is under way.
type SentAnswer = JoinHandle<Result<Value, ServiceRefusal>>;

impl GroupSender<'_> {
    /// Takes a user, and sends a group when it is full.
    pub(super) async fn take(&mut self, user: ImportableUser) -> Result<(), CommandFailure> {
        self.waiting.push(user);
        if self.waiting.len() < MOST_AT_ONCE {
            return Ok(());
        }
        if self.under_way.len() == GROUPS_AT_ONCE {
            self.settle_first().await?;
        }
        self.send().await
    }

    /// Sends the users who still wait for their group to be full.
    pub(super) async fn send_waiting(&mut self) -> Result<(), CommandFailure> {
        if self.waiting.is_empty() { Ok(()) } else { self.send().await }
    }

    /// Counts all groups that are under way, also those after one that fails.
    ///
    /// # Errors
    ///
    /// The first failure.
    pub(super) async fn settle_all(&mut self) -> Result<(), CommandFailure> {
        let mut settled = Ok(());
        while !self.under_way.is_empty() {
            settled = settled.and(self.settle_first().await.map(|_| ()));
        }
        settled
    }

    async fn send(&mut self) -> Result<(), CommandFailure> {
        let users = std::mem::take(&mut self.waiting);
        let answer = self.send_group(&users).await?;
        self.under_way.push_back(SentGroup { users, answer });
        Ok(())
    }

    async fn send_group(&mut self, users: &[ImportableUser]) -> Result<SentAnswer, CommandFailure> {
        let list: Vec<_> = users.iter().map(ImportableUser::to_json).collect();
        let body = json!({ "dry_run": self.dry_run, "weak": self.weak, "users": list });
        self.context.send(Method::POST, "/operator/import-users", Some(body)).await
    }

    /// Waits for the answer to the first group that is under way, and counts its users; false if none is under way.
    pub(super) async fn settle_first(&mut self) -> Result<bool, CommandFailure> {
        let Some(SentGroup { users, answer }) = self.under_way.pop_front() else { return Ok(false) };
        let mut answer = answer.await.unwrap_or(Err(ServiceRefusal::Unreadable));
        while answer.as_ref().is_err_and(ServiceRefusal::may_pass)
            && let Some(pause) = PAUSES.get(self.again)
        {
            self.again += 1;
            sleep(Duration::from_millis(*pause)).await;
            let again = self.send_group(&users).await?;
            answer = again.await.unwrap_or(Err(ServiceRefusal::Unreadable));
        }
        let answer = answer?;
        self.again = 0;
        let results = answer.get("results").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if results.len() != users.len() {
            return Err(CommandFailure::new(
                "the answer of the service is not understood",
                "is the server of the same version as this command? Compare `rescind --version`",
            ));
        }
        for (user, result) in users.iter().zip(results) {
            self.tally.arrived(user, result.as_str().unwrap_or_default(), self.report.as_deref_mut())?;
        }
        Ok(true)
    }
}
