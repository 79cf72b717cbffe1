//! Managing runs from outside of their training: starting, requests, the queue, the keeper, alerts and the cause of an end.

pub(crate) mod alerts;
pub(crate) mod allowed;
pub(crate) mod cause;
pub(crate) mod console;
pub(crate) mod control;
pub(crate) mod delete;
pub(crate) mod early_stop;
pub(crate) mod keeper;
pub(crate) mod launch;
pub(crate) mod queue;
pub(crate) mod reclaim;
pub(crate) mod rename;
pub(crate) mod resume;
