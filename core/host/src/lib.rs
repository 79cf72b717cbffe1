//! Plugins and the processes that run them.
//!
//! This is the only crate that opens libraries, and it never does so in the process that asks: [`describe()`] runs the same
//! program once more as a child with a time-out, and a run is two processes of a session of its own, a *keeper* (which
//! opens nothing, waits, and writes down how it ended) and its child, the *trainer* (which opens the plugin).
//!
//! A program that uses this crate calls [`hidden_main`] first thing in its `main`, so that it can be run as any of them.

mod error;
mod machine;
mod plugin;
mod run;
pub mod text;
mod train;

pub use error::{HostError, ParamError, Refusal, Result};
pub use machine::device::{DeviceChoice, Gpus};
pub use machine::program::{cache_dir, data_dir, hidden_main, set_program};
pub use machine::{device, libtorch};
pub use plugin::desc::{ExperimentDesc, ParamDesc, ParamKind, PluginDesc, PresetDesc};
pub use plugin::describe::describe;
pub use plugin::discover::{
    Discovery, FoundPlugin, Origin, Shadowed, discover, discover_for, installed_plugins, search_path,
};
pub use plugin::inspect::{Inspection, inspect};
pub use plugin::params::{parse_param, resolve_params};
pub use plugin::shared::{SharedPlugin, shared_plugin};
pub use plugin::watch::{PluginWatch, PluginsNow};
pub use run::allowed::{Action, Why, allowed};
pub use run::console::{console_span, console_tail};
pub use run::control::{
    Withdrawn, checkpoint, give_up, kill, pause, recover_after_reboot, recover_crashed, stop, unpause, wait,
    withdraw_stop,
};
pub use run::delete::{delete, may_delete};
pub use run::launch::{Launch, default_threads, launch, may_resume, refused, resume, resume_trusting};

/// How long a run that is asked to stop may take to end its step and save a checkpoint.
pub const DEFAULT_GRACE: std::time::Duration = std::time::Duration::from_secs(10);
/// How often a resumable run saves a checkpoint unless told otherwise.
pub const DEFAULT_CHECKPOINT_EVERY: std::time::Duration = std::time::Duration::from_mins(1);
