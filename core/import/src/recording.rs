//! The sink that writes a run.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gradtop_store::{
    Event, ExperimentInfo, Goal, HeadlineValue, ImportInfo, Kind, Manifest, NewRun, ParamValue, Recorder,
    RecorderOptions, RunDir, RunLock, SCHEMA, SeriesKey, State, Status, StoreError, append_event,
};
use jiff::Timestamp;

use crate::error::{ImportError, Result};
use crate::find::Source;
use crate::metric;
use crate::naming::name_series;
use crate::seen::{self, Seen};
use crate::sink::{At, End, Sink, Tag};

/// How often the status is written while rows arrive, and while none do.
const BUSY: Duration = Duration::from_millis(500);
/// Maximum length of a stored text in bytes.
pub(crate) const TEXT: usize = 64 << 10;
/// Maximum number of warnings about one source.
const WARNINGS: usize = 100;
/// Names of the tables for texts and histograms.
pub(crate) const TEXTS: &str = "texts";
pub(crate) const HISTOGRAMS: &str = "histograms";

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

struct Series {
    key: SeriesKey,
    /// Its number in the recorder, if that is open.
    number: Option<u32>,
    /// Its rows in the run.
    seen: Seen,
    /// Number of its rows read since the source was opened.
    come: u64,
    /// The step of its last row.
    step: Option<i64>,
    /// Its rows read while the source is compared with the run.
    again: Seen,
}

impl Series {
    fn new(key: SeriesKey, seen: Seen) -> Self {
        Self { key, number: None, seen, come: 0, step: None, again: Seen::default() }
    }
}

/// The result of comparing a source with an existing run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compared {
    /// The rows read so far match the run.
    SoFar,
    /// All rows of the run were repeated.
    Same,
    /// The source contains other rows.
    Other,
}

/// A table with counts of its rows, like [`Series`].
#[derive(Default)]
struct Table {
    taken: u64,
    come: u64,
}

/// The open resources for writing.
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
    /// Number of rows in the run.
    rows: u64,
    /// Time of the previous row, if the source has times.
    time_us: Option<i64>,
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
            time_us: None,
            end: None,
            written: Instant::now(),
            scratch: Vec::new(),
            warnings: BTreeSet::new(),
            compares: false,
            comparable: true,
        }
    }

    /// Takes over the run that has read this source before, if there is one.
    fn go_on_with_earlier(&mut self) -> Result<()> {
        let experiment = format!("exp={}", self.target.experiment);
        let mine =
            |dir: &RunDir| dir.path().parent().and_then(|p| p.file_name()).is_some_and(|n| *n == *experiment);
        let earlier =
            gradtop_store::list_runs(&self.target.runs).into_iter().filter(mine).filter_map(|dir| {
                let manifest = gradtop_store::read_manifest(&dir).ok()?;
                let named = self.target.name.as_ref().is_none_or(|name| *name == manifest.run);
                (named && manifest.import == self.manifest.import).then_some((dir, manifest))
            });
        let newest = earlier.max_by_key(|(_, manifest)| manifest.created);
        let Some((dir, manifest)) = newest else { return Ok(()) };
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
            (series.again, series.come) = (Seen::default(), 0);
        }
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
                Err(StoreError::RunExists { .. }) if self.target.name.is_none() && tried < 1_000 => {}
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
            rows: self.rows,
            trainer_pid: Some(pid),
            trainer_start: gradtop_store::process_start(pid),
            ..self.status.clone()
        }
    }

    /// Records the position of a row, and returns its time if known.
    fn place(&mut self, at: At) -> Option<i64> {
        let sane = at.time_us.filter(|time| (MIN_US..self.latest_us).contains(time));
        let time = sane.max(self.time_us);
        if let Some(time) = time {
            self.time_us = Some(time);
            if self.status.started.is_none() {
                self.status.started = Timestamp::from_microsecond(time).ok();
            }
        }
        time
    }

    /// Writes changes of manifest and status, at most every [`BUSY`]; returns whether a stop was requested.
    pub(crate) fn beat(&mut self, idle: bool) -> Result<bool> {
        let Some(dir) = self.dir.clone().filter(|_| self.is_open()) else { return Ok(false) };
        let due = if idle { gradtop_store::HEARTBEAT } else { BUSY };
        if self.written.elapsed() >= due {
            self.write_manifest(&dir)?;
            self.status.headline = self.headline();
            self.status.step = self.step();
            self.status.elapsed_s = self.elapsed_s();
            (self.status.rows, self.status.updated) = (self.rows, Timestamp::now());
            gradtop_store::write_status(&dir, &self.status)?;
            self.written = Instant::now();
        }
        Ok(gradtop_store::stop_request(&dir)?.is_some())
    }

    fn write_manifest(&mut self, dir: &RunDir) -> Result<()> {
        if std::mem::take(&mut self.changed) {
            gradtop_store::replace_manifest(dir, &self.manifest)?;
            gradtop_store::write_params_table(dir, &self.manifest)?;
        }
        Ok(())
    }

    /// Ends the run, perhaps temporarily. Later rows continue it.
    pub(crate) fn close(&mut self, state: State, cause: Option<String>) -> Result<()> {
        let (Some(Open { lock, recorder }), Some(dir)) = (self.open.take(), self.dir.clone()) else {
            return Ok(());
        };
        self.status.headline = headline(&self.manifest, &self.series, &recorder);
        self.status.step = self.step();
        self.status.elapsed_s = self.elapsed_s();
        recorder.finish()?;
        self.write_manifest(&dir)?;
        self.status = Status {
            state,
            cause: cause.clone(),
            // Unknown if the source has no times.
            ended: self.time_us.and_then(|time| Timestamp::from_microsecond(time).ok()),
            updated: Timestamp::now(),
            rows: self.rows,
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
        for message in std::mem::take(&mut self.warnings) {
            let event = Event::Warning { message };
            if said.iter().all(|line| line.event != event) {
                append_event(dir, &event)?;
            }
        }
        Ok(())
    }

    fn headline(&self) -> Vec<HeadlineValue> {
        self.open
            .as_ref()
            .map(|open| headline(&self.manifest, &self.series, &open.recorder))
            .unwrap_or_default()
    }

    /// Returns the step reached. Values logged once or by another counter, such as a test result at step 0, are ignored.
    fn step(&self) -> Option<i64> {
        self.series.iter().filter_map(|series| series.step).max()
    }

    /// Returns the time from the first row to the last, as far as the source tells times.
    fn elapsed_s(&self) -> Option<f64> {
        let own = self.status.started.zip(self.time_us);
        own.map(|(from, to)| (to - from.as_microsecond()) as f64 / 1e6).or(self.status.elapsed_s)
    }

    /// Counts a row of a table; returns whether it is new.
    fn is_new(table: &mut Table, rows: u64) -> bool {
        table.come += rows;
        let new = table.come > table.taken;
        table.taken = table.taken.max(table.come);
        new
    }

    fn log_table(&mut self, name: &str, at: At, columns: Vec<gradtop_store::TableColumn>) -> Result<()> {
        self.place(at);
        Ok(self.writer()?.log_table(name, at.step, columns)?)
    }
}

