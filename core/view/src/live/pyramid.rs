//! A series in bounded memory: buckets of neighbouring samples at several resolutions, which keep what a chart needs.
//!
//! The number of buckets at the finest level is limited; beyond it, neighbours are joined, which doubles the number of samples
//! per bucket. At the start of the series buckets are smaller, as a logarithmic axis shows that part wide. Above the finest level, each [`GROUP`] of buckets has a summary, and each chunk of [`CHUNK`]. Chunks are shared with snapshots.

use std::sync::Arc;

use gradtop_store::Average;

use super::XAxis;

/// Number of buckets per chunk.
pub const CHUNK: usize = 64;

/// Number of buckets per group, the level in between.
pub const GROUP: usize = 8;

/// Nothing for longer than this, in microseconds, and this many times as long as is usual, is a silence: a run that is suspended, as
/// by a laptop's lid, does not say so. What is usual is known after some samples.
const SILENCE_US: i64 = 10_000_000;
const SILENCE_TIMES: i64 = 10;
const SILENCE_AFTER: u64 = 10;

/// A pyramid has this part of its maximum of buckets for each doubling of the samples at its start, at most as many.
const START: usize = 64;

/// A value of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The step.
    pub step: i64,
    /// The epoch; NaN if there is none.
    pub epoch: f64,
    /// Microseconds since 1970, UTC.
    pub time_us: i64,
    /// The value.
    pub value: f64,
}

/// Bit flags of a bucket.
pub mod flag {
    /// A value was NaN.
    pub const NAN: u8 = 1;
    /// A value was plus infinity.
    pub const ABOVE: u8 = 2;
    /// A value was minus infinity.
    pub const BELOW: u8 = 4;
    /// The first sample was not finite.
    pub(crate) const FIRST_NON_FINITE: u8 = 8;
    /// The last sample was not finite.
    pub(crate) const LAST_NON_FINITE: u8 = 16;
    /// Steps go back inside the bucket, or between the previous one and this one.
    pub(crate) const REWIND: u8 = 32;
    /// The run rested between the previous bucket and this one.
    pub(crate) const RESTED: u8 = 64;
    /// Either of the last two: not joined to the bucket before it.
    pub(crate) const APART: u8 = REWIND | RESTED;
    /// Any of the first three.
    pub const NON_FINITE: u8 = NAN | ABOVE | BELOW;

    /// Returns a value that represents some of the first three.
    pub(crate) fn value(flags: u8) -> f64 {
        match flags {
            f if f & NAN != 0 => f64::NAN,
            f if f & ABOVE != 0 => f64::INFINITY,
            _ => f64::NEG_INFINITY,
        }
    }
}

/// A bucket of neighbouring samples in log order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Smallest and largest step.
    pub step: (i64, i64),
    /// Smallest and largest time, in microseconds.
    pub time: (i64, i64),
    /// Smallest and largest epoch; NaN if there is none.
    pub epoch: (f64, f64),
    /// First finite value; NaN if there is none, as for the next four fields.
    pub first: f64,
    /// Last finite value.
    pub last: f64,
    /// Smallest finite value.
    pub min: f64,
    /// Largest finite value.
    pub max: f64,
    /// Smallest positive value.
    pub min_positive: f64,
    /// Sum of the finite values.
    pub sum: f64,
    /// Sum of their logarithms.
    pub log_sum: LogSum,
    /// Number of samples.
    pub n: u32,
    /// Number of finite samples.
    pub finite: u32,
    /// Bits of [`flag`].
    pub flags: u8,
}

/// A sum of logarithms, not finite if one is of 0 or less. Values are multiplied while that is exact enough, as a logarithm for each
/// is a tenth of the time of reading a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogSum {
    sum: f64,
    product: f64,
}

impl Default for LogSum {
    fn default() -> Self {
        Self { sum: 0.0, product: 1.0 }
    }
}

impl LogSum {
    /// Returns that of a value that occurs `n` times.
    pub fn many(value: f64, n: u32) -> Self {
        let mut all = Self::default();
        match n {
            0 => {}
            1 => all.add(value),
            _ => all.sum = value.ln() * f64::from(n),
        }
        all
    }

    fn add(&mut self, value: f64) {
        let product = self.product * value;
        // Far from underflow, which would lose digits.
        if (1e-150..1e150).contains(&product) {
            self.product = product;
        } else {
            *self = Self { sum: self.value() + value.ln(), product: 1.0 };
        }
    }

    fn join(&mut self, next: Self) {
        self.sum += next.sum;
        self.add(next.product);
    }

    fn value(self) -> f64 {
        self.sum + self.product.ln()
    }
}

