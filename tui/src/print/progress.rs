//! A progress bar with lines below it on standard error. Does nothing if that is not a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use super::terminal::terminal;
use super::{draw_target, guarded};
use gradtop_chart::colour::Colours;

/// A bar with a text before and after it.
fn bar_template() -> String {
    let plain = terminal().colours == Colours::None;
    let bar = if plain { "{bar:24}" } else { "{bar:24.green/black.bright}" };
    format!("{{prefix}} {bar} {{percent:>3}} %  {{msg}}")
}

/// A style with the characters of this terminal.
fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    if terminal().glyphs.ascii() {
        style.progress_chars("#>.").tick_chars("-\\|/-")
    } else {
        style.progress_chars("█▉▊▋▌▍▎▏░").tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
    }
}

/// The content of a progress bar.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shown {
    /// Work done and total work, if known.
    pub(crate) share: Option<(u64, u64)>,
    /// The text before the bar.
    pub(crate) phase: String,
    /// Step, rate, remaining time.
    pub(crate) numbers: String,
    /// The lines below: losses and the like, because 80 columns do not hold both, or the parts of the work.
    pub(crate) below: String,
}

const TICK: Duration = Duration::from_millis(250);

pub(crate) struct Progress {
    bar: ProgressBar,
    before: Option<Shown>,
    ticked: Instant,
}

impl Progress {
    /// Returns a bar if standard error is a terminal.
    pub(crate) fn start() -> Option<Self> {
        let bar = ProgressBar::with_draw_target(None, draw_target::standard_error(10)?);
        Some(Self { bar, before: None, ticked: Instant::now() })
    }

    pub(crate) fn show(&mut self, shown: Shown) {
        // Not done by indicatif's own thread, which panics if no thread can be started.
        if self.ticked.elapsed() >= TICK {
            self.ticked = Instant::now();
            self.bar.tick();
        }
        if self.before.as_ref() == Some(&shown) {
            return;
        }
        let first =
            if shown.share.is_some() { bar_template() } else { "{prefix} {spinner}  {msg}".to_owned() };
        let below = guarded(&shown.below, false).into_owned();
        let style = style(&format!("{first}\n{{below}}"));
        self.bar.set_style(style.with_key(
            "below",
            move |_: &ProgressState, out: &mut dyn std::fmt::Write| {
                // Writing to a string cannot fail.
                out.write_str(&below).ok();
            },
        ));
        if let Some((done, total)) = shown.share {
            self.bar.set_length(total);
            self.bar.set_position(done);
        }
        self.bar.set_prefix(guarded(&shown.phase, false).into_owned());
        self.bar.set_message(guarded(&shown.numbers, false).into_owned());
        self.before = Some(shown);
    }

    pub(crate) fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    pub(crate) fn end(self) {
        self.bar.finish_and_clear();
    }
}
