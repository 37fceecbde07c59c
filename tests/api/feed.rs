//! The feed: every end is sent in order, once it is durable, to followers that may know, and every frame is signed.

use rescind::model::service_key::Scope;
use rescind::settings::Settings;
use rescind::store::queries::service::ReadCounters;
use rescind::token::feed::MOST_SENT;
use serde_json::json;

use crate::actors::{Device, PASSWORD};
use crate::listener::{LIST, NONCE, PING, STREAM, told};
use crate::service::Service;
use crate::store::Mood;

mod streams;

/// Signs a user in and out that many times, and then the first device: one entry each. Returns them as texts.
async fn signs_out(service: &Service, times: usize) -> Vec<String> {
    let phone = service.phone("ada").await;
    let mut all = Vec::new();
    for _ in 0..times {
        let laptop = service.laptop("ada").await;
        laptop.logout().await.ok();
        all.push(format!("device {}", laptop.id));
    }
    phone.logout().await.ok();
    all.push(format!("device {}", phone.id));
    all
}

#[tokio::test]
async fn whatever_ends_is_told_in_order_as_it_happens() {
    let service = Service::start().await;
    let (phone, mut laptop) = (service.phone("ada").await, service.laptop("ada").await);
    let mut listener = service.follower().await.listen(None).await;
    let first = listener.frame().await;
    assert!(first.start && first.entries.is_empty() && first.last() == first.statement.head);

    let mut word = async |position: u64| {
        let entries = listener.entries_up_to(position).await;
        assert_eq!(entries.last().unwrap().position.value(), position);
        told(&entries).join(", ")
    };
    let tablet = service.phone("ada").await;
    tablet.logout().await.ok();
    assert_eq!(word(1).await, format!("device {}", tablet.id));
    let session = laptop.logout_others().await.ok();
    session["access"].as_str().unwrap().clone_into(&mut laptop.access);
    assert_eq!(word(2).await, format!("user {} below 2 but {}", phone.user, laptop.id));
    laptop.logout_all().await.ok();
    assert_eq!(word(3).await, format!("user {} below 3", phone.user));
    service.operator().post("/api/v1/admin/everyone/logout").send().await.ok();
    assert_eq!(word(4).await, "everyone");
    service.keys.rotate().await.unwrap();
    assert_eq!(word(5).await, "keys");
}

#[tokio::test]
async fn who_comes_later_begins_with_what_is_kept() {
    let service = Service::start().await;
    let all = signs_out(&service, 2 * MOST_SENT + 10).await;
    let mut listener = service.follower().await.listen(None).await;
    let first = listener.frame().await;
    assert!(first.start);
    assert_eq!((first.after.value(), first.statement.head.value()), (0, all.len() as u64));
    assert_eq!(told(&first.entries), all[..MOST_SENT]);
    assert_eq!(told(&listener.entries_up_to(all.len() as u64).await), all[MOST_SENT..]);
}

#[tokio::test]
async fn what_is_swept_is_not_part_of_a_snapshot() {
    let service = Service::start().await;
    signs_out(&service, 4).await;
    service.look_and_sweep().await;
    service.pass(64 * 60);
    let laptop = service.laptop("ada").await;
    laptop.logout().await.ok();
    service.look_and_sweep().await;
    service.pass(2 * 60);
    service.housekeeping.sweep().await.unwrap();
    let server = service.follower().await;
    let first = server.listen(None).await.frame().await;
    assert_eq!((first.start, first.after.value()), (true, 5));
    assert_eq!(told(&first.entries), [format!("device {}", laptop.id)]);

    service.pass(66 * 60);
    service.housekeeping.sweep().await.unwrap();
    let first = server.listen(None).await.frame().await;
    assert_eq!(
        (first.start, first.after.value(), first.last().value(), first.entries.len()),
        (true, 6, 6, 0)
    );
}

#[tokio::test]
async fn who_comes_back_goes_on_where_it_was() {
    let service = Service::start().await;
    let server = service.follower().await;
    let mut listener = server.listen(None).await;
    listener.frame().await;
    signs_out(&service, 2).await;
    listener.entries_up_to(3).await;
    drop(listener);
    let missed = signs_out(&service, 3).await;
    let mut listener = server.listen(Some(3)).await;
    let entries = listener.entries_up_to(7).await;
    assert_eq!((entries[0].position.value(), told(&entries)), (4, missed));

    let mut level = server.listen(Some(7)).await;
    let news = signs_out(&service, 0).await;
    let frame = level.frame().await;
    assert!(!frame.start);
    assert_eq!(told(&frame.entries), news);
}

