//! The figures as tables: ten in the README, all of them in `benches/README.md`, generated from `results.json` alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};

use crate::GROUPS;
use crate::results::{self, Figure, Group};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const BEGIN: &str = "<!-- figures -->\n";
const END: &str = "<!-- /figures -->";
const ALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/README.md");

/// The figures in the README, each by its group and its name in `results.json`.
const SHOWN: [(&str, &str); 10] = [
    (
        "checks",
        "`GET /api/v1/auth/me` with a live token, of a bare JSON route with the same answer behind the same middleware",
    ),
    ("checks", "`me` requests"),
    ("sign_out", "logout-all with 10000 devices"),
    ("sign_out", "logout-all with 10000 devices, of its median time with 1"),
    ("sign_out", "from logout-all's answer to the first refused request, 99th percentile"),
    ("writes", "durable refreshes over HTTP with 64 clients"),
    ("verifier", "`verify` of a token seen before"),
    (
        "verifier",
        "from logout-all's answer to refusal in each of 100 followers, a worker on each core, 99th percentile of 300",
    ),
    ("scale", "start to listening, 1000000 users with 3 devices each"),
    ("postgres", "sign-outs on PostgreSQL, through its one row of counters, 64 clients"),
];

const HEAD: &str = "| what | measured | goal |\n|---|---:|---|\n";

const INTRODUCTION: &str = "\
# Figures

<!-- Made by `cargo bench -- table` from results.json. -->

`cargo bench` measures everything, `cargo bench -- checks` one group. What is compared takes turns within one run; where there
are several rounds, each is in [`results.json`](results.json) and the figure is their median. The service has its default
settings, except for limits that a figure has to exceed (devices of a user, connections of an address), with logs and metrics
on, and shares the cores with the clients and followers that are measured. Ratios can be compared between machines; times
and rates cannot.
";

/// Writes the README's table between its marks, and `benches/README.md`.
pub(crate) fn write() -> Result<()> {
    let groups = results::read()?;
    let readme = fs::read_to_string(README).context("README.md")?;
    let (before, rest) = readme.split_once(BEGIN).with_context(|| format!("README.md has no {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("README.md has no {END}"))?;
    fs::write(README, format!("{before}{BEGIN}{}{END}{after}", shown(&groups)?))?;
    fs::write(ALL, all(&groups)?)?;
    Ok(())
}

fn shown(groups: &BTreeMap<String, Group>) -> Result<String> {
    let mut text = HEAD.to_owned();
    let mut machines: Vec<String> = Vec::new();
    for (name, what) in SHOWN {
        let group = groups.get(name).with_context(|| format!("results.json has no {name}"))?;
        let figure = group.figures.iter().find(|figure| figure.what == what);
        row(&mut text, figure.with_context(|| format!("results.json has no figure {what:?} in {name}"))?)?;
        let machine = measured_on(group);
        if !machines.contains(&machine) {
            machines.push(machine);
        }
    }
    for machine in machines {
        writeln!(text, "\n{machine}")?;
    }
    Ok(text)
}

fn all(groups: &BTreeMap<String, Group>) -> Result<String> {
    let mut text = INTRODUCTION.to_owned();
    for (name, group) in GROUPS.iter().filter_map(|name| Some((name, groups.get(*name)?))) {
        write!(text, "\n## {name}\n\n{HEAD}")?;
        for figure in &group.figures {
            row(&mut text, figure)?;
        }
        writeln!(text, "\n`{}`. {}", group.command, measured_on(group))?;
    }
    Ok(text)
}

fn row(text: &mut String, figure: &Figure) -> Result<()> {
    let goal = figure.goal.as_deref().unwrap_or_default();
    writeln!(text, "| {} | {} | {goal} |", figure.what, figure.shown())?;
    Ok(())
}

/// When and on what machine the figures of a group were measured.
fn measured_on(group: &Group) -> String {
    let machine = &group.machine;
    let date = group.date.split('T').next().unwrap_or_default();
    format!(
        "Measured on {date}: {}, {} cores, {} GiB of memory, Linux {}, {}.",
        machine.processor, machine.cores, machine.memory_gib, machine.kernel, machine.file_system,
    )
}
