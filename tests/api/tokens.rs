//! Tokens: each kind is accepted where it belongs only, and any change makes one invalid.

use std::time::Duration;

use rescind::model::counters::Era;
use serde_json::json;

use crate::actors::Device;
use crate::answer::Answer;
use crate::service::{ISSUER, Service};

/// The places where a request can hold a credential of some kind.
const PLACES: [&str; 4] = ["bearer of a user", "refresh", "service key", "basic password"];

async fn put(service: &Service, place: &str, text: &str) -> Answer {
    let anyone = service.anonymous();
    match place {
        "bearer of a user" => anyone.get("/api/v1/auth/me").bearer(text).send().await,
        "refresh" => anyone.refresh(text).await,
        "service key" => anyone.get("/api/v1/admin/users").bearer(text).send().await,
        _ => anyone.get("/api/v1/admin/users").basic("tool", text).send().await,
    }
}

#[tokio::test]
async fn each_kind_passes_in_its_own_place_only() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    let key = service.administrator().await.credential.unwrap();
    let kinds = [("access", &phone.access), ("refresh", &phone.refresh), ("key", &key)];
    for (kind, text) in kinds {
        for place in PLACES {
            let own = match place {
                "bearer of a user" => kind == "access",
                "refresh" => kind == "refresh",
                _ => kind == "key",
            };
            let answer = put(&service, place, text).await;
            if own {
                answer.ok();
            } else {
                answer.refused("token_invalid");
            }
        }
    }
}

/// Mutations of a text: each character changed, removed, doubled; parts moved, cut and added.
fn mutations(good: &str) -> Vec<String> {
    let mut all = Vec::new();
    for at in 0..good.len() {
        let (before, rest) = good.split_at(at);
        let (character, after) = rest.split_at(1);
        let other = if character == "A" { "B" } else { "A" };
        all.push(format!("{before}{other}{after}"));
        all.push(format!("{before}{after}"));
        all.push(format!("{before}{character}{character}{after}"));
        all.push(before.to_owned());
    }
    // The last character of a part carries bits that no decoder needs: another spelling of the same bytes.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let ends = good.match_indices('.').map(|(at, _)| at).chain([good.len()]);
    for end in ends.filter(|end| *end > 0) {
        for character in alphabet.chars() {
            all.push(format!("{}{character}{}", &good[..end - 1], &good[end..]));
        }
    }
    for tail in [".", "..", "=", "==", ".e30", "\u{a0}", "A"] {
        all.push(format!("{good}{tail}"));
    }
    let parts: Vec<_> = good.split('.').collect();
    if let [version, purpose, body, _footer] = parts[..] {
        for tail in ["", ".", ".e30", ".."] {
            all.push(format!("{version}.{purpose}.{body}{tail}"));
        }
    }
    all.push(good.to_uppercase());
    for other in ["v1", "v2", "v3", "v4c", "V4"] {
        all.push(good.replacen("v4", other, 1));
    }
    all.push(good.replacen("public", "local", 1));
    all.push(good.replacen("local", "public", 1));
    all.push(format!("{good}{}", "A".repeat(4096)));
    all.push(String::new());
    all.retain(|text| text != good);
    all
}

#[tokio::test]
async fn every_mutation_of_an_access_token_fails() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    // The service remembers the token as verified, which must not count for a similar one.
    phone.me().await.ok();
    for text in mutations(&phone.access).into_iter().filter(|text| text.is_ascii()) {
        let answer = put(&service, "bearer of a user", &text).await;
        assert_eq!((answer.status, answer.code()), (401, "token_invalid"), "{text}");
    }
    phone.me().await.ok();
}

#[tokio::test]
async fn every_mutation_of_a_refresh_token_fails_and_moves_nothing() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    let before = service.store.contents().await;
    for text in mutations(&phone.refresh) {
        let answer = put(&service, "refresh", &text).await;
        assert_eq!((answer.status, answer.code()), (401, "token_invalid"), "{text}");
    }
    assert_eq!(service.store.contents().await, before);
    phone.works().await;
}

#[tokio::test]
async fn every_mutation_of_a_service_key_fails() {
    let service = Service::start().await;
    let key = service.administrator().await.credential.unwrap();
    for text in mutations(&key).into_iter().filter(|text| text.is_ascii()) {
        let answer = put(&service, "service key", &text).await;
        assert_eq!((answer.status, answer.code()), (401, "token_invalid"), "{text}");
    }
}

