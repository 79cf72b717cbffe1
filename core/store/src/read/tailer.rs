//! Following a live run.
//!
//! The position is one number, the time of the last row returned. Times increase from batch to batch and from segment to segment,
//! so the rows of any part with later times are exactly the new ones, however it was sealed and merged since.

use std::time::{Duration, Instant};

use crate::error::{Result, StoreError};
use crate::folder::run_dir::RunDir;
use crate::folder::view::has_journal;
use crate::log::journal::JournalReader;
use crate::log::merge::list_pending;
use crate::log::part::{list_parts, list_segments, names, or_none};
use crate::log::rows::Rows;
use crate::log::series::{SeriesFile, SeriesKey};
use crate::read::missing::missing_rows;
use crate::sealed::file::Sealed;
use crate::sealed::reader::PartReader;

/// A block of neighbouring rows of one series, as columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slice<'a> {
    /// The index of the series in [`Tailer::series`].
    pub series: u32,
    /// The key of the series.
    pub key: &'a SeriesKey,
    /// The unit of its values.
    pub unit: Option<&'a str>,
    /// The steps.
    pub step: &'a [i64],
    /// The epochs; NaN if there is none.
    pub epoch: &'a [f64],
    /// When each row was logged, in microseconds since 1970, UTC.
    pub time_us: &'a [i64],
    /// The values.
    pub value: &'a [f64],
}

/// Selects series.
type Filter = Box<dyn Fn(&SeriesKey) -> bool + Send>;

/// Follows a run's rows: first the existing ones, then each new one, once, across sealing and merging.
///
/// Rows of one series are returned in log order. Of a damaged file, the rows before the damage are returned; see
/// [`Self::damage`].
pub struct Tailer {
    run: RunDir,
    series: SeriesFile,
    filter: Option<Filter>,
    /// Only rows of these steps.
    steps: Option<(i64, i64)>,
    /// The filter's answer for each series, by number.
    wanted: Vec<bool>,
    /// All segments up to this one have been returned.
    done: u32,
    /// Time of the last row of the completed segments, and of the last row seen at all.
    given: i64,
    seen: i64,
    source: Option<Source>,
    at_end: bool,
    superseded: Option<usize>,
    restarts: u64,
    /// What is wrong with files that could not be read completely.
    damage: Vec<StoreError>,
    /// Whether it was asked if rows are missing.
    counted: bool,
}

#[derive(Debug)]
enum Source {
    /// A part, without a reader if it has no selected rows, and the last segment it covers.
    Part(Option<PartReader>, u32),
    /// The journal of a segment.
    Journal(JournalReader, u32),
}

/// What a look at a source gave.
enum Found {
    Rows(Rows),
    /// No rows so far, and perhaps more to look at.
    Nothing,
    /// No more for now.
    NoneYet,
}

impl std::fmt::Debug for Tailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tailer").field("run", &self.run).field("done", &self.done).finish_non_exhaustive()
    }
}

impl Tailer {
    /// Creates a tailer at the beginning of the run.
    pub fn new(run: &RunDir) -> Self {
        Self {
            run: run.clone(),
            series: SeriesFile::default(),
            filter: None,
            steps: None,
            wanted: Vec::new(),
            done: 0,
            given: i64::MIN,
            seen: i64::MIN,
            source: None,
            at_end: false,
            superseded: None,
            restarts: 0,
            damage: Vec::new(),
            counted: false,
        }
    }

    /// Creates a tailer of the series selected by `filter`. Pages of sealed parts without any of them are not read.
    pub fn filtered(run: &RunDir, filter: impl Fn(&SeriesKey) -> bool + Send + 'static) -> Self {
        Self { filter: Some(Box::new(filter)), ..Self::new(run) }
    }

    /// Creates a tailer of the series selected by `filter`, limited to the steps from `first` to `last`.
    pub fn within(
        run: &RunDir,
        filter: impl Fn(&SeriesKey) -> bool + Send + 'static,
        (first, last): (i64, i64),
    ) -> Self {
        Self { steps: Some((first, last)), ..Self::filtered(run, filter) }
    }

