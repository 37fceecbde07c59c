//! Changes of the key set.

use super::*;

#[test]
fn a_retired_key_is_believed_until_the_last_token_of_it_has_expired() {
    let mut trial = Trial::ready();
    let before = trial.issuer.copy();
    trial.issuer.rotate();
    trial.deliver();
    trial.publish();
    for _ in 0..59 {
        trial.pass(60);
        trial.prove();
    }
    assert_eq!(trial.check(&before.token(1, 1)), Ok(()));
    for _ in 0..2 {
        trial.pass(60);
        trial.prove();
    }
    assert_eq!(trial.check(&before.token(1, 1)), Err(Rejection::Invalid), "whoever has the key now");
    assert_eq!(trial.check(&trial.issuer.token(1, 1)), Ok(()));
}

#[test]
fn tokens_of_a_distrusted_key_are_refused_at_once_and_for_good() {
    let mut trial = Trial::ready();
    let token = trial.issuer.token(1, 1);
    assert_eq!(trial.check(&token), Ok(()), "and its signature is remembered");
    let cached = trial.issuer.published();
    trial.issuer.distrust_active();
    trial.deliver();
    assert_eq!(trial.check(&token), Err(Rejection::Invalid));
    assert!(trial.replica.wants_keys());
    let fresh = trial.issuer.token(1, 1);
    assert_eq!(trial.check(&fresh), Ok(()), "the next key was published before it is used");
    // Some cache on the way still has the old answer.
    trial.replica.publish(&cached);
    assert_eq!(trial.check(&token), Err(Rejection::Invalid));
    assert!(trial.replica.wants_keys());
    trial.pass(8);
    trial.prove();
    assert_eq!(trial.lag(), 8, "without the keys that go with it, an answer proves nothing");
    trial.publish();
    assert_eq!(trial.lag(), 0);
    assert!(!trial.replica.wants_keys());
}

/// The key set of an earlier issuer lists distrusted keys among the others.
#[test]
fn a_distrusted_key_is_refused_wherever_the_issuer_lists_it() {
    for among_the_others in [false, true] {
        let mut trial = Trial::ready();
        let (token, all) = (trial.issuer.token(1, 1), trial.issuer.published());
        trial.issuer.distrust_active();
        let mut published = trial.issuer.published();
        let [kid] = &published.distrusted[..] else { panic!("{published:?}") };
        assert!(published.keys.iter().all(|key| key.kid != *kid), "who takes every key it is given is safe");
        if among_the_others {
            let key = all.keys.iter().find(|key| key.kid == *kid).unwrap();
            published.keys.push(crate::verifier::published::PublishedKey {
                state: "distrusted".to_owned(),
                ..key.clone()
            });
            published.distrusted.clear();
        }
        trial.replica.publish(&published);
        assert_eq!(trial.check(&token), Err(Rejection::Invalid));
        // Some cache on the way still has the answer from before.
        trial.replica.publish(&all);
        assert_eq!(trial.check(&token), Err(Rejection::Invalid));
    }
}

#[test]
fn an_audience_that_no_token_has_is_told_once() {
    let mut trial = Trial::ready();
    let mut published = trial.issuer.published();
    trial.replica.publish(&published);
    assert!(!trial.heard("OtherAudience"));
    published.audience = Some("shop".to_owned());
    published.names.clear();
    trial.replica.publish(&published);
    trial.replica.publish(&published);
    let told = trial.events().iter().filter(|event| event.contains("OtherAudience")).count();
    assert_eq!(told, 1);
    published.audience = None;
    trial.replica.publish(&published);
    assert_eq!(trial.events().iter().filter(|event| event.contains("OtherAudience")).count(), 1);
}

#[test]
fn a_text_signed_by_a_key_not_known_yet_asks_for_the_keys() {
    let mut trial = Trial::ready();
    trial.issuer.rotate();
    trial.issuer.rotate();
    trial.issuer.bump(1, 2, None);
    assert!(!trial.replica.wants_keys());
    let frame = trial.issuer.frames(trial.replica.applied).remove(0);
    assert_eq!(trial.replica.frame(&frame), StreamAction::Begin);
    assert!(trial.replica.wants_keys());
    trial.publish();
    assert_eq!(trial.replica.frame(&frame), StreamAction::Keep);
}

#[test]
fn a_token_of_a_key_that_could_not_be_fetched_yet_may_be_good() {
    let mut trial = Trial::ready();
    let unknown = || Trial::ready().issuer.token(1, 1);
    assert_eq!(trial.check(&unknown()), Err(Rejection::Invalid), "there are no newer keys");
    let before = trial.issuer.token(1, 1);
    trial.issuer.rotate();
    trial.deliver();
    trial.issuer.rotate();
    let newest = trial.issuer.token(1, 1);
    assert_eq!(trial.check(&newest), Err(Rejection::Stale(Doubt::Keys)));
    assert_eq!(trial.check(&before), Ok(()));
    let altered = before.replacen("v4.public.", "v4.public.A", 1);
    for other in ["", "v4.public.forged", "v4.public.a.b", &altered, &newest[..newest.len() - 1]] {
        assert_eq!(trial.check(other), Err(Rejection::Invalid), "{other}");
    }
    trial.publish();
    assert_eq!(trial.check(&newest), Ok(()));
    assert_eq!(trial.check(&unknown()), Err(Rejection::Invalid));
}

#[test]
fn a_key_that_is_unlike_its_id_is_not_trusted() {
    let mut trial = Trial::ready();
    let mut published = trial.issuer.published();
    published.version += 1;
    let (first, second) = (published.keys[0].public.clone(), published.keys[1].public.clone());
    published.keys[0].public = second;
    published.keys[1].public = first;
    trial.replica.publish(&published);
    assert_eq!(trial.check(&trial.issuer.token(1, 1)), Err(Rejection::Invalid));
}
