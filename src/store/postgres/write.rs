//! The statements that write a step's changes: a few, however many changes there are.

use std::collections::BTreeMap;

use super::bound_query::BoundQuery;
use super::change_notifier::CHANNEL;
use super::literal::Number;
use super::sql_query::SqlQuery;
use super::statement::{Plan, SqlStatement};
use crate::model::counters::{Era, Position, Stamp};
use crate::model::device::Device;
use crate::model::ids::{DeviceId, UserId};
use crate::model::revocation::Revocation;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::store::counters::Counted;
use crate::store::expiry_check::ExpiryCheck;
use crate::store::format::{JsonRecord, Record, RecordKey};
use crate::store::records::{Change, Changes};
use crate::store::{Counters, StoreError, Totals};

pub(super) const PUT_CHECKS: SqlStatement = SqlStatement { name: "put_checks",
    text: "insert into rescind.looks (at, user_id, era, generation, device_id) select * from unnest($1, $2, $3, $4, $5)
        on conflict do nothing",
    types: "bigint[], uuid[], bigint[], bigint[], uuid[]",
    plan: Plan::ByIndex,
};

pub(super) const REMOVE_CHECKS: SqlStatement = SqlStatement { name: "remove_checks",
    text: "delete from rescind.looks where ctid = any (array(
            select l.ctid from unnest($1, $2, $3, $4, $5) as n (at, user_id, era, generation, device_id)
            cross join lateral (
                select ctid from rescind.looks
                where (at, user_id, era, generation, device_id) = (n.at, n.user_id, n.era, n.generation, n.device_id)
                limit 1
            ) l
        ))",
    types: "bigint[], uuid[], bigint[], bigint[], uuid[]",
    plan: Plan::ByIndex,
};

pub(super) const APPEND: SqlStatement = SqlStatement { name: "append",
    text: "with counters as (
            update rescind.service set head = head + $1, era = greatest(era, $2), keys = greatest(keys, $3) returning head
        )
        insert into rescind.log (position, at, revocation)
        select counters.head - $1 + e.place, e.at, e.revocation
        from counters, rows from (unnest($4), json_array_elements($5)) with ordinality as e (at, revocation, place)",
    types: "bigint, bigint, bigint, bigint[], json",
    plan: Plan::ByIndex,
};

pub(super) const COUNT: SqlStatement = SqlStatement { name: "count",
    text: "insert into rescind.totals (era, shard, users, live_devices) values ($1, pg_backend_pid() % 16, $2, $3)
        on conflict (era, shard) do update
        set users = totals.users + excluded.users, live_devices = totals.live_devices + excluded.live_devices",
    types: "bigint, bigint, bigint",
    plan: Plan::ByIndex,
};

/// The statements that write a step's changes, in the order in which they are to run.
///
/// Users and devices come first, whose locks the step holds; the counters next; and the totals last, because other
/// steps wait for their lock, which is then held the shortest.
#[derive(Default)]
pub(super) struct WriteStatements {
    /// Those whose documents no log of the database may have.
    pub(super) documents: Vec<BoundQuery>,
    /// Those of nothing but ids and numbers.
    pub(super) others: Vec<SqlQuery>,
}

impl WriteStatements {
    /// How many statements there are.
    pub(super) fn len(&self) -> usize {
        self.documents.len() + self.others.len()
    }
}

/// The statements that write `changes`. `era` is the one the step read.
pub(super) fn statements(changes: Changes, era: Era) -> Result<WriteStatements, StoreError> {
    let counts = changes.counts();
    let Changes { records, log, counted, priority: _ } = changes;
    let rewritten: Vec<(UserId, DeviceId)> = records.iter().filter_map(rewrites).collect();
    let mut many = Many::default();
    let mut writes = WriteStatements::default();
    for record in records {
        match record {
            Change::Put(record) => writes.documents.extend(many.keep_or_put(record)?),
            // The row stays, as another one.
            Change::Remove(RecordKey::Device(user, _, device)) if rewritten.contains(&(user, device)) => {}
            Change::Remove(key) => writes.documents.extend(many.keep_or_remove(key)),
        }
    }
    many.add_to(&mut writes);
    if !log.is_empty() {
        writes.others.push(append(&log)?);
        writes.others.push(SqlQuery::new(format!("notify {CHANNEL}")));
    }
    if counts {
        writes.others.push(count(counted, era));
    }
    Ok(writes)
}

/// The device whose record a change rewrites.
fn rewrites(change: &Change) -> Option<(UserId, DeviceId)> {
    match change {
        Change::Put(Record::Device(device) | Record::EndedDevice(device)) => Some((device.user, device.id)),
        _ => None,
    }
}

/// A device to write.
struct PutDevice {
    stamp: Stamp,
    ended: bool,
    document: String,
}

/// A user as it is written: the username's key, the external id and the document.
struct PutUser {
    name: String,
    external_id: Option<String>,
    document: String,
}

