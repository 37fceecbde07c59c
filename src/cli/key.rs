//! `rescind key …`: the signing keys.

use std::path::PathBuf;

use clap::Subcommand;
use poem::http::Method;
use serde_json::Value;

use super::connection::segment;
use super::context::{CommandContext, Missing, because};
use super::failure::CommandFailure;
use super::output::{Column, OutputFormat};
use super::service;

pub(super) const MISSING: Missing =
    ("there is no such signing key", "`rescind key list` shows those there are");

pub(super) const COLUMNS: [Column; 5] = [
    ("KID", "kid"),
    ("TOKENS", "purpose"),
    ("STATE", "state"),
    ("CREATED", "created_at"),
    ("NOT AFTER", "not_after"),
];

/// Signing keys: list, rotate, retire, distrust; and the key they are sealed under
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// List the signing keys and what each is used for
    List {
        #[command(flatten)]
        format: OutputFormat,
    },
    /// Sign with the next key from now on; tokens of the old one work until they expire
    Rotate {
        #[command(flatten)]
        format: OutputFormat,
    },
    /// Stop signing with a key; its tokens work until they expire
    Retire {
        /// The key's id, `k4.pid.…`
        kid: String,
        #[command(flatten)]
        format: OutputFormat,
    },
    /// Write a new master key to a file: every node of a shared store needs the same one
    #[command(after_help = "Example:\n  rescind key master /etc/rescind/master.key")]
    Master {
        /// Where; a file that is there is never replaced
        file: PathBuf,
    },
    /// Refuse every token of a key from the next check on, because someone else may have it
    #[command(after_help = "Example:\n  rescind key distrust k4.pid.… --reason 'laptop stolen'")]
    Distrust {
        /// The key's id, `k4.pid.…`
        kid: String,
        /// Why; kept with the event
        #[arg(long)]
        reason: Option<String>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        format: OutputFormat,
    },
}

impl KeyCommand {
    pub(super) async fn run(self, context: &mut CommandContext) -> Result<(), CommandFailure> {
        match self {
            Self::List { format } => {
                let answer = context.fetch("/operator/keys").await?;
                context.list(format, &answer, &COLUMNS)
            }
            Self::Rotate { format } => {
                let answer = context.call(Method::POST, "/operator/keys/rotate", None).await?;
                let told = signing(&answer).map(|kid| format!(": {kid} signs now")).unwrap_or_default();
                context.answer(format, &answer, &format!("rotated{told}"))
            }
            Self::Master { file } => {
                service::make_master_key(&file)?;
                Ok(context.line(&format!(
                    "a new master key is in {}; keep a copy of it apart from copies of the store",
                    file.display()
                ))?)
            }
            Self::Retire { kid, format } => {
                let path = format!("/operator/keys/{}/retire", segment(&kid));
                let answer = context.call(Method::POST, &path, None).await?;
                context.answer(format, &answer, &format!("{kid} retired; its tokens work until they expire"))
            }
            Self::Distrust { kid, reason, yes, format } => {
                context.confirm(yes, &format!("end every token made with {kid}, for ever"))?;
                let path = format!("/operator/keys/{}/distrust", segment(&kid));
                let answer = context.call(Method::POST, &path, Some(because(reason))).await?;
                context.answer(
                    format,
                    &answer,
                    &format!("{kid} distrusted; its tokens are refused from now on"),
                )
            }
        }
    }
}

/// The id of the key that signs access tokens, in a list of keys.
fn signing(keys: &Value) -> Option<&str> {
    let signs = |key: &&Value| {
        let is = |field, value| key.get(field).and_then(Value::as_str) == Some(value);
        is("purpose", "access") && is("state", "active")
    };
    keys.get("results")?.as_array()?.iter().find(signs)?.get("kid")?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::context::tests::{CommandTrial, script};

    fn distrust(yes: bool) -> KeyCommand {
        KeyCommand::Distrust {
            kid: "k4.pid.x".to_owned(),
            reason: None,
            yes,
            format: OutputFormat::default(),
        }
    }

    #[tokio::test]
    async fn distrusting_unasked_in_a_script_is_refused_and_sends_nothing() {
        let mut trial = CommandTrial::new(vec![], script(&["y"]));
        assert!(distrust(false).run(&mut trial.context).await.is_err());
        assert!(trial.seen().is_empty());
    }

    #[tokio::test]
    async fn distrusting_with_yes_names_the_key() {
        let mut trial =
            CommandTrial::new(vec![json!({"kid": "k4.pid.x", "state": "distrusted"})], script(&[]));
        distrust(true).run(&mut trial.context).await.unwrap();
        assert_eq!(trial.seen(), ["POST /operator/keys/k4.pid.x/distrust {}"]);
    }

    #[tokio::test]
    async fn rotating_says_which_key_signs_now() {
        let key = |kid, purpose, state| json!({"kid": kid, "purpose": purpose, "state": state});
        let keys = [
            key("k4.lid.x", "refresh", "active"),
            key("k4.pid.x", "access", "retired"),
            key("k4.pid.y", "access", "active"),
        ];
        let mut trial = CommandTrial::new(vec![json!({"version": 2, "results": keys})], script(&[]));
        KeyCommand::Rotate { format: OutputFormat::default() }.run(&mut trial.context).await.unwrap();
        assert_eq!(trial.page.text(), "rotated: k4.pid.y signs now\n");
    }
}
