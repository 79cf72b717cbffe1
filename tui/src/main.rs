//! The `gradtop` binary: all commands, and the helper processes that it starts itself as.

mod app;
#[cfg(test)]
mod bench_tests;
mod builder;
mod commands;
mod config;
mod conformance;
mod download;
mod drawing;
mod editor;
mod failure;
mod files;
mod foreground;
mod list_view;
mod print;
mod report;
mod runtime;
mod scaffold;
mod screens;
mod setup;
mod sql;
mod study;
mod widgets;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;
use config::{Config, Key};
use gradtop_chart::cells::glyphs::Glyphs;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    // First of all: the helper processes must start fast and have their process to themselves.
    if let Some(code) = gradtop_host::hidden_main(args.get(1..).unwrap_or_default()) {
        return exit(code);
    }
    let config = Config::load();
    if let Some([asked, line]) = args.get(1..)
        && asked == "__complete"
    {
        return exit(commands::complete::run(&line.to_string_lossy(), config.as_ref().ok()));
    }
    let glyphs = config.as_ref().ok().and_then(|c| print::terminal::named(c.text(Key::Glyphs)?).ok());
    let cli = match commands::cli::Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => {
            let ascii = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--ascii");
            print::terminal::decide(if ascii { Some(Glyphs::Ascii) } else { glyphs });
            return finish(print_clap(&error, &args));
        }
    };
    print::terminal::decide(if cli.ascii { Some(Glyphs::Ascii) } else { glyphs });
    let done = config.and_then(|config| commands::dispatch(cli, config));
    finish(done.unwrap_or_else(|error| failure::report(&error)))
}

/// Returns the exit code, which is 1 if output could not be written.
fn finish(code: i32) -> ExitCode {
    exit(if code == 0 && print::lost() { 1 } else { code })
}

fn exit(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// Prints help and version to standard output, errors to standard error.
fn print_clap(error: &clap::Error, args: &[OsString]) -> i32 {
    let coloured = print::terminal().colours != gradtop_chart::colour::Colours::None;
    let text = error.render();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        print::note(text.to_string().trim_end());
    } else if error.use_stderr() {
        return failure::report(
            &commands::usage::failure(error, args, &commands::complete::named_experiment).into(),
        );
    } else if coloured {
        print::out(&text.ansi().to_string());
    } else {
        print::out(&text.to_string());
    }
    error.exit_code()
}
