//! Every comparison of moments, with the reason why a wrong clock does no harm there.

use std::collections::BTreeMap;

use crate::source::parts;

/// What a line says that compares moments.
const MOMENTS: [&str; 14] = [
    "now",
    "now()",
    "confirmed()",
    "latest()",
    "steady()",
    "expires",
    "issued",
    "created",
    "made",
    "until",
    "end()",
    "end",
    "gone_at",
    "at",
];

/// Every comparison of moments outside `world`: the file, how many lines of it compare, and why a clock that somebody
/// sets does no harm there.
const COMPARED: [(&str, usize, &str); 29] = [
    ("auth/authenticate.rs", 2, "how a token is called that is refused in any case"),
    ("auth/devices.rs", 1, "what a list shows; nothing is written"),
    (
        "auth/former_sessions.rs",
        1,
        "until when tokens of another system are exchanged; refuses for now and ends nothing",
    ),
    ("auth/last_seen.rs", 1, "whether a note of a sign-in is new; nothing ends by it"),
    ("auth/limits/bucket.rs", 1, "time by the clock that nobody sets"),
    ("cli/doctor/clock.rs", 1, "tells a person; nothing follows from it"),
    ("feed/calls.rs", 1, "`Instant`, which nobody sets"),
    ("http/listen/timeouts.rs", 1, "`Instant`, which nobody sets"),
    ("http/user_agent.rs", 1, "a position in a text"),
    ("issuer/key_changes.rs", 1, "drops a retired key; given the confirmed time"),
    (
        "model/claims.rs",
        2,
        "a token from the future is refused for now; the other compares a token with itself",
    ),
    ("model/key.rs", 1, "a retired key's last moment; refuses for now, and the key stays"),
    ("model/replay.rs", 1, "given the steady time; a start in the future is no window"),
    (
        "model/verdict.rs",
        1,
        "`exp` and a device's end, which are wall-clock times; refuses for now and ends nothing",
    ),
    ("service/former_sessions.rs", 2, "whether a service starts whose setting is long out of date"),
    ("store/memory.rs", 1, "the sweep's notes, given the confirmed time"),
    ("store/postgres/pool.rs", 2, "`Instant`, which nobody sets"),
    ("store/postgres/sql.rs", 2, "the sweep's notes, given the confirmed time"),
    ("store/sled/records.rs", 1, "the sweep's notes, given the confirmed time"),
    (
        "store/steps/continue_session.rs",
        1,
        "an era with when an account was brought here; one made by a clock that was ahead is told by its own era",
    ),
    ("store/steps/open_device.rs", 1, "which device gives way first: one does in any case"),
    ("store/steps/rename_device.rs", 1, "whether a device is still renamed; nothing ends by it"),
    ("store/steps/report_rollback.rs", 1, "given a time only while no clock is in doubt"),
    ("store/steps/rotate_refresh.rs", 1, "when to look at a device again"),
    ("store/steps/sweep.rs", 3, "drops and ends for good; given the confirmed time"),
    ("time_limit.rs", 1, "`Instant`, which nobody sets"),
    ("token/simplejwt.rs", 1, "`exp` of a token of another system; refuses for now and ends nothing"),
    ("verifier.rs", 1, "whether a token of an unknown key is newer than the keys; it is refused either way"),
    (
        "verifier/keys.rs",
        1,
        "a verifier drops a key whose time is over: it refuses, and is given the key again",
    ),
];

#[test]
fn every_comparison_of_moments_is_listed_with_why_a_wrong_clock_does_no_harm() {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (part, files) in parts() {
        for (path, code) in files.into_iter().filter(|_| part != "world") {
            for line in code.lines().map(|line| line.split("//").next().unwrap_or_default().trim()) {
                let words: Vec<_> = line.split([' ', ',', ';']).collect();
                let moment = |word: &&str| {
                    let word = word.trim_start_matches(['*', '&', '(', '|', '!']).trim_end_matches(')');
                    let last = word.rsplit('.').next().unwrap_or_default();
                    MOMENTS.iter().any(|name| last == name.trim_end_matches(')'))
                };
                let compares = words.windows(3).any(|three| {
                    ["<", "<=", ">", ">="].contains(&three[1]) && (moment(&three[0]) || moment(&three[2]))
                });
                if compares {
                    found.entry(path.to_str().unwrap().to_owned()).or_default().push(line.to_owned());
                }
            }
        }
    }
    let listed: BTreeMap<_, _> =
        COMPARED.iter().map(|(path, count, _)| ((*path).to_owned(), *count)).collect();
    let counted: BTreeMap<_, _> = found.iter().map(|(path, lines)| (path.clone(), lines.len())).collect();
    assert_eq!(counted, listed, "{found:#?}");
}
