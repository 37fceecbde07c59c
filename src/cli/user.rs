//! `rescind user …`: accounts.
//!
//! Modules: `import` and its counts in `tally`, `export`.

use clap::{Args, Subcommand};
use poem::http::Method;
use serde_json::{Map, Value, json};

use super::connection::segment;
use super::context::{CommandContext, Missing, because, signed_out};
use super::failure::CommandFailure;
use super::output::{Column, OutputFormat};
use super::progress::{Progress, TaskSize};
use super::prompt;
use export::ExportCommand;
use import::ImportCommand;

mod export;
mod import;
mod tally;

pub(super) const MISSING: Missing = ("there is no such user", "`rescind user list` shows those there are");

/// The column of ids in other systems, which is shown where somebody has one.
const EXTERNAL_ID: Column = ("EXTERNAL ID", "external_id");

const COLUMNS: [Column; 7] = [
    ("USERNAME", "username"),
    ("ID", "id"),
    EXTERNAL_ID,
    ("CREATED", "created_at"),
    ("DISABLED", "disabled"),
    ("DEVICES", "live_devices"),
    ("GENERATION", "generation"),
];

/// Users: add, list, disable, sign out
#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a user; the password is asked for. One who exists, with this name and external id, stays unchanged
    #[command(
        after_help = "Examples:\n  rescind user add alice\n  pass show alice | rescind user add alice --password-stdin\n  rescind user add alice --external-id 42 --no-password"
    )]
    Add {
        /// The username, 1 to 150 characters
        name: String,
        /// The user's id in another system
        #[arg(long, value_name = "ID")]
        external_id: Option<String>,
        /// Set no password: the user signs in through another system only
        #[arg(long, conflicts_with = "password_stdin")]
        no_password: bool,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        format: OutputFormat,
    },
    /// List users, by name
    #[command(
        after_help = "Examples:\n  rescind user list\n  rescind user list --all --json | jq -r '.results[].username'"
    )]
    List(UserListArgs),
    /// Disable a user: everything of theirs is signed out, and they cannot sign in
    Disable(UserArgs),
    /// Enable a disabled user; they sign in again, nothing earlier comes back
    Enable(UserArgs),
    /// Set a user's password; signs them out everywhere
    Password {
        /// The username, id or external id; where one fits several users, `id:ID`, `name:NAME` or `external_id:ID`
        user: String,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        format: OutputFormat,
    },
    /// Sign a user out on every device, at once
    #[command(after_help = "Example:\n  rescind user logout-all alice --reason 'phone stolen'")]
    LogoutAll(UserArgs),
    /// Delete a user: everything of theirs is signed out and the name is free; records of devices go within weeks
    Delete {
        #[command(flatten)]
        target: UserArgs,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    #[command(subcommand)]
    Import(ImportCommand),
    /// Export all users with their password hashes, in a form that Django loads
    #[command(
        after_help = "Examples:\n  rescind user export users.jsonl && python manage.py loaddata users.jsonl\n  rescind user export users.csv --format csv"
    )]
    Export(ExportCommand),
}

#[derive(Debug, Args)]
pub(super) struct PasswordSource {
    /// Read the password from the first line of stdin
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Args)]
pub(super) struct UserArgs {
    /// The username, id or external id; where one fits several users, `id:ID`, `name:NAME` or `external_id:ID`
    user: String,
    /// Why; kept with the event
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    format: OutputFormat,
}

#[derive(Debug, Args)]
pub(super) struct UserListArgs {
    /// How many at once
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Continue after this cursor, which the page before printed
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// Every user, however many
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    format: OutputFormat,
}

