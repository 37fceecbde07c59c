//! The text of one line of the log.
//!
//! It is, byte for byte, what `tracing_subscriber::fmt` writes in its full format without colours, and in its JSON
//! format with the fields at the top; only spans are left out, since this program has none. That layer takes several
//! times as long for it, which is a good part of the time that a request takes.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata};

use crate::settings::LogFormat;

/// Appends the line of an event that happened at `time`, with its line break.
pub(super) fn append(line: &mut String, event: &Event<'_>, format: LogFormat, time: &str) {
    let (metadata, own_target) = (event.metadata(), OwnTarget::of(event));
    let target = own_target.as_deref().unwrap_or_else(|| metadata.target());
    match format {
        LogFormat::Text => {
            line.extend([time, text_level(metadata), target, ": "]);
            event.record(&mut TextFields { line, is_first: true });
        }
        LogFormat::Json => {
            line.extend(["{\"timestamp\":\"", time, "\",\"level\":\"", metadata.level().as_str(), "\""]);
            event.record(&mut JsonFields(line));
            line.push_str(",\"target\":");
            json_text(line, target);
            line.push('}');
        }
    }
    line.push('\n');
}

/// The level of a line in text, in a column of its own.
fn text_level(metadata: &Metadata<'_>) -> &'static str {
    match *metadata.level() {
        Level::ERROR => " ERROR ",
        Level::WARN => "  WARN ",
        Level::INFO => "  INFO ",
        Level::DEBUG => " DEBUG ",
        Level::TRACE => " TRACE ",
    }
}

/// The target of an event of the crate `log`, which is in a field.
#[derive(Default)]
struct OwnTarget(Option<String>);

impl OwnTarget {
    fn of(event: &Event<'_>) -> Option<String> {
        let mut own = Self::default();
        // All of them are of one pseudo-target.
        if event.metadata().target() == "log" {
            event.record(&mut own);
        }
        own.0
    }
}

impl Visit for OwnTarget {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "log.target" {
            self.0 = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// The fields of a line in text: `message name=value name="text"`.
struct TextFields<'a> {
    line: &'a mut String,
    is_first: bool,
}

impl TextFields<'_> {
    /// Begins a field; `None` if the field is not shown.
    fn begin(&mut self, field: &Field) -> Option<&mut String> {
        let name = field.name();
        if name.starts_with("log.") {
            return None;
        }
        if !std::mem::take(&mut self.is_first) {
            self.line.push(' ');
        }
        if name != "message" {
            self.line.push_str(name.strip_prefix("r#").unwrap_or(name));
            self.line.push('=');
        }
        Some(self.line)
    }

    fn message(&mut self, field: &Field, message: fmt::Arguments<'_>) {
        if let Some(line) = self.begin(field) {
            write_checked(line, message, steers_a_terminal, push_without_control);
        }
    }
}

impl Visit for TextFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            return self.message(field, format_args!("{value}"));
        }
        let Some(line) = self.begin(field) else { return };
        if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
            line.extend(["\"", value, "\""]);
        } else {
            write(line, format_args!("{value:?}"));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if let Some(line) = self.begin(field) {
            write(line, format_args!("{value}"));
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut said = value.to_string();
        let sources = std::iter::successors(value.source(), |error| error.source());
        let sources: Vec<String> = sources.map(ToString::to_string).collect();
        if !sources.is_empty() {
            write(&mut said, format_args!(" {}.sources=[{}]", field.name(), sources.join(", ")));
        }
        let mut safe = String::new();
        push_without_control(&mut safe, &said);
        self.record_debug(field, &format_args!("{safe}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message(field, format_args!("{value:?}"));
        } else if let Some(line) = self.begin(field) {
            write(line, format_args!("{value:?}"));
        }
    }
}

/// The fields of a line in JSON: `,"name":value`.
struct JsonFields<'a>(&'a mut String);

impl JsonFields<'_> {
    fn begin(&mut self, field: &Field) -> &mut String {
        self.0.push(',');
        json_text(self.0, field.name());
        self.0.push(':');
        self.0
    }

    fn literal(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        write(self.begin(field), value);
    }
}

impl Visit for JsonFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        json_text(self.begin(field), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.literal(field, format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.literal(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.literal(field, format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        let number = serde_json::Value::from(value);
        self.literal(field, format_args!("{number}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let line = self.begin(field);
        line.push('"');
        write_checked(line, format_args!("{value:?}"), json_escapes, push_json);
        line.push('"');
    }
}

/// Appends a text as a JSON string.
fn json_text(line: &mut String, text: &str) {
    line.push('"');
    if json_escapes(text) {
        push_json(line, text);
    } else {
        line.push_str(text);
    }
    line.push('"');
}

/// Whether JSON writes a text with escapes.
fn json_escapes(text: &str) -> bool {
    text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\')
}

/// Appends a text with the escapes of JSON, without the quotation marks.
fn push_json(line: &mut String, text: &str) {
    let quoted = serde_json::Value::from(text).to_string();
    line.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
}

/// Whether a text has a character that makes a terminal do something other than show it.
fn steers_a_terminal(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, 0x07 | 0x08 | 0x0c | 0x1b | 0x7f | 0xc2))
        && text.contains(is_control)
}

fn is_control(char: char) -> bool {
    matches!(char, '\u{07}' | '\u{08}' | '\u{0c}' | '\u{1b}' | '\u{7f}'..='\u{9f}')
}

/// Appends a text with its control characters escaped.
fn push_without_control(line: &mut String, text: &str) {
    for char in text.chars() {
        match u32::from(char) {
            code @ ..0x80 if is_control(char) => write(line, format_args!("\\x{code:02x}")),
            code if is_control(char) => write(line, format_args!("\\u{{{code:x}}}")),
            _ => line.push(char),
        }
    }
}

fn write(line: &mut String, text: fmt::Arguments<'_>) {
    // A String takes what is written; what cannot be formatted is cut.
    let _written = line.write_fmt(text);
}

/// Appends a text, and appends it again with escapes if it needs some.
fn write_checked(
    line: &mut String,
    text: fmt::Arguments<'_>,
    needs_escapes: fn(&str) -> bool,
    push_escaped: fn(&mut String, &str),
) {
    let start = line.len();
    write(line, text);
    if line.get(start..).is_some_and(needs_escapes) {
        let plain = line.split_off(start);
        push_escaped(line, &plain);
    }
}

#[cfg(test)]
mod tests;
