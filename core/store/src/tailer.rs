//! Following a run while it goes on.
//!
//! What has been read is one number: the time of the last row. Times grow from batch to batch and from segment to segment,
//! so the rows of any part that are later than it are exactly those not given yet, however it was sealed and merged since.

use std::collections::VecDeque;
use std::fs::File;
use std::time::{Duration, Instant};

use crate::error::{IoContext as _, Result, StoreError};
use crate::journal::JournalReader;
use crate::merge::list_pending;
use crate::metrics::PartReader;
use crate::part::{list_parts, list_segments, names};
use crate::rows::Rows;
use crate::run_dir::RunDir;
use crate::series::{SeriesFile, SeriesKey};

/// A point, as followed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Which series: an index into [`Tailer::series`].
    pub series: u32,
    /// The step.
    pub step: i64,
    /// The epoch; NaN if none was given.
    pub epoch: f64,
    /// When it was logged, microseconds since 1970, UTC.
    pub time_us: i64,
    /// The value.
    pub value: f64,
}

/// Follows a run's rows: first those there are, then each new one, once, across sealing and merging.
///
/// Rows of one series come in the order logged, except that those of one sealed part come by step.
#[derive(Debug)]
pub struct Tailer {
    run: RunDir,
    series: SeriesFile,
    /// All segments up to this one have been given.
    done: u32,
    /// Time of the last row given of what is done, and the last one seen at all.
    given: i64,
    seen: i64,
    source: Option<Source>,
    /// Rows read but not given yet.
    pending: VecDeque<Row>,
    at_end: bool,
    superseded: Option<usize>,
    restarts: u64,
}

#[derive(Debug)]
enum Source {
    /// A part, and the last segment it covers.
    Part(PartReader, u32),
    /// The journal of a segment.
    Journal(JournalReader, u32),
}

impl Tailer {
    /// A tailer that has read nothing yet.
    pub fn new(run: &RunDir) -> Self {
        Self {
            run: run.clone(),
            series: SeriesFile::default(),
            done: 0,
            given: i64::MIN,
            seen: i64::MIN,
            source: None,
            pending: VecDeque::new(),
            at_end: false,
            superseded: None,
            restarts: 0,
        }
    }

    /// The next rows, at most `max_rows`, giving up for now once `budget` is spent. Empty and [`Self::at_end`]: nothing new.
    pub fn poll(&mut self, max_rows: usize, budget: Duration) -> Result<Vec<Row>> {
        let deadline = Instant::now() + budget;
        self.notice_resume()?;
        let mut out = Vec::new();
        self.at_end = false;
        while out.len() < max_rows {
            if !self.pending.is_empty() {
                let n = self.pending.len().min(max_rows - out.len());
                out.extend(self.pending.drain(..n));
            } else if !self.read_more()? {
                self.at_end = true;
                break;
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        Ok(out)
    }

    /// The series seen so far with their units, by number.
    pub fn series(&self) -> &[(SeriesKey, Option<String>)] {
        self.series.table.all()
    }

    /// Whether the last poll came to the end of what is there.
    pub fn at_end(&self) -> bool {
        self.at_end
    }

    /// How often the run was set back by a resume since this tailer began. When it grows, rows given before may be
    /// superseded, and all rows are given anew: drop the old ones.
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// A resume sets rows aside: begin anew.
    fn notice_resume(&mut self) -> Result<()> {
        let count = names(&self.run.superseded())?.len();
        let before = self.superseded.replace(count);
        if before.is_some_and(|b| b != count) {
            self.restarts += 1;
            (self.done, self.given, self.seen) = (0, i64::MIN, i64::MIN);
            self.source = None;
            self.pending.clear();
        }
        Ok(())
    }

    /// Reads one batch. `false`: there is no more for now.
    fn read_more(&mut self) -> Result<bool> {
        loop {
            match &mut self.source {
                None => match self.next_source()? {
                    None => return Ok(false),
                    source => self.source = source,
                },
                Some(Source::Part(reader, last)) => {
                    let last = *last;
                    match reader.next(&mut self.series.table)? {
                        Some(rows) => {
                            if self.take(&rows) {
                                return Ok(true);
                            }
                        }
                        None => self.finish(last),
                    }
                }
                Some(Source::Journal(reader, number)) => {
                    let number = *number;
                    match reader.next()? {
                        Some(rows) => {
                            // A series' line is written before its first row.
                            self.series.update(&self.run.series())?;
                            if self.take(&rows) {
                                // In a journal, what has been read has been read in the order of time.
                                self.given = self.seen;
                                return Ok(true);
                            }
                        }
                        None if reader.ended() => self.finish(number),
                        None => {
                            if !self.replaced(number)? {
                                return Ok(false);
                            }
                            // It may have grown between the last read and now; then its part has the rest too.
                            self.source = None;
                        }
                    }
                }
            }
        }
    }

    fn finish(&mut self, last: u32) {
        self.done = self.done.max(last);
        self.given = self.seen;
        self.source = None;
    }

    /// Keeps the rows that have not been given. `false`: none.
    fn take(&mut self, rows: &Rows) -> bool {
        let given = self.given;
        for i in 0..rows.len() {
            let time_us = rows.time[i];
            if time_us > given {
                self.seen = self.seen.max(time_us);
                self.pending.push_back(Row {
                    series: rows.series[i],
                    step: rows.step[i],
                    epoch: rows.epoch[i],
                    time_us,
                    value: rows.value[i],
                });
            }
        }
        !self.pending.is_empty()
    }

    /// Whether a segment's rows are in a part now, or a later segment has begun without this one's end.
    fn replaced(&self, number: u32) -> Result<bool> {
        Ok(list_parts(&self.run.metrics())?.iter().any(|p| p.first <= number && number <= p.last))
    }

    /// Opens what holds the oldest rows not given yet.
    fn next_source(&mut self) -> Result<Option<Source>> {
        self.series.update(&self.run.series())?;
        for _ in 0..100 {
            match self.try_next_source() {
                // Sealed or merged between listing and opening.
                Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
                r => return r,
            }
        }
        // The folder is changing faster than it can be read; the next poll will do.
        Ok(None)
    }

    fn try_next_source(&self) -> Result<Option<Source>> {
        // Journals first: one that is sealed before the parts are listed is then found as a part.
        let journals = list_segments(&self.run.journal())?;
        let parts = list_parts(&self.run.metrics())?;
        if list_pending(&self.run.metrics()) {
            return Ok(None);
        }
        let part = parts.iter().find(|p| p.last > self.done);
        let journal = journals
            .iter()
            .find(|(n, _)| *n > self.done && !parts.iter().any(|p| p.first <= *n && *n <= p.last));
        match (part, journal) {
            (Some(part), journal) if journal.is_none_or(|(n, _)| part.first < *n) => {
                let file = File::open(&part.path).at("open", &part.path)?;
                Ok(Some(Source::Part(PartReader::new(&file, &part.path)?, part.last)))
            }
            (_, Some((number, path))) => Ok(Some(Source::Journal(JournalReader::open(path)?, *number))),
            _ => Ok(None),
        }
    }
}
