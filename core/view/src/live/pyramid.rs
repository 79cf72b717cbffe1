//! A series in bounded memory: buckets of neighbouring samples that keep what a chart needs, at several resolutions.
//!
//! The finest level has at most a given number of buckets; when there would be more, neighbours are joined and each holds
//! twice as many samples. Above it each [`GROUP`] of buckets has its summary, and each chunk of [`CHUNK`]. Chunks are shared by
//! snapshots.

use std::sync::Arc;

use super::XAxis;

/// Buckets of a chunk.
pub const CHUNK: usize = 64;

/// Buckets of a group, the level between.
pub const GROUP: usize = 8;

/// One value of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The step.
    pub step: i64,
    /// The epoch; NaN if none was given.
    pub epoch: f64,
    /// Microseconds since 1970, UTC.
    pub time_us: i64,
    /// The value.
    pub value: f64,
}

/// A bit set of what happened in a bucket.
pub mod flag {
    /// A value was not a number.
    pub const NAN: u8 = 1;
    /// A value was plus infinity.
    pub const ABOVE: u8 = 2;
    /// A value was minus infinity.
    pub const BELOW: u8 = 4;
    /// The first sample was not finite.
    pub(crate) const FIRST_ODD: u8 = 8;
    /// The last sample was not finite.
    pub(crate) const LAST_ODD: u8 = 16;
    /// The steps go back between the bucket before and this one, or inside it.
    pub(crate) const REWIND: u8 = 32;
    /// Any of the first three.
    pub const ODD: u8 = NAN | ABOVE | BELOW;

    /// A value that stands for some of the first three.
    pub(crate) fn value(flags: u8) -> f64 {
        match flags {
            f if f & NAN != 0 => f64::NAN,
            f if f & ABOVE != 0 => f64::INFINITY,
            _ => f64::NEG_INFINITY,
        }
    }
}

/// Neighbouring samples in the order logged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Smallest and largest step.
    pub step: (i64, i64),
    /// Smallest and largest time, microseconds.
    pub time: (i64, i64),
    /// Smallest and largest epoch; NaN if none was given.
    pub epoch: (f64, f64),
    /// First finite value; NaN if there is none, as for the next four.
    pub first: f64,
    /// Last finite value.
    pub last: f64,
    /// Smallest finite value.
    pub min: f64,
    /// Largest finite value.
    pub max: f64,
    /// Smallest value above zero.
    pub min_positive: f64,
    /// Sum of the finite values.
    pub sum: f64,
    /// Samples.
    pub n: u32,
    /// Finite ones among them.
    pub finite: u32,
    /// See [`flag`].
    pub flags: u8,
}

impl Bucket {
    /// Of one sample.
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
            n: 1,
            finite,
            flags: if odd == 0 { 0 } else { odd | flag::FIRST_ODD | flag::LAST_ODD },
        }
    }

    /// With a finite sample that comes after it.
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
        self.n += 1;
        self.finite += 1;
        self.flags &= !flag::LAST_ODD;
    }

    /// With the samples that come after it.
    pub fn join(&mut self, next: &Self) {
        // `f64::min` and `max` pass over NaN.
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
        self.n = self.n.saturating_add(next.n);
        self.finite = self.finite.saturating_add(next.finite);
        let last = next.flags & flag::LAST_ODD;
        self.flags =
            (self.flags & !flag::LAST_ODD) | (next.flags & !(flag::FIRST_ODD | flag::LAST_ODD)) | last;
    }

    /// Mean of the finite values; NaN if there is none.
    pub fn mean(&self) -> f64 {
        if self.finite == 0 {
            return f64::NAN;
        }
        // A sum of large values may be beyond the doubles, and one of equal values is rounded.
        (self.sum / f64::from(self.finite)).clamp(self.min, self.max)
    }

    /// Where it lies on an axis; `None` if it has no place there.
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

/// Buckets that are shared, with their sum.
#[derive(Debug)]
pub struct Chunk {
    /// [`CHUNK`] of them.
    pub buckets: Vec<Bucket>,
    /// Every [`GROUP`] of them joined; next to their sum in memory, as the two are read one after the other.
    pub groups: [Bucket; CHUNK / GROUP],
    /// All of them joined.
    pub sum: Bucket,
    /// A rewind is at or after its first bucket.
    pub rewinds: bool,
}

/// A series that grows.
#[derive(Clone, Debug)]
pub struct Pyramid {
    chunks: Vec<Arc<Chunk>>,
    /// All chunks joined.
    closed: Option<Bucket>,
    /// Buckets that are in no chunk yet.
    tail: Vec<Bucket>,
    /// Samples, which may be more than a bucket can count.
    count: u64,
    finite: u64,
    /// Samples of a bucket.
    leaf: u32,
    /// Buckets at most.
    cap: usize,
    last: Option<Sample>,
}

