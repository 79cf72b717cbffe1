//! The characters that a terminal can display for drawing.

/// The characters that a terminal's font supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyphs {
    /// Braille, 2×4 dots per cell.
    Braille,
    /// Half blocks, 1×2 dots per cell.
    HalfBlock,
    /// One dot per cell.
    Dot,
    /// One ASCII character per cell.
    Ascii,
}

impl Glyphs {
    /// Returns the number of dots per cell, across and down.
    pub fn dots(self) -> (usize, usize) {
        match self {
            Self::Braille => (2, 4),
            Self::HalfBlock => (1, 2),
            Self::Dot | Self::Ascii => (1, 1),
        }
    }

    /// Returns whether only ASCII is supported.
    pub fn ascii(self) -> bool {
        self == Self::Ascii
    }
}
