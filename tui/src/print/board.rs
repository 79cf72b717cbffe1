//! Several lines on standard error, updated in place below a bar. Does nothing if standard error is not a terminal.

use std::io::IsTerminal as _;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::terminal::terminal;
use super::{draw_target, guarded};
use gradtop_chart::cells::text::fit;
use gradtop_chart::colour::Colours;

/// The resolution of the bar.
const FINE: u64 = 10_000;

/// A bar with lines below it.
pub(crate) struct Board {
    all: MultiProgress,
    bar: ProgressBar,
    lines: Vec<ProgressBar>,
}

impl Board {
    /// Returns a board if standard error is a terminal.
    pub(crate) fn start() -> Option<Self> {
        if !std::io::stderr().is_terminal() || std::env::var_os("TERM").is_some_and(|t| t == "dumb") {
            return None;
        }
        let all = MultiProgress::with_draw_target(draw_target::standard_error(5));
        let bar = all.add(ProgressBar::new(FINE));
        let plain = terminal().colours == Colours::None;
        let form = if plain { "{bar:24}" } else { "{bar:24.green/black.bright}" };
        let template = format!("{{prefix}} {form} {{percent:>3}} %  {{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            let chars = if terminal().glyphs.ascii() { "#>." } else { "█▉▊▋▌▍▎▏░" };
            bar.set_style(style.progress_chars(chars));
        }
        Some(Self { all, bar, lines: Vec::new() })
    }

    /// Updates the bar, its label and the lines below.
    pub(crate) fn show(&mut self, name: &str, share: f64, words: &str, parts: &[String]) {
        let ascii = terminal().glyphs.ascii();
        let width = terminal().size.map_or(usize::MAX, |(w, _)| w.saturating_sub(draw_target::ECHO));
        self.bar.set_prefix(guarded(name, false).into_owned());
        self.bar.set_message(guarded(words, false).into_owned());
        self.bar.set_position((share.clamp(0.0, 1.0) * FINE as f64) as u64);
        while self.lines.len() < parts.len() {
            let line = self.all.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                line.set_style(style);
            }
            self.lines.push(line);
        }
        for line in self.lines.drain(parts.len()..) {
            line.finish_and_clear();
            self.all.remove(&line);
        }
        for (line, part) in self.lines.iter().zip(parts) {
            line.set_message(fit(&guarded(part, false), width, ascii));
        }
    }

    /// Prints something above the board.
    pub(crate) fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.all.suspend(print)
    }

    /// Removes the board.
    pub(crate) fn end(self) {
        for line in &self.lines {
            line.finish_and_clear();
        }
        self.bar.finish_and_clear();
        self.all.clear().ok();
    }
}
