//! Launchers, which determine where a run's keeper starts. The run's folder is created first in any case.

use gradtop_store::{RunDir, change_notes, toml_message};
use serde::Deserialize as _;

use crate::command::exec;
use crate::error::Result;
use crate::launcher::slurm::Slurm;
use crate::launcher::start::Start;
use crate::run::launch;
use crate::run::resume::{self, Resume, Resumed};

pub(crate) mod ask;
pub(crate) mod in_job;
pub(crate) mod jobs;
pub(crate) mod slurm;
pub(crate) mod start;
pub(crate) mod take_over;

/// A named way to start runs.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// Its name.
    pub name: String,
    /// `None` if it starts them on this machine, immediately.
    slurm: Option<Slurm>,
}

/// Launchers available without settings.
const BUILT_IN: [&str; 2] = ["local", "slurm"];

impl Launcher {
    /// Returns the launcher of that kind without settings.
    pub fn built_in(name: &str) -> Option<Self> {
        let slurm = match name {
            "local" => None,
            "slurm" => Some(Slurm::default()),
            _ => return None,
        };
        Some(Self { name: name.to_owned(), slurm })
    }

    /// Returns the names of the launchers available without settings.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.into_iter()
    }

    /// Parses the settings table `[launcher.NAME]`.
    ///
    /// # Errors
    /// The table is invalid.
    pub fn read(name: &str, table: toml::Table) -> Result<Self, String> {
        let expected = || format!("the key kind must be {}, in quotes", BUILT_IN.join(" or "));
        let kind = table.get("kind").ok_or_else(expected)?;
        let mut launcher = kind.as_str().and_then(Self::built_in).ok_or_else(expected)?;
        match &mut launcher.slurm {
            Some(slurm) => *slurm = Slurm::deserialize(table).map_err(|e| toml_message(&e))?,
            None if table.len() == 1 => {}
            None => return Err("a launcher of kind local has no other keys".to_owned()),
        }
        Ok(Self { name: name.to_owned(), ..launcher })
    }

    /// Returns whether it starts runs immediately, as processes of this machine.
    pub fn is_local(&self) -> bool {
        self.slurm.is_none()
    }

    /// Returns `local` or `slurm`.
    pub fn kind(&self) -> &'static str {
        if self.is_local() { "local" } else { "slurm" }
    }

    /// Starts or submits runs; several become one array. All get `tag`, if given, and at most `at_once` run at the same time.
    ///
    /// # Errors
    /// See [`crate::launch`] and [`crate::exec()`]. If the batch system refuses them, all are removed.
    pub fn start(&self, starts: &[Start], tag: Option<&str>, at_once: Option<u32>) -> Result<Vec<RunDir>> {
        if let Some(slurm) = &self.slurm {
            return slurm.start(&self.name, starts, tag, at_once);
        }
        let start = |start: &Start| {
            let run = match start {
                Start::Run(launch) => launch::launch(launch),
                Start::Exec(exec) => exec::exec(exec),
            }?;
            if let Some(tag) = tag {
                change_notes(&run, |notes| notes.add_tag(tag))?;
            }
            Ok(run)
        };
        starts.iter().map(start).collect()
    }

    /// Like [`crate::resume`]; in a batch system, an ended run waits for a job that continues it.
    ///
    /// # Errors
    /// See [`crate::resume`], or the batch system refuses.
    pub fn resume(&self, run: &RunDir, how: Resume) -> Result<Resumed> {
        match &self.slurm {
            None => resume::resume(run, how),
            Some(slurm) => slurm.resume(&self.name, run, how),
        }
    }

    /// Returns whether the programs it needs are installed.
    pub fn is_installed(&self) -> bool {
        self.is_local() || slurm::is_installed()
    }

    /// Checks whether a run could be started now, and describes when.
    ///
    /// # Errors
    /// Why a run could not be started.
    pub fn check(&self) -> Result<String, String> {
        self.slurm.as_ref().map_or_else(|| Ok("this machine".to_owned()), Slurm::check)
    }
}
