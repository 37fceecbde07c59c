//! Server-sent events, as far as the feed uses them.
//!
//! By the HTML standard, § 9.2: fields are lines, an empty line ends an event, a colon begins a comment. Only `event`
//! and `data` are read; a frame holds its own position, so `id` is not needed. Lines and events above the limit are
//! refused before they are stored.

use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};

use super::issuer_error::{IssuerError, innermost};
use crate::token::feed::LONGEST_FRAME;

/// The longest line: a frame with `data: ` before it.
const LONGEST_LINE: usize = LONGEST_FRAME + 16;

/// An open stream of events.
#[derive(Debug)]
pub(super) struct Events {
    body: Incoming,
    parser: Parser,
}

/// One event of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SseEvent {
    /// The event's type; empty if the event has none.
    pub(super) name: String,
    pub(super) data: String,
}

impl Events {
    pub(super) fn of(body: Incoming) -> Self {
        Self { body, parser: Parser::default() }
    }

    /// The next event; an error when the stream is over.
    pub(super) async fn next(&mut self) -> Result<SseEvent, IssuerError> {
        loop {
            if let Some(event) = self.parser.next()? {
                return Ok(event);
            }
            let part = self.body.frame().await;
            let part = part.ok_or_else(|| IssuerError::Unreachable("the stream was closed".to_owned()))?;
            let part = part.map_err(|error| IssuerError::Unreachable(innermost(&error)))?;
            if let Ok(bytes) = part.into_data() {
                self.parser.push(bytes);
            }
        }
    }
}

/// A parser of bytes into events.
#[derive(Debug, Default)]
struct Parser {
    chunk: Bytes,
    /// The line that is not yet complete.
    line: Vec<u8>,
    /// The event that is not yet complete.
    event: SseEvent,
    after_return: bool,
}

impl Parser {
    /// Adds more bytes after those before were consumed.
    fn push(&mut self, chunk: Bytes) {
        self.chunk = chunk;
    }

    /// The next complete event.
    fn next(&mut self) -> Result<Option<SseEvent>, IssuerError> {
        while let Some(byte) = self.chunk.first().copied() {
            let newline_of_pair = std::mem::take(&mut self.after_return) && byte == b'\n';
            if newline_of_pair {
                let _ = self.chunk.split_to(1);
                continue;
            }
            let end = self.chunk.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = self.chunk.split_to(end.unwrap_or(self.chunk.len()));
            if self.line.len() + part.len() > LONGEST_LINE {
                return Err(IssuerError::NotUnderstood("a frame: it is too long"));
            }
            self.line.extend_from_slice(&part);
            if end.is_some() {
                self.after_return = self.chunk.split_to(1).first() == Some(&b'\r');
                if let Some(event) = self.end_line()? {
                    return Ok(Some(event));
                }
            }
        }
        Ok(None)
    }

    fn end_line(&mut self) -> Result<Option<SseEvent>, IssuerError> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            // An event without data is none.
            return Ok(Some(std::mem::take(&mut self.event)).filter(|event| !event.data.is_empty()));
        }
        let line = String::from_utf8(line).map_err(|_| IssuerError::NotUnderstood("text"))?;
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" if self.event.data.len() + value.len() > LONGEST_FRAME => {
                return Err(IssuerError::NotUnderstood("a frame: it is too long"));
            }
            "data" => self.event.data.push_str(value),
            "event" => value.clone_into(&mut self.event.name),
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(chunks: &[&str]) -> Result<Vec<String>, IssuerError> {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        for chunk in chunks {
            parser.push(Bytes::copy_from_slice(chunk.as_bytes()));
            while let Some(event) = parser.next()? {
                events.push(format!("{}={}", event.name, event.data));
            }
        }
        Ok(events)
    }

    #[test]
    fn events_are_found_however_the_bytes_are_cut() {
        let text = ": hello\n\nid: 7\nevent: frame\ndata: one\n\nretry: 100\r\ndata:two\r\n\r\ndata: three\r\rdata: unfinished";
        let events = ["frame=one", "=two", "=three"];
        assert_eq!(parsed(&[text]).unwrap(), events);
        for at in 0..text.len() {
            let (left, right) = text.split_at(at);
            assert_eq!(parsed(&[left, right]).unwrap(), events, "cut at {at}");
        }
        let single: Vec<_> = (0..text.len()).map(|at| &text[at..=at]).collect();
        assert_eq!(parsed(&single).unwrap(), events);
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_is_kept() {
        let fits = format!("data: {}\n\n", "a".repeat(LONGEST_FRAME));
        assert_eq!(parsed(&[&fits]).unwrap().len(), 1);
        let longer = "a".repeat(LONGEST_FRAME + 1);
        assert!(parsed(&[&format!("data: {longer}\n\n")]).is_err());
        assert!(parsed(&["data: ", &longer, &longer]).is_err(), "a line without an end");
        let lines = format!("data: {}\n", "a".repeat(1000)).repeat(66);
        assert!(parsed(&[&lines]).is_err(), "an event without an end");
    }
}
