//! The head of a chart: its title, and each series with its last value; of a small chart in one line.

use std::collections::BTreeSet;

use super::canvas::Canvas;
use super::captions;
use super::glyph_of;
use super::text::{fit, fit_distinct, fit_ends, fit_words, width_of};
use super::theme::{Ink, Theme};
use crate::domain::Domain;
use crate::{Chart, Mark};

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
/// Minimum width of a name of which only words are left out.
const MIN_WORD: usize = 2;
/// Width from which on a longer name is not worth more than the value it would displace.
const READABLE_NAME: usize = 6;
/// Minimum width of a title that is cut for a name.
const CUT_TITLE: usize = 10;
/// Minimum height of a small chart that has a line for the captions of its axes.
const TALL: usize = 12;
/// Minimum width that a title shares with captions for which it is shortened.
const SHARED: usize = 24;

/// What the head of a chart takes.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) rows: usize,
    /// Whether the captions of the vertical axes, if there are any, come in a row below.
    pub(super) captioned: bool,
}

/// Draws title and legend.
pub(super) fn draw(canvas: &mut Canvas, chart: &Chart, look: Theme) -> Head {
    if chart.compact {
        compact(canvas, chart, look)
    } else {
        Head { rows: full(canvas, chart, look), captioned: true }
    }
}

/// Draws title and legend in as many lines as they need, up to a quarter; returns the first row below.
fn full(canvas: &mut Canvas, chart: &Chart, look: Theme) -> usize {
    let ascii = look.glyphs.ascii();
    let width = canvas.width();
    let title = cut(chart.title.as_deref().unwrap_or_default(), width, ascii);
    let entries = chart.named();
    let domain = Domain::of(chart);
    let value = |m: &Mark| chart.value_words(m, &domain).map(|value| format!(" {value}")).unwrap_or_default();
    let length = |m: &Mark| width_of(m.name.as_deref().unwrap_or_default()) + width_of(&value(m)) + 2;
    let kind = chart.value_kind().unwrap_or_default();
    let whole: usize = entries.iter().map(|m| length(m) + 2).sum::<usize>() + width_of(kind);
    let whole = if kind.is_empty() { whole.saturating_sub(2) } else { whole };
    let title_width = canvas.text(0, 0, &title, Ink::Bold);
    if entries.is_empty() {
        return usize::from(!title.is_empty());
    }
    // At the right end of the title's line if there is room, else below.
    let (mut x, mut y) = if !title.is_empty() && title_width + 3 + whole <= width {
        (width - whole, 0)
    } else {
        (0, usize::from(!title.is_empty()))
    };
    let most = (canvas.height() / 4).max(1);
    let mut places = Vec::with_capacity(entries.len());
    for mark in &entries {
        if x > 0 && x + length(mark) > width {
            (x, y) = (0, y + 1);
        }
        if y > most {
            break;
        }
        places.push((x, y));
        x += length(mark) + 2;
    }
    let bottom = y.min(most);
    // An entry is written completely or counted.
    let mut rest = 0;
    while places.len() < entries.len() {
        rest = match places.last() {
            Some((x, y)) if *y == bottom => x + length(entries[places.len() - 1]) + 2,
            _ => 0,
        };
        if rest == 0 || rest + width_of(&more(entries.len() - places.len(), ascii)) <= width {
            break;
        }
        places.pop();
    }
    for (mark, (x, y)) in entries.iter().zip(&places) {
        let name = mark.name.as_deref().unwrap_or_default();
        canvas.put(*x, *y, glyph_of(chart, mark, look), Ink::Series(mark.paint));
        let x = canvas.text(x + 2, *y, &fit_ends(name, width.saturating_sub(x + 2), ascii), Ink::Text);
        canvas.text(x, *y, &value(mark), Ink::Series(mark.paint));
    }
    if places.len() < entries.len() {
        canvas.text(rest, bottom, &more(entries.len() - places.len(), ascii), Ink::Dim);
        return bottom + 1;
    }
    let (x, y) = if x + width_of(kind) <= width { (x, bottom) } else { (0, bottom + 1) };
    if kind.is_empty() || y > most {
        return bottom + 1;
    }
    canvas.text(x, y, kind, Ink::Dim);
    y + 1
}

/// Says how many entries are left out.
fn more(hidden: usize, ascii: bool) -> String {
    format!("{} {hidden} more", if ascii { "+" } else { "…" })
}

