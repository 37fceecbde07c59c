//! Refreshing over HTTP: the replay table, one test for each row.

use serde_json::json;

use crate::actors::{Device, PASSWORD};
use crate::log;
use crate::service::Service;

/// The sequence number of a refresh token.
async fn sequence(service: &Service, token: &str) -> u64 {
    let mut sequence = 0;
    service.mint().await.refresh(token, |claims| sequence = claims.sequence.value());
    sequence
}

fn moved<'a>(device: &Device<'a>, address: &'static str) -> Device<'a> {
    let mut device = device.clone();
    device.someone.address = address;
    device
}

#[tokio::test]
async fn the_newest_token_buys_the_next_pair() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    service.pass(60);
    let body = json!({"refresh": phone.refresh});
    let answer = phone.someone.post("/api/v1/auth/refresh/").json(&body).send().await;
    insta::assert_snapshot!(answer.shown(), @r#"
    200 {
      "access": "[access]",
      "refresh": "[refresh]",
      "token_type": "Bearer",
      "expires_in": 900,
      "refresh_expires_in": 2592000,
      "device": {
        "id": "[uuid]",
        "name": "Phone",
        "kind": "mobile",
        "current": true,
        "created_at": "2026-11-22T10:00:00Z",
        "expires_at": "2026-12-22T10:01:00Z"
      },
      "user": {
        "id": "[uuid]",
        "username": "ada"
      }
    }
    "#);
    let before = sequence(&service, &phone.refresh).await;
    phone.take(&answer.json);
    assert_eq!(sequence(&service, &phone.refresh).await, before + 1);
    for _ in 0..10 {
        phone.works().await;
    }
}

#[tokio::test]
async fn refreshing_keeps_a_device_alive_up_to_its_absolute_end() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    let day = 24 * 3600;
    for _ in 0..8 {
        service.pass(20 * day);
        phone.renew().await;
    }
    service.pass(20 * day);
    phone.present_refresh().await.refused("signed_out");
}

