//! Breaks lines between words on terminals that are too narrow for them.

use std::borrow::Cow;

use super::colour_code;
use gradtop_chart::cells::text::width_of;

/// Breaks lines that are wider than the terminal. What follows is indented to where the text behind the first gap begins, or a
/// little more than the line. Words that are too long stay whole, so that they can be copied.
pub(super) fn wrapped(text: &str, width: Option<usize>) -> Cow<'_, str> {
    let Some(width) = width.filter(|width| text.lines().any(|line| shown_width(line) > *width)) else {
        return text.into();
    };
    text.split('\n').map(|line| broken(line, width)).collect::<Vec<_>>().join("\n").into()
}

fn broken(line: &str, width: usize) -> String {
    if shown_width(line) <= width || line.contains('\t') {
        return line.to_owned();
    }
    let (hang, mut out, mut column) = (hang(line, width), String::new(), 0);
    for (i, word) in line.split(' ').enumerate() {
        let room = shown_width(word);
        if room > 0 && column > hang && column + 1 + room > width {
            out.truncate(out.trim_end_matches(' ').len());
            out.extend(["\n", " ".repeat(hang).as_str()]);
            column = hang;
        } else if i > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += room;
    }
    out
}

/// The column in which the lines after the first begin.
fn hang(line: &str, width: usize) -> usize {
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    let gap = text.find("  ").map(|at| {
        let behind = text[at..].trim_start_matches(' ');
        indent + shown_width(&text[..text.len() - behind.len()])
    });
    gap.filter(|column| *column <= width / 4).unwrap_or((indent + 2).min(width / 4))
}

/// The width of a text without its colour codes.
fn shown_width(text: &str) -> usize {
    let Some(at) = text.find('\x1b') else { return width_of(text) };
    let (before, rest) = text.split_at(at);
    width_of(before) + shown_width(&rest[colour_code(rest).max(1)..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_hang_below_their_text() {
        let line = "10:00:51  [info] the loss of the third model has not fallen";
        assert_eq!(
            wrapped(line, Some(40)),
            "10:00:51  [info] the loss of the third\n          model has not fallen"
        );
        assert_eq!(wrapped("  one two three", Some(9)), "  one two\n  three");
        assert_eq!(wrapped("a b\nlonger than ten", Some(10)), "a b\nlonger\n  than ten");
        assert_eq!(
            wrapped("wrote /a/path/without/blanks now", Some(12)),
            "wrote\n  /a/path/without/blanks\n  now"
        );
        assert_eq!(wrapped(line, None), line);
    }

    #[test]
    fn colours_take_no_room() {
        let styled = "\x1b[1mbold name\x1b[0m  plain";
        assert_eq!(wrapped(styled, Some(16)), styled);
        assert_eq!(wrapped(styled, Some(15)), "\x1b[1mbold name\x1b[0m\n  plain");
    }
}
