//! The JSON form of the feed's claims.
//!
//! Modules: `text` for a claim that is a text, `text_if_any` for one that may be absent.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};

use super::claims::{Frame, MOST_ENTRIES, Nonce, Pong, Statement};
use crate::model::counters::{Era, Generation, KeysVersion, Position};
use crate::model::device::Cause;
use crate::model::ids::{DeviceId, StoreId, UserId};
use crate::model::key::Kid;
use crate::model::revocation::{BumpExtent, Entry, Revocation};
use crate::model::timestamp::Timestamp;
use crate::token::MintError;

mod text;
mod text_if_any;

/// The largest position that every JSON reader holds exactly, 2^53 − 1.
const LARGEST: Position = Position::new((1 << 53) - 1);

#[derive(Serialize, Deserialize)]
struct WireFrame<'a> {
    r#type: FrameType,
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(with = "text")]
    store: StoreId,
    #[serde(with = "text")]
    time: Timestamp,
    head: u64,
    era: u64,
    keys_version: u64,
    start: bool,
    after: u64,
    entries: Vec<WireEntry>,
}

#[derive(Serialize, Deserialize)]
enum FrameType {
    #[serde(rename = "frame")]
    Frame,
}

/// An entry of any type: the reader requires the claims of its type.
#[derive(Serialize, Deserialize)]
struct WireEntry {
    #[serde(with = "text")]
    at: Timestamp,
    r#type: EntryType,
    #[serde(with = "text_if_any", default, skip_serializing_if = "Option::is_none")]
    user: Option<UserId>,
    #[serde(with = "text_if_any", default, skip_serializing_if = "Option::is_none")]
    device: Option<DeviceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    #[serde(with = "text_if_any", default, skip_serializing_if = "Option::is_none")]
    kept: Option<DeviceId>,
    /// Any text is accepted: causes may be added later.
    #[serde(deserialize_with = "not_null", default, skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    era: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys_version: Option<u64>,
    #[serde(with = "text_if_any", default, skip_serializing_if = "Option::is_none")]
    distrusted: Option<Kid>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EntryType {
    DeviceEnded,
    Generation,
    Era,
    Keys,
}

#[derive(Serialize, Deserialize)]
struct WirePong<'a> {
    r#type: PongType,
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(with = "text")]
    store: StoreId,
    #[serde(with = "text")]
    time: Timestamp,
    head: u64,
    era: u64,
    keys_version: u64,
    #[serde(with = "text")]
    nonce: Nonce,
}

#[derive(Serialize, Deserialize)]
enum PongType {
    #[serde(rename = "pong")]
    Pong,
}

pub(super) fn write_frame(frame: &Frame) -> Result<Vec<u8>, MintError> {
    let Statement { issuer, store, time, head, era, keys } = &frame.statement;
    let wire = WireFrame {
        r#type: FrameType::Frame,
        iss: issuer.into(),
        store: *store,
        time: *time,
        head: head.value(),
        era: era.value(),
        keys_version: keys.value(),
        start: frame.start,
        after: frame.after.value(),
        entries: frame.entries.iter().map(write_entry).collect(),
    };
    serde_json::to_vec(&wire).map_err(|_| MintError)
}

pub(super) fn read_frame(payload: &str) -> Option<Frame> {
    let wire: WireFrame<'_> = serde_json::from_str(payload).ok()?;
    let (after, head) = (Position::new(wire.after), Position::new(wire.head));
    if wire.entries.len() > MOST_ENTRIES || after > LARGEST {
        return None;
    }
    let mut last = after;
    let mut entries = Vec::with_capacity(wire.entries.len());
    for entry in wire.entries {
        last = last.next();
        entries.push(Entry { position: last, at: entry.at, revocation: read_entry(entry)? });
    }
    let statement = Statement {
        issuer: wire.iss.into_owned(),
        store: wire.store,
        time: wire.time,
        head,
        era: Era::new(wire.era),
        keys: KeysVersion::new(wire.keys_version),
    };
    let frame = Frame { statement, start: wire.start, after, entries };
    (last <= head).then_some(frame)
}

fn write_entry(entry: &Entry) -> WireEntry {
    let bare = |r#type| WireEntry {
        at: entry.at,
        r#type,
        user: None,
        device: None,
        generation: None,
        kept: None,
        cause: None,
        era: None,
        keys_version: None,
        distrusted: None,
    };
    match entry.revocation.clone() {
        Revocation::Device { user, device } => {
            WireEntry { user: Some(user), device: Some(device), ..bare(EntryType::DeviceEnded) }
        }
        Revocation::Generation { user, generation, extent } => WireEntry {
            user: Some(user),
            generation: Some(generation.value()),
            kept: extent.kept(),
            cause: extent.cause().map(|cause| cause.as_str().to_owned()),
            ..bare(EntryType::Generation)
        },
        Revocation::Era(era) => WireEntry { era: Some(era.value()), ..bare(EntryType::Era) },
        Revocation::Keys { version, distrusted } => {
            WireEntry { keys_version: Some(version.value()), distrusted, ..bare(EntryType::Keys) }
        }
    }
}

fn read_entry(wire: WireEntry) -> Option<Revocation> {
    Some(match wire.r#type {
        EntryType::DeviceEnded => Revocation::Device { user: wire.user?, device: wire.device? },
        EntryType::Generation => Revocation::Generation {
            user: wire.user?,
            generation: Generation::new(wire.generation?),
            extent: read_extent(wire.kept, wire.cause.as_deref()),
        },
        EntryType::Era => Revocation::Era(Era::new(wire.era?)),
        EntryType::Keys => {
            Revocation::Keys { version: KeysVersion::new(wire.keys_version?), distrusted: wire.distrusted }
        }
    })
}

/// What a bump ended, by the device kept and the cause. A cause that is unknown, or does not fit, changes nothing.
fn read_extent(kept: Option<DeviceId>, cause: Option<&str>) -> BumpExtent {
    const DISABLED: &str = Cause::Disabled.as_str();
    const PASSWORD_CHANGED: &str = Cause::PasswordChanged.as_str();
    match (kept, cause) {
        (Some(kept), Some(PASSWORD_CHANGED)) => BumpExtent::PasswordChanged { kept },
        (Some(kept), _) => BumpExtent::Others { kept },
        (None, Some(DISABLED)) => BumpExtent::Disabled,
        (None, _) => BumpExtent::All,
    }
}

pub(super) fn write_pong(pong: &Pong) -> Result<Vec<u8>, MintError> {
    let Statement { issuer, store, time, head, era, keys } = &pong.statement;
    let wire = WirePong {
        r#type: PongType::Pong,
        iss: issuer.into(),
        store: *store,
        time: *time,
        head: head.value(),
        era: era.value(),
        keys_version: keys.value(),
        nonce: pong.nonce.clone(),
    };
    serde_json::to_vec(&wire).map_err(|_| MintError)
}

pub(super) fn read_pong(payload: &str) -> Option<Pong> {
    let wire: WirePong<'_> = serde_json::from_str(payload).ok()?;
    let statement = Statement {
        issuer: wire.iss.into_owned(),
        store: wire.store,
        time: wire.time,
        head: Position::new(wire.head),
        era: Era::new(wire.era),
        keys: KeysVersion::new(wire.keys_version),
    };
    Some(Pong { statement, nonce: wire.nonce })
}

/// Deserialises an optional claim; a present `null` is an error.
fn not_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
