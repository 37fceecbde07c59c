//! The statements that read records, and the parts that several of them share: each stands here once.
//!
//! The first column of every row says what the row is. A row with a record has two more: whose id it has, and the record
//! itself as a JSON document. A list of devices has a fourth: when and from where each was last heard of; and so has a
//! statement for users and devices: the user of a device and of when and from where it was last heard of.

use super::statement::{Plan, SqlStatement};
use crate::store::format::RecordKind;

/// A part of a statement.
macro_rules! part {
    // Records that no column holds as a document.
    (counters) => {
        "json_build_object('era', era, 'keys', keys, 'head', head)::text"
    };
    // A version that no node knows once the tables have a newer version than this one: see `schema`.
    (known counters) => {
        "json_build_object('era', era, 'keys', keys, 'head', head, 'version', case when tables > 5 then 2 else 1 end)::text"
    };
    (totals) => {
        "json_build_object('users', greatest(coalesce(sum(users), 0), 0), 'live_devices',
            greatest(coalesce(sum(live_devices) filter (where era = (select era from rescind.service)), 0), 0))::text
         from rescind.totals"
    };
    (expiry_check) => {
        "json_build_object('at', at, 'user', user_id,
            'stamp', json_build_object('era', era, 'generation', generation), 'device', device_id)::text
         from rescind.looks"
    };
    (entry $($more:literal)?) => {
        concat!(
            "json_build_object('position', position, 'at', at, 'revocation', revocation)::text", $($more,)?
            " from rescind.log"
        )
    };
    // The order of the index of expiry checks.
    (by_due) => {
        "order by at, user_id, era, generation, device_id limit $2"
    };
    (initialized) => {
        "from rescind.service where founding is not null"
    };
    // Rows, with the further columns that a statement has.
    (row counters $($more:literal)?) => {
        concat!("select 'counters', null::uuid, ", part!(known counters), $($more,)? " ", part!(initialized))
    };
    (row user $($more:literal)?) => {
        concat!("select 'user', id, doc::text", $($more,)? " from rescind.users where id = $1")
    };
    (rows devices) => {
        "select 'listed', id, d.doc::text, s.doc::text
         from rescind.devices d left join rescind.last_seen s using (user_id, id)
         where user_id = $1 and "
    };
    // One look into an index for each: the limit leaves the planner no join of the whole tables.
    (rows standings $users:literal $devices:literal) => {
        concat!(
            "select 'user', u.id, u.doc::text, null::uuid from unnest(", $users, ") as n (user_id)
             cross join lateral (select id, doc from rescind.users where id = n.user_id limit 1) u
             union all select 'device', d.id, d.doc::text, d.user_id from unnest(", $users, ", ", $devices, ") as n (user_id, id)
             cross join lateral (select * from rescind.devices where user_id = n.user_id and id = n.id limit 1) d"
        )
    };
    (rows seen standings $users:literal $devices:literal) => {
        concat!(
            part!(rows standings $users $devices),
            " union all select 'seen', s.id, s.doc::text, s.user_id from unnest(", $users, ", ", $devices, ") as n (user_id, id)
             cross join lateral (select * from rescind.last_seen where user_id = n.user_id and id = n.id limit 1) s"
        )
    };
    // A promoted standby is on another timeline, and a database that was restored was started again.
    (store) => {
        "concat_ws(' ', founding::text, left(pg_walfile_name(pg_current_wal_lsn()), 8),
             extract(epoch from pg_postmaster_start_time()))"
    };
    (store and settings) => {
        concat!(
            "concat_ws(chr(10), ", part!(store),
            ", coalesce(current_setting('synchronous_standby_names', true), ''), coalesce(current_setting('synchronous_commit', true), ''))"
        )
    };
    (row store) => {
        concat!("select 'store', null, ", part!(store and settings), " from rescind.service")
    };
    (head) => {
        concat!("select 'head', null::uuid, ", part!(known counters), ", null::uuid, ", part!(store and settings), " ", part!(initialized))
    };
    (head and entries) => {
        concat!(
            part!(row counters ", null::uuid"),
            " union all select 'store', null, ", part!(store and settings), ", null ", part!(initialized),
            " union all (select 'entry', null, ", part!(entry ", null::uuid"),
            " where position > $1 order by position limit 1000)"
        )
    };
    (all service_keys) => {
        "doc::text from rescind.service_keys"
    };
    (all keys) => {
        "doc::text from rescind.keys"
    };
}

/// The store's stage: whether it is initialized, whether it is an unfinished copy, and where it was moved to.
pub(super) const STAGE: &str =
    "select founding is not null, copying is not null, moved->>'to' from rescind.service";

/// Locks a user. Every statement that locks users names its rows `locked`; one that locks something else, `held`.
pub(super) const LOCK_USER: SqlStatement = SqlStatement {
    name: "lock_user",
    text: "select 'locked', id from rescind.users where id = $1 for no key update",
    types: "uuid",
    plan: Plan::ByIndex,
};

