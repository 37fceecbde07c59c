//! The embedded store, opened as the settings say.

use std::sync::Arc;

use super::mode::Mode;
use crate::metrics::Metrics;
use crate::model::timestamp::Timestamp;
use crate::service::error::OpenError;
use crate::settings::Settings;
use crate::store::Store;
use crate::store::sled::committer::{Commit, Hooks};
use crate::store::sled::{OpenMode, Options, Sled};

fn options(settings: &Settings) -> Options {
    Options {
        cache_bytes: settings.store_cache,
        reserve_bytes: settings.free_space_reserve,
        ..Options::default()
    }
}

/// Opens the store for the service.
pub(super) fn open(settings: &Settings, mode: Mode, metrics: &Arc<Metrics>) -> Result<Store, OpenError> {
    let mode = match mode {
        Mode::Initialize => OpenMode::Create,
        Mode::Existing => OpenMode::Existing,
    };
    let metrics = Arc::clone(metrics);
    let observer = Box::new(move |commit: Commit| {
        if let Some(sync) = commit.sync {
            metrics.committed(commit.steps, sync);
        }
    });
    let options = Options { hooks: Hooks { observer, ..Hooks::default() }, ..options(settings) };
    Ok(Store::new(Arc::new(Sled::open(&settings.data, options, mode)?)))
}

/// Opens the store, which has to exist.
pub(super) fn existing(settings: &Settings) -> Result<Sled, OpenError> {
    Ok(Sled::open(&settings.data, options(settings), OpenMode::Existing)?)
}

/// The store, and the newest time in any record of it, in Unix seconds.
pub(super) fn with_time(engine: Sled) -> (Store, Option<i64>) {
    let newest = engine.newest_record().map(Timestamp::unix);
    (Store::new(Arc::new(engine)), newest)
}
