//! Readiness: whether this node can answer.

use std::sync::Arc;

use super::error::AuthError;
use crate::issuer::rollback::RollbackDetector;
use crate::store::Store;
use crate::store::priority::Priority;

/// Tells whether this node can answer.
#[derive(Debug)]
pub struct Readiness {
    pub(super) store: Store,
    pub(super) rollback: Arc<RollbackDetector>,
}

impl Readiness {
    /// Checks that the store answers and was not rolled back. Returns the highest priority of which steps are refused
    /// for want of free disk space, and all below it with it; `None` if nothing is refused.
    pub async fn check(&self) -> Result<Option<Priority>, AuthError> {
        self.store.ready().await?;
        self.rollback.check()?;
        Ok(self.store.stopped()?)
    }
}
