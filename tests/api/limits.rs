//! What keeps guessers out, and what a client is told that has to wait.

use std::time::Duration;

use serde_json::json;

use crate::actors::PASSWORD;
use crate::service::Service;

#[tokio::test]
async fn an_account_takes_so_many_wrong_passwords_and_then_waits() {
    let service = Service::with(&[("sign_in_attempts_per_account", "3")]).await;
    let phone = service.phone("ada").await;
    for _ in 0..3 {
        phone.someone.login("ada", "not the right one").await.refused("wrong_credentials");
    }
    let answer = phone.someone.login("ada", PASSWORD).await.refused("rate_limited");
    assert_eq!((answer.status, answer.header("retry-after")), (429, "20"));
    // From elsewhere and in other letters it is the same account; another one is not.
    service.anonymous().login("ADA", PASSWORD).await.refused("rate_limited");
    service.phone("bob").await;
    // Whoever is signed in stays so.
    phone.me().await.ok();
    service.pass(19);
    phone.someone.login("ada", PASSWORD).await.refused("rate_limited");
    service.pass(1);
    phone.someone.login("ada", PASSWORD).await.ok();
}

#[tokio::test]
async fn only_failures_cost() {
    let service =
        Service::with(&[("sign_in_attempts_per_account", "2"), ("sign_in_attempts_per_address", "2")]).await;
    let phone = service.phone("ada").await;
    for _ in 0..10 {
        phone.someone.login("ada", PASSWORD).await.ok();
    }
    let body = json!({"current_password": PASSWORD, "new_password": PASSWORD});
    phone.post("/api/v1/auth/password").json(&body).send().await.ok();
}

#[tokio::test]
async fn an_address_takes_so_many_failures_over_all_accounts() {
    let service = Service::with(&[("sign_in_attempts_per_address", "3")]).await;
    let phone = service.phone("ada").await;
    for name in ["nobody", "someone", "anyone"] {
        service.anonymous().login(name, PASSWORD).await.refused("wrong_credentials");
    }
    service.anonymous().login("ada", PASSWORD).await.refused("rate_limited");
    phone.someone.login("ada", PASSWORD).await.ok();
}

#[tokio::test]
async fn a_stolen_access_token_does_not_buy_endless_guesses_at_the_password() {
    let service = Service::with(&[("sign_in_attempts_per_account", "3")]).await;
    let phone = service.phone("ada").await;
    let thief = service.thief(&phone);
    let guess = || thief.post("/api/v1/auth/delete-account").json(&json!({"password": "not the right one"}));
    for _ in 0..3 {
        guess().send().await.refused_with(403, "wrong_credentials");
    }
    guess().send().await.refused("rate_limited");
    thief.change_password(PASSWORD, "staple engine tulip").await.refused("rate_limited");
}

#[tokio::test]
async fn who_gets_no_turn_at_hashing_is_told_to_come_back() {
    let service = Service::start().await;
    let phone = service.phone("ada").await;
    let busy =
        service.again(|settings| (settings.hashes_at_once, settings.hash_wait) = (0, Duration::ZERO)).await;
    let body = json!({"username": "ada", "password": PASSWORD});
    let ask = phone.someone.post("/api/v1/auth/login").json(&body).on(&busy);
    let answer = ask.send().await.refused("overloaded");
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    // What needs no hash goes on.
    phone.get("/api/v1/auth/me").on(&busy).send().await.ok();
}

/// Otherwise a busy minute would lock out everyone who tried in it.
#[tokio::test]
async fn who_got_no_turn_has_not_used_up_an_attempt() {
    let service = Service::start().await;
    service.phone("ada").await;
    let busy = service
        .again(|settings| {
            (settings.hashes_at_once, settings.hash_wait) = (0, Duration::ZERO);
            settings.sign_in_attempts_per_account = 2;
        })
        .await;
    for _ in 0..4 {
        busy.anonymous().login("ada", PASSWORD).await.refused("overloaded");
    }
}

/// Somebody who registers a name over and over does not stand between its owner and the right password.
#[tokio::test]
async fn registering_a_taken_name_does_not_lock_its_owner_out() {
    let service = Service::with(&[("sign_in_attempts_per_account", "2")]).await;
    service.phone("ada").await;
    for _ in 0..5 {
        service.anonymous().register("ada", PASSWORD).await.refused("username_taken");
    }
    service.laptop("ada").await.me().await.ok();
}

#[tokio::test]
async fn an_address_makes_so_many_accounts_an_hour() {
    let service = Service::with(&[("registrations_per_address", "2")]).await;
    service.anonymous().register("ada", PASSWORD).await;
    service.anonymous().register("bob", PASSWORD).await;
    service.anonymous().register("eve", PASSWORD).await.refused("rate_limited");
    service.pass(1800);
    service.anonymous().register("eve", PASSWORD).await.ok();
}