/// Changes that are written together, one statement per kind. Of two that write one record the later one counts.
#[derive(Default)]
struct Many {
    users: BTreeMap<UserId, PutUser>,
    devices: BTreeMap<(UserId, DeviceId), PutDevice>,
    seen: Vec<(UserId, DeviceId, String)>,
    checks_done: Vec<ExpiryCheck>,
    checks: Vec<ExpiryCheck>,
    entries_done: Vec<Position>,
}

impl Many {
    /// Collects a record of a numerous kind; for any other returns the statement that stores it.
    fn keep_or_put(&mut self, record: Record) -> Result<Option<BoundQuery>, StoreError> {
        Ok(Some(match record {
            Record::LastSeen(user, device, seen) => {
                self.seen.push((user, device, document(&seen)?));
                return Ok(None);
            }
            Record::ExpiryCheck(check) => {
                self.checks.push(check);
                return Ok(None);
            }
            Record::User(user) => {
                self.users.insert(user.id, PutUser::of(&user)?);
                return Ok(None);
            }
            Record::Device(device) => return self.keep_device(&device, false),
            Record::EndedDevice(device) => return self.keep_device(&device, true),
            Record::StoreIdentity(identity) => {
                BoundQuery::new("update rescind.service set founding = $1::json").text(document(&identity)?)
            }
            Record::RolledBack => BoundQuery::new("update rescind.service set rolled_back = true"),
            Record::Counters(counters) => set_counters(counters),
            Record::Totals(totals) => set_totals(totals),
            Record::Entry(entry) => {
                BoundQuery::new("insert into rescind.log (position, at, revocation) values ($1, $2, $3::json)")
                    .number(entry.position.value())
                    .number(entry.at.unix())
                    .text(document(&entry.revocation)?)
            }
            Record::Key(key) => BoundQuery::new(
                "insert into rescind.keys (kid, doc) values ($1, $2::json) on conflict (kid) do update set doc = excluded.doc",
            )
            .text(key.kid.as_str())
            .text(document(&key)?),
            Record::ServiceKey(key) => BoundQuery::new(
                "insert into rescind.service_keys (id, doc) values ($1, $2::json) on conflict (id) do update set doc = excluded.doc",
            )
            .service_key(key.id)
            .text(document(&key)?),
        }))
    }

    fn keep_device(&mut self, device: &Device, ended: bool) -> Result<Option<BoundQuery>, StoreError> {
        let put = PutDevice { stamp: device.stamp, ended, document: document(device)? };
        self.devices.insert((device.user, device.id), put);
        Ok(None)
    }

    /// Collects the key of a numerous kind; for any other returns the statement that removes its record.
    fn keep_or_remove(&mut self, key: RecordKey) -> Option<BoundQuery> {
        Some(match key {
            RecordKey::ExpiryCheck(check) => {
                self.checks_done.push(check);
                return None;
            }
            RecordKey::Entry(position) => {
                self.entries_done.push(position);
                return None;
            }
            RecordKey::RolledBack => BoundQuery::new("update rescind.service set rolled_back = false"),
            RecordKey::User { id, name: _, external_id: _ } => {
                BoundQuery::new("delete from rescind.users where id = $1").user(id)
            }
            RecordKey::Device(user, stamp, device) => stamped(
                BoundQuery::new(
                    "delete from rescind.devices where user_id = $1 and id = $2 and not ended and era = $3 and generation = $4",
                )
                .user(user)
                .device(device),
                stamp,
            ),
            RecordKey::EndedDevice(user, device) => {
                BoundQuery::new("delete from rescind.devices where user_id = $1 and id = $2 and ended")
                    .user(user)
                    .device(device)
            }
            RecordKey::LastSeen(user, device) => {
                BoundQuery::new("delete from rescind.last_seen where user_id = $1 and id = $2")
                    .user(user)
                    .device(device)
            }
            RecordKey::Key(kid) => {
                BoundQuery::new("delete from rescind.keys where kid = $1").text(kid.as_str())
            }
            RecordKey::ServiceKey(id) => {
                BoundQuery::new("delete from rescind.service_keys where id = $1").service_key(id)
            }
        })
    }

    fn add_to(self, WriteStatements { documents, others }: &mut WriteStatements) {
        if !self.users.is_empty() {
            documents.push(put_users(self.users));
        }
        if !self.devices.is_empty() {
            documents.push(put_devices(self.devices));
        }
        if !self.seen.is_empty() {
            documents.push(put_seen(self.seen));
        }
        if !self.checks_done.is_empty() {
            others.push(expiry_checks(&REMOVE_CHECKS, &self.checks_done));
        }
        if !self.checks.is_empty() {
            others.push(expiry_checks(&PUT_CHECKS, &self.checks));
        }
        if !self.entries_done.is_empty() {
            let positions = self.entries_done.into_iter().map(|position| position.value().into());
            others.push(SqlQuery::new("delete from rescind.log where position = any($1)").numbers(positions));
        }
    }
}

impl PutUser {
    fn of(user: &User) -> Result<Self, StoreError> {
        let external_id = external_id(user);
        Ok(Self { name: user.username.key().to_owned(), external_id, document: document(user)? })
    }
}

/// The value of the column of external ids.
pub(super) fn external_id(user: &User) -> Option<String> {
    user.external_id.as_ref().map(|id| id.as_str().to_owned())
}

