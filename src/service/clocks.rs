//! The comparison of this node's clock with the store's at the start.

use super::error::OpenError;
use crate::store::{Store, StoreTime};
use crate::world::reference::ReferenceClock;

/// Compares this node's clock with what the store knows of the time. A clock too far from the database's is an error;
/// one behind the records of an embedded store is only logged, since the records may be ahead.
pub(super) async fn compare_clocks(store: &Store, clock: &ReferenceClock) -> Result<(), OpenError> {
    let asked = clock.world().uptime();
    match store.time().await? {
        StoreTime::Database(now) => clock.hear_of_database(now, asked),
        StoreTime::Recorded(Some(newest)) => {
            if let Some(late) = clock.hear_of_record(newest) {
                tracing::warn!(
                    event = "clock_behind_store",
                    seconds = late.as_secs(),
                    newest = %newest.rfc3339(),
                    "the clock is behind the newest record of the store: set it if it is wrong. If it was ahead before and is right now, run `rescind key rotate`, since access tokens of that time become valid when it comes"
                );
            }
        }
        StoreTime::Recorded(None) => {}
    }
    Ok(clock.check()?)
}
