//! What `counter` has logged, by its own count: a file it maps, so that what stands there survives the process, however that
//! ends.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

/// When a step was logged.
#[derive(Debug, Clone, Copy)]
pub struct Logged {
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    pub ns: u64,
    /// Beats of a thread of the fixture that sleeps for [`BEAT`] in between: they stand still while the process gets no
    /// processor, so a busy machine costs no beats.
    pub beats: u64,
}

/// How long the fixture's thread sleeps between two beats.
pub const BEAT: Duration = Duration::from_millis(10);

/// Bytes of a step in the file.
const SLOT: usize = 16;

impl Logged {
    /// The time since an earlier step in which the process could have worked.
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

/// All steps that were logged, from 0 on.
pub fn all(file: &Path) -> Vec<Logged> {
    let Ok(file) = File::open(file) else { return Vec::new() };
    let mut file = std::io::BufReader::with_capacity(1 << 20, file);
    let mut slot = [0; SLOT];
    std::iter::from_fn(|| file.read_exact(&mut slot).ok().and_then(|()| Logged::read(&slot))).collect()
}

/// Whether there is a first step.
pub fn any(file: &Path) -> bool {
    let mut slot = [0; SLOT];
    File::open(file).is_ok_and(|mut f| f.read_exact(&mut slot).is_ok()) && Logged::read(&slot).is_some()
}