/// The year 1990: earlier times cannot belong to a training.
const MIN_US: i64 = 631_152_000_000_000;

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
            (self.status.total, self.status.by_steps) = (steps, Some(true));
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
        let mut new = std::mem::take(&mut self.scratch);
        new.clear();
        for (number, value) in values {
            let Some(series) = self.series.get_mut(*number as usize) else { continue };
            series.come += 1;
            series.step = Some(at.step);
            if series.come > series.seen.rows {
                series.seen.add(at.step, *value);
                new.push((*number, *value));
            }
        }
        let time = self.place(at);
        self.status.epoch = at.epoch.or(self.status.epoch);
        if !new.is_empty() {
            self.rows += new.len() as u64;
            if time.is_none() {
                // Times of later rows would not be consistent with this one.
                self.latest_us = MIN_US;
            }
            self.writer()?;
            let Some(Open { recorder, .. }) = &self.open else { unreachable!("it was opened above") };
            for (number, _) in &mut new {
                let series = &mut self.series[*number as usize];
                *number = match series.number {
                    Some(number) => number,
                    None => *series.number.insert(recorder.series(&series.key, None)?),
                };
            }
            match time {
                Some(time) => recorder.log_at(at.step, at.epoch, time, new.iter().copied()),
                None => recorder.log(at.step, at.epoch, new.iter().copied()),
            }
        }
        self.scratch = new;
        Ok(())
    }

    fn text(&mut self, at: At, tag: &str, text: &str) -> Result<()> {
        if self.compares || !Self::is_new(&mut self.texts, 1) {
            return Ok(());
        }
        let text = &text[..text.floor_char_boundary(TEXT)];
        self.log_table(TEXTS, at, crate::tables::text(tag, text))
    }

    fn histogram(&mut self, at: At, tag: &str, bins: &[[f64; 3]]) -> Result<()> {
        if self.compares || !Self::is_new(&mut self.histograms, bins.len() as u64) {
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
        self.go_through();
        self.compares = self.comparable && self.rows > 0;
        Ok(())
    }
}

/// Returns the last values of the headline metrics.
fn headline(manifest: &Manifest, series: &[Series], recorder: &Recorder) -> Vec<HeadlineValue> {
    let shown = |key: &SeriesKey| manifest.metrics.iter().any(|m| m.headline && m.name == key.metric);
    let value = |s: &Series| {
        let (_, value) = recorder.latest(s.number?)?;
        Some(HeadlineValue { key: s.key.clone(), value })
    };
    series.iter().filter(|s| shown(&s.key)).filter_map(value).collect()
}

fn lock(dir: &RunDir) -> Result<RunLock> {
    match RunLock::acquire_now(dir) {
        Err(StoreError::Locked { .. }) => Err(ImportError::Followed(dir.name())),
        lock => Ok(lock?),
    }
}
