//! Changes of the names in the issuer's tokens.

use super::issuer::{ISSUER, expected};
use super::*;
use crate::model::names::Names;

const NEW: &str = "https://new.example";
const SHOP: &str = "orders";

/// Delivers all that follows a change: the entry, then keys and names, then a proof.
fn hear(trial: &mut Trial) {
    trial.deliver();
    trial.publish();
    trial.deliver();
    trial.pass(1);
    trial.prove();
}

#[test]
fn a_change_of_names_signs_nobody_out() {
    let mut trial = Trial::ready();
    let before = trial.issuer.token(1, 1);
    trial.issuer.rename(NEW, SHOP);
    hear(&mut trial);
    assert_eq!(trial.check(&before), Ok(()));
    assert_eq!(trial.check(&trial.issuer.token(1, 1)), Ok(()));
    assert_eq!(trial.lag(), 0, "texts of the feed are signed under the new name");
    assert!(trial.heard("Renamed { issuer: \"https://new.example\", audience: \"orders\" }"));
    assert!(!trial.heard("OtherIssuer") && !trial.heard("OtherAudience"), "{:?}", trial.events());
    trial.issuer.bump(1, 2, None);
    trial.deliver();
    assert_eq!(trial.check(&before), ended(Reason::SignedOutEverywhere), "and it ends as any other");
}

/// A verifier that expects the new names accepts the former ones, and the other way round.
#[test]
fn who_begins_after_a_change_accepts_both_whichever_it_expects() {
    for new_are_expected in [true, false] {
        let mut trial = Trial::new();
        let before = if new_are_expected {
            trial.issuer = trial.issuer.named("https://old.example", "old");
            let before = trial.issuer.token(1, 1);
            trial.issuer.rename(ISSUER, AUDIENCE);
            before
        } else {
            let before = trial.issuer.token(1, 1);
            trial.issuer.rename(NEW, SHOP);
            before
        };
        trial.publish();
        trial.prove();
        trial.begin();
        assert_eq!(trial.check(&before), Ok(()), "{new_are_expected}");
        assert_eq!(trial.check(&trial.issuer.token(1, 1)), Ok(()), "{new_are_expected}");
        assert_eq!(trial.heard("Renamed"), !new_are_expected);
    }
}

#[test]
fn names_count_as_pairs_and_no_others_do() {
    let mut trial = Trial::ready();
    trial.issuer.rename(NEW, SHOP);
    let crossed = [(ISSUER, SHOP), (NEW, AUDIENCE), ("https://never.example", SHOP), (NEW, ""), ("", SHOP)];
    let tokens = crossed.map(|(issuer, audience)| trial.issuer.named(issuer, audience).token(1, 1));
    hear(&mut trial);
    for (token, names) in tokens.iter().zip(crossed) {
        assert_eq!(trial.check(token), Err(Rejection::Invalid), "{names:?}");
    }
}

#[test]
fn a_name_that_is_no_longer_published_is_refused_though_its_token_was_seen() {
    let mut trial = Trial::ready();
    trial.issuer.rename(NEW, SHOP);
    trial.issuer.rename(ISSUER, AUDIENCE);
    let former = trial.issuer.named(NEW, SHOP).token(1, 1);
    let present = trial.issuer.token(1, 1);
    hear(&mut trial);
    assert_eq!(trial.check(&former), Ok(()), "and its signature is remembered");
    trial.issuer.forget_names();
    hear(&mut trial);
    assert_eq!(trial.check(&former), Err(Rejection::Invalid));
    assert_eq!(trial.check(&present), Ok(()));
}

#[test]
fn a_token_under_names_that_are_not_here_yet_may_be_good() {
    let mut trial = Trial::ready();
    let never = trial.issuer.named(NEW, "never").token(1, 1);
    trial.pass(1);
    trial.prove();
    trial.issuer.rename(NEW, SHOP);
    let token = trial.issuer.token(1, 1);
    assert_eq!(trial.check(&token), stale(Doubt::Keys), "younger than what is known");
    assert_eq!(trial.check(&never), Err(Rejection::Invalid), "older");
    // The text that tells of the change is signed under the name that it tells of.
    assert_eq!(trial.deliver(), StreamAction::Begin);
    assert!(trial.replica.wants_keys() && !trial.heard("OtherIssuer"));
    trial.publish();
    assert_eq!(trial.check(&token), Ok(()));
    hear(&mut trial);
    assert_eq!(trial.check(&never), Err(Rejection::Invalid));
}

