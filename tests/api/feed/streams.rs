//! How many streams there are, and what ends one.

use super::*;

#[tokio::test]
async fn a_removed_service_keys_streams_end_and_no_others() {
    let service = Service::start().await;
    let (removed, kept) = (service.follower().await, service.follower().await);
    let (mut one, mut two, mut other) =
        (removed.listen(None).await, removed.listen(None).await, kept.listen(None).await);
    for listener in [&mut one, &mut two, &mut other] {
        listener.frame().await;
    }
    let keys = service.operator().get("/operator/service-keys").send().await.ok();
    let text = removed.credential.as_deref().unwrap();
    let id = text.trim_start_matches("rescind_sk_").split('_').next().unwrap();
    assert_eq!(keys["results"].as_array().unwrap().len(), 2);
    service
        .operator()
        .ask(poem::http::Method::DELETE, &format!("/operator/service-keys/{id}"))
        .send()
        .await
        .ok();
    assert_eq!((one.hear().await, two.hear().await), (None, None));
    removed.get(STREAM).send().await.refused("token_invalid");
    service.phone("ada").await.logout().await.ok();
    assert_eq!(other.frame().await.entries.len(), 1);
    assert!(
        service.figures().contains(r#"feed_dropped_total{reason="key_removed"} 2"#),
        "{}",
        service.figures()
    );
}

#[tokio::test]
async fn there_are_only_so_many_streams_and_an_ended_one_makes_room() {
    let service = Service::with(&[("feed_streams_max", "3"), ("feed_streams_per_key", "2")]).await;
    let (one, other) = (service.follower().await, service.follower().await);
    let first = one.listen(None).await;
    let _second = one.listen(None).await;
    let answer = one.get(STREAM).send().await.refused("rate_limited");
    assert!(answer.json["detail"].as_str().unwrap().contains('2'));
    assert!(!answer.header("retry-after").is_empty());
    let _third = other.listen(None).await;
    assert_ne!(other.get(STREAM).send().await.refused("overloaded").header("retry-after"), "");
    drop(first);
    one.listen(None).await.frame().await;
}

#[tokio::test]
async fn a_service_that_stops_ends_every_stream_and_opens_none() {
    let service = Service::start().await;
    let server = service.follower().await;
    let (mut level, mut fresh) = (server.listen(None).await, server.listen(None).await);
    level.frame().await;
    service.feed.close();
    assert_eq!((level.hear().await, fresh.hear().await), (None, None));
    server.get(STREAM).send().await.refused("unavailable");
}

/// A reader that stops costs a connection and nothing else; when entries it missed are no longer buffered, its stream
/// ends.
#[tokio::test]
async fn a_slow_reader_is_dropped_and_misses_nothing() {
    let service = Service::start().await;
    let server = service.follower().await;
    let (mut slow, mut quick) = (server.listen(None).await, server.listen(None).await);
    for listener in [&mut slow, &mut quick] {
        listener.frame().await;
        listener.is_level().await;
    }
    let device = service.phone("ada").await;
    let mut position = 0;
    while position < 1_100 {
        next_entry(&device).await;
        position += 1;
        quick.entries_up_to(position).await;
    }
    assert!(slow.hear().await.is_none(), "it has to come back");
    assert!(service.figures().contains(r#"feed_dropped_total{reason="too_slow"} 1"#));
    let entries = server.listen(Some(0)).await.entries_up_to(position).await;
    assert_eq!(entries.len(), 1_100);
    assert!(entries.iter().zip(1..).all(|(entry, position)| entry.position.value() == position));
}
