//! What is known of a run apart from its rows: manifest, figures, events and tables, read again when their files change.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use gradtop_store::figures::{self, Figure, Steps};
use gradtop_store::{
    Event, Kind, MetricInfo, RunDir, SeriesKey, State, StoreError, Table, inside, read_events, read_manifest,
    read_status, read_table, read_table_last, table_names,
};

use super::WatchRequest;
use super::pyramid::Rests;

/// How often files of a live run are checked.
const CHECK_EVERY: Duration = Duration::from_millis(400);

/// Identifies a version of a file or folder.
type FileVersion = Option<(u64, SystemTime)>;

/// Versions of what may grow after a run's end: rows, tables, console and events.
pub(super) type FileVersions = [FileVersion; 4];

/// Returns the current versions.
pub(super) fn file_versions(run: &RunDir) -> FileVersions {
    [run.metrics(), run.tables(), run.console(), run.events()].map(|path| version(run, &path))
}

fn version(run: &RunDir, path: &Path) -> FileVersion {
    let entry = inside::entry(run, path).ok()?;
    Some((entry.len, entry.modified))
}

/// A table with its version and which steps were read.
type CachedTable = (Option<((u64, SystemTime), Steps)>, Arc<Result<Table, String>>);

#[derive(Default)]
pub(super) struct RunInfo {
    pub(super) keys: Arc<Vec<(SeriesKey, Option<String>)>>,
    pub(super) names: Arc<BTreeSet<String>>,
    pub(super) figures: Arc<Vec<Figure>>,
    pub(super) metrics: Arc<Vec<MetricInfo>>,
    pub(super) started_us: Option<i64>,
    pub(super) pauses: Rests,
    pub(super) resumes: Arc<Vec<(i64, i64)>>,
    pub(super) last_step: Option<i64>,
    /// How it ended, if it has.
    pub(super) ended: Option<State>,
    tables: BTreeMap<String, CachedTable>,
    pub(super) table_names: Arc<Vec<String>>,
    /// The kind of run, once its manifest was read.
    kind: Option<Kind>,
    series: FileVersion,
    events: FileVersion,
    figure_file: FileVersion,
    /// What is wrong with the declared figures.
    pub(super) figures_error: Option<StoreError>,
    looked: Option<Instant>,
}

impl RunInfo {
    /// Checks the files if it is time to, or `now_or_never`. Returns whether anything changed.
    pub(super) fn look(
        &mut self,
        run: &RunDir,
        request: &WatchRequest,
        fresh: bool,
        now: Instant,
    ) -> Result<bool, StoreError> {
        if !fresh && self.looked.is_some_and(|l| now.saturating_duration_since(l) < CHECK_EVERY) {
            return Ok(false);
        }
        self.looked = Some(now);
        let mut changed = false;
        let first = self.kind.is_none();
        if first {
            let manifest = read_manifest(run)?;
            self.started_us = (manifest.kind != Kind::Import).then(|| manifest.created.as_microsecond());
            self.metrics = Arc::new(manifest.metrics);
            self.kind = Some(manifest.kind);
            changed = true;
        }
        // Series are listed even if nobody reads them, so that they can be requested; without a file of them, by the rows.
        let series = version(run, &run.series());
        if first || series != self.series {
            self.series = series;
            changed |= self.set_keys(&gradtop_store::series_keys(run)?);
        }
        let figure_file = version(run, &run.figures());
        if first || figure_file != self.figure_file {
            self.figure_file = figure_file;
            // Metrics are drawn even if figures are invalid.
            let (figures, wrong) = match figures::read(run) {
                Ok(figures) => (figures, None),
                Err(e) => (Vec::new(), Some(e)),
            };
            (self.figures, self.figures_error) = (Arc::new(figures), wrong);
            changed = true;
        }
        let events = version(run, &run.events());
        if (events != self.events || request.alive)
            && let Ok(status) = read_status(run)
        {
            // A run that has not finished is not all of itself.
            let all = status.total.filter(|_| status.state != State::Finished && status.works_by_steps());
            self.last_step = status.step.max(all.and_then(|total| i64::try_from(total).ok()));
            // As in the commands, time starts when training began.
            if let Some(started) = status.started.map(jiff::Timestamp::as_microsecond) {
                changed |= self.started_us != Some(started);
                self.started_us = Some(started);
            }
        }
        if events != self.events {
            self.events = events;
            self.read_events(run)?;
            changed = true;
        }
        Ok(self.read_tables(run, request) || changed)
    }

