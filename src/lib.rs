//! Sessions for apps whose users own several devices: stateless PASETO tokens that can be taken back.
//!
//! Rescind is a service, the program `rescind`: it registers users, signs them in and out, and issues access and refresh
//! tokens. This crate is that program, and the **library for servers that receive the tokens**, [`verifier`]. A verifier
//! checks access tokens in memory, without a request and without a lock, and follows the service's feed of revocations: a
//! sign-out is honoured within milliseconds, and no later than `max_staleness` (10 s unless set) whatever fails in between.
//! If freshness cannot be proven, tokens are refused.
//!
//! ```toml
//! [dependencies]
//! rescind = { version = "0.1", default-features = false, features = ["verifier"] }
//! ```
//!
//! ```no_run
//! use rescind::verifier::{Rejection, ServiceKey, UserId, Verifier};
//!
//! /// Connects once, when the server starts. The key is made with `rescind service-key add shop --scope feed`.
//! async fn connect() -> Result<Verifier, Box<dyn std::error::Error>> {
//!     let key = std::env::var("RESCIND_SERVICE_KEY")?;
//!     let key = ServiceKey::parse(&key).ok_or("RESCIND_SERVICE_KEY is no service key")?;
//!     Ok(Verifier::builder("https://id.example").audience("rescind").service_key(key).connect().await?)
//! }
//!
//! /// The user of a request with this token; else the status and the code to answer.
//! fn user(verifier: &Verifier, token: &str) -> Result<UserId, (u16, &'static str)> {
//!     let claims = verifier.verify(token).map_err(|rejection: Rejection| (rejection.status(), rejection.code()))?;
//!     Ok(claims.user())
//! }
//! ```
//!
//! Complete servers are `examples/resource_server_axum.rs` and `examples/resource_server_poem.rs`. Servers in other languages
//! run the same verifier as a process: `rescind guard`. The `README.md` has a first day with the service, its settings and
//! its guarantees.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `verifier` | [`verifier`]; none of the service's dependencies |
//! | `server` | the service and its command line; includes `verifier` |
//! | `sled` | the embedded store; includes `server` |
//! | `postgres` | the shared store, for several nodes; includes `server` |
//!
//! `server`, `sled` and `postgres` are the default.
//!
//! # Stability
//!
//! In Rust the public interface is [`verifier`] and what it re-exports. Other items are public to the program and to the tests of
//! this package only, are hidden here, and change without notice. What is stable about the service (HTTP, codes, command
//! line, settings, metrics, stored format, feed) is in `CHANGELOG.md`.
//!
//! # For maintainers
//!
//! [`architecture`] is the map: who calls whom, the paths of three requests, and where to add things.

#[doc = include_str!("docs/architecture.md")]
pub mod architecture {}

