//! What stands in the columns of a row of an answer.

use tokio_postgres::SimpleQueryRow;
use uuid::Uuid;

use super::failure::QueryFailure;
use crate::model::ids::{DeviceId, UserId};
use crate::store::StoreError;

/// The rows of the answers to a message.
pub(super) type Rows = Vec<SimpleQueryRow>;

/// The name in the first column, which says what the row is.
pub(super) fn name(row: &SimpleQueryRow) -> Result<&str, QueryFailure> {
    Ok(row.try_get(0)?.unwrap_or_default())
}

/// The document in a column, if there is one.
pub(super) fn document(row: &SimpleQueryRow, column: usize) -> Result<Option<String>, QueryFailure> {
    Ok(row.try_get(column)?.map(str::to_owned))
}

/// The id in a column.
pub(super) fn id(row: &SimpleQueryRow, column: usize) -> Result<[u8; 16], QueryFailure> {
    let id = row.try_get(column)?.and_then(|text| Uuid::try_parse(text).ok());
    let unreadable = || StoreError::Corrupt("an id cannot be read".to_owned());
    Ok(id.ok_or_else(unreadable)?.into_bytes())
}

/// The user in the second column.
pub(super) fn user(row: &SimpleQueryRow) -> Result<UserId, QueryFailure> {
    Ok(UserId::from_bytes(id(row, 1)?))
}

/// The device in the second column, and its user in the fourth.
pub(super) fn device(row: &SimpleQueryRow) -> Result<(UserId, DeviceId), QueryFailure> {
    Ok((UserId::from_bytes(id(row, 3)?), DeviceId::from_bytes(id(row, 1)?)))
}
