//! The decision which users of a source can be imported, before the store is asked.

use std::io;

use serde_json::{Map, Value};

use super::rows::{DjangoFields, DjangoRow, RowPlace};
use super::seen::SeenTable;
use crate::model::external_id::ExternalId;
pub use crate::model::password::WeakHashes;
use crate::model::password::{PasswordHash, PasswordHashError};
use crate::model::username::Username;

/// Judges the rows of one source, one after the other.
pub struct DjangoJudge {
    weak: WeakHashes,
    /// Each name and each id so far.
    seen: SeenTable,
}

/// A user that can be imported. It has no `Debug`, since it holds a password hash.
pub struct ImportableUser {
    /// Where the user is in the source.
    pub place: RowPlace,
    username: Username,
    external_id: ExternalId,
    password: Option<PasswordHash>,
    fields: DjangoFields,
}

/// A user that cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Where the user is in the source.
    pub place: RowPlace,
    /// The username as far as there is one.
    pub username: Option<String>,
    /// The kind of reason, for programs.
    pub code: &'static str,
    /// The reason, for people.
    pub reason: String,
    /// The algorithm of the password hash, if that is the reason.
    pub algorithm: Option<String>,
}

impl DjangoJudge {
    /// A judge for one reading of a source.
    pub fn new(weak: WeakHashes) -> Self {
        Self { weak, seen: SeenTable::new() }
    }

    /// Judges one row, and notes the name and id of one that can be imported.
    ///
    /// # Errors
    ///
    /// When the temporary file cannot be made, read or written, which tells duplicates in a large source.
    pub fn judge(&mut self, row: DjangoRow) -> io::Result<Result<ImportableUser, LeftOut>> {
        let given = row.username.clone();
        let user = match judge_alone(row, self.weak) {
            Ok(user) => user,
            Err(left_out) => return Ok(Err(left_out)),
        };
        let reason = if !self.seen.add(("name", user.username.key()))? {
            "another user before it has the same username, apart from letter case and forms"
        } else if !self.seen.add(("id", user.external_id.as_str()))? {
            "another user before it has the same primary key"
        } else {
            return Ok(Ok(user));
        };
        Ok(Err(LeftOut {
            place: user.place,
            username: given,
            code: "duplicate",
            reason: reason.to_owned(),
            algorithm: None,
        }))
    }
}

/// Judges a row without regard to the others.
fn judge_alone(row: DjangoRow, weak: WeakHashes) -> Result<ImportableUser, LeftOut> {
    let DjangoRow { place, username: given, fields } = row;
    let left_out =
        |code, reason: String, algorithm| LeftOut { place, username: given.clone(), code, reason, algorithm };
    let fields = fields.map_err(|reason| left_out("invalid", reason.to_owned(), None))?;
    let name = given.as_deref().ok_or_else(|| left_out("invalid", "it has no username".to_owned(), None))?;
    let username = Username::parse(name).map_err(|error| left_out("invalid", error.to_string(), None))?;
    let external_id = ExternalId::parse(&fields.id)
        .map_err(|error| left_out("invalid", format!("its primary key is not usable: {error}"), None))?;
    let password = match PasswordHash::imported(&fields.password, weak) {
        Ok(password) => Some(password),
        Err(PasswordHashError::NoPassword) => None,
        Err(error) => {
            let (code, algorithm) = match &error {
                PasswordHashError::Weak(name) => ("weak_hash", (*name).to_owned()),
                PasswordHashError::Damaged(name) => ("damaged_hash", (*name).to_owned()),
                PasswordHashError::TooCostly(name) => ("costly_hash", (*name).to_owned()),
                PasswordHashError::Unknown(name) => ("unknown_hash", name.clone()),
                PasswordHashError::NoPassword => ("invalid", String::new()),
            };
            return Err(left_out(code, format!("its password hash: {error}"), Some(algorithm)));
        }
    };
    Ok(ImportableUser { place, username, external_id, password, fields })
}

impl ImportableUser {
    /// The username as it will be shown.
    pub fn username(&self) -> &str {
        self.username.shown()
    }

    /// The algorithm of the password hash as Django names it; `None` for a user without a password.
    pub fn algorithm(&self) -> Option<&'static str> {
        self.password.as_ref().map(PasswordHash::algorithm)
    }

    /// Whether the account will be disabled.
    pub fn disabled(&self) -> bool {
        !self.fields.active
    }

    /// The user as the operation `importUsers` takes it.
    pub fn to_json(&self) -> Value {
        let mut user = Map::new();
        user.insert("username".to_owned(), self.username.shown().into());
        user.insert("external_id".to_owned(), self.external_id.as_str().into());
        user.insert("disabled".to_owned(), self.disabled().into());
        if let Some(password) = &self.password {
            user.insert("password_hash".to_owned(), password.as_str().into());
        }
        if let Some(joined) = self.fields.joined {
            user.insert("created_at".to_owned(), joined.rfc3339().into());
        }
        Value::Object(user)
    }
}
