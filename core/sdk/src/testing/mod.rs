//! An in-memory host for a plugin's own tests.
//!
//! An experiment runs as it does under gradtop: through the entry that the plugin exports, with parameters as text and
//! every call through C functions. No library is loaded.
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

/// A host in memory: configure it, then [`run`](Self::run) an experiment.
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
    /// Creates a host with seed 0, CPU and one thread, which requests neither a stop nor a checkpoint.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the seed of the run.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the device of the run.
    #[must_use]
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Sets the number of threads.
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

    /// Requests a stop once a point at this step or later is logged. A resumable experiment is first asked for a
    /// checkpoint, as gradtop does.
    #[must_use]
    pub fn stop_at(mut self, step: i64) -> Self {
        self.stop_at = Some(step);
        self
    }

    /// Requests a checkpoint once a point at this step or later is logged. May be called repeatedly.
    #[must_use]
    pub fn checkpoint_at(mut self, step: i64) -> Self {
        self.checkpoint_at.push(step);
        self
    }

    /// Resumes from this checkpoint, often [`Recorded::last_checkpoint`] of an earlier run.
    #[must_use]
    pub fn resume_from(mut self, dir: impl Into<PathBuf>) -> Self {
        self.resume_from = Some(dir.into());
        self
    }

    /// Simulates an older host, whose struct has only this many bytes.
    #[must_use]
    pub fn host_size(mut self, bytes: usize) -> Self {
        self.size = bytes.min(size_of::<abi::Host>());
        self
    }

    /// Runs `E` with these parameters; others have their preset's or default values.
    pub fn run<E: Experiment>(&self, params: &[(&str, &str)]) -> Recorded {
        boundary::guard::in_tests();
        let plugin = Single::<E>::plugin();
        if let Some(problem) = plugin.problem() {
            return Recorded::refused(problem);
        }
        // SAFETY: our own entry, with a single experiment.
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
        // SAFETY: the entry was created by `export_experiments!`.
        unsafe { drive::run_by_id(self, entry(), id, params) }
    }
}

/// A library with one experiment.
struct Single<E>(E);

impl<E: Experiment> Library for Single<E> {
    fn plugin() -> &'static Plugin {
        // A static inside a generic function is shared by all types, hence the list.
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
