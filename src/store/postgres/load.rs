//! How the working set of a step is locked, and how records are read for it.

use std::collections::HashSet;

use tokio_postgres::SimpleQueryRow;

use super::connection::Connection;
use super::failure::QueryFailure;
use super::loaded::{Loaded, Need};
use super::row::{self, Rows};
use super::sql;
use super::sql_query::SqlQuery;
use super::standings;
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
            Some(SqlQuery::prepared(&sql::LOCK_USER).user(*user))
        }
        WorkingSet::Counters => Some(SqlQuery::new(sql::LOCK_COUNTERS)),
        WorkingSet::Due(now, limit) => {
            Some(SqlQuery::new(sql::LOCK_DUE_USERS).number(now.unix()).number(*limit))
        }
        // Nothing is held still, but a commit that has locked nothing would not wait for a standby: what this step read
        // could be lost with the primary, and has been told. The version's row is one that nobody ever changes.
        WorkingSet::Unknown | WorkingSet::NewUser(..) => Some(lock_version()),
        WorkingSet::Username(_) | WorkingSet::Devices(..) | WorkingSet::LastSeen(_) => None,
    }
}

/// The statement that locks a row which nobody ever changes.
pub(super) fn lock_version() -> SqlQuery {
    SqlQuery::prepared(&sql::LOCK_VERSION)
}

/// The statement that locks those of these users that exist and that nobody else has locked.
pub(super) fn lock_users(users: impl IntoIterator<Item = UserId>) -> SqlQuery {
    SqlQuery::prepared(&sql::LOCK_USERS).users(users)
}

/// The users whom [`lock_query`] or [`lock_users`] locked; other rows are passed over.
pub(super) fn locked_users(rows: &Rows) -> Result<HashSet<UserId>, QueryFailure> {
    let mut locked = HashSet::new();
    for row in rows {
        if row::name(row)? == "locked" {
            locked.insert(row::user(row)?);
        }
    }
    Ok(locked)
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
    /// A statement that answers these needs.
    fn of(query: SqlQuery, needs: impl IntoIterator<Item = Need>) -> Self {
        Self { query, needs: needs.into_iter().collect(), list: None }
    }

    /// A statement that answers `list`, and whatever else its rows say.
    fn list(query: SqlQuery, list: Need) -> Self {
        Self { query, needs: Vec::new(), list: Some(ListedAs::Of(list)) }
    }

    pub(super) fn query(&self) -> &SqlQuery {
        &self.query
    }

    /// Runs the statement, and adds what it reads to `loaded`.
    pub(super) async fn run(self, connection: &Connection, loaded: &mut Loaded) -> Result<(), QueryFailure> {
        let rows = connection.run(&[&self.query]).await?;
        self.fill(&rows, loaded)
    }

    /// Adds what the statement has read to `loaded`; rows of locks are passed over.
    pub(super) fn fill(self, rows: &Rows, loaded: &mut Loaded) -> Result<(), QueryFailure> {
        for need in self.needs {
            loaded.looked_for(need);
        }
        let mut listed = Vec::new();
        for row in rows {
            let need = match row::name(row)? {
                "locked" | "held" => continue,
                "identity" => Need::StoreIdentity,
                "counters" => Need::Counters,
                "totals" => Need::Totals,
                "user" => Need::User(row::user(row)?),
                "device" => {
                    let (user, device) = row::device(row)?;
                    Need::Device(user, device)
                }
                "seen" => {
                    let (user, device) = row::device(row)?;
                    Need::LastSeen(user, device)
                }
                "key" => Need::ServiceKey(ServiceKeyId::from_bytes(row::id(row, 1)?)),
                _ => {
                    listed.push(row);
                    continue;
                }
            };
            loaded.add(need, document(row)?);
        }
        let Some(need) = self.list.and_then(|list| list.need(loaded)) else { return Ok(()) };
        loaded.looked_for(need.clone());
        for row in listed {
            if let Need::Devices(user, ..) | Need::PastDevices(user, ..) = need {
                let seen = Need::LastSeen(user, DeviceId::from_bytes(row::id(row, 1)?));
                match row::document(row, 3)? {
                    Some(document) => loaded.add(seen, document),
                    None => loaded.looked_for(seen),
                }
            }
            loaded.add(need.clone(), document(row)?);
        }
        Ok(())
    }
}

/// The document of the record that a row is.
fn document(row: &SimpleQueryRow) -> Result<String, QueryFailure> {
    Ok(row::document(row, 2)?.unwrap_or_default())
}