impl Pyramid {
    /// Empty; it will have at most `cap` buckets (at least two chunks).
    pub fn new(cap: usize) -> Self {
        Self {
            chunks: Vec::new(),
            closed: None,
            tail: Vec::new(),
            count: 0,
            finite: 0,
            leaf: 1,
            cap: cap.max(2 * CHUNK),
            last: None,
        }
    }

    /// Adds the next sample.
    pub fn push(&mut self, s: Sample) {
        // Nearly always it is one more of an open bucket.
        if s.value.is_finite()
            && self.last.is_some_and(|last| s.step >= last.step)
            && let Some(open) = self.tail.last_mut().filter(|b| b.n < self.leaf)
        {
            open.add(&s);
            self.count += 1;
            self.finite += 1;
            self.last = Some(s);
            return;
        }
        let mut b = Bucket::of(s);
        if self.last.is_some_and(|last| s.step < last.step) {
            b.flags |= flag::REWIND;
        }
        self.last = Some(s);
        self.count += 1;
        self.finite += u64::from(b.finite);
        self.push_bucket(b);
    }

    /// Adds samples of which only a summary is known.
    pub(crate) fn push_summary(&mut self, b: Bucket) {
        self.count += u64::from(b.n);
        self.finite += u64::from(b.finite);
        self.last = Some(Sample { step: b.step.1, epoch: b.epoch.1, time_us: b.time.1, value: b.last });
        self.push_bucket(b);
    }

    fn push_bucket(&mut self, b: Bucket) {
        match self.tail.last_mut() {
            Some(open) if b.flags & flag::REWIND == 0 && open.n.saturating_add(b.n) <= self.leaf => {
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

    /// Buckets of the finest level.
    pub fn buckets(&self) -> usize {
        self.chunks.len() * CHUNK + self.tail.len()
    }

    /// Joins neighbours, until there are at most three quarters of what is allowed.
    fn coarsen(&mut self) {
        let mut all: Vec<Bucket> = Vec::with_capacity(self.buckets());
        all.extend(self.chunks.iter().flat_map(|c| &c.buckets));
        all.append(&mut self.tail);
        self.chunks.clear();
        // Where steps go back all the time, they must be joined over the rewinds in the end.
        for force in [false, false, true] {
            self.leaf = self.leaf.saturating_mul(2);
            let mut joined: Vec<Bucket> = Vec::with_capacity(all.len() / 2 + 1);
            for b in &all {
                match joined.last_mut() {
                    Some(open)
                        if (force || b.flags & flag::REWIND == 0)
                            && open.n.saturating_add(b.n) <= self.leaf =>
                    {
                        open.join(b);
                    }
                    _ => joined.push(*b),
                }
            }
            all = joined;
            if all.len() <= self.cap * 3 / 4 {
                break;
            }
        }
        let whole = all.len().saturating_sub(1) / CHUNK * CHUNK;
        self.tail = all.split_off(whole);
        self.chunks = all.chunks(CHUNK).map(|c| Arc::new(chunk_of(c.to_vec()))).collect();
        self.closed = self.chunks.iter().fold(None, |sum, c| Some(joined(sum, &c.sum)));
    }

    /// Allows another number of buckets.
    pub(crate) fn set_cap(&mut self, cap: usize) {
        self.cap = cap.max(2 * CHUNK);
        while self.buckets() > self.cap {
            self.coarsen();
        }
    }

    /// Samples so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sample last pushed.
    pub fn last(&self) -> Option<Sample> {
        self.last
    }

    /// As it is now.
    pub fn levels(&self) -> Levels {
        let total = self.tail.iter().fold(self.closed, |sum, b| Some(joined(sum, b)));
        Levels {
            chunks: self.chunks.clone(),
            tail: self.tail.clone(),
            total,
            count: self.count,
            finite: self.finite,
            leaf: self.leaf,
        }
    }
}

/// Both together.
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
    let sum = all(&groups);
    let rewinds = sum.flags & flag::REWIND != 0;
    Chunk { buckets, groups, sum, rewinds }
}

/// A pyramid at one moment.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    pub(crate) chunks: Vec<Arc<Chunk>>,
    pub(crate) tail: Vec<Bucket>,
    /// Everything joined.
    pub total: Option<Bucket>,
    /// Samples.
    pub count: u64,
    /// Finite ones.
    pub finite: u64,
    /// Samples of a bucket; 1: nothing was thinned.
    pub leaf: u32,
}

impl Levels {
    /// The buckets of the finest level, in order.
    pub fn buckets(&self) -> impl Iterator<Item = &Bucket> {
        self.chunks.iter().flat_map(|c| &c.buckets).chain(&self.tail)
    }
}
