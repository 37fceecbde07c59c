//! The README's table, made from `results.json` and from nothing else.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};

use crate::ROOMS;
use crate::results::{self, Room};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const BEGIN: &str = "<!-- figures -->";
const END: &str = "<!-- /figures -->";

/// Writes the table between its markers.
pub(crate) fn write() -> Result<()> {
    let readme = fs::read_to_string(README).context("README.md")?;
    let (before, rest) = readme.split_once(BEGIN).with_context(|| format!("README.md has no {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("README.md has no {END}"))?;
    let table = text()?;
    fs::write(README, format!("{before}{BEGIN}\n{table}{END}{after}"))?;
    Ok(())
}

fn text() -> Result<String> {
    let rooms = results::read()?;
    let measured: Vec<&Room> = ROOMS.iter().filter_map(|room| rooms.get(*room)).collect();
    let mut text = "| what | measured | goal |\n|---|---:|---|\n".to_owned();
    for figure in measured.iter().flat_map(|room| &room.figures) {
        writeln!(
            text,
            "| {} | {} | {} |",
            figure.what,
            figure.shown(),
            figure.goal.as_deref().unwrap_or_default()
        )?;
    }
    // A room that was measured elsewhere says so; mostly there is one line.
    let mut machines: Vec<String> = measured.iter().map(|room| place(room)).collect();
    machines.dedup();
    for place in machines {
        writeln!(text, "\n{place}")?;
    }
    Ok(text)
}

fn place(room: &Room) -> String {
    let machine = &room.machine;
    let date = room.date.split('T').next().unwrap_or_default();
    format!(
        "Measured on {date}: {}, {} cores, {} GiB of memory, Linux {}, {}. Medians of several rounds; \
         `cargo bench` measures again.",
        machine.processor, machine.cores, machine.memory_gib, machine.kernel, machine.file_system,
    )
}
