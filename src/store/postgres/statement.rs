//! Statements that the database keeps prepared, so that it plans each once for a connection.
//!
//! A statement is prepared under a name that is made from its text: whoever else uses the same session, a pooler's other
//! client or a node of another version, can have no other statement of that name. It takes its arguments as literals in a
//! simple query, because the names that a driver gives are counted by each process for itself.
//!
//! A pooler that gives each transaction another session loses what was prepared. The database says so, by not knowing a
//! name or by knowing it already on a new connection; from then on this process sends every statement as it is.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, SimpleQueryMessage, SimpleQueryRow};
use uuid::Uuid;

use super::failure::QueryFailure;
use crate::model::counters::Position;
use crate::model::ids::{DeviceId, UserId};

/// A statement: its text with `$1`, `$2` and so on, and the types of these parameters.
pub(super) struct SqlStatement {
    pub(super) text: &'static str,
    pub(super) types: &'static str,
}

/// A literal of SQL: nothing but numbers and ids.
pub(super) struct Literal(String);

impl Literal {
    pub(super) fn position(position: Position) -> Self {
        Self(position.value().to_string())
    }

    pub(super) fn users(ids: impl IntoIterator<Item = UserId>) -> Self {
        Self::uuids(ids.into_iter().map(|id| *id.as_bytes()))
    }

    pub(super) fn devices(ids: impl IntoIterator<Item = DeviceId>) -> Self {
        Self::uuids(ids.into_iter().map(|id| *id.as_bytes()))
    }

    fn uuids(ids: impl Iterator<Item = [u8; 16]>) -> Self {
        let mut literal = String::from("'{");
        for (index, id) in ids.enumerate() {
            let comma = if index == 0 { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(literal, "{comma}{}", Uuid::from_bytes(id).simple());
        }
        Self(literal + "}'::uuid[]")
    }
}

impl SqlStatement {
    fn name(&self) -> String {
        let mut hasher = DefaultHasher::new();
        (self.text, self.types).hash(&mut hasher);
        format!("rescind_{:016x}", hasher.finish())
    }

    fn prepare(&self) -> String {
        format!("prepare {}{} as {}", self.name(), in_parentheses(self.types), self.text)
    }

    fn execute(&self, arguments: &[Literal]) -> String {
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.0.as_str()).collect();
        format!("execute {}{}", self.name(), in_parentheses(&arguments.join(", ")))
    }

    /// Runs the statement without preparing it.
    pub(super) async fn run(
        &self,
        client: &Client,
        arguments: &[Literal],
    ) -> Result<Vec<SimpleQueryRow>, QueryFailure> {
        Ok(rows(client.simple_query(&self.plain(arguments)).await?))
    }

    /// The whole text, with the arguments in the places of the parameters.
    fn plain(&self, arguments: &[Literal]) -> String {
        let numbered = arguments.iter().enumerate().rev();
        numbered.fold(self.text.to_owned(), |text, (index, argument)| {
            text.replace(&format!("${}", index + 1), &argument.0)
        })
    }
}

/// Whether sessions of the database keep what was prepared on them: unknown to be otherwise until one has not.
#[derive(Debug, Default)]
pub(super) struct PreparedStatements {
    lost: AtomicBool,
}

impl PreparedStatements {
    /// Prepares statements on a new connection. Answers whether they can be executed there.
    pub(super) async fn prepare(&self, client: &Client, statements: &[&SqlStatement]) -> bool {
        if self.lost.load(Ordering::Relaxed) {
            return false;
        }
        let all: Vec<_> = statements.iter().map(|statement| statement.prepare()).collect();
        let prepared = client.batch_execute(&all.join("; ")).await;
        if let Err(error) = &prepared
            && error.code() == Some(&SqlState::DUPLICATE_PSTATEMENT)
        {
            self.note_lost();
        }
        prepared.is_ok()
    }

    /// Executes a statement on a connection on which every statement was prepared. When the session does not know it,
    /// [`QueryFailure::Conflict`] says that it can be tried again, and then works.
    pub(super) async fn execute(
        &self,
        client: &Client,
        statement: &SqlStatement,
        arguments: &[Literal],
    ) -> Result<Vec<SimpleQueryRow>, QueryFailure> {
        if self.lost.load(Ordering::Relaxed) {
            return statement.run(client, arguments).await;
        }
        match client.simple_query(&statement.execute(arguments)).await {
            Ok(messages) => Ok(rows(messages)),
            Err(error) if is_unknown(&error) => {
                self.note_lost();
                Err(QueryFailure::Conflict)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn note_lost(&self) {
        if !self.lost.swap(true, Ordering::Relaxed) {
            tracing::info!(
                "a session of the database does not know a prepared statement, or can no longer execute it, as behind a pooler in transaction mode: from now on every statement is planned each time it is sent"
            );
        }
    }
}

/// The list of a statement that has parameters; nothing for one without.
fn in_parentheses(list: &str) -> String {
    if list.is_empty() { String::new() } else { format!(" ({list})") }
}

fn rows(messages: Vec<SimpleQueryMessage>) -> Vec<SimpleQueryRow> {
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    };
    messages.into_iter().filter_map(row).collect()
}

/// Whether the session does not know the statement, or can no longer execute it as it was prepared.
fn is_unknown(error: &Error) -> bool {
    let unusable = [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::FEATURE_NOT_SUPPORTED];
    error.code().is_some_and(|code| unusable.contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATEMENT: SqlStatement = SqlStatement { text: "select $1 + $2, $1", types: "bigint, bigint" };

    #[test]
    fn an_argument_stands_in_every_place_of_its_parameter() {
        let arguments = [Literal("11".to_owned()), Literal("2".to_owned())];
        assert_eq!(STATEMENT.plain(&arguments), "select 11 + 2, 11");
        assert_eq!(STATEMENT.execute(&arguments), format!("execute {} (11, 2)", STATEMENT.name()));
    }

    #[test]
    fn a_statement_without_parameters_has_no_list_of_them() {
        let statement = SqlStatement { text: "select 1", types: "" };
        assert_eq!(statement.prepare(), format!("prepare {} as select 1", statement.name()));
        assert_eq!(statement.execute(&[]), format!("execute {}", statement.name()));
    }

    #[test]
    fn two_statements_have_two_names() {
        let other = SqlStatement { types: "bigint, integer", ..STATEMENT };
        let another = SqlStatement { text: "select $1 - $2", ..STATEMENT };
        assert_ne!(STATEMENT.name(), other.name());
        assert_ne!(STATEMENT.name(), another.name());
    }

    #[test]
    fn ids_are_an_array_of_uuids() {
        let ids = [UserId::from_bytes([1; 16]), UserId::from_bytes([0xab; 16])];
        let two = "'{01010101010101010101010101010101,abababababababababababababababab}'::uuid[]";
        assert_eq!(Literal::users(ids).0, two);
        assert_eq!(Literal::users([]).0, "'{}'::uuid[]");
    }
}
