//! Plugins and the processes that run them.
//!
//! This is the only crate that opens libraries, and it never does so in the calling process: [`describe()`] runs the
//! same program again as a child with a time-out. A run consists of two processes in a session of their own: the
//! *keeper*, which opens no library, waits, and records how the run ended, and its child, the *trainer*, which opens
//! the plugin.
//!
//! [`launch`] starts a run of an experiment and [`exec`] one of a command, immediately and on this machine; [`enqueue`]
//! puts runs of either kind into the queue, and a [`Launcher`] submits them to a batch system.
//!
//! A program that uses this crate must call [`hidden_main`] first in its `main`, so that it can be started as any of
//! these processes.

mod children;
mod command;
mod error;
mod launcher;
mod machine;
pub mod pace;
mod plugin;
mod run;
pub mod text;
mod train;

pub use children::hidden_main;
pub use command::exec::{Exec, exec, filled, place, unfilled};
pub use command::run_processes::variables;
pub use error::{HostError, ParamError, Refusal, Result};
pub use launcher::Launcher;
pub use launcher::jobs::{cancel as cancel_job, refresh_jobs};
pub use launcher::start::Start;
pub use machine::device::{DeviceChoice, Gpus};
pub use machine::dirs::{cache_dir, config_dir};
pub use machine::program::set_program;
pub use machine::{device, libtorch, threads};
pub use plugin::changes::parameter_changes;
pub use plugin::desc::{ExperimentDesc, ParamDesc, ParamKind, PluginDesc, PresetDesc};
pub use plugin::describe::describe;
pub use plugin::discover::{
    Discovery, FoundPlugin, Origin, Shadowed, discover, discover_for, installed_plugins, search_path,
};
pub use plugin::inspect::{Inspection, inspect};
pub use plugin::params::{parse_param, resolve_params};
pub use plugin::shared::{SharedPlugin, prune as prune_plugins, shared_plugin, unused as unused_plugins};
pub use plugin::validate::{Validation, validate};
pub use plugin::watch::{PluginWatch, PluginsNow};
pub use run::alerts::rules::{Rule as AlertRule, Than};
pub use run::alerts::{Alerts, set_alerts, set_early_stop};
pub use run::allowed::{Action, StopEffect, Why, allowed, left_behind, stop_effect};
pub use run::console::console_span;
pub use run::control::{
    DEFAULT_GRACE, Withdrawn, checkpoint, give_up, give_up_if_stale, grace_of, is_at_work, kill,
    kill_unreadable, look, pause, recover_after_reboot, recover_crashed, recover_unattended, stop,
    stop_unseen, wait, withdraw_stop,
};
pub use run::delete::{delete, may_delete};
pub use run::early_stop::{EarlyStop, median};
pub use run::launch::{DEFAULT_CHECKPOINT_EVERY, Launch, default_threads, launch, refused};
pub use run::queue::waiting::{hold_queued, is_ready, move_queued, release_queued};
pub use run::queue::{enqueue, set_slots, start_queued, start_queued_blocking};
pub use run::reclaim::{Spare, reclaim, spare};
pub use run::rename::rename;
pub use run::resume::{Resume, Resumed, may_resume, resume};
pub use train::watchdogs::{DISK_ACCEPTS, ROWS_WAIT};
