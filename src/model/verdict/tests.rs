use super::*;
use crate::model::ids::{DeviceId, UserId};

const NOW: Timestamp = Timestamp::from_unix(1_000);

fn stamp(era: u64, generation: u64) -> Stamp {
    Stamp { era: Era::new(era), generation: Generation::new(generation) }
}

fn token(stamp: Stamp, expires: i64) -> Presented {
    Presented {
        user: UserId::from_bytes([1; 16]),
        device: DeviceId::from_bytes([2; 16]),
        stamp,
        expires: Timestamp::from_unix(expires),
    }
}

#[allow(clippy::unnecessary_wraps, reason = "the cases read as a table of what is known")]
fn user(generation: u64, disabled: bool) -> Option<UserState> {
    Some(UserState { generation: Generation::new(generation), disabled })
}

#[allow(clippy::unnecessary_wraps, reason = "the cases read as a table of what is known")]
fn device(stamp: Stamp, ended: bool, end: i64) -> Option<DeviceState> {
    Some(DeviceState { stamp, floor: Generation::default(), ended, end: Timestamp::from_unix(end) })
}

#[test]
fn the_first_reason_that_applies_is_the_answer() {
    use Reason::*;
    let era = Era::new(7);
    let ended = Verdict::Ended;
    let cases = [
        (
            "all well",
            token(stamp(7, 3), 2_000),
            user(3, false),
            device(stamp(7, 3), false, 9_000),
            Verdict::Live,
        ),
        ("older era before all", token(stamp(6, 3), 1), user(4, true), None, ended(Reset)),
        ("newer era", token(stamp(8, 3), 2_000), user(3, false), None, Verdict::Ahead),
        ("newer generation", token(stamp(7, 4), 2_000), user(3, true), None, Verdict::Ahead),
        ("disabled before generation", token(stamp(7, 2), 1), user(3, true), None, ended(UserDisabled)),
        ("no such user", token(stamp(7, 3), 2_000), None, None, ended(SignedOutEverywhere)),
        ("bumped", token(stamp(7, 2), 1), user(3, false), None, ended(SignedOutEverywhere)),
        (
            "bumped, device left behind",
            token(stamp(7, 2), 2_000),
            user(3, false),
            device(stamp(7, 2), false, 9_000),
            ended(SignedOutEverywhere),
        ),
        (
            "re-stamped",
            token(stamp(7, 2), 1),
            user(3, false),
            device(stamp(7, 3), false, 9_000),
            ended(Superseded),
        ),
        ("device gone", token(stamp(7, 3), 1), user(3, false), None, ended(SignedOut)),
        (
            "device ended",
            token(stamp(7, 3), 1),
            user(3, false),
            device(stamp(7, 3), true, 9_000),
            ended(SignedOut),
        ),
        (
            "expired to the second",
            token(stamp(7, 3), 1_000),
            user(3, false),
            device(stamp(7, 3), false, 9_000),
            ended(Expired),
        ),
        (
            "one second left",
            token(stamp(7, 3), 1_001),
            user(3, false),
            device(stamp(7, 3), false, 9_000),
            Verdict::Live,
        ),
        (
            "device ran out",
            token(stamp(7, 3), 2_000),
            user(3, false),
            device(stamp(7, 3), false, 1_000),
            ended(Expired),
        ),
    ];
    for (name, presented, user, device, expected) in cases {
        assert_eq!(judge(&presented, era, user, device, NOW), expected, "{name}");
    }
}

#[test]
fn a_token_older_than_a_password_change_on_its_device_is_below_the_floor() {
    let era = Era::new(7);
    let said = |own, floor| {
        let device = device(stamp(7, 5), false, 9_000)
            .map(|device| DeviceState { floor: Generation::new(floor), ..device });
        judge(&token(stamp(7, own), 2_000), era, user(5, false), device, NOW)
    };
    assert_eq!(said(3, 4), Verdict::Ended(Reason::PasswordChanged));
    assert_eq!(said(4, 4), Verdict::Ended(Reason::Superseded), "the first generation after it refreshes");
    assert_eq!(said(5, 4), Verdict::Live);
    assert_eq!(said(4, 5), Verdict::Ended(Reason::PasswordChanged));
}

#[test]
fn a_refresh_token_counts_by_the_generation_of_its_device() {
    let era = Era::new(7);
    let restamped = device(stamp(7, 3), false, 9_000);
    assert_eq!(judge_refresh(&token(stamp(7, 1), 2_000), era, user(3, false), restamped, NOW), Verdict::Live);
    assert_eq!(
        judge_refresh(&token(stamp(7, 4), 2_000), era, user(3, false), restamped, NOW),
        Verdict::Ahead
    );
    let left_behind = device(stamp(7, 2), false, 9_000);
    let verdict = judge_refresh(&token(stamp(7, 2), 2_000), era, user(3, false), left_behind, NOW);
    assert_eq!(verdict, Verdict::Ended(Reason::SignedOutEverywhere));
}

