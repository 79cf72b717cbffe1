//! Drawing.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Compare;
use crate::app::Shared;

impl Compare {
    /// Draws it into `area`; header and footer are the frame's.
    pub(crate) fn view(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        frame.render_widget(Line::styled("Comparison", shared.theme.bold()), area);
    }
}
