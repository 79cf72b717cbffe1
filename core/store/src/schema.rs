//! What every file of a run folder keeps to.

/// The version of the run folder's files written by this crate.
pub const SCHEMA: u32 = 1;

/// The most series a run may have.
pub const MAX_SERIES: usize = 100_000;