impl UserCommand {
    pub(super) async fn run(self, context: &mut CommandContext) -> Result<(), CommandFailure> {
        match self {
            Self::Add { name, external_id, no_password, password, format } => {
                let mut body = Map::from_iter([("username".to_owned(), json!(name))]);
                if !no_password {
                    let password = prompt::new_password(context.prompt.as_mut(), password.password_stdin)?;
                    body.insert("password".to_owned(), json!(password));
                }
                if let Some(external_id) = external_id {
                    body.insert("external_id".to_owned(), json!(external_id));
                }
                let (user, added) = context.add("/api/v1/admin/users", body.into()).await?;
                let said = if added {
                    format!("added {name}")
                } else {
                    format!(
                        "{name} exists already, with this external id; nothing was changed, not the password either"
                    )
                };
                context.answer(format, &user, &said)
            }
            Self::List(list) => list.run(context).await,
            Self::Disable(target) => target.post(context, "disable", "disabled").await,
            Self::Enable(target) => target.post(context, "enable", "enabled").await,
            Self::Password { user, password, format } => {
                let password = prompt::new_password(context.prompt.as_mut(), password.password_stdin)?;
                let path = format!("/operator/users/{}/password", segment(&user));
                let answer = context.call(Method::POST, &path, Some(json!({ "password": password }))).await?;
                context.answer(format, &answer, &format!("password of {user} set; {}", signed_out(&answer)))
            }
            Self::Import(import) => import.run(context).await,
            Self::Export(export) => export.run(context).await,
            Self::LogoutAll(target) => target.post(context, "logout-all", "signed out everywhere").await,
            Self::Delete { target, yes } => {
                context.confirm(yes, &format!("delete {} and sign them out everywhere", target.user))?;
                let path = format!("/api/v1/admin/users/{}", segment(&target.user));
                let answer = context.call(Method::DELETE, &path, Some(because(target.reason))).await?;
                context.answer(
                    target.format,
                    &answer,
                    &format!("{} deleted; {}", target.user, signed_out(&answer)),
                )
            }
        }
    }
}

impl UserArgs {
    async fn post(
        self,
        context: &mut CommandContext,
        operation: &str,
        done: &str,
    ) -> Result<(), CommandFailure> {
        let path = format!("/api/v1/admin/users/{}/{operation}", segment(&self.user));
        let answer = context.call(Method::POST, &path, Some(because(self.reason))).await?;
        let count =
            answer.get("signed_out").map(|_| format!("; {}", signed_out(&answer))).unwrap_or_default();
        context.answer(self.format, &answer, &format!("{} {done}{count}", self.user))
    }
}

