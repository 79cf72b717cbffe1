//! What a launcher starts.

use gradtop_store::Birth;

use crate::command::exec::{self, Exec};
use crate::error::Result;
use crate::machine::signals::Blocked;
use crate::run::launch::{self, Begin, Launch};

/// A run to be started.
#[derive(Debug, Clone)]
pub enum Start {
    /// Of an experiment.
    Run(Launch),
    /// Of a command.
    Exec(Exec),
}

impl Start {
    /// As [`launch::born`]. `gpu`: it will run on another machine, which has a GPU or not.
    pub(crate) fn born(&self, begin: Begin, gpu: Option<bool>) -> Result<(Birth, Blocked)> {
        match self {
            Self::Run(launch) => launch::born(launch, begin, gpu),
            Self::Exec(exec) => exec::born(exec, begin),
        }
    }
}