    /// Passes the next rows to `sink` in blocks of one series, until there are no more or `budget` is spent.
    ///
    /// # Errors
    /// The log cannot be read or is damaged.
    pub fn poll_slices(&mut self, budget: Duration, mut sink: impl FnMut(Slice<'_>)) -> Result<()> {
        let deadline = Instant::now() + budget;
        self.notice_resume()?;
        self.at_end = false;
        while let Some(batch) = self.read_more()? {
            for (series, rows) in batch.by_series() {
                let Some((key, unit)) = self.series().get(series as usize) else { continue };
                sink(Slice {
                    series,
                    key,
                    unit: unit.as_deref(),
                    step: &batch.step[rows.clone()],
                    epoch: &batch.epoch[rows.clone()],
                    time_us: &batch.time[rows.clone()],
                    value: &batch.value[rows],
                });
            }
            if Instant::now() >= deadline {
                return Ok(());
            }
        }
        self.at_end = true;
        Ok(())
    }

    /// Returns the series seen so far with their units, by number.
    pub fn series(&self) -> &[(SeriesKey, Option<String>)] {
        self.series.table.all()
    }

    /// Returns whether both tailers of a run are at the same position, so that one can continue for both with the
    /// combined filter.
    pub fn same_place(&self, other: &Self) -> bool {
        let journal = |t: &Self| match &t.source {
            None => Some((0, 0)),
            Some(Source::Journal(reader, number)) => Some((*number, reader.offset())),
            Some(Source::Part(..)) => None,
        };
        let at = journal(self);
        at.is_some()
            && at == journal(other)
            && (self.done, self.given, self.restarts) == (other.done, other.given, other.restarts)
    }

    /// Replaces the filter from here on; skipped rows are not read again.
    pub fn set_filter(&mut self, filter: impl Fn(&SeriesKey) -> bool + Send + 'static) {
        self.filter = Some(Box::new(filter));
        self.wanted.clear();
    }

    /// Returns what is wrong with files of which some rows could not be read.
    pub fn damage(&self) -> &[StoreError] {
        &self.damage
    }

    /// Consumes the tailer and returns [`Self::damage`].
    pub fn into_damage(self) -> Vec<StoreError> {
        self.damage
    }

    /// Returns whether the last poll reached the end of the log.
    pub fn at_end(&self) -> bool {
        self.at_end
    }

    /// Checks whether the run was resumed from an earlier step, and starts again if so. Returns how often that has been. When it
    /// increases, all rows are returned again and earlier ones must be discarded, as some may be superseded.
    ///
    /// # Errors
    /// See [`Self::poll_slices`].
    pub fn look_back(&mut self) -> Result<u64> {
        self.notice_resume()?;
        Ok(self.restarts)
    }

    /// A resume sets rows aside, so start again.
    fn notice_resume(&mut self) -> Result<()> {
        let count = or_none(names(&self.run, &self.run.superseded()), drop)?.len();
        let before = self.superseded.replace(count);
        if before.is_some_and(|b| b != count) {
            self.restarts += 1;
            (self.done, self.given, self.seen) = (0, i64::MIN, i64::MIN);
            self.source = None;
            self.damage.clear();
            self.counted = false;
        }
        Ok(())
    }

    /// Reads one batch. Returns `None` if there is none for now.
    fn read_more(&mut self) -> Result<Option<Rows>> {
        loop {
            let found = match &mut self.source {
                None => {
                    self.source = self.next_source()?;
                    if self.source.is_none() { Found::NoneYet } else { Found::Nothing }
                }
                Some(Source::Part(reader, last)) => {
                    let rows = reader.as_mut().map_or(Ok(None), |r| r.next(&mut self.series.table));
                    let last = *last;
                    self.take_from_part(rows, last)?
                }
                Some(Source::Journal(reader, number)) => {
                    let rows = reader.next(|wanted| self.series.known(&self.run, wanted));
                    let (ended, number) = (reader.ended(), *number);
                    self.take_from_journal(rows, ended, number)?
                }
            };
            match found {
                Found::Rows(rows) => return Ok(Some(rows)),
                Found::NoneYet => return Ok(None),
                Found::Nothing => {}
            }
        }
    }

    /// Takes the next rows of the part that ends with segment `last`.
    fn take_from_part(&mut self, rows: Result<Option<Rows>>, last: u32) -> Result<Found> {
        match rows {
            Ok(Some(rows)) => return Ok(self.selected(rows)),
            Ok(None) => self.finish(last),
            Err(e) if e.is_damage() => {
                self.note(e);
                self.finish(last);
            }
            Err(e) => return Err(e),
        }
        Ok(Found::Nothing)
    }

    /// Takes the next rows of a segment of the journal.
    fn take_from_journal(&mut self, rows: Result<Option<Rows>>, ended: bool, number: u32) -> Result<Found> {
        match rows {
            Ok(Some(mut rows)) => {
                self.series.renumber(&mut rows);
                let found = self.selected(rows);
                // Within a journal, rows are read in the order of time.
                self.given = self.seen;
                return Ok(found);
            }
            Ok(None) if ended => self.finish(number),
            // The segment may have grown since the last read; its part has the rest too.
            Ok(None) if self.replaced(number)? => self.source = None,
            Ok(None) => return Ok(Found::NoneYet),
            Err(e) if e.is_damage() => {
                self.note(e);
                // While the run is alive, its part will contain what its journal has lost.
                if self.replaced(number)? {
                    self.source = None;
                } else if self.later_than(number)? {
                    self.finish(number);
                } else {
                    return Ok(Found::NoneYet);
                }
            }
            Err(e) => return Err(e),
        }
        Ok(Found::Nothing)
    }

    fn finish(&mut self, last: u32) {
        self.done = self.done.max(last);
        self.given = self.seen;
        self.source = None;
    }

    /// Returns the selected rows that are new.
    fn selected(&mut self, rows: Rows) -> Found {
        let given = self.given;
        self.seen = rows.time.iter().copied().fold(self.seen, i64::max);
        if let Some(filter) = &self.filter {
            let new = self.series.table.all().iter().skip(self.wanted.len());
            self.wanted.extend(new.map(|(key, _)| filter(key)));
        }
        let wanted = &self.wanted;
        let all = self.filter.is_none();
        let (first, last) = self.steps.unwrap_or((i64::MIN, i64::MAX));
        let new = |i: usize| {
            rows.time[i] > given
                && (all || wanted[rows.series[i] as usize])
                && (first..=last).contains(&rows.step[i])
        };
        match (0..rows.len()).filter(|i| new(*i)).count() {
            0 => Found::Nothing,
            count if count == rows.len() => Found::Rows(rows),
            _ => Found::Rows(rows.picked((0..rows.len()).filter(|i| new(*i)))),
        }
    }

    /// Records that a file is damaged.
    fn note(&mut self, damage: StoreError) {
        if !self.damage.iter().any(|d| d.to_string() == damage.to_string()) {
            self.damage.push(damage);
        }
    }

    /// Returns whether there are rows of a later segment.
    fn later_than(&self, number: u32) -> Result<bool> {
        let journals = list_segments(&self.run, &self.run.journal())?;
        let parts = list_parts(&self.run, &self.run.metrics())?;
        Ok(journals.iter().any(|(n, _)| *n > number) || parts.iter().any(|p| p.first > number))
    }

    /// Returns whether a segment is in a part now.
    fn replaced(&self, number: u32) -> Result<bool> {
        Ok(list_parts(&self.run, &self.run.metrics())?.iter().any(|p| p.first <= number && number <= p.last))
    }

    /// Opens the source of the oldest rows not yet returned.
    fn next_source(&mut self) -> Result<Option<Source>> {
        self.series.update(&self.run)?;
        if let Some(damage) = self.series.damage(&self.run).filter(|_| has_journal(&self.run)) {
            self.note(damage);
        }
        if !std::mem::replace(&mut self.counted, true)
            && let Some(missing) = missing_rows(&self.run)
        {
            self.note(missing);
        }
        for _ in 0..100 {
            match self.try_next_source() {
                // It was sealed or merged between listing and opening.
                Err(e) if e.is_gone() => {}
                r => return r,
            }
        }
        // The folder changes faster than it can be read; try again at the next poll.
        Ok(None)
    }

    fn try_next_source(&mut self) -> Result<Option<Source>> {
        // Journals first: one that is sealed before the parts are listed is then found as a part.
        let journals = or_none(list_segments(&self.run, &self.run.journal()), |e| self.note(e))?;
        let parts = or_none(list_parts(&self.run, &self.run.metrics()), |e| self.note(e))?;
        if list_pending(&self.run, &self.run.metrics()) {
            return Ok(None);
        }
        let part = parts.iter().find(|p| p.last > self.done);
        let journal = journals
            .iter()
            .find(|(n, _)| *n > self.done && !parts.iter().any(|p| p.first <= *n && *n <= p.last));
        match (part, journal) {
            (Some(part), journal) if journal.is_none_or(|(n, _)| part.first < *n) => {
                let reader = Sealed::open(&self.run, &part.path).and_then(|sealed| match &self.filter {
                    None => PartReader::new(&sealed).map(Some),
                    Some(filter) => PartReader::filtered(&sealed, filter, self.steps),
                });
                let reader = match reader {
                    Err(e) if e.is_damage() => {
                        self.note(e);
                        None
                    }
                    reader => reader?,
                };
                Ok(Some(Source::Part(reader, part.last)))
            }
            (_, Some((number, _))) => match JournalReader::open(&self.run, *number) {
                Err(e) if e.is_damage() => {
                    self.note(e);
                    Ok(Some(Source::Part(None, *number)))
                }
                reader => Ok(Some(Source::Journal(reader?, *number))),
            },
            _ => Ok(None),
        }
    }
}
