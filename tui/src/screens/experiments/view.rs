//! Drawing.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Experiments;
use crate::app::Shared;

impl Experiments {
    /// Draws it into `area`; header and footer are the frame's.
    pub(crate) fn view(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        frame.render_widget(Line::styled("Experiments", shared.theme.bold()), area);
    }
}
