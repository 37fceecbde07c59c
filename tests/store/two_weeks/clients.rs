//! Honest clients whose parallel requests refresh independently: each request that finds the access token expired
//! refreshes with the token stored when it is sent, and the last answer is kept.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Chance, MINUTE, Millis, Rule, TWO_WEEKS, Trials};
use crate::service::HOME;

/// An event of one request.
enum Event {
    /// The request was answered 401: its refresh is sent with the token stored now.
    Send,
    /// The request's refresh arrives at the service with this token.
    Arrive(u64),
    /// The answer to the refresh arrives: a token, or a refusal.
    Answer(Option<u64>),
}

/// Whether a client is signed out within two weeks, if `lost` of a hundred answers are lost.
async fn is_signed_out(trials: &mut Trials, rule: Rule, parallel: u64, lost: u64, seed: u64) -> bool {
    let (mut device, mut chance) = (trials.device(rule).await, Chance(seed));
    let (mut stored, mut at): (u64, Millis) = (0, 0);
    // Thirty times a day the app is used after its access token ran out.
    while at < TWO_WEEKS {
        at += chance.draw(15 * MINUTE, 80 * MINUTE);
        let requests = (0..parallel).map(|n| ((at + chance.draw(50, 300), n), Event::Send));
        let mut events: BTreeMap<(Millis, u64), Event> = requests.collect();
        while let Some(((now, n), event)) = events.pop_first() {
            let later = now + chance.draw(25, 150);
            match event {
                Event::Send => drop(events.insert((later, n), Event::Arrive(stored))),
                Event::Arrive(presented) => {
                    let bought = device.refresh(presented, HOME, now).await;
                    if chance.draw(0, 100) >= lost {
                        events.insert((later, n), Event::Answer(bought));
                    }
                }
                Event::Answer(Some(bought)) => stored = bought,
                Event::Answer(None) => return true,
            }
        }
    }
    false
}

#[tokio::test]
async fn no_client_without_single_flight_is_signed_out() {
    let mut trials = Trials::begin().await;
    let mut shown = "parallel  lost  signed out by the earlier rule, by today's\n".to_owned();
    for parallel in [3, 10, 20] {
        for lost in [0, 2] {
            let mut signed_out = [0, 0];
            for (count, rule) in signed_out.iter_mut().zip([Rule::Earlier, Rule::Todays]) {
                for seed in 0..6 {
                    *count += u32::from(is_signed_out(&mut trials, rule, parallel, lost, seed).await);
                }
            }
            let [earlier, todays] = signed_out;
            writeln!(shown, "{parallel:8}  {lost:2} %  {earlier} of 6, {todays} of 6").unwrap();
        }
    }
    insta::assert_snapshot!(shown, @r"
    parallel  lost  signed out by the earlier rule, by today's
           3   0 %  6 of 6, 0 of 6
           3   2 %  6 of 6, 0 of 6
          10   0 %  6 of 6, 0 of 6
          10   2 %  6 of 6, 0 of 6
          20   0 %  6 of 6, 0 of 6
          20   2 %  6 of 6, 0 of 6
    ");
}
