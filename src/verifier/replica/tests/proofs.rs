//! What the answer to a ping proves.

use super::*;

#[test]
fn an_answer_proves_the_moment_its_question_was_sent() {
    let mut trial = Trial::ready();
    let token = trial.issuer.token(1, 1);
    trial.pass(4);
    let asked = trial.replica.ask().unwrap();
    let pong = trial.issuer.pong(&asked);
    trial.pass(7);
    trial.replica.pong(&pong);
    assert_eq!(trial.lag(), 7);
    trial.pass(3);
    assert_eq!(trial.check(&token), Ok(()));
    trial.pass(1);
    assert_eq!(trial.check(&token), stale(Doubt::Late));
    assert_eq!(trial.lag(), 11);
}

#[test]
fn an_answer_proves_nothing_before_its_head_is_applied() {
    let mut trial = Trial::ready();
    trial.issuer.bump(1, 2, None);
    trial.pass(5);
    let asked = trial.replica.ask().unwrap();
    let pong = trial.issuer.pong(&asked);
    trial.replica.pong(&pong);
    assert_eq!(trial.lag(), 5);
    assert!(!trial.replica.is_behind(Duration::from_secs(1)));
    trial.pass(2);
    assert!(trial.replica.is_behind(Duration::from_secs(1)), "the stream is dead");
    trial.deliver();
    assert_eq!(trial.lag(), 2);
    assert!(!trial.replica.is_behind(Duration::ZERO));
}

#[test]
fn a_repeated_altered_or_foreign_answer_proves_nothing() {
    let mut trial = Trial::ready();
    let asked = trial.replica.ask().unwrap();
    let pong = trial.issuer.pong(&asked);
    trial.pass(3);
    for altered in
        [pong.replacen("v4.public.e", "v4.public.f", 1), pong[..pong.len() - 1].to_owned(), String::new()]
    {
        trial.replica.pong(&altered);
    }
    assert_eq!(trial.lag(), 3);
    trial.replica.pong(&pong);
    assert_eq!(trial.lag(), 3, "asked when the last one was proven");
    trial.pass(3);
    trial.replica.pong(&pong);
    let other = trial.issuer.restored();
    let foreign = Asked { sent: Duration::ZERO, ..asked };
    trial.replica.pong(&other.pong(&foreign));
    assert_eq!(trial.lag(), 6);
    assert!(trial.heard("Altered"));
    // A later answer makes the earlier ones worthless.
    let (first, second) = (trial.replica.ask().unwrap(), trial.replica.ask().unwrap());
    let (first, second) = (trial.issuer.pong(&first), trial.issuer.pong(&second));
    trial.replica.pong(&second);
    assert_eq!(trial.replica.pings.len(), 0);
    trial.replica.pong(&first);
    assert_eq!(trial.lag(), 0);
}
