//! The statements that write a step's changes: a few, however many changes there are.

use std::collections::BTreeMap;

use super::bound_query::BoundQuery;
use super::change_notifier::CHANNEL;
use super::sql_query::SqlQuery;
use super::sql_write::{
    PUT_CHECKS, PutDevice, PutUser, REMOVE_CHECKS, append, count, document, expiry_checks, put_devices,
    put_seen, put_users, set_counters, set_totals, stamped,
};
use crate::model::counters::{Era, Position};
use crate::model::device::Device;
use crate::model::ids::{DeviceId, UserId};
use crate::store::StoreError;
use crate::store::expiry_check::ExpiryCheck;
use crate::store::format::{Record, RecordKey};
use crate::store::records::{Change, Changes};

/// The statements that write a step's changes, in the order in which they are to run.
///
/// Users and devices come first, whose locks the step holds; the counters next; and the totals last, because other
/// steps wait for their lock, which is then held the shortest.
#[derive(Default)]
pub(super) struct WriteStatements {
    /// Those with documents, which no log of the database may have; and those of records that are seldom written.
    pub(super) documents: Vec<BoundQuery>,
    /// The others, which hold nothing but ids and numbers.
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
        self.devices.insert((device.user, device.id), PutDevice::of(device, ended)?);
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
