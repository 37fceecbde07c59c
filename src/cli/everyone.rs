//! `rescind everyone …`: all users at once.

use clap::Subcommand;
use poem::http::Method;
use serde_json::Value;

use super::context::{CommandContext, Missing, because};
use super::failure::CommandFailure;
use super::output::OutputFormat;

pub(super) const MISSING: Missing = (
    "the server knows no such operation",
    "is it of the same version as this command? Compare `rescind --version`",
);

/// Every user at once: logout
#[derive(Debug, Subcommand)]
pub(super) enum EveryoneCommand {
    /// Sign every device of every user out, at once
    #[command(after_help = "Example:\n  rescind everyone logout --reason 'database leaked' --yes")]
    Logout {
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

impl EveryoneCommand {
    pub(super) async fn run(self, context: &mut CommandContext) -> Result<(), CommandFailure> {
        let Self::Logout { reason, yes, format } = self;
        context.confirm(yes, "sign every device of every user out")?;
        let answer =
            context.call(Method::POST, "/api/v1/admin/everyone/logout", Some(because(reason))).await?;
        let era = answer.get("era").and_then(Value::as_u64).unwrap_or_default();
        context.answer(format, &answer, &format!("everyone is signed out; the era is now {era}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::context::tests::{CommandTrial, script};
    use crate::cli::prompt::tests::Scripted;

    fn logout(yes: bool) -> EveryoneCommand {
        EveryoneCommand::Logout { reason: None, yes, format: OutputFormat::default() }
    }

    #[tokio::test]
    async fn a_script_has_to_say_yes() {
        let mut trial = CommandTrial::new(vec![], script(&["y"]));
        assert!(logout(false).run(&mut trial.context).await.is_err());
        assert!(trial.seen().is_empty());
    }

    #[tokio::test]
    async fn a_person_who_agrees_signs_everyone_out() {
        let prompt = Scripted { here: true, answers: vec!["yes"] };
        let mut trial = CommandTrial::new(vec![json!({"era": 1_790_000_000})], prompt);
        logout(false).run(&mut trial.context).await.unwrap();
        assert_eq!(trial.seen(), ["POST /api/v1/admin/everyone/logout {}"]);
        assert_eq!(trial.page.text(), "everyone is signed out; the era is now 1790000000\n");
    }
}