#[tokio::test]
async fn a_position_that_cannot_be_continued_begins_a_snapshot() {
    let service = Service::start().await;
    signs_out(&service, 3).await;
    service.look_and_sweep().await;
    service.pass(66 * 60);
    service.housekeeping.sweep().await.unwrap();
    let news = signs_out(&service, 1).await;
    // A new process has no entry in memory.
    let service = service.again(|_| {}).await;
    let server = service.follower().await;
    for since in [0, 2, 7, u64::MAX] {
        let first = server.listen(Some(since)).await.frame().await;
        assert!(first.start, "{since}");
        assert_eq!((first.after.value(), told(&first.entries)), (4, news.clone()));
    }
    let frame = server.listen(Some(5)).await.frame().await;
    assert!(!frame.start && frame.after.value() == 5, "this one can");
    let ask = server.get(STREAM).header(poem::http::HeaderName::from_static("last-event-id"), "yesterday");
    assert_eq!(ask.send_for_stream().await.status(), 200);
}

#[tokio::test]
async fn a_page_is_the_same_signed_and_plain() {
    let service = Service::start().await;
    let (mut phone, laptop) = (service.phone("ada").await, service.laptop("ada").await);
    laptop.logout().await.ok();
    phone.logout_others().await.ok();
    phone.renew().await;
    phone.change_password(PASSWORD, "another long password").await.ok();
    let server = service.follower().await;
    let all = server.get(LIST).send().await.ok();
    let frame = service.frame(all["frame"].as_str().unwrap()).await;
    assert!(frame.start);
    assert_eq!(
        told(&frame.entries),
        [
            format!("device {}", laptop.id),
            format!("user {} below 2 but {}", phone.user, phone.id),
            format!("user {} below 3 but {} with a new password", phone.user, phone.id)
        ]
    );
    let entry = |position: usize, mut entry: serde_json::Value| {
        entry["position"] = json!(position);
        entry["at"] = json!("2026-11-22T10:00:00Z");
        entry["user"] = json!(phone.user);
        entry
    };
    let ended = entry(1, json!({"type": "device_ended", "device": laptop.id}));
    let bumped = entry(2, json!({"type": "generation", "generation": 2, "kept": phone.id}));
    let cause = "password_changed";
    let changed = entry(3, json!({"type": "generation", "generation": 3, "kept": phone.id, "cause": cause}));
    assert_eq!(all["entries"], json!([ended, bumped, changed]));
    assert_eq!(
        (&all["start"], &all["after"], &all["last"], &all["head"]),
        (&json!(true), &json!(0), &json!(3), &json!(3))
    );

    let next = server.get(&format!("{LIST}?since=1&limit=1")).send().await.ok();
    assert_eq!((&next["start"], &next["entries"]), (&json!(false), &json!([bumped])));
    let first = server.get(&format!("{LIST}?limit=1")).send().await.ok();
    assert_eq!((&first["last"], &first["head"], &first["entries"]), (&json!(1), &json!(3), &json!([ended])));
    let none = server.get(&format!("{LIST}/?since=3")).send().await.ok();
    assert_eq!((&none["last"], &none["entries"]), (&json!(3), &json!([])));
}

#[tokio::test]
async fn a_page_from_nowhere_is_gone_and_says_what_to_do() {
    let service = Service::start().await;
    signs_out(&service, 3).await;
    service.look_and_sweep().await;
    service.pass(66 * 60);
    service.housekeeping.sweep().await.unwrap();
    let server = service.follower().await;
    for since in [0, 3, 5, i64::MAX] {
        let answer = server.get(&format!("{LIST}?since={since}")).send().await.refused("resnapshot");
        assert_eq!(answer.status, 410);
        assert!(answer.json["detail"].as_str().unwrap().starts_with("Resnapshot"), "{}", answer.text);
    }
    server.get(&format!("{LIST}?since=4")).send().await.ok();
    assert_eq!(server.get(LIST).send().await.ok()["after"], json!(4));
}

