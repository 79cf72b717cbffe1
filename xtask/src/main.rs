//! `cargo xtask`: set-up, run, test and benchmarks of gradtop.
//!
//! It depends neither on libtorch nor on much else, because it is compiled first. Its own messages go to stderr, so that `cargo
//! xtask run -- list --json` prints nothing but the program's output.
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a command-line tool of the workspace speaks to its user"
)]

mod bench;
mod dist;
mod film;
mod gpu_bundle;
mod pip;
mod run;
mod setup;
mod soak;
mod svg;
mod test;
mod toolchain;
mod workspace;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::workspace::{Workspace, place_studies};

const HELP: &str = "\
Usage: cargo xtask COMMAND

  setup [--cuda]     build the program, find or download libtorch 2.11.0, and point .libtorch at it
                     --cuda: the build for NVIDIA GPUs (the default if there is one)
  run [--] [ARGS]    set up if needed, build program and plugins in release, run `gradtop ARGS`
  test [FILTER...]   set up if needed, build, then format, lints, tests, docs and licences;
                     with FILTER only the tests whose name contains one of them
  bench [NAME]       run the benchmarks, or one: logging, monitor [draw start thousand query open-1m open-10m live keys],
                     training, cnn, mnist-mlp, random-labels, hessians, jacobian, instruments [ARGS of the program or script]
                     --report [--python PYTHON]: run all and write docs/performance.md
  soak [NAME ARGS]   list the checks that are too slow for the test suite, or run one
  dist [wheel]       pack what somebody without Rust needs into dist/: an archive, or a wheel for Python
                     --as-built: what is built for this machine, building nothing; --out DIR
  gpu-bundle [DIR]   pack a check for a machine with a GPU into a folder [target/gpu-bundle]; see docs/cuda.md
  svg                draw a terminal (`tmux capture-pane -e -p` on stdin) as an SVG picture
  film SCRIPT        play a session with the built program in tmux, and draw it as an animated SVG
  help               print this text
";

fn main() -> ExitCode {
    match dispatch(std::env::args().skip(1).collect()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(mut args: Vec<String>) -> Result<ExitCode> {
    if args.is_empty() {
        print!("{HELP}");
        return Ok(ExitCode::from(2));
    }
    let command = args.remove(0);
    let workspace = Workspace::locate()?;
    place_studies(&workspace.root, &workspace.release)?;
    match command.as_str() {
        "setup" => {
            let cuda = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                [] => false,
                ["--cuda"] => true,
                _ => bail!("`setup` knows only --cuda, got {}", args.join(" ")),
            };
            setup::setup(&workspace, cuda)?;
            Ok(ExitCode::SUCCESS)
        }
        "run" => {
            if args.first().is_some_and(|first| first == "--") {
                args.remove(0);
            }
            run::run(&workspace, &args)
        }
        "test" => test::test(&workspace, &args),
        "bench" => bench::bench(&workspace, &args),
        "soak" => soak::soak(&workspace, &args),
        "dist" => dist::dist(&workspace, &args),
        "gpu-bundle" => gpu_bundle::gpu_bundle(&workspace, &args),
        "film" => {
            let [script] = &args[..] else {
                bail!("`film` takes one script, such as docs/screens/session.film")
            };
            print!("{}", film::record(Path::new(script), &workspace.release)?);
            Ok(ExitCode::SUCCESS)
        }
        "svg" => {
            print!("{}", svg::from_stdin()?);
            Ok(ExitCode::SUCCESS)
        }
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("`{other}` is not a command of xtask; `cargo xtask help` lists them"),
    }
}
