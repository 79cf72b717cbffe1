//! Reads one run incrementally: in passes over its rows, each for some of its series, that continue while the run grows.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gradtop_store::{RunDir, SeriesKey, StoreError, Tailer, outline};

use super::live_series::LiveSeries;
use super::run_info::{self, FileVersions, RunInfo};
use super::{Progress, RunData, SeriesFilter, SeriesSnapshot, WatchRequest, Window, smooth};
use crate::natural;

/// How long series that are no longer watched are kept.
const GRACE: Duration = Duration::from_secs(5);
/// How often an ended run is checked, because others may still write to it.
pub(super) const POLL_ENDED: Duration = Duration::from_secs(1);
/// With fewer rows the run is read directly; with more, its outline is shown first.
const OUTLINE_ROWS: u64 = 150_000;
/// A window with this many buckets is considered detailed enough.
const ENOUGH_BUCKETS: usize = 2_000;

/// What a pass does with the rows.
#[derive(Clone, Debug, PartialEq)]
enum Task {
    /// Everything, from the first row on.
    Rows,
    /// Only recomputes smoothing.
    Smooth,
    /// Reads details of a zoomed window.
    Zoom(Window),
}

/// A pass over the rows of some metrics.
struct Pass {
    id: u64,
    task: Task,
    tailer: Tailer,
    metrics: BTreeSet<String>,
    /// For each series of the tailer, its index in the feed.
    slots: Vec<Option<usize>>,
    restarts: u64,
    /// Whether it has reached the end once.
    complete: bool,
}

/// Reads one run.
pub(super) struct Feed {
    dir: RunDir,
    request: WatchRequest,
    info: RunInfo,
    passes: Vec<Pass>,
    next_pass: u64,
    series: Vec<LiveSeries>,
    slots: HashMap<SeriesKey, usize>,
    /// Metrics being read, and since when nobody watches them.
    held: BTreeMap<String, Option<Instant>>,
    cap: usize,
    rows: u64,
    error: Option<String>,
    generation: u64,
    changed: bool,
    /// Whether the request changed or the run ended, so that everything must be checked again.
    fresh: bool,
    /// The files of an ended run when they were last checked.
    written: Option<(Instant, FileVersions)>,
    published: Arc<RunData>,
}

impl Feed {
    /// Creates a feed that has read nothing.
    pub(super) fn new(request: WatchRequest, cap: usize) -> Self {
        Self {
            dir: request.run.dir(),
            request,
            info: RunInfo::default(),
            passes: Vec::new(),
            next_pass: 0,
            series: Vec::new(),
            slots: HashMap::new(),
            held: BTreeMap::new(),
            cap,
            rows: 0,
            error: None,
            generation: 0,
            changed: true,
            fresh: true,
            written: None,
            published: Arc::default(),
        }
    }

    /// Returns the number of stored series.
    pub(super) fn series_count(&self) -> usize {
        self.series.len()
    }

    /// Returns whether the run may still write.
    pub(super) fn alive(&self) -> bool {
        self.request.alive
    }

    /// Replaces the request.
    pub(super) fn set_request(&mut self, request: WatchRequest) {
        if request != self.request {
            self.request = request;
            self.fresh = true;
            // Whether it is alive is part of the data.
            self.changed = true;
            self.error = None;
        }
    }

    /// Sets the number of buckets per series.
    pub(super) fn set_cap(&mut self, cap: usize) {
        if cap < self.cap {
            self.series.iter_mut().for_each(|s| s.set_cap(cap));
        }
        self.cap = cap;
    }

    /// Reads until there is nothing new or the deadline is reached. Returns whether there is more to read.
    pub(super) fn work(&mut self, now: Instant, deadline: Instant) -> bool {
        if self.error.is_some() && !self.fresh && !self.request.alive {
            return false;
        }
        match self.read_on(now, deadline) {
            Ok(more) => {
                self.changed |= self.error.take().is_some();
                more
            }
            Err(e) => {
                let text = Some(e.to_string());
                self.changed |= self.error != text;
                self.error = text;
                self.fresh = false;
                false
            }
        }
    }

    /// Like [`Self::work`], but returns errors.
    pub(super) fn read_on(&mut self, now: Instant, deadline: Instant) -> Result<bool, StoreError> {
        let idle = !self.fresh && !self.request.alive && self.passes.iter().all(|p| p.complete);
        if idle && !self.needs_smoothing() && !self.was_written_to(now) {
            return Ok(false);
        }
        self.changed |= self.info.look(&self.dir, &self.request, self.fresh, now)?;
        self.fresh = false;
        self.series.iter_mut().for_each(|s| s.set_rests(&self.info.pauses));
        let shown_first = self.plan(now)?;
        if shown_first {
            // The outline is shown before the rows are read.
            return Ok(true);
        }
        let more = self.read(deadline)?;
        if !more && self.plan_zooms() {
            return Ok(true);
        }
        Ok(more)
    }

