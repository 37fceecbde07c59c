//! A test issuer with a log, keys and a clock, but without a store or a network.

use std::sync::Arc;
use std::time::Duration;

use crate::model::claims::AccessClaims;
use crate::model::counters::{Era, Generation, KeysVersion, Position, Stamp};
use crate::model::ids::{DeviceId, StoreId, UserId};
use crate::model::key::{KeyRecord, KeyState, Purpose};
use crate::model::names::Names;
use crate::model::revocation::{BumpExtent, Entry, Revocation};
use crate::model::timestamp::Timestamp;
use crate::token::feed::{Frame, MOST_ENTRIES, Pong, Statement};
use crate::token::keyring::{Keyring, make};
use crate::token::sealing::MasterKey;
use crate::verifier::pings::Asked;
use crate::verifier::published::{PublishedKey, PublishedKeys};
use crate::world::World;

pub(super) const ISSUER: &str = "https://id.example";
pub(super) const AUDIENCE: &str = "https://shop.example";

/// The issuer of a test.
#[derive(Clone)]
pub(super) struct Issuer {
    world: World,
    master: Arc<MasterKey>,
    /// The names in new tokens; `former` are the earlier ones.
    names: Names,
    former: Vec<Names>,
    records: Vec<KeyRecord>,
    keyring: Arc<Keyring>,
    version: u64,
    store: StoreId,
    era: Era,
    /// The kept entries; those up to `swept` are gone.
    log: Vec<Entry>,
    swept: u64,
    /// How far the issuer's clock is ahead of the test's, in seconds.
    pub(super) ahead: i64,
}

impl Issuer {
    pub(super) fn new(world: &World) -> Self {
        let master = Arc::new(MasterKey::draw(world).unwrap());
        let mut records = Vec::new();
        for purpose in [Purpose::Access, Purpose::Refresh] {
            for state in [KeyState::Active, KeyState::Next] {
                records.push(make(purpose, state, &master, world.now()).unwrap());
            }
        }
        let keyring = open(1, &records, &master, world);
        Self {
            world: world.clone(),
            master,
            names: expected(),
            former: Vec::new(),
            records,
            keyring,
            version: 1,
            store: world.store_id(),
            era: Era::new(7),
            log: Vec::new(),
            swept: 0,
            ahead: 0,
        }
    }

    pub(super) fn for_audience(&self, audience: &str) -> Self {
        self.named(ISSUER, audience)
    }

    /// The same issuer, whose tokens carry these names without being published.
    pub(super) fn named(&self, issuer: &str, audience: &str) -> Self {
        let names = Names { issuer: issuer.to_owned(), audience: audience.to_owned() };
        Self { names, ..self.clone() }
    }

    /// Changes the names in new tokens, as a restart with other settings does.
    pub(super) fn rename(&mut self, issuer: &str, audience: &str) {
        let names = Names { issuer: issuer.to_owned(), audience: audience.to_owned() };
        let before = std::mem::replace(&mut self.names, names);
        self.former.push(before);
        self.version += 1;
        self.write(Revocation::Keys { version: KeysVersion::new(self.version), distrusted: None });
    }

    /// Withdraws the former names: tokens may carry only the current ones.
    pub(super) fn forget_names(&mut self) {
        self.former.clear();
        self.version += 1;
        self.write(Revocation::Keys { version: KeysVersion::new(self.version), distrusted: None });
    }

    /// A copy of the store as it is now, to be put back later.
    pub(super) fn copy(&self) -> Self {
        self.clone()
    }

    /// The store restored properly: another id, a later era.
    pub(super) fn restored(&self) -> Self {
        Self { store: self.world.store_id(), era: self.era.next(), log: Vec::new(), swept: 0, ..self.clone() }
    }

    pub(super) fn user(user: u8) -> UserId {
        UserId::from_bytes([user; 16])
    }

    /// The device that this user's tokens are for.
    pub(super) fn device(&self, user: u8) -> DeviceId {
        let _ = self;
        DeviceId::from_bytes([user; 16])
    }

    pub(super) fn new_device(&self) -> DeviceId {
        self.world.device_id()
    }

    pub(super) fn token(&self, user: u8, generation: u64) -> String {
        let now = self.now();
        self.token_of(user, generation, now, now + Duration::from_secs(900))
    }

    pub(super) fn token_of(
        &self,
        user: u8,
        generation: u64,
        issued: Timestamp,
        expires: Timestamp,
    ) -> String {
        let claims = AccessClaims {
            issuer: self.names.issuer.clone(),
            subject: Self::user(user),
            audience: self.names.audience.clone(),
            issued,
            expires,
            device: self.device(user),
            stamp: Stamp { era: self.era, generation: Generation::new(generation) },
            authenticated: issued,
        };
        self.keyring.mint_access(&claims).unwrap()
    }

    pub(super) fn end_device(&mut self, user: u8, device: DeviceId) {
        self.write(Revocation::Device { user: Self::user(user), device });
    }

    pub(super) fn bump(&mut self, user: u8, generation: u64, kept: Option<DeviceId>) {
        self.write(Self::bumped(
            user,
            generation,
            kept.map_or(BumpExtent::All, |kept| BumpExtent::Others { kept }),
        ));
    }

    /// Sets a new password on the user's device.
    pub(super) fn change_password(&mut self, user: u8, generation: u64) {
        self.write(Self::bumped(user, generation, BumpExtent::PasswordChanged { kept: self.device(user) }));
    }

