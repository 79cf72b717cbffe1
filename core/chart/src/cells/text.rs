//! Text in columns of a terminal: how wide it is, cut, broken into lines.

use ratatui_core::buffer::{Buffer, CellWidth as _};
use unicode_segmentation::UnicodeSegmentation as _;

/// What a text takes the cells of a terminal with, as a [`Buffer`] counts them: letters with the marks above them, and how
/// many columns each has.
fn graphemes(text: &str) -> impl DoubleEndedIterator<Item = (&str, usize)> {
    text.graphemes(true)
        .map(|g| (g, if g.contains(char::is_control) { 0 } else { usize::from(g.cell_width()) }))
}

/// Columns a text takes in a terminal.
pub fn width_of(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { graphemes(text).map(|(_, width)| width).sum() }
}

/// The beginning of a text that takes at most `width` columns.
fn beginning(text: &str, width: usize) -> &str {
    let mut used = 0;
    let kept = graphemes(text).take_while(|(_, w)| {
        used += w;
        used <= width
    });
    &text[..kept.map(|(g, _)| g.len()).sum()]
}

/// The end of a text that takes at most `width` columns.
fn end(text: &str, width: usize) -> &str {
    let mut used = 0;
    let kept = graphemes(text).rev().take_while(|(_, w)| {
        used += w;
        used <= width
    });
    &text[text.len() - kept.map(|(g, _)| g.len()).sum::<usize>()..]
}

/// The text cut to at most `width` columns, with an ellipsis where something was cut.
pub fn fit(text: &str, width: usize, ascii: bool) -> String {
    match width {
        _ if width_of(text) <= width => text.to_owned(),
        0 => String::new(),
        _ => format!("{}{}", beginning(text, width - 1), if ascii { "~" } else { "…" }),
    }
}

/// The text cut to at most `width` columns in its middle: where several begin alike, their ends tell them apart.
pub fn fit_ends(text: &str, width: usize, ascii: bool) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    let end = end(text, width.saturating_sub(1) / 2);
    fit(text, width - width_of(end), ascii) + end
}

/// Names cut to at most `width` columns each so that those that differ still do, as far as there is room: in the middle, or where
/// that leaves several alike, at their common beginning.
pub fn apart(names: &[&str], width: usize, ascii: bool) -> Vec<String> {
    let cut: Vec<String> = names.iter().map(|name| fit_ends(name, width, ascii)).collect();
    let own = |i: usize| {
        if cut[i] == names[i] {
            return cut[i].clone();
        }
        let alike: Vec<&str> = (0..names.len())
            .filter(|j| cut[*j] == cut[i] && names[*j] != names[i])
            .map(|j| names[j])
            .collect();
        if alike.is_empty() || width < 2 {
            return cut[i].clone();
        }
        let mut from = 0;
        for (at, letter) in names[i].grapheme_indices(true) {
            if !alike.iter().all(|other| other[at.min(other.len())..].starts_with(letter)) {
                break;
            }
            from = at + letter.len();
        }
        format!("{}{}", if ascii { "~" } else { "…" }, fit(&names[i][from..], width - 1, ascii))
    };
    (0..names.len()).map(own).collect()
}

/// The rows of a buffer as text without styles and trailing blanks.
pub fn plain(buffer: &Buffer) -> String {
    let area = buffer.area;
    let mut text = String::new();
    for y in area.y..area.bottom() {
        let start = text.len();
        let mut x = area.x;
        while x < area.right() {
            let symbol = buffer[(x, y)].symbol();
            text.push_str(symbol);
            // The second half of a wide character is a cell of its own.
            x += (width_of(symbol) as u16).max(1);
        }
        text.truncate(start + text[start..].trim_end().len());
        text.push('\n');
    }
    text
}

/// Breaks text into lines of at most `width` columns, at blanks where there are any.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let need = width_of(word) + usize::from(!line.is_empty());
        if !line.is_empty() && width_of(&line) + need > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_anywhere_are_told_apart() {
        let begin = "a-long-name-of-a-run";
        let ends = [format!("{begin}-lr0.01"), format!("{begin}-lr0.02")];
        let middle = [format!("{begin}-one-{begin}"), format!("{begin}-two-{begin}")];
        let names: Vec<&str> = ends.iter().chain(&middle).map(String::as_str).chain(["short"]).collect();
        for width in 6..50 {
            let cut = apart(&names, width, false);
            let distinct: std::collections::BTreeSet<_> = cut.iter().collect();
            assert_eq!(distinct.len(), names.len(), "{width}: {cut:?}");
            assert!(cut.iter().all(|name| width_of(name) <= width));
        }
        assert_eq!(apart(&["same", "same"], 3, true), ["s~e", "s~e"]);
        apart(&["éa長", "éb", "e\u{301}長長長", ""], 2, false);
    }

    #[test]
    fn a_text_is_cut_at_its_end_or_in_its_middle() {
        let text = "loss batch 64, lr 0.001 · test";
        assert_eq!(fit(text, 16, false), "loss batch 64, …");
        assert_eq!(fit_ends(text, 16, false), "loss bat… · test");
        assert_eq!(fit_ends(text, 30, false), text);
        assert_eq!(fit_ends("長長長長", 5, true), "長~長");
        assert_eq!((fit_ends("abc", 1, true).as_str(), fit_ends("abc", 0, true).as_str()), ("~", ""));
        // A letter keeps its marks.
        assert_eq!(fit("a\u{301}bc", 2, false), "a\u{301}…");
        assert_eq!((width_of("👩\u{200d}🔬x"), width_of("日a")), (3, 3));
    }
}
