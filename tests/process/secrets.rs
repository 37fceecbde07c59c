//! The secrets of a test, which no process may print: every token, password and key that it has sent or received.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// The fields that hold secrets, in requests and in answers.
const SECRET_FIELDS: [&str; 6] = ["access", "refresh", "password", "current_password", "new_password", "key"];

/// The secrets of one test.
#[derive(Debug, Default)]
pub(crate) struct Secrets(Mutex<Vec<String>>);

impl Secrets {
    /// Adds a secret.
    pub(crate) fn note(&self, secret: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(secret.to_owned());
    }

    /// Adds the secrets in a JSON text, at any depth.
    pub(crate) fn note_in(&self, json: &str) {
        if let Ok(value) = serde_json::from_str(json) {
            self.walk(&value);
        }
    }

    fn walk(&self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        Value::String(text) if SECRET_FIELDS.contains(&name.as_str()) => self.note(text),
                        other => self.walk(other),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.walk(value)),
            _ => {}
        }
    }

    /// Asserts that no secret is in the output of a process.
    pub(crate) fn assert_absent(&self, process: &str, printed: &str) {
        let secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = printed.lines().find(|line| secrets.iter().any(|secret| line.contains(secret.as_str())));
        assert!(line.is_none(), "{process} printed a secret: {line:?}");
    }
}

#[test]
#[should_panic(expected = "printed a secret")]
fn a_printed_token_is_noticed() {
    let secrets = Secrets::default();
    secrets.note_in(r#"{"session": {"access": "v4.public.token"}}"#);
    secrets.assert_absent("this test", "one line\nrefused v4.public.token\n");
}
