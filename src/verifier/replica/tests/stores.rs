//! Stores that are put back from a copy, with and without `rescind store restored`.

use super::*;

#[test]
fn a_store_that_lost_entries_alarms_and_is_not_believed_again() {
    let mut trial = Trial::ready();
    let (gone, good) = (trial.issuer.token(1, 1), trial.issuer.token(2, 1));
    let copy = trial.issuer.copy();
    trial.issuer.bump(1, 2, None);
    trial.deliver();
    trial.prove();
    trial.issuer = copy;
    trial.pass(4);
    trial.prove();
    assert!(trial.heard("RolledBack"));
    assert_eq!(trial.lag(), 4);
    assert_eq!(trial.check(&gone), ended(Reason::SignedOutEverywhere), "nothing is forgotten");
    assert_eq!(trial.check(&good), Ok(()), "within the bound");
    // Its log grows past what was applied, with other entries: that must not look fresh.
    for user in 10..20 {
        trial.issuer.bump(user, 2, None);
    }
    trial.deliver();
    trial.prove();
    trial.pass(7);
    trial.prove();
    assert_eq!(trial.check(&good), stale(Doubt::Late));
    assert_eq!(trial.events().iter().filter(|event| event.contains("RolledBack")).count(), 1);
    // Restored properly, it has another id.
    trial.issuer = trial.issuer.restored();
    trial.prove();
    let new = trial.issuer.token(2, 1);
    assert_eq!(trial.check(&new), stale(Doubt::Unproven));
    trial.begin();
    assert_eq!(trial.check(&good), ended(Reason::Reset));
    assert_eq!(trial.check(&new), Ok(()));
}

#[test]
fn a_store_that_lost_entries_and_grew_again_is_found_out_when_its_stream_is_opened() {
    let mut trial = Trial::ready();
    let (first, good) = (trial.issuer.token(1, 1), trial.issuer.token(2, 1));
    let copy = trial.issuer.copy();
    trial.issuer.bump(9, 2, None);
    trial.deliver();
    trial.prove();
    trial.reopen();
    trial.issuer.bump(9, 3, None);
    assert_eq!(trial.reopen(), StreamAction::Keep);
    assert!(!trial.heard("RolledBack"), "it is the same log");
    assert_eq!(trial.ends_heard(), 2, "each is told once");
    // Put back without a word, and as long as before when it is heard again.
    trial.issuer = copy;
    trial.issuer.bump(1, 2, None);
    trial.issuer.bump(8, 2, None);
    trial.issuer.bump(7, 2, None);
    trial.pass(4);
    trial.reopen();
    trial.prove();
    assert!(trial.heard("RolledBack"));
    assert_eq!(
        (trial.lag(), trial.check(&first)),
        (4, Ok(())),
        "what it said instead is not known, within the bound"
    );
    trial.pass(7);
    trial.prove();
    assert_eq!((trial.check(&first), trial.check(&good)), (stale(Doubt::Late), stale(Doubt::Late)));
    // Restored properly it has another id, and a log of its own.
    trial.issuer = trial.issuer.restored();
    for user in 10..13 {
        trial.issuer.bump(user, 2, None);
    }
    trial.prove();
    trial.begin();
    assert_eq!(trial.check(&trial.issuer.token(2, 1)), Ok(()));
}

#[test]
fn a_late_answer_is_not_taken_for_a_lost_log() {
    let mut trial = Trial::ready();
    let asked = trial.replica.ask().unwrap();
    let pong = trial.issuer.pong(&asked);
    trial.issuer.bump(1, 2, None);
    trial.deliver();
    trial.replica.pong(&pong);
    assert!(!trial.heard("RolledBack"));
}

#[test]
fn another_store_is_refused_until_its_snapshot_is_in() {
    let mut trial = Trial::ready();
    let old = trial.issuer.snapshot().remove(0);
    trial.issuer = trial.issuer.restored();
    let token = trial.issuer.token(1, 1);
    let many = u8::try_from(MOST_ENTRIES).unwrap_or(u8::MAX);
    (0..3).for_each(|_| (2..many).for_each(|user| trial.issuer.bump(user, 2, None)));
    let frames = trial.issuer.snapshot();
    assert!(frames.len() > 1);
    trial.replica.frame(&frames[0]);
    assert_eq!(
        trial.check(&token),
        Ok(()),
        "who the issuer is, a frame cannot say: it may be a replayed one"
    );
    let asked = trial.replica.ask().unwrap();
    let pong = trial.issuer.pong(&asked);
    assert_eq!(trial.replica.pong(&pong), StreamAction::Begin);
    assert!(trial.heard("StoreReplaced") && trial.replica.wants_keys());
    for frame in &frames {
        assert_eq!(trial.check(&token), stale(Doubt::Unproven));
        trial.replica.frame(frame);
        trial.replica.frame(&old);
    }
    trial.prove();
    assert_eq!(trial.check(&token), stale(Doubt::Unproven), "its keys are not known");
    trial.publish();
    assert_eq!(trial.check(&token), Ok(()));
}

/// Positions of one store mean nothing in another: a follower behind them is not up to date, and none of its entries
/// counts as known.
#[test]
fn what_was_applied_of_one_store_counts_for_nothing_in_another() {
    let mut trial = Trial::ready();
    (10..15).for_each(|user| trial.issuer.bump(user, 2, None));
    trial.deliver();
    trial.prove();
    trial.issuer = trial.issuer.restored();
    let token = trial.issuer.token(1, 1);
    trial.issuer.bump(1, 2, None);
    trial.prove();
    trial.publish();
    assert_eq!(trial.replica.applied, None);
    trial.prove();
    assert_eq!(trial.check(&token), stale(Doubt::Unproven));
    for frame in trial.issuer.snapshot() {
        trial.replica.frame(&frame);
    }
    trial.prove();
    assert_eq!(trial.check(&token), ended(Reason::SignedOutEverywhere));
}