/// Locks those of these users that nobody else has locked.
pub(super) const LOCK_USERS: SqlStatement = SqlStatement {
    name: "lock_users",
    text: "select 'locked', id from rescind.users where id = any($1) order by id for no key update skip locked",
    types: "uuid[]",
    plan: Plan::ByIndex,
};

pub(super) const LOCK_COUNTERS: &str = "select 'held' from rescind.service for update";

/// Locks the users with due expiry checks, in one order, so that two nodes that sweep do not wait for each other in a
/// circle.
pub(super) const LOCK_DUE_USERS: &str = concat!(
    "select 'locked', id from rescind.users where id in (
        select user_id from (select user_id from rescind.looks where at <= $1 ",
    part!(by_due),
    ") due
    ) order by id for no key update"
);

/// Locks a row that nobody ever changes, if the database waits for standbys: a commit that has locked nothing would not
/// wait for one.
pub(super) const LOCK_VERSION: SqlStatement = SqlStatement {
    name: "lock_version",
    text: "select 'held' from rescind.version where current_setting('synchronous_standby_names', true) <> '' for key share",
    types: "",
    plan: Plan::Any,
};

pub(super) const COUNTERS: &str =
    concat!(part!(row counters), " union all select 'identity', null, founding::text ", part!(initialized));

pub(super) const COUNTERS_AND_USER: SqlStatement = SqlStatement {
    name: "counters_and_user",
    text: concat!(part!(row counters), " union all ", part!(row user)),
    types: "uuid",
    plan: Plan::ByIndex,
};

pub(super) const COUNTERS_AND_USER_NAMED: SqlStatement = SqlStatement {
    name: "counters_and_user_named",
    text: concat!(
        part!(row counters),
        " union all select what, id, doc::text from rescind.users, (values ('listed'), ('user')) as twice (what) where name = $1"
    ),
    types: "text",
    plan: Plan::ByIndex,
};

/// Reads the counters, a user and a page of the user's live devices.
pub(super) const STANDING_DEVICES: &str = concat!(
    part!(row counters ", null"),
    " union all ",
    part!(row user ", null"),
    " union all (
        select 'listed', d.id, d.doc::text, s.doc::text
        from rescind.service c
        join rescind.users u on u.id = $1
        join rescind.devices d on d.user_id = u.id and d.era = c.era
            and d.generation = (u.doc->>'generation')::bigint
        left join rescind.last_seen s on s.user_id = d.user_id and s.id = d.id
        where not d.ended and d.id > $2 order by d.id limit $3)"
);

/// Reads the counters, and users and devices by their ids: what most steps need.
pub(super) const STANDINGS: SqlStatement = SqlStatement {
    name: "standings",
    text: concat!(part!(row counters ", null::uuid"), " union all ", part!(rows standings "$1" "$2")),
    types: "uuid[], uuid[]",
    plan: Plan::ByIndex,
};

/// Reads what [`STANDINGS`] reads, and when and from where each device was last heard of.
pub(super) const SEEN_STANDINGS: SqlStatement = SqlStatement {
    name: "seen_standings",
    text: concat!(part!(row counters ", null::uuid"), " union all ", part!(rows seen standings "$1" "$2")),
    types: "uuid[], uuid[]",
    plan: Plan::ByIndex,
};

/// Reads who has these usernames and these external ids: each in the fifth column of its user's row.
pub(super) const NEW_USERS: SqlStatement = SqlStatement {
    name: "new_users",
    text: "select 'by_name', u.id, u.doc::text, null::uuid, n.name from json_array_elements_text($1) as n (name)
        cross join lateral (select id, doc from rescind.users where name = n.name limit 1) u
        union all
        select 'by_external_id', u.id, u.doc::text, null, n.external_id from json_array_elements_text($2) as n (external_id)
        cross join lateral (select id, doc from rescind.users where external_id = n.external_id limit 1) u",
    types: "json, json",
    plan: Plan::ByIndex,
};

/// Reads the counters, and in a fifth column what [`STORE_AND_SETTINGS`] reads: what tells this store from another one or from another
/// time of its own. In one row, since it is what most checks wait for.
pub(super) const HEAD: SqlStatement =
    SqlStatement { name: "head", text: part!(head), types: "", plan: Plan::Any };

/// Reads what [`HEAD`] reads, and the entries of the log after a position.
pub(super) const HEAD_AND_ENTRIES: SqlStatement = SqlStatement {
    name: "head_and_entries",
    text: part!(head and entries),
    types: "bigint",
    plan: Plan::ByIndex,
};

/// Reads what [`HEAD_AND_ENTRIES`] reads, and users and devices by their ids, with when and from where each was last heard of.
pub(super) const HEAD_AND_STANDINGS: SqlStatement = SqlStatement {
    name: "head_and_standings",
    text: concat!(part!(head and entries), " union all ", part!(rows seen standings "$2" "$3")),
    types: "bigint, uuid[], uuid[]",
    plan: Plan::ByIndex,
};

