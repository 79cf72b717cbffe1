//! Training: the process that runs the plugin, the functions that the plugin calls, and the threads that watch over it.

pub(crate) mod divergence;
pub(crate) mod host_table;
pub(crate) mod pressure;
pub(crate) mod rate;
pub(crate) mod session;
pub(crate) mod stack_overflow;
pub(crate) mod system;
pub(crate) mod trainer;
pub(crate) mod watchdogs;
