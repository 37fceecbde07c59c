//! How the working set of a step is locked, and how records are read for it.
//!
//! Every statement here answers with rows of three columns: what a row is, whose id it has, and the record itself as
//! a JSON document. A list of devices has a fourth: when and from where each was last heard of.

use tokio_postgres::Client;
use uuid::Uuid;

use super::connection::Rows;
use super::loaded::{Loaded, Need};
use super::sql_query::SqlQuery;
use crate::model::counters::Stamp;
use crate::model::ids::{DeviceId, ServiceKeyId, UserId};
use crate::model::timestamp::Timestamp;
use crate::store::records::Records as _;
use crate::store::working_set::WorkingSet;

/// The statement that locks a step's working set. A lock on the user's row stands for all that is of the user: whoever
/// changes a device holds it.
pub(super) fn lock_query(working_set: &WorkingSet) -> Option<SqlQuery> {
    match working_set {
        WorkingSet::User(user) | WorkingSet::Device(user, _) => {
            Some(SqlQuery::new("select from rescind.users where id = $1 for no key update").user(*user))
        }
        WorkingSet::Counters => Some(SqlQuery::new("select from rescind.service for update")),
        WorkingSet::Due(now, limit) => Some(
            // In one order, so that two nodes that sweep do not wait for each other in a circle.
            SqlQuery::new(
                "select 'user', id, '' from rescind.users where id in (
                    select user_id from (select user_id from rescind.looks where at <= $1 order by at, user_id, era, generation, device_id limit $2) due
                ) order by id for no key update",
            )
            .number(now.unix())
            .number(*limit),
        ),
        // Nothing is held still, but a commit that has locked nothing would not wait for a standby: what this step read
        // could be lost with the primary, and has been told. The version's row is one that nobody ever changes.
        WorkingSet::Unknown | WorkingSet::Username(_) => Some(SqlQuery::new(
            "select from rescind.version where current_setting('synchronous_standby_names', true) <> '' for key share",
        )),
        WorkingSet::Devices(..) | WorkingSet::LastSeen(_) => None,
    }
}

/// A statement that reads records.
pub(super) struct LoadStatement {
    query: SqlQuery,
    /// The needs that the statement answers, even if it returns no row for them.
    needs: Vec<Need>,
    /// The list to which rows named `listed` belong.
    list: Option<ListedAs>,
}

/// The list to which rows named `listed` belong.
#[derive(Clone)]
enum ListedAs {
    Of(Need),
    /// A page of the devices live under the stamp that the same statement returns with the user.
    Standing(UserId, Option<DeviceId>, usize),
}

impl ListedAs {
    fn need(&self, loaded: &Loaded) -> Option<Need> {
        match self {
            Self::Of(need) => Some(need.clone()),
            Self::Standing(user, after, limit) => {
                let era = loaded.counters().ok()?.era;
                let stamp = loaded.user(*user).ok()??.stamp(era);
                Some(Need::Devices(*user, stamp, *after, *limit))
            }
        }
    }
}

impl LoadStatement {
    fn of(query: SqlQuery, needs: impl IntoIterator<Item = Need>) -> Self {
        Self { query, needs: needs.into_iter().collect(), list: None }
    }

    fn list(query: SqlQuery, list: Need) -> Self {
        Self { query, needs: Vec::new(), list: Some(ListedAs::Of(list)) }
    }

    /// Runs the statement and collects its answer.
    pub(super) async fn run(self, client: &Client) -> Result<Answer, tokio_postgres::Error> {
        let rows = self.query.run(client).await?;
        Ok(Answer { rows, needs: self.needs, list: self.list })
    }
}

/// The answer to a [`LoadStatement`].
pub(super) struct Answer {
    rows: Rows,
    needs: Vec<Need>,
    list: Option<ListedAs>,
}

impl Answer {
    pub(super) fn fill(self, loaded: &mut Loaded) -> Result<(), tokio_postgres::Error> {
        let Self { rows, needs, list } = self;
        for need in needs {
            loaded.looked_for(need);
        }
        let mut listed = Vec::new();
        for row in &rows {
            let (what, id, document): (&str, Option<Uuid>, String) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let id = id.unwrap_or_default().into_bytes();
            let need = match what {
                "identity" => Need::StoreIdentity,
                "counters" => Need::Counters,
                "totals" => Need::Totals,
                "user" => Need::User(UserId::from_bytes(id)),
                "device" => Need::Device(DeviceId::from_bytes(id)),
                "key" => Need::ServiceKey(ServiceKeyId::from_bytes(id)),
                _ => {
                    listed.push((id, document, row));
                    continue;
                }
            };
            loaded.add(need, document);
        }
        let Some(need) = list.and_then(|list| list.need(loaded)) else { return Ok(()) };
        loaded.looked_for(need.clone());
        for (id, document, row) in listed {
            if let Need::Devices(user, ..) | Need::PastDevices(user, ..) = need {
                let seen = Need::LastSeen(user, DeviceId::from_bytes(id));
                match row.try_get::<_, Option<String>>(3)? {
                    Some(document) => loaded.add(seen, document),
                    None => loaded.looked_for(seen),
                }
            }
            loaded.add(need.clone(), document);
        }
        Ok(())
    }
}