    /// Updates the list of series.
    pub(super) fn set_keys(&mut self, keys: &[(SeriesKey, Option<String>)]) -> bool {
        if keys.len() == self.keys.len() {
            return false;
        }
        self.keys = Arc::new(keys.to_vec());
        self.names = Arc::new(super::names(keys.iter().map(|(k, _)| k.clone())));
        true
    }

    fn read_events(&mut self, run: &RunDir) -> Result<(), StoreError> {
        let mut pauses: Vec<(i64, i64)> = Vec::new();
        let mut resumes = Vec::new();
        for line in read_events(run)? {
            let at = line.time.as_microsecond();
            if let Event::State { state, .. } = line.event {
                self.ended = Some(state).filter(|state| state.is_final());
            }
            let rests = match line.event {
                Event::Paused => true,
                // The end of an import says nothing about the training.
                Event::State { state, .. } if state.is_final() => self.kind != Some(Kind::Import),
                Event::Unpaused | Event::State { state: State::Running, .. } => false,
                Event::Resumed { step, .. } => {
                    resumes.push((step, at));
                    continue;
                }
                _ => continue,
            };
            if let Some(open) = pauses.last_mut().filter(|p| p.1 == i64::MAX) {
                open.1 = at;
            }
            if rests {
                pauses.push((at, i64::MAX));
            }
        }
        self.pauses = Arc::new(pauses);
        self.resumes = Arc::new(resumes);
        Ok(())
    }

    fn read_tables(&mut self, run: &RunDir, request: &WatchRequest) -> bool {
        let shown = self.figures.iter().filter(|f| request.figures.contains(&f.id));
        // Usually only the last step of a table is drawn, so only that is read.
        let mut wanted: BTreeMap<String, Steps> = BTreeMap::new();
        for mark in shown.flat_map(|f| &f.panels).flat_map(|p| &p.marks) {
            if let Some(table) = &mark.table {
                let steps = wanted.entry(table.clone()).or_insert(mark.steps);
                if mark.steps == Steps::All {
                    *steps = Steps::All;
                }
            }
        }
        wanted.extend(request.tables.iter().map(|t| (t.clone(), Steps::All)));
        let mut changed = false;
        self.tables.retain(|name, _| wanted.contains_key(name));
        let mut missing = false;
        for (name, steps) in wanted {
            let now = version(run, &run.tables().join(&name)).map(|v| (v, steps));
            if now.is_none() || self.tables.get(&name).is_some_and(|(held, _)| *held == now) {
                missing |= now.is_none();
                continue;
            }
            let read = if steps == Steps::All { read_table } else { read_table_last };
            let table = match read(run, &name) {
                Err(StoreError::NoSuchTable { .. }) => {
                    missing = true;
                    continue;
                }
                r => r.map_err(|e| e.to_string()),
            };
            self.tables.insert(name, (now, Arc::new(table)));
            changed = true;
        }
        let names = if missing { table_names(run) } else { Vec::new() };
        if names != *self.table_names {
            self.table_names = Arc::new(names);
            changed = true;
        }
        changed
    }

    /// Returns the tables that have been read.
    pub(super) fn tables(&self) -> BTreeMap<String, Arc<Result<Table, String>>> {
        self.tables.iter().map(|(name, (_, table))| (name.clone(), Arc::clone(table))).collect()
    }
}
