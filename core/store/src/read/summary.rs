//! Summaries of series from the statistics of Parquet pages: only the decisive pages are read, whatever the size of the run.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use crate::error::{Result, StoreError};
use crate::folder::manifest::Goal;
use crate::folder::run_dir::RunDir;
use crate::log::rows::Rows;
use crate::log::series::{KeyTable, SeriesKey};
use crate::read::series_data::{Snapshot, Source, scan_journal, series_file};
use crate::sealed::file::Sealed;
use crate::sealed::pages::pages;
use crate::sealed::reader::{Owned, PartReader, owned};

/// A row of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Its step.
    pub step: i64,
    /// Its epoch, if it has one.
    pub epoch: Option<f64>,
    /// When it was logged, in microseconds since 1970, UTC.
    pub time_us: i64,
    /// Its value.
    pub value: f64,
}

/// A summary of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesSummary {
    /// The series.
    pub key: SeriesKey,
    /// The unit of its values.
    pub unit: Option<String>,
    /// Number of rows.
    pub rows: u64,
    /// The last row.
    pub last: Point,
    /// The best finite value by the metric's goal; the earliest one if there are several.
    pub best: Option<Point>,
}

/// Summarizes the series selected by `filter`, by key, and returns what is wrong with files that could not be read
/// completely. `goal` determines the best value of a series.
pub fn summarize(
    run: &RunDir,
    filter: impl Fn(&SeriesKey) -> bool,
    goal: impl Fn(&SeriesKey) -> Goal,
) -> Result<(Vec<SeriesSummary>, Vec<StoreError>)> {
    let snapshot = Snapshot::open(run)?;
    let mut file = series_file(run)?;
    let mut found = Found { series: BTreeMap::new(), filter: &filter };
    let mut damaged: Vec<StoreError> =
        file.damage(run).filter(|_| snapshot.has_journal()).into_iter().collect();
    for (_, source) in snapshot.sources {
        let added = match source {
            Source::Part(path, part) => {
                Sealed::of(part, &path).and_then(|part| found.add_part(&part, &mut file.table))
            }
            Source::Journal(reader) => {
                scan_journal(reader, run, &mut file, &mut |rows, table| found.add_rows(rows, table))
            }
            Source::Damaged(e) => Err(e),
        };
        match added {
            Err(e) if e.is_damage() => damaged.push(e),
            added => added?,
        }
    }
    let mut summaries = Vec::new();
    for (key, series) in found.series {
        let Some(last) = series.last(&key, &mut damaged)? else { continue };
        let best = match goal(&key) {
            Goal::None => None,
            goal => series.best(&key, goal, &mut damaged)?,
        };
        let unit = file.table.number(&key).and_then(|n| file.table.all()[n as usize].1.clone());
        summaries.push(SeriesSummary { key, unit, rows: series.rows, last, best });
    }
    Ok((summaries, damaged))
}

/// Intermediate results.
struct Found<'a> {
    series: BTreeMap<SeriesKey, Series>,
    filter: &'a dyn Fn(&SeriesKey) -> bool,
}

impl Found<'_> {
    fn add_part(&mut self, part: &Sealed, table: &mut KeyTable) -> Result<()> {
        let Some(pages) = pages(part) else {
            let Some(mut reader) = PartReader::filtered(part, self.filter, None)? else { return Ok(()) };
            while let Some(rows) = reader.next(table)? {
                self.add_rows(&rows, table);
            }
            return Ok(());
        };
        let covered = |rows: Range<usize>| {
            let first = pages.partition_point(|page| page.rows.end <= rows.start);
            pages[first..].iter().take_while(move |page| page.rows.start < rows.end)
        };
        let (whole, small): (Vec<Owned>, Vec<Owned>) = owned(part, self.filter, None)?
            .into_iter()
            .partition(|(rows, _)| covered(rows.clone()).all(|page| page.key.is_some()));
        let mut small = VecDeque::from(small);
        let mut pieces = read_small(part, &mut small, table)?;
        // Damaged, or after damage: reported when it is read.
        for (rows, key) in whole.into_iter().chain(small) {
            let (time, value) = covered(rows.clone()).fold(NOTHING, |(time, value), page| {
                (wider(time, page.time), (value.0.min(page.value.0), value.1.max(page.value.1)))
            });
            pieces.push((rows.clone(), key, Piece { held: Held::Part(part.clone(), rows), time, value }));
        }
        pieces.sort_by_key(|(rows, ..)| rows.start);
        for (rows, key, piece) in pieces {
            self.add(key, rows.len(), piece);
        }
        Ok(())
    }

    fn add_rows(&mut self, rows: &Rows, table: &KeyTable) {
        for (number, range) in rows.by_series() {
            let Some(key) = table.key(number).filter(|key| (self.filter)(key)) else { continue };
            self.add(key.clone(), range.len(), Piece::of(rows, range));
        }
    }

    fn add(&mut self, key: SeriesKey, rows: usize, piece: Piece) {
        let series = self.series.entry(key).or_default();
        series.rows += rows as u64;
        series.pieces.push(piece);
    }
}

