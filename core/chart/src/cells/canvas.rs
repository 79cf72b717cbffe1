//! Drawing into the cells of a buffer, in inks.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

use super::text::{fit, width_of};
use super::theme::{Ink, Theme};

/// A buffer that is drawn into by inks; places count from its top left corner, and outside nothing is drawn.
pub(crate) struct Canvas {
    buffer: Buffer,
    theme: Theme,
    title: Style,
}

impl Canvas {
    /// Blank cells. `title` is the style of [`Ink::Bold`].
    pub(crate) fn new(width: usize, height: usize, theme: Theme, title: Style) -> Self {
        let area = Rect { x: 0, y: 0, width: width as u16, height: height as u16 };
        Self { buffer: Buffer::empty(area), theme, title }
    }

    /// One of this size that keeps nothing: for what is laid out in drawing.
    pub(crate) fn unseen(width: usize, height: usize, theme: Theme) -> Self {
        let mut canvas = Self::new(0, 0, theme, Style::new());
        canvas.buffer.area = Rect { x: 0, y: 0, width: width as u16, height: height as u16 };
        canvas
    }

    /// Cells across.
    pub(crate) fn width(&self) -> usize {
        self.buffer.area.width.into()
    }

    /// Cells down.
    pub(crate) fn height(&self) -> usize {
        self.buffer.area.height.into()
    }

    /// What was drawn.
    pub(crate) fn done(self) -> Buffer {
        self.buffer
    }

    fn style(&self, ink: Ink) -> Style {
        if ink == Ink::Bold { self.title } else { self.theme.ink(ink) }
    }

    /// Sets a character in an ink, on whatever colour is behind.
    pub(crate) fn put(&mut self, x: usize, y: usize, ch: char, ink: Ink) {
        let style = self.style(ink);
        if let Some(cell) = self.buffer.cell_mut((x as u16, y as u16)) {
            cell.set_char(ch);
            cell.fg = style.fg.unwrap_or_default();
            cell.modifier = style.add_modifier;
        }
    }

    /// Sets a character in an ink on a colour.
    pub(crate) fn put_on(&mut self, x: usize, y: usize, ch: char, ink: Ink, ground: [u8; 3]) {
        self.put(x, y, ch, ink);
        if let Some(cell) = self.buffer.cell_mut((x as u16, y as u16)) {
            cell.set_style(self.theme.back(ground));
        }
    }

    /// Writes text, cut at the right edge as [`fit`] cuts; gives the column after it.
    pub(crate) fn text(&mut self, x: usize, y: usize, text: &str, ink: Ink) -> usize {
        let (width, style) = (self.width(), self.style(ink));
        if x >= width || y >= self.height() {
            return x;
        }
        let text = fit(text, width - x, self.theme.glyphs.ascii());
        if self.buffer.content.is_empty() {
            return x + width_of(&text);
        }
        for at in x..x + width_of(&text) {
            self.put(at, y, ' ', ink);
        }
        self.buffer.set_stringn(x as u16, y as u16, &text, width - x, style).0.into()
    }

    /// Copies cells in, their top left corner at (x, y).
    pub(crate) fn paste(&mut self, x: usize, y: usize, from: &Buffer) {
        paste(from, &mut self.buffer, (x as u16, y as u16));
    }
}

/// Copies the cells of a buffer into another one, the top left corner to a place there; what is outside of it is left out.
pub fn paste(from: &Buffer, to: &mut Buffer, (x, y): (u16, u16)) {
    let place = Rect { x, y, ..from.area }.intersection(to.area);
    let (width, skipped) = (usize::from(place.width), place.x.saturating_sub(x));
    for row in place.y..if width > 0 { place.bottom() } else { 0 } {
        let source = from.index_of(from.area.x + skipped, from.area.y + (row - y));
        let target = to.index_of(place.x, row);
        to.content[target..][..width].clone_from_slice(&from.content[source..][..width]);
    }
}
