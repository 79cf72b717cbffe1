//! The sink that writes a run.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gradtop_store::{
    Event, ExperimentInfo, Goal, ImportInfo, Kind, Manifest, NewRun, ParamValue, Recorder, RecorderOptions,
    RunDir, RunLock, SCHEMA, SeriesKey, State, Status, StoreError, append_event,
};
use jiff::Timestamp;

use crate::error::{ImportError, Result, unless_full};
use crate::find::Source;
use crate::in_order::{InOrder, Timed, is_moved};
use crate::metric;
use crate::naming::name_series;
use crate::seen::{self, Seen};
use crate::series::{Compared, Series, headline};
use crate::sink::{At, End, MIN_US, Sink, Tag};
use crate::tables::{HISTOGRAMS, TEXT, TEXTS, Table};

/// How often the status is written while there is more to read.
const BUSY: Duration = Duration::from_millis(500);
/// Maximum number of warnings about one source.
const WARNINGS: usize = 100;

/// Where to write a run.
#[derive(Debug, Clone)]
pub struct Target {
    /// The folder of runs.
    pub runs: PathBuf,
    /// The experiment.
    pub experiment: String,
    /// The run's name, if it is fixed.
    pub name: Option<String>,
}

struct Open {
    lock: RunLock,
    recorder: Recorder,
}

/// A run as a [`Sink`]. It is created once there is something to write; if a run has read the source before, only new
/// rows are written.
pub(crate) struct Recording {
    target: Target,
    manifest: Manifest,
    /// Whether the manifest has changed since it was written.
    changed: bool,
    status: Status,
    dir: Option<RunDir>,
    open: Option<Open>,
    series: Vec<Series>,
    by_tag: HashMap<(String, Option<&'static str>), u32>,
    by_key: HashMap<SeriesKey, u32>,
    texts: Table,
    histograms: Table,
    rows: u64,
    /// Rows with times that are not recorded yet.
    pub(crate) waiting: InOrder,
    /// Time of the previous row, and the latest in the run, if the source has times.
    time_us: Option<i64>,
    furthest_us: Option<i64>,
    /// Later times are considered errors.
    latest_us: i64,
    end: Option<End>,
    written: Instant,
    scratch: Vec<(u32, f64)>,
    /// The warnings about the source that are not in the run's events yet.
    warnings: BTreeSet<String>,
    /// Whether the source is being compared with the run, so that nothing is written.
    compares: bool,
    /// Whether all rows of the run could be read.
    comparable: bool,
}

impl Recording {
    /// Creates the run for a source, or continues the one in the target that has read it before.
    ///
    /// # Errors
    /// That run is being written by another process or cannot be read.
    pub(crate) fn new(target: Target, source: &Source) -> Result<Self> {
        let mut new = Self::fresh(target, source);
        new.go_on_with_earlier()?;
        Ok(new)
    }

    /// Creates a new run for a source.
    pub(crate) fn fresh(target: Target, source: &Source) -> Self {
        let import = ImportInfo {
            source: source.path.to_string_lossy().into_owned(),
            format: source.format.name().to_owned(),
        };
        let experiment = ExperimentInfo {
            id: target.experiment.clone(),
            name: target.experiment.clone(),
            summary: format!("Imported from {}", source.format.name()),
            ..ExperimentInfo::default()
        };
        let manifest = Manifest {
            kind: Kind::Import,
            import: Some(import),
            ..Manifest::new(target.name.as_ref().unwrap_or(&source.name), experiment)
        };
        Self {
            target,
            latest_us: manifest.created.as_microsecond() + 86_400_000_000,
            manifest,
            changed: false,
            status: Status { schema: SCHEMA, state: State::Running, ..Status::default() },
            dir: None,
            open: None,
            series: Vec::new(),
            by_tag: HashMap::new(),
            by_key: HashMap::new(),
            texts: Table::default(),
            histograms: Table::default(),
            rows: 0,
            waiting: InOrder::default(),
            time_us: None,
            furthest_us: None,
            end: None,
            written: Instant::now(),
            scratch: Vec::new(),
            warnings: BTreeSet::new(),
            compares: false,
            comparable: true,
        }
    }

