//! Tests of what is cached, and what ends it.

use super::*;
use crate::model::counters::{Era, KeysVersion};
use crate::model::timestamp::Timestamp;
use crate::store::postgres::store_and_settings::StoreAndSettings;

const ADA: (UserId, DeviceId) = (UserId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
const BOB: (UserId, DeviceId) = (UserId::from_bytes([3; 16]), DeviceId::from_bytes([4; 16]));

/// The head of the log at a position, with the entries that end a device of these users.
fn head(position: u64, ended: &[(u64, (UserId, DeviceId))]) -> LogHead {
    let entry = |(position, (user, device)): &(u64, (UserId, DeviceId))| Entry {
        position: Position::new(*position),
        at: Timestamp::from_unix(0),
        revocation: Revocation::Device { user: *user, device: *device },
    };
    let counters = Counters { head: Position::new(position), ..Counters::default() };
    LogHead { database: database("a store"), counters, entries: ended.iter().map(entry).collect() }
}

/// A database of a store.
fn database(store: &str) -> StoreAndSettings {
    StoreAndSettings { store: store.to_owned(), names: String::new(), commit: "on".to_owned() }
}

/// A cache at position 7 that knows both.
fn cache() -> StandingCache<&'static str> {
    let mut cache = StandingCache::new(100);
    assert!(!follow(&mut cache, &head(7, &[])));
    for whose in [ADA, BOB] {
        cache.insert(cache.sent(), &head(7, &[]), whose, "live");
    }
    assert!(knows(&cache, ADA) && knows(&cache, BOB));
    cache
}

/// Follows a head that a statement of this moment has read.
fn follow(cache: &mut StandingCache<&'static str>, head: &LogHead) -> bool {
    cache.follow(cache.sent(), head)
}

fn knows(cache: &StandingCache<&'static str>, (user, device): (UserId, DeviceId)) -> bool {
    let now = Instant::now();
    assert_eq!(cache.get(user, device, now).is_some(), cache.contains(user, device, now));
    cache.contains(user, device, now)
}

#[test]
fn an_entry_ends_what_is_cached_of_its_user() {
    let mut cache = cache();
    assert!(!follow(&mut cache, &head(8, &[(8, ADA)])));
    assert_eq!((knows(&cache, ADA), knows(&cache, BOB)), (false, true));
    assert_eq!(cache.applied(), Position::new(8));
}

#[test]
fn what_was_read_before_an_entry_and_arrives_after_it_is_not_cached() {
    let mut cache = cache();
    let sent = cache.sent();
    follow(&mut cache, &head(8, &[(8, ADA)]));
    cache.insert(sent, &head(7, &[]), ADA, "live");
    cache.insert(sent, &head(7, &[]), BOB, "live");
    assert_eq!((knows(&cache, ADA), knows(&cache, BOB)), (false, true));
    cache.insert(cache.sent(), &head(8, &[]), ADA, "live");
    assert!(knows(&cache, ADA));
}

#[test]
fn what_was_read_before_a_step_of_this_node_is_not_cached() {
    let mut cache = cache();
    let sent = cache.sent();
    cache.change([ADA.0]);
    cache.insert(sent, &head(7, &[]), ADA, "live");
    assert_eq!((knows(&cache, ADA), knows(&cache, BOB)), (false, true));
}

#[test]
fn what_was_read_before_more_changes_than_are_remembered_is_not_cached() {
    let mut cache = cache();
    let sent = cache.sent();
    (0..=CHANGES).for_each(|_| cache.change([BOB.0]));
    cache.change([ADA.0]);
    cache.insert(sent, &head(7, &[]), (UserId::from_bytes([9; 16]), ADA.1), "live");
    assert!(!knows(&cache, (UserId::from_bytes([9; 16]), ADA.1)));
}

#[test]
fn an_answer_that_was_overtaken_takes_nothing_back() {
    let mut cache = cache();
    let overtaken = cache.sent();
    follow(&mut cache, &head(8, &[(8, ADA)]));
    assert!(!cache.follow(overtaken, &head(7, &[])));
    assert_eq!(cache.applied(), Position::new(8));
    assert_eq!((knows(&cache, ADA), knows(&cache, BOB)), (false, true));
}

#[test]
fn a_log_that_went_back_empties_the_cache() {
    let mut cache = cache();
    assert!(follow(&mut cache, &head(6, &[])));
    assert!(!knows(&cache, ADA));
    assert_eq!(cache.applied(), Position::new(6));
}

#[test]
fn entries_that_are_not_all_there_are_empty_the_cache() {
    for (position, entries) in [(9, &[(9, BOB)][..]), (9, &[(8, BOB)]), (8, &[])] {
        let mut cache = cache();
        follow(&mut cache, &head(position, entries));
        assert!(!knows(&cache, ADA), "{position}");
        assert_eq!(cache.applied(), Position::new(position));
    }
}

#[test]
fn another_store_or_era_or_set_of_keys_empties_the_cache_also_of_what_is_still_read() {
    let counters = head(7, &[]).counters;
    let others = [
        (LogHead { database: database("another"), ..head(7, &[]) }, true),
        (LogHead { counters: Counters { era: Era::new(9), ..counters }, ..head(7, &[]) }, false),
        (LogHead { counters: Counters { keys: KeysVersion::new(9), ..counters }, ..head(7, &[]) }, false),
    ];
    for (other, is_another) in others {
        let mut cache = cache();
        let sent = cache.sent();
        assert_eq!(follow(&mut cache, &other), is_another);
        assert!(!knows(&cache, ADA));
        cache.insert(sent, &head(7, &[]), ADA, "live");
        cache.insert(sent, &other, BOB, "live");
        assert_eq!((knows(&cache, ADA), knows(&cache, BOB)), (false, false));
    }
}

#[test]
fn what_is_cached_is_bounded() {
    let mut cache = StandingCache::new(100);
    follow(&mut cache, &head(7, &[]));
    let device = |number: u32| DeviceId::from_bytes(u128::from(number).to_be_bytes());
    for number in 0..1_000 {
        cache.insert(cache.sent(), &head(7, &[]), (ADA.0, device(number)), "live");
        let user = UserId::from_bytes(u128::from(number).to_le_bytes());
        cache.insert(cache.sent(), &head(7, &[]), (user, ADA.1), "live");
    }
    let users = cache.users.as_ref().unwrap();
    let held: usize = users.iter().map(|(_, devices)| devices.len()).sum();
    assert!(held <= 100, "{held}");
    assert!(StandingCache::<&str>::new(0).users.is_none());
}
