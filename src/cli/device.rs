//! `rescind device …`: the sign-ins of one user.

use clap::Subcommand;
use poem::http::Method;

use super::connection::segment;
use super::context::{CommandContext, Missing, signed_out};
use super::failure::CommandFailure;
use super::output::{Column, OutputFormat};

pub(super) const MISSING: Missing = (
    "there is no such user, or the user has no such device",
    "`rescind user list` shows the users, `rescind device list USER` the devices of one",
);

pub(super) const COLUMNS: [Column; 7] = [
    ("NAME", "name"),
    ("ID", "id"),
    ("KIND", "kind"),
    ("CREATED", "created_at"),
    ("LAST SEEN", "last_seen_at"),
    ("ADDRESS", "address"),
    ("ENDED", "ended_cause"),
];

/// Devices: list, end
#[derive(Debug, Subcommand)]
pub(super) enum DeviceCommand {
    /// List a user's devices
    List {
        /// The username or id; where one user is named like the id of another, `id:ID` or `name:ID`
        user: String,
        /// List the ended ones of the last 28 days instead, the one that ended last first
        #[arg(long)]
        ended: bool,
        #[command(flatten)]
        format: OutputFormat,
    },
    /// Sign one device out, at once
    #[command(after_help = "Example:\n  rescind device end alice 01998f3e-5c1c-7cc3-9d53-0d6f3a1a2b3c")]
    End {
        /// The username or id; where one user is named like the id of another, `id:ID` or `name:ID`
        user: String,
        /// The device's id, from `rescind device list`
        device: String,
        #[command(flatten)]
        format: OutputFormat,
    },
}

impl DeviceCommand {
    pub(super) async fn run(self, context: &mut CommandContext) -> Result<(), CommandFailure> {
        match self {
            Self::List { user, ended, format } => {
                let path = format!("/api/v1/admin/users/{}/devices?limit=1000&ended={ended}", segment(&user));
                let answer = context.fetch_all(&path, None, |_| {}).await?;
                context.list(format, &answer, &COLUMNS)
            }
            Self::End { user, device, format } => {
                let path = format!("/api/v1/admin/users/{}/devices/{}", segment(&user), segment(&device));
                let answer = context.call(Method::DELETE, &path, None).await?;
                context.answer(format, &answer, &signed_out(&answer))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::context::tests::{CommandTrial, script};

    #[tokio::test]
    async fn a_device_is_ended_by_user_and_id() {
        let mut trial = CommandTrial::new(vec![json!({"signed_out": 1})], script(&[]));
        let end = DeviceCommand::End {
            user: "alice".to_owned(),
            device: "d1".to_owned(),
            format: OutputFormat::default(),
        };
        end.run(&mut trial.context).await.unwrap();
        assert_eq!(trial.seen(), ["DELETE /api/v1/admin/users/alice/devices/d1"]);
        assert_eq!(trial.page.text(), "1 device signed out\n");
    }

    #[tokio::test]
    async fn devices_of_all_pages_are_one_list() {
        let pages = vec![
            json!({"results": [{"id": "d1"}, {"id": "d2"}], "next": "17.d2"}),
            json!({"results": [{"id": "d3"}]}),
        ];
        let mut trial = CommandTrial::new(pages, script(&[]));
        let list = DeviceCommand::List {
            user: "alice".to_owned(),
            ended: true,
            format: OutputFormat { json: true },
        };
        list.run(&mut trial.context).await.unwrap();
        let path = "GET /api/v1/admin/users/alice/devices?limit=1000&ended=true";
        assert_eq!(trial.seen(), [path.to_owned(), format!("{path}&after=17.d2")]);
        assert_eq!(trial.page.text(), "{\"results\":[{\"id\":\"d1\"},{\"id\":\"d2\"},{\"id\":\"d3\"}]}\n");
    }

    #[tokio::test]
    async fn a_live_device_shows_no_end() {
        let answer = json!({"results": [{"name": "Chrome on Windows", "id": "d1", "kind": "browser"}]});
        let mut trial = CommandTrial::new(vec![answer], script(&[]));
        let list =
            DeviceCommand::List { user: "alice".to_owned(), ended: false, format: OutputFormat::default() };
        list.run(&mut trial.context).await.unwrap();
        let row = trial.page.text().lines().last().unwrap().to_owned();
        assert!(row.starts_with("Chrome on Windows  d1") && row.ends_with('-'), "{row}");
    }
}
