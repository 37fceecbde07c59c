//! A statement that the database keeps prepared, so that it is planned once for a connection.
//!
//! It is prepared under a name that ends with a hash of its text: whoever else uses the same session, a pooler's other client or a
//! node of another version, can have no other statement of that name. It takes its arguments as literals in a simple query,
//! because the names that a driver gives are counted by each process for itself.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::literal::Literal;

/// A statement: its text with `$1`, `$2` and so on, the types of these parameters, and how it is planned.
pub(super) struct SqlStatement {
    /// What it does, for who looks at the sessions of the database.
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    pub(super) types: &'static str,
    pub(super) plan: Plan,
}

/// How a statement is planned that is kept while the tables grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// It reads nothing that grows.
    Any,
    /// It finds rows by an index, however few there are when it is planned.
    ByIndex,
}

impl SqlStatement {
    /// The name under which it is prepared.
    pub(super) fn full_name(&self) -> String {
        let mut hasher = DefaultHasher::new();
        (self.text, self.types).hash(&mut hasher);
        format!("rescind_{}_{:016x}", self.name, hasher.finish())
    }

    pub(super) fn prepare(&self) -> String {
        format!("prepare {}{} as {}", self.full_name(), in_parentheses(self.types), self.text)
    }

    pub(super) fn execute(&self, arguments: &[Literal]) -> String {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        format!("execute {}{}", self.full_name(), in_parentheses(&arguments.join(", ")))
    }
}

/// The list of a statement that has parameters; nothing for one without.
fn in_parentheses(list: &str) -> String {
    if list.is_empty() { String::new() } else { format!(" ({list})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATEMENT: SqlStatement =
        SqlStatement { name: "sum", text: "select $1 + $2, $1", types: "bigint, bigint", plan: Plan::Any };

    #[test]
    fn a_statement_without_parameters_has_no_list_of_them() {
        let statement = SqlStatement { text: "select 1", types: "", ..STATEMENT };
        assert_eq!(statement.prepare(), format!("prepare {} as select 1", statement.full_name()));
        assert_eq!(statement.execute(&[]), format!("execute {}", statement.full_name()));
    }

    #[test]
    fn two_statements_have_two_names() {
        let other = SqlStatement { types: "bigint, integer", ..STATEMENT };
        let another = SqlStatement { text: "select $1 - $2", ..STATEMENT };
        assert_ne!(STATEMENT.full_name(), other.full_name());
        assert_ne!(STATEMENT.full_name(), another.full_name());
    }
}
