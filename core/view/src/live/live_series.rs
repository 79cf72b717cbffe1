//! A series while it is being read.

use std::sync::Arc;

use gradtop_store::{Average, PageSummary, SeriesKey, Slice};

use super::pyramid::{Bucket, LogSum, Pyramid, Rests, Sample, flag};
use super::series::{Detail, SeriesSnapshot};
use super::smooth::Ema;

/// A moving average and its results so far.
struct Smooth {
    weight: f64,
    ema: Ema,
    pyramid: Pyramid,
}

impl Smooth {
    fn new(weight: f64, pyramid: Pyramid) -> Self {
        Self { weight, ema: Ema::new(weight), pyramid }
    }

    fn push(&mut self, s: Sample) {
        let value = self.ema.push(s.step, s.value);
        self.pyramid.push(Sample { value, ..s });
    }
}

/// The details of a range of steps.
struct Zoom {
    /// The pass that reads them.
    pass: u64,
    steps: (i64, i64),
    raw: Pyramid,
    smooth: Option<Smooth>,
    complete: bool,
}

pub(super) struct LiveSeries {
    pub(super) key: Arc<SeriesKey>,
    unit: Option<Arc<str>>,
    raw: Pyramid,
    /// The page statistics, until the rows have been read.
    outline: Option<Pyramid>,
    smooth: Option<Smooth>,
    /// The average being recomputed with another weight.
    next: Option<Smooth>,
    zooms: Vec<Zoom>,
    cap: usize,
    rests: Rests,
    changed: bool,
    published: Option<Arc<SeriesSnapshot>>,
}

impl LiveSeries {
    pub(super) fn new(key: SeriesKey, unit: Option<&str>, cap: usize, weight: f64) -> Self {
        Self {
            key: Arc::new(key),
            unit: unit.map(Into::into),
            raw: Pyramid::new(cap),
            outline: None,
            smooth: (weight > 0.0).then(|| Smooth::new(weight, Pyramid::new(cap))),
            next: None,
            zooms: Vec::new(),
            cap,
            rests: Rests::default(),
            changed: true,
            published: None,
        }
    }

    /// Discards all rows because the run was set back.
    pub(super) fn clear(&mut self) {
        let weight = self.weight();
        self.raw = self.pyramid();
        self.outline = None;
        self.smooth = (weight > 0.0).then(|| Smooth::new(weight, self.pyramid()));
        self.next = None;
        self.zooms.clear();
        self.changed = true;
    }

    fn pyramid(&self) -> Pyramid {
        let mut pyramid = Pyramid::new(self.cap);
        pyramid.set_rests(&self.rests);
        pyramid
    }

    /// Sets when the run rested, before the rows after that are processed.
    pub(super) fn set_rests(&mut self, rests: &Rests) {
        if Arc::ptr_eq(rests, &self.rests) {
            return;
        }
        self.rests = Arc::clone(rests);
        self.raw.set_rests(rests);
        for smooth in [&mut self.smooth, &mut self.next].into_iter().flatten() {
            smooth.pyramid.set_rests(rests);
        }
        for zoom in &mut self.zooms {
            zoom.raw.set_rests(rests);
            zoom.smooth.iter_mut().for_each(|smooth| smooth.pyramid.set_rests(rests));
        }
    }

    /// Returns the current or pending smoothing weight; 0 for none.
    pub(super) fn weight(&self) -> f64 {
        self.next.as_ref().or(self.smooth.as_ref()).map_or(0.0, |s| s.weight)
    }

    /// Uses page statistics until [`Self::read`].
    pub(super) fn set_outline(&mut self, pages: &[PageSummary]) {
        let mut pyramid = Pyramid::new(self.cap);
        for page in pages {
            let (low, high) = page.value;
            let bounded = low.is_finite() && high.is_finite();
            let mean = low / 2.0 + high / 2.0;
            let value = |v: f64| if bounded { v } else { f64::NAN };
            let n = u32::try_from(page.rows).unwrap_or(u32::MAX);
            pyramid.push_summary(Bucket {
                step: page.step,
                time: page.time_us,
                epoch: page.epoch.unwrap_or((f64::NAN, f64::NAN)),
                first: value(mean),
                last: value(mean),
                min: value(low),
                max: value(high),
                min_positive: if low > 0.0 { value(low) } else { value(high).max(f64::MIN_POSITIVE) },
                sum: value(mean) * f64::from(n),
                log_sum: LogSum::many(value(mean), n),
                n,
                finite: if bounded { n } else { 0 },
                flags: if bounded { 0 } else { flag::FIRST_NON_FINITE | flag::LAST_NON_FINITE },
            });
        }
        self.outline = Some(pyramid);
        self.changed = true;
    }

    /// Called when all rows have been read, so that the outline is no longer needed.
    pub(super) fn read(&mut self) {
        self.changed |= self.outline.take().is_some();
    }

    pub(super) fn push(&mut self, rows: &Slice<'_>) {
        match &mut self.smooth {
            None => samples(rows).for_each(|s| self.raw.push(s)),
            Some(smooth) => samples(rows).for_each(|s| {
                self.raw.push(s);
                smooth.push(s);
            }),
        }
        self.changed = true;
    }

    /// Processes rows that are read again for another weight.
    pub(super) fn push_smooth(&mut self, rows: &Slice<'_>) {
        if let Some(next) = &mut self.next {
            samples(rows).for_each(|s| next.push(s));
        }
    }

    /// Processes rows that are read for details.
    pub(super) fn push_zoom(&mut self, pass: u64, rows: &Slice<'_>) {
        let Some(zoom) = self.zooms.iter_mut().find(|z| z.pass == pass) else { return };
        for s in samples(rows) {
            zoom.raw.push(s);
            if let Some(smooth) = &mut zoom.smooth {
                smooth.push(s);
            }
        }
        self.changed |= zoom.complete;
    }

