//! Clauses on the initialization and on the keys of the service.

use rescind::model::counters::KeysVersion;
use rescind::model::ids::StoreId;
use rescind::model::key::{KeyRecord, KeyState, Kid, Purpose};
use rescind::model::names::Names;
use rescind::model::revocation::Revocation;
use rescind::model::service_key::{Scope, ServiceKeyRecord};
use rescind::model::verdict::{Reason, Verdict};
use rescind::store::StoreIdentity;
use rescind::store::queries::keys::{FindServiceKey, ListServiceKeys, ReadKeySet};
use rescind::store::queries::service::{ReadCounters, ReadStoreIdentity};
use rescind::store::steps::initialize::{Initialize, Initialized};
use rescind::store::steps::restore::Restore;
use rescind::store::steps::save_keys::{KeysSaved, SaveKeys};
use rescind::store::steps::service_keys::{AddServiceKey, RemoveServiceKey};
use rescind::store::steps::use_names::UseNames;

use crate::service::{MINUTE, Service};

pub(crate) async fn initialized_once(mut service: Service) {
    let first = service.store().read(ReadStoreIdentity).await.unwrap().unwrap();
    let counters = service.store().read(ReadCounters).await.unwrap();
    assert_eq!(i64::try_from(counters.era.value()).unwrap(), first.at.unix());
    service.reopen().await;
    let other = StoreIdentity { store: service.world.store_id(), ..first.clone() };
    let again = Initialize { identity: other, keys: vec![key(&service, 'a', KeyState::Active)] };
    assert_eq!(service.store().run(again).await.unwrap(), Initialized::Before(first.clone()));
    assert_eq!(service.store().read(ReadStoreIdentity).await.unwrap(), Some(first));
    assert_eq!(service.store().read(ReadCounters).await.unwrap(), counters);
    assert_eq!(service.store().read(ReadKeySet).await.unwrap().keys, []);
}

pub(crate) async fn restored_it_is_another_store_in_which_nobody_is_signed_in(mut service: Service) {
    let (first, phone) =
        (service.store().read(ReadStoreIdentity).await.unwrap().unwrap(), service.register("ada").await);
    let id = service.world.store_id();
    let restored = service.store().run(restore(&service, id, vec![])).await.unwrap();
    let era = restored.era;
    assert_eq!(service.verdict(&phone.access).await, Verdict::Ended(Reason::Reset));
    assert_eq!(service.log().await.first().unwrap().revocation, Revocation::Era(era));
    service.reopen().await;
    assert_eq!(
        service.store().read(ReadStoreIdentity).await.unwrap(),
        Some(StoreIdentity { store: id, ..first })
    );
    assert_eq!(service.store().read(ReadCounters).await.unwrap().era, era);
    assert_eq!(service.verdict(&phone.access).await, Verdict::Ended(Reason::Reset));
    let again = service.sign_in(phone.user()).await;
    assert_eq!(service.verdict(&again.access).await, Verdict::Live);
}

fn restore(service: &Service, store: StoreId, keys: Vec<KeyRecord>) -> Restore {
    Restore { store, names: None, keys, keep_service_keys: false, now: service.now() }
}

/// A key distrusted after the copy was made cannot be told from the others: a restored store trusts none of them.
pub(crate) async fn restored_it_trusts_no_key_of_the_copy(mut service: Service) {
    let read = service.store().read(ReadKeySet).await.unwrap().version;
    let [active, retired] =
        [('b', KeyState::Active), ('a', KeyState::Retired { until: service.now() + MINUTE })]
            .map(|(letter, state)| key(&service, letter, state));
    let (put, now) = (vec![active.clone(), retired.clone()], service.now());
    let saved = SaveKeys { read, put, drop: vec![], distrusted: None, now };
    service.store().run(saved).await.unwrap();
    let credential = ServiceKeyRecord {
        id: service.world.service_key_id(),
        name: "orders".to_owned(),
        scopes: vec![Scope::Feed],
        digest: [7; 32],
        created: service.now(),
    };
    service.store().run(AddServiceKey { key: credential.clone() }).await.unwrap();

    let kept = Restore { keep_service_keys: true, ..restore(&service, service.world.store_id(), vec![]) };
    let restored = service.store().run(kept).await.unwrap();
    let all = vec![credential.clone()];
    assert_eq!(
        (restored.service_keys, service.store().read(ListServiceKeys).await.unwrap()),
        (all.clone(), all)
    );

    let new = key(&service, 'c', KeyState::Active);
    let request = restore(&service, service.world.store_id(), vec![new.clone()]);
    let restored = service.store().run(request).await.unwrap();
    assert_eq!((restored.distrusted, restored.service_keys), (vec![], vec![credential]));
    service.reopen().await;
    let set = service.store().read(ReadKeySet).await.unwrap();
    assert!(set.version > read.next(), "who holds the old set has to read it again");
    let mut keys: Vec<_> = set.keys.into_iter().map(|key| (key.kid, key.state)).collect();
    keys.sort_by(|one, other| one.0.cmp(&other.0));
    let distrusted = |key: KeyRecord| (key.kid, KeyState::Distrusted);
    assert_eq!(keys, [distrusted(retired), distrusted(active), (new.kid, KeyState::Active)]);
    assert_eq!(service.store().read(ListServiceKeys).await.unwrap(), []);
}

