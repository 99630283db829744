//! What was measured, as a table: the medians of all rounds.

use std::fmt;
use std::time::Duration;

use crate::kit::Backend;

/// What was measured in all rounds so far.
#[derive(Default)]
pub(super) struct Table(Vec<Row>);

/// What one round found.
pub(super) struct Figure {
    /// How many, of whatever `unit` says.
    pub(super) value: f64,
    pub(super) unit: &'static str,
    /// How long half of them took, and 99 of 100, at the most.
    pub(super) latency: Option<[Duration; 2]>,
    /// What each took of the service's processor time.
    pub(super) cpu: Option<Duration>,
}

struct Row {
    case: String,
    on: Backend,
    rounds: Vec<Figure>,
}

impl Figure {
    pub(super) fn of(value: f64, unit: &'static str) -> Self {
        Self { value, unit, latency: None, cpu: None }
    }
}

impl Table {
    pub(super) fn note(&mut self, on: Backend, case: impl Into<String>, figure: Figure) {
        let case = case.into();
        let row = Row { case, on, rounds: vec![figure] };
        eprintln!("  {}", row.cells().join("  "));
        let Row { case, rounds, .. } = row;
        match self.0.iter_mut().find(|row| row.on == on && row.case == case) {
            Some(row) => row.rounds.extend(rounds),
            None => self.0.push(Row { case, on, rounds }),
        }
    }
}

const HEAD: [&str; 7] = ["case", "database", "median", "lowest – highest", "p50 ms", "p99 ms", "CPU µs"];

impl Row {
    fn cells(&self) -> [String; 7] {
        let values = self.each(|figure| Some(figure.value));
        let unit = self.rounds[0].unit;
        let latency = |nth: usize| self.each(|figure| Some(figure.latency?[nth].as_secs_f64() * 1e3));
        let cpu = self.each(|figure| Some(figure.cpu?.as_secs_f64() * 1e6));
        let range = || Some(format!("{} – {}", number(*values.first()?), number(*values.last()?)));
        [
            self.case.clone(),
            self.on.to_string(),
            median(&values).map(|median| format!("{} {unit}", number(median))).unwrap_or_default(),
            range().unwrap_or_default(),
            median(&latency(0)).map(|p50| format!("{p50:.2}")).unwrap_or_default(),
            median(&latency(1)).map(|p99| format!("{p99:.2}")).unwrap_or_default(),
            median(&cpu).map(|cpu| format!("{cpu:.0}")).unwrap_or_default(),
        ]
    }

    /// Of each round that has one, in order of their size.
    fn each(&self, of: impl Fn(&Figure) -> Option<f64>) -> Vec<f64> {
        let mut values: Vec<_> = self.rounds.iter().filter_map(of).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    }
}

impl fmt::Display for Table {
    /// In Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = self.0.iter().map(Row::cells).collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([HEAD[column].chars().count()]).max().unwrap_or_default()
        };
        let widths: [usize; 7] = std::array::from_fn(width);
        let line = |f: &mut fmt::Formatter<'_>, cells: [&str; 7]| {
            for (nth, (cell, width)) in cells.iter().zip(widths).enumerate() {
                if nth < 2 { write!(f, "| {cell:<width$} ")? } else { write!(f, "| {cell:>width$} ")? }
            }
            writeln!(f, "|")
        };
        line(f, HEAD)?;
        writeln!(f, "|---|---|--:|--:|--:|--:|--:|")?;
        for row in &rows {
            line(f, row.each_ref().map(String::as_str))?;
        }
        Ok(())
    }
}

fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle)?;
    Some(if sorted.len() % 2 == 1 {
        *upper
    } else {
        f64::midpoint(*upper, *sorted.get(middle.checked_sub(1)?)?)
    })
}

/// With a comma before each third digit; a small one with one decimal.
fn number(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let grouped = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    grouped.collect::<Vec<_>>().join(",")
}
