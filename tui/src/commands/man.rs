//! `gradtop man`: writes the manual pages, for packagers.

use std::path::PathBuf;

use anyhow::Result;
use clap::CommandFactory as _;

use super::cli::Cli;
use crate::files::{Cannot as _, not_stdout};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder to write them to, such as ~/.local/share/man/man1
    dir: PathBuf,
}

/// Writes a page for the program and one for each command.
pub(crate) fn run(args: &Args) -> Result<i32> {
    clap_mangen::generate_to(Cli::command(), not_stdout(&args.dir, "a folder of pages")?)
        .cannot("write manual pages to", &args.dir)?;
    Ok(0)
}