    /// Returns the newest run that has read this source.
    fn earlier(&self) -> Option<(RunDir, Manifest)> {
        let wanted = &self.target.experiment;
        // Older versions took names as they were.
        let is = |name: &str| name == wanted || gradtop_store::readable_name(name) == *wanted;
        let mine = |dir: &RunDir| !dir.is_queued() && is(&dir.experiment());
        let earlier =
            gradtop_store::list_runs(&self.target.runs).into_iter().filter(mine).filter_map(|dir| {
                let manifest = gradtop_store::read_manifest(&dir).ok()?;
                let named = self.target.name.as_ref().is_none_or(|name| *name == manifest.run);
                (named && manifest.import == self.manifest.import).then_some((dir, manifest))
            });
        earlier.max_by_key(|(_, manifest)| manifest.created)
    }

    /// Takes over the run that has read this source before, if there is one.
    fn go_on_with_earlier(&mut self) -> Result<()> {
        let Some((dir, manifest)) = self.earlier() else { return Ok(()) };
        let lock = lock(&dir)?;
        if gradtop_store::has_journal(&dir) {
            gradtop_store::recover(&dir, &lock)?;
        }
        let (series, _) = gradtop_store::summarize(&dir, |_| true, |_| Goal::None)?;
        let mut whole = seen::of_run(&dir)?;
        self.comparable = whole.is_some();
        self.compares = self.comparable && !series.is_empty();
        for summary in series {
            self.rows += summary.rows;
            let number = self.series.len() as u32;
            self.by_key.insert(summary.key.clone(), number);
            let seen = whole.as_mut().and_then(|whole| whole.remove(&summary.key));
            let seen = seen.unwrap_or(Seen::of(summary.rows));
            self.series.push(Series::new(summary.key, seen));
        }
        for (name, table) in [(TEXTS, &mut self.texts), (HISTOGRAMS, &mut self.histograms)] {
            if gradtop_store::table_names(&dir).iter().any(|n| n == name) {
                table.taken = gradtop_store::read_table_rows(&dir, name, 0, 0)?.1 as u64;
            }
        }
        self.status = gradtop_store::read_status(&dir).unwrap_or_default();
        self.manifest = manifest;
        if !self.status.state.is_final() {
            // It was interrupted, so end it properly.
            self.open_log(dir.clone(), lock)?;
        }
        self.dir = Some(dir);
        Ok(())
    }