/// Reads the rows of pages that several series share, so that such a page is decoded once rather than once per series.
/// Skips damage and what follows it.
fn read_small(
    part: &Sealed,
    small: &mut VecDeque<Owned>,
    table: &mut KeyTable,
) -> Result<Vec<(Range<usize>, SeriesKey, Piece)>> {
    let mut pieces = Vec::new();
    if small.is_empty() {
        return Ok(pieces);
    }
    let mut reader = PartReader::of(part, small.iter().cloned().collect())?;
    loop {
        let rows = match reader.next(table) {
            Ok(Some(rows)) => rows,
            Ok(None) => return Ok(pieces),
            Err(e) if e.is_damage() => return Ok(pieces),
            Err(e) => return Err(e),
        };
        let mut start = 0;
        while let Some((range, key)) = small.front_mut().filter(|_| start < rows.len()) {
            let n = range.len().min(rows.len() - start);
            pieces.push((range.start..range.start + n, key.clone(), Piece::of(&rows, start..start + n)));
            start += n;
            range.start += n;
            if range.start == range.end {
                small.pop_front();
            }
        }
    }
}

const NOTHING: ((i64, i64), (f64, f64)) = ((i64::MAX, i64::MIN), (f64::NAN, f64::NAN));

fn wider(a: (i64, i64), b: (i64, i64)) -> (i64, i64) {
    (a.0.min(b.0), a.1.max(b.1))
}

/// A block of neighbouring rows of a series.
struct Piece {
    held: Held,
    /// Bounds of the times.
    time: (i64, i64),
    /// Bounds of the values; NaN if none is a number.
    value: (f64, f64),
}

enum Held {
    /// Rows that have been read.
    Rows(Rows),
    /// Rows of a part.
    Part(Sealed, Range<usize>),
}

impl Piece {
    /// Keeps only the rows that may be decisive.
    fn of(rows: &Rows, range: Range<usize>) -> Self {
        let finite = || range.clone().filter(|i| rows.value[*i].is_finite());
        let low = finite().min_by(|a, b| rows.value[*a].total_cmp(&rows.value[*b]));
        // The first of equal ones.
        let high = finite().rev().max_by(|a, b| rows.value[*a].total_cmp(&rows.value[*b]));
        let mut chosen: Vec<usize> = low.into_iter().chain(high).chain([range.end - 1]).collect();
        chosen.sort_unstable();
        chosen.dedup();
        let value = |i: Option<usize>| i.map_or(f64::NAN, |i| rows.value[i]);
        Self {
            held: Held::Rows(rows.picked(chosen.into_iter())),
            time: (rows.time[range.start], rows.time[range.end - 1]),
            value: (value(low), value(high)),
        }
    }

    /// Returns its rows; none if the part is damaged.
    fn read(&self, key: &SeriesKey, damaged: &mut Vec<StoreError>) -> Result<Cow<'_, Rows>> {
        let (part, range) = match &self.held {
            Held::Rows(rows) => return Ok(Cow::Borrowed(rows)),
            Held::Part(part, range) => (part, range),
        };
        let read = || {
            let mut rows = Rows::default();
            let mut table = KeyTable::default();
            let mut reader = PartReader::of(part, vec![(range.clone(), key.clone())])?;
            while let Some(batch) = reader.next(&mut table)? {
                rows.append(&batch);
            }
            Ok::<_, StoreError>(Cow::Owned(rows))
        };
        match read() {
            Err(e) if e.is_damage() => {
                if !damaged.iter().any(|d| d.to_string() == e.to_string()) {
                    damaged.push(e);
                }
                Ok(Cow::default())
            }
            rows => rows,
        }
    }
}

#[derive(Default)]
struct Series {
    rows: u64,
    /// In segment order.
    pieces: Vec<Piece>,
}

impl Series {
    /// Returns the row with the latest time; the last of equal ones.
    fn last(&self, key: &SeriesKey, damaged: &mut Vec<StoreError>) -> Result<Option<Point>> {
        let mut pieces: Vec<&Piece> = self.pieces.iter().collect();
        pieces.sort_by_key(|p| p.time.1);
        let mut last: Option<Point> = None;
        for piece in pieces.into_iter().rev() {
            if last.is_some_and(|last| piece.time.1 <= last.time_us) {
                break;
            }
            let rows = piece.read(key, damaged)?;
            let latest = (0..rows.len()).max_by_key(|i| rows.time[*i]).map(|i| point(&rows, i));
            last = latest.filter(|new| last.is_none_or(|old| new.time_us > old.time_us)).or(last);
        }
        Ok(last)
    }

    /// Returns the best finite value; the first of equal ones.
    fn best(&self, key: &SeriesKey, goal: Goal, damaged: &mut Vec<StoreError>) -> Result<Option<Point>> {
        let sign = if goal == Goal::Max { -1.0 } else { 1.0 };
        let bound = |p: &Piece| if goal == Goal::Max { -p.value.1 } else { p.value.0 };
        let mut pieces: Vec<&Piece> = self.pieces.iter().filter(|p| !bound(p).is_nan()).collect();
        pieces.sort_by(|a, b| bound(a).total_cmp(&bound(b)).then(a.time.0.cmp(&b.time.0)));
        let mut best: Option<Point> = None;
        let better = |new: (f64, i64), old: Point| {
            new.0 < sign * old.value || new.0 == sign * old.value && new.1 < old.time_us
        };
        for piece in pieces {
            if best.is_some_and(|old| !better((bound(piece), piece.time.0), old)) {
                continue;
            }
            let rows = piece.read(key, damaged)?;
            for i in (0..rows.len()).filter(|i| rows.value[*i].is_finite()) {
                let new = point(&rows, i);
                if best.is_none_or(|old| better((sign * new.value, new.time_us), old)) {
                    best = Some(new);
                }
            }
        }
        Ok(best)
    }
}

fn point(rows: &Rows, i: usize) -> Point {
    let epoch = Some(rows.epoch[i]).filter(|epoch| !epoch.is_nan());
    Point { step: rows.step[i], epoch, time_us: rows.time[i], value: rows.value[i] }
}