#[tokio::test]
async fn bad_input_is_named() {
    let service = Service::start().await;
    let server = service.follower().await;
    for (query, fault) in [
        ("limit=0", "limit out_of_range"),
        ("limit=257", "limit out_of_range"),
        ("limit=x", "limit invalid_format"),
        ("since=-1", "since out_of_range"),
        ("since=first", "since invalid_format"),
    ] {
        let answer = server.get(&format!("{LIST}?{query}")).send().await.refused("invalid_request");
        assert_eq!(answer.fields(), [fault], "{query}");
    }
    for (body, faults) in [
        (json!({"nonce": "short", "applied": 0}), vec!["nonce invalid_format"]),
        (json!({"nonce": "a".repeat(65), "applied": 0}), vec!["nonce invalid_format"]),
        (json!({"nonce": "not base64url!!!", "applied": 0}), vec!["nonce invalid_format"]),
        (json!({"nonce": NONCE, "applied": -1}), vec!["applied out_of_range"]),
        (json!({"nonce": NONCE, "applied": "0"}), vec!["applied wrong_type"]),
        (json!({"nonce": NONCE, "applied": 0, "follower": "me"}), vec!["follower invalid_format"]),
        (json!({}), vec!["nonce required", "applied required"]),
    ] {
        let answer = server.post(PING).json(&body).send().await.refused("invalid_request");
        assert_eq!(answer.fields(), faults, "{body}");
    }
}

#[tokio::test]
async fn only_a_service_key_of_that_scope_may_listen() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    let others = [Scope::Introspect, Scope::Sessions, Scope::Admin].map(Scope::as_str);
    let other = service.bearer_of_scopes(&others).await;
    let ping = json!({"nonce": NONCE, "applied": 0});
    for path in [LIST, STREAM] {
        service.anonymous().get(path).send().await.refused("token_missing");
        phone.get(path).send().await.refused("token_invalid");
        other.get(path).send().await.refused("forbidden");
        let basic = service.follower().await.credential.unwrap();
        assert_eq!(service.anonymous().get(path).basic("shop", &basic).send().await.status, 200);
    }
    service.anonymous().post(PING).json(&ping).send().await.refused("token_missing");
    phone.post(PING).json(&ping).send().await.refused("token_invalid");
    other.post(PING).json(&ping).send().await.refused("forbidden");
    assert_eq!(service.operator().get(STREAM).send().await.refused("forbidden").status, 403);
}

#[tokio::test]
async fn a_ping_is_answered_with_the_head_of_that_moment() {
    let service = Service::start().await;
    let server = service.follower().await;
    let before = service.pong(&server.ping(0, None).await.ok()).await;
    assert_eq!((before.nonce.as_str(), before.statement.head.value()), (NONCE, 0));
    service.phone("ada").await.logout().await.ok();
    service.operator().post("/api/v1/admin/everyone/logout").send().await.ok();
    service.keys.rotate().await.unwrap();
    let after = service.pong(&server.ping(0, None).await.ok()).await.statement;
    let counters = service.store.read(ReadCounters).await.unwrap();
    assert_eq!((after.head, after.era, after.keys), (counters.head, counters.era, counters.keys));
    assert_eq!(after.store, before.statement.store);
    assert_eq!(after.time.rfc3339(), "2026-11-22T10:00:00Z");
}

/// A pong or page is never made from what the service remembers.
#[tokio::test]
async fn a_store_that_does_not_answer_makes_no_pong_and_no_page() {
    let service = Service::start().await;
    let server = service.follower().await;
    let impatient = service.impatient().await;
    server.ping(0, None).await.ok();
    service.store.fail();
    server.ping(0, None).await.refused("unavailable");
    server.get(LIST).send().await.refused("unavailable");
    server.get(STREAM).send().await.refused("unavailable");
    service.store.feel(Mood::Stalled);
    let body = json!({"nonce": NONCE, "applied": 0});
    server.post(PING).json(&body).on(&impatient).send().await.refused("timeout");
}

