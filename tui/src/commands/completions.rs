//! `gradtop completions`: prints a shell completion script.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::cli::Cli;
use crate::print;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell, for example: gradtop completions bash > ~/.local/share/bash-completion/completions/gradtop
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> i32 {
    // The scripts for these three shells call gradtop at each Tab, see `complete`; the others are static.
    match args.shell {
        Shell::Bash => print::out(include_str!("completions/gradtop.bash")),
        Shell::Zsh => print::out(include_str!("completions/gradtop.zsh")),
        Shell::Fish => print::out(include_str!("completions/gradtop.fish")),
        shell => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "gradtop", &mut script);
            print::out(&String::from_utf8_lossy(&script));
        }
    }
    0
}
