//! What a launcher can start.

use gradtop_store::NewRun;

use crate::command::exec::{self, Exec};
use crate::error::Result;
use crate::machine::git;
use crate::run::launch::{Begin, Launch, Source};

/// A run to start.
#[derive(Debug, Clone)]
pub enum Start {
    /// A run of an experiment.
    Run(Launch),
    /// A run of a command.
    Exec(Exec),
}

impl Start {
    /// Returns the id of its experiment.
    pub fn experiment(&self) -> String {
        match self {
            Self::Run(launch) => launch.experiment.clone(),
            Self::Exec(exec) => exec.experiment_id(),
        }
    }
}

/// Runs whose parameters no experiment refuses.
pub(crate) struct Checked<'a> {
    starts: &'a [Start],
    sources: Vec<Source>,
    git: git::Asked,
}

impl<'a> Checked<'a> {
    /// Checks all of them. `gpu` is set if they will be on another machine, and says whether that has a GPU.
    pub(crate) fn all(starts: &'a [Start], gpu: Option<bool>) -> Result<Self> {
        let mut sources: Vec<Source> = Vec::new();
        let mut launches: Vec<Vec<&Launch>> = Vec::new();
        for start in starts {
            let Start::Run(launch) = start else { continue };
            if let Some(n) = sources.iter().position(|source| source.is_of(launch)) {
                launches[n].push(launch);
            } else {
                sources.push(Source::of(launch, gpu)?);
                launches.push(vec![launch]);
            }
        }
        sources.iter().zip(&launches).try_for_each(|(source, launches)| source.check(launches))?;
        Ok(Self { starts, sources, git: git::Asked::default() })
    }

    /// Creates each run in turn like [`Source::new_run`]. Interrupts must be blocked.
    pub(crate) fn new_runs(&self, begin: Begin) -> impl Iterator<Item = Result<NewRun>> {
        self.starts.iter().map(move |start| match start {
            Start::Exec(exec) => exec::new_run(exec, begin, &self.git),
            Start::Run(launch) => match self.sources.iter().find(|source| source.is_of(launch)) {
                Some(source) => source.new_run(launch, begin),
                None => unreachable!("each has been checked"),
            },
        })
    }
}
