//! A dialog in the centre of the screen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::symbols::border;
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType, Clear};

use super::Input;
use gradtop_chart::cells::text::{fit, width_of, wrap};
use gradtop_chart::cells::theme::Theme;
use gradtop_chart::number;

/// The width of the text in a dialog.
pub(crate) fn room(area: Rect) -> usize {
    usize::from(area.width.saturating_sub(8)).clamp(8, 66)
}

/// Draws a dialog. If there is little space, blank lines are left out.
pub(crate) fn draw(mut lines: Vec<Line<'static>>, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let low = lines.len() + 4 > usize::from(area.height);
    if low {
        lines.retain(|line| !line.spans.iter().all(|span| span.content.is_empty()));
    }
    let above: usize = if low { 1 } else { 2 };
    // The last line, with the keys, stays.
    let (room, last) = (usize::from(area.height).saturating_sub(above + 1), lines.len().saturating_sub(1));
    if last >= room && room > 2 {
        let hidden = number::counted(last + 2 - room, "more line");
        lines.splice(room - 2..last, [Line::styled(hidden, theme.dim())]);
    }
    let inner = lines.iter().map(|line| width_of(&line.to_string())).max().unwrap_or(0) as u16;
    let width = (inner + 6).min(area.width);
    let height = ((lines.len() + 2 * above) as u16).min(area.height);
    let outer =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 3, width, height };
    frame.render_widget(Clear, outer);
    let block = Block::bordered().border_style(theme.accent());
    let block = if theme.ascii() { block.border_set(ASCII) } else { block.border_type(BorderType::Rounded) };
    frame.render_widget(block, outer);
    let inside = Rect {
        x: outer.x + 3,
        y: outer.y + above as u16,
        width: outer.width.saturating_sub(4),
        height: outer.height.saturating_sub(above as u16 + 1),
    };
    super::lines(lines, theme, frame, inside.intersection(area));
}

/// The last lines of a dialog: an error if there is one, else the keys.
pub(crate) fn last(error: Option<&str>, keys: &str, room: usize, theme: Theme) -> Vec<Line<'static>> {
    let Some(error) = error else {
        return vec![Line::styled(fit(keys, room, theme.ascii()), theme.accent())];
    };
    wrap(error, room).into_iter().map(|line| Line::styled(line, theme.alert())).collect()
}

/// Draws a dialog with a title and a text input, followed by an error or the keys.
pub(crate) fn prompt(
    title: &str,
    typed: &Input,
    (error, keys): (Option<&str>, &str),
    theme: Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let room = room(area);
    let mut lines: Vec<Line<'_>> =
        wrap(title, room).into_iter().map(|line| Line::styled(line, theme.bold())).collect();
    lines.extend([Line::default(), Line::from(typed.spans(room, theme)), Line::default()]);
    lines.extend(last(error, keys, room, theme));
    draw(lines, theme, frame, area);
}

/// A border in ASCII.
const ASCII: border::Set<'_> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};