/// Draws title and series in one line, or in two.
fn compact(canvas: &mut Canvas, chart: &Chart, look: Theme) -> Head {
    let (width, ascii) = (canvas.width(), look.glyphs.ascii());
    let title = chart.title.as_deref().unwrap_or_default();
    let series = SeriesList::new(chart, title, ascii);
    if series.marks.is_empty() {
        let captioned = !heading(canvas, chart, width, ascii);
        return Head { rows: usize::from(!title.is_empty()), captioned };
    }
    // With enough rows the title is written completely; so is a title that also names the only line.
    let roomy = canvas.height() >= 9;
    let most = match (roomy, series.is_in_title) {
        (true, _) => width,
        (false, true) => width * 2 / 3,
        (false, false) => width / 3,
    };
    // In the line of the title as far as there is room, with enough rows also in the line below.
    let beside = width.saturating_sub(width_of(title).min(most) + 2);
    let below = roomy && !title.is_empty();
    let (row, entries) = match series.fit(beside) {
        Some(found) if found.detail != Detail::Name && found.names == series.names => (0, found),
        found => match (found, series.fit(width)) {
            (_, Some(found)) if below => (1, found),
            (Some(found), _) => (0, found),
            _ => {
                // Some names are better than none: as short as they are still told apart.
                let cut = |times: usize| series.cut(times * 3, Detail::Name);
                let names = (2..15).find_map(cut);
                (usize::from(below), names.unwrap_or_else(|| series.whole(Detail::Name)))
            }
        },
    };
    let needed = series.width(entries.detail, &entries.names);
    let overflow = needed > if row == 0 { beside } else { width };
    // For the first name the title is cut further.
    let first = if overflow { series.entry_width(0, entries.detail, &entries.names) + 2 } else { 0 };
    let first = first + width_of(&more(series.marks.len() - 1, ascii));
    let beside = if overflow { beside.max(first.min(width.saturating_sub(CUT_TITLE + 2))) } else { beside };
    let (start, own) = if row == 0 {
        let start = width - needed.min(beside);
        (start, start.saturating_sub(2))
    } else {
        (0, width)
    };
    let captioned = !heading(canvas, chart, own, ascii);
    let last = if overflow { Some(row + usize::from(below)) } else { None };
    let row = series.draw(canvas, &entries, (start, row), last, look);
    Head { rows: row + 1, captioned }
}

/// The names of the series as they are written, and what is written beside them.
struct Entries {
    detail: Detail,
    names: Vec<String>,
}

/// The series of a chart, for its head line.
struct SeriesList<'a> {
    chart: &'a Chart,
    marks: Vec<&'a Mark>,
    names: Vec<String>,
    /// Whether the title names the only series, as for a metric with a single line.
    is_in_title: bool,
    ascii: bool,
}

impl<'a> SeriesList<'a> {
    fn new(chart: &'a Chart, title: &str, ascii: bool) -> Self {
        let marks = chart.named();
        let name = |mark: &&Mark| mark.name.clone().unwrap_or_default();
        let mut names: Vec<String> = marks.iter().map(name).collect();
        let is_in_title = matches!(names.as_slice(), [only] if names_entry(title, only));
        if is_in_title {
            names[0].clear();
        }
        Self { chart, marks, names, is_in_title, ascii }
    }

    fn entry_width(&self, i: usize, detail: Detail, names: &[String]) -> usize {
        let name = if names[i].is_empty() { 0 } else { width_of(&names[i]) + 1 };
        let last = self.marks[i].last.filter(|_| detail != Detail::Name);
        1 + name + last.map_or(0, |v| width_of(&value(self.chart, self.marks[i], v, detail)) + 1)
    }

    /// Returns the width of all entries.
    fn width(&self, detail: Detail, names: &[String]) -> usize {
        (0..names.len()).map(|i| self.entry_width(i, detail, names) + 2).sum::<usize>().saturating_sub(2)
    }

    fn whole(&self, detail: Detail) -> Entries {
        Entries { detail, names: self.names.clone() }
    }

    /// Returns the entries with as much as fits.
    fn fit(&self, room: usize) -> Option<Entries> {
        let whole = |detail| (self.width(detail, &self.names) <= room).then(|| self.whole(detail));
        whole(Detail::Full)
            .or_else(|| whole(Detail::Brief))
            .or_else(|| self.shorten(room, Detail::Brief, READABLE_NAME))
            .or_else(|| whole(Detail::Name))
            .or_else(|| self.shorten(room, Detail::Name, MIN_NAME))
            .or_else(|| self.shorten(room, Detail::Name, MIN_WORD))
    }

