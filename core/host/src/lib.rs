//! Plugins and the processes that run them.
//!
//! This is the only crate that opens libraries, and it never does so in the process that asks: [`describe()`] runs the same
//! program once more as a child with a time-out, and a run is two processes of a session of its own, a *keeper* (which
//! opens nothing, waits, and writes down how it ended) and its child, the *trainer* (which opens the plugin).
//!
//! A program that uses this crate calls [`hidden_main`] first thing in its `main`, so that it can be run as any of them.

mod allowed;
mod cause;
mod console;
mod control;
mod delete;
mod desc;
mod describe;
pub mod device;
mod discover;
mod divergence;
mod error;
mod git;
mod guard;
mod hostfns;
mod inspect;
mod keeper;
mod launch;
pub mod libtorch;
mod load;
mod overflow;
mod params;
mod plugin_file;
mod process;
mod program;
mod rate;
mod read_desc;
mod report;
mod session;
#[cfg(test)]
mod session_tests;
mod shared;
mod signals;
mod system;
pub mod text;
mod ticker;
mod trainer;
mod validate;
mod watch;

pub use allowed::{Action, Why, allowed};
pub use console::{console_span, console_tail};
pub use control::{
    Withdrawn, checkpoint, give_up, kill, pause, recover_after_reboot, recover_crashed, stop, unpause, wait,
    withdraw_stop,
};
pub use delete::{delete, may_delete};
pub use desc::{ExperimentDesc, ParamDesc, ParamKind, PluginDesc, PresetDesc};
pub use describe::describe;
pub use device::{DeviceChoice, Gpus};
pub use discover::{
    Discovery, FoundPlugin, Origin, Shadowed, discover, discover_for, installed_plugins, search_path,
};
pub use error::{HostError, ParamError, Refusal, Result};
pub use inspect::{Inspection, inspect};
pub use launch::{Launch, default_threads, launch, may_resume, refused, resume, resume_trusting};
pub use params::{parse_param, resolve_params};
pub use program::{cache_dir, data_dir, hidden_main, set_program};
pub use shared::{SharedPlugin, shared_plugin};
pub use watch::{PluginWatch, PluginsNow};

/// How long a run that is asked to stop may take to end its step and save a checkpoint.
pub const DEFAULT_GRACE: std::time::Duration = std::time::Duration::from_secs(10);
/// How often a resumable run saves a checkpoint unless told otherwise.
pub const DEFAULT_CHECKPOINT_EVERY: std::time::Duration = std::time::Duration::from_mins(1);
