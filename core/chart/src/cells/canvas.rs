//! Draws into the cells of a buffer with inks.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::Style;

use super::text::{fit, width_of};
use super::theme::{Ink, Theme};
use crate::ascii::plain;

/// A buffer to draw into with inks. Positions count from the top left corner; anything outside is ignored.
pub(crate) struct Canvas {
    buffer: Buffer,
    theme: Theme,
    title: Style,
}

impl Canvas {
    /// Creates blank cells. `title` is the style of [`Ink::Bold`].
    pub(crate) fn new(width: usize, height: usize, theme: Theme, title: Style) -> Self {
        let area = Rect { x: 0, y: 0, width: width as u16, height: height as u16 };
        Self { buffer: Buffer::empty(area), theme, title }
    }

    /// Creates a canvas of this size that discards everything, to compute a layout.
    pub(crate) fn unseen(width: usize, height: usize, theme: Theme) -> Self {
        let mut canvas = Self::new(0, 0, theme, Style::new());
        canvas.buffer.area = Rect { x: 0, y: 0, width: width as u16, height: height as u16 };
        canvas
    }

    pub(crate) fn width(&self) -> usize {
        self.buffer.area.width.into()
    }

    pub(crate) fn height(&self) -> usize {
        self.buffer.area.height.into()
    }

    /// Returns the finished buffer.
    pub(crate) fn done(self) -> Buffer {
        self.buffer
    }

    fn style(&self, ink: Ink) -> Style {
        if ink == Ink::Bold { self.title } else { self.theme.ink(ink) }
    }

    /// Sets a character in an ink and keeps the background.
    pub(crate) fn put(&mut self, x: usize, y: usize, ch: char, ink: Ink) {
        let style = self.style(ink);
        if let Some(cell) = self.buffer.cell_mut((x as u16, y as u16)) {
            cell.set_char(ch);
            cell.fg = style.fg.unwrap_or_default();
            cell.modifier = style.add_modifier;
        }
    }

    /// Sets a character in an ink on a background colour.
    pub(crate) fn put_on(&mut self, x: usize, y: usize, ch: char, ink: Ink, ground: [u8; 3]) {
        self.put(x, y, ch, ink);
        if let Some(cell) = self.buffer.cell_mut((x as u16, y as u16)) {
            cell.set_style(self.theme.back(ground));
        }
    }

    /// Writes text, truncated at the right edge like [`fit`], and returns the column after it.
    pub(crate) fn text(&mut self, x: usize, y: usize, text: &str, ink: Ink) -> usize {
        let (width, style) = (self.width(), self.style(ink));
        if x >= width || y >= self.height() {
            return x;
        }
        let ascii = self.theme.glyphs.ascii();
        let text = if ascii { fit(&plain(text), width - x, ascii) } else { fit(text, width - x, ascii) };
        if self.buffer.content.is_empty() {
            return x + width_of(&text);
        }
        for at in x..x + width_of(&text) {
            self.put(at, y, ' ', ink);
        }
        self.buffer.set_stringn(x as u16, y as u16, &text, width - x, style).0.into()
    }

    /// Returns whether nothing is drawn in `width` cells from (x, y) on.
    pub(crate) fn is_blank(&self, (x, y): (usize, usize), width: usize) -> bool {
        let cell = |x: usize| self.buffer.cell((x as u16, y as u16));
        (x..x + width).all(|x| cell(x).is_some_and(|cell| cell.symbol() == " "))
    }

    /// Copies a buffer with its top left corner to (x, y).
    pub(crate) fn paste(&mut self, x: usize, y: usize, from: &Buffer) {
        paste(from, &mut self.buffer, (x as u16, y as u16));
    }
}

/// Copies a buffer into another one, with its top left corner at a position there. Parts outside are ignored.
pub fn paste(from: &Buffer, to: &mut Buffer, (x, y): (u16, u16)) {
    let place = Rect { x, y, ..from.area }.intersection(to.area);
    let (width, skipped) = (usize::from(place.width), place.x.saturating_sub(x));
    for row in place.y..if width > 0 { place.bottom() } else { 0 } {
        let source = from.index_of(from.area.x + skipped, from.area.y + (row - y));
        let target = to.index_of(place.x, row);
        to.content[target..][..width].clone_from_slice(&from.content[source..][..width]);
    }
}