/// The nodes of one service restart one after the other, so that both names are in use.
#[test]
fn news_of_names_is_followed_as_news_of_keys() {
    let mut trial = Trial::ready();
    let old_node = trial.issuer.copy();
    trial.issuer.rename(NEW, SHOP);
    let token = trial.issuer.token(1, 1);
    // A node under the old name tells of the change.
    let mut told = trial.issuer.named(ISSUER, AUDIENCE);
    std::mem::swap(&mut told, &mut trial.issuer);
    trial.deliver();
    assert!(trial.replica.wants_keys());
    trial.pass(1);
    trial.prove();
    assert_eq!(trial.check(&token), stale(Doubt::Keys));
    // Some cache on the way still has the old answer.
    trial.replica.publish(&old_node.published());
    assert!(trial.replica.wants_keys());
    assert_eq!(trial.check(&token), stale(Doubt::Keys));
    trial.replica.publish(&told.published());
    assert!(!trial.replica.wants_keys());
    assert_eq!(trial.check(&token), Ok(()));
}

#[test]
fn an_issuer_that_never_had_the_expected_names_is_another() {
    let mut trial = Trial::ready();
    let token = trial.issuer.token(1, 1);
    let mut other = trial.issuer.named(NEW, AUDIENCE);
    other.rename(NEW, SHOP);
    trial.replica.publish(&other.published());
    assert!(trial.heard("OtherIssuer(\"https://new.example\")"));
    assert_eq!(trial.check(&token), stale(Doubt::Unproven));
}

#[test]
fn texts_under_a_name_that_is_not_published_are_an_alarm_once_that_was_looked_up() {
    let mut trial = Trial::ready();
    let token = trial.issuer.token(1, 1);
    let other = trial.issuer.named("https://evil.example", AUDIENCE);
    for _ in 0..2 {
        let asked = trial.replica.ask().unwrap();
        trial.replica.pong(&other.pong(&asked));
    }
    assert!(trial.replica.wants_keys() && !trial.heard("OtherIssuer"));
    assert_eq!(trial.check(&token), Ok(()), "within the bound");
    trial.publish();
    let asked = trial.replica.ask().unwrap();
    trial.replica.pong(&other.pong(&asked));
    assert!(trial.heard("OtherIssuer(\"https://evil.example\")") && trial.replica.wants_keys());
    assert_eq!(trial.check(&token), stale(Doubt::Unproven));
    trial.publish();
    trial.prove();
    assert_eq!(trial.check(&token), Ok(()));
}

#[test]
fn an_issuer_that_publishes_no_pairs_is_taken_at_its_present_name() {
    for audience in [None, Some(AUDIENCE.to_owned()), Some("other".to_owned())] {
        let mut trial = Trial::ready();
        let mut published = trial.issuer.published();
        published.names.clear();
        published.audience.clone_from(&audience);
        trial.replica.publish(&published);
        assert_eq!(trial.check(&trial.issuer.token(1, 1)), Ok(()), "{audience:?}");
        let other = trial.issuer.for_audience("other").token(1, 1);
        trial.pass(1);
        trial.prove();
        assert_eq!(trial.check(&other), Err(Rejection::Invalid), "{audience:?}");
    }
}

/// The fields that a verifier of the previous version requires.
#[derive(serde::Deserialize)]
struct AnswerWithoutNames {
    issuer: String,
    audience: Option<String>,
    version: u64,
}

/// The document of this version and of the previous one, byte for byte.
#[test]
fn answers_of_this_version_and_of_the_one_before_are_read() {
    use crate::verifier::published::PublishedKeys;

    let before = r#"{"issuer":"i","audience":"a","version":3,"feed":"../api/v1/revocations","keys":[],"distrusted":[]}"#;
    let published: PublishedKeys = serde_json::from_str(before).unwrap();
    assert_eq!(published.names, []);
    let now = before.replace(
        r#""version""#,
        r#""names":[{"issuer":"i","audience":"a"},{"issuer":"o","audience":"b","later":1}],"version""#,
    );
    let published: PublishedKeys = serde_json::from_str(&now).unwrap();
    let names =
        |issuer: &str, audience: &str| Names { issuer: issuer.to_owned(), audience: audience.to_owned() };
    assert_eq!(published.names, [names("i", "a"), names("o", "b")]);
    assert_ne!(expected(), names("i", "a"));
    let read: AnswerWithoutNames = serde_json::from_str(&now).unwrap();
    assert_eq!((read.issuer.as_str(), read.audience.as_deref(), read.version), ("i", Some("a"), 3));
}
