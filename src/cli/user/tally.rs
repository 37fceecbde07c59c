//! The counts of an import, and the list of those who were left out.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::failure::CommandFailure;
use crate::cli::output::{Output, OutputFormat};
use crate::service::django::judge::{ImportableUser, LeftOut};
use crate::service::django::rows::RowPlace;

/// The most users that are listed in JSON, and for people.
const LISTED: usize = 1000;
const SHOWN: usize = 20;

/// The most password encodings that are counted one by one; the names of unknown ones come from the source.
const ENCODINGS: usize = 32;

/// The counts of an import.
#[derive(Debug, Default)]
pub(super) struct ImportTally {
    created: u64,
    existing: u64,
    without_password: u64,
    disabled: u64,
    left_out: u64,
    /// Per encoding of the password: how many users are imported or there already, and how many are left out for it.
    encodings: BTreeMap<String, (u64, u64)>,
    reasons: BTreeMap<&'static str, u64>,
    listed: Vec<LeftOut>,
}

/// A file with each user that is left out.
pub(super) struct Report(BufWriter<File>);

impl Report {
    /// Creates the file, readable by its owner alone.
    pub(super) fn create(path: &Path) -> Result<Self, CommandFailure> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| {
            CommandFailure::new(
                format!("the report {} cannot be created: {error}", path.display()),
                "name a new file",
            )
        })?;
        Ok(Self(BufWriter::new(file)))
    }

    pub(super) fn finish(mut self) -> Result<(), CommandFailure> {
        Ok(self.0.flush()?)
    }
}

impl ImportTally {
    /// The number of users that were created, or would be.
    pub(super) fn created(&self) -> u64 {
        self.created
    }

    /// The number of users read so far.
    pub(super) fn read(&self) -> u64 {
        self.created + self.existing + self.left_out
    }

    /// Counts a user that the service answered with `result`.
    pub(super) fn arrived(
        &mut self,
        user: &ImportableUser,
        result: &str,
        report: Option<&mut Report>,
    ) -> Result<(), CommandFailure> {
        let reason = match result {
            "created" => {
                self.created += 1;
                self.without_password += u64::from(user.algorithm().is_none());
                self.disabled += u64::from(user.disabled());
                self.encoding(user.algorithm().unwrap_or("no password")).0 += 1;
                return Ok(());
            }
            "exists" => {
                self.existing += 1;
                self.encoding(user.algorithm().unwrap_or("no password")).0 += 1;
                return Ok(());
            }
            "username_taken" => ("username_taken", "a user with another external id has this username here"),
            "external_id_taken" => {
                ("external_id_taken", "a user with another username has this external id here")
            }
            _ => ("refused", "the service did not accept it"),
        };
        self.encoding(user.algorithm().unwrap_or("no password")).1 += 1;
        let left_out = LeftOut {
            place: user.place,
            username: Some(user.username().to_owned()),
            code: reason.0,
            reason: reason.1.to_owned(),
            algorithm: None,
        };
        self.left_out(left_out, report)
    }

    /// Counts and lists a user that is left out.
    pub(super) fn left_out(
        &mut self,
        left_out: LeftOut,
        report: Option<&mut Report>,
    ) -> Result<(), CommandFailure> {
        self.left_out += 1;
        *self.reasons.entry(left_out.code).or_default() += 1;
        if let Some(algorithm) = &left_out.algorithm {
            self.encoding(algorithm).1 += 1;
        }
        if let Some(report) = report {
            writeln!(report.0, "{}", of(&left_out))?;
        }
        if self.listed.len() < LISTED {
            self.listed.push(left_out);
        }
        Ok(())
    }

    fn encoding(&mut self, name: &str) -> &mut (u64, u64) {
        let known = self.encodings.contains_key(name) || self.encodings.len() < ENCODINGS;
        self.encodings.entry(if known { name } else { "others" }.to_owned()).or_default()
    }

    /// Prints what an import will do.
    pub(super) fn print_plan(&self, to: &mut Output) -> Result<(), CommandFailure> {
        self.print_encodings(to)?;
        Ok(to.line(&format!("{}; importing now\n", self.sentence("to create")))?)
    }

    /// Prints the result, or in a dry run the plan.
    pub(super) fn print(
        &self,
        to: &mut Output,
        format: OutputFormat,
        dry_run: bool,
    ) -> Result<(), CommandFailure> {
        if format.json {
            return Ok(to.json(&self.to_json(dry_run))?);
        }
        if dry_run {
            self.print_encodings(to)?;
        }
        to.line(&self.sentence(if dry_run { "to create" } else { "created" }))?;
        for left_out in self.listed.iter().take(SHOWN) {
            let name = left_out.username.as_deref().unwrap_or("(no username)");
            let name: String = name.chars().filter(|c| !c.is_control()).take(150).collect();
            to.line(&format!("{}: {name}: {}", left_out.place, left_out.reason))?;
        }
        if self.left_out > SHOWN as u64 {
            to.line(&format!(
                "and {} more; --dry-run --report FILE writes all of them",
                self.left_out - SHOWN as u64
            ))?;
        }
        Ok(())
    }

    fn print_encodings(&self, to: &mut Output) -> Result<(), CommandFailure> {
        if self.encodings.is_empty() {
            return Ok(());
        }
        let row = |(name, (good, bad)): (&String, &(u64, u64))| {
            vec![name.clone(), good.to_string(), bad.to_string()]
        };
        Ok(to.table(["PASSWORD", "IMPORTED", "LEFT OUT"], self.encodings.iter().map(row))?)
    }

    fn sentence(&self, created: &str) -> String {
        let reasons: Vec<_> = self.reasons.iter().map(|(code, count)| format!("{code} {count}")).collect();
        let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
        format!(
            "{} {created} ({} without a password, {} disabled), {} there already, {} left out{reasons}",
            users(self.created),
            self.without_password,
            self.disabled,
            self.existing,
            self.left_out,
        )
    }

    fn to_json(&self, dry_run: bool) -> Value {
        let encodings: serde_json::Map<_, _> = self
            .encodings
            .iter()
            .map(|(name, (good, bad))| (name.clone(), json!({ "imported": good, "left_out": bad })))
            .collect();
        json!({
            "dry_run": dry_run,
            "read": self.read(),
            "created": self.created,
            "existing": self.existing,
            "without_password": self.without_password,
            "disabled": self.disabled,
            "left_out": self.left_out,
            "reasons": self.reasons,
            "encodings": encodings,
            "listed": self.listed.iter().map(of).collect::<Vec<_>>(),
        })
    }
}

fn users(count: u64) -> String {
    if count == 1 { "1 user".to_owned() } else { format!("{count} users") }
}

fn of(left_out: &LeftOut) -> Value {
    let (place, number) = match left_out.place {
        RowPlace::Line(line) => ("line", line),
        RowPlace::Row(row) => ("row", row),
    };
    json!({
        place: number,
        "username": left_out.username,
        "code": left_out.code,
        "reason": left_out.reason,
        "algorithm": left_out.algorithm,
    })
}
