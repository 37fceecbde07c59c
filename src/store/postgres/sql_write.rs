//! The statements that write records: their texts, and what of a record goes into which column.

use std::collections::BTreeMap;

use super::bound_query::BoundQuery;
use super::literal::Number;
use super::sql_query::SqlQuery;
use super::statement::{Plan, SqlStatement};
use crate::model::counters::{Era, Stamp};
use crate::model::device::Device;
use crate::model::ids::{DeviceId, UserId};
use crate::model::revocation::Revocation;
use crate::model::timestamp::Timestamp;
use crate::model::user::User;
use crate::store::counters::Counted;
use crate::store::expiry_check::ExpiryCheck;
use crate::store::format::JsonRecord;
use crate::store::{Counters, StoreError, Totals};

/// Adds expiry checks.
pub(super) const PUT_CHECKS: SqlStatement = SqlStatement {
    name: "put_checks",
    text: "insert into rescind.looks (at, user_id, era, generation, device_id) select * from unnest($1, $2, $3, $4, $5)
        on conflict do nothing",
    types: "bigint[], uuid[], bigint[], bigint[], uuid[]",
    plan: Plan::ByIndex,
};

/// Removes expiry checks.
pub(super) const REMOVE_CHECKS: SqlStatement = SqlStatement {
    name: "remove_checks",
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

pub(super) const APPEND: SqlStatement = SqlStatement {
    name: "append",
    text: "with counters as (
            update rescind.service set head = head + $1, era = greatest(era, $2), keys = greatest(keys, $3) returning head
        )
        insert into rescind.log (position, at, revocation)
        select counters.head - $1 + e.place, e.at, e.revocation
        from counters, rows from (unnest($4), json_array_elements($5)) with ordinality as e (at, revocation, place)",
    types: "bigint, bigint, bigint, bigint[], json",
    plan: Plan::ByIndex,
};

pub(super) const COUNT: SqlStatement = SqlStatement {
    name: "count",
    text: "insert into rescind.totals (era, shard, users, live_devices) values ($1, pg_backend_pid() % 16, $2, $3)
        on conflict (era, shard) do update
        set users = totals.users + excluded.users, live_devices = totals.live_devices + excluded.live_devices",
    types: "bigint, bigint, bigint",
    plan: Plan::ByIndex,
};

/// A device to write.
pub(super) struct PutDevice {
    stamp: Stamp,
    ended: bool,
    document: String,
}

/// A user as it is written: the username's key, the external id and the document.
pub(super) struct PutUser {
    name: String,
    external_id: Option<String>,
    document: String,
}

impl PutDevice {
    pub(super) fn of(device: &Device, ended: bool) -> Result<Self, StoreError> {
        Ok(Self { stamp: device.stamp, ended, document: document(device)? })
    }
}

impl PutUser {
    pub(super) fn of(user: &User) -> Result<Self, StoreError> {
        let external_id = external_id(user);
        Ok(Self { name: user.username.key().to_owned(), external_id, document: document(user)? })
    }
}

/// The value of the column of external ids.
pub(super) fn external_id(user: &User) -> Option<String> {
    user.external_id.as_ref().map(|id| id.as_str().to_owned())
}

/// Writes users in the order of their names, so that two nodes which add the same ones do not deadlock.
pub(super) fn put_users(users: BTreeMap<UserId, PutUser>) -> BoundQuery {
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

pub(super) fn put_devices(devices: BTreeMap<(UserId, DeviceId), PutDevice>) -> BoundQuery {
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
pub(super) fn put_seen(mut seen: Vec<(UserId, DeviceId, String)>) -> BoundQuery {
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

pub(super) fn expiry_checks(statement: &'static SqlStatement, checks: &[ExpiryCheck]) -> SqlQuery {
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
pub(super) fn append(log: &[(Timestamp, Revocation)]) -> Result<SqlQuery, StoreError> {
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

pub(super) fn count(counted: Counted, era: Era) -> SqlQuery {
    SqlQuery::prepared(&COUNT).number(era.value()).number(counted.users).number(counted.live_devices)
}

pub(super) fn set_counters(counters: Counters) -> BoundQuery {
    BoundQuery::new("update rescind.service set era = $1, keys = $2, head = $3")
        .number(counters.era.value())
        .number(counters.keys.value())
        .number(counters.head.value())
}

/// Sets the totals of a store that has none yet.
pub(super) fn set_totals(totals: Totals) -> BoundQuery {
    BoundQuery::new(
        "insert into rescind.totals (era, shard, users, live_devices) select era, 0, $1, $2 from rescind.service",
    )
    .number(totals.users)
    .number(totals.live_devices)
}

pub(super) fn stamped(query: BoundQuery, stamp: Stamp) -> BoundQuery {
    query.number(stamp.era.value()).number(stamp.generation.value())
}

/// The document of a record.
pub(super) fn document(record: &impl JsonRecord) -> Result<String, StoreError> {
    Ok(record.to_json()?)
}
