use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::*;

const NOW: Duration = Duration::from_secs(1_000);
const SOON: Duration = Duration::from_secs(20);

fn limits() -> RateLimits {
    let allow = |burst| Allowance { burst, every: Duration::from_secs(10) };
    let allowances = Allowances {
        failures_per_account: allow(3),
        failures_per_address: allow(5),
        failures_per_device: allow(3),
        registrations_per_address: allow(2),
        sign_ins_per_account: allow(2),
        sign_ins_per_address: allow(3),
        sign_outs_of_others_per_user: allow(2),
    };
    RateLimits::new(allowances, SOON)
}

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn user(id: u8) -> UserId {
    UserId::from_bytes([id; 16])
}

fn device(id: u8) -> DeviceId {
    DeviceId::from_bytes([id; 16])
}

/// The output of a future that is ready at once; `None` if it would wait.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

async fn fail(limits: &RateLimits, username: &str, address: &str) {
    drop(limits.sign_in(&name(username), ip(address), NOW).await.unwrap());
}

async fn refused(limits: &RateLimits, username: &str, address: &str) -> LimitRefusal {
    limits.sign_in(&name(username), ip(address), NOW).await.map(Attempt::give_back).unwrap_err()
}

async fn allowed(limits: &RateLimits, username: &str, address: &str) {
    limits.sign_in(&name(username), ip(address), NOW).await.unwrap().give_back();
}

#[tokio::test]
async fn failures_at_one_account_add_up_over_all_addresses() {
    let limits = limits();
    for host in 1..=3 {
        fail(&limits, "alice", &format!("192.0.2.{host}")).await;
    }
    assert!(
        matches!(refused(&limits, "ALICE", "192.0.2.9").await, LimitRefusal::TooMany(wait) if wait.seconds() == 10)
    );
    allowed(&limits, "bob", "192.0.2.9").await;
    let later = NOW + Duration::from_secs(10);
    limits.sign_in(&name("alice"), ip("192.0.2.9"), later).await.unwrap().give_back();
}

#[tokio::test]
async fn failures_from_one_address_add_up_over_all_accounts() {
    let limits = limits();
    for user in 0..5 {
        fail(&limits, &format!("user{user}"), "192.0.2.1").await;
    }
    refused(&limits, "fresh", "192.0.2.1").await;
    refused(&limits, "fresh", "::ffff:192.0.2.1").await;
    allowed(&limits, "fresh", "192.0.2.2").await;
}

#[tokio::test]
async fn an_ipv6_network_is_one_source() {
    let limits = limits();
    for user in 0..5 {
        fail(&limits, &format!("user{user}"), &format!("2001:db8:1:2::{user}")).await;
    }
    refused(&limits, "fresh", "2001:db8:1:2:ffff::1").await;
    allowed(&limits, "fresh", "2001:db8:1:3::1").await;
}

#[tokio::test]
async fn success_costs_nothing() {
    let limits = limits();
    for _ in 0..100 {
        allowed(&limits, "alice", "192.0.2.1").await;
    }
}

#[tokio::test]
async fn parallel_attempts_cannot_overrun_the_bucket() {
    let limits = limits();
    let begun: Vec<_> = (0..100)
        .filter_map(|host| at_once(limits.sign_in(&name("alice"), ip(&format!("192.0.2.{host}")), NOW)))
        .collect();
    assert_eq!(begun.len(), 3, "none has failed yet, and still only three are under way");
}

#[tokio::test]
async fn a_thousand_parallel_guesses_do_not_get_through() {
    let limits = Arc::new(limits());
    let guesses: Vec<_> = (0..1000)
        .map(|host: u16| {
            let limits = Arc::clone(&limits);
            let address = ip(&format!("192.0.{}.{}", host / 250, host % 250));
            tokio::spawn(async move {
                let attempt = limits.sign_in(&name("alice"), address, NOW).await;
                tokio::task::yield_now().await;
                attempt.map(drop)
            })
        })
        .collect();
    let mut looked_at = 0;
    for guess in guesses {
        match guess.await.unwrap() {
            Ok(()) => looked_at += 1,
            Err(refused) => assert!(matches!(refused, LimitRefusal::TooMany(_)), "{refused:?}"),
        }
    }
    assert_eq!(looked_at, 3);
}

