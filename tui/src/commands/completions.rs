//! `gradtop completions`: a script that completes commands and options.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::cli::Cli;
use crate::print;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell, for example: gradtop completions bash > ~/.local/share/bash-completion/completions/gradtop
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> i32 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gradtop", &mut script);
    print::out(&String::from_utf8_lossy(&script));
    0
}
