//! The replica against a test issuer, with manual time.

use super::*;
use crate::model::claims::LONGEST_ACCESS;
use crate::model::timestamp::Timestamp;
use crate::model::verdict::Reason;
use crate::token::feed::{LONGEST_FRAME, MOST_ENTRIES};
use crate::verifier::Rejection;

mod chaos;
mod issuer;
mod keys;
mod memory;
mod names;
mod proofs;
mod stores;
mod trial;

use issuer::AUDIENCE;
use trial::Trial;

fn ended(reason: Reason) -> Result<(), Rejection> {
    Err(Rejection::Ended(reason))
}

fn stale(doubt: Doubt) -> Result<(), Rejection> {
    Err(Rejection::Stale(doubt))
}

#[test]
fn nothing_is_accepted_before_the_first_proof() {
    let mut trial = Trial::new();
    let token = trial.issuer.token(1, 1);
    assert_eq!(trial.check(&token), stale(Doubt::Unproven));
    let asked = trial.replica.ask().unwrap();
    let pong = trial.issuer.pong(&asked);
    trial.pass(1);
    assert_eq!(trial.replica.pong(&pong), StreamAction::Begin);
    assert_eq!(trial.check(&token), stale(Doubt::Unproven), "the log is not here yet");
    let asked_at = trial.world.now() - Duration::from_secs(1);
    trial.deliver();
    assert_eq!(trial.check(&token), Ok(()));
    assert_eq!(trial.view.state.load().as_of(), Some(asked_at));
}

#[test]
fn each_end_is_refused_with_its_reason() {
    let mut trial = Trial::ready();
    let tokens: Vec<_> = (1..=4).map(|user| trial.issuer.token(user, 1)).collect();
    let (this, other) = (trial.issuer.device(3), trial.issuer.device(9));
    trial.issuer.end_device(1, trial.issuer.device(1));
    trial.issuer.bump(2, 2, None);
    trial.issuer.bump(3, 2, Some(this));
    trial.issuer.bump(4, 2, Some(other));
    assert_eq!(trial.check(&tokens[0]), Ok(()), "not heard of yet, and within the bound");
    trial.deliver();
    assert_eq!(trial.check(&tokens[0]), ended(Reason::SignedOut));
    assert_eq!(trial.check(&tokens[1]), ended(Reason::SignedOutEverywhere));
    assert_eq!(trial.check(&tokens[2]), ended(Reason::Superseded));
    assert_eq!(trial.check(&tokens[3]), ended(Reason::SignedOutEverywhere));
    assert_eq!(trial.check(&trial.issuer.token(2, 2)), Ok(()), "signed in again");
    assert_eq!(trial.check(&trial.issuer.token(2, 3)), Ok(()), "news of a later bump is on its way");
    let token = trial.issuer.token(5, 1);
    trial.issuer.end_era();
    trial.deliver();
    assert_eq!(trial.check(&token), ended(Reason::Reset));
    assert_eq!(trial.check(&trial.issuer.token(5, 1)), Ok(()));
}

#[test]
fn a_new_password_is_told_from_a_sign_out_everywhere_else_also_to_who_comes_later() {
    let mut trial = Trial::ready();
    let tokens: Vec<_> = (1..=3).map(|generation| trial.issuer.token(1, generation)).collect();
    trial.issuer.change_password(1, 2);
    trial.deliver();
    assert_eq!(trial.check(&tokens[0]), ended(Reason::PasswordChanged));
    assert_eq!(trial.check(&tokens[1]), Ok(()));
    trial.issuer.bump(1, 3, Some(trial.issuer.device(1)));
    trial.deliver();
    let after = [ended(Reason::PasswordChanged), ended(Reason::Superseded), Ok(())];
    for (token, expected) in tokens.iter().zip(&after) {
        assert_eq!(trial.check(token), *expected);
    }
    for frame in trial.issuer.snapshot() {
        assert_eq!(trial.replica.frame(&frame), StreamAction::Keep, "all of it once more");
    }
    let mut late = Trial::new();
    late.issuer = trial.issuer.copy();
    late.publish();
    late.prove();
    late.begin();
    for (token, expected) in tokens.iter().zip(after) {
        assert_eq!(trial.check(token), expected);
        assert_eq!(late.check(token), expected);
    }
}