/// The ids of the users that [`lock_query`] locked for a sweep.
pub(super) fn held_users(rows: &Rows) -> Result<Vec<UserId>, tokio_postgres::Error> {
    rows.iter().map(|row| Ok(UserId::from_bytes(row.try_get::<_, Uuid>(1)?.into_bytes()))).collect()
}

macro_rules! sql {
    (counters) => {
        "select 'counters', null::uuid, json_build_object('era', era, 'keys', keys, 'head', head)::text from rescind.service where founding is not null"
    };
    (user $n:literal) => {
        concat!("select 'user', id, doc::text from rescind.users where id = ", $n)
    };
}

/// The statement that reads a working set: one, so that all of it is of one moment.
pub(super) fn preload(working_set: &WorkingSet) -> Option<LoadStatement> {
    match working_set {
        WorkingSet::Device(user, device) => Some(LoadStatement::of(
            SqlQuery::new(concat!(
                sql!(counters),
                " union all ",
                sql!(user "$1"),
                " union all select 'device', id, doc::text from rescind.devices where user_id = $1 and id = $2"
            ))
            .user(*user)
            .device(*device),
            [Need::Counters, Need::User(*user), Need::Device(*device)],
        )),
        WorkingSet::User(user) => Some(LoadStatement::of(
            SqlQuery::new(concat!(sql!(counters), " union all ", sql!(user "$1"))).user(*user),
            [Need::Counters, Need::User(*user)],
        )),
        WorkingSet::Username(name) => {
            let query = SqlQuery::new(concat!(
                sql!(counters),
                " union all select what, id, doc::text from rescind.users, (values ('listed'), ('user')) as twice (what) where name = $1"
            ))
            .text(name.as_str());
            let mut load = LoadStatement::list(query, Need::Named(name.clone()));
            load.needs.push(Need::Counters);
            Some(load)
        }
        WorkingSet::Devices(user, after, limit) => {
            let query = SqlQuery::new(
                "select 'counters', null::uuid, json_build_object('era', era, 'keys', keys, 'head', head)::text, null
                 from rescind.service where founding is not null
                 union all select 'user', id, doc::text, null from rescind.users where id = $1
                 union all (
                    select 'listed', d.id, d.doc::text, s.doc::text
                    from rescind.service c
                    join rescind.users u on u.id = $1
                    join rescind.devices d on d.user_id = u.id and d.era = c.era
                        and d.generation = (u.doc->>'generation')::bigint
                    left join rescind.last_seen s on s.user_id = d.user_id and s.id = d.id
                    where not d.ended and d.id > $2 order by d.id limit $3)",
            );
            let query = query.user(*user).device(after.unwrap_or(DeviceId::from_bytes([0; 16]))).number(*limit);
            let needs = vec![Need::Counters, Need::User(*user)];
            Some(LoadStatement { query, needs, list: Some(ListedAs::Standing(*user, *after, *limit)) })
        }
        WorkingSet::LastSeen(notes) => Some(of_devices(notes)),
        WorkingSet::Counters => Some(LoadStatement::of(
            SqlQuery::new(concat!(
                sql!(counters),
                " union all select 'identity', null, founding::text from rescind.service where founding is not null"
            )),
            [Need::Counters, Need::StoreIdentity],
        )),
        WorkingSet::Unknown | WorkingSet::Due(..) => None,
    }
}

/// Reads the counters and all of these users and devices.
pub(super) fn of_devices(devices: &[(UserId, DeviceId)]) -> LoadStatement {
    let query = SqlQuery::new(concat!(
        sql!(counters),
        " union all select 'user', id, doc::text from rescind.users where id = any($1)
          union all select 'device', id, doc::text from rescind.devices where (user_id, id) in (select * from unnest($1, $2))"
    ))
    .users(devices.iter().map(|(user, _)| *user))
    .devices(devices.iter().map(|(_, device)| *device));
    let needs = devices.iter().flat_map(|(user, device)| [Need::User(*user), Need::Device(*device)]);
    LoadStatement::of(query, needs.chain([Need::Counters]))
}

/// Reads the expiry checks that are due, of users that are locked (`held`) or deleted.
pub(super) fn due(now: Timestamp, limit: usize, held: Vec<UserId>) -> LoadStatement {
    let query = SqlQuery::new(
        "select 'listed', null::uuid, json_build_object('at', at, 'user', user_id,
            'stamp', json_build_object('era', era, 'generation', generation), 'device', device_id)::text
         from rescind.looks l
         where at <= $1 and (user_id = any($3) or not exists (select from rescind.users u where u.id = l.user_id))
         order by at, user_id, era, generation, device_id limit $2",
    )
    .number(now.unix())
    .number(limit)
    .users(held);
    LoadStatement::list(query, Need::Due(now, limit))
}