#[tokio::test]
async fn a_lost_answer_and_parallel_tabs_get_the_same_successor() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    let first = phone.present_refresh().await.ok();
    let successor = sequence(&service, first["refresh"].as_str().unwrap()).await;
    for _ in 0..10 {
        let again = phone.present_refresh().await.ok();
        assert_eq!(sequence(&service, again["refresh"].as_str().unwrap()).await, successor);
        assert_ne!(again["refresh"], first["refresh"], "the same successor, not the same bytes");
    }
    assert!(service.figures().contains(r#"refreshes_total{class="repeated"} 10"#), "{}", service.figures());
    let mut either = phone.clone();
    either.take(&first);
    either.works().await;
}

/// Each request refreshes with the token that it finds when it is sent, before or after the first one's answer.
#[tokio::test]
async fn parallel_requests_that_refresh_each_on_its_own_advance_once_a_minute() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    let mut newest = phone.clone();
    newest.renew().await;
    let successor = sequence(&service, &newest.refresh).await;
    for _ in 0..10 {
        service.pass(3);
        for held in [phone.clone(), newest.clone()] {
            let again = held.present_refresh().await.ok();
            assert_eq!(sequence(&service, again["refresh"].as_str().unwrap()).await, successor);
            newest.take(&again);
        }
    }
    assert!(service.figures().contains(r#"refreshes_total{class="rotated"} 1"#), "{}", service.figures());
    service.pass(30);
    newest.renew().await;
    assert_eq!(sequence(&service, &newest.refresh).await, successor + 1);
}

/// A thief on the mobile network's IPv6 and an owner on IPv4 are on two networks, of which the device remembers one.
#[tokio::test]
async fn a_thief_in_the_other_address_family_is_counted_and_noticed() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    let mut thief = moved(&phone, "2001:db8:7::80");
    thief.renew().await;
    for round in 0..6 {
        service.pass(900);
        let owner = phone.present_refresh().await;
        if round == 5 {
            owner.refused("refresh_reused");
            break;
        }
        phone.take(&owner.ok());
        service.pass(10);
        let thiefs = thief.present_refresh().await;
        thief.take(&thiefs.ok());
    }
    thief.is_refused("signed_out").await;
}

#[tokio::test]
async fn a_lost_answer_is_forgiven_five_times_a_day_from_anywhere() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    for lost in 0..5 {
        let before = phone.clone();
        phone.renew().await;
        service.pass(61);
        let again = moved(&before, "100.64.0.9").present_refresh().await.ok();
        phone.take(&again);
        assert!(service.figures().contains(&format!(r#"class="recovered"}} {}"#, lost + 1)));
    }
    let before = phone.clone();
    phone.renew().await;
    service.pass(61);
    before.present_refresh().await.refused("refresh_reused");
    phone.is_refused("signed_out").await;
}

#[tokio::test]
async fn recoveries_are_granted_anew_after_a_day() {
    let service = Service::with(&[("refresh_recoveries", "1")]).await;
    let mut phone = service.phone("ada").await;
    for _ in 0..3 {
        let before = phone.clone();
        phone.renew().await;
        service.pass(61);
        phone.take(&before.present_refresh().await.ok());
        service.pass(24 * 3600);
    }
}

#[tokio::test]
async fn within_the_window_another_network_is_a_recovery_and_the_next_tab_is_not() {
    let service = Service::with(&[("refresh_recoveries", "1")]).await;
    let phone = service.phone("ada").await;
    phone.present_refresh().await.ok();
    let elsewhere = moved(&phone, "100.64.0.9");
    elsewhere.present_refresh().await.ok();
    assert!(service.figures().contains(r#"class="recovered"} 1"#));
    // A recovery was granted for this successor already.
    elsewhere.present_refresh().await.ok();
    phone.present_refresh().await.ok();
    assert!(service.figures().contains(r#"class="repeated"} 2"#), "{}", service.figures());
}

#[tokio::test]
async fn a_neighbour_in_the_same_network_is_no_stranger() {
    let service = Service::with(&[("refresh_recoveries", "0")]).await;
    let phone = service.phone("ada").await;
    phone.present_refresh().await.ok();
    moved(&phone, "192.0.2.200").present_refresh().await.ok();
    moved(&phone, "192.0.3.1").present_refresh().await.refused("refresh_reused");
}

/// Without trusted proxies `X-Forwarded-For` is ignored, since any client could claim the network of a device with it.
#[tokio::test]
async fn without_trusted_proxies_the_header_moves_nobody() {
    let service = Service::with(&[("trusted_proxies", ""), ("refresh_recoveries", "0")]).await;
    let phone = service.phone("ada").await;
    phone.present_refresh().await.ok();
    moved(&phone, "45.66.77.88").present_refresh().await.ok();
}

#[tokio::test]
async fn an_older_token_ends_its_device_and_no_other() {
    let service = Service::start().await;
    let (mut phone, mut laptop) = (service.phone("ada").await, service.laptop("ada").await);
    let thief = service.thief(&phone);
    phone.renew().await;
    service.pass(60);
    phone.renew().await;
    thief.present_refresh().await.refused("refresh_reused");
    phone.is_refused("signed_out").await;
    thief.is_refused("signed_out").await;
    laptop.works().await;
}

#[tokio::test]
async fn a_reuse_is_told_to_the_operator_with_both_addresses_and_no_secret() {
    log::listen();
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    let thief = service.thief(&phone);
    phone.renew().await;
    service.pass(60);
    phone.renew().await;
    thief.present_refresh().await.refused("refresh_reused");
    let text = log::text();
    let line = text.lines().find(|line| line.contains(r#""event":"refresh_reused""#)).expect("an event");
    for told in ["45.66.77.88", "python-requests/2.32", "192.0.2.10", "okhttp/4.12.0", &phone.id, &phone.user]
    {
        assert!(line.contains(told), "{told} in {line}");
    }
    for secret in [&thief.access, &thief.refresh, &phone.access, &phone.refresh, PASSWORD] {
        assert!(!text.contains(&secret[10..20]), "a secret in the log");
    }
    let list = format!("/api/v1/admin/users/{}/devices?ended=true", phone.user);
    let ended = service.operator().get(&list).send().await.ok();
    assert_eq!(ended["results"][0]["ended_cause"], "refresh_reused");
    assert!(ended["results"][0]["ended_note"].as_str().unwrap().contains("45.66.77.88"));
}

#[tokio::test]
async fn strict_forgives_nothing() {
    let service = Service::with(&[("refresh_strict", "true")]).await;
    let mut phone = service.phone("ada").await;
    let before = phone.clone();
    phone.renew().await;
    before.present_refresh().await.refused("refresh_reused");
    phone.is_refused("signed_out").await;
}

#[tokio::test]
async fn a_device_that_ended_is_never_said_to_be_reused() {
    let service = Service::start().await;
    let mut phone = service.phone("ada").await;
    let oldest = phone.clone();
    phone.renew().await;
    service.pass(60);
    phone.renew().await;
    phone.logout().await.ok();
    oldest.present_refresh().await.refused("signed_out");
    let mut phone = service.phone("ada").await;
    let oldest = phone.clone();
    phone.renew().await;
    service.pass(60);
    phone.renew().await;
    service.laptop("ada").await.logout_all().await.ok();
    oldest.present_refresh().await.refused("signed_out_everywhere");
}
