//! Averages several series into one line, with their range, at each position of the axis.

use std::collections::HashMap;

use gradtop_store::Average;

use crate::live::series::Row;

/// Seconds within which rows may be sent that are logged at once.
pub(super) const AT_ONCE: f64 = 0.01;

/// An averaged line in log order. A NaN in x interrupts it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Averaged {
    pub(super) x: Vec<f64>,
    /// The range of x that the values at each x are of.
    pub(super) spans: Vec<(f64, f64)>,
    pub(super) y: Vec<f64>,
    /// The smallest averaged value at each x.
    pub(super) low: Vec<f64>,
    /// The largest averaged value at each x.
    pub(super) high: Vec<f64>,
    /// Number of positions at which some continuing series is not finite and so not included in the average.
    pub(super) partial: usize,
    /// Total number of positions.
    pub(super) places: usize,
}

impl Averaged {
    /// Interrupts the line at gaps, during which nothing could be logged.
    pub(super) fn interrupted(self, gaps: &[(f64, f64)]) -> Self {
        if gaps.is_empty() {
            return self;
        }
        let mut out = Self { partial: self.partial, places: self.places, ..Self::default() };
        for (at, x) in self.x.iter().enumerate() {
            if out.x.last().is_some_and(|before| lies_between(gaps, (*before, *before), (*x, *x))) {
                out.interrupt();
            }
            out.push(*x, self.spans[at], (self.y[at], self.low[at], self.high[at]));
        }
        out
    }

    fn push(&mut self, x: f64, span: (f64, f64), (y, low, high): (f64, f64, f64)) {
        self.x.push(x);
        self.spans.push(span);
        self.y.push(y);
        self.low.push(low);
        self.high.push(high);
    }

    /// Interrupts the line.
    fn interrupt(&mut self) {
        if !self.x.is_empty() {
            self.push(f64::NAN, (f64::NAN, f64::NAN), (0.0, f64::NAN, f64::NAN));
        }
    }
}

/// Puts what trials of a run logged at one step where the first of them was logged: before that one went on, or at once.
/// Clocks divide what belongs together, but trials that are trained one after the other have nothing at one time.
pub(super) fn put_together(trials: &mut [Vec<Row>]) {
    let mut all = Vec::new();
    for (trial, rows) in trials.iter_mut().enumerate() {
        let begins: Vec<f64> = rows.iter().map(|row| row.span.0).collect();
        let to_next = |i: usize| begins.get(i..i + 2).map(|pair| pair[1] - pair[0]);
        let pause = |i: usize| to_next(i).or_else(|| to_next(i.checked_sub(1)?)).unwrap_or(0.0);
        all.extend(rows.iter_mut().enumerate().map(|(i, row)| (trial, pause(i), row)));
    }
    all.sort_by(|(.., a), (.., b)| a.span.0.total_cmp(&b.span.0));
    let mut moments: HashMap<(i64, i64), Vec<Moment>> = HashMap::new();
    for (trial, pause, row) in all {
        let moments = moments.entry(row.steps).or_default();
        moments.retain(|moment| row.span.0 <= moment.until);
        if let Some(moment) = moments.iter_mut().find(|moment| !moment.trials.contains(&trial)) {
            (row.x, row.span) = (moment.first.x, moment.first.span);
            moment.trials.push(trial);
        } else {
            moments.push(Moment { first: *row, until: row.span.0 + pause.max(AT_ONCE), trials: vec![trial] });
        }
    }
}

/// Counts how often steps had gone back before trials of a run that begin only after that, while another goes on.
pub(super) fn join_laps(trials: &mut [Vec<Row>]) {
    let laps = |rows: &[Row]| rows.last().map_or(0, |row| row.lap);
    let missed = |rows: &[Row], other: &[Row]| {
        let (first, end) = (rows.first()?, other.last()?);
        let begin = first.time_us?;
        let soon = begin.saturating_add((AT_ONCE * 1e6) as i64);
        let then = other.iter().take_while(|row| row.time_us.is_some_and(|at| at <= soon)).last()?;
        let goes_on = end.time_us >= Some(begin) || end.steps.1 == first.steps.0;
        goes_on.then(|| then.lap.min(laps(other).saturating_sub(laps(rows))))
    };
    let missed_by =
        |rows: &Vec<Row>| trials.iter().filter_map(|other| missed(rows, other)).max().unwrap_or(0);
    let all: Vec<usize> = trials.iter().map(missed_by).collect();
    for (rows, missed) in trials.iter_mut().zip(all) {
        for row in rows {
            row.lap += missed;
        }
    }
}

/// When trials log one step.
struct Moment {
    first: Row,
    until: f64,
    trials: Vec<usize>,
}

