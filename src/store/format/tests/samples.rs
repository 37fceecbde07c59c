//! One record for every form that a stored record can take.

use crate::model::authentication_method::AuthenticationMethod;
use crate::model::counters::{Era, Generation, KeysVersion, Position, Sequence, Stamp};
use crate::model::device::{Cause, Device, DeviceKind, DeviceName, Ended, LastSeen};
use crate::model::external_id::ExternalId;
use crate::model::ids::{DeviceId, ServiceKeyId, StoreId, UserId};
use crate::model::key::{KeyRecord, KeyState, Kid, Purpose};
use crate::model::names::Names;
use crate::model::network::Network;
use crate::model::password::PasswordHash;
use crate::model::refresh_state::RefreshState;
use crate::model::revocation::{BumpExtent, Entry, Revocation};
use crate::model::service_key::{Scope, ServiceKeyRecord};
use crate::model::timestamp::Timestamp;
use crate::model::user::{Bump, Disabled, KeptDevices, Left, LiveDevices, User};
use crate::model::username::Username;
use crate::store::expiry_check::ExpiryCheck;
use crate::store::format::Record;
use crate::store::{Counters, StoreIdentity, Totals};

/// A record and the name of its fixtures.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) record: Record,
}

const USER: UserId = UserId::from_bytes([0x11; 16]);
const DEVICE: DeviceId = DeviceId::from_bytes([0x22; 16]);
const STAMP: Stamp = Stamp { era: Era::new(1_800_000_000), generation: Generation::new(5) };

const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(1_800_000_000 + seconds)
}

fn kid(kind: &str) -> Kid {
    Kid::parse(&format!("k4.{kind}.{}", "A_b-9".repeat(9).split_at(44).0)).unwrap()
}

fn network(address: &str) -> Network {
    Network::of(address.parse().unwrap())
}

fn identity(names: Vec<Names>) -> Record {
    let (issuer, audience) = ("https://id.example".to_owned(), "https://api.example".to_owned());
    let store = StoreId::from_bytes([0x33; 16]);
    Record::StoreIdentity(StoreIdentity { store, issuer, audience, at: at(1), names })
}

fn names() -> Vec<Names> {
    let names =
        |issuer: &str, audience: &str| Names { issuer: issuer.to_owned(), audience: audience.to_owned() };
    vec![names("https://a.example", "https://b.example"), names("https://c.example", "https://d.example")]
}

fn entry(revocation: Revocation) -> Record {
    Record::Entry(Entry { position: Position::new(41), at: at(2), revocation })
}

fn bump(extent: BumpExtent) -> Record {
    entry(Revocation::Generation { user: USER, generation: Generation::new(6), extent })
}

/// A user of whom nothing is known that may be absent.
fn new_user() -> User {
    User {
        id: USER,
        username: Username::parse("ＡDA").unwrap(),
        external_id: None,
        password: PasswordHash::from_stored("$argon2id$v=19$m=1$salt$hash"),
        generation: Generation::new(5),
        bumped: None,
        disabled: None,
        created: at(3),
        live: LiveDevices { era: Era::new(1_800_000_000), count: 2 },
        password_since: Generation::default(),
        kept: KeptDevices::default(),
        left: Vec::new(),
    }
}

/// A user of whom everything is known that may be absent.
fn old_user() -> User {
    let left = |generation, at, cause, note: Option<&str>| Left {
        stamp: Stamp { era: Era::new(1_700_000_000), generation: Generation::new(generation) },
        bump: Bump { at, cause, note: note.map(str::to_owned) },
    };
    User {
        bumped: Some(Bump { at: at(4), cause: Cause::Administrator, note: Some("lost phone".to_owned()) }),
        disabled: Some(Disabled { at: at(5), note: Some("left the company".to_owned()) }),
        password_since: Generation::new(3),
        kept: KeptDevices { count: 7, given_way: Some(DeviceId::from_bytes([0x44; 16])) },
        left: vec![
            left(1, at(6), Cause::PasswordChanged, None),
            left(2, at(7), Cause::Disabled, Some("ticket 9")),
        ],
        ..new_user()
    }
}

