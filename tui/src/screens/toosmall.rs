//! What a terminal gets that is too small for any screen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};
use ratatui::widgets::{Paragraph, Wrap};

use crate::app::Shared;

/// The smallest terminal that everything fits into.
pub(crate) const LEAST: (u16, u16) = (80, 24);

/// Whether this one is too small.
pub(crate) fn too_small(area: Rect) -> bool {
    area.width < LEAST.0 || area.height < LEAST.1
}

/// Says so, and what to do.
pub(crate) fn view(shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
    let (width, height) = LEAST;
    let text = Text::from(vec![
        Line::styled(
            format!("{}{}{} is too small", area.width, shared.theme.glyph('×', 'x'), area.height),
            shared.theme.bold(),
        ),
        Line::from(format!(
            "gradtop needs {width} columns and {height} lines: enlarge the window or shrink the font"
        )),
        Line::styled("q quits (runs go on)", shared.theme.dim()),
    ]);
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
}