/// Reads what a step requested and had not been read.
pub(super) fn missed(need: Need) -> LoadStatement {
    match need {
        Need::StoreIdentity | Need::Counters => LoadStatement::of(
            SqlQuery::new(concat!(
                sql!(counters),
                " union all select 'identity', null, founding::text from rescind.service where founding is not null"
            )),
            [Need::Counters, Need::StoreIdentity],
        ),
        Need::RolledBack => LoadStatement::list(
            SqlQuery::new("select 'listed', null::uuid, rolled_back::text from rescind.service"),
            need,
        ),
        Need::Totals => LoadStatement::of(
            SqlQuery::new(
                "select 'totals', null::uuid, json_build_object('users', greatest(coalesce(sum(users), 0), 0), 'live_devices',
                    greatest(coalesce(sum(live_devices) filter (where era = (select era from rescind.service)), 0), 0))::text
                 from rescind.totals",
            ),
            [Need::Totals],
        ),
        Need::User(id) => LoadStatement::of(SqlQuery::new(sql!(user "$1")).user(id), [Need::User(id)]),
        Need::Named(ref name) => {
            let query = SqlQuery::new("select 'listed', id, doc::text from rescind.users where name = $1").text(name.as_str());
            LoadStatement::list(query, need)
        }
        Need::Users(ref after, limit) => {
            let query = SqlQuery::new(concat!(
                sql!(counters),
                " union all (select 'listed', id, doc::text from rescind.users where name > $1 order by name limit $2)"
            ))
            .text(after.clone().unwrap_or_default())
            .number(limit);
            LoadStatement { needs: vec![Need::Counters], ..LoadStatement::list(query, need) }
        }
        Need::Device(id) => LoadStatement::of(
            SqlQuery::new("select 'device', id, doc::text from rescind.devices where id = $1").device(id),
            [Need::Device(id)],
        ),
        Need::Devices(user, stamp, after, limit) => {
            let after = after.unwrap_or(DeviceId::from_bytes([0; 16]));
            let query = SqlQuery::new(
                "select 'listed', id, d.doc::text, s.doc::text
                 from rescind.devices d left join rescind.last_seen s using (user_id, id)
                 where user_id = $1 and era = $2 and generation = $3 and not ended and id > $4 order by id limit $5",
            );
            LoadStatement::list(stamped(query.user(user), stamp).device(after).number(limit), need)
        }
        Need::PastDevices(user, stamp, limit) => {
            let query = SqlQuery::new(
                "select 'listed', id, d.doc::text, s.doc::text
                 from rescind.devices d left join rescind.last_seen s using (user_id, id)
                 where user_id = $1 and (ended or era <> $2 or generation <> $3)
                 order by ended desc, era, generation, id limit $4",
            );
            LoadStatement::list(stamped(query.user(user), stamp).number(limit), need)
        }
        Need::OldestPastDevices(user, stamp, limit) => {
            // Each half is the beginning of an index.
            let query = SqlQuery::new(
                "(select 'listed', id, doc::text from rescind.devices where user_id = $1 and ended order by id limit $4)
                 union all
                 (select 'listed', id, doc::text from rescind.devices
                  where user_id = $1 and (era, generation) < ($2, $3) and not ended order by era, generation, id limit $4)",
            );
            LoadStatement::list(stamped(query.user(user), stamp).number(limit), need)
        }
        Need::LastSeen(user, id) => {
            let query =
                SqlQuery::new("select 'listed', id, doc::text from rescind.last_seen where user_id = $1 and id = $2");
            LoadStatement::list(query.user(user).device(id), need)
        }
        Need::Keys => {
            LoadStatement::list(SqlQuery::new("select 'listed', null::uuid, doc::text from rescind.keys order by kid"), need)
        }
        Need::ServiceKey(id) => LoadStatement::of(
            SqlQuery::new("select 'key', id, doc::text from rescind.service_keys where id = $1").service_key(id),
            [Need::ServiceKey(id)],
        ),
        Need::ServiceKeys => {
            LoadStatement::list(SqlQuery::new("select 'listed', id, doc::text from rescind.service_keys order by id"), need)
        }
        Need::Log(after, limit) => {
            let query = SqlQuery::new(
                "select 'listed', null::uuid, json_build_object('position', position, 'at', at, 'revocation', revocation)::text
                 from rescind.log where position > $1 order by position limit $2",
            );
            LoadStatement::list(query.number(after.value()).number(limit), need)
        }
        Need::Due(now, limit) => due(now, limit, Vec::new()),
    }
}

fn stamped(query: SqlQuery, stamp: Stamp) -> SqlQuery {
    query.number(stamp.era.value()).number(stamp.generation.value())
}
