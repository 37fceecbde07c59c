//! `rescind store restored`: turns a store that was restored from a copy into a new store, in which nothing that ended is
//! revived.

use std::sync::Arc;

use super::clocks::compare_clocks;
use super::error::OpenError;
use super::master_key;
use super::stores::open_copy;
use crate::issuer::signing_keys::first_keys;
use crate::model::counters::Era;
use crate::model::ids::StoreId;
pub use crate::model::key::Kid;
use crate::model::names::Names;
pub use crate::model::service_key::ServiceKeyRecord;
use crate::model::timestamp::Timestamp;
use crate::settings::Settings;
use crate::store::queries::keys::{KeySet, ReadKeySet};
use crate::store::queries::service::ReadStoreIdentity;
use crate::store::queries::users::ListUsers;
use crate::store::steps::restore::{self, Restore};
use crate::store::{Store, StoreError};
use crate::token::keyring::Keyring;
use crate::world::World;
use crate::world::reference::ReferenceClock;

/// The result of [`restored`].
#[derive(Clone, Debug)]
pub struct RestoredStore {
    /// The new id of the store.
    pub store: StoreId,
    /// The new era, which ended every token of the copy.
    pub era: Era,
    /// The issuer in the tokens of the store, by which followers know it.
    pub issuer: String,
    /// Whether the copy had this issuer, too: followers of the original accept the store.
    pub keeps_names: bool,
    /// The signing keys of the copy, which are distrusted now.
    pub distrusted: Vec<Kid>,
    /// The new signing keys.
    pub made: Vec<Kid>,
    /// The service keys of the copy.
    pub service_keys: Vec<ServiceKeyRecord>,
    /// Whether the service keys were kept.
    pub kept: bool,
    /// The newest time in any record of the copy, after which everything is lost; `None` without such a record.
    pub newest: Option<Timestamp>,
    /// The number of users in the copy.
    pub users: u64,
    /// The number of those users that are disabled.
    pub disabled: u64,
}

/// Turns the store that the settings name, restored from a copy, into a new store: a new id, a new era, new signing
/// keys and, unless they are to be kept, no service keys.
pub async fn restored(
    settings: &Settings,
    world: &World,
    keep_service_keys: bool,
) -> Result<RestoredStore, OpenError> {
    let clock = Arc::new(ReferenceClock::start(world.clone()));
    let (opened, newest) = open_copy(settings, &clock).await?;
    compare_clocks(&opened, &clock).await?;
    let master = master_key::read(settings)?;
    // New keys that are sealed under another master key than the old ones would make a store that does not open.
    let KeySet { version, keys } = opened.read(ReadKeySet).await?;
    // An era is a time that has not been before: also not while a clock was ahead.
    let now = clock.latest();
    Keyring::open(version, &keys, &master, "", "", now).map_err(|error| OpenError::Keys(error.into()))?;
    let (users, disabled) = counted(&opened).await?;
    let keys = first_keys(&master, now).map_err(OpenError::Keys)?;
    let made = keys.iter().map(|key| key.kid.clone()).collect();
    let store = world.store_id();
    let identity = opened.read(ReadStoreIdentity).await?;
    let present = identity.ok_or_else(|| StoreError::Corrupt("its identity is gone".to_owned()))?.present();
    let names = Names {
        issuer: settings.issuer.clone().unwrap_or_else(|| present.issuer.clone()),
        audience: settings.audience.clone().unwrap_or_else(|| present.audience.clone()),
    };
    let (issuer, keeps_names) = (names.issuer.clone(), names == present);
    let request = Restore { store, names: Some(names), keys, keep_service_keys, now };
    let restore::Restored { era, distrusted, service_keys } = opened.run(request).await?;
    let kept = keep_service_keys;
    Ok(RestoredStore {
        store,
        era,
        issuer,
        keeps_names,
        distrusted,
        made,
        service_keys,
        kept,
        newest,
        users,
        disabled,
    })
}

/// Counts all users and the disabled ones.
async fn counted(store: &Store) -> Result<(u64, u64), OpenError> {
    let (mut users, mut disabled, mut after) = (0, 0, None);
    loop {
        let page = store.read(ListUsers { after: after.clone(), limit: 1_000 }).await?;
        let Some(last) = page.last() else { return Ok((users, disabled)) };
        after = Some(last.user.username.key().to_owned());
        for listed in &page {
            users += 1;
            disabled += u64::from(listed.user.disabled.is_some());
        }
    }
}

#[cfg(test)]
#[cfg(feature = "sled")]
mod tests {
    use super::*;
    use crate::service::{Mode, Service};

    const ORIGINAL: &str = "https://original.example";
    const COPY: &str = "https://copy.example";

    /// The issuers that a store publishes after it was served as [`ORIGINAL`] and as `before`, and restored as `then`.
    async fn published(before: Option<&str>, then: Option<&str>) -> Vec<String> {
        published_after(before, &[then]).await.0
    }

    /// The issuers that a store publishes after it was served as [`ORIGINAL`] and as `before`, and restored by a run of
    /// the command for each of `runs`; and whether each of these kept the names.
    async fn published_after(before: Option<&str>, runs: &[Option<&str>]) -> (Vec<String>, Vec<bool>) {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let settings = |issuer: Option<&str>| {
            let mut settings = Settings::with(&[("data", data.to_str().unwrap())]).unwrap();
            settings.issuer = issuer.map(ToOwned::to_owned);
            settings
        };
        let world = World::manual(Timestamp::from_unix(1_800_000_000), 7).0;
        let serve =
            async |issuer| Service::open(&settings(issuer), world.clone(), Mode::Initialize, ORIGINAL).await;
        drop(serve(None).await.unwrap());
        drop(serve(before).await.unwrap());
        let (mut kept, mut last) = (Vec::new(), None);
        for run in runs {
            let done = restored(&settings(*run), &world, false).await.unwrap();
            kept.push(done.keeps_names);
            last = *run;
        }
        let names = serve(last).await.unwrap().components.keys.public().await.unwrap().names;
        (names.into_iter().map(|names| names.issuer).collect(), kept)
    }

    /// A verifier that expects the original accepts every store that publishes its names.
    #[tokio::test]
    async fn a_copy_that_is_restored_under_a_name_of_its_own_publishes_none_of_the_original() {
        assert_eq!(published(None, Some(COPY)).await, [COPY]);
        assert_eq!(published(Some("https://moved.example"), Some(COPY)).await, [COPY]);
    }

    #[tokio::test]
    async fn a_store_that_is_restored_in_its_place_keeps_its_former_names() {
        let moved = "https://moved.example";
        assert_eq!(published(Some(moved), Some(moved)).await, [moved, ORIGINAL]);
        assert_eq!(published(Some(moved), None).await, [ORIGINAL, moved]);
    }

    /// What the command advises where the names are kept and the original runs on.
    #[tokio::test]
    async fn a_copy_is_renamed_by_a_second_run_before_it_is_served() {
        let (published, kept) = published_after(None, &[None, Some(COPY)]).await;
        assert_eq!((published, kept), (vec![COPY.to_owned()], vec![true, false]));
    }
}
