//! A statement whose arguments are sent beside its text, in a form of their own.
//!
//! The database logs the text of a statement that fails, and shows it to who looks at its sessions, but not what is sent
//! beside it: so documents are, which hold password hashes.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::literal::Number;
use crate::model::ids::{DeviceId, ServiceKeyId, UserId};

/// A parameter of a statement, with its type.
type Value = (Box<dyn ToSql + Sync + Send>, Type);

/// A statement with the arguments that are sent beside it.
///
/// It is sent with the types of its parameters and without a name: in one round trip, and through a pooler that gives
/// each transaction another connection, on which a prepared statement would not exist.
pub(super) struct BoundQuery {
    text: &'static str,
    values: Vec<Value>,
}

impl BoundQuery {
    pub(super) fn new(text: &'static str) -> Self {
        Self { text, values: Vec::new() }
    }

    /// Adds the next parameter.
    fn with(mut self, value: impl ToSql + Sync + Send + 'static, of: Type) -> Self {
        self.values.push((Box::new(value), of));
        self
    }

    pub(super) fn user(self, id: UserId) -> Self {
        self.with(user_uuid(id), Type::UUID)
    }

    pub(super) fn users(self, ids: impl IntoIterator<Item = UserId>) -> Self {
        self.with(ids.into_iter().map(user_uuid).collect::<Vec<_>>(), Type::UUID_ARRAY)
    }

    pub(super) fn device(self, id: DeviceId) -> Self {
        self.with(device_uuid(id), Type::UUID)
    }

    pub(super) fn devices(self, ids: impl IntoIterator<Item = DeviceId>) -> Self {
        self.with(ids.into_iter().map(device_uuid).collect::<Vec<_>>(), Type::UUID_ARRAY)
    }

    pub(super) fn service_key(self, id: ServiceKeyId) -> Self {
        self.with(Uuid::from_bytes(*id.as_bytes()), Type::UUID)
    }

    pub(super) fn text(self, text: impl Into<String>) -> Self {
        self.with(text.into(), Type::TEXT)
    }

    pub(super) fn optional_texts(self, texts: Vec<Option<String>>) -> Self {
        self.with(texts, Type::TEXT_ARRAY)
    }

    pub(super) fn texts(self, texts: Vec<String>) -> Self {
        self.with(texts, Type::TEXT_ARRAY)
    }

    pub(super) fn flags(self, flags: Vec<bool>) -> Self {
        self.with(flags, Type::BOOL_ARRAY)
    }

    pub(super) fn number(self, number: impl Into<Number>) -> Self {
        self.with(number.into().value(), Type::INT8)
    }

    pub(super) fn numbers(self, numbers: impl IntoIterator<Item = Number>) -> Self {
        self.with(numbers.into_iter().map(Number::value).collect::<Vec<_>>(), Type::INT8_ARRAY)
    }

    /// Sends the statement and waits for the rows. Statements are sent in the order in which they are first polled.
    pub(super) async fn run(&self, client: &Client) -> Result<Vec<Row>, tokio_postgres::Error> {
        let values: Vec<_> = self.values.iter().map(borrowed).collect();
        client.query_typed(self.text, &values).await
    }
}

fn borrowed((value, of): &Value) -> (&(dyn ToSql + Sync), Type) {
    (&**value, of.clone())
}

fn user_uuid(id: UserId) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}

fn device_uuid(id: DeviceId) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}