    /// Disables the user. To enable the account again is a bump that keeps no device.
    pub(super) fn disable(&mut self, user: u8, generation: u64) {
        self.write(Self::bumped(user, generation, BumpExtent::Disabled));
    }

    fn bumped(user: u8, generation: u64, extent: BumpExtent) -> Revocation {
        Revocation::Generation { user: Self::user(user), generation: Generation::new(generation), extent }
    }

    pub(super) fn end_era(&mut self) {
        self.era = self.era.next();
        self.write(Revocation::Era(self.era));
    }

    /// Makes the next access key active.
    pub(super) fn rotate(&mut self) {
        self.change_active(KeyState::Retired { until: self.now() + Duration::from_secs(3_600) });
        self.write(Revocation::Keys { version: KeysVersion::new(self.version), distrusted: None });
    }

    pub(super) fn distrust_active(&mut self) {
        let kid = self.change_active(KeyState::Distrusted).kid;
        self.write(Revocation::Keys { version: KeysVersion::new(self.version), distrusted: Some(kid) });
    }

    fn change_active(&mut self, to: KeyState) -> KeyRecord {
        let access =
            |record: &&mut KeyRecord, state| record.purpose == Purpose::Access && record.state == state;
        let active = self.records.iter_mut().find(|record| access(record, KeyState::Active)).unwrap();
        active.state = to;
        let changed = active.clone();
        self.records.iter_mut().find(|record| access(record, KeyState::Next)).unwrap().state =
            KeyState::Active;
        self.records.push(make(Purpose::Access, KeyState::Next, &self.master, self.now()).unwrap());
        self.version += 1;
        self.keyring = open(self.version, &self.records, &self.master, &self.world);
        changed
    }

    fn write(&mut self, revocation: Revocation) {
        let position = self.head().next();
        self.log.push(Entry { position, at: self.now(), revocation });
    }

    /// Drops entries older than 65 minutes, as the store does.
    pub(super) fn sweep(&mut self) {
        let kept = self.now() - Duration::from_secs(65 * 60);
        let old = self.log.iter().take_while(|entry| entry.at < kept).count();
        self.swept += u64::try_from(self.log.drain(..old).count()).unwrap();
    }

    pub(super) fn head(&self) -> Position {
        Position::new(self.swept + u64::try_from(self.log.len()).unwrap())
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.world.now().unix() + self.ahead)
    }

    fn statement(&self) -> Statement {
        Statement {
            issuer: self.names.issuer.clone(),
            store: self.store,
            time: self.now(),
            head: self.head(),
            era: self.era,
            keys: KeysVersion::new(self.version),
        }
    }

    pub(super) fn pong(&self, asked: &Asked) -> String {
        self.keyring.sign_pong(&Pong { statement: self.statement(), nonce: asked.nonce.clone() }).unwrap()
    }

    pub(super) fn snapshot(&self) -> Vec<String> {
        self.frames(None)
    }

    /// The frames of a stream to a follower that has applied `after`.
    pub(super) fn frames(&self, after: Option<Position>) -> Vec<String> {
        let start = after.is_none_or(|after| after.value() < self.swept);
        let mut after = if start { Position::new(self.swept) } else { after.unwrap_or_default() };
        let rest: Vec<_> = self.log.iter().filter(|entry| entry.position > after).cloned().collect();
        let mut batches: Vec<_> = rest.chunks(MOST_ENTRIES).map(<[Entry]>::to_vec).collect();
        if batches.is_empty() && start {
            batches.push(Vec::new());
        }
        let mut texts = Vec::new();
        for (at, entries) in batches.into_iter().enumerate() {
            let frame = Frame { statement: self.statement(), start: start && at == 0, after, entries };
            after = frame.last();
            texts.push(self.keyring.sign_frame(&frame).unwrap());
        }
        texts
    }

    pub(super) fn published(&self) -> PublishedKeys {
        use base64::Engine as _;
        let key = |published: &crate::token::keyring::Published| PublishedKey {
            kid: published.record.kid.to_string(),
            state: published.record.state.as_str().to_owned(),
            public: format!(
                "k4.public.{}",
                base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(published.public)
            ),
            not_after: match published.record.state {
                KeyState::Retired { until } => Some(until.rfc3339()),
                _ => None,
            },
        };
        let is_trusted = |key: &&crate::token::keyring::Published| key.record.state != KeyState::Distrusted;
        let keys = self.keyring.published().iter().filter(is_trusted).map(key).collect();
        let others = self.keyring.published().iter().filter(|key| !is_trusted(key));
        let distrusted = others.map(|key| key.record.kid.to_string()).collect();
        let Names { issuer, audience } = self.names.clone();
        let names = std::iter::once(&self.names).chain(&self.former).cloned().collect();
        PublishedKeys { issuer, audience: Some(audience), names, version: self.version, keys, distrusted }
    }
}

/// The names that the replica expects.
pub(super) fn expected() -> Names {
    Names { issuer: ISSUER.to_owned(), audience: AUDIENCE.to_owned() }
}

/// Opens a keyring that only signs, so the names it accepts do not matter.
fn open(version: u64, records: &[KeyRecord], master: &MasterKey, world: &World) -> Arc<Keyring> {
    let version = KeysVersion::new(version);
    Arc::new(Keyring::open(version, records, master, ISSUER, AUDIENCE, world.now()).unwrap())
}
