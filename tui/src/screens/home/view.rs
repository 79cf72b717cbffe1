//! Drawing the list.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Home;
use crate::app::Shared;

impl Home {
    /// Draws it into `area`; header and footer are the frame's.
    pub(crate) fn view(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        for ((i, row), y) in shared.runs.rows.iter().enumerate().zip(area.y..area.bottom()) {
            let text = format!("{} {}", row.view.state, row.name());
            let style = if i == self.cursor { shared.theme.cursor() } else { shared.theme.text() };
            frame.render_widget(Line::styled(text, style), Rect { y, height: 1, ..area });
        }
    }
}
