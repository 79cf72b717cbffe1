//! Managing runs from outside of their training: starting, requests, the queue, the keeper, alerts and the cause of an end.

pub(crate) mod alerts;
pub(crate) mod allowed;
pub(crate) mod cause;
pub(crate) mod console;
pub(crate) mod control;
pub(crate) mod delete;
pub(crate) mod keeper;
pub(crate) mod keeper_command;
pub(crate) mod launch;
pub(crate) mod median;
pub(crate) mod queue;
pub(crate) mod reclaim;
pub(crate) mod rename;
pub(crate) mod report;
pub(crate) mod rules;
pub(crate) mod target;
mod trend;
pub(crate) mod waiting;
