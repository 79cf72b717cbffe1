//! Pads texts of a column to equal width.

use crate::cells::text::{fit, fit_distinct, width_of};

/// The alignment of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Left, for words.
    Left,
    /// Right, for counts and numbers with a unit.
    Right,
    /// On the decimal point, for numbers. Words among them end where whole numbers do, or begin with the column.
    Point,
}

/// Pads or truncates texts to one width: that of the widest one, but at most `most`. Words are truncated so that they
/// stay distinguishable.
pub fn align(texts: &[String], align: Align, most: usize, ascii: bool) -> Vec<String> {
    let is_number =
        |text: &&String| text.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit());
    let before = |text: &String| match text.find(['.', 'e']).filter(|_| is_number(&text)) {
        Some(end) => width_of(&text[..end]),
        None => width_of(text),
    };
    let widest = |texts: &mut dyn Iterator<Item = &String>| texts.map(before).max();
    let left = widest(&mut texts.iter().filter(is_number)).or_else(|| widest(&mut texts.iter())).unwrap_or(0);
    let padded: Vec<String> = match align {
        Align::Left | Align::Right => texts.to_vec(),
        Align::Point => {
            texts.iter().map(|text| " ".repeat(left.saturating_sub(before(text))) + text).collect()
        }
    };
    let width = padded.iter().map(|t| width_of(t)).max().unwrap_or(0).min(most);
    match align {
        Align::Left => {
            let texts: Vec<&str> = padded.iter().map(String::as_str).collect();
            fit_distinct(&texts, width, ascii).iter().map(|text| pad(text, width)).collect()
        }
        Align::Right => padded.iter().map(|text| pad_left(&fit(text, width, ascii), width)).collect(),
        Align::Point => padded.iter().map(|text| pad(&fit(text, width, ascii), width)).collect(),
    }
}

/// Pads a text on the right.
pub fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(width_of(text))))
}

/// Pads a text on the left.
pub fn pad_left(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(width_of(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_stand_below_each_other() {
        let texts = ["3.1e-6", "12.5", "7", "NaN"].map(str::to_owned);
        assert_eq!(align(&texts, Align::Point, 20, false), [" 3.1e-6", "12.5   ", " 7     ", "NaN    "]);
        let words = ["-2.99e-5", "non-finite", "–"].map(str::to_owned);
        assert_eq!(align(&words, Align::Point, 20, false), ["-2.99e-5  ", "non-finite", " –        "]);
        assert_eq!(align(&texts, Align::Left, 20, false), ["3.1e-6", "12.5  ", "7     ", "NaN   "]);
        assert_eq!(align(&texts, Align::Right, 20, false), ["3.1e-6", "  12.5", "     7", "   NaN"]);
    }

    #[test]
    fn what_is_too_wide_is_cut() {
        let texts = ["abcdef", "長長長"].map(str::to_owned);
        assert_eq!(align(&texts, Align::Left, 4, false), ["ab…f", "長… "]);
        assert_eq!(align(&[], Align::Left, 4, true), Vec::<String>::new());
    }
}
