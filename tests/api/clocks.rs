//! Wrong clocks: they end or delete nothing for good and sign nobody out, and what was written under a wrong clock is
//! kept no longer than anything else.

use std::time::Duration;

use rescind::model::timestamp::Timestamp;
use rescind::store::StoreError;

use crate::actors::{Device, PASSWORD};
use crate::service::{START, Service};
use crate::store::Mood;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The positions of the entries that a new follower receives.
async fn kept(service: &Service) -> Vec<u64> {
    let first = service.follower().await.listen(None).await.frame().await;
    first.entries.iter().map(|entry| entry.position.value()).collect()
}

/// Runs housekeeping while the clock shows `there`, then sets the clock right and runs it again.
async fn sweeps_at(service: &Service, there: Timestamp) {
    let right = service.now();
    service.clock.set(there);
    for _ in 0..3 {
        service.look_and_sweep().await;
    }
    service.clock.set(right);
    service.look_and_sweep().await;
}

#[tokio::test]
async fn a_clock_that_jumps_drops_no_entry_of_the_log() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    phone.logout_all().await.ok();
    service.look_and_sweep().await;
    for jump in [70 * MINUTE, DAY, 400 * DAY] {
        sweeps_at(&service, service.now() + jump).await;
        sweeps_at(&service, service.now() - jump).await;
        assert_eq!(kept(&service).await, [1], "{jump:?}");
    }
    service.pass(65 * 60);
    service.look_and_sweep().await;
    assert_eq!(kept(&service).await, [0; 0], "65 minutes it has seen pass");
}

#[tokio::test]
async fn a_process_that_starts_with_a_clock_ahead_drops_no_entry_of_the_log() {
    let service = Service::start().await;
    service.phone("ada").await.logout_all().await.ok();
    service.look_and_sweep().await;
    service.pass(64 * 60);
    service.clock.set(service.now() + 70 * MINUTE);
    let other = service.again(|_| {}).await;
    other.look_and_sweep().await;
    other.pass(64 * 60);
    other.look_and_sweep().await;
    assert_eq!(kept(&other).await, [1], "for it the 65 minutes began when it started");
}

#[tokio::test]
async fn an_entry_dated_ahead_stops_no_sweep() {
    let service = Service::start().await;
    service.clock.set(START + 365 * DAY);
    service.phone("ada").await.logout_all().await.ok();
    service.clock.set(START);
    service.phone("bob").await.logout_all().await.ok();
    service.look_and_sweep().await;
    assert_eq!(kept(&service).await, [1, 2]);
    service.pass(65 * 60);
    service.look_and_sweep().await;
    assert_eq!(kept(&service).await, [0; 0]);
}

#[tokio::test]
async fn forty_days_ahead_for_a_while_sign_nobody_out() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    let server = service.resource_server().await;
    service.clock.set(START + 40 * DAY);
    service.look_and_sweep().await;
    phone.me().await.refused("token_expired");
    for answer in [phone.present_refresh().await, server.introspect(&phone.refresh).await] {
        answer.refused("unavailable");
    }
    service.clock.set(START);
    service.look_and_sweep().await;
    phone.works().await;
    let laptop = service.laptop("ada").await.get("/api/v1/devices").send().await.ok();
    assert_eq!(laptop["results"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_process_that_starts_forty_days_ahead_of_the_records_ends_nothing_for_good() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    service.store.has_on_record(START);
    service.clock.set(START + 40 * DAY);
    let ahead = service.again(|_| {}).await;
    for _ in 0..3 {
        ahead.look_and_sweep().await;
    }
    service.clock.set(START);
    phone.works().await;
}

/// After the machine was off its clock is right, and after a day even the sweep trusts it.
#[tokio::test]
async fn a_machine_that_was_off_for_long_is_swept_after_a_day() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    service.store.has_on_record(START);
    service.clock.set(START + 40 * DAY);
    let again = service.again(|_| {}).await;
    let phone = Device { someone: again.anonymous(), ..phone };
    phone.present_refresh().await.refused("signed_out");
    assert_eq!(again.store.live_devices().await, 1);
    for _ in 0..24 {
        again.pass(60 * 60);
        again.look_and_sweep().await;
    }
    assert_eq!(again.store.live_devices().await, 0);
}

#[tokio::test]
async fn a_token_from_the_future_asks_for_a_refresh_and_signs_nobody_out() {
    let service = Service::start().await;
    service.clock.set(START + HOUR);
    let mut phone = service.phone("ada").await;
    let gone = service.laptop("ada").await;
    gone.logout().await.ok();
    let server = service.resource_server().await;
    service.clock.set(START);
    phone.me().await.refused("token_expired");
    gone.me().await.refused("signed_out");
    assert_eq!(server.introspect(&phone.access).await.ok()["active"], false);
    phone.works_after_renewal().await;
}

