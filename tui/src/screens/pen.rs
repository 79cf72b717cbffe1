//! Writing words into the cells of a screen, each row from left to right.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use gradtop_chart::cells::text::{fit, width_of};
use gradtop_chart::cells::theme::Theme;

/// Writes into one row of an area. What has no room is cut with an ellipsis; what is outside is not written.
pub(crate) struct Pen<'a> {
    buffer: &'a mut Buffer,
    theme: Theme,
    x: u16,
    y: u16,
    end: u16,
}

impl<'a> Pen<'a> {
    /// At the left of the `row`th row of `area`.
    pub(crate) fn row(buffer: &'a mut Buffer, theme: Theme, area: Rect, row: u16) -> Self {
        let inside = row < area.height && area.y + row < buffer.area.bottom();
        let end = area.right().min(buffer.area.right());
        Self { buffer, theme, x: area.x, y: area.y + row, end: if inside { end } else { area.x } }
    }

    /// Columns left.
    pub(crate) fn room(&self) -> usize {
        usize::from(self.end.saturating_sub(self.x))
    }

    /// Leaves columns blank.
    pub(crate) fn skip(&mut self, columns: usize) -> &mut Self {
        self.x = self.x.saturating_add(columns as u16).min(self.end);
        self
    }

    /// Writes a text. It must be free of control characters, as [`crate::print::clean`] makes it.
    pub(crate) fn put(&mut self, text: &str, style: Style) -> &mut Self {
        self.wide(text, usize::MAX, style)
    }

    /// Writes a text into so many columns at most.
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

    /// Writes a text at the left of so many columns, and goes behind them.
    pub(crate) fn left(&mut self, text: &str, columns: usize, style: Style) -> &mut Self {
        let start = usize::from(self.x);
        self.wide(text, columns, style);
        let used = usize::from(self.x) - start;
        self.skip(columns.saturating_sub(used))
    }

    /// Writes a text at the right of so many columns.
    pub(crate) fn right(&mut self, text: &str, columns: usize, style: Style) -> &mut Self {
        let plain = if self.theme.ascii() { crate::print::plain(text) } else { text.to_owned() };
        self.skip(columns.saturating_sub(width_of(&plain))).wide(text, columns, style)
    }

    /// Lays a style over what is left of the row, and over what was written from `x` on.
    pub(crate) fn tint(&mut self, area: Rect, style: Style) {
        if self.end > area.x {
            self.buffer.set_style(Rect { x: area.x, y: self.y, width: self.end - area.x, height: 1 }, style);
        }
    }

    /// A line to the end of the row.
    pub(crate) fn rule(&mut self) {
        let line = self.theme.glyph("─", "-").repeat(self.room());
        self.put(&line, self.theme.dim());
    }
}