/// Writes users in the order of their names, so that two nodes which add the same ones do not deadlock.
fn put_users(users: BTreeMap<UserId, PutUser>) -> BoundQuery {
    let mut users: Vec<_> = users.into_iter().collect();
    users.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
    BoundQuery::new(
        "insert into rescind.users (id, name, external_id, doc)
         select id, name, external_id, doc::json from unnest($1, $2, $3, $4) as u (id, name, external_id, doc)
         on conflict (id) do update
         set name = excluded.name, external_id = excluded.external_id, doc = excluded.doc",
    )
    .users(users.iter().map(|(id, _)| *id))
    .texts(users.iter().map(|(_, user)| user.name.clone()).collect())
    .optional_texts(users.iter().map(|(_, user)| user.external_id.clone()).collect())
    .texts(users.into_iter().map(|(_, user)| user.document).collect())
}

fn put_devices(devices: BTreeMap<(UserId, DeviceId), PutDevice>) -> BoundQuery {
    let numbers = |number: fn(&PutDevice) -> Number| devices.values().map(number);
    BoundQuery::new(
        "insert into rescind.devices (user_id, id, era, generation, ended, doc)
         select user_id, id, era, generation, ended, doc::json
         from unnest($1, $2, $3, $4, $5, $6) as d (user_id, id, era, generation, ended, doc)
         on conflict (user_id, id) do update
         set era = excluded.era, generation = excluded.generation, ended = excluded.ended, doc = excluded.doc",
    )
    .users(devices.keys().map(|(user, _)| *user))
    .devices(devices.keys().map(|(_, device)| *device))
    .numbers(numbers(|device| device.stamp.era.value().into()))
    .numbers(numbers(|device| device.stamp.generation.value().into()))
    .flags(devices.values().map(|device| device.ended).collect())
    .texts(devices.into_values().map(|device| device.document).collect())
}

/// Writes last-seen records of existing devices only; in a fixed order, so that two nodes do not deadlock.
fn put_seen(mut seen: Vec<(UserId, DeviceId, String)>) -> BoundQuery {
    // One statement takes one note a device.
    let mut newest = BTreeMap::new();
    for (user, device, document) in seen.drain(..) {
        newest.insert((user, device), document);
    }
    BoundQuery::new(
        "insert into rescind.last_seen (user_id, id, doc)
         select n.user_id, n.id, n.doc::json from unnest($1, $2, $3) as n (user_id, id, doc)
         where exists (select from rescind.devices d where d.user_id = n.user_id and d.id = n.id)
         order by n.user_id, n.id
         on conflict (user_id, id) do update set doc = excluded.doc",
    )
    .users(newest.keys().map(|(user, _)| *user))
    .devices(newest.keys().map(|(_, device)| *device))
    .texts(newest.into_values().collect())
}

fn expiry_checks(statement: &'static SqlStatement, checks: &[ExpiryCheck]) -> SqlQuery {
    let numbers = |number: fn(&ExpiryCheck) -> Number| checks.iter().map(number);
    SqlQuery::prepared(statement)
        .numbers(numbers(|check| check.at.unix().into()))
        .users(checks.iter().map(|check| check.user))
        .numbers(numbers(|check| check.stamp.era.value().into()))
        .numbers(numbers(|check| check.stamp.generation.value().into()))
        .devices(checks.iter().map(|check| check.device))
}

/// Appends to the log. The row of the counters stays locked until the commit: so the order of the log is the order of
/// commits, and a reader up to a position has missed no entry before it.
fn append(log: &[(Timestamp, Revocation)]) -> Result<SqlQuery, StoreError> {
    let after = log.iter().fold(Counters::default(), |counters, (_, revocation)| counters.with(revocation));
    let documents: Vec<_> =
        log.iter().map(|(_, revocation)| document(revocation)).collect::<Result<_, _>>()?;
    Ok(SqlQuery::prepared(&APPEND)
        .number(log.len())
        .number(after.era.value())
        .number(after.keys.value())
        .numbers(log.iter().map(|(at, _)| at.unix().into()))
        .revocations(&documents))
}

fn count(counted: Counted, era: Era) -> SqlQuery {
    SqlQuery::prepared(&COUNT).number(era.value()).number(counted.users).number(counted.live_devices)
}

fn set_counters(counters: Counters) -> BoundQuery {
    BoundQuery::new("update rescind.service set era = $1, keys = $2, head = $3")
        .number(counters.era.value())
        .number(counters.keys.value())
        .number(counters.head.value())
}

/// Sets the totals of a store that has none yet.
fn set_totals(totals: Totals) -> BoundQuery {
    BoundQuery::new(
        "insert into rescind.totals (era, shard, users, live_devices) select era, 0, $1, $2 from rescind.service",
    )
    .number(totals.users)
    .number(totals.live_devices)
}

fn stamped(query: BoundQuery, stamp: Stamp) -> BoundQuery {
    query.number(stamp.era.value()).number(stamp.generation.value())
}

/// The document of a record.
pub(super) fn document(record: &impl JsonRecord) -> Result<String, StoreError> {
    Ok(record.to_json()?)
}
