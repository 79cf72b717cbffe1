//! Several lines on standard error, updated in place below a bar. Does nothing if standard error is not a terminal.

use indicatif::{MultiProgress, ProgressBar};

use super::progress::{bar_template, style};
use super::terminal::terminal;
use super::{draw_target, guarded};
use gradtop_chart::cells::text::fit;

/// The resolution of the bar.
const FINE: u64 = 10_000;

/// A bar with lines below it.
pub(crate) struct BarWithLines {
    all: MultiProgress,
    bar: ProgressBar,
    lines: Vec<ProgressBar>,
}

impl BarWithLines {
    /// Returns a bar if standard error is a terminal.
    pub(crate) fn start() -> Option<Self> {
        let all = MultiProgress::with_draw_target(draw_target::standard_error(5)?);
        let bar = all.add(ProgressBar::new(FINE));
        bar.set_style(style(&bar_template()));
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
            self.lines.push(self.all.add(ProgressBar::new_spinner().with_style(style("{msg}"))));
        }
        for line in self.lines.drain(parts.len()..) {
            line.finish_and_clear();
            self.all.remove(&line);
        }
        for (line, part) in self.lines.iter().zip(parts) {
            line.set_message(fit(&guarded(part, false), width, ascii));
        }
    }

    /// Prints something above the bar.
    pub(crate) fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.all.suspend(print)
    }

    /// Removes the bar.
    pub(crate) fn end(self) {
        for line in &self.lines {
            line.finish_and_clear();
        }
        self.bar.finish_and_clear();
        self.all.clear().ok();
    }
}
