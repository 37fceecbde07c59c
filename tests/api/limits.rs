//! Limits on guessing, and the answers of clients that have to wait.

use std::time::Duration;

use futures_util::future::join_all;
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
    // A signed-in device stays signed in.
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
    let service = Service::with(&[("sign_in_attempts_per_device", "3")]).await;
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
    // Requests that need no hash are answered.
    phone.get("/api/v1/auth/me").on(&busy).send().await.ok();
}

/// Otherwise one minute of overload would lock out every user who tried to sign in.
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

/// Attempts to register a taken name do not count against its owner's sign-ins.
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

#[tokio::test]
async fn right_passwords_at_once_are_never_refused() {
    let service = Service::with(&[("sign_in_attempts_per_account", "2")]).await;
    let phone = service.phone("ada").await;
    let sign_ins = (0..30).map(|_| phone.someone.login("ada", PASSWORD));
    for answer in join_all(sign_ins).await {
        answer.ok();
    }
    let confirmed = json!({"current_password": PASSWORD, "new_password": PASSWORD});
    let confirmations = (0..5).map(|_| phone.post("/api/v1/auth/password").json(&confirmed).send());
    let refused = join_all(confirmations).await.into_iter().filter(|answer| answer.status == 429).count();
    assert_eq!(refused, 0);
}

#[tokio::test]
async fn wrong_passwords_at_once_are_looked_at_only_so_often() {
    let service = Service::with(&[("sign_in_attempts_per_account", "3")]).await;
    service.phone("ada").await;
    let guesses = (0..300).map(|_| async { service.anonymous().login("ada", "not the right one").await });
    let answers = join_all(guesses).await;
    let looked_at = answers.iter().filter(|answer| answer.status == 401).count();
    let refused = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!((looked_at, refused), (3, 297));
}

/// Ten wrong passwords a minute from anywhere keep a stranger from signing in, but not the owner on a device that is
/// or was signed in.
#[tokio::test]
async fn strangers_cannot_keep_out_who_is_or_was_signed_in() {
    let tight = [("sign_in_attempts_per_account", "3"), ("sign_in_attempts_per_address", "3")];
    let service = Service::with(&tight).await;
    let phone = service.phone("ada").await;
    let tablet = service.laptop("ada").await;
    // From the owner's own address, so that both buckets are empty.
    for _ in 0..3 {
        phone.someone.login("ada", "not the right one").await.refused("wrong_credentials");
    }
    phone.someone.login("ada", PASSWORD).await.refused("rate_limited");
    // Live, signed out, long expired: it need only be authentic.
    phone.someone.login_again("ada", PASSWORD, &phone.refresh).await.ok();
    tablet.logout().await.ok();
    tablet.someone.login_again("ada", PASSWORD, &tablet.refresh).await.ok();
    service.pass(400 * 24 * 60 * 60);
    for _ in 0..3 {
        phone.someone.login("ada", "not the right one").await.refused("wrong_credentials");
    }
    phone.someone.login_again("ada", PASSWORD, &tablet.refresh).await.ok();
}

#[tokio::test]
async fn strangers_cannot_keep_a_signed_in_owner_from_the_account() {
    let tight = [("sign_in_attempts_per_account", "3"), ("sign_in_attempts_per_address", "3")];
    let service = Service::with(&tight).await;
    let mut phone = service.phone("ada").await;
    for _ in 0..3 {
        phone.someone.login("ada", "not the right one").await.refused("wrong_credentials");
    }
    phone.someone.login("ada", PASSWORD).await.refused("rate_limited");
    let changed = phone.change_password(PASSWORD, "staple engine tulip").await.ok();
    phone.access = changed["session"]["access"].as_str().unwrap().to_owned();
    let confirmed = json!({"password": "staple engine tulip"});
    phone.post("/api/v1/auth/delete-account").json(&confirmed).send().await.ok();
}