    /// Returns whether an ended run was written to since the last check.
    fn was_written_to(&mut self, now: Instant) -> bool {
        if self.written.as_ref().is_some_and(|(then, _)| now.saturating_duration_since(*then) < POLL_ENDED) {
            return false;
        }
        let new = run_info::file_versions(&self.dir);
        let before = self.written.replace((now, new));
        let grown = before.is_some_and(|(_, before)| before != new);
        self.fresh |= grown;
        self.changed |= grown;
        grown
    }

    /// Returns the requested metrics, with `All` expanded to names.
    fn wanted(&self) -> BTreeSet<String> {
        let shown = self.info.figures.iter().filter(|f| self.request.figures.contains(&f.id));
        let of_figures =
            shown.flat_map(|f| &f.panels).flat_map(|p| &p.marks).filter_map(|m| m.metric.clone());
        let mut wanted: BTreeSet<String> = of_figures.collect();
        match &self.request.series {
            SeriesFilter::None => {}
            SeriesFilter::All => wanted.extend(self.info.keys.iter().map(|(k, _)| k.metric.clone())),
            SeriesFilter::Metrics(names) => wanted.extend(names.iter().cloned()),
        }
        wanted
    }

    /// Starts and ends passes so that what is requested is read. Returns whether an outline is ready.
    fn plan(&mut self, now: Instant) -> Result<bool, StoreError> {
        let wanted = self.wanted();
        self.forget_unwatched(&wanted, now);
        let new: BTreeSet<String> = wanted.into_iter().filter(|m| !self.held.contains_key(m)).collect();
        let mut outlined = false;
        if !new.is_empty() {
            outlined = self.outline(&new)?;
            self.begin(Task::Rows, new.clone(), None);
            self.held.extend(new.into_iter().map(|m| (m, None)));
        }
        self.plan_smoothing();
        Ok(outlined)
    }

    /// Forgets metrics that have not been requested for a while.
    fn forget_unwatched(&mut self, wanted: &BTreeSet<String>, now: Instant) {
        for (metric, since) in &mut self.held {
            *since = if wanted.contains(metric) { None } else { Some(since.unwrap_or(now)) };
        }
        let over = |since: &Option<Instant>| since.is_some_and(|s| now.saturating_duration_since(s) > GRACE);
        if !self.held.values().any(over) {
            return;
        }
        self.held.retain(|_, since| !over(since));
        let held = &self.held;
        for pass in &mut self.passes {
            pass.metrics.retain(|m| held.contains_key(m));
            pass.slots.clear();
        }
        self.passes.retain(|p| !p.metrics.is_empty());
        self.series.retain(|s| held.contains_key(&s.key.metric));
        self.slots = self.series.iter().enumerate().map(|(i, s)| ((*s.key).clone(), i)).collect();
        self.changed = true;
    }

    /// Reads the page statistics of metrics with many rows.
    fn outline(&mut self, metrics: &BTreeSet<String>) -> Result<bool, StoreError> {
        let outlines = outline(&self.dir, |k| metrics.contains(&k.metric))?;
        if outlines.iter().map(|o| o.rows).sum::<u64>() < OUTLINE_ROWS {
            return Ok(false);
        }
        for o in outlines {
            let slot = self.slot(&o.key, None);
            self.series[slot].set_outline(&o.pages);
        }
        self.changed = true;
        Ok(true)
    }

    fn begin(&mut self, task: Task, metrics: BTreeSet<String>, steps: Option<(i64, i64)>) -> u64 {
        let id = self.next_pass;
        self.next_pass += 1;
        let names = metrics.clone();
        let filter = move |k: &SeriesKey| names.contains(&k.metric);
        let tailer = match steps {
            Some(steps) => Tailer::within(&self.dir, filter, steps),
            None => Tailer::filtered(&self.dir, filter),
        };
        self.passes.push(Pass { id, task, tailer, metrics, slots: Vec::new(), restarts: 0, complete: false });
        id
    }

    fn slot(&mut self, key: &SeriesKey, unit: Option<&str>) -> usize {
        if let Some(slot) = self.slots.get(key) {
            return *slot;
        }
        let weight = smooth::clamp(self.request.smoothing);
        let mut series = LiveSeries::new(key.clone(), unit, self.cap, weight);
        series.set_rests(&self.info.pauses);
        self.series.push(series);
        self.slots.insert(key.clone(), self.series.len() - 1);
        self.series.len() - 1
    }