#[tokio::test]
async fn a_token_of_another_service_is_nothing_here() {
    let (ours, theirs) = (Service::start().await, Service::start().await);
    let (phone, other) = (ours.phone("ada").await, theirs.phone("ada").await);
    other.me().await.ok();
    put(&ours, "bearer of a user", &other.access).await.refused("token_invalid");
    put(&ours, "refresh", &other.refresh).await.refused("token_invalid");
    // A foreign token with a footer of this service is invalid, too.
    for (foreign, own) in [(&other.access, &phone.access), (&other.refresh, &phone.refresh)] {
        let (head, _) = foreign.rsplit_once('.').unwrap();
        let (_, footer) = own.rsplit_once('.').unwrap();
        let place = if own.starts_with("v4.public") { PLACES[0] } else { PLACES[1] };
        put(&ours, place, &format!("{head}.{footer}")).await.refused("token_invalid");
    }
}

#[tokio::test]
async fn a_token_of_another_issuer_or_audience_is_nothing_here() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    let mint = service.mint().await;
    put(&service, PLACES[0], &mint.access(&phone.access, |_| {})).await.ok();
    for (issuer, audience) in
        [("https://evil.example", "rescind"), (ISSUER, "billing"), (ISSUER, ""), ("", "rescind")]
    {
        let token = mint.access(&phone.access, |claims| {
            issuer.clone_into(&mut claims.issuer);
            audience.clone_into(&mut claims.audience);
        });
        put(&service, PLACES[0], &token).await.refused("token_invalid");
        // Tokens with an earlier name of this store are accepted, others are not, whatever the names are now.
        let renamed = service.again(|settings| {
            settings.issuer = Some(if issuer.is_empty() { "-" } else { issuer }.to_owned());
            settings.audience = Some(if audience.is_empty() { "-" } else { audience }.to_owned());
        });
        let renamed = renamed.await;
        put(&renamed, PLACES[0], &phone.access).await.ok();
        let never =
            mint.access(&phone.access, |claims| "https://never.example".clone_into(&mut claims.issuer));
        put(&renamed, PLACES[0], &never).await.refused("token_invalid");
    }
}

#[tokio::test]
async fn a_token_from_the_future_is_nothing_yet() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    let mint = service.mint().await;
    let ahead = |seconds| {
        mint.access(&phone.access, |claims| claims.issued = claims.issued + Duration::from_secs(seconds))
    };
    put(&service, PLACES[0], &ahead(60)).await.ok();
    put(&service, PLACES[0], &ahead(61)).await.refused("token_expired");
}

#[tokio::test]
async fn a_token_for_nobody_acts_for_nobody() {
    let service = Service::start().await;
    let (phone, bob) = (service.phone("ada").await, service.phone("bob").await);
    let mint = service.mint().await;
    let mut bobs = None;
    mint.access(&bob.access, |claims| bobs = Some(claims.clone()));
    let bobs = bobs.unwrap();
    let older = mint.access(&phone.access, |claims| claims.stamp.era = Era::new(1));
    put(&service, PLACES[0], &older).await.refused("reset");
    // The service signed the token for a device that its user never had, so another store must have minted it.
    let crossed = mint.access(&phone.access, |claims| claims.device = bobs.device);
    put(&service, PLACES[0], &crossed).await.refused("unavailable");
}

/// A token over the limit is refused even if the service signed it.
#[tokio::test]
async fn a_token_over_two_kibibytes_is_not_looked_at() {
    let service = Service::start().await;
    let verbose = |length: usize| service.again(move |settings| settings.issuer = Some("i".repeat(length)));
    let (short, long) = (verbose(80).await, verbose(2048).await);
    short.phone("ada").await.me().await.ok();
    let phone = long.phone("ada").await;
    assert!(phone.access.len() > 2048);
    phone.me().await.refused("token_invalid");
    phone.someone.refresh(&phone.access).await.refused("token_invalid");
}

#[tokio::test]
async fn an_access_token_never_buys_a_refresh_token() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    phone.someone.refresh(&phone.access).await.refused("token_invalid");
    let open = format!("/api/v1/admin/users/{}/sessions", phone.user);
    phone.post(&open).json(&json!({})).send().await.refused("token_invalid");
    let others = phone.logout_others().await.ok();
    assert!(others.get("refresh").is_none());
}

#[tokio::test]
async fn two_credentials_are_none() {
    let service = Service::start().await;
    let (phone, laptop) = (service.phone("ada").await, service.laptop("ada").await);
    let me = |second: &Device<'_>| phone.get("/api/v1/auth/me").bearer(&second.access);
    me(&phone).send().await.refused("token_invalid");
    me(&laptop).send().await.refused("token_invalid");
    let all = phone.post("/api/v1/auth/logout-all").bearer(&laptop.access);
    all.send().await.refused("token_invalid");
    phone.post("/api/v1/auth/logout").bearer(&laptop.access).send().await.refused("token_invalid");
    phone.me().await.ok();
    laptop.me().await.ok();
}
