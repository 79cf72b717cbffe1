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
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// On this machine, immediately.
    Local,
    /// As a Slurm job.
    Slurm(Slurm),
}

/// Launchers available without settings.
const BUILT_IN: [&str; 2] = ["local", "slurm"];

impl Launcher {
    /// Returns the launcher of that kind without settings.
    pub fn built_in(name: &str) -> Option<Self> {
        let kind = match name {
            "local" => Kind::Local,
            "slurm" => Kind::Slurm(Slurm::default()),
            _ => return None,
        };
        Some(Self { name: name.to_owned(), kind })
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
        match &mut launcher.kind {
            Kind::Slurm(slurm) => *slurm = Slurm::deserialize(table).map_err(|e| toml_message(&e))?,
            Kind::Local if table.len() == 1 => {}
            Kind::Local => return Err("a launcher of kind local has no other keys".to_owned()),
        }
        Ok(Self { name: name.to_owned(), ..launcher })
    }

    /// Returns whether it starts runs immediately, as processes of this machine.
    pub fn is_local(&self) -> bool {
        matches!(self.kind, Kind::Local)
    }

    /// Returns `local` or `slurm`.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Local => "local",
            Kind::Slurm(_) => "slurm",
        }
    }

    /// Starts or submits runs; several become one array. All get `tag`, if given, and at most `at_once` run at the same time.
    ///
    /// # Errors
    /// See [`crate::launch`] and [`crate::exec()`]. If the batch system refuses them, all are removed.
    pub fn start(&self, starts: &[Start], tag: Option<&str>, at_once: Option<u32>) -> Result<Vec<RunDir>> {
        match &self.kind {
            Kind::Slurm(slurm) => slurm.start(&self.name, starts, tag, at_once),
            Kind::Local => starts
                .iter()
                .map(|start| {
                    let run = match start {
                        Start::Run(launch) => launch::launch(launch),
                        Start::Exec(exec) => exec::exec(exec),
                    }?;
                    if let Some(tag) = tag {
                        change_notes(&run, |notes| notes.add_tag(tag))?;
                    }
                    Ok(run)
                })
                .collect(),
        }
    }

    /// Like [`crate::resume`]; in a batch system, an ended run waits for a job that continues it.
    ///
    /// # Errors
    /// See [`crate::resume`], or the batch system refuses.
    pub fn resume(&self, run: &RunDir, how: Resume) -> Result<Resumed> {
        match &self.kind {
            Kind::Local => resume::resume(run, how),
            Kind::Slurm(slurm) => slurm.resume(&self.name, run, how),
        }
    }

    /// Returns whether the programs it needs are installed.
    pub fn is_installed(&self) -> bool {
        match &self.kind {
            Kind::Local => true,
            Kind::Slurm(_) => slurm::is_installed(),
        }
    }

    /// Checks whether a run could be started now, and describes when.
    ///
    /// # Errors
    /// Why a run could not be started.
    pub fn check(&self) -> Result<String, String> {
        match &self.kind {
            Kind::Local => Ok("this machine".to_owned()),
            Kind::Slurm(slurm) => slurm.check(),
        }
    }
}
