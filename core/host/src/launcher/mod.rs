//! Launchers: where a run's keeper starts. A run's folder is made first, whatever the launcher.

use gradtop_store::{RunDir, change_notes};
use serde::Deserialize;

use crate::command::exec;
use crate::error::Result;
use crate::launcher::slurm::Slurm;
use crate::launcher::start::Start;
use crate::run::launch::{self, Resume, Resumed};

pub(crate) mod ask;
pub(crate) mod in_job;
pub(crate) mod jobs;
pub(crate) mod slurm;
pub(crate) mod start;
pub(crate) mod take_over;

/// Where runs start, under a name.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// Its name.
    pub name: String,
    kind: Kind,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Kind {
    /// On this machine, at once.
    Local,
    /// As a job of Slurm.
    Slurm(Slurm),
}

/// What launchers there are where no settings name one.
const BUILT_IN: [&str; 2] = ["local", "slurm"];

impl Launcher {
    /// The launcher that needs no settings and has the name of its kind.
    pub fn built_in(name: &str) -> Option<Self> {
        let kind = match name {
            "local" => Kind::Local,
            "slurm" => Kind::Slurm(Slurm::default()),
            _ => return None,
        };
        Some(Self { name: name.to_owned(), kind })
    }

    /// The names of those that need no settings.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.into_iter()
    }

    /// Reads the table `[launcher.NAME]` of the settings.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(name: &str, table: toml::Table) -> Result<Self, String> {
        let kind =
            toml::Value::Table(table).try_into().map_err(|e: toml::de::Error| e.message().to_owned())?;
        Ok(Self { name: name.to_owned(), kind })
    }

    /// Whether it starts runs at once, as processes of this machine.
    pub fn is_local(&self) -> bool {
        matches!(self.kind, Kind::Local)
    }

    /// `local` or `slurm`.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Local => "local",
            Kind::Slurm(_) => "slurm",
        }
    }

    /// Starts runs, or has them started: several of them as one array. All get the tag, if there is one; no more than `at_once` work
    /// at the same time.
    ///
    /// # Errors
    /// As [`crate::launch`] and [`crate::exec()`]; or the batch system refuses them, and then none of them is left.
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

    /// As [`crate::resume`]; in a batch system an ended run waits for a job that goes on with it.
    ///
    /// # Errors
    /// As [`crate::resume`], or the batch system refuses it.
    pub fn resume(&self, run: &RunDir, how: Resume) -> Result<Resumed> {
        match &self.kind {
            Kind::Local => launch::resume(run, how),
            Kind::Slurm(slurm) => slurm.resume(&self.name, run, how),
        }
    }

    /// Whether this machine has the programs that it takes.
    pub fn is_installed(&self) -> bool {
        match &self.kind {
            Kind::Local => true,
            Kind::Slurm(_) => slurm::is_installed(),
        }
    }

    /// Whether a run could be started so now, in words.
    ///
    /// # Errors
    /// Why it could not.
    pub fn check(&self) -> Result<String, String> {
        match &self.kind {
            Kind::Local => Ok("this machine".to_owned()),
            Kind::Slurm(slurm) => slurm.check(),
        }
    }
}