impl Bucket {
    /// Creates a bucket of one sample.
    pub fn of(s: Sample) -> Self {
        let odd = match s.value {
            v if v.is_nan() => flag::NAN,
            f64::INFINITY => flag::ABOVE,
            f64::NEG_INFINITY => flag::BELOW,
            _ => 0,
        };
        let (v, finite) = if odd == 0 { (s.value, 1) } else { (f64::NAN, 0) };
        Self {
            step: (s.step, s.step),
            time: (s.time_us, s.time_us),
            epoch: (s.epoch, s.epoch),
            first: v,
            last: v,
            min: v,
            max: v,
            min_positive: if v > 0.0 { v } else { f64::NAN },
            sum: if finite == 1 { v } else { 0.0 },
            log_sum: LogSum::many(v, finite),
            n: 1,
            finite,
            flags: if odd == 0 { 0 } else { odd | flag::FIRST_NON_FINITE | flag::LAST_NON_FINITE },
        }
    }

    /// Appends a finite sample.
    fn add(&mut self, s: &Sample) {
        let v = s.value;
        self.step = (self.step.0.min(s.step), self.step.1.max(s.step));
        self.time = (self.time.0.min(s.time_us), self.time.1.max(s.time_us));
        self.epoch = (self.epoch.0.min(s.epoch), self.epoch.1.max(s.epoch));
        if self.finite == 0 {
            self.first = v;
        }
        self.last = v;
        self.min = self.min.min(v);
        self.max = self.max.max(v);
        if v > 0.0 {
            self.min_positive = self.min_positive.min(v);
        }
        self.sum += v;
        self.log_sum.add(v);
        self.n += 1;
        self.finite += 1;
        self.flags &= !flag::LAST_NON_FINITE;
    }

    /// Appends the samples of the next bucket.
    pub fn join(&mut self, next: &Self) {
        // `f64::min` and `max` ignore NaN.
        self.step = (self.step.0.min(next.step.0), self.step.1.max(next.step.1));
        self.time = (self.time.0.min(next.time.0), self.time.1.max(next.time.1));
        self.epoch = (self.epoch.0.min(next.epoch.0), self.epoch.1.max(next.epoch.1));
        if self.finite == 0 {
            self.first = next.first;
        }
        if next.finite > 0 {
            self.last = next.last;
        }
        self.min = self.min.min(next.min);
        self.max = self.max.max(next.max);
        self.min_positive = self.min_positive.min(next.min_positive);
        self.sum += next.sum;
        self.log_sum.join(next.log_sum);
        self.n = self.n.saturating_add(next.n);
        self.finite = self.finite.saturating_add(next.finite);
        let last = next.flags & flag::LAST_NON_FINITE;
        self.flags = (self.flags & !flag::LAST_NON_FINITE)
            | (next.flags & !(flag::FIRST_NON_FINITE | flag::LAST_NON_FINITE))
            | last;
    }

    /// Returns the mean of the finite values, the geometric one if that is asked for and there is one; NaN if there is none.
    pub fn mean(&self, average: Average) -> f64 {
        if self.finite == 0 {
            return f64::NAN;
        }
        let n = f64::from(self.finite);
        let mean = match average.over([self.min]) {
            Average::GeometricMean => (self.log_sum.value() / n).exp(),
            Average::Mean | Average::Median => self.sum / n,
        };
        // The sum of large values may overflow, and that of equal values is rounded.
        mean.clamp(self.min, self.max)
    }

    /// Returns the mean, smallest and largest of the finite values, or what represents the others if there is none.
    pub(crate) fn shown(&self, average: Average) -> (f64, (f64, f64)) {
        let odd = flag::value(self.flags);
        if self.finite > 0 { (self.mean(average), (self.min, self.max)) } else { (odd, (odd, odd)) }
    }

    /// Returns its range on an axis; `None` if it has no position there.
    pub fn range(&self, x: XAxis, started_us: Option<i64>) -> Option<(f64, f64)> {
        match x {
            XAxis::Step => Some((self.step.0 as f64, self.step.1 as f64)),
            XAxis::Epoch => (!self.epoch.0.is_nan()).then_some(self.epoch),
            XAxis::Time | XAxis::Clock => {
                x.of_time(self.time.0, started_us).zip(x.of_time(self.time.1, started_us))
            }
        }
    }
}

/// A shared chunk of buckets with summaries.
#[derive(Debug)]
pub struct Chunk {
    /// [`CHUNK`] buckets.
    pub buckets: Vec<Bucket>,
    /// Summary of each [`GROUP`]; next to the overall summary in memory, as both are read one after the other.
    pub groups: [Bucket; CHUNK / GROUP],
    /// Summary of all buckets.
    pub sum: Bucket,
}