/// Averages series, each with its rows in log order. Between two of its rows a series is interpolated linearly, so that
/// series logged at different positions can be averaged. Only rows of the same lap are averaged.
pub(super) fn averaged(members: &[Vec<Row>], average: Average) -> Averaged {
    let mut out = Averaged::default();
    let laps = members.iter().filter_map(|rows| rows.last()).map(|row| row.lap).max().unwrap_or(0);
    for lap in 0..=laps {
        let of_lap = |rows: &Vec<Row>| -> Vec<Row> {
            rows.iter().filter(|r| r.lap == lap && !r.x.is_nan()).copied().collect()
        };
        let parts: Vec<Vec<Row>> = members.iter().map(of_lap).filter(|part| !part.is_empty()).collect();
        out.interrupt();
        add_lap(&mut out, &parts, average);
    }
    out
}

fn add_lap(out: &mut Averaged, parts: &[Vec<Row>], average: Average) {
    let mut places: Vec<f64> = parts.iter().flatten().map(|r| r.x).collect();
    places.sort_unstable_by(f64::total_cmp);
    places.dedup();
    let ends: Vec<Option<(f64, f64)>> =
        parts.iter().map(|rows| Some((rows[0].x, rows[stop(rows).checked_sub(1)?].x))).collect();
    let mut next = vec![0; parts.len()];
    let mut values = Vec::with_capacity(parts.len());
    // Which series reached the place before.
    let mut reached = vec![false; parts.len()];
    let mut first = true;
    for x in places {
        values.clear();
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let mut span = (x, x);
        let (mut odd, mut missing) = (f64::NAN, false);
        let (mut any, mut changed) = (false, false);
        for (((rows, next), end), reached) in parts.iter().zip(&mut next).zip(&ends).zip(&mut reached) {
            let from = *next;
            *next += rows[from..].iter().take_while(|r| r.x <= x).count();
            let reaches = end.is_some_and(|(first, last)| first <= x && x <= last);
            any |= reaches;
            changed |= std::mem::replace(reached, reaches) != reaches;
            let (had, mut logged) = (values.len(), false);
            for row in rows[from..*next].iter().filter(|r| r.x == x) {
                logged = true;
                span = (span.0.min(row.span.0), span.1.max(row.span.1));
                if row.value.is_finite() {
                    values.push(row.value);
                    (low, high) = (low.min(row.ends.0), high.max(row.ends.1));
                } else {
                    odd = row.value;
                }
            }
            missing |= logged && reaches && values.len() == had;
            if !logged
                && reaches
                && let Some([a, b]) = next.checked_sub(1).and_then(|at| rows.get(at..at + 2))
            {
                let between = a.value + (b.value - a.value) * (x - a.x) / (b.x - a.x);
                if between.is_finite() {
                    values.push(between);
                    (low, high) = (low.min(between), high.max(between));
                }
            }
        }
        out.places += 1;
        out.partial += usize::from(missing && !values.is_empty());
        let here = match summary(&mut values, average.over([low])) {
            Some((middle, ..)) => (middle, low, high),
            None => (odd, odd, odd),
        };
        if changed && any && !first {
            // Interrupt the line where a series begins or ends, because the average jumps there.
            out.interrupt();
        }
        first = false;
        out.push(x, span, here);
    }
}

/// Returns the row from which on a series is not finite, or its length if it ends finite. A series that becomes finite
/// again only has missing values, possibly including its last.
fn stop(rows: &[Row]) -> usize {
    let stop = rows.iter().rposition(|r| r.value.is_finite()).map_or(0, |i| i + 1);
    if rows[..stop].iter().all(|r| r.value.is_finite()) { stop } else { rows.len() }
}

/// Returns a sentence if some of several series, `trials` or `runs`, have diverged.
pub(super) fn diverged(members: &[Vec<Row>], kind: &str) -> Option<String> {
    let from: Vec<i64> =
        members.iter().filter_map(|rows| rows.get(stop(rows))).map(|row| row.steps.0).collect();
    let step = from.iter().min().filter(|_| from.len() < members.len())?;
    let are = if from.len() == 1 { "is" } else { "are" };
    let first = if from.iter().all(|s| s == step) { "" } else { "the first " };
    Some(format!(
        "{} of {} {kind} {are} not finite ({first}from step {step}); the line shows the others",
        from.len(),
        members.len()
    ))
}

/// Returns average, minimum and maximum of finite values; `None` if there are none.
pub(super) fn summary(values: &mut [f64], average: Average) -> Option<(f64, f64, f64)> {
    values.sort_unstable_by(f64::total_cmp);
    Some((average.of_sorted(values)?, *values.first()?, *values.last()?))
}

/// Returns whether a gap separates two columns. It may begin within the left one and end within the right one, as rows
/// were logged before and after it there.
pub(super) fn lies_between(gaps: &[(f64, f64)], left: (f64, f64), right: (f64, f64)) -> bool {
    gaps.iter().any(|(a, b)| left.0 <= *a && *a < right.0 && left.1 < *b && *b <= right.1)
}
