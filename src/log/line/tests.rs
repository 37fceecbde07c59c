use std::fmt as std_fmt;

use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::prelude::*;

use super::*;
use crate::log::layer::LineLayer;
use crate::log::tests::Buffer;

/// The lines that `log` causes, from this program and from the library, each without its time.
fn lines(format: LogFormat, log: impl Fn()) -> [String; 2] {
    fn writer(buffer: &Buffer) -> impl for<'a> MakeWriter<'a> + use<> {
        let buffer = buffer.clone();
        move || buffer.clone()
    }
    let [ours, theirs] = [Buffer::default(), Buffer::default()];
    let layer = LineLayer { writer: writer(&ours), format };
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), &log);
    let layer = fmt::layer().with_writer(writer(&theirs)).with_ansi(false);
    match format {
        LogFormat::Text => {
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), &log);
        }
        LogFormat::Json => {
            let layer = layer.json().flatten_event(true).with_current_span(false).with_span_list(false);
            tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), &log);
        }
    }
    let time = match format {
        LogFormat::Text => 0..27,
        LogFormat::Json => r#"{"timestamp":""#.len()..r#"{"timestamp":""#.len() + 27,
    };
    [ours, theirs].map(|buffer| {
        let mut text = buffer.text();
        assert!(
            text.get(time.clone()).is_some_and(|time| time.starts_with("20") && time.ends_with('Z')),
            "{text}"
        );
        text.replace_range(time.clone(), "TIME");
        text
    })
}

#[derive(Debug, thiserror::Error)]
#[error("outer\u{1b}[31m")]
struct Outer(#[source] std_fmt::Error);

const TEXTS: [&str; 10] = [
    "plain text 1-2_3",
    "",
    "quoted \"text\" and \\",
    "two\nlines\tand\r a tab",
    "ä € \u{1f600} \u{200b}",
    "\u{1b}[31mred\u{7}\u{8}\u{c}\u{7f}",
    "\u{80}\u{9b}\u{9f}\u{a0}\u{c2}",
    "null\0 and \u{1}",
    "it's",
    "https://example.org/?a=b&c=%20",
];

#[test]
fn lines_are_those_of_the_library() {
    for format in [LogFormat::Text, LogFormat::Json] {
        let same = |log: &dyn Fn()| {
            let [ours, theirs] = lines(format, log);
            assert_eq!(ours, theirs);
        };
        for text in TEXTS {
            same(&|| tracing::info!("{text}"));
            same(&|| tracing::warn!(text, "a text"));
            same(&|| tracing::error!(%text, "as displayed"));
            same(&|| tracing::debug!(?text, other = text, "as debugged, {text}"));
            same(&|| tracing::trace!(message = text, last = true));
        }
        for char in '\0'..='\u{a1}' {
            same(&|| tracing::info!("{char}"));
            same(&|| tracing::info!(text = char.to_string(), %char, "one"));
        }
        same(
            &|| tracing::info!(target: "rescind::request", method = "GET", status = 200_u16, code = None::<&str>, "request"),
        );
        same(&|| {
            tracing::info!(
                zero = 0_u64,
                most = u64::MAX,
                least = i64::MIN,
                wide = i128::MIN,
                wider = u128::MAX,
                "numbers"
            );
        });
        same(&|| {
            tracing::info!(
                half = 0.5,
                whole = 2.0,
                none = f64::NAN,
                endless = f64::INFINITY,
                small = 1e-9,
                "fractions"
            );
        });
        same(&|| tracing::info!(yes = true, r#type = "raw", some = ?Some([1, 2]), "others"));
        same(&|| tracing::info!(only = 1));
        let error = Outer(std_fmt::Error);
        same(&|| tracing::error!(error = &error as &(dyn std::error::Error + 'static), "with a source"));
        let error = std_fmt::Error;
        same(&|| tracing::error!(error = &error as &(dyn std::error::Error + 'static), "without"));
    }
}

#[test]
fn a_line_of_the_crate_log_has_its_own_target() {
    let [ours, _] = lines(
        LogFormat::Text,
        || tracing::warn!(target: "log", { log.target = "sled::page", log.line = 3 }, "slow"),
    );
    assert_eq!(ours, "TIME  WARN sled::page: slow\n");
}
