//! When something is tried again.

use std::time::Duration;

use super::failure::QueryFailure;
use crate::store::StoreError;

/// How often something is tried before the others that are in the way have won.
const TRIES: u32 = 20;

/// Tries until it is done, or nothing can be done about it.
pub(super) async fn again<T, F: Future<Output = Result<T, QueryFailure>>>(
    once: impl Fn() -> F,
) -> Result<T, StoreError> {
    let mut last = String::new();
    for tried in 1..=TRIES {
        match once().await {
            Ok(done) => return Ok(done),
            Err(QueryFailure::Final(error)) => return Err(error),
            Err(QueryFailure::Conflict) => {
                last = format!("it conflicted with other transactions {TRIES} times");
                tokio::time::sleep(Duration::from_millis(u64::from(tried))).await;
            }
            // The next connection of the pool may be as dead as this one; it makes a new one when all are gone.
            Err(QueryFailure::Lost(why)) => last = why,
        }
    }
    Err(StoreError::Away(last))
}
