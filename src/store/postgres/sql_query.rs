//! A statement whose arguments stand in its text as literals. The database's log may have them: ids, numbers and names.

use std::borrow::Cow;

use super::literal::{Literal, Number};
use super::statement::SqlStatement;
use crate::model::ids::{DeviceId, ServiceKeyId, UserId};

/// A statement with its arguments, which can be one that connections prepare.
pub(super) struct SqlQuery {
    text: Text,
    arguments: Vec<Literal>,
}

/// A text with `$1`, `$2` and so on in the places of the arguments.
enum Text {
    /// Planned each time it is sent.
    Plain(Cow<'static, str>),
    /// One that connections prepare.
    Prepared(&'static SqlStatement),
}

impl SqlQuery {
    /// A statement that is planned each time it is sent.
    pub(super) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: Text::Plain(text.into()), arguments: Vec::new() }
    }

    /// A statement that is planned once for a connection.
    pub(super) fn prepared(statement: &'static SqlStatement) -> Self {
        Self { text: Text::Prepared(statement), arguments: Vec::new() }
    }

    /// Adds the next argument.
    fn with(mut self, argument: Literal) -> Self {
        self.arguments.push(argument);
        self
    }

    pub(super) fn user(self, id: UserId) -> Self {
        self.with(Literal::uuid(*id.as_bytes()))
    }

    pub(super) fn users(self, ids: impl IntoIterator<Item = UserId>) -> Self {
        self.with(Literal::users(ids))
    }

    pub(super) fn device(self, id: DeviceId) -> Self {
        self.with(Literal::uuid(*id.as_bytes()))
    }

    pub(super) fn devices(self, ids: impl IntoIterator<Item = DeviceId>) -> Self {
        self.with(Literal::devices(ids))
    }

    pub(super) fn service_key(self, id: ServiceKeyId) -> Self {
        self.with(Literal::uuid(*id.as_bytes()))
    }

    pub(super) fn text(self, text: &str) -> Self {
        self.with(Literal::text(text))
    }

    pub(super) fn names<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.with(Literal::names(names))
    }

    pub(super) fn revocations(self, documents: &[String]) -> Self {
        self.with(Literal::revocations(documents))
    }

    pub(super) fn number(self, number: impl Into<Number>) -> Self {
        self.with(Literal::number(number))
    }

    pub(super) fn numbers(self, numbers: impl IntoIterator<Item = Number>) -> Self {
        self.with(Literal::numbers(numbers))
    }

    /// The statement, if it is one that connections prepare.
    pub(super) fn statement(&self) -> Option<&'static SqlStatement> {
        match self.text {
            Text::Plain(_) => None,
            Text::Prepared(statement) => Some(statement),
        }
    }

    /// The text to send where the statement is not prepared: with the arguments in the places of the parameters.
    pub(super) fn plain(&self) -> String {
        let text = match &self.text {
            Text::Plain(text) => text,
            Text::Prepared(statement) => statement.text,
        };
        let numbered = self.arguments.iter().enumerate().rev();
        numbered.fold(text.to_owned(), |text, (index, argument)| {
            text.replace(&format!("${}", index + 1), &argument.to_string())
        })
    }

    /// The text to send where the statement is prepared, if it is one that connections prepare.
    pub(super) fn execution(&self) -> String {
        self.statement().map_or_else(|| self.plain(), |statement| statement.execute(&self.arguments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::postgres::statement::Plan;

    static STATEMENT: SqlStatement = SqlStatement {
        name: "sum",
        text: "select $1 + $2, $1",
        types: "bigint, bigint",
        plan: Plan::ByIndex,
    };

    #[test]
    fn an_argument_stands_in_every_place_of_its_parameter() {
        let query = SqlQuery::prepared(&STATEMENT).number(11_i64).number(2_i64);
        assert_eq!(query.plain(), "select '11'::bigint + '2'::bigint, '11'::bigint");
        let executed = format!("execute {} ('11'::bigint, '2'::bigint)", STATEMENT.full_name());
        assert_eq!(query.execution(), executed);
        assert_eq!(SqlQuery::new("select 1").execution(), "select 1");
    }
}
