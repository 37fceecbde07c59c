//! Who may use whom, within the crate and of libraries.

use crate::{cargo, source::parts};

/// What each part may use of the crate; what it does not name it does not know.
const MAY_USE: [(&str, &[&str]); 20] = [
    ("advice", &[]),
    ("allocator", &[]),
    ("time_limit", &[]),
    ("trusted", &["advice"]),
    ("data_folder", &["advice", "trusted"]),
    ("model", &[]),
    ("world", &["model"]),
    ("token", &["model", "world"]),
    ("verifier", &["model", "world", "token"]),
    ("store", &["data_folder", "model", "time_limit"]),
    ("metrics", &[]),
    ("log", &["metrics", "settings"]),
    ("settings", &["advice", "trusted"]),
    ("issuer", &["model", "world", "token", "store", "metrics", "log"]),
    ("auth", &["model", "world", "token", "store", "metrics", "log", "issuer"]),
    ("feed", &["model", "world", "token", "store", "metrics", "issuer"]),
    (
        "service",
        &[
            "advice",
            "trusted",
            "data_folder",
            "model",
            "world",
            "token",
            "store",
            "metrics",
            "settings",
            "issuer",
            "auth",
            "feed",
        ],
    ),
    (
        "http",
        &[
            "advice",
            "trusted",
            "model",
            "world",
            "token",
            "store",
            "metrics",
            "settings",
            "log",
            "issuer",
            "auth",
            "feed",
            "service",
            "time_limit",
        ],
    ),
    ("guard", &["advice", "trusted", "verifier", "http"]),
    ("cli", &["advice", "trusted", "world", "settings", "service", "http", "log", "verifier", "guard"]),
];

/// Libraries that stand in one place each.
const ONLY_IN: [(&str, &[&str]); 9] = [
    ("poem::", &["http", "cli"]),
    ("poem_openapi::", &["http"]),
    ("sled::Tree", &["store"]),
    ("sled::Db", &["store"]),
    ("tokio_postgres::", &["store"]),
    ("deadpool::", &["store"]),
    ("pasetors::", &["token"]),
    ("ed25519_dalek::", &["token"]),
    ("tikv_jemallocator::", &["allocator"]),
];

#[test]
fn dependencies_point_one_way() {
    for (part, files) in parts() {
        let (_, allowed) =
            MAY_USE.iter().find(|(name, _)| *name == part).expect("a part that MAY_USE does not list");
        for (path, code) in files {
            assert!(
                !code.contains("use crate::{"),
                "{}: a part is named after `crate::` alone",
                path.display()
            );
            for other in MAY_USE.iter().map(|(name, _)| *name).filter(|name| *name != part) {
                let used = code.contains(&format!("crate::{other}"));
                assert!(!used || allowed.contains(&other), "{} uses {other}", path.display());
            }
        }
    }
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

/// `main` reads the environment once; to `settings` an empty variable is none, which a second reader would not know.
#[test]
fn no_part_reads_the_environment_by_itself() {
    for (path, code) in parts().into_values().flatten() {
        let is_code = |line: &&str| !line.trim_start().starts_with("//");
        let reads = code.lines().filter(is_code).find(|line| line.contains("env::var"));
        assert_eq!(reads, None, "{}", path.display());
    }
}

#[test]
fn a_verifier_brings_nothing_of_the_server_along() {
    let tree = cargo(&[
        "tree",
        "--locked",
        "--edges=normal",
        "--prefix=none",
        "--format={p}",
        "--no-default-features",
        "--features=verifier",
    ]);
    let packages: Vec<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(packages.contains(&"pasetors") && packages.contains(&"hyper"), "{tree}");
    let unwanted =
        ["poem", "sled", "postgres", "sqlx", "clap", "argon2", "tracing-subscriber", "aws-lc", "openssl-sys"];
    for package in packages {
        assert!(!unwanted.iter().any(|name| package.starts_with(name)), "{package}");
    }
}
