//! `rescind service-key …`: the credentials of resource servers and administrators' tools.

use clap::{Subcommand, ValueEnum};
use poem::http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::connection::segment;
use super::context::{CommandContext, Missing};
use super::failure::CommandFailure;
use super::output::{Column, OutputFormat};

pub(super) const MISSING: Missing =
    ("there is no such service key", "`rescind service-key list` shows those there are");

const COLUMNS: [Column; 4] =
    [("NAME", "name"), ("ID", "id"), ("SCOPES", "scopes"), ("CREATED", "created_at")];

/// Service keys: add, list, remove
#[derive(Debug, Subcommand)]
pub(super) enum ServiceKeyCommand {
    /// Make a service key and show it, once
    #[command(after_help = "Examples:\n  KEY=$(rescind service-key add orders-api --scope introspect)\n  \
                            rescind service-key add back-office --scope admin --scope sessions --json")]
    Add {
        /// What the key is for
        name: String,
        /// What it may do; may be given several times
        #[arg(long = "scope", required = true, value_name = "SCOPE")]
        scopes: Vec<ScopeArg>,
        #[command(flatten)]
        format: OutputFormat,
    },
    /// List service keys; the keys themselves are never shown again
    List {
        #[command(flatten)]
        format: OutputFormat,
    },
    /// Remove a service key; it stops working at once
    #[command(after_help = "Example:\n  rescind service-key remove orders-api")]
    Remove {
        /// The name or the id, from `rescind service-key list`
        #[arg(value_name = "NAME|ID")]
        name_or_id: String,
        #[command(flatten)]
        format: OutputFormat,
    },
}

/// What a service key may do.
#[derive(Debug, Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ScopeArg {
    /// Ask whether a token is live
    Introspect,
    /// Follow the revocations
    Feed,
    /// Open a device for a user signed in elsewhere
    Sessions,
    /// Manage users and devices
    Admin,
}

/// The answer of `add`, with its fields in the order in which programs see them.
#[derive(Serialize, Deserialize)]
struct Added {
    id: String,
    name: String,
    scopes: Vec<String>,
    key: String,
}

impl ServiceKeyCommand {
    pub(super) async fn run(self, context: &mut CommandContext) -> Result<(), CommandFailure> {
        match self {
            Self::Add { name, scopes, format } => {
                let body = json!({ "name": name, "scopes": scopes });
                let answer = context.call(Method::POST, "/operator/service-keys", Some(body)).await?;
                let added: Added = serde_json::from_value(answer).map_err(|_| {
                    CommandFailure::new(
                        "the answer of the service is not understood",
                        "look for the key with `rescind service-key list`",
                    )
                })?;
                if format.json {
                    return Ok(context.out.json(&added)?);
                }
                let (name, scopes) = (&added.name, added.scopes.join(", "));
                context.stderr.line(&format!(
                    "service key {name} ({scopes}), id {}\nIt is shown this once; keep it where secrets are kept:",
                    added.id
                ))?;
                Ok(context.line(&added.key)?)
            }
            Self::List { format } => {
                let answer = context.fetch("/operator/service-keys").await?;
                context.list(format, &answer, &COLUMNS)
            }
            Self::Remove { name_or_id, format } => {
                let id = find(context, &name_or_id).await?;
                let path = format!("/operator/service-keys/{}", segment(&id));
                let answer = context.call(Method::DELETE, &path, None).await?;
                context.answer(format, &answer, &format!("service key {name_or_id} removed"))
            }
        }
    }
}

/// Finds the id of the only key with this id or, if no id matches, with this name.
async fn find(context: &mut CommandContext, name_or_id: &str) -> Result<String, CommandFailure> {
    let list = context.fetch("/operator/service-keys").await?;
    let text =
        |key: &Value, field: &str| key.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let keys = list.get("results").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let with = |field: &str, value: &str| -> Vec<String> {
        keys.iter().filter(|key| text(key, field) == value).map(|key| text(key, "id")).collect()
    };
    // Identifiers are hexadecimal, and some systems print them in upper case.
    let mut found = with("id", &name_or_id.to_ascii_lowercase());
    if found.is_empty() {
        found = with("name", name_or_id);
    }
    match found.as_slice() {
        [id] => Ok(id.clone()),
        [] => Err(CommandFailure::new(MISSING.0, MISSING.1)),
        several => Err(CommandFailure::new(
            format!("{} service keys are called {name_or_id}", several.len()),
            format!("name the one by its id: {}", several.join(", ")),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::context::tests::{CommandTrial, script};

    async fn add(json: bool) -> CommandTrial {
        let answer =
            json!({"key": "s3cret", "scopes": ["introspect", "feed"], "id": "k1", "name": "api", "extra": 1});
        let mut trial = CommandTrial::new(vec![answer], script(&[]));
        let scopes = vec![ScopeArg::Introspect, ScopeArg::Feed];
        ServiceKeyCommand::Add { name: "api".to_owned(), scopes, format: OutputFormat { json } }
            .run(&mut trial.context)
            .await
            .unwrap();
        trial
    }

    #[tokio::test]
    async fn programs_get_exactly_id_name_scopes_and_key() {
        let trial = add(true).await;
        assert_eq!(
            trial.seen(),
            [r#"POST /operator/service-keys {"name":"api","scopes":["introspect","feed"]}"#]
        );
        let expected = r#"{"id":"k1","name":"api","scopes":["introspect","feed"],"key":"s3cret"}"#;
        assert_eq!(trial.page.text(), format!("{expected}\n"));
    }

    #[tokio::test]
    async fn people_are_told_that_the_key_is_shown_once_and_scripts_get_it_alone() {
        let trial = add(false).await;
        assert_eq!(trial.page.text(), "s3cret\n");
        let stderr = trial.stderr.text();
        assert!(stderr.contains("service key api (introspect, feed), id k1\n"), "{stderr}");
        assert!(stderr.contains("shown this once"), "{stderr}");
    }

    async fn remove(key: &str) -> (Result<(), CommandFailure>, Vec<String>) {
        let key_of = |id, name| json!({"id": id, "name": name});
        let list = json!({"results": [key_of("k1", "api"), key_of("k2", "shop"), key_of("k3", "shop")]});
        let mut trial = CommandTrial::new(vec![list, json!(null)], script(&[]));
        let command =
            ServiceKeyCommand::Remove { name_or_id: key.to_owned(), format: OutputFormat::default() };
        (command.run(&mut trial.context).await, trial.seen())
    }

    #[tokio::test]
    async fn a_key_is_removed_by_its_name_or_its_id() {
        for key in ["api", "k1", "K1"] {
            let (done, seen) = remove(key).await;
            done.unwrap();
            assert_eq!(seen, ["GET /operator/service-keys", "DELETE /operator/service-keys/k1"]);
        }
    }

    #[tokio::test]
    async fn a_name_that_several_keys_have_removes_none() {
        let (refused, seen) = remove("shop").await;
        let refused = refused.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "error: 2 service keys are called shop\nhelp: name the one by its id: k2, k3"
        );
        assert_eq!(seen.len(), 1);
        assert!(remove("none").await.0.unwrap_err().what.contains("no such service key"));
    }
}
