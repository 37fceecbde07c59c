//! What a replica keeps in memory, for how long, and what it does when there is no more room.

use super::*;

#[test]
fn a_full_memory_refuses_and_never_forgets() {
    let mut trial = Trial::with_room_for(3);
    let tokens: Vec<_> = (1..=5).map(|user| trial.issuer.token(user, 1)).collect();
    trial.issuer.bump(1, 2, None);
    let first = trial.issuer.frames(trial.replica.applied).remove(0);
    for user in 2..=3 {
        trial.issuer.bump(user, 2, None);
    }
    let asked = trial.replica.ask().unwrap();
    let before_the_fourth = trial.issuer.pong(&asked);
    trial.issuer.bump(4, 2, None);
    assert_eq!(trial.deliver(), StreamAction::Resume);
    assert_eq!(trial.replica.frame(&first), StreamAction::Keep, "once more");
    assert_eq!(trial.replica.pong(&before_the_fourth), StreamAction::Keep);
    assert_eq!(trial.check(&tokens[0]), ended(Reason::SignedOutEverywhere));
    assert_eq!(trial.check(&tokens[3]), stale(Doubt::Full));
    assert_eq!(trial.check(&tokens[4]), stale(Doubt::Full));
    trial.prove();
    assert!(trial.heard("Stale(Full)"));
    // When what it holds has become too old to matter, there is room again.
    trial.pass(66 * 60);
    trial.prove();
    assert_eq!(trial.deliver(), StreamAction::Keep);
    trial.prove();
    assert_eq!(trial.check(&trial.issuer.token(5, 1)), Ok(()));
    assert_eq!(trial.check(&trial.issuer.token(4, 1)), ended(Reason::SignedOutEverywhere));
}

/// The clock of an issuer's node may be wrong, and be set right again.
#[test]
fn no_wall_clock_makes_it_forget() {
    for ahead in [-3_600, 3_600] {
        let mut trial = Trial::ready();
        let now = trial.world.now();
        let token = trial.issuer.token_of(1, 1, now, now + LONGEST_ACCESS);
        trial.issuer.ahead = ahead;
        trial.issuer.bump(1, 2, None);
        trial.deliver();
        trial.prove();
        trial.pass(60);
        trial.issuer.ahead = 0;
        for _ in 0..10 {
            trial.pass(60);
            trial.prove();
            assert_eq!(trial.check(&token), ended(Reason::SignedOutEverywhere), "{ahead}");
        }
    }
}

#[test]
fn what_ended_is_remembered_as_long_as_a_token_could_live() {
    let mut trial = Trial::ready();
    let now = trial.world.now();
    let tokens: Vec<_> =
        (1..=2).map(|user| trial.issuer.token_of(user, 1, now, now + LONGEST_ACCESS)).collect();
    trial.issuer.bump(1, 2, None);
    trial.issuer.end_device(2, trial.issuer.device(2));
    trial.deliver();
    for _ in 0..59 {
        trial.pass(60);
        trial.prove();
        assert_eq!(trial.check(&tokens[0]), ended(Reason::SignedOutEverywhere));
        assert_eq!(trial.check(&tokens[1]), ended(Reason::SignedOut));
    }
    trial.pass(8 * 60);
    trial.prove();
    assert_eq!(trial.view.state.load().revoked.len(), 0);
    assert_eq!(trial.check(&tokens[0]), ended(Reason::Expired));
}

#[test]
fn a_day_leaves_no_more_in_memory_than_an_hour() {
    let mut trial = Trial::ready();
    let mut sizes = Vec::new();
    for tick in 0..24 * 360_u32 {
        trial.pass(10);
        let user = u8::try_from(tick % 251).unwrap_or_default();
        trial.issuer.end_device(user, trial.issuer.new_device());
        trial.issuer.sweep();
        trial.deliver();
        trial.prove();
        if tick % 360 == 359 {
            sizes.push(trial.view.state.load().revoked.len());
        }
    }
    let (early, late) = sizes.split_at(2);
    assert!(late.iter().all(|size| size <= &(65 * 6 + 7)), "{sizes:?}");
    assert!(early[1] >= 65 * 6, "what can still matter is kept: {sizes:?}");
    assert_eq!(trial.replica.pings.len(), 0);
}

#[test]
fn unanswered_questions_are_bounded() {
    let mut trial = Trial::ready();
    let token = trial.issuer.token(1, 1);
    for _ in 0..1_000 {
        let asked = trial.replica.ask().unwrap();
        trial.pass(1);
        trial.issuer.bump(1, 2, None);
        let pong = trial.issuer.pong(&asked);
        trial.replica.pong(&pong);
        trial.replica.ask();
    }
    assert!(trial.replica.pings.len() <= 32);
    assert_eq!(trial.check(&token), stale(Doubt::Late));
}