/// A device right after its sign-in.
fn new_device() -> Device {
    Device {
        id: DEVICE,
        user: USER,
        stamp: STAMP,
        name: DeviceName::from_stored("Ada’s phone".to_owned()),
        kind: DeviceKind::parse("mobile").unwrap(),
        created: at(8),
        authenticated: at(9),
        idle_end: at(10),
        absolute_end: at(11),
        refresh: RefreshState::opened(network("192.0.2.7")),
        ended: None,
        amr: Vec::new(),
        rotates: true,
    }
}

/// A device with everything that may be absent.
fn old_device() -> Device {
    Device {
        refresh: RefreshState {
            current: Sequence::new(8),
            floor: Sequence::new(3),
            floor_generation: Generation::new(4),
            advanced: Some(at(12)),
            network: Some(network("2001:db8:0:1::7")),
            recovered: true,
            recoveries: vec![at(13), at(14)],
        },
        ..new_device()
    }
}

fn no_network() -> Device {
    Device { refresh: RefreshState { network: None, ..old_device().refresh }, ..old_device() }
}

/// A user of another system, with a password here or without one.
fn user_of_another_system(password: bool) -> User {
    let user = old_user();
    User {
        external_id: ExternalId::parse("auth0|Ünal").ok(),
        password: user.password.clone().filter(|_| password),
        ..user
    }
}

/// A user who was imported with the password hash of another system.
fn imported_user() -> User {
    User {
        external_id: ExternalId::parse("42").ok(),
        password: PasswordHash::from_stored(
            "pbkdf2_sha256$1000000$salt$kKDbrpIeCoF5qnz6L/3+GdfaUIG5nTz3IDssluggnpk=",
        ),
        ..new_user()
    }
}

/// A device whose user another system has signed in, and that keeps its refresh token.
fn vouched_for() -> Device {
    let amr = ["pwd", "otp"].map(|name| AuthenticationMethod::parse(name).unwrap()).to_vec();
    Device { amr, rotates: false, ..old_device() }
}

fn ended(cause: Cause, note: Option<&str>) -> Record {
    let ended = Some(Ended { at: at(15), cause, note: note.map(str::to_owned) });
    Record::EndedDevice(Box::new(Device { ended, ..old_device() }))
}

fn ended_vouched_for() -> Record {
    let ended = Some(Ended { at: at(15), cause: Cause::SignedOut, note: None });
    Record::EndedDevice(Box::new(Device { ended, ..vouched_for() }))
}

fn last_seen(address: Option<&str>, user_agent: Option<&str>) -> Record {
    let address = address.map(|address| address.parse().unwrap());
    let user_agent = user_agent.map(str::to_owned);
    Record::LastSeen(USER, DEVICE, LastSeen { at: at(16), address, user_agent })
}

fn key(kid: Kid, purpose: Purpose, state: KeyState) -> Record {
    Record::Key(KeyRecord { kid, purpose, state, created: at(17), sealed: "k4.local-wrap.pie.x".to_owned() })
}

