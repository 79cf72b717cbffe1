//! Runs of arbitrary commands: starting one, its two processes, and the sink that records what it logs.

pub(crate) mod cause;
pub(crate) mod client;
pub(crate) mod end_signal;
pub(crate) mod exec;
pub(crate) mod feeds;
pub(crate) mod keeper_link;
pub(crate) mod message;
pub(crate) mod pair;
pub(crate) mod process_tree;
pub(crate) mod run_processes;
pub(crate) mod sink;
pub(crate) mod socket;
pub(crate) mod wire;