    /// Returns the run, once there is one.
    pub(crate) fn dir(&self) -> Option<&RunDir> {
        self.dir.as_ref()
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns whether the run is open for writing.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Returns how the training ended according to the source.
    pub(crate) fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Creates or opens the run for writing.
    fn writer(&mut self) -> Result<&Recorder> {
        if self.open.is_none() {
            let (dir, lock) = match &self.dir {
                Some(dir) => (dir.clone(), lock(dir)?),
                None => self.be_born()?,
            };
            self.open_log(dir, lock)?;
        }
        match &self.open {
            Some(open) => Ok(&open.recorder),
            None => unreachable!("it was opened above"),
        }
    }

    /// Returns whether the source is being compared with the run.
    pub(crate) fn compares(&self) -> bool {
        self.compares
    }

    /// Returns the result of the comparison so far.
    pub(crate) fn compared(&self) -> Compared {
        if !self.series.iter().all(|s| s.seen.begins_with(&s.again)) {
            Compared::Other
        } else if self.series.iter().all(|s| s.again.rows >= s.seen.rows) {
            Compared::Same
        } else {
            Compared::SoFar
        }
    }

    /// Called when the source matches the run. It is read from its start again, and new rows are written.
    pub(crate) fn go_through(&mut self) {
        self.compares = false;
        for series in &mut self.series {
            (series.again, series.come, series.time_us) = (Seen::default(), 0, i64::MIN);
        }
        self.time_us = None;
        (self.texts.come, self.histograms.come) = (0, 0);
    }

    /// Opens an existing run that is not open for writing; returns whether it was one.
    pub(crate) fn go_on(&mut self) -> Result<bool> {
        let resting = self.dir.is_some() && self.open.is_none() && !self.compares;
        if resting {
            self.writer()?;
        }
        Ok(resting)
    }

    fn be_born(&mut self) -> Result<(RunDir, RunLock)> {
        for tried in 1.. {
            let mut manifest = self.manifest.clone();
            if tried > 1 {
                manifest.run = format!("{}-{tried}", self.manifest.run);
            }
            let status = self.running();
            let born = NewRun::begin(&self.target.runs, manifest.clone(), false).and_then(|new_run| {
                gradtop_store::write_status(new_run.run(), &status)?;
                new_run.finish()
            });
            match born {
                Err(e @ StoreError::RunExists { .. }) => {
                    // Another process may have begun it meanwhile.
                    if let Some((dir, _)) = self.earlier().filter(|_| tried == 1) {
                        lock(&dir)?;
                    }
                    if self.target.name.is_some() || tried == 1_000 {
                        return Err(e.into());
                    }
                }
                born => {
                    let (dir, lock) = born?;
                    (self.manifest, self.changed) = (manifest, false);
                    self.dir = Some(dir.clone());
                    return Ok((dir, lock));
                }
            }
        }
        unreachable!("the loop ends by returning")
    }

    fn open_log(&mut self, dir: RunDir, lock: RunLock) -> Result<()> {
        // Many rows arrive at once: short segments and a short queue limit memory.
        let options = RecorderOptions {
            seal_rows: 300_000,
            merge_rows: 600_000,
            max_behind: 300_000,
            ..RecorderOptions::default()
        };
        let recorder = Recorder::open(&dir, options)?;
        gradtop_store::clear_control(&dir)?;
        self.status = self.running();
        gradtop_store::write_status(&dir, &self.status)?;
        append_event(&dir, &Event::State { state: State::Running, cause: None })?;
        for series in &mut self.series {
            series.number = None;
        }
        self.dir = Some(dir);
        self.open = Some(Open { lock, recorder });
        Ok(())
    }

    /// Returns the status of a run written by this process.
    fn running(&self) -> Status {
        let pid = std::process::id();
        Status {
            schema: SCHEMA,
            state: State::Running,
            cause: None,
            updated: Timestamp::now(),
            ended: None,
            rows: Some(self.rows),
            trainer_pid: Some(pid),
            trainer_start: gradtop_store::process_start(pid),
            ..self.status.clone()
        }
    }

    /// Records the position of a row, and returns its time, or that of the row before, if known.
    fn place(&mut self, at: At) -> Option<i64> {
        let possible = at.time_us.filter(|time| (MIN_US..self.latest_us).contains(time));
        self.time_us = possible.or(self.time_us);
        self.time_us
    }

    /// Records that the run has something of this time.
    fn reach(&mut self, time: i64) {
        self.furthest_us = self.furthest_us.max(Some(time));
        if let Ok(time) = Timestamp::from_microsecond(time) {
            self.status.started = Some(self.status.started.map_or(time, |first| first.min(time)));
        }
    }

    /// Records the rows read so far, in the order of their times: all, or only the older ones.
    pub(crate) fn record(&mut self, all: bool) -> Result<()> {
        let rows = self.waiting.take(all);
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
        self.reach(first.time);
        self.reach(last.time);
        self.writer()?;
        let Some(Open { recorder, .. }) = &self.open else { unreachable!("it was opened above") };
        let mut points = Vec::new();
        for row in rows.chunk_by(|a, b| (a.time, a.step, a.epoch) == (b.time, b.step, b.epoch)) {
            let Timed { time, step, epoch, .. } = row[0];
            points.clear();
            for Timed { series, value, .. } in row {
                let series = &mut self.series[*series as usize];
                (series.step, series.epoch) = (Some(step), epoch);
                points.push((series.number(recorder)?, *value));
            }
            self.waiting.record(time, row.len());
            recorder.log_at(step, epoch, time, points.iter().copied());
        }
        self.rows += rows.len() as u64;
        Ok(())
    }

    /// Writes changes of manifest and status, at once when all was read; returns whether a stop was requested.
    pub(crate) fn beat(&mut self, up_to_date: bool) -> Result<bool> {
        let Some(dir) = self.dir.clone().filter(|_| self.is_open()) else { return Ok(false) };
        let due = match up_to_date {
            _ if Some(self.rows) > self.status.rows && (up_to_date || self.status.rows == Some(0)) => {
                Duration::ZERO
            }
            true => gradtop_store::HEARTBEAT,
            false => BUSY,
        };
        if self.written.elapsed() >= due {
            self.reached();
            self.status.updated = Timestamp::now();
            let written = self.write_manifest(&dir);
            unless_full(written.and_then(|()| Ok(gradtop_store::write_status(&dir, &self.status)?)))?;
            self.written = Instant::now();
        }
        Ok(gradtop_store::stop_request(&dir)?.is_some())
    }

    fn write_manifest(&mut self, dir: &RunDir) -> Result<()> {
        if self.changed {
            gradtop_store::replace_manifest(dir, &self.manifest)?;
            gradtop_store::write_params_table(dir, &self.manifest)?;
            self.changed = false;
        }
        Ok(())
    }

    /// Ends the run, perhaps temporarily. Later rows continue it.
    pub(crate) fn close(&mut self, state: State, cause: Option<String>) -> Result<()> {
        self.record(true)?;
        self.reached();
        let (Some(Open { lock, recorder }), Some(dir)) = (self.open.take(), self.dir.clone()) else {
            return Ok(());
        };
        recorder.finish()?;
        self.write_manifest(&dir)?;
        self.status = Status {
            state,
            cause: cause.clone(),
            // Unknown if the source has no times.
            ended: self.furthest_us.and_then(|time| Timestamp::from_microsecond(time).ok()),
            updated: Timestamp::now(),
            ..self.status.clone()
        };
        gradtop_store::settle(&dir, &mut self.status);
        gradtop_store::write_run_table(&dir, &self.manifest, &self.status)?;
        self.tell_warnings()?;
        append_event(&dir, &Event::State { state, cause })?;
        gradtop_store::write_status(&dir, &self.status)?;
        drop(lock);
        Ok(())
    }

    /// Writes the warnings so far to the run's events, each once.
    pub(crate) fn tell_warnings(&mut self) -> Result<()> {
        let Some(dir) = self.dir.as_ref().filter(|_| !self.warnings.is_empty()) else { return Ok(()) };
        let said = gradtop_store::read_events(dir)?;
        for message in &self.warnings {
            let event = Event::Warning { message: message.clone() };
            if said.iter().all(|line| line.event != event) {
                append_event(dir, &event)?;
            }
        }
        self.warnings.clear();
        Ok(())
    }

    /// Notes how far the run has come, with the step reached and its epoch. Values logged once or by another counter, such as a
    /// test result at step 0, are ignored.
    fn reached(&mut self) {
        let Some(Open { recorder, .. }) = &self.open else { return };
        self.status.headline = headline(&self.manifest, &self.series, recorder, &self.status.headline);
        self.status.step = self.series.iter().filter_map(|series| series.step).max().or(self.status.step);
        let there = self.series.iter().filter(|series| series.step == self.status.step);
        self.status.epoch = there.filter_map(|series| series.epoch).reduce(f64::max).or(self.status.epoch);
        (self.status.rows, self.status.elapsed_s) = (Some(self.rows), self.elapsed_s());
    }

    /// Returns the time from the first row to the last, as far as the source tells times.
    fn elapsed_s(&self) -> Option<f64> {
        let own = self.status.started.zip(self.furthest_us);
        own.map(|(from, to)| (to - from.as_microsecond()) as f64 / 1e6).or(self.status.elapsed_s)
    }

    fn log_table(&mut self, name: &str, at: At, columns: Vec<gradtop_store::TableColumn>) -> Result<()> {
        if let Some(time) = self.place(at) {
            self.reach(time);
        }
        Ok(self.writer()?.log_table(name, at.step, columns)?)
    }
}

impl Sink for Recording {
    fn params(&mut self, params: Vec<(String, ParamValue)>) -> Result<()> {
        if !self.compares && self.manifest.params != params {
            self.manifest.params = params;
            self.changed = true;
        }
        Ok(())
    }

