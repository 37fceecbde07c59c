//! `rescind store …`: the store as a whole, while nobody serves from it.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::context::CommandContext;
use super::failure::CommandFailure;
use super::output::OutputFormat;
use super::progress::{Progress, TaskSize};
use super::service;
use crate::service::copying::{CopyDone, CopyProgress, StoreLocation};

mod restored;

/// The store as a whole: copy, recover, restored
#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Move the store between a folder and a database; every token goes on working
    ///
    /// Stop every rescind on it first. All of it is copied and read back; then the source is marked as moved and
    /// serves no more. Stopped half way, run the same command again. Without --from or --to, the store that the
    /// settings name is meant: a URL with a password is best given so.
    #[command(
        after_help = "Examples:\n  rescind store copy --from ./rescind-data --to postgres://user:password@host/rescind\n  \
                            RESCIND_STORE_FILE=/run/secrets/store rescind store copy --from ./rescind-data\n  \
                            rescind store copy --from postgres://user:password@host/rescind --to ./folder"
    )]
    Copy {
        /// Where the store is: a folder, or the URL of a database
        #[arg(long, value_name = "STORE", value_parser = StoreLocation::parse, required_unless_present = "to")]
        from: Option<StoreLocation>,
        /// Where it is to be: an empty or a new folder, or the URL of an empty database
        #[arg(long, value_name = "STORE", value_parser = StoreLocation::parse)]
        to: Option<StoreLocation>,
        #[command(flatten)]
        format: OutputFormat,
    },
    /// Recover an embedded store that has lost its snapshot (the file `snap.…`), in a new folder
    ///
    /// A copy is opened without that file. It is kept only if every record is in it, which their checksum proves; then the
    /// old folder is marked as moved, and every token goes on working. Else the copy is removed, and the store is as it was.
    /// Stopped half way, run the same command again.
    #[command(after_help = "Example:\n  rescind store recover --from ./rescind-data --to ./recovered")]
    Recover {
        /// The folder of the store; without it, the one that the settings name
        #[arg(long, value_name = "FOLDER")]
        from: Option<PathBuf>,
        /// An empty or a new folder
        #[arg(long, value_name = "FOLDER")]
        to: PathBuf,
        #[command(flatten)]
        format: OutputFormat,
    },
    /// Confirm that the store was restored from a copy, or lost acknowledged writes: nothing that ended is revived
    ///
    /// What ended since the copy was made is live in it again, and nobody can say what that was. So it becomes a new store
    /// in a new era: everyone is signed out, new signing keys are made and all of the copy's are distrusted, its service
    /// keys are dropped, and those who follow the feed forget what they knew of the old one. Users and passwords stay as
    /// they were in the copy: what to do again is printed. Stop every rescind process that uses it first.
    #[command(after_help = "Example:\n  rescind store restored --yes && rescind serve")]
    Restored {
        /// Keep the service keys of the copy, also those that were removed since; they are listed
        #[arg(long)]
        keep_service_keys: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        format: OutputFormat,
    },
}

impl StoreCommand {
    pub(super) async fn run(self, context: &mut CommandContext) -> Result<(), CommandFailure> {
        match self {
            Self::Copy { from, to, format } => take(context, from, to, format).await,
            Self::Recover { from, to, format } => {
                let from = from.unwrap_or_else(|| context.settings.data.clone());
                let done = service::recover(&context.settings, &from, &to)?;
                let (from, to, key) = (from.display(), to.display(), done.master_key.display());
                let answer = json!({
                    "from": from.to_string(),
                    "to": to.to_string(),
                    "records": done.records,
                    "commit": done.commit,
                });
                let sentence = format!(
                    "recovered all {} records of {from} in {to}, up to commit {}\n{from} is marked as moved and serves no more; tokens go on working\nstart it with --data {to} and this master key: --set master_key_file={key}",
                    done.records, done.commit
                );
                context.answer(format, &answer, &sentence)
            }
            Self::Restored { keep_service_keys, yes, format } => {
                context.confirm(yes, "sign everyone out, since the store was rolled back")?;
                let done = service::restored(&context.settings, keep_service_keys).await?;
                if format.json {
                    return Ok(context.out.json(&restored::answer(&done))?);
                }
                context.line(&restored::head(&done))?;
                context.out.table(restored::HEADS, restored::rows(&done))?;
                Ok(context.line(&restored::tail(&done))?)
            }
        }
    }
}

async fn take(
    context: &mut CommandContext,
    from: Option<StoreLocation>,
    to: Option<StoreLocation>,
    format: OutputFormat,
) -> Result<(), CommandFailure> {
    let settings = &context.settings;
    let from = from.unwrap_or_else(|| StoreLocation::of(settings));
    let to = to.unwrap_or_else(|| StoreLocation::of(settings));
    let mut copying = Some(Progress::show("records copied:", TaskSize::Unknown, format));
    let (mut comparing, mut copied, mut compared) = (None, 0, 0);
    let mut on_progress = |step| match step {
        CopyProgress::Copied(more) => {
            copied += more;
            if let Some(copying) = &copying {
                copying.set(copied);
            }
        }
        CopyProgress::Compared(more) => {
            // Its line is cleared before the next one is drawn.
            drop(copying.take());
            compared += more;
            let show = || Progress::show("records compared:", TaskSize::Count(copied), format);
            comparing.get_or_insert_with(show).set(compared);
        }
    };
    let done = service::copy(settings, &from, &to, &mut on_progress).await;
    drop((copying, comparing));
    let done = done?;
    context.answer(format, &answer(&from, &to, &done), &sentence(&from, &to, &done))
}

fn answer(from: &StoreLocation, to: &StoreLocation, done: &CopyDone) -> Value {
    let counts: Map<_, _> =
        done.copied.counts().map(|(name, count)| (name.to_owned(), json!(count))).collect();
    json!({
        "from": from.to_string(),
        "to": to.to_string(),
        "copied": counts,
        "checksum": done.copied.checksum(),
        "master_key_tried": done.tried,
    })
}

fn sentence(from: &StoreLocation, to: &StoreLocation, done: &CopyDone) -> String {
    let count = |wanted| done.copied.counts().find(|(name, _)| *name == wanted).map_or(0, |(_, count)| count);
    let records: u64 = done.copied.counts().map(|(_, count)| count).sum();
    let key = done.master_key.display();
    let use_it = match to {
        StoreLocation::Shared(_) => format!(
            "start nodes with --store, each with a --data folder of its own and this master key: --set master_key_file={key}"
        ),
        StoreLocation::Folder(_) => {
            format!("start it with --data {to} and this master key: --set master_key_file={key}")
        }
    };
    let untried = if done.tried { "" } else { "\nthat file is not here, so it was not tried on the keys" };
    format!(
        "moved {records} records ({} users, {} devices) from {from} to {to}, compared by checksum {}\n{from} is marked as moved and serves no more; tokens go on working\n{use_it}{untried}",
        count("users"),
        count("devices"),
        done.copied.checksum(),
    )
}