#[cfg(feature = "server")]
mod advice;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod auth;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod feed;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod guard;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod http;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod log;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod metrics;
#[doc(hidden)]
pub mod model;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod service;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod settings;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod store;
#[doc(hidden)]
pub mod token;
#[cfg(feature = "server")]
mod trusted;
#[cfg(feature = "verifier")]
pub mod verifier;
#[doc(hidden)]
pub mod world;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::{Path, PathBuf};

    /// What each part may use of the crate; what it does not name it does not know.
    const MAY_USE: [(&str, &[&str]); 16] = [
        ("advice", &[]),
        ("trusted", &["advice"]),
        ("model", &[]),
        ("world", &["model"]),
        ("token", &["model", "world"]),
        ("verifier", &["model", "world", "token"]),
        ("store", &["advice", "trusted", "model"]),
        ("metrics", &[]),
        ("log", &["metrics"]),
        ("settings", &["advice"]),
        ("auth", &["model", "world", "token", "store", "metrics"]),
        ("feed", &["model", "world", "token", "store", "metrics", "auth"]),
        (
            "service",
            &["advice", "trusted", "model", "world", "token", "store", "metrics", "settings", "auth", "feed"],
        ),
        (
            "http",
            &[
                "advice", "trusted", "model", "world", "token", "store", "metrics", "settings", "auth",
                "feed", "service",
            ],
        ),
        ("guard", &["advice", "trusted", "verifier", "http"]),
        ("cli", &["advice", "trusted", "world", "settings", "service", "http", "log", "verifier", "guard"]),
    ];

    /// Libraries that stand in one place each.
    const ONLY_IN: [(&str, &[&str]); 5] = [
        ("poem::", &["http", "cli"]),
        ("poem_openapi::", &["http"]),
        ("sled::Tree", &["store"]),
        ("pasetors::", &["token"]),
        ("ed25519_dalek::", &["token"]),
    ];

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    /// Every part with its files and what they say outside their tests.
    fn parts() -> BTreeMap<String, Vec<(PathBuf, String)>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        sources(&root, &mut found);
        let mut parts: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for path in found {
            let inside = path.strip_prefix(&root).unwrap().to_owned();
            let mut pieces = inside.iter().map(|piece| piece.to_str().unwrap().trim_end_matches(".rs"));
            let part = pieces.next().unwrap().to_owned();
            if part == "main" || part == "lib" || pieces.any(|piece| piece == "tests") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
            parts.entry(part).or_default().push((inside, code));
        }
        parts
    }

    #[test]
    fn dependencies_point_one_way() {
        for (part, files) in parts() {
            let (_, allowed) =
                MAY_USE.iter().find(|(name, _)| *name == part).expect("a part without a place");
            for (path, code) in files {
                for other in MAY_USE.iter().map(|(name, _)| *name).filter(|name| *name != part) {
                    let used = code.contains(&format!("crate::{other}"));
                    assert!(!used || allowed.contains(&other), "{} uses {other}", path.display());
                }
            }
        }
    }

    /// Fields that hold a secret as plain text, on its way in or out.
    const SECRETS: [&str; 7] =
        ["access", "refresh", "password", "current_password", "new_password", "token", "key"];

    #[test]
    fn no_derived_debug_shows_a_secret() {
        // The model has types for its secrets, and calls `key` what a username is found by.
        let others = parts().into_iter().filter(|(part, _)| part != "model");
        for (path, code) in others.flat_map(|(_, files)| files) {
            let derived = code.split("#[derive(").skip(1).filter_map(|rest| rest.split_once(")]"));
            for (_, item) in derived.filter(|(derives, _)| derives.contains("Debug")) {
                for line in item.lines().take_while(|line| *line != "}").map(str::trim) {
                    let line = line.trim_start_matches("pub ").trim_start_matches("pub(super) ");
                    let secret = |name: &&str| {
                        let rest = line.strip_prefix(*name).and_then(|rest| rest.strip_prefix(": "));
                        rest.is_some_and(|kind| ["String,", "Option<String>,"].contains(&kind))
                    };
                    assert!(!SECRETS.iter().any(secret), "{} shows {line}", path.display());
                }
            }
        }
    }

    #[test]
    fn a_verifier_brings_nothing_of_the_server_along() {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let tree = std::process::Command::new(cargo)
            .args(["tree", "--offline", "--locked", "--edges=normal", "--prefix=none", "--format={p}"])
            .args(["--no-default-features", "--features=verifier"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let tree = String::from_utf8(tree.stdout).unwrap();
        let packages: Vec<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(packages.contains(&"pasetors") && packages.contains(&"hyper"), "{tree}");
        let unwanted = [
            "poem",
            "sled",
            "postgres",
            "sqlx",
            "clap",
            "argon2",
            "tracing-subscriber",
            "aws-lc",
            "openssl-sys",
        ];
        for package in packages {
            assert!(!unwanted.iter().any(|name| package.starts_with(name)), "{package}");
        }
    }

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
    const COMPARED: [(&str, usize, &str); 22] = [
        ("auth.rs", 1, "keeps a device that ran out only by a jump of the clock; ends nothing"),
        ("auth/devices.rs", 1, "what a list shows; nothing is written"),
        ("auth/last_seen.rs", 1, "whether a note of a sign-in is new; nothing ends by it"),
        ("auth/limits/bucket.rs", 1, "time by the clock that nobody sets"),
        ("auth/signing_keys.rs", 1, "drops a retired key; given the confirmed time"),
        ("cli/doctor/clock.rs", 1, "tells a person; nothing follows from it"),
        ("feed/fence.rs", 1, "`Instant`, which nobody sets"),
        ("http/listen/patience.rs", 1, "`Instant`, which nobody sets"),
        (
            "model/claims.rs",
            2,
            "a token from the future is refused for now; the other compares a token with itself",
        ),
        ("model/key.rs", 1, "a retired key's last moment; refuses for now, and the key stays"),
        ("model/replay.rs", 1, "given the steady time; a start in the future is no window"),
        ("model/user_agent.rs", 1, "a position in a text"),
        (
            "model/verdict.rs",
            1,
            "`exp` and a device's end, which are wall-clock times; refuses for now and ends nothing",
        ),
        ("store/memory.rs", 1, "the sweep's notes, given the confirmed time"),
        ("store/postgres/load.rs", 2, "the sweep's notes, given the confirmed time"),
        ("store/postgres/pool.rs", 2, "`Instant`, which nobody sets"),
        ("store/sled/records.rs", 1, "the sweep's notes, given the confirmed time"),
        ("store/steps/device.rs", 1, "whether a last sight is noted; nothing ends by it"),
        ("store/steps/rollback.rs", 1, "given a time only while no clock is in doubt"),
        (
            "store/steps/session.rs",
            2,
            "which device gives way first: one does in any case; when to look at a device again",
        ),
        ("store/steps/sweep.rs", 3, "drops and ends for good; given the confirmed time"),
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

    #[test]
    fn a_library_stands_in_its_place() {
        for (part, files) in parts() {
            for (library, places) in ONLY_IN {
                for (path, code) in &files {
                    let used = code.contains(library);
                    assert!(!used || places.contains(&part.as_str()), "{} uses {library}", path.display());
                }
            }
        }
    }
}