    fn total(&mut self, steps: u64) -> Result<()> {
        if !self.compares {
            (self.status.total, self.status.by_steps) = (Some(steps), Some(true));
        }
        Ok(())
    }

    fn series(&mut self, tag: Tag<'_>) -> Result<u32> {
        let known = (tag.name.to_owned(), tag.split);
        if let Some(number) = self.by_tag.get(&known) {
            return Ok(*number);
        }
        let mut key = name_series(tag);
        // If two names of a source map to the same series, the second keeps its own name.
        let named = |n: &u32| self.by_tag.values().any(|other| other == n);
        if self.by_key.get(&key).is_some_and(named) {
            key = SeriesKey::metric(tag.name);
        }
        let number = if let Some(number) = self.by_key.get(&key) {
            *number
        } else {
            let number = self.series.len() as u32;
            if self.series.len() >= gradtop_store::MAX_SERIES {
                return Err(StoreError::TooManySeries.into());
            }
            self.by_key.insert(key.clone(), number);
            self.series.push(Series::new(key.clone(), Seen::default()));
            number
        };
        self.changed |= !self.compares & metric::declare(&mut self.manifest.metrics, &key.metric);
        self.by_tag.insert(known, number);
        Ok(number)
    }

    fn row(&mut self, at: At, values: &[(u32, f64)]) -> Result<()> {
        if self.compares {
            for (number, value) in values {
                if let Some(series) = self.series.get_mut(*number as usize)
                    && series.again.rows < series.seen.rows
                {
                    series.again.add(at.step, *value);
                }
            }
            return Ok(());
        }
        let time = self.place(at);
        let mut new = std::mem::take(&mut self.scratch);
        new.clear();
        for (number, value) in values {
            let Some(series) = self.series.get_mut(*number as usize) else { continue };
            series.come += 1;
            // Rows of a series stay in the order of the file.
            series.time_us = series.time_us.max(time.unwrap_or(i64::MIN));
            let is_known = series.come <= series.seen.rows;
            if is_known || time.is_none() {
                (series.step, series.epoch) = (Some(at.step), at.epoch);
            }
            if is_known {
                let time = series.time_us;
                self.waiting.recorded_us = self.waiting.recorded_us.max(time);
                if time > i64::MIN {
                    self.reach(time);
                }
                continue;
            }
            series.seen.add(at.step, *value);
            let Some(time) = time else {
                new.push((*number, *value));
                continue;
            };
            let own = at.time_us.is_none_or(|own| own == time && !is_moved(own, series.time_us));
            self.waiting.moved += u64::from(!own);
            let (step, epoch, time) = (at.step, at.epoch, series.time_us);
            self.waiting.push(Timed { time, step, epoch, series: *number, value: *value });
        }
        if !new.is_empty() {
            // Times of later rows would not be consistent with this one.
            self.latest_us = MIN_US;
            self.writer()?;
            self.rows += new.len() as u64;
            let Some(Open { recorder, .. }) = &self.open else { unreachable!("it was opened above") };
            for (number, _) in &mut new {
                *number = self.series[*number as usize].number(recorder)?;
            }
            recorder.log(at.step, at.epoch, new.iter().copied());
        }
        self.scratch = new;
        if self.waiting.is_full() { self.record(false) } else { Ok(()) }
    }

