//! The figures of the README and of `benches/README.md`: speed and memory, measured on this machine.
//!
//! `cargo bench` measures every group, `cargo bench -- checks` one of them, `cargo bench -- table` writes both tables
//! from `results.json`. No test asserts a figure: machines differ, and a shared one is slow at times.
//!
//! Variants that are compared run in the same process, in short rounds in turn, and the median of the rounds counts.
//! Each group runs in a process of its own, so that it does not inherit another's memory, with the log written to a
//! file.
//!
//! Modules: [`checks`] (live tokens), [`sign_out`] (everywhere, and when it is in force), [`writes`] (refresh, group
//! commit), [`start`] (an empty store), [`scale`] (a million users), [`import`] (of Django's users), [`verifier`] (followers,
//! and [`guarded`] behind nginx), [`postgres`] (the shared store compared with the embedded one), [`primacy`] (checks with the
//! proof of every batch), [`proofs`] (how often several nodes lost nothing), [`faults`] (a cluster of three machines that is
//! broken again and again). [`stage`] runs the service in process, [`served`] the real binary, [`cluster`] PostgreSQL,
//! [`load`] is the client, [`results`] stores the figures, [`table`] formats them.

#![allow(clippy::print_stdout, reason = "figures are for people")]

use std::fs::File;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use rescind::allocator::{ALLOCATOR, Allocator};
use rescind::log;
use rescind::settings::LogFormat;

mod bare;
mod checks;
mod cluster;
mod faults;
mod guarded;
mod import;
mod load;
mod machine;
mod postgres;
mod primacy;
mod proofs;
mod results;
mod scale;
mod served;
mod sign_out;
mod stage;
mod start;
mod table;
mod verifier;
mod writes;

/// As in the program that runs the service.
#[global_allocator]
static GLOBAL: Allocator = ALLOCATOR;

const GROUPS: [&str; 11] = [
    "checks", "sign_out", "writes", "start", "scale", "import", "verifier", "postgres", "primacy", "proofs",
    "faults",
];

/// The environment variable that marks the process which measures a group.
const MEASURING: &str = "BENCH_GROUP_APART";

fn main() -> Result<()> {
    // Cargo adds `--bench` of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => GROUPS.iter().try_for_each(|group| apart(&[group])),
        ["table"] => table::write(),
        [group, ..] if !GROUPS.contains(group) => {
            bail!("there is no group {group}: name one of {}, or table", GROUPS.join(", "))
        }
        [group, rest @ ..] if std::env::var_os(MEASURING).is_some() => measure(group, rest),
        words => apart(words),
    }
}

/// Measures a group in a process of its own, which writes its log to a file: the log is on, as in production.
fn apart(words: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let log = folder.path().join("log");
    let status = Command::new(std::env::current_exe()?)
        .args(words)
        .env(MEASURING, "1")
        // The last lines of the log then show the error.
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stderr(File::create(&log)?)
        .status()?;
    if !status.success() {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        let last: Vec<&str> = log.lines().rev().take(5).collect();
        bail!("{} failed:\n{}", words.join(" "), last.into_iter().rev().collect::<Vec<_>>().join("\n"));
    }
    Ok(())
}

fn measure(group: &str, options: &[&str]) -> Result<()> {
    println!("\n{group}");
    // As the service starts it with default settings.
    let _log = log::start("info,poem=warn", LogFormat::Text)?;
    let figures = match (group, options) {
        ("checks", []) => checks::measure(),
        ("sign_out", []) => sign_out::measure(),
        ("writes", []) => writes::measure(),
        ("start", []) => start::measure(),
        ("verifier", []) => verifier::measure(),
        ("postgres", []) => postgres::measure(),
        ("primacy", []) => primacy::measure(),
        ("proofs", []) => proofs::measure(),
        ("faults", []) => faults::measure(faults::FAULTS),
        ("faults", ["--faults", number]) => {
            faults::measure(number.parse().context("--faults takes a number")?)
        }
        ("scale", []) => scale::measure(scale::USERS),
        ("scale", ["--users", users]) => scale::measure(users.parse().context("--users takes a number")?),
        ("import", []) => import::measure(&import::USERS),
        ("import", ["--users", users]) => {
            import::measure(&[users.parse().context("--users takes a number")?])
        }
        (group, _) => bail!("{group} takes no such option"),
    }?;
    for figure in &figures {
        println!("  {}", figure.line());
    }
    let command = std::iter::once("cargo bench --").chain([group]).chain(options.iter().copied());
    results::save(group, &command.collect::<Vec<_>>().join(" "), figures)
}