/// The statement that reads a working set: one, so that all of it is of one moment.
pub(super) fn preload(working_set: &WorkingSet) -> Option<LoadStatement> {
    match working_set {
        WorkingSet::Device(user, device) => Some(of_devices(&[(*user, *device)])),
        WorkingSet::User(user) => Some(LoadStatement::of(
            SqlQuery::prepared(&sql::COUNTERS_AND_USER).user(*user),
            [Need::Counters, Need::User(*user)],
        )),
        WorkingSet::Username(name) | WorkingSet::NewUser(name, _) => {
            let query = SqlQuery::prepared(&sql::COUNTERS_AND_USER_NAMED).text(name.as_str());
            let mut load = LoadStatement::list(query, Need::Named(name.clone()));
            load.needs.push(Need::Counters);
            Some(load)
        }
        WorkingSet::Devices(user, after, limit) => {
            let query = SqlQuery::new(sql::STANDING_DEVICES);
            let query =
                query.user(*user).device(after.unwrap_or(DeviceId::from_bytes([0; 16]))).number(*limit);
            let needs = vec![Need::Counters, Need::User(*user)];
            Some(LoadStatement { query, needs, list: Some(ListedAs::Standing(*user, *after, *limit)) })
        }
        WorkingSet::LastSeen(notes) => Some(of_devices(notes)),
        WorkingSet::Counters => {
            Some(LoadStatement::of(SqlQuery::new(sql::COUNTERS), [Need::Counters, Need::StoreIdentity]))
        }
        WorkingSet::Unknown | WorkingSet::Due(..) => None,
    }
}

/// Reads the counters and all of these users and devices.
pub(super) fn of_devices(devices: &[(UserId, DeviceId)]) -> LoadStatement {
    let query = standings::query(devices);
    let needs = devices.iter().flat_map(|(user, device)| [Need::User(*user), Need::Device(*user, *device)]);
    LoadStatement::of(query, needs.chain([Need::Counters]))
}

/// Reads the expiry checks that are due, of users that are locked or deleted.
pub(super) fn due(now: Timestamp, limit: usize, locked: HashSet<UserId>) -> LoadStatement {
    let query = SqlQuery::new(sql::DUE).number(now.unix()).number(limit).users(locked);
    LoadStatement::list(query, Need::Due(now, limit))
}

/// Reads what a step requested and had not been read.
pub(super) fn missed(need: Need) -> LoadStatement {
    match need {
        Need::StoreIdentity | Need::Counters => {
            LoadStatement::of(SqlQuery::new(sql::COUNTERS), [Need::Counters, Need::StoreIdentity])
        }
        Need::RolledBack => LoadStatement::list(SqlQuery::new(sql::ROLLED_BACK), need),
        Need::Totals => LoadStatement::of(SqlQuery::new(sql::TOTALS), [Need::Totals]),
        Need::User(id) => LoadStatement::of(SqlQuery::new(sql::USER).user(id), [Need::User(id)]),
        Need::Named(ref name) => {
            let query = SqlQuery::new(sql::USER_NAMED).text(name.as_str());
            LoadStatement::list(query, need)
        }
        Need::WithExternalId(ref external_id) => {
            let query = SqlQuery::new(sql::USER_WITH_EXTERNAL_ID).text(external_id.as_str());
            LoadStatement::list(query, need)
        }
        Need::Users(ref after, limit) => {
            let query = SqlQuery::new(sql::COUNTERS_AND_USERS)
                .text(after.as_deref().unwrap_or_default())
                .number(limit);
            LoadStatement { needs: vec![Need::Counters], ..LoadStatement::list(query, need) }
        }
        Need::Device(user, id) => {
            LoadStatement::of(SqlQuery::new(sql::DEVICE).user(user).device(id), [Need::Device(user, id)])
        }
        Need::Devices(user, stamp, after, limit) => {
            let after = after.unwrap_or(DeviceId::from_bytes([0; 16]));
            let query = SqlQuery::new(sql::DEVICES);
            LoadStatement::list(stamped(query.user(user), stamp).device(after).number(limit), need)
        }
        Need::PastDevices(user, stamp, limit) => {
            let query = SqlQuery::new(sql::PAST_DEVICES);
            LoadStatement::list(stamped(query.user(user), stamp).number(limit), need)
        }
        Need::OldestPastDevices(user, stamp, limit) => {
            let query = SqlQuery::new(sql::OLDEST_PAST_DEVICES);
            LoadStatement::list(stamped(query.user(user), stamp).number(limit), need)
        }
        Need::LastSeen(user, id) => {
            let query = SqlQuery::new(sql::LAST_SEEN);
            LoadStatement::list(query.user(user).device(id), need)
        }
        Need::Keys => LoadStatement::list(SqlQuery::new(sql::KEYS), need),
        Need::ServiceKey(id) => {
            LoadStatement::of(SqlQuery::new(sql::SERVICE_KEY).service_key(id), [Need::ServiceKey(id)])
        }
        Need::ServiceKeys => LoadStatement::list(SqlQuery::new(sql::SERVICE_KEYS), need),
        Need::Log(after, limit) => {
            let query = SqlQuery::new(sql::LOG);
            LoadStatement::list(query.number(after.value()).number(limit), need)
        }
        Need::Due(now, limit) => due(now, limit, HashSet::new()),
    }
}

fn stamped(query: SqlQuery, stamp: Stamp) -> SqlQuery {
    query.number(stamp.era.value()).number(stamp.generation.value())
}
