//! Decides which columns of a table give the position of a row, and which are values.

use std::collections::{BTreeMap, HashMap};

use gradtop_store::SeriesKey;

use crate::error::Result;
use crate::sink::{At, MIN_US, Sink, Tag};

/// Names of a step column; the first that exists counts.
const STEPS: [&str; 11] = [
    "step",
    "global_step",
    "_step",
    "trainer/global_step",
    "total_timesteps",
    "time/total_timesteps",
    "timesteps",
    "timestep",
    "iteration",
    "iterations",
    "iter",
];
const EPOCHS: [&str; 2] = ["epoch", "_epoch"];
const TIMES: [&str; 7] = ["_timestamp", "timestamp", "wall_time", "time", "datetime", "date", "created_at"];

/// Returns whether a column of this name may be the step, the epoch or the time of its rows.
pub(crate) fn is_place(name: &str) -> bool {
    STEPS.iter().chain(&EPOCHS).chain(&TIMES).any(|known| known.eq_ignore_ascii_case(name))
}

/// The years 1990 to 2100 in microseconds since 1970: other times cannot belong to a training.
const MOMENTS: std::ops::Range<i64> = MIN_US..4_102_444_800_000_000;

/// Maximum number of columns of which it is said what was left out.
const COLUMNS: usize = 10;
/// Maximum length of a text that is shown, in characters.
const TEXT: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'a> {
    /// A number, and how it is written.
    Number(f64, &'a str),
    /// An integer: as a step it is exact, however large.
    Whole(i64),
    Text(&'a str),
}

/// Parses an integer, also as pandas writes a column of them that has gaps: `1.0`.
pub(crate) fn whole(text: &str) -> Option<i64> {
    let digits = text.split_once('.').map_or(text, |(digits, zeros)| {
        if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') { digits } else { text }
    });
    // Zero has a sign as a value.
    digits.parse().ok().filter(|whole| *whole != 0 || !text.starts_with('-'))
}

impl<'a> Cell<'a> {
    /// Parses a text; `None` if it is empty.
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let number = || text.parse().map_or(Self::Text(text), |number| Self::Number(number, text));
        (!text.is_empty()).then(|| whole(text).map_or_else(number, Self::Whole))
    }

    fn number(self) -> Option<f64> {
        match self {
            Self::Number(n, _) => Some(n),
            Self::Whole(n) => Some(n as f64),
            Self::Text(_) => None,
        }
    }

    fn whole(self) -> Option<i64> {
        match self {
            Self::Whole(n) => Some(n),
            Self::Number(n, _) => (n.fract() == 0.0 && n.abs() < 9e15).then_some(n as i64),
            Self::Text(_) => None,
        }
    }

    /// Returns the text of what should be an integer, but is none; NaN counts as absent.
    fn odd(self) -> Option<&'a str> {
        match self {
            Self::Number(n, text) if !n.is_nan() && self.whole().is_none() => Some(text),
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Passes rows of a table to a [`Sink`].
#[derive(Debug, Default)]
pub(crate) struct Rows {
    series: HashMap<String, u32>,
    /// Number of rows left out because their step is no whole number, and the first such step.
    odd: Option<(u64, String)>,
    /// Number of rows left out because they do not say of which metric their value is.
    nameless: u64,
    /// Of columns with texts that are no times, their number and the first.
    texts: BTreeMap<String, (u64, String)>,
    /// The number of the next row, and the step of the previous one.
    next: i64,
    last: Option<i64>,
    /// The time column: the first that contained a time.
    time: Option<&'static str>,
    /// A value with a known split, by its full name, if the format defines one.
    split: Option<(&'static str, &'static str)>,
    values: Vec<(u32, f64)>,
}

impl Rows {
    /// Creates it for a format in which values of this name belong to this split.
    pub(crate) fn knowing(name: &'static str, split: &'static str) -> Self {
        Self { split: Some((name, split)), ..Self::default() }
    }

    /// Starts again with the first row.
    pub(crate) fn rewind(&mut self) {
        (self.next, self.last, self.odd, self.nameless) = (0, None, None, 0);
        self.texts.clear();
    }

    /// Returns what was left out of the rows so far, in sentences. A column that has nothing but words is not meant as
    /// numbers.
    pub(crate) fn left_out(&self) -> Vec<String> {
        let are = |n: u64| {
            if n == 1 { "1 value is no number".to_owned() } else { format!("{n} values are no numbers") }
        };
        let is_meant = |name: &str, text: &str| {
            let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
            let digit =
                text.trim_start_matches(['+', '-', '.', ',']).starts_with(|c: char| c.is_ascii_digit());
            digit || self.series.contains_key(name) || is(&STEPS) || is(&EPOCHS)
        };
        let texts = self.texts.iter().filter(|(name, (_, first))| is_meant(name, first));
        let mut said: Vec<String> =
            texts.map(|(name, (n, first))| format!("{name}: {}, such as \"{first}\"", are(*n))).collect();
        if said.len() > COLUMNS {
            let more = said.split_off(COLUMNS).len();
            said.push(format!("{more} more columns have such values"));
        }
        said.extend(self.odd.as_ref().map(|(n, step)| match n {
            1 => format!("1 row is left out: its step, {step}, is not a whole number, or too large"),
            n => format!("{n} rows are left out: a step such as {step} is not a whole number, or too large"),
        }));
        match self.nameless {
            0 => {}
            1 => said.push("1 row is left out: it names no metric".to_owned()),
            n => said.push(format!("{n} rows are left out: they name no metric")),
        }
        if said.is_empty() && self.series.is_empty() && self.next > 0 {
            said.push("there are rows, but no column of numbers except those of steps and times".to_owned());
        }
        said
    }

    /// Counts a row that does not say of which metric its value is.
    pub(crate) fn leave_out_nameless(&mut self) {
        self.nameless += 1;
        self.next += 1;
    }

    /// Passes on a row. If it says of which series it is, so are its values. Its step is the value in the first column of [`STEPS`] that has one; else the epoch, if it is
    /// an integer; else the step of the previous row if there is a step column, or the number of the row. A row whose
    /// step is there, but no whole number, is left out.
    pub(crate) fn hand_over(
        &mut self,
        of: Option<(&str, &SeriesKey)>,
        cells: &[(impl AsRef<str>, Cell<'_>)],
        sink: &mut dyn Sink,
    ) -> Result<()> {
        let named = |names: &[&str]| {
            let find = |name: &&str| cells.iter().position(|(n, _)| n.as_ref().eq_ignore_ascii_case(name));
            names.iter().find_map(find)
        };
        let number = |at: Option<usize>| cells.get(at?)?.1.number();
        let whole = |at: Option<usize>| cells.get(at?)?.1.whole();
        let (step, epoch) = (named(&STEPS), named(&EPOCHS));
        let times = |at: usize| moment(cells[at].1).is_some();
        if self.time.is_none() {
            self.time = TIMES.iter().find(|name| named(&[**name]).is_some_and(times)).copied();
        }
        let time = self.time.and_then(|name| named(&[name]));
        let found = whole(step);
        let odd = match step {
            Some(at) => cells[at].1.odd(),
            // An epoch with a fraction counts rows, but a word tells nothing.
            None => epoch.and_then(|at| cells[at].1.odd()).filter(|_| number(epoch).is_none()),
        };
        if let Some(odd) = odd {
            self.odd.get_or_insert_with(|| (0, odd.chars().take(TEXT).collect())).0 += 1;
            self.next += 1;
            return Ok(());
        }
        let other = || whole(epoch).filter(|_| self.last.is_none()).or(self.last);
        let at = At {
            step: found.or_else(other).unwrap_or(self.next),
            epoch: number(epoch),
            // A time that cannot be is not the same as none.
            time_us: time.and_then(|at| {
                moment(cells[at].1).or(number(Some(at)).filter(|n| !n.is_nan()).map(|_| i64::MIN))
            }),
        };
        self.next += 1;
        if found.is_some() {
            self.last = found;
        }
        self.values.clear();
        for (n, (name, cell)) in cells.iter().enumerate() {
            let Some(value) = cell.number() else {
                self.note_text(name.as_ref(), *cell);
                continue;
            };
            if Some(n) == step || Some(n) == epoch || Some(n) == time {
                continue;
            }
            let name = of.map_or(name.as_ref(), |(name, _)| name);
            let series = if let Some(series) = self.series.get(name) {
                *series
            } else {
                let split = self.split.filter(|(known, _)| *known == name).map(|(_, split)| split);
                let series = sink.series(Tag { name, split, whole: of.map(|(_, key)| key) })?;
                self.series.insert(name.to_owned(), series);
                series
            };
            self.values.push((series, value));
        }
        if self.values.is_empty() { Ok(()) } else { sink.row(at, &self.values) }
    }

    fn note_text(&mut self, name: &str, cell: Cell<'_>) {
        match (cell, self.texts.get_mut(name)) {
            (_, Some((n, _))) => *n += 1,
            (Cell::Text(text), None) if moment(cell).is_none() => {
                let first = text.chars().take(TEXT).collect();
                self.texts.insert(name.to_owned(), (1, first));
            }
            _ => {}
        }
    }
}

/// Parses a time: seconds or milliseconds since 1970, or an ISO 8601 date and time, in UTC if it has no time zone.
fn moment(cell: Cell<'_>) -> Option<i64> {
    let us = match cell {
        Cell::Number(..) | Cell::Whole(_) => {
            let n = cell.number()?;
            (n * if n.abs() < 1e11 { 1e6 } else { 1e3 }).round() as i64
        }
        Cell::Text(text) => {
            let zoned = text.parse::<jiff::Timestamp>().ok();
            let civil = || {
                let local = text.parse::<jiff::civil::DateTime>().ok()?;
                jiff::tz::TimeZone::UTC.to_timestamp(local).ok()
            };
            zoned.or_else(civil)?.as_microsecond()
        }
    };
    MOMENTS.contains(&us).then_some(us)
}
