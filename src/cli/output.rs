//! What commands print: tables and sentences for people, one line of JSON for programs.

use std::io::{self, ErrorKind, Write};

use clap::Args;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde::Serialize;
use serde_json::Value;

/// For whom a command prints.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct OutputFormat {
    /// Print JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

/// The stream that a command prints to. Errors go to stderr, so a pipe never contains them.
pub(super) struct Output {
    to: Box<dyn Write + Send>,
}

/// The widest table, in characters.
const WIDTH: u16 = 100;

/// The headings of columns whose cells are never broken.
const IDENTIFIERS: [&str; 2] = ["ID", "KID"];

/// The headings of columns with times, which are broken between day and time.
const TIMES: [&str; 3] = ["CREATED", "LAST SEEN", "NOT AFTER"];

/// The width of a day with the space around it, in characters.
const DAY: u16 = 12;

/// A column of a table: its heading and the field of each record that it shows.
pub(super) type Column = (&'static str, &'static str);

impl Output {
    pub(super) fn stdout() -> Self {
        Self { to: Box::new(io::stdout()) }
    }

    /// Standard error, for everything but the answer.
    pub(super) fn stderr() -> Self {
        Self { to: Box::new(io::stderr()) }
    }

    #[cfg(test)]
    pub(super) fn to(writer: impl Write + Send + 'static) -> Self {
        Self { to: Box::new(writer) }
    }

    /// Prints one line of text. A reader that has closed the pipe is no error.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        match writeln!(self.to, "{text}").and_then(|()| self.to.flush()) {
            // The reader has closed the pipe (`rescind user list | head`).
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }

    /// Prints one line of JSON.
    pub(super) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(value).map_err(io::Error::other)?;
        self.line(&text)
    }

    /// Prints an answer as JSON for programs, or the sentence for people.
    pub(super) fn answer(&mut self, format: OutputFormat, answer: &Value, sentence: &str) -> io::Result<()> {
        if format.json { self.json(answer) } else { self.line(sentence) }
    }

    /// Prints the `results` of a list: as JSON for programs, or as a table for people.
    pub(super) fn list(
        &mut self,
        format: OutputFormat,
        answer: &Value,
        columns: &[Column],
    ) -> io::Result<()> {
        if format.json {
            return self.json(answer);
        }
        let records = answer.get("results").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if records.is_empty() {
            return self.line("none");
        }
        let row = |record: &Value| columns.iter().map(|(_, field)| shown(field, &record[*field])).collect();
        self.table(columns.iter().map(|(head, _)| *head), records.iter().map(row))
    }

    /// Prints a table of rows below their headings.
    pub(super) fn table<'a>(
        &mut self,
        heads: impl IntoIterator<Item = &'a str>,
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> io::Result<()> {
        let mut table = Table::new();
        let heads: Vec<_> = heads.into_iter().collect();
        table.load_style(presets::NOTHING).set_header(heads.clone());
        table.add_rows(rows);
        if table.lines().any(|line| without_padding(&line).chars().count() > usize::from(WIDTH)) {
            fit(&mut table, &heads);
        }
        let lines: Vec<_> = table.lines().map(|line| without_padding(&line).to_owned()).collect();
        self.line(&lines.join("\n"))
    }
}

/// A line of a table without the padding at its ends. The blanks of empty cells at its beginning stay.
fn without_padding(line: &str) -> &str {
    let line = line.trim_end();
    line.strip_prefix(' ').unwrap_or(line)
}

/// Breaks cells of a table that is too wide at spaces, except identifiers, which people copy.
fn fit(table: &mut Table, heads: &[&str]) {
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    for (column, head) in table.column_iter_mut().zip(heads) {
        if IDENTIFIERS.contains(head) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        } else if TIMES.contains(head) {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(DAY)));
        }
    }
}

/// The text of a field in a table: a time to the minute, everything else in full.
fn shown(field: &str, value: &Value) -> String {
    let text = cell(value);
    let is_time = field.ends_with("_at") || field == "not_after";
    match text.split_once('T') {
        Some((day, time)) if is_time && time.ends_with('Z') => {
            format!("{day} {}", time.get(..5).unwrap_or(time))
        }
        _ => text,
    }
}

/// The text of a JSON value for people. Control characters are dropped: a name must not control the terminal that
/// shows it.
fn cell(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(false) => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::String(text) => text.chars().filter(|c| !c.is_control()).collect(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::context::tests::CapturedOutput;
    use serde_json::json;

    const COLUMNS: [Column; 2] = [("USER", "username"), ("DISABLED", "disabled")];

    fn printed(json: bool, answer: &Value) -> String {
        let page = CapturedOutput::default();
        Output::to(page.clone()).list(OutputFormat { json }, answer, &COLUMNS).unwrap();
        page.text()
    }

    #[test]
    fn people_get_a_table() {
        let answer = json!({"results": [{"username": "alice", "disabled": true}, {"username": "bo", "disabled": false}]});
        assert_eq!(printed(false, &answer), "USER   DISABLED\nalice  yes\nbo     -\n");
    }

    #[test]
    fn a_table_fits_a_hundred_columns_and_breaks_no_identifier() {
        let (kid, id) = (format!("k4.pid.{}", "A".repeat(44)), "01998f3e-5c1c-7cc3-9d53-0d6f3a1a2b3c");
        let keys = json!({"results": [{"kid": kid, "purpose": "refresh", "state": "distrusted",
            "created_at": "2026-11-26T17:12:57Z", "not_after": "2027-11-26T18:12:57Z"}]});
        let devices = json!({"results": [{"name": "n".repeat(100), "id": id, "kind": "browser",
            "created_at": "2026-11-26T17:12:57Z", "last_seen_at": "2026-11-26T17:12:57Z",
            "address": "2001:db8:1234:5678:9abc:def0:1234:5678", "ended_cause": "password_changed"}]});
        let mut begun_with_blanks = 0;
        for (answer, columns, kept) in [
            (keys, &crate::cli::key::COLUMNS[..], kid.as_str()),
            (devices, &crate::cli::device::COLUMNS[..], id),
        ] {
            let page = CapturedOutput::default();
            Output::to(page.clone()).list(OutputFormat::default(), &answer, columns).unwrap();
            let text = page.text();
            assert!(text.contains(kept), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
            assert!(text.contains("2026-11-26") && text.contains("17:12") && !text.contains("57Z"), "{text}");
            // Every line begins below a heading, also where cells before that of its first word are empty.
            let headings = text.lines().next().unwrap();
            for line in text.lines() {
                let at = line.find(|c: char| c != ' ').unwrap();
                assert!(!headings[at..].starts_with(' '), "{text}");
                assert!(at == 0 || headings[..at].ends_with("  "), "{text}");
                begun_with_blanks += usize::from(at > 0);
            }
        }
        assert!(begun_with_blanks > 0, "no cell was broken");
    }

    #[test]
    fn programs_get_one_line_of_json() {
        assert_eq!(printed(true, &json!({"results": []})), "{\"results\":[]}\n");
    }

    #[test]
    fn an_empty_list_says_so() {
        assert_eq!(printed(false, &json!({"results": []})), "none\n");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        let answer = json!({"results": [{"username": "a\u{1b}[2Jb", "disabled": false}]});
        assert!(!printed(false, &answer).contains('\u{1b}'));
    }

    #[test]
    fn a_reader_that_hangs_up_is_no_error() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(Output::to(Gone).line("text").is_ok());
    }
}