pub(crate) async fn names_of_tokens_are_remembered(mut service: Service) {
    let first = service.store().read(ReadStoreIdentity).await.unwrap().unwrap();
    let names = |issuer: &str| Names { issuer: issuer.to_owned(), audience: "api".to_owned() };
    let (version, now) = (service.store().read(ReadKeySet).await.unwrap().version, service.now());
    for issuer in ["one", "one", "two", "one"] {
        service.store().run(UseNames { names: names(issuer), now }).await.unwrap();
    }
    service.reopen().await;
    let identity = service.store().read(ReadStoreIdentity).await.unwrap().unwrap();
    assert_eq!(identity.names, [names("two"), names("one")]);
    assert_eq!((identity.present(), identity.store), (names("one"), first.store));
    assert_eq!(identity.all_names().len(), 3);
    let changed = service.store().read(ReadKeySet).await.unwrap().version;
    assert_eq!(changed, version.next().next().next(), "what is as it was tells nobody anything");
    for number in 0..20 {
        service.store().run(UseNames { names: names(&number.to_string()), now }).await.unwrap();
    }
    let identity = service.store().read(ReadStoreIdentity).await.unwrap().unwrap();
    assert_eq!((identity.names.len(), identity.present()), (8, names("19")));
    let first = Names { issuer: first.issuer, audience: first.audience };
    service.store().run(UseNames { names: first.clone(), now }).await.unwrap();
    assert_eq!(service.store().read(ReadStoreIdentity).await.unwrap().unwrap().present(), first);
}

pub(crate) async fn keys_change_only_from_the_version_read(mut service: Service) {
    let read = service.store().read(ReadKeySet).await.unwrap().version;
    let first = key(&service, 'b', KeyState::Active);
    service.pass(MINUTE);
    let second = key(&service, 'a', KeyState::Next);
    let put = |read, put: Vec<KeyRecord>| SaveKeys {
        read,
        put,
        drop: vec![],
        distrusted: None,
        now: service.now(),
    };
    let saved = service.store().run(put(read, vec![second.clone(), first.clone()])).await.unwrap();
    assert_eq!(saved, KeysSaved::Saved(read.next()));
    let late = put(read, vec![key(&service, 'c', KeyState::Active)]);
    assert_eq!(service.store().run(late).await.unwrap(), KeysSaved::Stale);
    service.reopen().await;

    let set = service.store().read(ReadKeySet).await.unwrap();
    assert_eq!(
        (set.version, set.keys),
        (read.next(), vec![first.clone(), second.clone()]),
        "the oldest first"
    );
    let distrusted = KeyRecord { state: KeyState::Distrusted, ..second.clone() };
    let (kid, now) = (second.kid.clone(), service.now());
    let change = SaveKeys {
        read: set.version,
        put: vec![distrusted.clone()],
        drop: vec![first.kid],
        distrusted: Some(kid.clone()),
        now,
    };
    let version = KeysVersion::new(read.value() + 2);
    assert_eq!(service.store().run(change).await.unwrap(), KeysSaved::Saved(version));
    assert_eq!(service.store().read(ReadKeySet).await.unwrap().keys, [distrusted]);
    assert_eq!(service.store().read(ReadCounters).await.unwrap().keys, version);
    let log: Vec<_> = service.log().await.into_iter().map(|entry| entry.revocation).collect();
    let first_change = Revocation::Keys { version: read.next(), distrusted: None };
    assert_eq!(log, [first_change, Revocation::Keys { version, distrusted: Some(kid) }]);
}

fn key(service: &Service, mark: char, state: KeyState) -> KeyRecord {
    let kid = Kid::parse(&format!("k4.pid.{}", mark.to_string().repeat(44))).unwrap();
    let sealed = "v4.local.sealed".to_owned();
    KeyRecord { kid, purpose: Purpose::Access, state, created: service.now(), sealed }
}

pub(crate) async fn service_keys_come_and_go(mut service: Service) {
    let mut added = Vec::new();
    for name in ["shop", "admin tool"] {
        let key = ServiceKeyRecord {
            id: service.world.service_key_id(),
            name: name.to_owned(),
            scopes: vec![Scope::Introspect, Scope::Admin],
            digest: service.world.random(),
            created: service.now(),
        };
        service.store().run(AddServiceKey { key: key.clone() }).await.unwrap();
        service.pass(MINUTE);
        added.push(key);
    }
    service.reopen().await;
    assert_eq!(service.store().read(ListServiceKeys).await.unwrap(), added, "the oldest first");
    assert!(service.store().run(RemoveServiceKey { id: added[0].id }).await.unwrap());
    assert!(!service.store().run(RemoveServiceKey { id: added[0].id }).await.unwrap());
    service.reopen().await;
    assert_eq!(service.store().read(FindServiceKey { id: added[0].id }).await.unwrap(), None);
    assert_eq!(
        service.store().read(FindServiceKey { id: added[1].id }).await.unwrap().as_ref(),
        Some(&added[1])
    );
}