    fn needs_smoothing(&self) -> bool {
        let weight = smooth::clamp(self.request.smoothing);
        self.series.iter().any(|s| s.weight() != weight)
    }

    /// Applies another smoothing weight: immediately where all samples are in memory, else by reading again.
    fn plan_smoothing(&mut self) {
        if !self.needs_smoothing() {
            return;
        }
        let weight = smooth::clamp(self.request.smoothing);
        self.passes.retain(|p| p.task != Task::Smooth && !matches!(p.task, Task::Zoom(_)));
        let mut again = BTreeSet::new();
        for s in &mut self.series {
            s.keep_zooms(&|_| false);
            if s.set_weight(weight) {
                again.insert(s.key.metric.clone());
            }
        }
        self.changed = true;
        if !again.is_empty() {
            self.begin(Task::Smooth, again, None);
        }
    }

    /// Starts passes for windows in which the pyramid is too coarse. Returns whether there is something to read.
    fn plan_zooms(&mut self) -> bool {
        let asked = &self.request.windows;
        let before = self.passes.len();
        self.passes.retain(|p| match &p.task {
            Task::Zoom(w) => asked.contains(w),
            _ => true,
        });
        if before != self.passes.len() {
            let ids: BTreeSet<u64> = self.passes.iter().map(|p| p.id).collect();
            self.series.iter_mut().for_each(|s| s.keep_zooms(&|id| ids.contains(&id)));
            self.changed = true;
        }
        let open = |w: &Window| !self.passes.iter().any(|p| p.task == Task::Zoom(w.clone()));
        let new: Vec<Window> = self.request.windows.iter().filter(|w| open(w)).cloned().collect();
        let mut begun = false;
        for window in new {
            begun |= self.begin_zoom(window);
        }
        begun
    }

    fn begin_zoom(&mut self, window: Window) -> bool {
        let generation = self.generation;
        let started = self.info.started_us;
        let mut steps: Option<(i64, i64)> = None;
        let mut chosen = Vec::new();
        for (i, s) in self.series.iter_mut().enumerate() {
            if window.metric.as_ref().is_some_and(|m| *m != s.key.metric) {
                continue;
            }
            let snapshot = s.snapshot(started, generation);
            // Read a little more than is visible, so that panning finds it there.
            let (low, high) = window.range;
            let room = (high - low).abs() / 2.0;
            if let Some(found) =
                snapshot.too_coarse(window.x, (low, high), (low - room, high + room), ENOUGH_BUCKETS)
            {
                let all = steps.get_or_insert(found);
                *all = (all.0.min(found.0), all.1.max(found.1));
                chosen.push(i);
            }
        }
        let Some(mut steps) = steps else { return false };
        let newest = chosen.iter().filter_map(|i| self.series[*i].last_step()).max();
        if self.request.alive && newest.is_some_and(|last| steps.1 >= last) {
            // A window at the end also includes future rows.
            steps.1 = i64::MAX;
        }
        let metrics: BTreeSet<String> = chosen.iter().map(|i| self.series[*i].key.metric.clone()).collect();
        let id = self.begin(Task::Zoom(window), metrics, Some(steps));
        for i in chosen {
            self.series[i].begin_zoom(id, steps);
        }
        true
    }

    /// Advances each pass; after the deadline, by a single batch. Returns whether there is more.
    fn read(&mut self, deadline: Instant) -> Result<bool, StoreError> {
        let mut more = false;
        let mut passes = std::mem::take(&mut self.passes);
        let mut result = Ok(());
        for pass in &mut passes {
            // Each pass advances by at least one batch, so that none is starved by the others.
            let left = deadline.saturating_duration_since(Instant::now());
            result = self.read_pass(pass, left);
            if result.is_err() {
                break;
            }
            more |= !pass.tailer.at_end();
        }
        self.passes = passes;
        self.finish_smoothing();
        self.merge_passes();
        result.map(|()| more)
    }