    /// Truncates names so that all fit, if at least `least` columns remain of each and they stay distinguishable.
    fn shorten(&self, room: usize, detail: Detail, least: usize) -> Option<Entries> {
        let one: Vec<String> = self.names.iter().map(|name| name.chars().take(1).collect()).collect();
        let mut left = room.checked_sub(self.width(detail, &one))? + one.len();
        let mut widths: Vec<usize> = self.names.iter().map(|name| width_of(name)).collect();
        widths.sort_unstable();
        // What short names leave is shared by the long ones.
        let mut each = room;
        for (i, width) in widths.iter().enumerate() {
            let share = left / (widths.len() - i);
            if *width > share {
                each = share;
                break;
            }
            left -= width;
        }
        if each < least { None } else { self.cut(each, detail) }
    }

    /// Truncates names to at most `each` columns, if they stay distinguishable.
    fn cut(&self, each: usize, detail: Detail) -> Option<Entries> {
        let all: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let names = if each < MIN_NAME {
            fit_words(&all, each, self.ascii).collect::<Option<Vec<_>>>()?
        } else {
            fit_distinct(&all, each, self.ascii)
        };
        let distinct = |names: &[String]| names.iter().collect::<BTreeSet<_>>().len();
        (distinct(&names) == distinct(&self.names)).then_some(Entries { detail, names })
    }

    /// Draws the entries in one row; with a `last` row, as many as fit down to it, and the number of the others. Returns the
    /// row of the last one.
    fn draw(
        &self,
        canvas: &mut Canvas,
        entries: &Entries,
        (mut x, mut row): (usize, usize),
        last: Option<usize>,
        look: Theme,
    ) -> usize {
        let (width, detail) = (canvas.width(), entries.detail);
        for (i, mark) in self.marks.iter().enumerate() {
            let left = self.marks.len() - i;
            let more = more(left, self.ascii);
            let needed = self.entry_width(i, detail, &entries.names);
            if last.is_some_and(|last| row < last) && x > 0 && x + needed > width {
                (x, row) = (0, row + 1);
            }
            let rest = if left > 1 { 2 + width_of(&more) } else { 0 };
            if last == Some(row) && x + needed + rest > width {
                canvas.text(x.min(width.saturating_sub(width_of(&more))), row, &more, Ink::Dim);
                break;
            }
            canvas.put(x, row, glyph_of(self.chart, mark, look), Ink::Series(mark.paint));
            x += 1;
            if !entries.names[i].is_empty() {
                x = canvas.text(x + 1, row, &entries.names[i], Ink::Text);
            }
            if let Some(last) = mark.last.filter(|_| detail != Detail::Name) {
                x = canvas.text(x + 1, row, &value(self.chart, mark, last, detail), Ink::Series(mark.paint));
            }
            x += 2;
        }
        row
    }
}

/// Draws the title and, in the same line, what the vertical axes show: where the chart is too low for another line,
/// shortened. Returns `false` if that needs another line.
fn heading(canvas: &mut Canvas, chart: &Chart, room: usize, ascii: bool) -> bool {
    let title = chart.title.as_deref().unwrap_or_default();
    let captions = captions::vertical(chart);
    let beside = |room| captions::side_by_side(&captions, room, ascii);
    let whole = beside(usize::MAX).unwrap_or_default();
    let left = room.saturating_sub(width_of(title) + 2);
    let needed = width_of(&whole);
    // The name of a scale is worth no line.
    let is_scale = chart.y.scale.word() == Some(whole.as_str());
    let in_row = needed > left && !is_scale && canvas.height() >= TALL;
    let caption = match needed {
        0 => None,
        _ if in_row => None,
        _ if needed <= left => Some(whole),
        _ if room < SHARED => beside(left),
        _ => [left, room / 3, room / 2].into_iter().find_map(beside),
    };
    let kept = caption.as_ref().map_or(room, |caption| room.saturating_sub(width_of(caption) + 2));
    let end = canvas.text(0, 0, &fit_title(title, kept, ascii), Ink::Bold);
    if let Some(caption) = &caption {
        canvas.text(end + if title.is_empty() { 0 } else { 2 }, 0, caption, Ink::Dim);
    }
    !in_row
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
    let parts = [part, ": "].into_iter().find_map(|part| Some((part, title.split_once(part)?)));
    match parts {
        Some((part, (first, second))) if width_of(title) > width && width >= 15 => {
            let room = width - width_of(part);
            let (a, b) = (width_of(first), width_of(second));
            // The second tells panels of a figure apart: it stays whole if it takes at most two thirds of the room.
            let first_room = a.min((room - b.min(room * 2 / 3)).max(12.min(room / 2)));
            let second_room = room - first_room;
            format!("{}{part}{}", fit_title(first, first_room, ascii), fit_title(second, second_room, ascii))
        }
        _ => cut(title, width, ascii),
    }
}

