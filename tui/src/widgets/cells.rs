//! Character cells of the chart core in a buffer.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::app::theme::Theme;
use gradtop_chart::cells::grid::{Grid, Ink};

/// Draws a grid at the top left of an area, cut at its edges. `bold` is the style of titles.
pub(crate) fn grid(grid: &Grid, area: Rect, buf: &mut Buffer, theme: Theme, bold: Style) {
    let area = area.intersection(buf.area);
    let mut text = [0u8; 4];
    for row in 0..grid.height().min(usize::from(area.height)) {
        let y = area.y + row as u16;
        // Neighbours mostly share their ink.
        let mut held: Option<(Ink, Option<[u8; 3]>, Style)> = None;
        for (column, cell) in grid.row(row).iter().take(usize::from(area.width)).enumerate() {
            let x = area.x + column as u16;
            let Some(target) = buf.cell_mut((x, y)) else { continue };
            let Some(ch) = cell.ch else {
                // The second half of a wide character.
                target.set_symbol(" ");
                continue;
            };
            let style = match held {
                Some((ink, ground, style)) if ink == cell.ink && ground == cell.ground => style,
                _ => {
                    let own = if cell.ink == Ink::Bold { bold } else { theme.ink(cell.ink) };
                    let style = cell.ground.map_or(own, |g| own.patch(theme.back(g)));
                    held = Some((cell.ink, cell.ground, style));
                    style
                }
            };
            target.set_symbol(ch.encode_utf8(&mut text));
            if ch != ' ' || cell.ground.is_some() {
                target.set_style(style);
            }
        }
    }
}