    fn text(&mut self, at: At, tag: &str, text: &str) -> Result<()> {
        if self.compares || !self.texts.is_new(1) {
            return Ok(());
        }
        let text = &text[..text.floor_char_boundary(TEXT)];
        self.log_table(TEXTS, at, crate::tables::text(tag, text))
    }

    fn histogram(&mut self, at: At, tag: &str, bins: &[[f64; 3]]) -> Result<()> {
        if self.compares || !self.histograms.is_new(bins.len() as u64) {
            return Ok(());
        }
        self.log_table(HISTOGRAMS, at, crate::tables::histogram(tag, bins))
    }

    fn ended(&mut self, end: End) -> Result<()> {
        self.end = Some(end).filter(|_| !self.compares);
        Ok(())
    }

    fn warning(&mut self, message: String) -> Result<()> {
        if self.warnings.len() < WARNINGS {
            self.warnings.insert(message);
        }
        Ok(())
    }

    fn again(&mut self) -> Result<()> {
        self.record(true)?;
        self.go_through();
        self.compares = self.comparable && self.rows > 0;
        Ok(())
    }
}

fn lock(dir: &RunDir) -> Result<RunLock> {
    match RunLock::acquire_now(dir) {
        Err(StoreError::Locked { .. }) => Err(ImportError::Followed(dir.name())),
        lock => Ok(lock?),
    }
}
