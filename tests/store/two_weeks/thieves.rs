//! Thieves with a copy of an honest device's token: how long a theft stays unnoticed.

use std::fmt::Write as _;

use super::{Chance, DAY, HOUR, MINUTE, Millis, Rule, SECOND, TWO_WEEKS, Trials};
use crate::service::{ELSEWHERE, HOME};

/// An address of the family that the owner does not use.
const OTHER_FAMILY: &str = "2001:db8:7::80";

/// When a thief presents the stolen token.
#[derive(Clone, Copy)]
enum Habit {
    /// Once per interval.
    Every(Millis),
    /// Once before the owner, and then half a minute after each advance of the owner.
    InStep,
}

/// How long a theft stays unnoticed; `None` if longer than two weeks.
async fn until_noticed(
    trials: &mut Trials,
    rule: Rule,
    habit: Habit,
    from: &'static str,
    seed: u64,
) -> Option<Millis> {
    let (mut device, mut chance) = (trials.device(rule).await, Chance(seed));
    let (mut owner, mut at) = (0, 0);
    for _ in 0..3 {
        at += chance.draw(15 * MINUTE, 20 * MINUTE);
        owner = device.refresh(owner, HOME, at).await.unwrap();
    }
    let mut thief = owner;
    let mut owner_next = at + chance.draw(15 * MINUTE, 20 * MINUTE);
    let stolen = at + chance.draw(MINUTE, 15 * MINUTE);
    let mut thief_next = match habit {
        Habit::Every(period) => stolen + chance.draw(0, period),
        Habit::InStep => stolen,
    };
    loop {
        let now = owner_next.min(thief_next);
        if now > stolen + TWO_WEEKS {
            return None;
        }
        let (holder, network) = if owner_next <= thief_next {
            owner_next = now + chance.draw(15 * MINUTE, 20 * MINUTE);
            if let Habit::InStep = habit
                && thief == owner
            {
                thief_next = now + 30 * SECOND;
            }
            (&mut owner, HOME)
        } else {
            thief_next = match habit {
                Habit::Every(period) => now + period,
                Habit::InStep => Millis::MAX,
            };
            (&mut thief, from)
        };
        match device.refresh(*holder, network, now).await {
            Some(bought) => *holder = bought,
            None => return Some(now - stolen),
        }
    }
}

/// The median over many thefts, in minutes; unnoticed ones count as the longest.
async fn median(trials: &mut Trials, rule: Rule, habit: Habit, from: &'static str) -> String {
    let mut times = Vec::new();
    for seed in 0..41 {
        times.push(until_noticed(trials, rule, habit, from, seed).await.unwrap_or(Millis::MAX));
    }
    times.sort_unstable();
    match times[20] {
        Millis::MAX => "never".to_owned(),
        median => format!("{} min", median / MINUTE),
    }
}

#[tokio::test]
async fn thieves_are_noticed_as_soon_as_before_and_in_the_other_address_family_at_all() {
    let mut trials = Trials::begin().await;
    let mut shown = "noticed after, by the earlier rule and by today's\n".to_owned();
    let habits = [
        ("every 10 s", Habit::Every(10 * SECOND)),
        ("every minute", Habit::Every(MINUTE)),
        ("every quarter of an hour", Habit::Every(15 * MINUTE)),
        ("every hour", Habit::Every(HOUR)),
        ("every day", Habit::Every(DAY)),
        ("in step", Habit::InStep),
    ];
    for (habit, when) in habits {
        for (network, from) in [("home", HOME), ("elsewhere", ELSEWHERE), ("other family", OTHER_FAMILY)] {
            let earlier = median(&mut trials, Rule::Earlier, when, from).await;
            let todays = median(&mut trials, Rule::Todays, when, from).await;
            writeln!(shown, "{habit}, {network}: {earlier}, {todays}").unwrap();
        }
    }
    insta::assert_snapshot!(shown, @r"
    noticed after, by the earlier rule and by today's
    every 10 s, home: 9 min, 9 min
    every 10 s, elsewhere: 9 min, 9 min
    every 10 s, other family: 9 min, 9 min
    every minute, home: 9 min, 9 min
    every minute, elsewhere: 9 min, 9 min
    every minute, other family: 9 min, 9 min
    every quarter of an hour, home: 87 min, 87 min
    every quarter of an hour, elsewhere: 84 min, 84 min
    every quarter of an hour, other family: 86 min, 84 min
    every hour, home: 56 min, 56 min
    every hour, elsewhere: 56 min, 56 min
    every hour, other family: 56 min, 56 min
    every day, home: 816 min, 816 min
    every day, elsewhere: 816 min, 816 min
    every day, other family: 816 min, 816 min
    in step, home: never, never
    in step, elsewhere: 97 min, 97 min
    in step, other family: never, 97 min
    ");
}