#[tokio::test]
async fn devices_signed_in_while_the_clock_was_behind_last_once_it_is_set() {
    let service = Service::start().await;
    service.store.has_on_record(START);
    service.clock.set(START - 60 * DAY);
    let behind = service.again(|_| {}).await;
    let mut phone = behind.phone("ada").await;
    let mut laptop = behind.laptop("ada").await;
    laptop.renew().await;
    service.clock.set(START);
    behind.look_and_sweep().await;
    phone.works_after_renewal().await;
    laptop.works_after_renewal().await;
}

/// Once the clock has been right for a day, a refresh gives the device the end that it would have had.
#[tokio::test]
async fn a_device_signed_in_while_the_clock_was_a_year_ahead_lasts_no_longer_than_another() {
    let service = Service::start().await;
    service.clock.set(START + 365 * DAY);
    let phone = service.phone("ada").await;
    service.clock.set(START);
    service.store.has_on_record(START + 365 * DAY);
    let again = service.again(|_| {}).await;
    let mut phone = Device { someone: again.anonymous(), ..phone };
    phone.renew().await;
    let administrator = again.administrator().await;
    let end = async || {
        let devices = administrator.get("/api/v1/admin/users/ada/devices").send().await.ok();
        devices["results"][0]["absolute_end"].as_str().unwrap().to_owned()
    };
    assert_eq!(end().await, (START + (365 + 180) * DAY).rfc3339(), "nobody knows yet which clock is right");
    for _ in 0..24 {
        again.pass(60 * 60);
        again.look_and_sweep().await;
    }
    phone.works_after_renewal().await;
    assert_eq!(end().await, (START + (1 + 180) * DAY).rfc3339());
    again.pass(24 * 60 * 60);
    phone.works_after_renewal().await;
    assert_eq!(end().await, (START + (1 + 180) * DAY).rfc3339(), "it is corrected once");
    phone.works().await;
}

#[tokio::test]
async fn a_device_that_ran_out_before_the_clock_jumped_or_by_no_jump_is_signed_out() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    let end = START + 30 * DAY;
    service.pass(30 * 24 * 60 * 60 + 60);
    service.clock.set(end + HOUR);
    phone.present_refresh().await.refused("signed_out");
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    service.pass(30 * 24 * 60 * 60 - 30);
    service.clock.set(end + MINUTE / 2);
    phone.present_refresh().await.refused("signed_out");
}

#[tokio::test]
async fn a_device_that_gave_way_by_a_wrong_clock_is_told_to_followers() {
    let service = Service::with(&[("devices_per_user", "1")]).await;
    service.phone("ada").await;
    service.clock.set(START + 40 * DAY);
    service.laptop("ada").await;
    service.clock.set(START);
    assert_eq!(kept(&service).await, [1]);
}

#[tokio::test]
async fn a_key_retired_or_rotated_under_a_wrong_clock_keeps_its_tokens() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    service.keys.rotate().await.unwrap();
    service.clock.set(START + 400 * DAY);
    service.keys.rotate().await.unwrap();
    service.clock.set(START);
    phone.me().await.ok();
    service.clock.set(START - 400 * DAY);
    service.keys.rotate().await.unwrap();
    service.clock.set(START);
    service.keys.rotate().await.unwrap();
    phone.works().await;
}

#[tokio::test]
async fn a_jump_neither_opens_nor_prolongs_a_limit() {
    let service = Service::with(&[("sign_in_attempts_per_account", "3")]).await;
    service.phone("ada").await;
    for _ in 0..3 {
        service.anonymous().login("ada", "wrong horse battery").await.refused("wrong_credentials");
    }
    for jump in [START + HOUR, START - HOUR, START] {
        service.clock.set(jump);
        service.anonymous().login("ada", PASSWORD).await.refused("rate_limited");
    }
    service.pass(60);
    service.anonymous().login("ada", PASSWORD).await.ok();
}

#[tokio::test]
async fn readiness_says_that_the_clock_is_wrong() {
    let service = Service::start().await;
    let why = "the clock here is 90 s ahead of the database's: set it";
    service.store.feel(Mood::Failing(StoreError::WrongClock(why.to_owned())));
    let answer = service.anonymous().get("/readyz").send().await.refused("unavailable");
    assert_eq!(
        answer.json["detail"],
        "The clock is wrong: the clock here is 90 s ahead of the database's: set it."
    );
}