#[test]
fn a_follower_ends_what_it_has_heard_of_and_believes_the_rest() {
    use Reason::*;
    let ended = Verdict::Ended;
    let this = DeviceId::from_bytes([2; 16]);
    let bumped = |generation, kept: Option<DeviceId>| {
        let extent = kept.map_or(BumpExtent::All, |kept| BumpExtent::Others { kept });
        Some(Bumped::heard(None, Generation::new(generation), extent))
    };
    let disabled = |generation| Some(Bumped::heard(None, Generation::new(generation), BumpExtent::Disabled));
    let cases = [
        ("nothing heard", stamp(7, 3), None, false, Verdict::Live),
        ("equal counters", stamp(7, 3), bumped(3, None), false, Verdict::Live),
        ("a generation ahead", stamp(7, 4), bumped(3, None), false, Verdict::Live),
        ("an era ahead", stamp(8, 1), None, false, Verdict::Live),
        ("an older era before all", stamp(6, 2), bumped(3, None), true, ended(Reset)),
        ("an older generation", stamp(7, 2), bumped(3, None), true, ended(SignedOutEverywhere)),
        ("bumped by this device", stamp(7, 2), bumped(3, Some(this)), false, ended(Superseded)),
        (
            "bumped by another",
            stamp(7, 2),
            bumped(3, Some(DeviceId::from_bytes([9; 16]))),
            false,
            ended(SignedOutEverywhere),
        ),
        ("disabled", stamp(7, 2), disabled(3), false, ended(UserDisabled)),
        ("disabled, of a device that ended", stamp(7, 2), disabled(3), true, ended(UserDisabled)),
        ("disabled, and an older era before all", stamp(6, 2), disabled(3), false, ended(Reset)),
        ("disabled, and enabled since: the token proves it", stamp(7, 3), disabled(3), false, Verdict::Live),
        ("the device ended", stamp(7, 3), None, true, ended(SignedOut)),
        ("the device ended after a bump", stamp(7, 3), bumped(3, Some(this)), true, ended(SignedOut)),
    ];
    for (name, stamp, bumped, device_ended, expected) in cases {
        let verdict = judge_followed(&token(stamp, 2_000), Era::new(7), bumped, device_ended, NOW);
        assert_eq!(verdict, expected, "{name}");
    }
    let late = token(stamp(7, 3), 1_000);
    assert_eq!(judge_followed(&late, Era::new(7), None, false, NOW), ended(Expired));
}

/// A name, the bumps a follower receives, and the verdict on this device's tokens of the generations from 1 on.
type BumpCase<'a> = (&'a str, &'a [(u64, BumpExtent)], &'a [Verdict]);

#[test]
fn a_follower_tells_tokens_from_before_a_new_password_from_those_a_refresh_helps() {
    use Reason::*;
    let (this, other) = (DeviceId::from_bytes([2; 16]), DeviceId::from_bytes([9; 16]));
    let (ended, live) = (Verdict::Ended, Verdict::Live);
    let changed = ended(PasswordChanged);
    let (superseded, everywhere) = (ended(Superseded), ended(SignedOutEverywhere));
    let (new_password, others) =
        (BumpExtent::PasswordChanged { kept: this }, BumpExtent::Others { kept: this });
    let elsewhere = BumpExtent::PasswordChanged { kept: other };
    let cases: [BumpCase<'_>; 7] = [
        ("a new password here", &[(2, new_password)], &[changed, live]),
        ("heard of again", &[(2, new_password), (2, new_password)], &[changed, live]),
        ("then everywhere else", &[(2, new_password), (3, others)], &[changed, superseded, live]),
        (
            "everywhere else, then a new password",
            &[(2, others), (3, new_password)],
            &[changed, changed, live],
        ),
        (
            "an earlier one again",
            &[(2, new_password), (3, others), (2, new_password)],
            &[changed, superseded, live],
        ),
        ("on another device", &[(2, elsewhere)], &[everywhere, live]),
        (
            "then disabled and enabled",
            &[(2, new_password), (3, BumpExtent::Disabled), (4, BumpExtent::All)],
            &[everywhere, everywhere, everywhere, live],
        ),
    ];
    for (name, heard, expected) in cases {
        let bumped = heard.iter().fold(None, |known, (generation, extent)| {
            Some(Bumped::heard(known, Generation::new(*generation), *extent))
        });
        for (own, expected) in (1..).zip(expected) {
            let verdict = judge_followed(&token(stamp(7, own), 2_000), Era::new(7), bumped, false, NOW);
            assert_eq!(verdict, *expected, "{name}: generation {own}");
        }
    }
}

#[test]
fn only_equal_counters_are_live() {
    for era in 0..3 {
        for generation in 0..3 {
            for stood in [stamp(1, 1), stamp(era, generation)] {
                let verdict = judge(
                    &token(stamp(era, generation), 2_000),
                    Era::new(1),
                    user(1, false),
                    device(stood, false, 9_000),
                    NOW,
                );
                assert_eq!(
                    verdict == Verdict::Live,
                    (era, generation) == (1, 1),
                    "{era} {generation} {stood:?}"
                );
            }
        }
    }
}