/// Returns whether a title is a name, with or without a unit.
fn names_entry(title: &str, name: &str) -> bool {
    let rest = title.trim().strip_prefix(name);
    !name.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" ["))
}

fn value(chart: &Chart, mark: &Mark, v: f64, detail: Detail) -> String {
    let axis = chart.axis(mark.side);
    mark.measured(if detail == Detail::Brief { axis.brief(v) } else { axis.steady(v) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_title_in_two_parts_both_are_seen() {
        let title = "Gradient norm and loss: sinc-full · Norm of the gradient";
        assert_eq!(fit_title(title, 60, false), title);
        assert_eq!(fit_title(title, 35, false), "Gradie…-full · Norm of the gradient");
        assert_eq!(fit_title("Residuals · sinc: sin(5πx) / (5πx)", 24, false), "Residuals · sinc: sin(5…");
        assert_eq!(fit_title("Residuals of all networks · sinc", 24, false), "Residuals of all… · sinc");
        assert_eq!(fit_title("too narrow · for two", 12, false), "too narrow …");
        assert_eq!(fit_title("  block/attention/query/norm [x]", 20, false), "  block/at…/norm [x]");
        assert_eq!(fit_title("run-1: block/attention/query/norm_1", 20, false), "run-1: block/…norm_1");
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

    #[test]
    fn of_many_long_names_a_low_chart_shows_as_many_as_have_room() {
        let named = |n: i32| {
            let (batch, lr) = ([32, 64, 128][n as usize % 3], ["0.001", "0.003", "0.01"][n as usize / 3 % 3]);
            let optimizer = if n < 9 { "adam" } else { "sgd" };
            Mark {
                name: Some(format!("points 2000, batch {batch}, optimizer {optimizer}, lr {lr}")),
                ..Mark::new(
                    (crate::colour::Paint::Slot(0), 0),
                    crate::Shape::Line { x: vec![0.0, 1.0], y: vec![0.0, 1.0] },
                )
            }
        };
        let title = Some("loss deep · sinc".to_owned());
        let chart = Chart { marks: (0..16).map(named).collect(), title, compact: true, ..Chart::default() };
        let look = Theme::default();
        let head = |size: (usize, usize)| {
            let drawn = crate::cells::text::plain(&crate::cells::chart(&chart, size, look, look.bold()));
            drawn.lines().take_while(|line| !line.contains(['│', '┤'])).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(head((40, 7)), ["loss deep …  ● …32…adam…0.001  … 15 more"]);
        let high = head((80, 16));
        assert_eq!((high.len(), high.concat().matches("adam").count()), (3, 8), "{high:#?}");
    }

    #[test]
    fn an_entry_is_written_completely_or_counted() {
        let entry = |i: i32| Mark {
            name: Some(format!("curve-{i}")),
            last: Some(0.0115),
            ..Mark::new(
                (crate::colour::Paint::Slot(0), 0),
                crate::Shape::Line { x: vec![0.0, 1.0], y: vec![0.0, 1.0] },
            )
        };
        let chart = Chart { marks: (0..24).map(entry).collect(), ..Chart::default() };
        let look = Theme { glyphs: crate::cells::glyphs::Glyphs::Ascii, ..Theme::default() };
        for width in 20..120 {
            let buffer = crate::cells::chart(&chart, (width, 16), look, look.bold());
            let text = crate::cells::text::plain(&buffer);
            let written = text.matches("curve-").count();
            let counted = text.split_once("+ ").map_or(0, |(_, rest)| {
                rest.split(' ').next().and_then(|n| n.parse::<usize>().ok()).unwrap_or(0)
            });
            assert_eq!(written + counted, 24, "{width}: {text}");
            assert_eq!(text.matches(" 0.0115").count(), written, "{width}: {text}");
        }
    }
}
