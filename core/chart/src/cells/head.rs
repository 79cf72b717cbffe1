//! The head line of a small chart: its title, and each series with its last value.

use std::collections::BTreeSet;

use super::canvas::Canvas;
use super::glyph_of;
use super::text::{fit, fit_distinct, fit_ends, width_of};
use super::theme::{Ink, Theme};
use crate::number;
use crate::{Axis, Chart, Mark};

/// How detailed the series are.
#[derive(Clone, Copy, PartialEq)]
enum Detail {
    Full,
    /// Names, and values with three digits.
    Brief,
    Name,
}

/// Minimum width of a truncated name; with less it is useless.
const MIN_NAME: usize = 4;
/// Width from which on a longer name is not worth more than the value it would displace.
const READABLE_NAME: usize = 6;

/// Draws title and series; returns the first row below.
pub(super) fn compact(canvas: &mut Canvas, chart: &Chart, look: Theme) -> usize {
    let (width, ascii) = (canvas.width(), look.glyphs.ascii());
    let title = chart.title.as_deref().unwrap_or_default();
    let entries = chart.named();
    // The only line of a metric is named like the chart.
    let alone = match entries.as_slice() {
        [only] => names_entry(title, only.name.as_deref().unwrap_or_default()),
        _ => false,
    };
    let names: Vec<&str> =
        entries.iter().map(|m| m.name.as_deref().filter(|_| !alone).unwrap_or_default()).collect();
    let whole: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let entry_width = |i: usize, detail, names: &[String]| entry_width(chart, entries[i], detail, &names[i]);
    let wide = |detail, names: &[String]| {
        (0..names.len()).map(|i| entry_width(i, detail, names) + 2).sum::<usize>().saturating_sub(2)
    };
    // Truncates names so that all fit, if something remains of each and they stay distinguishable.
    let cut = |room: usize, detail, least: usize| {
        let one: Vec<String> = names.iter().map(|name| name.chars().take(1).collect()).collect();
        let each = 1 + room.checked_sub(wide(detail, &one))? / names.len().max(1);
        let cut = (each >= least).then(|| fit_distinct(&names, each, ascii))?;
        let distinct = |names: &mut dyn Iterator<Item = &str>| names.collect::<BTreeSet<_>>().len();
        let as_before = distinct(&mut cut.iter().map(String::as_str)) == distinct(&mut names.iter().copied());
        as_before.then_some((detail, cut))
    };
    // With enough rows the title is written completely; so is a title that also names the only line.
    let roomy = canvas.height() >= 9;
    let most = match (roomy, alone) {
        (true, _) => width,
        (false, true) => width * 2 / 3,
        (false, false) => width / 3,
    };
    let short = width_of(title).min(most);
    // In the line of the title as far as there is room, with enough rows also in the line below.
    let fitting = |room: usize| {
        let uncut = |detail| (wide(detail, &whole) <= room).then(|| (detail, whole.clone()));
        uncut(Detail::Full)
            .or_else(|| uncut(Detail::Brief))
            .or_else(|| cut(room, Detail::Brief, READABLE_NAME))
            .or_else(|| uncut(Detail::Name))
            .or_else(|| cut(room, Detail::Brief, MIN_NAME))
            .or_else(|| cut(room, Detail::Name, MIN_NAME))
    };
    let beside = width.saturating_sub(short + 2);
    let is_whole = |(detail, names): &(Detail, Vec<String>)| *detail != Detail::Name && *names == whole;
    let below = roomy && !title.is_empty();
    let (row, (detail, names)) = match fitting(beside) {
        Some(found) if is_whole(&found) => (0, found),
        found => match (found, fitting(width)) {
            (_, Some(found)) if below => (1, found),
            (Some(found), _) => (0, found),
            _ => (usize::from(below), (Detail::Name, whole.clone())),
        },
    };
    if entries.is_empty() {
        heading(canvas, chart, width, ascii);
        return usize::from(!title.is_empty());
    }
    let room = if row == 0 { beside } else { width };
    let start = if row == 0 { width - wide(detail, &names).min(room) } else { 0 };
    let own = if row == 0 { start.saturating_sub(2) } else { width };
    heading(canvas, chart, own, ascii);
    let mut x = start;
    for (i, mark) in entries.iter().enumerate() {
        let left = entries.len() - i;
        let more = format!("+{left}");
        let needed = entry_width(i, detail, &names) + if left > 1 { 2 + width_of(&more) } else { 0 };
        if x + needed > width && wide(detail, &names) > room {
            canvas.text(x.min(width.saturating_sub(width_of(&more))), row, &more, Ink::Dim);
            break;
        }
        canvas.put(x, row, glyph_of(chart, mark, look), Ink::Series(mark.paint));
        x += 1;
        if !names[i].is_empty() {
            x = canvas.text(x + 1, row, &names[i], Ink::Text);
        }
        if detail != Detail::Name
            && let Some(last) = mark.last
        {
            x = canvas.text(x + 1, row, &value(chart, mark, last, detail), Ink::Series(mark.paint));
        }
        x += 2;
    }
    row + 1
}