#[tokio::test]
async fn an_entry_is_told_only_once_it_is_durable() {
    let service = Service::start().await;
    let (phone, server) = (service.phone("ada").await, service.follower().await);
    let mut listener = server.listen(None).await;
    listener.frame().await;
    // Steps are visible but not on the disk yet: a read of the log waits.
    service.store.hold_log();
    phone.logout().await.ok();
    assert_eq!(service.head().await, 1);
    let (page, pinged) = (server.get(LIST).send(), server.ping(0, None));
    tokio::pin!(page, pinged);
    for _ in 0..100 {
        tokio::task::yield_now().await;
        tokio::select! {
            biased;
            heard = listener.hear() => panic!("{heard:?}"),
            page = &mut page => panic!("{page:?}"),
            pong = &mut pinged => panic!("{pong:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    service.store.release_log();
    assert_eq!(told(&listener.frame().await.entries), [format!("device {}", phone.id)]);
    assert_eq!(page.await.ok()["last"], json!(1));
    pinged.await.ok();
}

#[tokio::test]
async fn a_store_that_failed_for_a_while_costs_nobody_an_entry() {
    let service = Service::start().await;
    let mut listener = service.follower().await.listen(None).await;
    listener.frame().await;
    let (phone, laptop) = (service.phone("ada").await, service.laptop("ada").await);
    phone.logout().await.ok();
    assert_eq!(listener.entries_up_to(1).await.len(), 1);
    service.store.fail();
    phone.logout().await.refused("unavailable");
    service.store.feel(Mood::Well);
    laptop.logout().await.ok();
    assert_eq!(told(&listener.entries_up_to(2).await), [format!("device {}", laptop.id)]);
}

/// The frame that distrusts a key is signed by another one, and so is every later frame, also one with older entries.
#[tokio::test]
async fn nothing_a_distrusted_key_signed_is_told_again() {
    let service = Service::start().await;
    let server = service.follower().await;
    let mut listener = server.listen(None).await;
    listener.frame().await;
    let ended = signs_out(&service, 1).await;
    listener.entries_up_to(2).await;
    let kid = distrust_the_active_key(&service).await;
    // `frame` trusts the keys that are published now, so a text of the old one would not pass.
    assert_eq!(told(&listener.entries_up_to(3).await), [format!("key {kid}")]);
    for since in [None, Some(0), Some(1)] {
        let entries = server.listen(since).await.entries_up_to(3).await;
        let skipped = usize::try_from(since.unwrap_or(0)).unwrap();
        assert_eq!(told(&entries)[..2 - skipped], ended[skipped..]);
    }
    service.pong(&server.ping(3, None).await.ok()).await;
}

/// Frames that wait for a slow reader were signed by the distrusted key, so its stream ends.
#[tokio::test]
async fn a_slow_reader_has_to_come_back_for_what_a_distrusted_key_signed() {
    let service = Service::start().await;
    let server = service.follower().await;
    let (mut slow, mut quick) = (server.listen(None).await, server.listen(None).await);
    for listener in [&mut slow, &mut quick] {
        listener.frame().await;
        listener.is_level().await;
    }
    next_entry(&service.phone("ada").await).await;
    quick.entries_up_to(1).await;
    distrust_the_active_key(&service).await;
    quick.entries_up_to(2).await;
    assert!(slow.hear().await.is_none(), "it has to come back");
    server.listen(Some(0)).await.entries_up_to(2).await;
}

/// Distrusts the active access key and returns its id.
async fn distrust_the_active_key(service: &Service) -> String {
    let keys = service.anonymous().get("/.well-known/paserk").send().await.ok();
    let active = keys["keys"].as_array().unwrap().iter().find(|key| key["state"] == "active").unwrap();
    let kid = active["kid"].as_str().unwrap().to_owned();
    service.operator().post(&format!("/operator/keys/{kid}/distrust")).send().await.ok();
    kid
}

/// Adds one entry to the log by a sign-out that hashes no password.
async fn next_entry(device: &Device<'_>) {
    let path = format!("/api/v1/admin/users/{}/logout-all", device.user);
    device.someone.service.operator().post(&path).send().await.ok();
}

/// Two processes share one store, as the nodes of a shared store do.
#[tokio::test]
async fn every_node_tells_what_happened_at_any() {
    let service = Service::start().await;
    let other = service.again(|_: &mut Settings| {}).await;
    let mut server = other.anonymous();
    server.credential = service.follower().await.credential;
    let mut listener = server.listen(None).await;
    listener.frame().await;
    let phone = service.phone("ada").await;
    phone.logout().await.ok();
    assert_eq!(told(&listener.frame().await.entries), [format!("device {}", phone.id)]);
}

#[tokio::test]
async fn the_figures_say_who_listens_and_how_far_they_are() {
    let service = Service::start().await;
    let mut listener = service.follower().await.listen(None).await;
    listener.frame().await;
    signs_out(&service, 1).await;
    listener.entries_up_to(2).await;
    listener.applied(1).await;
    let behind = r#"rescind_feed_follower_behind_entries{service_key="feed"} 1"#;
    while !service.figures().contains(behind) {
        tokio::task::yield_now().await;
    }
    let figures = service.figures();
    for line in [
        r#"rescind_feed_followers{service_key="feed"} 1"#,
        r#"rescind_feed_follower_silent_seconds{service_key="feed"} 0"#,
        "rescind_feed_entries_published_total 2",
    ] {
        assert!(figures.contains(line), "{line} is missing in\n{figures}");
    }
    drop(listener);
    while service.figures().contains("behind_entries{") {
        tokio::task::yield_now().await;
    }
    assert!(service.figures().contains(r#"rescind_feed_followers{service_key="feed"} 0"#));
}
