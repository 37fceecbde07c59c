//! Records as rows: parsing a record of each kind, and writing a page of records.

use crate::model::device::Device;
use crate::model::ids::{DeviceId, UserId};
use crate::model::revocation::Entry;
use crate::model::user::User;
use crate::store::StoreError;
use crate::store::format::{Record, RecordKind, last_seen_of_row};
use crate::store::postgres::bound_query::BoundQuery;
use crate::store::postgres::loaded::parse;
use crate::store::postgres::sql_write::{document, external_id};
use crate::store::postgres::write::{WriteStatements, statements};
use crate::store::records::Changes;

/// Parses the JSON document of a record.
pub(super) fn record(kind: RecordKind, document: &str) -> Result<Record, StoreError> {
    Ok(match kind {
        RecordKind::StoreIdentity => Record::StoreIdentity(parse(document)?),
        // The row is there only if it is so.
        RecordKind::RolledBack => Record::RolledBack,
        RecordKind::Counters => Record::Counters(parse(document)?),
        RecordKind::Totals => Record::Totals(parse(document)?),
        RecordKind::Key => Record::Key(parse(document)?),
        RecordKind::ServiceKey => Record::ServiceKey(parse(document)?),
        RecordKind::User => Record::User(Box::new(parse(document)?)),
        RecordKind::Device => Record::Device(Box::new(parse(document)?)),
        RecordKind::EndedDevice => Record::EndedDevice(Box::new(parse(document)?)),
        RecordKind::LastSeen => {
            let (user, device, seen) = last_seen_of_row(document)?;
            Record::LastSeen(user, device, seen)
        }
        RecordKind::ExpiryCheck => Record::ExpiryCheck(parse(document)?),
        RecordKind::Entry => Record::Entry(parse(document)?),
    })
}

/// The statements that write a page of records; one statement for all records of a numerous kind.
pub(super) fn imported(page: Vec<Record>) -> Result<WriteStatements, StoreError> {
    let (mut users, mut devices, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    let (mut seen, mut entries, mut others) = (Vec::new(), Vec::new(), Changes::none());
    for record in page {
        match record {
            Record::User(user) => users.push(*user),
            Record::Device(device) => devices.push(*device),
            Record::EndedDevice(device) => ended.push(*device),
            Record::LastSeen(user, device, notes) => seen.push((user, device, document(&notes)?)),
            Record::Entry(entry) => entries.push(entry),
            other => others.put(other),
        }
    }
    let era = crate::model::counters::Era::default();
    let mut writes = statements(others, era)?;
    let queries = &mut writes.documents;
    if !users.is_empty() {
        queries.push(put_users(&users)?);
    }
    for (devices, text) in [(devices, LIVE), (ended, ENDED)] {
        if !devices.is_empty() {
            queries.push(put_devices(&devices, text)?);
        }
    }
    if !seen.is_empty() {
        queries.push(put_seen(seen));
    }
    if !entries.is_empty() {
        queries.push(put_entries(&entries)?);
    }
    Ok(writes)
}

macro_rules! insert_devices {
    ($ended:literal) => {
        concat!(
            "insert into rescind.devices (user_id, id, era, generation, ended, doc)
             select d.user_id, d.id, d.era, d.generation, ",
            $ended,
            ", d.doc::json
             from unnest($1, $2, $3, $4, $5) as d (user_id, id, era, generation, doc)"
        )
    };
}
const LIVE: &str = insert_devices!(false);
const ENDED: &str = insert_devices!(true);

fn put_users(users: &[User]) -> Result<BoundQuery, StoreError> {
    Ok(BoundQuery::new(
        "insert into rescind.users (id, name, external_id, doc)
         select u.id, u.name, u.external_id, u.doc::json from unnest($1, $2, $3, $4) as u (id, name, external_id, doc)",
    )
    .users(users.iter().map(|user| user.id))
    .texts(users.iter().map(|user| user.username.key().to_owned()).collect())
    .optional_texts(users.iter().map(external_id).collect())
    .texts(users.iter().map(document).collect::<Result<_, _>>()?))
}

fn put_devices(devices: &[Device], text: &'static str) -> Result<BoundQuery, StoreError> {
    Ok(BoundQuery::new(text)
        .users(devices.iter().map(|device| device.user))
        .devices(devices.iter().map(|device| device.id))
        .numbers(devices.iter().map(|device| device.stamp.era.value().into()))
        .numbers(devices.iter().map(|device| device.stamp.generation.value().into()))
        .texts(devices.iter().map(document).collect::<Result<_, _>>()?))
}

fn put_seen(seen: Vec<(UserId, DeviceId, String)>) -> BoundQuery {
    BoundQuery::new(
        "insert into rescind.last_seen (user_id, id, doc)
         select s.user_id, s.id, s.doc::json from unnest($1, $2, $3) as s (user_id, id, doc)",
    )
    .users(seen.iter().map(|(user, ..)| *user))
    .devices(seen.iter().map(|(_, device, _)| *device))
    .texts(seen.into_iter().map(|(.., notes)| notes).collect())
}

fn put_entries(entries: &[Entry]) -> Result<BoundQuery, StoreError> {
    Ok(BoundQuery::new(
        "insert into rescind.log (position, at, revocation)
         select e.position, e.at, e.revocation::json from unnest($1, $2, $3) as e (position, at, revocation)",
    )
    .numbers(entries.iter().map(|entry| entry.position.value().into()))
    .numbers(entries.iter().map(|entry| entry.at.unix().into()))
    .texts(entries.iter().map(|entry| document(&entry.revocation)).collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests;