/// A growing series.
#[derive(Clone, Debug)]
pub struct Pyramid {
    chunks: Vec<Arc<Chunk>>,
    /// Summary of all chunks.
    closed: Option<Bucket>,
    /// Buckets that are not in a chunk yet.
    tail: Vec<Bucket>,
    /// Number of samples, which may exceed a bucket's counter.
    count: u64,
    /// Number of samples per bucket, apart from the start.
    leaf: u32,
    /// Maximum number of buckets.
    cap: usize,
    last: Option<Sample>,
    /// When the run rested: no bucket reaches from before a rest to after it, so that a time axis has a gap there.
    rests: Rests,
    /// The first start of a rest at or after the last sample.
    next_rest: i64,
    /// The longest time between two samples of late, in microseconds.
    usual: i64,
    /// When nothing was logged for so long that the run was suspended, or did something else.
    silences: Rests,
}

/// Stretches of time in which a run was paused or not at work, in order, microseconds since 1970.
pub type Rests = Arc<Vec<(i64, i64)>>;

impl Pyramid {
    /// Creates an empty pyramid with at most `cap` buckets (at least two chunks).
    pub fn new(cap: usize) -> Self {
        Self {
            chunks: Vec::new(),
            closed: None,
            tail: Vec::new(),
            count: 0,
            leaf: 1,
            cap: cap.max(2 * CHUNK),
            last: None,
            rests: Rests::default(),
            next_rest: i64::MAX,
            usual: 0,
            silences: Rests::default(),
        }
    }

    /// Returns whether a silence ends at this time, which it notes.
    fn ends_silence(&mut self, time_us: i64) -> bool {
        let Some(Sample { time_us: from, .. }) = self.last else { return false };
        let since = time_us.saturating_sub(from);
        if since <= SILENCE_US || since / SILENCE_TIMES <= self.usual || self.count < SILENCE_AFTER {
            self.usual = since.max(self.usual - self.usual / 128);
            return false;
        }
        // What comes again and again is usual.
        self.usual = self.usual.max(SILENCE_US / SILENCE_TIMES / 4) * 2;
        Arc::make_mut(&mut self.silences).push((from, time_us));
        true
    }

    /// Sets when the run rested, as far as is known. What is joined already stays so.
    pub(crate) fn set_rests(&mut self, rests: &Rests) {
        self.rests = Arc::clone(rests);
        self.find_next_rest();
    }

    fn find_next_rest(&mut self) {
        let now = self.last.map_or(i64::MIN, |last| last.time_us);
        let next = self.rests.partition_point(|(from, _)| *from < now);
        self.next_rest = self.rests.get(next).map_or(i64::MAX, |(from, _)| *from);
    }

    /// Appends a sample.
    pub fn push(&mut self, s: Sample) {
        let rested = self.ends_silence(s.time_us) || s.time_us > self.next_rest;
        // Fast path: nearly always another sample of an open bucket.
        if !rested
            && s.value.is_finite()
            && self.last.is_some_and(|last| s.step >= last.step)
            && let Some(open) = self.tail.last_mut()
            && open.n < most(self.count - u64::from(open.n), self.leaf, self.cap)
        {
            open.add(&s);
            self.count += 1;
            self.last = Some(s);
            return;
        }
        let mut b = Bucket::of(s);
        if self.last.is_some_and(|last| s.step < last.step) {
            b.flags |= flag::REWIND;
        }
        self.last = Some(s);
        if rested {
            b.flags |= flag::RESTED;
            self.find_next_rest();
        }
        self.count += 1;
        self.push_bucket(b);
    }

    /// Appends samples of which only a summary is known.
    pub(crate) fn push_summary(&mut self, b: Bucket) {
        self.count += u64::from(b.n);
        self.last = Some(Sample { step: b.step.1, epoch: b.epoch.1, time_us: b.time.1, value: b.last });
        self.push_bucket(b);
    }

    fn push_bucket(&mut self, b: Bucket) {
        match self.tail.last_mut() {
            Some(open)
                if b.flags & flag::APART == 0
                    && has_room(open, &b, self.count.saturating_sub(u64::from(b.n)), self.leaf, self.cap) =>
            {
                open.join(&b);
            }
            _ => {
                if self.tail.len() == CHUNK {
                    self.close_chunk();
                }
                self.tail.push(b);
                if self.buckets() > self.cap {
                    self.coarsen();
                }
            }
        }
    }

    fn close_chunk(&mut self) {
        let buckets = std::mem::replace(&mut self.tail, Vec::with_capacity(CHUNK));
        let chunk = chunk_of(buckets);
        self.closed = Some(joined(self.closed, &chunk.sum));
        self.chunks.push(Arc::new(chunk));
    }

    /// Returns the number of buckets at the finest level.
    pub fn buckets(&self) -> usize {
        self.chunks.len() * CHUNK + self.tail.len()
    }

