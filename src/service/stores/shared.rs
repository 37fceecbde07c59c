//! The shared store, opened as the settings say, and what its servers say of themselves.

use std::sync::Arc;

use super::mode::Mode;
use crate::metrics::Metrics;
use crate::model::timestamp::Timestamp;
use crate::service::error::OpenError;
use crate::settings::{Settings, StoreUrl};
use crate::store::postgres::durability::{self, ServerReport};
use crate::store::postgres::{Basis, Checked, Grouped, Observed, OpenMode, Options, Postgres};
use crate::store::{Store, StoreError, StoreTime};
use crate::world::reference::ReferenceClock;

/// What the servers of the shared store that the settings name say about their durability, or why they say nothing; empty
/// for an embedded store.
pub async fn durability(
    settings: &Settings,
) -> Result<Vec<Result<ServerReport, (String, OpenError)>>, OpenError> {
    let Some(url) = &settings.store else { return Ok(Vec::new()) };
    let reports = durability::ask(url.reveal(), settings.store_ca_file.as_deref()).await?;
    Ok(reports.into_iter().map(|report| report.map_err(|(address, error)| (address, error.into()))).collect())
}

/// The machines of the shared store that the settings name; none for an embedded store.
pub fn database_machines(settings: &Settings) -> Result<Vec<String>, OpenError> {
    let Some(url) = &settings.store else { return Ok(Vec::new()) };
    Ok(durability::machines(url.reveal(), settings.store_ca_file.as_deref())?)
}

fn options(settings: &Settings) -> Options {
    Options {
        connections: settings.store_connections,
        read_budget: settings.store_read_budget,
        step_budget: settings.store_step_budget,
        authority: settings.store_ca_file.clone(),
        cached_standings: settings.store_cached_devices,
        ..Options::default()
    }
}

/// The options of a shared store that is neither read nor written while the clock here is wrong.
pub(super) fn clocked_options(settings: &Settings, clock: &Arc<ReferenceClock>) -> Options {
    let clock = Arc::clone(clock);
    let right = Box::new(move || clock.check().map_err(|apart| StoreError::WrongClock(apart.to_string())));
    Options { clock: right, ..options(settings) }
}

/// Opens the store for the service.
pub(super) async fn open(
    settings: &Settings,
    url: &StoreUrl,
    mode: Mode,
    metrics: &Arc<Metrics>,
    clock: &Arc<ReferenceClock>,
) -> Result<Store, OpenError> {
    let mode = match mode {
        Mode::Initialize => OpenMode::Create,
        Mode::Existing => OpenMode::Existing,
    };
    let [of_requests, of_groups, of_checks] = std::array::from_fn(|_| Arc::clone(metrics));
    let observer = Box::new(move |observed: Observed| {
        of_requests.database.asked(observed.what, observed.took, observed.connections, observed.waiting);
    });
    let group_observer =
        Arc::new(move |group: Grouped| of_groups.database.grouped(group.what, group.requests));
    let check_observer = Arc::new(move |checked: Checked| {
        of_checks.database.checked(checked.cached, checked.read, checked.another);
        if let Some((age, basis)) = checked.proof {
            let kind = match basis {
                Basis::Commit => "commit",
                Basis::Recovery => "recovery",
            };
            of_checks.database.proven(kind, age);
        }
    });
    let options = Options {
        observer,
        group_observer,
        check_observer,
        proof_of_primacy: settings.proof_of_primacy,
        ..clocked_options(settings, clock)
    };
    Ok(Store::new(Arc::new(Postgres::connect(url.reveal(), options, mode).await?)))
}

/// Opens the store, which has to exist.
pub(super) async fn existing(settings: &Settings, url: &StoreUrl) -> Result<Postgres, OpenError> {
    Ok(Postgres::connect(url.reveal(), options(settings), OpenMode::Existing).await?)
}

/// The store, and the time of its database in Unix seconds.
pub(super) async fn with_time(engine: Postgres) -> Result<(Store, Option<i64>), OpenError> {
    let store = Store::new(Arc::new(engine));
    let time = match store.time().await? {
        StoreTime::Database(now) => Some(now.div_euclid(1000)),
        StoreTime::Recorded(newest) => newest.map(Timestamp::unix),
    };
    Ok((store, time))
}