/// However the entries come, together or one after the other, once or repeatedly, and to who comes later.
#[test]
fn an_account_is_disabled_until_it_is_enabled() {
    let mut trial = Trial::ready();
    let tokens: Vec<_> = (1..=4).map(|generation| trial.issuer.token(1, generation)).collect();
    let all = |trial: &Trial, expected: [Result<(), Rejection>; 4]| {
        for (token, expected) in tokens.iter().zip(expected) {
            assert_eq!(trial.check(token), expected);
        }
    };
    let late = |trial: &Trial| {
        let mut late = Trial::new();
        late.issuer = trial.issuer.copy();
        late.publish();
        late.prove();
        late.begin();
        late
    };
    let disabled = ended(Reason::UserDisabled);
    trial.issuer.disable(1, 2);
    trial.deliver();
    all(&trial, [disabled, Ok(()), Ok(()), Ok(())]);
    trial.issuer.disable(1, 3);
    trial.deliver();
    all(&trial, [disabled, disabled, Ok(()), Ok(())]);
    all(&late(&trial), [disabled, disabled, Ok(()), Ok(())]);
    let signed_out = ended(Reason::SignedOutEverywhere);
    let enabled = [signed_out, signed_out, signed_out, Ok(())];
    trial.issuer.bump(1, 4, None);
    trial.deliver();
    all(&trial, enabled);
    for frame in trial.issuer.snapshot() {
        assert_eq!(trial.replica.frame(&frame), StreamAction::Keep, "all of it once more");
        all(&trial, enabled);
    }
    all(&late(&trial), enabled);
}

#[test]
fn what_ended_stays_ended_however_stale_the_rest_is() {
    let mut trial = Trial::ready();
    let (gone, good) = (trial.issuer.token(1, 1), trial.issuer.token(2, 1));
    trial.issuer.bump(1, 2, None);
    trial.deliver();
    trial.pass(3_600);
    assert_eq!(trial.check(&gone), ended(Reason::SignedOutEverywhere));
    assert_eq!(trial.check(&good), stale(Doubt::Late), "also expired, but nobody here can be sure of that");
}

#[test]
fn a_gap_is_noticed_and_healed_without_forgetting() {
    let mut trial = Trial::ready();
    let tokens: Vec<_> = (1..=3).map(|user| trial.issuer.token(user, 1)).collect();
    trial.issuer.bump(1, 2, None);
    trial.deliver();
    trial.issuer.bump(2, 2, None);
    let lost = trial.issuer.frames(trial.replica.applied);
    trial.issuer.bump(3, 2, None);
    let next = trial
        .issuer
        .frames(Some(trial.issuer.head()).map(|_| Position::new(trial.issuer.head().value() - 1)));
    assert_eq!(trial.replica.frame(&next[0]), StreamAction::Begin);
    assert!(trial.heard("Missed"));
    assert_eq!(trial.check(&tokens[2]), Ok(()));
    trial.prove();
    assert_eq!(trial.check(&tokens[0]), ended(Reason::SignedOutEverywhere));
    for frame in trial.issuer.snapshot() {
        assert_eq!(trial.replica.frame(&frame), StreamAction::Keep);
    }
    for token in &tokens {
        assert_eq!(trial.check(token), ended(Reason::SignedOutEverywhere));
    }
    assert_eq!(trial.replica.frame(&lost[0]), StreamAction::Keep, "a repeat");
    assert_eq!(trial.ends_heard(), 3, "each is told once");
}

#[test]
fn an_altered_frame_is_not_applied_and_all_is_asked_for_again() {
    let mut trial = Trial::ready();
    trial.issuer.bump(1, 2, None);
    let frame = trial.issuer.frames(trial.replica.applied).remove(0);
    let middle = frame.len() / 2;
    let other = if frame.as_bytes()[middle] == b'A' { 'B' } else { 'A' };
    let altered = format!("{}{other}{}", &frame[..middle], &frame[middle + 1..]);
    assert_eq!(trial.replica.frame(&altered), StreamAction::Begin);
    assert_eq!(trial.replica.frame(&"x".repeat(LONGEST_FRAME + 1)), StreamAction::Begin);
    assert_eq!(trial.view.state.load().revoked.len(), 0);
    let asked = trial.replica.ask().unwrap();
    let pong = trial.issuer.pong(&asked);
    assert_eq!(trial.replica.frame(&pong), StreamAction::Begin, "an answer is no frame");
}