    fn read_pass(&mut self, pass: &mut Pass, budget: Duration) -> Result<(), StoreError> {
        let Pass { id, task, tailer, metrics, slots, restarts, complete } = pass;
        let before = *restarts;
        // Detected before rows are returned again.
        *restarts = tailer.look_back()?;
        if *restarts != before {
            slots.clear();
            for s in self.series.iter_mut().filter(|s| metrics.contains(&s.key.metric)) {
                s.clear();
            }
        }
        let mut known = std::mem::take(slots);
        let mut rows = 0;
        let result = tailer.poll_slices(budget, |slice| {
            let number = slice.series as usize;
            if known.len() <= number {
                known.resize(number + 1, None);
            }
            let slot = *known[number].get_or_insert_with(|| {
                // A row of a metric that is no longer read.
                if metrics.contains(&slice.key.metric) {
                    self.slot(slice.key, slice.unit)
                } else {
                    usize::MAX
                }
            });
            let Some(series) = self.series.get_mut(slot) else { return };
            match task {
                Task::Rows => {
                    rows += slice.value.len() as u64;
                    series.push(&slice);
                }
                Task::Smooth => series.push_smooth(&slice),
                Task::Zoom(_) => series.push_zoom(*id, &slice),
            }
        });
        *slots = known;
        self.rows += rows;
        self.changed |= rows > 0;
        let keys = tailer.series();
        self.changed |= keys.len() > self.info.keys.len() && self.info.set_keys(keys);
        if tailer.at_end() && !*complete {
            *complete = true;
            self.changed = true;
            for s in self.series.iter_mut().filter(|s| metrics.contains(&s.key.metric)) {
                match task {
                    Task::Rows => s.read(),
                    Task::Smooth => {}
                    Task::Zoom(_) => s.end_zoom(*id),
                }
            }
        }
        result
    }

    fn finish_smoothing(&mut self) {
        // Visit all without short-circuiting, so that none is left behind.
        let ready = self.series.iter_mut().map(LiveSeries::take_smooth).fold(true, |all, one| all & one);
        if ready {
            self.passes.retain(|p| p.task != Task::Smooth);
        }
        self.changed |= self.series.iter().any(LiveSeries::changed);
    }

    /// Merges passes that have reached the same position.
    fn merge_passes(&mut self) {
        let mut i = 0;
        while i < self.passes.len() {
            let (head, rest) = self.passes.split_at_mut(i + 1);
            let pass = &mut head[i];
            let same = |p: &Pass| {
                pass.task == Task::Rows
                    && p.task == Task::Rows
                    && pass.complete
                    && p.complete
                    && pass.tailer.same_place(&p.tailer)
            };
            if let Some(other) = rest.iter().position(same) {
                let other = self.passes.remove(i + 1 + other);
                let pass = &mut self.passes[i];
                pass.metrics.extend(other.metrics);
                pass.slots.clear();
                let names = pass.metrics.clone();
                pass.tailer.set_filter(move |k| names.contains(&k.metric));
            } else {
                i += 1;
            }
        }
    }

    /// Returns whether anything changed since [`Self::data`].
    pub(super) fn changed(&self) -> bool {
        self.changed
    }

    /// Describes the files that could not be read, or only in part.
    fn damage(&self) -> Vec<String> {
        let of_rows = self.passes.iter().flat_map(|p| p.tailer.damage());
        let mut all: Vec<String> = Vec::new();
        for error in self.info.figures_error.iter().chain(of_rows).map(ToString::to_string) {
            if !all.contains(&error) {
                all.push(error);
            }
        }
        all
    }

    /// Returns the files that could not be read, or only in part.
    pub(super) fn into_damage(self) -> Vec<StoreError> {
        let of_rows = self.passes.into_iter().flat_map(|p| p.tailer.into_damage());
        self.info.figures_error.into_iter().chain(of_rows).collect()
    }

    /// Returns everything known of the run.
    pub(super) fn data(&mut self) -> Arc<RunData> {
        if !std::mem::take(&mut self.changed) {
            return Arc::clone(&self.published);
        }
        self.generation += 1;
        let (generation, started) = (self.generation, self.info.started_us);
        let mut series: Vec<Arc<SeriesSnapshot>> = self
            .series
            .iter_mut()
            .map(|s| s.snapshot(started, generation))
            .filter(|s| s.count() > 0)
            .collect();
        series.sort_by(|a, b| natural::series(a.key(), b.key()));
        self.published = Arc::new(RunData {
            dir: self.dir.path().to_owned(),
            generation,
            keys: Arc::clone(&self.info.keys),
            series,
            tables: self.info.tables(),
            table_names: Arc::clone(&self.info.table_names),
            figures: Arc::clone(&self.info.figures),
            metrics: Arc::clone(&self.info.metrics),
            names: Arc::clone(&self.info.names),
            started_us: started,
            pauses: Arc::clone(&self.info.pauses),
            resumes: Arc::clone(&self.info.resumes),
            last_step: self.info.last_step,
            ended: self.info.ended,
            alive: self.request.alive,
            progress: Progress { rows: self.rows, reading: self.passes.iter().any(|p| !p.complete) },
            error: self.error.clone(),
            damage: self.damage(),
        });
        Arc::clone(&self.published)
    }
}
