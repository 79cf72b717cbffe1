//! The version and limits of the files in a run folder.

/// The version of the files written by this crate.
pub const SCHEMA: u32 = 1;

/// Maximum number of series of a run.
pub const MAX_SERIES: usize = 100_000;
