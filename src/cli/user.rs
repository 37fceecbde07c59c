//! `rescind user …`: accounts.

use clap::{Args, Subcommand};
use poem::http::Method;
use serde_json::{Value, json};

use super::desk::{Desk, Missing, because, signed_out};
use super::failure::Failure;
use super::output::{self, Column, Format};
use super::person;
use super::reach::segment;

pub(super) const MISSING: Missing = ("there is no such user", "`rescind user list` shows those there are");

const COLUMNS: [Column; 6] = [
    ("USERNAME", "username"),
    ("ID", "id"),
    ("CREATED", "created_at"),
    ("DISABLED", "disabled"),
    ("DEVICES", "live_devices"),
    ("GENERATION", "generation"),
];

/// Users: add, list, disable, sign out
#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a user; the password is asked for
    #[command(
        after_help = "Examples:\n  rescind user add alice\n  pass show alice | rescind user add alice --password-stdin"
    )]
    Add {
        /// The username, 1 to 150 characters
        name: String,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        format: Format,
    },
    /// List users, by name
    #[command(
        after_help = "Examples:\n  rescind user list\n  rescind user list --all --json | jq -r '.results[].username'"
    )]
    List(List),
    /// Disable a user: everything of theirs is signed out, and they cannot sign in
    Disable(Target),
    /// Enable a disabled user; they sign in again, nothing earlier comes back
    Enable(Target),
    /// Set a user's password; signs them out everywhere
    Password {
        /// The username or id; where one user is named like the id of another, `id:ID` or `name:ID`
        user: String,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        format: Format,
    },
    /// Sign a user out on every device, at once
    #[command(after_help = "Example:\n  rescind user logout-all alice --reason 'phone stolen'")]
    LogoutAll(Target),
    /// Delete a user: everything of theirs is signed out and the name is free; records of devices go within weeks
    Delete {
        #[command(flatten)]
        target: Target,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct PasswordSource {
    /// Read the password from the first line of stdin
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Args)]
pub(super) struct Target {
    /// The username or id; where one user is named like the id of another, `id:ID` or `name:ID`
    user: String,
    /// Why; kept with the event
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// How many at once
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on after this place, as the list before it said
    #[arg(long, value_name = "PLACE")]
    after: Option<String>,
    /// Every user, however many
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    format: Format,
}

impl User {
    pub(super) async fn run(self, desk: &mut Desk) -> Result<(), Failure> {
        match self {
            Self::Add { name, password, format } => {
                let password = person::new_password(desk.person.as_mut(), password.password_stdin)?;
                let body = json!({ "username": name, "password": password });
                let user = desk.call(Method::POST, "/operator/users", Some(body)).await?;
                desk.answer(format, &user, &format!("added {name}"))
            }
            Self::List(list) => list.run(desk).await,
            Self::Disable(target) => target.post(desk, "disable", "disabled").await,
            Self::Enable(target) => target.post(desk, "enable", "enabled").await,
            Self::Password { user, password, format } => {
                let password = person::new_password(desk.person.as_mut(), password.password_stdin)?;
                let path = format!("/operator/users/{}/password", segment(&user));
                let answer = desk.call(Method::POST, &path, Some(json!({ "password": password }))).await?;
                desk.answer(format, &answer, &format!("password of {user} set; {}", signed_out(&answer)))
            }
            Self::LogoutAll(target) => target.post(desk, "logout-all", "signed out everywhere").await,
            Self::Delete { target, yes } => {
                desk.confirm(yes, &format!("delete {} and sign them out everywhere", target.user))?;
                let path = format!("/operator/users/{}", segment(&target.user));
                let answer = desk.call(Method::DELETE, &path, Some(because(target.reason))).await?;
                desk.answer(
                    target.format,
                    &answer,
                    &format!("{} deleted; {}", target.user, signed_out(&answer)),
                )
            }
        }
    }
}

impl Target {
    async fn post(self, desk: &mut Desk, operation: &str, done: &str) -> Result<(), Failure> {
        let path = format!("/api/v1/admin/users/{}/{operation}", segment(&self.user));
        let answer = desk.call(Method::POST, &path, Some(because(self.reason))).await?;
        let count =
            answer.get("signed_out").map(|_| format!("; {}", signed_out(&answer))).unwrap_or_default();
        desk.answer(self.format, &answer, &format!("{} {done}{count}", self.user))
    }
}

