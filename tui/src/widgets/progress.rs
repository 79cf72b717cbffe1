//! A progress bar in eighths of a cell.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

/// A progress bar in one row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProgressBar {
    share: Option<f64>,
    ascii: bool,
    full: Style,
    empty: Style,
}

impl ProgressBar {
    /// Creates a bar for `done` of `total` units; empty if the total is unknown (0).
    pub(crate) fn new(done: u64, total: u64, ascii: bool) -> Self {
        let share = (total > 0).then(|| (done as f64 / total as f64).clamp(0.0, 1.0));
        Self { share, ascii, full: Style::new(), empty: Style::new() }
    }

    /// Sets the styles of the filled and the empty part.
    pub(crate) fn styles(self, full: Style, empty: Style) -> Self {
        Self { full, empty, ..self }
    }

    /// The filled and the empty characters for a width.
    pub(crate) fn text(&self, width: usize) -> (String, String) {
        let Some(share) = self.share else {
            return (String::new(), if self.ascii { "." } else { "·" }.repeat(width));
        };
        if self.ascii {
            let full = (share * width as f64).floor() as usize;
            return ("#".repeat(full), "-".repeat(width - full));
        }
        // Full only when everything is done.
        let eighths = (share * width as f64 * 8.0).floor() as usize;
        let (whole, part) = (eighths / 8, eighths % 8);
        let mut full = "█".repeat(whole);
        if part > 0 {
            full.push(['▏', '▎', '▍', '▌', '▋', '▊', '▉'][part - 1]);
        }
        (full, "░".repeat(width - whole - usize::from(part > 0)))
    }
}

impl Widget for ProgressBar {
    fn render(self, area: Rect, buf: &mut Buffer) {
        if area.height == 0 {
            return;
        }
        let (full, empty) = self.text(usize::from(area.width));
        let (x, _) = buf.set_stringn(area.x, area.y, full, usize::from(area.width), self.full);
        buf.set_stringn(x, area.y, empty, usize::from(area.right().saturating_sub(x)), self.empty);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_full_only_when_all_is_done() {
        let bar = |done, total, ascii| {
            let (full, empty) = ProgressBar::new(done, total, ascii).text(10);
            full + &empty
        };
        assert_eq!(bar(0, 10, false), "░░░░░░░░░░");
        assert_eq!(bar(76, 100, false), "███████▌░░");
        assert_eq!(bar(999, 1000, false), "█████████▉");
        assert_eq!(bar(10, 10, false), "██████████");
        assert_eq!(bar(11, 10, true), "##########");
        assert_eq!(bar(999, 1000, true), "#########-");
        assert_eq!(bar(5, 0, true), "..........");
    }
}
