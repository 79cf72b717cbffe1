//! The folder of runs: finding them, creating them, and the queue.

pub(crate) mod find;
pub(crate) mod new_run;
pub(crate) mod queue;
