//! `gradtop` without a command: starts the monitor.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Context, list};
use crate::config::{Key, fps, kbps};
use crate::print;
use crate::runtime::{self, Options};

/// Default frames per second, and kilobytes per second at which even a slow line feels responsive.
pub(crate) const FPS: f64 = 10.0;
pub(crate) const KBPS: f64 = 4.0;

#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Monitor (without a command)")]
pub(crate) struct Args {
    /// Look only: nothing can be started, stopped or deleted
    #[arg(long)]
    read_only: bool,
    /// Print one frame and exit
    #[arg(long)]
    once: bool,
    /// Draw new data at most N times a second [default: 10]
    #[arg(long, value_name = "N", value_parser = fps)]
    fps: Option<f64>,
    /// Send at most N kilobytes of new data a second, on average; 0 for no limit [default: 4]
    #[arg(long, value_name = "N", value_parser = kbps)]
    max_kbps: Option<f64>,
    /// Whose logs `gradtop open` shows
    #[arg(skip)]
    opened: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let config = &context.config;
    let options = Options {
        runs: context.readable_runs()?,
        read_only: args.read_only || config.value(Key::ReadOnly).unwrap_or(false),
        fps: args.fps.or(config.value(Key::Fps)).unwrap_or(FPS),
        max_kbps: args.max_kbps.or(config.value(Key::MaxKbps)).unwrap_or(KBPS),
        theme: config.value(Key::Theme),
        launch: config.launch(),
        opened: args.opened.clone(),
    };
    if args.once {
        runtime::once(&options)
    } else if print::terminal().tty && !print::terminal().dumb {
        runtime::run(&options)
    } else {
        list::run(context, &list::Args::default())
    }
}

impl Args {
    /// Options for `gradtop open`.
    pub(super) fn showing(path: &Path, once: bool) -> Self {
        Self { once, opened: Some(path.to_owned()), ..Self::default() }
    }

    /// The first monitor option that was given. With a command, any of them is an error.
    pub(crate) fn given(&self) -> Option<&'static str> {
        [
            (self.read_only, "--read-only"),
            (self.once, "--once"),
            (self.fps.is_some(), "--fps"),
            (self.max_kbps.is_some(), "--max-kbps"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }
}
