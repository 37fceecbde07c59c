//! `rescind user import …`: users of another system, with their password hashes.
//!
//! The source is read twice: first to say what will happen, then to do it. Users are sent to the service in groups
//! (`groups`), several at once; a group that is repeated changes nothing, so an import that was interrupted is run again.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use self::groups::GroupSender;
use super::tally::{ImportTally, Report};
use crate::cli::context::CommandContext;
use crate::cli::failure::CommandFailure;
use crate::cli::output::OutputFormat;
use crate::cli::progress::{Progress, TaskSize};
use crate::service::django::judge::{DjangoJudge, WeakHashes};
use crate::service::django::rows::{SourceError, SourceOptions};
use crate::service::django::source::{DjangoRows, DjangoSource};

mod groups;

/// Import users of another system
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ImportCommand {
    /// Import users of Django: a dump (JSON), a CSV file, or its tables
    #[command(after_help = "Examples:\n  \
            python manage.py dumpdata auth.user > users.json && rescind user import django users.json --dry-run\n  \
            rescind user import django users.csv --weak\n  \
            rescind user import django postgres://reader@db/site --table accounts_user --username-field email\n\n\
        A user's primary key becomes the external id. A user who is there already, with the same external id and username, stays\n\
        unchanged, so the command can be run again. A user without a usable password is imported without one, an inactive one\n\
        disabled. A user that cannot be imported as a whole is left out and listed: with a name or primary key that is taken, a weak\n\
        or unknown password hash, or one that is damaged or asks for too much work.")]
    Django(DjangoImport),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DjangoImport {
    /// A file, or `postgres://user@host/database`; other users of the machine can read a password in it
    #[arg(value_name = "FILE|URL", value_parser = DjangoSource::parse)]
    source: DjangoSource,
    /// The model of the users in a dump [default: the one with usernames and passwords]
    #[arg(long, value_name = "APP.MODEL")]
    model: Option<String>,
    /// The table of the users in a database
    #[arg(long, default_value = "auth_user")]
    table: String,
    /// The field or column of the username
    #[arg(long, value_name = "NAME", default_value = "username")]
    username_field: String,
    /// Accept password hashes that are too weak (MD5, SHA-1); the first sign-in replaces them
    #[arg(long)]
    weak: bool,
    /// Say what would happen, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write each user that is left out to this new file, one line of JSON each
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    format: OutputFormat,
}

/// One reading of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ImportPass {
    /// Finds out what will happen, and writes nothing.
    Check,
    /// Imports. The check has read this number of users.
    Import(u64),
}

impl ImportCommand {
    pub(in crate::cli) async fn run(self, context: &mut CommandContext) -> Result<(), CommandFailure> {
        match self {
            Self::Django(import) => import.run(context).await,
        }
    }
}

impl DjangoImport {
    async fn run(self, context: &mut CommandContext) -> Result<(), CommandFailure> {
        let mut report = self.report.as_deref().map(Report::create).transpose()?;
        let mut plan = ImportTally::default();
        self.read(context, &mut plan, report.as_mut(), ImportPass::Check).await?;
        if let Some(report) = report {
            report.finish()?;
        }
        if self.dry_run {
            return plan.print(&mut context.out, self.format, true);
        }
        if !self.format.json {
            plan.print_plan(&mut context.stderr)?;
        }
        let mut done = ImportTally::default();
        match self.read(context, &mut done, None, ImportPass::Import(plan.read())).await {
            Ok(()) => done.print(&mut context.out, self.format, false),
            Err(failure) => Err(CommandFailure::new(
                format!("{}; {} users were created before", failure.what, done.created()),
                format!("{}; users who are there already stay as they are", or_again(&failure.help)),
            )),
        }
    }

    /// Reads the source once, and sends what can be imported. After a failure too, `tally` counts all that is sent.
    async fn read(
        &self,
        context: &mut CommandContext,
        tally: &mut ImportTally,
        report: Option<&mut Report>,
        pass: ImportPass,
    ) -> Result<(), CommandFailure> {
        let (waiting, under_way, dry_run) = (Vec::new(), VecDeque::new(), pass == ImportPass::Check);
        let mut sender =
            GroupSender { context, tally, report, weak: self.weak, dry_run, waiting, under_way, again: 0 };
        match self.send_all(&mut sender, pass).await {
            Ok(()) => Ok(()),
            Err(failure) => {
                // The first failure is the one to tell.
                let _later = sender.settle_all().await;
                Err(failure)
            }
        }
    }

    async fn send_all(&self, sender: &mut GroupSender<'_>, pass: ImportPass) -> Result<(), CommandFailure> {
        let size = self.size(pass);
        let task = if pass == ImportPass::Check { "checking users:" } else { "importing users:" };
        let progress = Progress::show(task, size, self.format);
        let done = |rows: &DjangoRows, tally: &ImportTally| match size {
            TaskSize::Bytes(_) => rows.bytes_read(),
            TaskSize::Count(_) | TaskSize::Unknown => tally.read(),
        };
        let options = SourceOptions {
            model: self.model.clone(),
            table: self.table.clone(),
            username: self.username_field.clone(),
        };
        let mut rows = self.source.open(&sender.context.settings, &options);
        let weak = if self.weak { WeakHashes::Accept } else { WeakHashes::Refuse };
        let mut judge = DjangoJudge::new(weak);
        while let Some(row) = rows.next().await.map_err(|error| self.refused(&error))? {
            match judge.judge(row).map_err(|error| without_memory(&error))? {
                Ok(user) => sender.take(user).await?,
                Err(left_out) => sender.tally.left_out(left_out, sender.report.as_deref_mut())?,
            }
            progress.set(done(&rows, sender.tally));
        }
        sender.send_waiting().await?;
        while sender.settle_first().await? {
            progress.set(done(&rows, sender.tally));
        }
        Ok(())
    }

    fn size(&self, pass: ImportPass) -> TaskSize {
        match pass {
            ImportPass::Check => self.source.bytes().map_or(TaskSize::Unknown, TaskSize::Bytes),
            ImportPass::Import(users) => TaskSize::Count(users),
        }
    }

    fn refused(&self, error: &SourceError) -> CommandFailure {
        let help = match error {
            SourceError::Json { .. } | SourceError::TooLong { .. } | SourceError::Csv { .. } => {
                "correct the file there, or dump it again"
            }
            SourceError::NoUsers(_) => "name the model with --model, and its username with --username-field",
            _ => "",
        };
        CommandFailure::new(format!("{}: {error}", self.source), help)
    }
}

/// The failure of the temporary file that tells duplicates.
fn without_memory(error: &io::Error) -> CommandFailure {
    CommandFailure::new(
        format!("a temporary file in {} cannot be used: {error}", std::env::temp_dir().display()),
        "name a folder with room for 100 bytes per user in the environment variable TMPDIR",
    )
}

fn or_again(help: &str) -> &str {
    if help.is_empty() { "run the command again" } else { help }
}

#[cfg(test)]
mod tests;