#[test]
fn a_text_of_the_feed_is_no_token_and_a_token_no_text_of_the_feed() {
    let mut trial = Trial::ready();
    let token = trial.issuer.token(1, 1);
    let frame = trial.issuer.snapshot().remove(0);
    let asked = trial.replica.ask().unwrap();
    let pong = trial.issuer.pong(&asked);
    for text in [&frame, &pong] {
        assert_eq!(trial.check(text), Err(Rejection::Invalid));
    }
    trial.replica.frame(&token);
    trial.replica.pong(&token);
    assert_eq!(trial.events().iter().filter(|event| event.contains("Altered")).count(), 2);
}

#[test]
fn somebody_else_at_the_issuers_address_is_not_believed() {
    let mut trial = Trial::ready();
    let token = trial.issuer.token(1, 1);
    let mut published = trial.issuer.published();
    published.issuer = "https://evil.example".to_owned();
    published.names.clear();
    trial.replica.publish(&published);
    assert_eq!(trial.check(&token), stale(Doubt::Unproven));
    assert!(trial.heard("OtherIssuer"));
    trial.publish();
    trial.prove();
    assert_eq!(trial.check(&token), Ok(()));
}

#[test]
fn clocks_that_disagree_by_more_than_a_minute_refuse() {
    for (apart, expected) in
        [(59, Ok(())), (-59, Ok(())), (90, stale(Doubt::Clock)), (-90, stale(Doubt::Clock))]
    {
        let mut trial = Trial::ready();
        let token = trial.issuer.token(1, 1);
        trial.hands.set(Timestamp::from_unix(trial.world.now().unix() + apart));
        assert_eq!(trial.check(&token), expected, "{apart} s, since the last proof");
        // The issuer's clock is where it was.
        trial.issuer.ahead -= apart;
        trial.prove();
        assert_eq!(trial.check(&token), expected, "{apart} s, at a proof");
        assert_eq!(trial.lag(), 0);
    }
}

#[test]
fn times_in_a_token_are_checked_by_a_clock_that_is_right() {
    let trial = Trial::ready();
    let now = trial.world.now();
    let expired = trial.issuer.token_of(1, 1, now - Duration::from_secs(60), now);
    assert_eq!(trial.check(&expired), ended(Reason::Expired));
    let later = now + Duration::from_secs(61);
    let early = trial.issuer.token_of(1, 1, later, later + Duration::from_secs(60));
    assert_eq!(trial.check(&early), ended(Reason::Expired), "which says to refresh");
    let long = trial.issuer.token_of(1, 1, now, now + LONGEST_ACCESS + Duration::from_secs(1));
    assert_eq!(trial.check(&long), Err(Rejection::Invalid));
    let longest = trial.issuer.token_of(1, 1, now, now + LONGEST_ACCESS);
    assert_eq!(trial.check(&longest), Ok(()));
}

#[test]
fn tokens_for_others_are_refused() {
    let mut trial = Trial::ready();
    let other = trial.issuer.for_audience("https://other.example").token(1, 1);
    trial.pass(1);
    trial.prove();
    assert_eq!(trial.check(&other), Err(Rejection::Invalid));
    assert_eq!(trial.check(&trial.issuer.for_audience(AUDIENCE).token(1, 1)), Ok(()));
    assert_eq!(trial.check(&"x".repeat(1_000_000)), Err(Rejection::Invalid));
    for text in ["", ".", "...", "v4.public.", "é"] {
        assert_eq!(trial.check(text), Err(Rejection::Invalid), "{text}");
    }
}

#[test]
fn going_and_coming_is_told_once() {
    let mut trial = Trial::ready();
    trial.pass(11);
    let asked = trial.replica.ask().unwrap();
    trial.replica.ask();
    let pong = trial.issuer.pong(&asked);
    trial.replica.pong(&pong);
    let told: Vec<_> =
        trial.events().into_iter().filter(|e| e.contains("Fresh") || e.contains("Stale")).collect();
    assert_eq!(told, ["Fresh", "Stale(Late)", "Fresh"]);
}