    /// Sets the smoothing weight, 0 for none. Returns whether rows must be read again; until then the average is
    /// computed from bucket means.
    pub(super) fn set_weight(&mut self, weight: f64) -> bool {
        if weight == self.weight() {
            return false;
        }
        self.changed = true;
        self.next = None;
        self.zooms.iter_mut().for_each(|z| z.smooth = None);
        if weight <= 0.0 {
            self.smooth = None;
            return false;
        }
        let mut smooth = Smooth::new(weight, self.pyramid());
        let levels = self.raw.levels();
        for b in levels.buckets() {
            // Exact if a bucket is one sample.
            let value = smooth.ema.push_many(b.step, b.mean(Average::Mean), u64::from(b.finite));
            let (first, last) = if b.finite > 0 { (value, value) } else { (f64::NAN, f64::NAN) };
            let positive = if value > 0.0 { first } else { f64::NAN };
            let of_all = |value: f64| if b.finite > 0 { value * f64::from(b.finite) } else { 0.0 };
            smooth.pyramid.push_summary(Bucket {
                first,
                last,
                min: first,
                max: first,
                min_positive: positive,
                sum: of_all(value),
                log_sum: LogSum::many(value, b.finite),
                ..*b
            });
        }
        self.smooth = Some(smooth);
        let thinned = levels.leaf > 1;
        if thinned {
            self.next = Some(Smooth::new(weight, self.pyramid()));
        }
        thinned
    }

    /// Switches to the recomputed average if it has caught up. Returns whether nothing is left to do.
    pub(super) fn take_smooth(&mut self) -> bool {
        match &self.next {
            None => true,
            Some(next) if next.pyramid.count() == self.raw.count() => {
                self.smooth = self.next.take();
                self.changed = true;
                true
            }
            Some(_) => false,
        }
    }

    /// Returns the last step read.
    pub(super) fn last_step(&self) -> Option<i64> {
        self.raw.last().map(|s| s.step)
    }

    pub(super) fn set_cap(&mut self, cap: usize) {
        if cap < self.cap {
            self.cap = cap;
            self.raw.set_cap(cap);
            for s in [&mut self.smooth, &mut self.next].into_iter().flatten() {
                s.pyramid.set_cap(cap);
            }
            self.changed = true;
        }
    }

    /// Starts to collect details of a range of steps.
    pub(super) fn begin_zoom(&mut self, pass: u64, steps: (i64, i64)) {
        let smooth = self.smooth.as_ref().map(|whole| {
            // The average continues from the last bucket before.
            let levels = whole.pyramid.levels();
            let mut n = 0;
            let mut mean = f64::NAN;
            let mut seen = (steps.0, steps.0);
            for b in levels.buckets().take_while(|b| b.step.1 < steps.0).filter(|b| b.finite > 0) {
                seen = (if n == 0 { b.step.0 } else { seen.0 }, b.step.1);
                n += u64::from(b.finite);
                mean = b.last;
            }
            let ema = Ema::resumed(whole.weight, n, mean, seen);
            Smooth { weight: whole.weight, ema, pyramid: self.pyramid() }
        });
        let raw = self.pyramid();
        self.zooms.push(Zoom { pass, steps, raw, smooth, complete: false });
    }

    /// Called when details have been read completely.
    pub(super) fn end_zoom(&mut self, pass: u64) {
        for zoom in self.zooms.iter_mut().filter(|z| z.pass == pass) {
            self.changed |= !zoom.complete;
            zoom.complete = true;
        }
    }

    /// Discards details that are no longer needed.
    pub(super) fn keep_zooms(&mut self, passes: &dyn Fn(u64) -> bool) {
        let before = self.zooms.len();
        self.zooms.retain(|z| passes(z.pass));
        self.changed |= before != self.zooms.len();
    }

    /// Returns whether it has changed since its last snapshot.
    pub(super) fn changed(&self) -> bool {
        self.changed
    }

    pub(super) fn snapshot(&mut self, started_us: Option<i64>, generation: u64) -> Arc<SeriesSnapshot> {
        if let Some(published) =
            self.published.as_ref().filter(|published| !self.changed && published.started_us == started_us)
        {
            return Arc::clone(published);
        }
        self.changed = false;
        let shown = self.outline.as_ref().unwrap_or(&self.raw);
        let whole_smooth = self.smooth.as_ref().filter(|_| self.outline.is_none());
        let snapshot = Arc::new(SeriesSnapshot {
            key: Arc::clone(&self.key),
            unit: self.unit.clone(),
            generation,
            started_us,
            raw: shown.levels(),
            smooth: whole_smooth.map(|s| (s.weight, s.pyramid.levels())),
            details: self
                .zooms
                .iter()
                .filter(|z| z.complete)
                .map(|z| Detail {
                    steps: z.steps,
                    raw: z.raw.levels(),
                    smooth: z.smooth.as_ref().map(|s| s.pyramid.levels()),
                })
                .collect(),
            last: shown.last(),
            coarse: self.outline.is_some(),
        });
        self.published = Some(Arc::clone(&snapshot));
        snapshot
    }
}

fn samples<'a>(rows: &Slice<'a>) -> impl Iterator<Item = Sample> + use<'a> {
    let (step, epoch, time, value) = (rows.step, rows.epoch, rows.time_us, rows.value);
    (0..step.len()).map(move |i| Sample { step: step[i], epoch: epoch[i], time_us: time[i], value: value[i] })
}