/// Reads which store of which database this is, and the settings that decide whether a commit proves that it is the primary: as
/// [`StoreAndSettings::parse`](super::store_and_settings::StoreAndSettings::parse) takes them.
pub(super) const STORE_AND_SETTINGS: &str = part!(row store);

/// Reads what [`STORE_AND_SETTINGS`] reads, and locks a row that nobody ever changes, so that a commit has something to
/// confirm. Without that row there is no answer.
pub(super) const STORE_AND_SETTINGS_LOCKED: &str =
    concat!(part!(row store), ", (select from rescind.version where version = 1 for key share) locked");

/// Reads whether a server is in recovery, the session in which it says so, its address, and the host and port that it receives
/// from; that only for a role that has `pg_read_all_stats`.
pub(super) const RECOVERY: SqlStatement = SqlStatement {
    name: "recovery",
    text: "select pg_is_in_recovery(), pg_backend_pid() || ' ' || pg_postmaster_start_time(), host(inet_server_addr()),
        (select sender_host || ' ' || sender_port from pg_stat_wal_receiver)",
    types: "",
    plan: Plan::Any,
};

/// Reads the host and port of a server, and the names and addresses of those that receive from it; these only for a role that
/// has `pg_read_all_stats`.
pub(super) const RECEIVERS: &str =
    "select 'endpoint', null, host(inet_server_addr()) || ' ' || inet_server_port(), null
    union all select 'receiver', null, application_name, host(client_addr) from pg_stat_replication";

/// Reads the expiry checks that are due, of these users or of users that do not exist.
pub(super) const DUE: &str = concat!(
    "select 'listed', null::uuid, ",
    part!(expiry_check),
    " l where at <= $1 and (user_id = any($3) or not exists (select from rescind.users u where u.id = l.user_id)) ",
    part!(by_due)
);

pub(super) const ROLLED_BACK: &str = "select 'listed', null::uuid, rolled_back::text from rescind.service";

pub(super) const TOTALS: &str = concat!("select 'totals', null::uuid, ", part!(totals));

pub(super) const USER: &str = part!(row user);

pub(super) const USER_NAMED: &str = "select 'listed', id, doc::text from rescind.users where name = $1";

pub(super) const USER_WITH_EXTERNAL_ID: &str = "select what, id, doc::text from rescind.users, (values ('listed'), ('user')) as twice (what) where external_id = $1";

pub(super) const COUNTERS_AND_USERS: &str = concat!(
    part!(row counters),
    " union all (select 'listed', id, doc::text from rescind.users where name > $1 order by name limit $2)"
);

pub(super) const DEVICE: &str =
    "select 'device', id, doc::text, user_id from rescind.devices where user_id = $1 and id = $2";

pub(super) const DEVICES: &str = concat!(
    part!(rows devices),
    "era = $2 and generation = $3 and not ended and id > $4 order by id limit $5"
);

pub(super) const PAST_DEVICES: &str = concat!(
    part!(rows devices),
    "(ended or era <> $2 or generation <> $3) order by ended desc, era, generation, id limit $4"
);

/// Reads the oldest devices that have ended or were signed out everywhere. Each half is the beginning of an index.
pub(super) const OLDEST_PAST_DEVICES: &str =
    "(select 'listed', id, doc::text from rescind.devices where user_id = $1 and ended order by id limit $4)
     union all
     (select 'listed', id, doc::text from rescind.devices
      where user_id = $1 and (era, generation) < ($2, $3) and not ended order by era, generation, id limit $4)";

pub(super) const LAST_SEEN: &str =
    "select 'listed', id, doc::text from rescind.last_seen where user_id = $1 and id = $2";

pub(super) const KEYS: &str = concat!("select 'listed', null::uuid, ", part!(all keys), " order by kid");

pub(super) const SERVICE_KEY: &str = "select 'key', id, doc::text from rescind.service_keys where id = $1";

pub(super) const SERVICE_KEYS: &str =
    concat!("select 'listed', id, ", part!(all service_keys), " order by id");

pub(super) const LOG: &str =
    concat!("select 'listed', null::uuid, ", part!(entry), " where position > $1 order by position limit $2");

/// The query for all records of a kind, each as a JSON document.
pub(super) const fn all_of(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::StoreIdentity => concat!("select founding::text ", part!(initialized)),
        RecordKind::RolledBack => "select rolled_back::text from rescind.service where rolled_back",
        RecordKind::Counters => concat!("select ", part!(counters), " from rescind.service"),
        RecordKind::Totals => concat!("select ", part!(totals)),
        RecordKind::Key => concat!("select ", part!(all keys)),
        RecordKind::ServiceKey => concat!("select ", part!(all service_keys)),
        RecordKind::User => "select doc::text from rescind.users",
        RecordKind::Device => "select doc::text from rescind.devices where not ended",
        RecordKind::EndedDevice => "select doc::text from rescind.devices where ended",
        RecordKind::LastSeen => "select json_build_array(user_id, id, doc)::text from rescind.last_seen",
        RecordKind::ExpiryCheck => concat!("select ", part!(expiry_check)),
        RecordKind::Entry => concat!("select ", part!(entry)),
    }
}
