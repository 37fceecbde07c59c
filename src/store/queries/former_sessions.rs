//! What is known of sessions of another system that are not continued here yet.

use super::Query;
use crate::model::ids::UserId;
use crate::model::verdict::Reason;
use crate::store::StoreError;
use crate::store::records::Records;
use crate::store::steps::continue_session::ended_before;
use crate::store::working_set::WorkingSet;

/// Finds why the user's sessions of another system have ended that are not continued here yet; `None` if they go on.
#[derive(Clone, Copy, Debug)]
pub struct FindFormerEnd {
    /// The user.
    pub user: UserId,
}

impl Query for FindFormerEnd {
    type Answer = Option<Reason>;

    /// An answer about a token rests on it: it has to be the primary's.
    const DURABLE: bool = true;

    fn working_set(&self) -> WorkingSet {
        WorkingSet::Unknown
    }

    fn run(&self, records: &dyn Records) -> Result<Option<Reason>, StoreError> {
        let era = records.counters()?.era;
        match records.user(self.user)? {
            Some(user) => ended_before(records, &user, era),
            None => Ok(Some(Reason::SignedOutEverywhere)),
        }
    }
}