impl UserListArgs {
    async fn run(self, context: &mut CommandContext) -> Result<(), CommandFailure> {
        let limit = if self.all { 1000 } else { self.limit };
        let path = format!("/api/v1/admin/users?limit={limit}");
        let answer = if self.all {
            let progress = Progress::show("users read:", TaskSize::Unknown, self.format);
            context.fetch_all(&path, self.after, |users| progress.set(users as u64)).await?
        } else {
            context.fetch_page(&path, self.after.as_deref()).await?
        };
        let mut users = answer.get("results").and_then(Value::as_array).into_iter().flatten();
        let has_external_ids = users.any(|user| user.get(EXTERNAL_ID.1).is_some());
        let columns: Vec<_> =
            COLUMNS.into_iter().filter(|column| has_external_ids || *column != EXTERNAL_ID).collect();
        context.list(self.format, &answer, &columns)?;
        match answer.get("next").and_then(Value::as_str) {
            Some(next) if !self.format.json => {
                Ok(context.line(&format!("\nmore: --after {next}, or --all"))?)
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::context::tests::{CommandTrial, script};

    fn target(user: &str, reason: Option<&str>) -> UserArgs {
        UserArgs { user: user.to_owned(), reason: reason.map(str::to_owned), format: OutputFormat::default() }
    }

    fn add(name: &str, external_id: Option<&str>, no_password: bool) -> UserCommand {
        UserCommand::Add {
            name: name.to_owned(),
            external_id: external_id.map(str::to_owned),
            no_password,
            password: PasswordSource { password_stdin: !no_password },
            format: OutputFormat::default(),
        }
    }

    fn list(all: bool, json: bool) -> UserCommand {
        UserCommand::List(UserListArgs { limit: 2, after: None, all, format: OutputFormat { json } })
    }

    fn pages() -> Vec<Value> {
        vec![
            json!({"results": [{"username": "a"}, {"username": "b"}], "next": "b/"}),
            json!({"results": [{"username": "c"}]}),
        ]
    }

    #[tokio::test]
    async fn adding_a_user_sends_the_piped_password() {
        let mut trial = CommandTrial::new(vec![json!({"id": "1", "added": 1})], script(&["correct horse"]));
        let add = add("alice", None, false);
        add.run(&mut trial.context).await.unwrap();
        assert_eq!(
            trial.seen(),
            [r#"POST /api/v1/admin/users {"username":"alice","password":"correct horse"}"#]
        );
        assert_eq!(trial.page.text(), "added alice\n");
    }

    #[tokio::test]
    async fn a_user_of_another_system_is_added_without_asking_for_a_password() {
        let mut trial = CommandTrial::new(vec![json!({"id": "1"})], script(&[]));
        add("alice", Some("42"), true).run(&mut trial.context).await.unwrap();
        assert_eq!(trial.seen(), [r#"POST /api/v1/admin/users {"username":"alice","external_id":"42"}"#]);
    }

    #[tokio::test]
    async fn a_user_who_exists_is_not_said_to_be_added() {
        let mut trial = CommandTrial::new(vec![json!({"id": "1"})], script(&[]));
        add("alice", Some("42"), true).run(&mut trial.context).await.unwrap();
        let said = trial.page.text();
        assert!(
            said.starts_with("alice exists already, with this external id; nothing was changed"),
            "{said}"
        );
    }

    #[tokio::test]
    async fn a_refused_user_is_told_with_the_next_step() {
        let answer = json!({"code": "username_taken", "detail": "That name is taken."});
        let mut trial = CommandTrial::new(vec![answer], script(&["correct horse"]));
        let add = add("alice", None, false);
        let failure = add.run(&mut trial.context).await.unwrap_err();
        assert_eq!(failure.what, "That name is taken.");
        assert!(failure.help.contains("user password"));
    }

    #[tokio::test]
    async fn signing_out_everywhere_says_how_many_devices() {
        let mut trial = CommandTrial::new(vec![json!({"signed_out": 3, "generation": 9})], script(&[]));
        UserCommand::LogoutAll(target("a/b", Some("lost"))).run(&mut trial.context).await.unwrap();
        assert_eq!(trial.seen(), [r#"POST /api/v1/admin/users/a%2Fb/logout-all {"reason":"lost"}"#]);
        assert_eq!(trial.page.text(), "a/b signed out everywhere; 3 devices signed out\n");
    }

    #[tokio::test]
    async fn deleting_unasked_in_a_script_is_refused_and_sends_nothing() {
        let mut trial = CommandTrial::new(vec![], script(&["y"]));
        let delete = UserCommand::Delete { target: target("alice", None), yes: false };
        assert!(delete.run(&mut trial.context).await.unwrap_err().help.contains("--yes"));
        assert!(trial.seen().is_empty());
    }

    #[tokio::test]
    async fn deleting_with_yes_deletes() {
        let mut trial = CommandTrial::new(vec![json!({"signed_out": 1, "generation": 2})], script(&[]));
        UserCommand::Delete { target: target("alice", None), yes: true }
            .run(&mut trial.context)
            .await
            .unwrap();
        assert_eq!(trial.seen(), ["DELETE /api/v1/admin/users/alice {}"]);
    }

    #[tokio::test]
    async fn a_page_of_users_says_how_to_go_on() {
        let mut trial = CommandTrial::new(pages(), script(&[]));
        list(false, false).run(&mut trial.context).await.unwrap();
        assert_eq!(trial.seen(), ["GET /api/v1/admin/users?limit=2"]);
        assert!(trial.page.text().ends_with("more: --after b/, or --all\n"));
    }

    #[tokio::test]
    async fn external_ids_are_listed_where_somebody_has_one() {
        for (user, shown) in
            [(json!({"username": "a", "external_id": "42"}), true), (json!({"username": "a"}), false)]
        {
            let mut trial = CommandTrial::new(vec![json!({ "results": [user] })], script(&[]));
            list(false, false).run(&mut trial.context).await.unwrap();
            let table = trial.page.text();
            assert_eq!((table.contains("EXTERNAL ID"), table.contains("42")), (shown, shown), "{table}");
        }
    }

    #[tokio::test]
    async fn all_users_are_one_list() {
        let mut trial = CommandTrial::new(pages(), script(&[]));
        list(true, true).run(&mut trial.context).await.unwrap();
        assert_eq!(
            trial.seen(),
            ["GET /api/v1/admin/users?limit=1000", "GET /api/v1/admin/users?limit=1000&after=b%2F"]
        );
        assert_eq!(
            trial.page.text(),
            "{\"results\":[{\"username\":\"a\"},{\"username\":\"b\"},{\"username\":\"c\"}]}\n"
        );
    }

    #[tokio::test]
    async fn all_users_after_a_cursor_begin_there() {
        let mut trial = CommandTrial::new(pages(), script(&[]));
        let after = Some("a b".to_owned());
        let list = UserListArgs { limit: 2, after, all: true, format: OutputFormat { json: true } };
        UserCommand::List(list).run(&mut trial.context).await.unwrap();
        assert_eq!(
            trial.seen(),
            [
                "GET /api/v1/admin/users?limit=1000&after=a%20b",
                "GET /api/v1/admin/users?limit=1000&after=b%2F"
            ]
        );
    }
}
