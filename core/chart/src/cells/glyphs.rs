//! What a cell of a terminal can show of a drawing.

/// What a terminal's font can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyphs {
    /// Braille, 2×4 dots a cell.
    Braille,
    /// Half blocks, 1×2.
    HalfBlock,
    /// One dot a cell.
    Dot,
    /// One ASCII character a cell.
    Ascii,
}

impl Glyphs {
    /// Dots a cell has across and down.
    pub fn dots(self) -> (usize, usize) {
        match self {
            Self::Braille => (2, 4),
            Self::HalfBlock => (1, 2),
            Self::Dot | Self::Ascii => (1, 1),
        }
    }

    /// Only ASCII may be printed.
    pub fn ascii(self) -> bool {
        self == Self::Ascii
    }
}
