//! A follower of the feed that reads events as they come, and accepts only signed ones.

use std::io;

use poem::http::header;
use rescind::model::counters::Position;
use rescind::model::revocation::{BumpExtent, Entry, Revocation};
use rescind::store::queries::service::ReadCounters;
use rescind::token::feed::{Frame, Pong};
use rescind::token::public_keys::PublicKeys;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines};

use crate::actors::Someone;
use crate::answer::Answer;
use crate::service::{ISSUER, Service};

pub const STREAM: &str = "/api/v1/revocations/stream";
pub const PING: &str = "/api/v1/revocations/ping";
pub const LIST: &str = "/api/v1/revocations";

pub const NONCE: &str = "0Yq2n1sVb0iXbKc1k2xA7w";

/// An event of the stream, with its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    pub event: String,
    pub id: String,
    pub data: String,
}

/// An open stream of events.
pub struct FeedListener<'a> {
    pub someone: Someone<'a>,
    pub id: String,
    pub store: String,
    applied: Position,
    lines: Lines<BufReader<Box<dyn AsyncRead + Send + Unpin>>>,
}

impl<'a> Someone<'a> {
    /// Opens the stream, after a position if one is given, and reads its `hello`.
    pub async fn listen(&self, since: Option<u64>) -> FeedListener<'a> {
        let ask = self.get(STREAM);
        let ask = match since {
            Some(since) => ask.header(header::HeaderName::from_static("last-event-id"), &since.to_string()),
            None => ask,
        };
        let response = ask.send_for_stream().await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.header("content-type"), Some("text/event-stream"));
        let body: Box<dyn AsyncRead + Send + Unpin> = Box::new(response.into_body().into_async_read());
        let lines = BufReader::new(body).lines();
        let (id, store, applied) = (String::new(), String::new(), Position::new(since.unwrap_or(0)));
        let mut listener = FeedListener { someone: self.clone(), id, store, applied, lines };
        let hello = listener.hear().await.unwrap();
        assert_eq!((hello.event.as_str(), hello.id.as_str()), ("hello", ""));
        let hello: Value = serde_json::from_str(&hello.data).unwrap();
        hello["follower"].as_str().unwrap().clone_into(&mut listener.id);
        hello["store"].as_str().unwrap().clone_into(&mut listener.store);
        listener
    }

    pub async fn ping(&self, applied: u64, follower: Option<&str>) -> Answer {
        let mut body = json!({"nonce": NONCE, "applied": applied});
        if let Some(follower) = follower {
            body["follower"] = json!(follower);
        }
        self.post(PING).json(&body).send().await
    }
}

impl FeedListener<'_> {
    /// Reads the next event; `None` when the stream has ended.
    pub async fn hear(&mut self) -> Option<Heard> {
        let mut heard = Heard::default();
        while let Some(line) =
            self.lines.next_line().await.unwrap_or_else(|error: io::Error| panic!("{error}"))
        {
            match line.split_once(": ") {
                Some(("event", event)) => event.clone_into(&mut heard.event),
                Some(("id", id)) => id.clone_into(&mut heard.id),
                Some(("data", data)) => data.clone_into(&mut heard.data),
                Some(("retry", _)) => {}
                None if line.is_empty() && heard != Heard::default() => return Some(heard),
                _ => assert!(line.is_empty() || line == ":", "{line}"),
            }
        }
        None
    }

    /// Reads the next event, which has to be a frame whose id is its last position. Repeated entries are left out.
    pub async fn frame(&mut self) -> Frame {
        let heard = self.hear().await.expect("the stream goes on");
        assert_eq!(heard.event, "frame");
        let mut frame = self.someone.service.frame(&heard.data).await;
        assert_eq!(heard.id, frame.last().value().to_string());
        assert_eq!(frame.statement.store.to_string(), self.store);
        assert!(frame.start || frame.after <= self.applied, "a gap");
        let before = std::mem::replace(&mut self.applied, frame.last());
        if !frame.start {
            frame.entries.retain(|entry| entry.position > before);
        }
        frame
    }

    /// Reads frames until `position` is reached, and returns their entries.
    pub async fn entries_up_to(&mut self, position: u64) -> Vec<Entry> {
        let mut entries = Vec::new();
        loop {
            entries.extend(self.frame().await.entries);
            if self.applied.value() >= position {
                return entries;
            }
        }
    }

    /// Asserts that no event is waiting, so that the stream is live from now on. The stream finds that out by a read
    /// of the store, which takes it as long as the same read here.
    pub async fn is_level(&mut self) {
        let service = self.someone.service;
        for _ in 0..20 {
            tokio::select! {
                biased;
                heard = self.hear() => panic!("{heard:?}"),
                _ = service.head() => {}
            }
        }
    }

    /// Confirms that everything up to `applied` is in force at this follower.
    pub async fn applied(&self, applied: u64) {
        self.someone.ping(applied, Some(&self.id)).await.ok();
    }
}

impl Service {
    /// The public keys that are trusted now.
    pub async fn public_keys(&self) -> PublicKeys {
        let answer = self.anonymous().get("/.well-known/paserk").send().await.ok();
        let mut keys = PublicKeys::none();
        for key in answer["keys"].as_array().unwrap() {
            keys.add(key["public"].as_str().unwrap()).unwrap();
        }
        keys
    }

    pub async fn frame(&self, text: &str) -> Frame {
        Frame::verify(text, &self.public_keys().await, |issuer| issuer == ISSUER).unwrap()
    }

    pub async fn pong(&self, answer: &Value) -> Pong {
        Pong::verify(answer["pong"].as_str().unwrap(), &self.public_keys().await, |issuer| issuer == ISSUER)
            .unwrap()
    }

    /// The position of the newest entry.
    pub async fn head(&self) -> u64 {
        self.store.read(ReadCounters).await.unwrap().head.value()
    }
}

/// The entries as texts.
pub fn told(entries: &[Entry]) -> Vec<String> {
    let word = |entry: &Entry| match &entry.revocation {
        Revocation::Device { device, .. } => format!("device {device}"),
        Revocation::Generation { user, generation, extent } => {
            let kept = extent.kept().map_or_else(String::new, |device| format!(" but {device}"));
            let why = match extent {
                BumpExtent::PasswordChanged { .. } => " with a new password",
                BumpExtent::Disabled => " as disabled",
                _ => "",
            };
            format!("user {user} below {}{kept}{why}", generation.value())
        }
        Revocation::Era(_) => "everyone".to_owned(),
        Revocation::Keys { distrusted, .. } => {
            distrusted.as_ref().map_or_else(|| "keys".to_owned(), |kid| format!("key {kid}"))
        }
        other => panic!("{other:?} has no word here"),
    };
    entries.iter().map(word).collect()
}
