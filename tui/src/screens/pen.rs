//! Writes text into the cells of a row, from left to right.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use gradtop_chart::cells::text::{fit, width_of};
use gradtop_chart::cells::theme::Theme;

/// A pen for one row of an area. Text that does not fit is cut with an ellipsis.
pub(crate) struct Pen<'a> {
    buffer: &'a mut Buffer,
    theme: Theme,
    x: u16,
    y: u16,
    end: u16,
}

impl<'a> Pen<'a> {
    /// Places the pen at the left of a row of `area`.
    pub(crate) fn row(buffer: &'a mut Buffer, theme: Theme, area: Rect, row: u16) -> Self {
        let inside = row < area.height && area.y + row < buffer.area.bottom();
        let end = area.right().min(buffer.area.right());
        Self { buffer, theme, x: area.x, y: area.y + row, end: if inside { end } else { area.x } }
    }

    /// The number of columns left.
    pub(crate) fn room(&self) -> usize {
        usize::from(self.end.saturating_sub(self.x))
    }

    /// Skips columns.
    pub(crate) fn skip(&mut self, columns: usize) -> &mut Self {
        self.x = self.x.saturating_add(columns as u16).min(self.end);
        self
    }

    /// Writes a text. It must be free of control characters, see [`crate::print::clean`].
    pub(crate) fn put(&mut self, text: &str, style: Style) -> &mut Self {
        self.wide(text, usize::MAX, style)
    }

    /// Writes a text, cut to at most `columns`.
    pub(crate) fn wide(&mut self, text: &str, columns: usize, style: Style) -> &mut Self {
        let room = self.room().min(columns);
        if room == 0 {
            return self;
        }
        let ascii = self.theme.ascii();
        let text = if ascii { fit(&crate::print::plain(text), room, true) } else { fit(text, room, false) };
        let (x, _) = self.buffer.set_stringn(self.x, self.y, &text, room, style);
        self.x = x;
        self
    }

    /// Writes a left-aligned text, padded to `columns`.
    pub(crate) fn left(&mut self, text: &str, columns: usize, style: Style) -> &mut Self {
        let start = usize::from(self.x);
        self.wide(text, columns, style);
        let used = usize::from(self.x) - start;
        self.skip(columns.saturating_sub(used))
    }

    /// Writes a right-aligned text, padded to `columns`.
    pub(crate) fn right(&mut self, text: &str, columns: usize, style: Style) -> &mut Self {
        let plain = if self.theme.ascii() { crate::print::plain(text) } else { text.to_owned() };
        self.skip(columns.saturating_sub(width_of(&plain))).wide(text, columns, style)
    }

    /// Applies a style to the row, from column `x` of the area on.
    pub(crate) fn tint(&mut self, area: Rect, style: Style) {
        if self.end > area.x {
            self.buffer.set_style(Rect { x: area.x, y: self.y, width: self.end - area.x, height: 1 }, style);
        }
    }

    /// Draws a line to the end of the row.
    pub(crate) fn rule(&mut self) {
        let line = self.theme.glyph("─", "-").repeat(self.room());
        self.put(&line, self.theme.dim());
    }
}
