//! A progress bar on standard error. Does nothing if that is not a terminal.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::terminal::terminal;
use super::{draw_target, guarded};
use gradtop_chart::colour::Colours;

/// The content of a progress bar.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shown {
    /// Work done and total work, if known.
    pub(crate) share: Option<(u64, u64)>,
    /// The text before the bar.
    pub(crate) phase: String,
    /// Step, rate, remaining time.
    pub(crate) numbers: String,
    /// Losses and the like. They get a line of their own because 80 columns do not hold both.
    pub(crate) headline: String,
}

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(250);

pub(crate) struct Progress {
    bar: ProgressBar,
    ascii: bool,
    before: Option<Shown>,
    ticked: Instant,
}

impl Progress {
    /// Returns a bar if standard error is a terminal.
    pub(crate) fn start() -> Option<Self> {
        if !std::io::stderr().is_terminal() || std::env::var_os("TERM").is_some_and(|t| t == "dumb") {
            return None;
        }
        let ascii = terminal().glyphs.ascii();
        let bar = ProgressBar::with_draw_target(None, draw_target::standard_error(10));
        Some(Self { bar, ascii, before: None, ticked: Instant::now() })
    }

    /// Updates the bar.
    pub(crate) fn show(&mut self, shown: Shown) {
        // Not done by indicatif's own thread, which panics if no thread can be started.
        if self.ticked.elapsed() >= TICK {
            self.ticked = Instant::now();
            self.bar.tick();
        }
        if self.before.as_ref() == Some(&shown) {
            return;
        }
        let plain = terminal().colours == Colours::None;
        let bar = if plain { "{bar:24}" } else { "{bar:24.green/black.bright}" };
        let first = match shown.share {
            Some(_) => format!("{{prefix}} {bar} {{percent:>3}} %  {{msg}}"),
            None => "{prefix} {spinner}  {msg}".to_owned(),
        };
        // Always two lines: a bar that changes its height makes the screen jump.
        let template = format!("{first}\n{{headline}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            let headline = format!("  {}", guarded(&shown.headline, false));
            let style =
                style.with_key("headline", move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
                    // Writing to a string cannot fail.
                    out.write_str(&headline).ok();
                });
            let style = if self.ascii {
                style.progress_chars("#>.").tick_chars("-\\|/-")
            } else {
                style.progress_chars("█▉▊▋▌▍▎▏░").tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
            };
            self.bar.set_style(style);
        }
        if let Some((done, total)) = shown.share {
            self.bar.set_length(total);
            self.bar.set_position(done);
        }
        self.bar.set_prefix(guarded(&shown.phase, false).into_owned());
        self.bar.set_message(guarded(&shown.numbers, false).into_owned());
        self.before = Some(shown);
    }

    /// Prints something above the bar.
    pub(crate) fn above(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    /// Removes the bar.
    pub(crate) fn end(self) {
        self.bar.finish_and_clear();
    }
}