/// Draws the title and, if there is room in the same line, what the vertical axes show.
fn heading(canvas: &mut Canvas, chart: &Chart, room: usize, ascii: bool) {
    let title = chart.title.as_deref().unwrap_or_default();
    // Do not repeat words of the title.
    let said = |words: &str| title.to_lowercase().contains(&words.to_lowercase());
    let caption = |axis: &Axis| {
        let label = Some(&axis.label).filter(|label| !said(label));
        let unit = axis.unit.clone().filter(|unit| !said(&format!("[{unit}]")));
        Axis { label: label.cloned().unwrap_or_default(), unit, ..axis.clone() }.caption()
    };
    let captions: Vec<String> = std::iter::once(&chart.y).chain(&chart.y2).map(caption).collect();
    let caption = captions.join(" | ");
    let end = canvas.text(0, 0, &fit_title(title, room, ascii), Ink::Bold);
    if end + 2 + width_of(&caption) <= room {
        canvas.text(end + 2, 0, &caption, Ink::Dim);
    }
}

/// Truncates words at their end and names in the middle, because other names may start the same.
/// A long unit is truncated before any of its name.
pub(super) fn cut(title: &str, width: usize, ascii: bool) -> String {
    let name = title.split(" [").next().unwrap_or_default();
    let unit = width_of(title) - width_of(name);
    // A word as long as most of the line is a name, too.
    let long = name.split(' ').any(|word| width_of(word) > width * 2 / 3);
    if name.trim().contains(' ') && !long {
        fit(title, width, ascii)
    } else {
        fit_ends(if width_of(title) > width && unit > width / 3 { name } else { title }, width, ascii)
    }
}

/// Truncates a title; if it has two parts, something of both is kept.
fn fit_title(title: &str, width: usize, ascii: bool) -> String {
    let part = if ascii { " - " } else { " · " };
    let room = width.saturating_sub(3);
    match title.split_once(part) {
        Some((first, second)) if width_of(title) > width && room >= 12 => {
            let (a, b) = (width_of(first), width_of(second));
            // The shorter part stays whole if it takes at most half of the room.
            let first_room = a.min(room.saturating_sub(b.min(room / 2)));
            let second_room = room - first_room;
            format!("{}{part}{}", cut(first, first_room, ascii), cut(second, second_room, ascii))
        }
        _ => cut(title, width, ascii),
    }
}

/// Returns whether a title is a name, with or without a unit.
fn names_entry(title: &str, name: &str) -> bool {
    let rest = title.trim().strip_prefix(name);
    !name.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" ["))
}

fn entry_width(chart: &Chart, mark: &Mark, detail: Detail, name: &str) -> usize {
    let name = if name.is_empty() { 0 } else { width_of(name) + 1 };
    let value = mark.last.map_or(0, |v| width_of(&value(chart, mark, v, detail)) + 1);
    1 + match detail {
        Detail::Full | Detail::Brief => name + value,
        Detail::Name => name,
    }
}

fn value(chart: &Chart, mark: &Mark, v: f64, detail: Detail) -> String {
    match (chart.axis(mark.side).bytes(), detail == Detail::Brief) {
        (true, true) => number::brief_amount(v),
        (true, false) => number::steady_amount(v),
        (false, true) => number::steady_brief(v),
        (false, false) => number::steady(v),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_title_in_two_parts_both_are_seen() {
        let title = "Gradient norm and loss: sinc-full · Norm of the gradient";
        assert_eq!(fit_title(title, 60, false), title);
        assert_eq!(fit_title(title, 35, false), "Gradient norm a… · Norm of the gra…");
        assert_eq!(fit_title("Residuals · sinc: sin(5πx) / (5πx)", 24, false), "Residuals · sinc: sin(5…");
        assert_eq!(fit_title("Residuals of all networks · sinc", 24, false), "Residuals of all… · sinc");
        assert_eq!(fit_title("too narrow · for two", 12, false), "too narrow …");
        assert_eq!(fit_title("  block/attention/query/norm [x]", 20, false), "  block/at…/norm [x]");
        assert_eq!(fit_title("run-1: block/attention/query/norm_1", 20, false), "run-1: blo…ry/norm_1");
        assert_eq!(fit_title("block/query/norm_1 [metres per second]", 20, false), "block/query/norm_1");
        for width in 0..60 {
            assert!(width_of(&fit_title(title, width, false)) <= width);
        }
    }

    #[test]
    fn the_only_line_of_a_metric_is_not_named_twice() {
        assert!(names_entry("  system/cpu [%]", "system/cpu") && names_entry("loss", "loss"));
        assert!(
            !names_entry("loss of all", "loss") && !names_entry("loss", "") && !names_entry("loss", "train")
        );
    }
}
