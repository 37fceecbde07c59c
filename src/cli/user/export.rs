//! `rescind user export`: all users with their password hashes, in a form that Django loads.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, IsTerminal as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::cli::context::CommandContext;
use crate::cli::failure::CommandFailure;
use crate::cli::output::OutputFormat;
use crate::cli::progress::{Progress, TaskSize};
use crate::service::django::export::{DjangoExport, ExportForm};

/// The form of an export.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ExportFormat {
    /// One object per line, as `dumpdata --format jsonl` writes them; `loaddata` reads a file named *.jsonl
    Jsonl,
    /// CSV with a header row
    Csv,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExportCommand {
    /// The new file, readable by its owner alone [default: standard output, unless that is a terminal]
    file: Option<PathBuf>,
    /// The form of the file
    #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
    format: ExportFormat,
    /// The model of the objects
    #[arg(long, value_name = "APP.MODEL", default_value = "auth.user")]
    model: String,
    /// Print to a terminal, too; what is printed there may stay in its memory
    #[arg(long)]
    to_terminal: bool,
    #[command(flatten)]
    answer: OutputFormat,
}

impl ExportCommand {
    pub(in crate::cli) async fn run(self, context: &mut CommandContext) -> Result<(), CommandFailure> {
        let Some(path) = &self.file else {
            if io::stdout().is_terminal() && !self.to_terminal {
                return Err(CommandFailure::new(
                    "password hashes are not printed to a terminal",
                    "name a new file, or use --to-terminal",
                ));
            }
            let written = self.write(context, &mut io::stdout().lock()).await;
            return match written {
                // The reader has closed the pipe.
                Err(ExportFault::Io(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
                Err(fault) => Err(fault.into()),
                Ok(_) => Ok(()),
            };
        };
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = created.map_err(|error| {
            CommandFailure::new(format!("{} cannot be created: {error}", path.display()), "name a new file")
        })?;
        match self.write_file(context, file).await {
            Ok(users) => {
                let answer = json!({ "users": users, "file": path });
                context.answer(self.answer, &answer, &format!("exported {users} users to {}", path.display()))
            }
            Err(fault) => {
                // A part of an export is no export. It is this command's own file.
                let _ = std::fs::remove_file(path);
                Err(fault.into())
            }
        }
    }

    async fn write_file(&self, context: &mut CommandContext, file: File) -> Result<u64, ExportFault> {
        let mut to = BufWriter::new(file);
        let users = self.write(context, &mut to).await?;
        to.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        Ok(users)
    }

    async fn write(&self, context: &mut CommandContext, to: &mut impl Write) -> Result<u64, ExportFault> {
        let form = match self.format {
            ExportFormat::Jsonl => ExportForm::JsonLines,
            ExportFormat::Csv => ExportForm::Csv,
        };
        let export = DjangoExport::new(form, self.model.clone());
        let (mut users, mut after, mut progress) = (0, None, None);
        to.write_all(export.header().as_bytes())?;
        loop {
            let page = context.fetch_page("/operator/export-users?limit=1000", after.as_deref()).await?;
            for user in page.get("results").and_then(Value::as_array).into_iter().flatten() {
                let line = export.line(user).ok_or_else(|| {
                    CommandFailure::new(
                        "the answer of the service is not understood",
                        "is the server of the same version as this command? Compare `rescind --version`",
                    )
                })?;
                to.write_all(line.as_bytes())?;
                users += 1;
            }
            let total = page.get("total").and_then(Value::as_u64).map_or(TaskSize::Unknown, TaskSize::Count);
            let show = || Progress::show("exporting users:", total, self.answer);
            progress.get_or_insert_with(show).set(users);
            after = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if after.is_none() {
                to.flush()?;
                return Ok(users);
            }
        }
    }
}

enum ExportFault {
    Io(io::Error),
    Command(CommandFailure),
}

impl From<io::Error> for ExportFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<CommandFailure> for ExportFault {
    fn from(failure: CommandFailure) -> Self {
        Self::Command(failure)
    }
}

impl From<ExportFault> for CommandFailure {
    fn from(fault: ExportFault) -> Self {
        match fault {
            ExportFault::Io(error) => error.into(),
            ExportFault::Command(failure) => failure,
        }
    }
}