impl List {
    async fn run(self, desk: &mut Desk) -> Result<(), Failure> {
        let mut answer = desk.fetch(&self.page(self.after.as_deref())).await?;
        if self.all {
            let bar = output::progress("users read:");
            let mut users = Vec::new();
            loop {
                users.extend(
                    answer
                        .get_mut("results")
                        .and_then(Value::as_array_mut)
                        .map(std::mem::take)
                        .unwrap_or_default(),
                );
                bar.set_position(users.len() as u64);
                let Some(next) = next(&answer) else { break };
                answer = desk.fetch(&self.page(Some(&next))).await?;
            }
            bar.finish_and_clear();
            answer = json!({ "results": users });
        }
        desk.list(self.format, &answer, &COLUMNS)?;
        match next(&answer) {
            Some(next) if !self.format.json => Ok(desk.line(&format!("\nmore: --after {next}, or --all"))?),
            _ => Ok(()),
        }
    }

    fn page(&self, after: Option<&str>) -> String {
        let limit = if self.all { 1000 } else { self.limit };
        let after = after.map(|after| format!("&after={}", segment(after))).unwrap_or_default();
        format!("/api/v1/admin/users?limit={limit}{after}")
    }
}

fn next(answer: &Value) -> Option<String> {
    answer.get("next").and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::desk::tests::{Trial, script};

    fn target(user: &str, reason: Option<&str>) -> Target {
        Target { user: user.to_owned(), reason: reason.map(str::to_owned), format: Format::default() }
    }

    fn list(all: bool, json: bool) -> User {
        User::List(List { limit: 2, after: None, all, format: Format { json } })
    }

    fn pages() -> Vec<Value> {
        vec![
            json!({"results": [{"username": "a"}, {"username": "b"}], "next": "b/"}),
            json!({"results": [{"username": "c"}]}),
        ]
    }

    #[tokio::test]
    async fn adding_a_user_sends_the_piped_password() {
        let mut trial = Trial::new(vec![json!({"id": "1"})], script(&["correct horse"]));
        let password = PasswordSource { password_stdin: true };
        let add = User::Add { name: "alice".to_owned(), password, format: Format::default() };
        add.run(&mut trial.desk).await.unwrap();
        assert_eq!(trial.seen(), [r#"POST /operator/users {"username":"alice","password":"correct horse"}"#]);
        assert_eq!(trial.page.text(), "added alice\n");
    }

    #[tokio::test]
    async fn a_refused_user_is_told_with_the_next_step() {
        let answer = json!({"code": "username_taken", "detail": "That name is taken."});
        let mut trial = Trial::new(vec![answer], script(&["correct horse"]));
        let password = PasswordSource { password_stdin: true };
        let add = User::Add { name: "alice".to_owned(), password, format: Format::default() };
        let failure = add.run(&mut trial.desk).await.unwrap_err();
        assert_eq!(failure.what, "That name is taken.");
        assert!(failure.help.contains("user password"));
    }

    #[tokio::test]
    async fn signing_out_everywhere_says_how_many_devices() {
        let mut trial = Trial::new(vec![json!({"signed_out": 3, "generation": 9})], script(&[]));
        User::LogoutAll(target("a/b", Some("lost"))).run(&mut trial.desk).await.unwrap();
        assert_eq!(trial.seen(), [r#"POST /api/v1/admin/users/a%2Fb/logout-all {"reason":"lost"}"#]);
        assert_eq!(trial.page.text(), "a/b signed out everywhere; 3 devices signed out\n");
    }

    #[tokio::test]
    async fn deleting_unasked_in_a_script_is_refused_and_sends_nothing() {
        let mut trial = Trial::new(vec![], script(&["y"]));
        let delete = User::Delete { target: target("alice", None), yes: false };
        assert!(delete.run(&mut trial.desk).await.unwrap_err().help.contains("--yes"));
        assert!(trial.seen().is_empty());
    }

    #[tokio::test]
    async fn deleting_with_yes_deletes() {
        let mut trial = Trial::new(vec![json!({"signed_out": 1, "generation": 2})], script(&[]));
        User::Delete { target: target("alice", None), yes: true }.run(&mut trial.desk).await.unwrap();
        assert_eq!(trial.seen(), ["DELETE /operator/users/alice {}"]);
    }

    #[tokio::test]
    async fn a_page_of_users_says_how_to_go_on() {
        let mut trial = Trial::new(pages(), script(&[]));
        list(false, false).run(&mut trial.desk).await.unwrap();
        assert_eq!(trial.seen(), ["GET /api/v1/admin/users?limit=2"]);
        assert!(trial.page.text().ends_with("more: --after b/, or --all\n"));
    }

    #[tokio::test]
    async fn all_users_are_one_list() {
        let mut trial = Trial::new(pages(), script(&[]));
        list(true, true).run(&mut trial.desk).await.unwrap();
        assert_eq!(
            trial.seen(),
            ["GET /api/v1/admin/users?limit=1000", "GET /api/v1/admin/users?limit=1000&after=b%2F"]
        );
        assert_eq!(
            trial.page.text(),
            "{\"results\":[{\"username\":\"a\"},{\"username\":\"b\"},{\"username\":\"c\"}]}\n"
        );
    }
}
