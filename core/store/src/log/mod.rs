//! Writing rows to the disk (memory, journal, sealed parts) and repairing them after a crash.

pub(crate) mod check;
pub(crate) mod checkpoint;
pub(crate) mod checksum;
#[cfg(test)]
mod crash_tests;
pub(crate) mod journal;
pub(crate) mod merge;
pub(crate) mod parallel;
pub(crate) mod part;
pub(crate) mod patience;
pub(crate) mod recorder;
pub(crate) mod recover;
pub(crate) mod resume;
pub(crate) mod rows;
pub(crate) mod seal;
pub(crate) mod series;
