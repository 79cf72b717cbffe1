//! The style of output: parses SGR sequences and nothing else.

use ratatui::style::{Color, Modifier, Style};

use gradtop_chart::cells::theme::Theme;
use gradtop_chart::colour::Colours;

/// A colour in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hue {
    /// One of the terminal's 256 colours, of which the first 16 depend on its theme.
    Indexed(u8),
    /// An exact colour.
    Rgb([u8; 3]),
}

/// The style of characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// The foreground; `None` is the terminal's default.
    pub(crate) front: Option<Hue>,
    /// The background; `None` is the terminal's default.
    pub(crate) back: Option<Hue>,
    pub(crate) bold: bool,
    pub(crate) dim: bool,
    pub(crate) italic: bool,
    pub(crate) underline: bool,
    /// Foreground and background exchanged.
    pub(crate) reverse: bool,
    pub(crate) struck: bool,
}

impl Look {
    /// The style on a terminal.
    pub(crate) fn style(self, theme: Theme) -> Style {
        let colour = |hue: Hue, back: bool| match hue {
            Hue::Rgb(c) if back => theme.back(c),
            Hue::Rgb(c) => theme.front(c),
            Hue::Indexed(i) => match theme.colours {
                Colours::None => Style::new(),
                // The terminal's own 16 colours; others as close as possible.
                Colours::Sixteen if i >= 16 && back => theme.back(cube(i)),
                Colours::Sixteen if i >= 16 => theme.front(cube(i)),
                _ if back => Style::new().bg(Color::Indexed(i)),
                _ => Style::new().fg(Color::Indexed(i)),
            },
        };
        let hues = [(self.front, false), (self.back, true)];
        let hues = hues.into_iter().filter_map(|(hue, back)| Some(colour(hue?, back)));
        let modifiers = [
            (self.bold, Modifier::BOLD),
            (self.dim, Modifier::DIM),
            (self.italic, Modifier::ITALIC),
            (self.underline, Modifier::UNDERLINED),
            (self.reverse, Modifier::REVERSED),
            (self.struck, Modifier::CROSSED_OUT),
        ];
        let modifiers = modifiers.into_iter().filter(|(on, _)| *on).map(|(_, modifier)| modifier);
        hues.fold(Style::new(), Style::patch).add_modifier(modifiers.collect())
    }

    /// Applies the parameters of a `CSI … m`, such as `1;31` or `38;2;255;0;0`. Unknown ones are ignored.
    pub(super) fn apply(&mut self, parameters: &str) {
        // Colons separate the parts of a parameter (`4:3`, `38:2::255:0:0`).
        let mut list = parameters.split(';');
        while let Some(parameter) = list.next() {
            if parameter.contains(':') {
                self.compound(parameter);
                continue;
            }
            match parameter.parse::<u16>().unwrap_or(0) {
                0 if parameter.is_empty() || parameter.bytes().all(|b| b == b'0') => *self = Self::default(),
                n @ (38 | 48) => {
                    let hue = match list.next() {
                        Some("5") => list.next().and_then(|i| i.parse().ok()).map(Hue::Indexed),
                        Some("2") => {
                            let mut part = || list.next().and_then(|v| v.parse::<u8>().ok());
                            // All three are consumed, so that the parameters after them keep their meaning.
                            let rgb = [part(), part(), part()];
                            if let [Some(r), Some(g), Some(b)] = rgb {
                                Some(Hue::Rgb([r, g, b]))
                            } else {
                                None
                            }
                        }
                        _ => None,
                    };
                    let place = if n == 38 { &mut self.front } else { &mut self.back };
                    *place = hue.or(*place);
                }
                n => self.single(n),
            }
        }
    }

    fn single(&mut self, n: u16) {
        match n {
            1 => self.bold = true,
            2 => self.dim = true,
            3 => self.italic = true,
            4 | 21 => self.underline = true,
            7 => self.reverse = true,
            9 => self.struck = true,
            22 => (self.bold, self.dim) = (false, false),
            23 => self.italic = false,
            24 => self.underline = false,
            27 => self.reverse = false,
            29 => self.struck = false,
            30..=37 => self.front = Some(Hue::Indexed((n - 30) as u8)),
            39 => self.front = None,
            40..=47 => self.back = Some(Hue::Indexed((n - 40) as u8)),
            49 => self.back = None,
            90..=97 => self.front = Some(Hue::Indexed((n - 90 + 8) as u8)),
            100..=107 => self.back = Some(Hue::Indexed((n - 100 + 8) as u8)),
            // Blinking is deliberately ignored, everything else is unknown.
            _ => {}
        }
    }

    fn compound(&mut self, parameter: &str) {
        let parts: Vec<Option<u8>> = parameter.split(':').map(|p| p.parse().ok()).collect();
        let hue = match parts.as_slice() {
            [_, Some(5), Some(i), ..] => Some(Hue::Indexed(*i)),
            [_, Some(2), _, Some(r), Some(g), Some(b), ..] | [_, Some(2), Some(r), Some(g), Some(b)] => {
                Some(Hue::Rgb([*r, *g, *b]))
            }
            _ => None,
        };
        match (parts.first(), hue) {
            (Some(Some(38)), Some(hue)) => self.front = Some(hue),
            (Some(Some(48)), Some(hue)) => self.back = Some(hue),
            (Some(Some(4)), _) => self.underline = parts.get(1) != Some(&Some(0)),
            _ => {}
        }
    }
}

/// The RGB value of one of the upper 240 of 256 colours.
fn cube(i: u8) -> [u8; 3] {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    match i.saturating_sub(16) {
        n @ 216.. => [8 + (n - 216) * 10; 3],
        n => [n / 36, n / 6 % 6, n % 6].map(|s| STEPS[usize::from(s)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(parameters: &[&str]) -> Look {
        let mut look = Look::default();
        for p in parameters {
            look.apply(p);
        }
        look
    }

    #[test]
    fn colours_and_attributes_are_understood() {
        let red = Look { front: Some(Hue::Indexed(1)), bold: true, ..Look::default() };
        assert_eq!(look(&["1;31"]), red);
        assert_eq!(look(&["1", "31"]), red);
        assert_eq!(look(&["91"]).front, Some(Hue::Indexed(9)));
        assert_eq!(look(&["38;5;208"]).front, Some(Hue::Indexed(208)));
        assert_eq!(look(&["48;2;1;2;3;4"]).back, Some(Hue::Rgb([1, 2, 3])));
        assert!(look(&["48;2;1;2;3;4"]).underline);
        assert_eq!(look(&["38:2::9:8:7"]).front, Some(Hue::Rgb([9, 8, 7])));
        assert_eq!(look(&["38:2:9:8:7"]).front, Some(Hue::Rgb([9, 8, 7])));
        assert_eq!(look(&["1;31;44", "39;49;22"]), Look::default());
        assert_eq!(look(&["1;31;44", ""]), Look::default());
        assert_eq!(look(&["1;31;44", "0"]), Look::default());
    }

    #[test]
    fn nonsense_changes_nothing() {
        for odd in ["38", "38;5", "38;5;999", "38;2;1;2", "5", "8", "999", "99999999999", "38:7", ":::", "x"]
        {
            let mut before = Look { italic: true, ..Look::default() };
            before.apply(odd);
            assert_eq!(before, Look { italic: true, ..Look::default() }, "{odd}");
        }
    }
}