/// A record for every form that a stored record can take today, each variant of each enumeration included. No two
/// neighbouring fields are equal, so that none can change places unnoticed.
pub(crate) fn samples() -> Vec<Sample> {
    let (access, refresh) = (kid("pid"), kid("lid"));
    let retired = KeyState::Retired { until: at(18) };
    let service_key = ServiceKeyRecord {
        id: ServiceKeyId::from_bytes([0x55; 16]),
        name: "shop".to_owned(),
        scopes: Scope::ALL.to_vec(),
        digest: std::array::from_fn(|at| u8::try_from(at).unwrap()),
        created: at(19),
    };
    let version = KeysVersion::new(3);
    let list = [
        ("identity", identity(Vec::new())),
        ("identity with names", identity(names())),
        (
            "counters",
            Record::Counters(Counters {
                era: Era::new(1_800_000_000),
                keys: version,
                head: Position::new(900),
            }),
        ),
        ("totals", Record::Totals(Totals { users: 1_000, live_devices: 2_500 })),
        ("rolled back", Record::RolledBack),
        ("key for access, active", key(access.clone(), Purpose::Access, KeyState::Active)),
        ("key for access, retired", key(access, Purpose::Access, retired)),
        ("key for refresh, next", key(refresh.clone(), Purpose::Refresh, KeyState::Next)),
        ("key for refresh, distrusted", key(refresh.clone(), Purpose::Refresh, KeyState::Distrusted)),
        ("service key", Record::ServiceKey(service_key)),
        ("user, new", Record::User(Box::new(new_user()))),
        ("user, old", Record::User(Box::new(old_user()))),
        ("device, new", Record::Device(Box::new(new_device()))),
        ("device, old", Record::Device(Box::new(old_device()))),
        ("device, no network", Record::Device(Box::new(no_network()))),
        ("user with an external id", Record::User(Box::new(user_of_another_system(true)))),
        ("user without a password", Record::User(Box::new(user_of_another_system(false)))),
        ("user with a foreign password hash", Record::User(Box::new(imported_user()))),
        ("device, vouched for", Record::Device(Box::new(vouched_for()))),
        ("ended, vouched for", ended_vouched_for()),
        ("ended, signed out", ended(Cause::SignedOut, None)),
        ("ended, signed out everywhere", ended(Cause::SignedOutEverywhere, None)),
        ("ended, password changed", ended(Cause::PasswordChanged, None)),
        ("ended, refresh reused", ended(Cause::RefreshReused, Some("198.51.100.9 okhttp/4.12"))),
        ("ended, evicted", ended(Cause::Evicted, None)),
        ("ended, expired", ended(Cause::Expired, None)),
        ("ended, administrator", ended(Cause::Administrator, Some("lost"))),
        ("ended, disabled", ended(Cause::Disabled, None)),
        ("last seen, IPv4", last_seen(Some("192.0.2.7"), Some("okhttp/4.12"))),
        ("last seen, IPv6", last_seen(Some("2001:db8::7"), None)),
        ("last seen, nowhere", last_seen(None, None)),
        (
            "expiry check",
            Record::ExpiryCheck(ExpiryCheck { at: at(20), user: USER, stamp: STAMP, device: DEVICE }),
        ),
        ("entry, device", entry(Revocation::Device { user: USER, device: DEVICE })),
        ("entry, generation", bump(BumpExtent::All)),
        ("entry, generation but one", bump(BumpExtent::Others { kept: DEVICE })),
        ("entry, password", bump(BumpExtent::PasswordChanged { kept: DEVICE })),
        ("entry, disabled", bump(BumpExtent::Disabled)),
        ("entry, era", entry(Revocation::Era(Era::new(1_800_000_001)))),
        ("entry, keys", entry(Revocation::Keys { version, distrusted: None })),
        ("entry, key distrusted", entry(Revocation::Keys { version, distrusted: Some(refresh) })),
    ];
    list.into_iter().map(|(name, record)| Sample { name, record }).collect()
}

/// A device as version 1 of the format could hold it.
fn device_of_version_1(advanced: Option<Timestamp>, recovered: bool) -> Device {
    Device {
        id: DeviceId::from_bytes([2; 16]),
        user: UserId::from_bytes([1; 16]),
        stamp: Stamp { era: Era::new(1_800_000_000), generation: Generation::new(2) },
        created: at(-100_000),
        authenticated: at(-50_000),
        idle_end: at(2_592_000),
        absolute_end: at(15_552_000),
        refresh: RefreshState {
            current: Sequence::new(8),
            floor: Sequence::new(3),
            floor_generation: Generation::default(),
            advanced,
            network: None,
            recovered,
            recoveries: vec![at(-10_000), at(0)],
        },
        ..new_device()
    }
}

/// The records in fixtures that only earlier versions wrote: users without fields that came later, and devices with
/// two networks and the end of a grace window.
pub(crate) fn earlier() -> Vec<Sample> {
    let live = device_of_version_1(None, true);
    let opened = Device { refresh: RefreshState::opened(network("192.0.2.7")), ..live.clone() };
    let note = Some("198.51.100.9 okhttp/4.12".to_owned());
    let ended = Some(Ended { at: at(100), cause: Cause::RefreshReused, note });
    let ended = Device { ended, ..live.clone() };
    let list = [
        ("user of version 1", Record::User(Box::new(new_user()))),
        ("user of version 2", Record::User(Box::new(User { left: Vec::new(), ..old_user() }))),
        ("device of version 1", Record::Device(Box::new(live))),
        ("device of version 1, new", Record::Device(Box::new(opened))),
        ("device of version 1, advanced", Record::Device(Box::new(device_of_version_1(Some(at(0)), false)))),
        ("ended of version 1", Record::EndedDevice(Box::new(ended))),
    ];
    list.into_iter().map(|(name, record)| Sample { name, record }).collect()
}