#[tokio::test]
async fn an_old_refresh_token_buys_its_own_few_guesses_and_nothing_else() {
    let tight = ["device", "account", "address"].map(|of| format!("sign_in_attempts_per_{of}"));
    let service = Service::with(&tight.each_ref().map(|setting| (setting.as_str(), "2"))).await;
    let phone = service.phone("ada").await;
    let laptop = service.laptop("ada").await;
    let thief = service.anonymous();
    for _ in 0..2 {
        thief.login_again("ada", "not the right one", &phone.refresh).await.refused("wrong_credentials");
    }
    let refused = thief.login_again("ada", PASSWORD, &phone.refresh).await.refused("rate_limited");
    assert_eq!((refused.status, refused.header("retry-after")), (429, "30"));
    // The limit of one device delays no other device, no sign-in without a token, and no request of a signed-in device.
    laptop.someone.login_again("ada", PASSWORD, &laptop.refresh).await.ok();
    laptop.someone.login("ada", PASSWORD).await.ok();
    thief.login("ada", PASSWORD).await.ok();
    phone.change_password(PASSWORD, "staple engine tulip").await.ok();
}

/// A token of another user, or none at all, reveals nothing about other names.
#[tokio::test]
async fn a_token_that_proves_nothing_changes_no_answer() {
    let service = Service::with(&[("sign_in_attempts_per_account", "1")]).await;
    let ada = service.phone("ada").await;
    let eve = service.phone("eve").await;
    let gone = service.phone("gone").await;
    let body = json!({"password": PASSWORD});
    gone.post("/api/v1/auth/delete-account").json(&body).send().await.ok();
    service.phone("gone").await;
    let altered = format!("{}A", ada.refresh);
    for name in ["ada", "nobody", "gone"] {
        let answers = async || {
            let mut answers = Vec::new();
            for refresh in [&eve.refresh, &gone.refresh, &altered, &ada.access, "", "null"] {
                let answer = service.anonymous().login_again(name, "not the right one", refresh).await;
                answers.push((answer.status, answer.code().to_owned()));
            }
            answers
        };
        let told = answers().await;
        assert_eq!(told[0], (401, "wrong_credentials".to_owned()), "{name}");
        assert!(told[1..].iter().all(|told| *told == (429, "rate_limited".to_owned())), "{name}: {told:?}");
    }
}

/// With a new password a user locks out a thief, whose stolen token must not help to guess it.
#[tokio::test]
async fn a_token_from_before_a_change_of_the_password_proves_nothing() {
    let service = Service::with(&[("sign_in_attempts_per_account", "1")]).await;
    let mut phone = service.phone("ada").await;
    let laptop = service.laptop("ada").await;
    let before = phone.refresh.clone();
    let changed = phone.change_password(PASSWORD, "staple engine tulip").await.ok();
    let after = changed["session"]["refresh"].as_str().unwrap().to_owned();
    phone.access = changed["session"]["access"].as_str().unwrap().to_owned();
    phone.logout_all().await.ok();
    service.anonymous().login("ada", "not the right one").await.refused("wrong_credentials");
    for old in [&before, &laptop.refresh] {
        phone.someone.login_again("ada", "staple engine tulip", old).await.refused("rate_limited");
    }
    phone.someone.login_again("ada", "staple engine tulip", &after).await.ok();
}

#[tokio::test]
async fn an_account_and_an_address_sign_in_so_often_an_hour() {
    let service = Service::with(&[("sign_ins_per_account", "2"), ("sign_ins_per_address", "3")]).await;
    for name in ["ada", "bob", "eve"] {
        service.phone(name).await;
    }
    let someone = service.anonymous();
    someone.login("ada", PASSWORD).await.ok();
    someone.login("ada", PASSWORD).await.ok();
    let refused = someone.login("ada", PASSWORD).await.refused("rate_limited");
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1800"));
    // A client that does not know the password must not learn how often somebody signs in.
    someone.login("ada", "not the right one").await.refused("wrong_credentials");
    someone.login("bob", PASSWORD).await.ok();
    someone.login("eve", PASSWORD).await.refused("rate_limited");
    service.pass(1800);
    someone.login("ada", PASSWORD).await.ok();
}

#[tokio::test]
async fn a_user_ends_all_other_devices_so_often_an_hour() {
    let service = Service::with(&[("sign_outs_of_others_per_user", "2")]).await;
    let mut phone = service.phone("ada").await;
    let changed = phone.logout_others().await.ok();
    phone.access = changed["access"].as_str().unwrap().to_owned();
    let changed = phone.change_password(PASSWORD, "staple engine tulip").await.ok();
    phone.access = changed["session"]["access"].as_str().unwrap().to_owned();
    let refused = phone.logout_others().await.refused("rate_limited");
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1800"));
    phone.change_password("staple engine tulip", PASSWORD).await.refused("rate_limited");
    // Single devices, and all of them, may be signed out without limit.
    phone.logout_all().await.ok();
}