    /// Joins neighbours until at most three quarters are left, in as few steps as that takes: what is left must not depend on how
    /// many samples came before the maximum was lowered.
    fn coarsen(&mut self) {
        let mut all = self.take();
        let enough = all.len() * 3 / 4;
        // If steps go back or the run rests all the time, buckets must finally be joined across that.
        for force in [false, false, true] {
            self.leaf = self.leaf.saturating_mul(2);
            all = self.neighbours_joined(&all, force);
            if all.len() <= enough {
                break;
            }
        }
        self.put(all);
    }

    fn take(&mut self) -> Vec<Bucket> {
        let mut all: Vec<Bucket> = Vec::with_capacity(self.buckets());
        all.extend(self.chunks.iter().flat_map(|c| &c.buckets));
        all.append(&mut self.tail);
        self.chunks.clear();
        all
    }

    fn put(&mut self, mut all: Vec<Bucket>) {
        let whole = all.len().saturating_sub(1) / CHUNK * CHUNK;
        self.tail = all.split_off(whole);
        self.chunks = all.chunks(CHUNK).map(|c| Arc::new(chunk_of(c.to_vec()))).collect();
        self.closed = self.chunks.iter().fold(None, |sum, c| Some(joined(sum, &c.sum)));
    }

    /// Joins neighbours as far as the number of samples per bucket allows; across steps that go back and rests only if forced.
    fn neighbours_joined(&self, all: &[Bucket], force: bool) -> Vec<Bucket> {
        let mut joined: Vec<Bucket> = Vec::with_capacity(all.len() / 2 + 1);
        let mut before = 0;
        for b in all {
            match joined.last_mut() {
                Some(open)
                    if (force || b.flags & flag::APART == 0)
                        && has_room(open, b, before, self.leaf, self.cap) =>
                {
                    open.join(b);
                }
                _ => joined.push(*b),
            }
            before += u64::from(b.n);
        }
        joined
    }

    /// Sets the maximum number of buckets.
    pub(crate) fn set_cap(&mut self, cap: usize) {
        let before = std::mem::replace(&mut self.cap, cap.max(2 * CHUNK));
        if self.leaf > 1 && doubling(self.cap) < doubling(before) {
            let all = self.take();
            let all = self.neighbours_joined(&all, false);
            self.put(all);
        }
        while self.buckets() > self.cap {
            self.coarsen();
        }
    }

    /// Returns the number of samples so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the last sample.
    pub fn last(&self) -> Option<Sample> {
        self.last
    }

    /// Returns a snapshot.
    pub fn levels(&self) -> Levels {
        let total = self.tail.iter().fold(self.closed, |sum, b| Some(joined(sum, b)));
        Levels {
            chunks: self.chunks.clone(),
            tail: self.tail.clone(),
            total,
            count: self.count,
            leaf: self.leaf,
            silences: Arc::clone(&self.silences),
        }
    }
}

/// Returns the number of buckets for each doubling of the samples at the start; a power of two, so that smaller buckets can
/// be joined to the larger ones of a smaller maximum.
fn doubling(cap: usize) -> u64 {
    1 << (cap / START).clamp(1, START).ilog2()
}

/// Returns the maximum number of samples of a bucket with this many samples before it.
fn most(before: u64, leaf: u32, cap: usize) -> u32 {
    let most = (before / doubling(cap)).max(1);
    u32::try_from(1 << most.ilog2()).unwrap_or(u32::MAX).min(leaf)
}

/// Returns whether a bucket can take the next one, before which there are this many samples.
fn has_room(open: &Bucket, next: &Bucket, before: u64, leaf: u32, cap: usize) -> bool {
    open.n.saturating_add(next.n) <= most(before.saturating_sub(u64::from(open.n)), leaf, cap)
}

fn joined(sum: Option<Bucket>, next: &Bucket) -> Bucket {
    let Some(mut sum) = sum else { return *next };
    sum.join(next);
    sum
}

fn chunk_of(buckets: Vec<Bucket>) -> Chunk {
    let all = |part: &[Bucket]| {
        let mut sum = part[0];
        part[1..].iter().for_each(|b| sum.join(b));
        sum
    };
    let groups = std::array::from_fn(|i| all(&buckets[i * GROUP..][..GROUP]));
    Chunk { sum: all(&groups), buckets, groups }
}

/// A snapshot of a pyramid.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    pub(crate) chunks: Vec<Arc<Chunk>>,
    pub(crate) tail: Vec<Bucket>,
    /// Summary of everything.
    pub total: Option<Bucket>,
    /// Number of samples.
    pub count: u64,
    /// Number of samples per bucket, apart from the start; 1 if nothing was thinned.
    pub leaf: u32,
    /// When nothing was logged for unusually long.
    pub silences: Rests,
}

impl Levels {
    /// Returns the buckets of the finest level, in order.
    pub fn buckets(&self) -> impl Iterator<Item = &Bucket> {
        self.chunks.iter().flat_map(|c| &c.buckets).chain(&self.tail)
    }
}
