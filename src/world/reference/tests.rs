use std::sync::Arc;

use super::*;
use crate::world::Manual;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const START: Timestamp = Timestamp::from_unix(1_800_000_000);

fn started() -> (ReferenceClock, World, Arc<Manual>) {
    let (world, manual) = World::manual(START, 1);
    // The machine has run for long before.
    manual.advance(DAY * 10);
    manual.set(START);
    (ReferenceClock::start(world.clone()), world, manual)
}

/// Advances the time and lets the reference clock read it, as housekeeping does.
fn pass(clock: &ReferenceClock, manual: &Manual, time: Duration) {
    manual.advance(time);
    clock.look();
}

#[test]
fn a_jump_ahead_confirms_nothing_and_moves_no_window() {
    let (clock, world, manual) = started();
    clock.hear_of_record(START + Duration::from_secs(30));
    pass(&clock, &manual, HOUR);
    manual.set(world.now() + DAY * 40);
    clock.look();
    pass(&clock, &manual, HOUR);
    assert_eq!(clock.steady(), START + HOUR * 2);
    assert_eq!(clock.confirmed(), START + HOUR * 2);
    assert_eq!(clock.latest(), START + HOUR * 2 + DAY * 40);
    assert_eq!(clock.ahead(), 40 * 24 * 60 * 60);
    manual.set(START + HOUR * 2);
    clock.look();
    assert_eq!((clock.steady(), clock.confirmed()), (START + HOUR * 2, START + HOUR * 2));
}

#[test]
fn a_step_back_moves_no_window_and_confirms_no_more_than_the_wall_clock() {
    let (clock, _, manual) = started();
    manual.set(START - HOUR);
    clock.look();
    assert_eq!((clock.steady(), clock.confirmed(), clock.latest()), (START, START - HOUR, START));
}

#[test]
fn what_is_ahead_of_the_records_is_believed_after_a_day_without_a_jump() {
    let (clock, _, manual) = started();
    assert_eq!(clock.hear_of_record(START - DAY * 40), None);
    assert_eq!(clock.steady(), START, "a machine that was off is answered for by its clock");
    for _ in 0..23 {
        pass(&clock, &manual, HOUR);
    }
    assert_eq!(clock.confirmed(), START - DAY * 40 + HOUR * 23);
    pass(&clock, &manual, HOUR);
    assert_eq!(clock.confirmed(), START + DAY);
}

#[test]
fn a_jump_begins_the_day_anew() {
    let (clock, world, manual) = started();
    clock.hear_of_record(START - DAY * 40);
    pass(&clock, &manual, HOUR * 20);
    manual.set(world.now() + HOUR);
    clock.look();
    pass(&clock, &manual, HOUR * 23);
    assert_eq!(clock.confirmed(), START - DAY * 40 + HOUR * 43);
    assert_eq!(clock.steady(), START + HOUR * 43);
    pass(&clock, &manual, HOUR);
    assert_eq!((clock.confirmed(), clock.steady()), (world.now(), world.now()), "a day without another");
}

#[test]
fn a_clock_that_is_slewed_takes_the_steady_one_along() {
    let (clock, world, manual) = started();
    for _ in 0..120 {
        pass(&clock, &manual, Duration::from_secs(30));
        manual.set(world.now() + Duration::from_secs(1));
        clock.look();
    }
    assert_eq!(clock.steady(), world.now());
}

#[test]
fn a_clock_behind_the_records_is_told_and_believed_once_it_is_set() {
    let (clock, _, manual) = started();
    assert_eq!(clock.hear_of_record(START + TOLERATED), None);
    let late = TOLERATED + Duration::from_secs(1);
    assert_eq!(clock.hear_of_record(START + late), Some(late));
    assert_eq!(clock.latest(), START + late);
    manual.set(START + Duration::from_secs(30));
    clock.look();
    assert_eq!(clock.steady(), START, "that is still behind the records");
    manual.set(START + DAY * 90);
    clock.look();
    assert_eq!(clock.steady(), START + DAY * 90);
    assert_eq!(clock.confirmed(), START + late, "it ends nothing for all that");
    manual.set(START + DAY * 180);
    clock.look();
    assert_eq!(clock.steady(), START + DAY * 90, "the next jump is one like any other");
}

#[test]
fn a_clock_more_than_a_minute_from_the_databases_is_refused_until_it_is_set() {
    let (clock, world, manual) = started();
    let database = |seconds: i64| (START.unix() + seconds) * 1000;
    clock.hear_of_database(database(60), world.uptime());
    assert_eq!((clock.check(), clock.steady()), (Ok(()), START + TOLERATED), "all nodes count alike");
    clock.hear_of_database(database(61), world.uptime());
    assert_eq!(clock.check(), Err(ClocksApart { seconds: -61 }));
    assert_eq!(clock.ahead(), -61);
    assert_eq!(clock.latest(), START + Duration::from_secs(61), "the database knows of it");
    manual.set(START + Duration::from_secs(130));
    assert_eq!(
        clock.check().unwrap_err().to_string().split(':').next(),
        Some("the clock here is 69 s ahead of the database's")
    );
    manual.set(START + Duration::from_secs(70));
    assert_eq!(clock.check(), Ok(()));
    assert_eq!(clock.confirmed(), START + TOLERATED);
}

#[test]
fn the_database_is_believed_to_have_answered_half_way_between_question_and_answer() {
    let (clock, world, manual) = started();
    let asked = world.uptime();
    manual.advance(Duration::from_secs(10));
    clock.hear_of_database(START.unix() * 1000, asked);
    assert_eq!(clock.steady(), START + Duration::from_secs(5));
}

#[test]
fn a_database_behind_confirms_no_more_than_it_says() {
    let (clock, world, _) = started();
    clock.hear_of_database(START.unix() * 1000, world.uptime());
    let behind = START - Duration::from_secs(30);
    clock.hear_of_database(behind.unix() * 1000, world.uptime());
    assert_eq!((clock.check(), clock.confirmed()), (Ok(()), behind));
}

#[test]
fn a_jump_of_the_database_and_the_node_together_confirms_nothing() {
    let (clock, world, manual) = started();
    clock.hear_of_database(START.unix() * 1000, world.uptime());
    manual.set(START + DAY * 40);
    clock.hear_of_database((START + DAY * 40).unix() * 1000, world.uptime());
    clock.look();
    assert_eq!((clock.check(), clock.confirmed()), (Ok(()), START));
}
