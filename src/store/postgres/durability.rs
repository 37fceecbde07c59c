//! What the servers of a database say about what decides whether they keep what they acknowledge: settings, standbys, and
//! locks that others hold on the tables.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres::{Client, Config, Error};

use super::hosts;
use super::open::{ConnectParams, connect, connect_params};
use super::open_error::OpenError;

/// The settings that decide what a server keeps.
const SETTINGS: &str = "select name, setting, source from pg_settings where name in ('fsync', 'full_page_writes',
    'synchronous_commit', 'synchronous_standby_names', 'wal_level', 'data_checksums', 'default_transaction_isolation')";

/// What one server says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerReport {
    /// The host and port by which the connection string names the server.
    pub address: String,
    /// Whether the server is a standby.
    pub is_standby: bool,
    /// Settings by name, as a new session of this user has them. A server that only speaks the protocol need not have any.
    pub settings: BTreeMap<String, ServerSetting>,
    /// The standbys that are connected to the server.
    pub standbys: Vec<Standby>,
    /// Whether sessions of Patroni are connected.
    pub has_patroni: bool,
    /// The number of this user's commits that wait for a standby.
    pub waiting_commits: i64,
    /// Locks of others that steps or checks wait for.
    pub locks: Vec<TableLock>,
}

/// A setting of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSetting {
    /// The value.
    pub value: String,
    /// Where the value comes from, as in `pg_settings.source`.
    pub source: String,
}

/// A standby that is connected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standby {
    /// The name by which `synchronous_standby_names` means it.
    pub name: String,
    /// `streaming`, or `catchup`; `None` if this user may not know.
    pub state: Option<String>,
    /// `sync`, `quorum`, `potential` or `async`; `None` if this user may not know.
    pub sync_state: Option<String>,
    /// How many bytes of the write-ahead log it has not on its disk.
    pub behind: Option<i64>,
}

/// A lock on tables of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableLock {
    /// The process that holds it.
    pub pid: i32,
    /// The name of the program, as it says itself.
    pub program: String,
    /// The tables.
    pub tables: String,
    /// Whether not even checks get past it.
    pub stops_reads: bool,
}

/// Asks each server that the connection string `url` names. The primary alone decides what is acknowledged; what a standby
/// is set to holds once it is promoted.
pub async fn ask(
    url: &str,
    authority: Option<&Path>,
) -> Result<Vec<Result<ServerReport, (String, OpenError)>>, OpenError> {
    let ConnectParams { config, tls } = connect_params(url, authority, "rescind doctor")?;
    let mut reports = Vec::new();
    for (address, config) in each_server(&config) {
        let params = ConnectParams { config, tls: tls.clone() };
        reports.push(ask_one(&params, &address).await.map_err(|error| (address, error)));
    }
    Ok(reports)
}

/// The machines that the connection string `url` names, by address or name and each once. A socket in the file system is on
/// this one.
pub fn machines(url: &str, authority: Option<&Path>) -> Result<Vec<String>, OpenError> {
    let ConnectParams { config, .. } = connect_params(url, authority, "rescind doctor")?;
    let mut machines = Vec::new();
    for server in hosts::each_host(&config) {
        let machine = match (server.get_hostaddrs().first(), server.get_hosts().first()) {
            (Some(address), _) => address.to_string(),
            (None, Some(Host::Tcp(name))) => name.clone(),
            (None, Some(Host::Unix(_)) | None) => Ipv4Addr::LOCALHOST.to_string(),
        };
        if !machines.contains(&machine) {
            machines.push(machine);
        }
    }
    Ok(machines)
}

/// The parameters of a connection to each server alone, with its address.
fn each_server(config: &Config) -> Vec<(String, Config)> {
    let server = |mut config: Config| {
        let (host, port) = hosts::host_and_port(&config);
        config.target_session_attrs(TargetSessionAttrs::Any);
        (format!("{host}:{port}"), config)
    };
    hosts::each_host(config).into_iter().map(server).collect()
}

async fn ask_one(params: &ConnectParams, address: &str) -> Result<ServerReport, OpenError> {
    let (client, connection) = connect(params).await?;
    let driver = tokio::spawn(connection);
    let mut report = ServerReport { address: address.to_owned(), ..ServerReport::default() };
    // What a server does not know is not reported: a pooler, or a database that only speaks the protocol.
    let _unknown = fill(&mut report, &client).await;
    drop(client);
    let _ = driver.await;
    Ok(report)
}

async fn fill(report: &mut ServerReport, client: &Client) -> Result<(), Error> {
    for row in client.query_typed(SETTINGS, &[]).await? {
        report
            .settings
            .insert(row.try_get(0)?, ServerSetting { value: row.try_get(1)?, source: row.try_get(2)? });
    }
    let state = "select pg_is_in_recovery(),
        exists (select from pg_stat_activity where application_name like 'Patroni%'),
        (select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'SyncRep')";
    let row = client.query_typed_one(state, &[]).await?;
    (report.is_standby, report.has_patroni) = (row.try_get(0)?, row.try_get(1)?);
    report.waiting_commits = row.try_get(2)?;
    // A copy that is being made is no standby yet.
    let standbys = "select coalesce(application_name, ''), state, sync_state, pg_wal_lsn_diff(
            case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end,
            coalesce(flush_lsn, sent_lsn))::bigint
        from pg_stat_replication where state is distinct from 'backup' order by 1";
    for row in client.query_typed(standbys, &[]).await? {
        let (name, state, sync_state, behind) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        report.standbys.push(Standby { name, state, sync_state, behind });
    }
    let locks = "select l.pid, coalesce(max(a.application_name), ''), string_agg(distinct c.relname, ', ' order by c.relname),
            bool_or(l.mode = 'AccessExclusiveLock')
        from pg_locks l
        join pg_class c on c.oid = l.relation
        join pg_namespace n on n.oid = c.relnamespace
        left join pg_stat_activity a on a.pid = l.pid
        where l.granted and l.pid <> pg_backend_pid() and n.nspname = 'rescind'
            and l.database = (select oid from pg_database where datname = current_database())
            and l.mode in ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock')
        group by l.pid order by l.pid";
    for row in client.query_typed(locks, &[]).await? {
        let (pid, program, tables, stops_reads) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        report.locks.push(TableLock { pid, program, tables, stops_reads });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_is_asked_by_itself() {
        let config: Config = "postgres://ada:secret@one,two:6000/rescind".parse().unwrap();
        let servers = each_server(&config);
        assert_eq!(
            servers.iter().map(|(address, _)| address.as_str()).collect::<Vec<_>>(),
            ["one:5432", "two:6000"]
        );
        for (_, server) in servers {
            assert_eq!((server.get_hosts().len(), server.get_user()), (1, Some("ada")));
            assert_eq!(server.get_dbname(), Some("rescind"));
        }
    }

    #[test]
    fn every_machine_is_named_once() {
        for (url, expected) in [
            ("postgres://one,two:6000,one:6001/rescind", &["one", "two"][..]),
            (
                "host=db-1,db-2 hostaddr=10.0.0.1,10.0.0.2 dbname=rescind sslmode=disable",
                &["10.0.0.1", "10.0.0.2"],
            ),
            ("host=/run/postgresql dbname=rescind", &["127.0.0.1"]),
        ] {
            assert_eq!(machines(url, None).unwrap(), expected, "{url}");
        }
    }
}
