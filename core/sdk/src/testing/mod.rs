//! A host that keeps everything in memory, for a plugin's own tests.
//!
//! An experiment runs here as it does under gradtop: through the entry that the plugin exports, with
//! parameters as text and every call through C functions. Nothing is loaded from a file.
//!
//! ```
//! # use gradtop_sdk::prelude::*;
//! use gradtop_sdk::testing::{Outcome, TestHost};
//! # #[derive(Params)]
//! # struct Demo {
//! #     #[param(default = 5)]
//! #     steps: i64,
//! # }
//! # impl Experiment for Demo {
//! #     fn info() -> Info { Info::new("demo", "Demo", "") }
//! #     fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
//! #         let loss = ctx.series(Series::metric("loss").split("train"))?;
//! #         for step in 0..self.steps { ctx.log(step, &[(loss, 1.0)])?; ctx.step_end()?; }
//! #         Ok(())
//! #     }
//! # }
//!
//! let recorded = TestHost::new().seed(7).stop_at(2).run::<Demo>(&[("steps", "50")]);
//! assert_eq!(recorded.outcome, Outcome::Stopped);
//! assert_eq!(recorded.values("loss").len(), 3);
//! ```

#![allow(unsafe_code, reason = "it takes entries through a run")]

mod borrowed;
mod drive;
mod expect;
mod interrupted;
mod record;
mod vtable;

use std::any::TypeId;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use gradtop_abi as abi;

use crate::boundary::{self, Exported, Library, Plugin};
use crate::{Device, Experiment};

pub use expect::with;
pub use interrupted::{Interrupted, bits};
pub use record::{Checkpoint, ColumnValues, Level, Outcome, Point, Progress, Recorded, SeriesKey, Table};

/// A host in memory: set it up, then [`run`](Self::run) an experiment.
#[derive(Clone, Debug)]
pub struct TestHost {
    seed: u64,
    device: Device,
    threads: usize,
    preset: Option<String>,
    stop_at: Option<i64>,
    checkpoint_at: Vec<i64>,
    resume_from: Option<PathBuf>,
    size: usize,
}

impl Default for TestHost {
    fn default() -> Self {
        Self {
            seed: 0,
            device: Device::Cpu,
            threads: 1,
            preset: None,
            stop_at: None,
            checkpoint_at: Vec::new(),
            resume_from: None,
            size: size_of::<abi::Host>(),
        }
    }
}

impl TestHost {
    /// Seed 0, CPU, one thread; nothing is stopped and no checkpoint asked for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Seed of the run.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Device of the run.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Threads of the run.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Starts from a declared preset.
    #[must_use]
    pub fn preset(mut self, name: &str) -> Self {
        self.preset = Some(name.into());
        self
    }

    /// A stop is asked for once a point of this step or a later one is logged. A resumable experiment is
    /// first asked for a checkpoint, as gradtop does.
    #[must_use]
    pub fn stop_at(mut self, step: i64) -> Self {
        self.stop_at = Some(step);
        self
    }

    /// A checkpoint is asked for once a point of this step or a later one is logged. May be given again.
    #[must_use]
    pub fn checkpoint_at(mut self, step: i64) -> Self {
        self.checkpoint_at.push(step);
        self
    }

    /// The run goes on from this checkpoint, often [`Recorded::last_checkpoint`] of an earlier run.
    #[must_use]
    pub fn resume_from(mut self, dir: impl Into<PathBuf>) -> Self {
        self.resume_from = Some(dir.into());
        self
    }

    /// Plays an older host, whose struct has only this many bytes.
    #[must_use]
    pub fn host_size(mut self, bytes: usize) -> Self {
        self.size = bytes.min(size_of::<abi::Host>());
        self
    }

    /// Runs `E` with these parameters; those not named have their preset's or default values.
    pub fn run<E: Experiment>(&self, params: &[(&str, &str)]) -> Recorded {
        boundary::guard::in_tests();
        let plugin = Single::<E>::plugin();
        if let Some(problem) = plugin.problem() {
            return Recorded::refused(problem);
        }
        // SAFETY: the entry is ours, and the experiment is the only one.
        unsafe { drive::run(self, boundary::entry::<Single<E>>(), 0, params) }
    }

    /// Runs the experiment `id` of a plugin through what it exports:
    /// `TestHost::new().run_exported(gradtop_entry_v1, "demo", &[])`.
    pub fn run_exported(
        &self,
        entry: extern "C" fn() -> *const boundary::Entry,
        id: &str,
        params: &[(&str, &str)],
    ) -> Recorded {
        boundary::guard::in_tests();
        // SAFETY: `export_experiments!` made the entry.
        unsafe { drive::run_by_id(self, entry(), id, params) }
    }
}

/// A library of one experiment.
struct Single<E>(E);

impl<E: Experiment> Library for Single<E> {
    fn plugin() -> &'static Plugin {
        // A static inside a generic function would be shared by all types, hence the list.
        static PLUGINS: Mutex<Vec<(TypeId, &'static Plugin)>> = Mutex::new(Vec::new());
        let mut plugins = PLUGINS.lock().unwrap_or_else(PoisonError::into_inner);
        let id = TypeId::of::<E>();
        if let Some((_, plugin)) = plugins.iter().find(|(known, _)| *known == id) {
            return plugin;
        }
        let plugin = Plugin::new::<Self>(vec![Exported::of::<E>()], "0.0.0", None, None);
        let plugin: &'static Plugin = Box::leak(Box::new(plugin));
        plugins.push((id, plugin));
        plugin
    }
}
