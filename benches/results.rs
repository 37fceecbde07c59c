//! The figures and the file that stores them.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use anyhow::{Context as _, Result};
use rescind::world::World;
use serde::{Deserialize, Serialize};

use crate::machine::Machine;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/results.json");

/// One measured figure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// The name of the figure in the table.
    pub(crate) what: String,
    /// The value: a median where there are rounds.
    pub(crate) value: f64,
    /// The unit, `×`, `ms`, `MiB`, `/s`, …; empty for a plain number.
    pub(crate) unit: String,
    /// The goal of the figure, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) goal: Option<String>,
    /// The value of each round, in the order they ran.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) rounds: Vec<f64>,
}

/// The figures of one group, and how they were measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) date: String,
    pub(crate) command: String,
    pub(crate) machine: Machine,
    pub(crate) figures: Vec<Figure>,
}

impl Figure {
    /// A figure measured or counted once.
    pub(crate) fn once(what: impl Into<String>, value: f64, unit: &str) -> Self {
        Self {
            what: what.into(),
            value: rounded(value),
            unit: unit.to_owned(),
            goal: None,
            rounds: Vec::new(),
        }
    }

    /// A figure that is the median of several rounds.
    pub(crate) fn median(what: impl Into<String>, rounds: &[f64], unit: &str) -> Self {
        let rounds: Vec<f64> = rounds.iter().copied().map(rounded).collect();
        Self { rounds: rounds.clone(), ..Self::once(what, median(&rounds), unit) }
    }

    /// Sets the goal of the figure.
    pub(crate) fn goal(self, goal: &str) -> Self {
        Self { goal: Some(goal.to_owned()), ..self }
    }

    /// The value with its unit.
    pub(crate) fn shown(&self) -> String {
        let value = match self.value.abs() {
            large if large >= 1000.0 => thousands(self.value),
            middle if middle >= 100.0 => format!("{:.0}", self.value),
            whole if whole.fract() == 0.0 => format!("{whole:.0}"),
            _ => format!("{:.2}", self.value),
        };
        match self.unit.as_str() {
            "" => value,
            unit @ ("×" | "%" | "/s") => format!("{value}{unit}"),
            unit => format!("{value} {unit}"),
        }
    }

    /// The line that is printed during a run.
    pub(crate) fn line(&self) -> String {
        let goal = self.goal.as_ref().map(|goal| format!("  (goal {goal})")).unwrap_or_default();
        format!("{:>14}  {}{goal}", self.shown(), self.what)
    }
}

/// The median of several values.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The quantile of several values: the one that a share of `part` does not exceed.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index, from a share between 0 and 1"
    )]
    let at = (part * last as f64).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// Rounds a value to four significant digits.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10_f64.powf(3.0 - value.abs().log10().floor());
    if scale < 1.0 { value.round() } else { (value * scale).round() / scale }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Reads the figures of every group measured so far.
pub(crate) fn read() -> Result<BTreeMap<String, Group>> {
    match fs::read_to_string(FILE) {
        Ok(text) => serde_json::from_str(&text).context("benches/results.json"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error.into()),
    }
}

/// Stores the figures of a group, replacing its earlier ones.
pub(crate) fn save(group: &str, command: &str, figures: Vec<Figure>) -> Result<()> {
    let mut groups = read()?;
    let date = World::real().now().rfc3339();
    let command = command.to_owned();
    groups.insert(group.to_owned(), Group { date, command, machine: Machine::this()?, figures });
    fs::write(FILE, serde_json::to_string_pretty(&groups)? + "\n")?;
    Ok(())
}
