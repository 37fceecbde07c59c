//! The `wait` parameter: a sign-out that is answered once every follower has confirmed it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::listener::FeedListener;
use crate::service::Service;

const ALL: &str = "/api/v1/auth/logout-all";

/// The counts of followers and of confirmations, which only a service key gets.
fn fenced(answer: &Value) -> (&Value, &Value) {
    (&answer["followers"], &answer["confirmed"])
}

/// Whether a user's answer says that the sign-out is in force everywhere; it contains nothing about the followers.
#[track_caller]
fn in_force(answer: &Value) -> bool {
    let fields: Vec<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["signed_out", "generation", "in_force"]);
    answer["in_force"].as_bool().unwrap()
}

/// Receives entries up to `position` and a ping request, and confirms.
async fn confirm(listener: &mut FeedListener<'_>, position: u64) {
    let entries = listener.entries_up_to(position).await;
    assert_eq!(entries.last().unwrap().position.value(), position);
    assert_eq!(listener.hear().await.unwrap().event, "ping");
    listener.applied(position).await;
}

#[tokio::test]
async fn who_does_not_wait_is_answered_as_ever() {
    let service = Service::start().await;
    let _listener = service.follower().await.listen(None).await;
    let answer = service.phone("ada").await.logout_all().await.ok();
    assert_eq!(answer, json!({"signed_out": 1, "generation": 2}));
}

#[tokio::test]
async fn it_waits_until_every_follower_has_confirmed() {
    let service = Service::start().await;
    let (phone, server) = (service.phone("ada").await, service.follower().await);
    let (mut one, mut two) = (server.listen(None).await, server.listen(None).await);
    one.frame().await;
    two.frame().await;
    // It asks them to ping at once, so the hour is never waited for.
    let wait = phone.post(&format!("{ALL}?wait=3600s")).send();
    let (answer, (), ()) = tokio::join!(wait, confirm(&mut one, 1), confirm(&mut two, 1));
    assert_eq!(answer.ok(), json!({"signed_out": 1, "generation": 2, "in_force": true}));
}

#[tokio::test]
async fn without_followers_there_is_nothing_to_wait_for() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    let answer = phone.post(&format!("{ALL}?wait=8s")).send().await.ok();
    assert!(in_force(&answer));
}

#[tokio::test]
async fn an_administrators_sign_outs_wait_too() {
    let service = Service::start().await;
    let (phone, tool) = (service.phone("ada").await, service.administrator().await);
    let mut listener = service.follower().await.listen(None).await;
    listener.frame().await;
    let paths = [
        format!("/api/v1/admin/users/{}/logout-all", phone.user),
        "/api/v1/admin/everyone/logout".to_owned(),
    ];
    for (position, path) in (1..).zip(paths) {
        let wait = tool.post(&format!("{path}?wait=8s")).send();
        let (answer, ()) = tokio::join!(wait, confirm(&mut listener, position));
        let answer = answer.ok();
        assert_eq!((fenced(&answer), &answer["in_force"]), ((&json!(1), &json!(1)), &json!(true)));
    }
}

#[tokio::test]
async fn a_dead_follower_holds_nobody_longer_than_the_wait() {
    let service = Service::start().await;
    let (phone, server) = (service.phone("ada").await, service.follower().await);
    let (mut well, mut dead) = (server.listen(None).await, server.listen(None).await);
    well.frame().await;
    dead.frame().await;
    let answer = phone.post(&format!("{ALL}?wait=50ms")).send().await.ok();
    assert!(!in_force(&answer), "neither has confirmed");
    well.entries_up_to(1).await;
    well.applied(1).await;
    let fenced = service.feed.fence(Duration::from_secs(1)).await;
    assert_eq!((fenced.followers, fenced.confirmed), (2, 1));
}

#[tokio::test]
async fn a_follower_that_leaves_is_not_waited_for_nor_counted_as_confirmed() {
    let service = Service::start().await;
    let (phone, server) = (service.phone("ada").await, service.follower().await);
    let mut leaving = server.listen(None).await;
    leaving.frame().await;
    let wait = phone.post(&format!("{ALL}?wait=8s")).send();
    let (answer, ()) = tokio::join!(wait, async {
        leaving.entries_up_to(1).await;
        assert_eq!(leaving.hear().await.unwrap().event, "ping");
        drop(leaving);
    });
    assert!(!in_force(&answer.ok()));
}

/// A confirmation counts only from the follower's own service key, and only up to the entries that were sent.
#[tokio::test]
async fn nobody_confirms_for_another_or_ahead_of_what_was_sent() {
    let service = Service::start().await;
    let (phone, server, stranger) =
        (service.phone("ada").await, service.follower().await, service.follower().await);
    let mut listener = server.listen(None).await;
    listener.frame().await;
    listener.applied(1_000_000).await;
    stranger.ping(1, Some(&listener.id)).await.ok();
    let wait = phone.post(&format!("{ALL}?wait=50ms")).send();
    let (answer, ()) = tokio::join!(wait, async {
        listener.entries_up_to(1).await;
        stranger.ping(1, Some(&listener.id)).await.ok();
        server.ping(1, None).await.ok();
    });
    assert!(!in_force(&answer.ok()));
}

#[tokio::test]
async fn a_wait_is_a_length_of_time_and_never_longer_than_a_request_may_take() {
    let service = Service::with(&[("request_timeout", "5s")]).await;
    let (phone, mut dead) = (service.phone("ada").await, service.follower().await.listen(None).await);
    dead.frame().await;
    for wrong in ["1", "soon", "-1s", "1%20s"] {
        let answer = phone.post(&format!("{ALL}?wait={wrong}")).send().await.refused("invalid_request");
        assert_eq!(answer.fields(), ["wait invalid_format"], "{wrong}");
    }
    phone.me().await.ok();
    let began = tokio::time::Instant::now();
    let answer = phone.post(&format!("{ALL}?wait=3600s")).send().await.ok();
    assert!(!in_force(&answer));
    assert!(began.elapsed() >= Duration::from_secs(4), "it did wait");
}

/// A follower that has pinged on its own is not asked to ping, and one that has not is asked once.
#[tokio::test]
async fn a_follower_that_has_confirmed_by_itself_is_not_called() {
    let service = Service::start().await;
    let (phone, server) = (service.phone("ada").await, service.follower().await);
    let (mut prompt, mut late) = (server.listen(None).await, server.listen(None).await);
    for listener in [&mut prompt, &mut late] {
        listener.frame().await;
    }
    phone.logout_all().await.ok();
    for listener in [&mut prompt, &mut late] {
        listener.entries_up_to(1).await;
        listener.is_level().await;
    }
    prompt.applied(1).await;
    let (fenced, ()) = tokio::join!(service.feed.fence(Duration::from_secs(8)), async {
        assert_eq!(late.hear().await.unwrap().event, "ping");
        late.is_level().await;
        prompt.is_level().await;
        late.applied(1).await;
    });
    assert_eq!((fenced.followers, fenced.confirmed), (2, 2));
}

/// The sign-out remains valid, although its confirmations cannot be determined.
#[tokio::test]
async fn a_store_that_fails_after_the_sign_out_confirms_nothing() {
    let service = Service::start().await;
    let mut listener = service.follower().await.listen(None).await;
    listener.frame().await;
    service.store.fail();
    let fenced = service.feed.fence(Duration::from_secs(8)).await;
    assert_eq!((fenced.followers, fenced.confirmed), (1, 0));
}
