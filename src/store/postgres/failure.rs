//! Classification of the database's errors by what can be done about them.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::store::StoreError;

/// The reason of a statement, a lock or a commit that was waited for in vain.
pub(super) const TOO_LONG: &str = "the database took too long: somebody may hold a lock on its tables, or a synchronous standby may be away; `rescind doctor` says which";

/// The reason why a request to the database failed.
#[derive(Clone, Debug)]
pub(super) enum QueryFailure {
    /// Something was in the way, as another transaction, a statement that is no longer prepared, or a proof of another
    /// database: nothing was written, and a retry can succeed.
    Conflict,
    /// The connection is lost, or leads to a database that is read-only; another connection may work.
    Lost(String),
    /// An error that a retry cannot solve.
    Final(StoreError),
}

impl From<StoreError> for QueryFailure {
    fn from(error: StoreError) -> Self {
        Self::Final(error)
    }
}

impl From<Error> for QueryFailure {
    /// Classifies an error by its SQLSTATE. The database's message is not passed on, because it may quote a record.
    fn from(error: Error) -> Self {
        let Some(code) = error.code() else {
            return Self::Lost("the connection to the database was lost".to_owned());
        };
        match code {
            &SqlState::T_R_SERIALIZATION_FAILURE
            | &SqlState::T_R_DEADLOCK_DETECTED
            // Two registrations of one name: the second one finds it taken.
            | &SqlState::UNIQUE_VIOLATION => Self::Conflict,
            &SqlState::DISK_FULL => Self::Final(StoreError::Full("the database's disk is full".to_owned())),
            &SqlState::READ_ONLY_SQL_TRANSACTION => {
                Self::Lost("the database is read-only: a standby, or default_transaction_read_only is on".to_owned())
            }
            &SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED => {
                Self::Final(StoreError::Corrupt(format!("the database says so (SQLSTATE {})", code.code())))
            }
            &SqlState::LOCK_NOT_AVAILABLE | &SqlState::QUERY_CANCELED => {
                Self::Final(StoreError::Unavailable(TOO_LONG.to_owned()))
            }
            // Operator intervention, a connection that failed, too many of them.
            code if ["57P", "08", "53"].iter().any(|class| code.code().starts_with(class)) => {
                Self::Lost(format!("the database takes no requests (SQLSTATE {})", code.code()))
            }
            code => Self::Final(StoreError::Unavailable(format!(
                "the database refuses a statement (SQLSTATE {})",
                code.code()
            ))),
        }
    }
}
