//! The one line above a chart that is one of many: its title, and each series with its latest value.

use super::grid::{Grid, Ink, fit, width_of};
use super::text::{Look, glyph_of};
use super::{Chart, Mark};
use crate::print::number;

/// How much is said of each series.
#[derive(Clone, Copy, PartialEq)]
enum Words {
    All,
    /// Names, and values of three digits.
    Brief,
    Name,
    Value,
}

/// Title and series; gives the first row below.
pub(super) fn terse(grid: &mut Grid, chart: &Chart, look: Look) -> usize {
    let (width, ascii) = (grid.width(), look.glyphs.ascii());
    let title = chart.title.as_deref().unwrap_or_default();
    let entries: Vec<&Mark> = chart.marks.iter().filter(|m| m.name.is_some()).collect();
    let wide = |words| entries.iter().map(|m| entry_width(m, words) + 2).sum::<usize>().saturating_sub(2);
    let short = width_of(title).min(width / 3);
    // In the line of the title, as much as there is room for; where there are rows to spare, in one below.
    let fitting = |room: usize| {
        [Words::All, Words::Brief, Words::Name, Words::Value].into_iter().find(|w| wide(*w) <= room)
    };
    let beside = width.saturating_sub(short + 2);
    let roomy = grid.height() >= 10;
    let (row, words) = match (fitting(beside), fitting(width)) {
        (Some(words @ (Words::All | Words::Brief)), _) => (0, words),
        (_, Some(words @ (Words::All | Words::Brief | Words::Name))) if roomy && !title.is_empty() => {
            (1, words)
        }
        (Some(words), _) => (0, words),
        _ => (usize::from(roomy && !title.is_empty()), Words::Name),
    };
    if entries.is_empty() {
        grid.text(0, 0, &fit(title, width, ascii), Ink::Bold);
        return usize::from(!title.is_empty());
    }
    let room = if row == 0 { beside } else { width };
    let start = if row == 0 { width - wide(words).min(room) } else { 0 };
    let own = if row == 0 { start.saturating_sub(2) } else { width };
    grid.text(0, 0, &fit(title, own, ascii), Ink::Bold);
    let mut x = start;
    for (i, mark) in entries.iter().enumerate() {
        let left = entries.len() - i;
        let more = format!("+{left}");
        let needed = entry_width(mark, words) + if left > 1 { 2 + width_of(&more) } else { 0 };
        if x + needed > width && wide(words) > room {
            grid.text(x.min(width.saturating_sub(width_of(&more))), row, &more, Ink::Dim);
            break;
        }
        grid.put(x, row, glyph_of(chart, mark, look), Ink::Series(mark.paint));
        x += 1;
        if words != Words::Value {
            x = grid.text(x + 1, row, mark.name.as_deref().unwrap_or_default(), Ink::Text);
        }
        if words != Words::Name
            && let Some(last) = mark.last
        {
            x = grid.text(x + 1, row, &value(last, words), Ink::Series(mark.paint));
        }
        x += 2;
    }
    row + 1
}

fn entry_width(mark: &Mark, words: Words) -> usize {
    let name = mark.name.as_deref().map_or(0, width_of) + 1;
    let value = mark.last.map_or(0, |v| width_of(&value(v, words)) + 1);
    1 + match words {
        Words::All | Words::Brief => name + value,
        Words::Name => name,
        Words::Value => value,
    }
}

fn value(v: f64, words: Words) -> String {
    if words == Words::Brief { number::steady_brief(v) } else { number::steady(v) }
}
