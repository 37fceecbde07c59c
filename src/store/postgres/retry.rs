//! Retries of operations on the database.

use std::time::Duration;

use super::failure::QueryFailure;
use crate::store::StoreError;

/// The most attempts of an operation that conflicts with other transactions or loses its connection.
const MOST_ATTEMPTS: u32 = 20;

/// Runs an operation until it succeeds, fails for good, or has failed [`MOST_ATTEMPTS`] times.
pub(super) async fn with_retries<T, F: Future<Output = Result<T, QueryFailure>>>(
    once: impl Fn() -> F,
) -> Result<T, StoreError> {
    let mut last = String::new();
    for tried in 1..=MOST_ATTEMPTS {
        match once().await {
            Ok(done) => return Ok(done),
            Err(QueryFailure::Final(error)) => return Err(error),
            Err(QueryFailure::Conflict) => {
                last =
                    format!("other transactions, or another primary, were in the way {MOST_ATTEMPTS} times");
                tokio::time::sleep(Duration::from_millis(u64::from(tried))).await;
            }
            // The next connection of the pool may be as dead as this one; it makes a new one when all are gone.
            Err(QueryFailure::Lost(why)) => last = why,
        }
    }
    Err(StoreError::Away(last))
}
