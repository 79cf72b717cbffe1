//! The steps that `counter` has logged, as counted in a mapped file that survives any end of the process.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

/// When a step was logged.
#[derive(Debug, Clone, Copy)]
pub struct Logged {
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    pub ns: u64,
    /// The beats of a thread in the fixture that sleeps for [`BEAT`] in between. They stop while the process gets no processor
    /// time, so a busy machine does not count.
    pub beats: u64,
}

/// How long the fixture's thread sleeps between two beats.
pub const BEAT: Duration = Duration::from_millis(10);

/// The size of an entry in the file.
const SLOT: usize = 16;

impl Logged {
    /// The time since an earlier step in which the process could run.
    pub fn beats_since(&self, earlier: &Self) -> Duration {
        BEAT * (self.beats - earlier.beats) as u32
    }

    /// The time since an earlier step.
    pub fn since(&self, earlier: &Self) -> Duration {
        Duration::from_nanos(self.ns - earlier.ns)
    }

    fn read(slot: &[u8]) -> Option<Self> {
        let number = |at: usize| u64::from_ne_bytes(slot[at..at + 8].try_into().unwrap());
        Some(Self { ns: number(0), beats: number(8) }).filter(|logged| logged.ns != 0)
    }
}

/// All logged steps, from 0 on.
pub fn all(file: &Path) -> Vec<Logged> {
    let Ok(file) = File::open(file) else { return Vec::new() };
    let mut file = std::io::BufReader::with_capacity(1 << 20, file);
    let mut slot = [0; SLOT];
    std::iter::from_fn(|| file.read_exact(&mut slot).ok().and_then(|()| Logged::read(&slot))).collect()
}

/// Returns whether any step was logged.
pub fn any(file: &Path) -> bool {
    let mut slot = [0; SLOT];
    File::open(file).is_ok_and(|mut f| f.read_exact(&mut slot).is_ok()) && Logged::read(&slot).is_some()
}
