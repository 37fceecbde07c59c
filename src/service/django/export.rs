//! Users in the forms that Django loads: the objects of a fixture, one per line, or rows of CSV.

use serde_json::{Map, Value, json};

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportForm {
    /// One object per line, as `dumpdata --format jsonl` writes them.
    JsonLines,
    /// CSV with a header row.
    Csv,
}

/// Django's mark of an account without a password.
const NO_PASSWORD: &str = "!";

/// Writes users as lines of text.
pub struct DjangoExport {
    form: ExportForm,
    model: String,
}

impl DjangoExport {
    /// An export in this form; `model` is the model of the objects, as `app.model`.
    pub fn new(form: ExportForm, model: String) -> Self {
        Self { form, model }
    }

    /// The first line, with its line break; empty where the form has none.
    pub fn header(&self) -> &'static str {
        match self.form {
            ExportForm::JsonLines => "",
            ExportForm::Csv => "id,username,password,is_active,date_joined\n",
        }
    }

    /// The line of a user, as the operation `exportUsers` answers one, with its line break; `None` if it is not understood.
    ///
    /// A user without an external id has no primary key in Django yet, which gives it one when it loads the line.
    pub fn line(&self, user: &Value) -> Option<String> {
        let text = |field: &str| user.get(field).and_then(Value::as_str);
        let (username, joined) = (text("username")?, text("created_at")?);
        let password = text("password_hash").unwrap_or(NO_PASSWORD);
        let active = !user.get("disabled")?.as_bool()?;
        let id = text("external_id");
        if self.form == ExportForm::Csv {
            let active = if active { "true" } else { "false" };
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record([id.unwrap_or_default(), username, password, active, joined]).ok()?;
            return String::from_utf8(writer.into_inner().ok()?).ok();
        }
        let mut object = Map::new();
        object.insert("model".to_owned(), self.model.as_str().into());
        if let Some(id) = id {
            let number = id.parse::<i64>().ok().filter(|number| number.to_string() == id);
            object.insert("pk".to_owned(), number.map_or_else(|| id.into(), Into::into));
        }
        let fields =
            json!({ "username": username, "password": password, "is_active": active, "date_joined": joined });
        object.insert("fields".to_owned(), fields);
        Some(format!("{}\n", Value::Object(object)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_written_as_an_object_of_a_fixture_or_as_a_row() {
        let user = json!({"id": "0199", "username": "ada, \"the first\"", "external_id": "42",
            "password_hash": "argon2$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA", "disabled": true, "created_at": "2020-05-17T10:20:30Z"});
        let line = |form, user: &Value| DjangoExport::new(form, "auth.user".to_owned()).line(user).unwrap();
        assert_eq!(
            line(ExportForm::JsonLines, &user),
            "{\"model\":\"auth.user\",\"pk\":42,\"fields\":{\"username\":\"ada, \\\"the first\\\"\",\"password\":\"argon2$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA\",\"is_active\":false,\"date_joined\":\"2020-05-17T10:20:30Z\"}}\n"
        );
        assert_eq!(
            line(ExportForm::Csv, &user),
            "42,\"ada, \"\"the first\"\"\",\"argon2$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA\",false,2020-05-17T10:20:30Z\n"
        );
        let bare =
            json!({"id": "0199", "username": "bo", "disabled": false, "created_at": "2020-05-17T10:20:30Z"});
        assert_eq!(
            line(ExportForm::JsonLines, &bare),
            "{\"model\":\"auth.user\",\"fields\":{\"username\":\"bo\",\"password\":\"!\",\"is_active\":true,\"date_joined\":\"2020-05-17T10:20:30Z\"}}\n"
        );
        let uuid = json!({"username": "cy", "external_id": "007", "disabled": false, "created_at": "2020-05-17T10:20:30Z"});
        assert!(line(ExportForm::JsonLines, &uuid).contains("\"pk\":\"007\""));
    }
}
