//! Themes: styles by their meaning, and the characters a terminal can display.

use ratatui_core::style::{Color, Modifier, Style};
use serde::{Deserialize, Serialize};

use super::glyphs::Glyphs;
use crate::colour::{Colours, Paint, indexed, sixteen};

/// The role of a cell's colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ink {
    /// The terminal's default.
    #[default]
    Text,
    /// Frames, axes and hints.
    Dim,
    /// Titles.
    Bold,
    /// Errors.
    Alert,
    /// Pauses and warnings.
    Wait,
    /// A series.
    Series(Paint),
    /// The faint band behind a series.
    Faint(Paint),
    /// An exact colour, for heatmaps and pictures.
    Rgb([u8; 3]),
}

/// The available themes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThemeName {
    /// For a dark background.
    #[default]
    Dark,
    /// For a light background.
    Light,
    /// Full contrast, with colours only for series.
    HighContrast,
}

impl std::str::FromStr for ThemeName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::key).join(", ");
        let named = Self::ALL.into_iter().find(|theme| theme.key() == text);
        named.ok_or_else(|| format!("{text:?} is not one of {}", known()))
    }
}

impl ThemeName {
    const ALL: [Self; 3] = [Self::Dark, Self::Light, Self::HighContrast];

    /// Returns the next theme.
    #[must_use]
    pub fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }

    /// Returns the name used in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::HighContrast => "high-contrast",
        }
    }

    /// Returns the name for display.
    pub fn word(self) -> &'static str {
        if self == Self::HighContrast { "high contrast" } else { self.key() }
    }
}

/// Styles and characters for everything on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// The theme.
    pub name: ThemeName,
    /// The colours that the terminal supports.
    pub colours: Colours,
    /// The characters that it supports.
    pub glyphs: Glyphs,
}

impl Default for Theme {
    /// Returns the theme for a dark terminal that supports everything.
    fn default() -> Self {
        Self { name: ThemeName::Dark, colours: Colours::True, glyphs: Glyphs::Braille }
    }
}

impl Theme {
    /// Returns whether only ASCII is supported.
    pub fn ascii(self) -> bool {
        self.glyphs.ascii()
    }

    /// Returns `fine`, or its replacement if only ASCII is supported.
    pub fn glyph<T>(self, fine: T, plain: T) -> T {
        if self.ascii() { plain } else { fine }
    }

    /// Returns whether there are colours.
    pub fn coloured(self) -> bool {
        self.colours != Colours::None
    }

    /// Returns whether there are enough colours for a gradient.
    pub(crate) fn graded(self) -> bool {
        matches!(self.colours, Colours::Indexed | Colours::True)
    }

    /// Returns the style of values and names.
    pub fn text(self) -> Style {
        Style::new()
    }

    /// Returns the style of frames, axes, hints and units.
    pub fn dim(self) -> Style {
        if self.name == ThemeName::HighContrast {
            return Style::new();
        }
        match self.colours {
            Colours::None => Style::new().add_modifier(Modifier::DIM),
            _ if self.name == ThemeName::Light => self.front([110, 110, 110]),
            _ => self.front([138, 138, 138]),
        }
    }

    /// Returns the style of ended runs' values: readable, but less prominent than active ones.
    pub fn past(self) -> Style {
        match (self.colours, self.name) {
            (Colours::None | Colours::Sixteen, _) | (_, ThemeName::HighContrast) => Style::new(),
            (_, ThemeName::Light) => self.front([70, 70, 70]),
            (_, ThemeName::Dark) => self.front([188, 188, 188]),
        }
    }

    /// Returns the style of titles.
    pub fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Returns the style of the focus, the only accent.
    pub fn accent(self) -> Style {
        let base = Style::new().add_modifier(Modifier::BOLD);
        match (self.colours, self.name) {
            (Colours::None, _) | (_, ThemeName::HighContrast) => base,
            (_, ThemeName::Light) => base.patch(self.front([0, 90, 170])),
            (_, ThemeName::Dark) => base.patch(self.front([120, 204, 250])),
        }
    }

    /// Returns the style of the row or item under the cursor, applied over its own.
    pub fn cursor(self) -> Style {
        match (self.colours, self.name) {
            (Colours::None | Colours::Sixteen, _) | (_, ThemeName::HighContrast) => {
                Style::new().add_modifier(Modifier::REVERSED)
            }
            (_, ThemeName::Light) => self.back([220, 230, 242]),
            (_, ThemeName::Dark) => self.back([44, 52, 64]),
        }
    }

    /// Returns the style of the character under the text cursor of an input.
    pub fn caret(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// Returns the style of errors.
    pub fn alert(self) -> Style {
        match (self.colours, self.name) {
            (Colours::None, _) => Style::new().add_modifier(Modifier::BOLD),
            (_, ThemeName::Light) => self.front([190, 20, 20]),
            _ => self.front([255, 95, 95]),
        }
    }

    /// Returns the style of running things.
    pub fn good(self) -> Style {
        self.paint(Paint::Slot(2))
    }

    /// Returns the style of pauses and warnings.
    pub fn wait(self) -> Style {
        self.paint(Paint::Slot(4))
    }

    /// Returns the style of a series.
    pub fn paint(self, paint: Paint) -> Style {
        let paper = self.name == ThemeName::Light;
        if self.colours == Colours::Sixteen {
            return Style::new().fg(Color::Indexed(paint.sixteen(paper, false)));
        }
        self.front(if paper { paint.on_paper() } else { paint.on_screen() })
    }

    /// Returns the style of an ink.
    pub fn ink(self, ink: Ink) -> Style {
        match ink {
            Ink::Text => self.text(),
            Ink::Dim => self.dim(),
            Ink::Bold => self.bold(),
            Ink::Alert => self.alert(),
            Ink::Wait => self.wait(),
            Ink::Series(paint) => self.paint(paint),
            Ink::Faint(paint) if self.colours == Colours::Sixteen => {
                Style::new().fg(Color::Indexed(paint.sixteen(self.name == ThemeName::Light, true)))
            }
            Ink::Faint(paint) if self.name == ThemeName::Light => {
                self.front(paint.on_paper().map(|v| (u16::from(v) / 2 + 110) as u8))
            }
            Ink::Faint(paint) => self.front(paint.on_screen().map(|v| (u16::from(v) * 6 / 10) as u8)),
            Ink::Rgb(c) => self.front(c),
        }
    }

    /// Returns a foreground colour, approximated as necessary; no style without colours.
    pub fn front(self, c: [u8; 3]) -> Style {
        self.colour(c).map_or_else(Style::new, |c| Style::new().fg(c))
    }

    /// Returns a background colour.
    pub fn back(self, c: [u8; 3]) -> Style {
        self.colour(c).map_or_else(Style::new, |c| Style::new().bg(c))
    }

    fn colour(self, c: [u8; 3]) -> Option<Color> {
        match self.colours {
            Colours::None => None,
            Colours::Sixteen => Some(Color::Indexed(sixteen(c))),
            Colours::Indexed => Some(Color::Indexed(indexed(c))),
            Colours::True => Some(Color::Rgb(c[0], c[1], c[2])),
        }
    }
}