#[tokio::test]
async fn right_passwords_are_never_refused_however_many_come_at_once() {
    let limits = Arc::new(limits());
    let sign_ins: Vec<_> = (0..1000)
        .map(|_| {
            let limits = Arc::clone(&limits);
            tokio::spawn(async move {
                let attempt = limits.sign_in(&name("alice"), ip("192.0.2.1"), NOW).await;
                tokio::task::yield_now().await;
                attempt.map(Attempt::give_back)
            })
        })
        .collect();
    for sign_in in sign_ins {
        assert_eq!(sign_in.await.unwrap(), Ok(()));
    }
}

#[tokio::test]
async fn an_attempt_that_waits_in_vain_is_told_to_come_back() {
    let limits = RateLimits { wait: Duration::ZERO, ..limits() };
    let mut held = Vec::new();
    for host in 1..=3 {
        held.push(limits.sign_in(&name("alice"), ip(&format!("192.0.2.{host}")), NOW).await.unwrap());
    }
    assert_eq!(refused(&limits, "alice", "192.0.2.9").await, LimitRefusal::Busy);
}

#[tokio::test]
async fn those_who_wait_for_one_account_hold_up_nobody_behind_their_address() {
    let limits = limits();
    let mut held = Vec::new();
    for host in 1..=3 {
        held.push(limits.sign_in(&name("alice"), ip(&format!("192.0.2.{host}")), NOW).await.unwrap());
    }
    let (alice, address) = (name("alice"), ip("198.51.100.1"));
    let mut waiting: Vec<Pin<Box<_>>> =
        (0..20).map(|_| Box::pin(limits.sign_in(&alice, address, NOW))).collect();
    for attempt in &mut waiting {
        assert!(attempt.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert!(at_once(limits.sign_in(&name("bob"), address, NOW)).is_some_and(|attempt| attempt.is_ok()));
}

#[tokio::test]
async fn a_locked_account_does_not_use_up_the_address() {
    let limits = limits();
    for host in 1..=3 {
        fail(&limits, "alice", &format!("192.0.2.{host}")).await;
    }
    for _ in 0..100 {
        refused(&limits, "alice", "192.0.2.9").await;
    }
    allowed(&limits, "bob", "192.0.2.9").await;
}

#[tokio::test]
async fn each_device_has_its_own_failures_apart_from_sign_ins() {
    let limits = limits();
    for _ in 0..3 {
        drop(limits.confirmation(device(1), NOW).await.unwrap());
    }
    assert!(limits.confirmation(device(1), NOW).await.is_err());
    limits.confirmation(device(2), NOW).await.unwrap().give_back();
    limits.sign_in_of_known(device(1), NOW).await.unwrap().give_back();
    allowed(&limits, "alice", "192.0.2.1").await;
}

#[test]
fn sign_ins_that_succeed_are_counted_by_account_and_by_address() {
    let limits = limits();
    let signed_in = |id, address: &str| limits.signed_in(user(id), ip(address), NOW);
    signed_in(1, "192.0.2.1").unwrap();
    signed_in(1, "192.0.2.2").unwrap();
    assert_eq!(signed_in(1, "192.0.2.1").unwrap_err().seconds(), 10);
    // What was refused for the account was not counted for the address.
    signed_in(2, "192.0.2.1").unwrap();
    signed_in(3, "192.0.2.1").unwrap();
    assert!(signed_in(4, "192.0.2.1").is_err());
    limits.not_signed_in(user(3), ip("192.0.2.1"));
    signed_in(4, "192.0.2.1").unwrap();
}
