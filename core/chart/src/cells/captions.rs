//! What the axes of a chart show, written where there is room for it.

use std::collections::BTreeSet;

use super::Area;
use super::canvas::Canvas;
use super::text::{fit, width_of};
use super::theme::Ink;
use crate::{Axis, Chart};

/// Minimum width of a shortened name before its unit.
const MIN_NAME: usize = 4;
/// Minimum width of a shortened caption.
const MIN_CAPTION: usize = 6;

/// Returns the captions of the vertical axes, left and right; of a small chart without the words of its title.
pub(super) fn vertical(chart: &Chart) -> [String; 2] {
    let title = chart.title.as_deref().unwrap_or_default().to_lowercase();
    let said = |words: &str| chart.compact && title.contains(&words.to_lowercase());
    let caption = |axis: &Axis| {
        let label = if said(&axis.label) { String::new() } else { axis.label.clone() };
        let unit = axis.unit.clone().filter(|unit| !said(&format!("[{unit}]")));
        Axis { label, unit, ..axis.clone() }.caption()
    };
    [caption(&chart.y), chart.y2.as_ref().map(caption).unwrap_or_default()]
}

/// Shortens a caption; as much of its name is kept as fits before its unit.
pub(super) fn fit_unit(caption: &str, width: usize, ascii: bool) -> String {
    let (name, unit) = caption.split_at(caption.find(" [").unwrap_or(caption.len()));
    match width.checked_sub(width_of(unit)) {
        Some(room) if room >= MIN_NAME.min(width_of(name)) => fit(name, room, ascii) + unit,
        _ if !unit.is_empty() && width_of(unit) <= width + 1 => unit[1..].to_owned(),
        _ => fit(name, width, ascii),
    }
}

/// Returns captions side by side with a sign between them, shortened to `width` columns; `None` if that is too little.
pub(super) fn side_by_side(captions: &[String], width: usize, ascii: bool) -> Option<String> {
    let all: Vec<&String> = captions.iter().filter(|caption| !caption.is_empty()).collect();
    let between = 3 * all.len().saturating_sub(1);
    let longest = all.iter().map(|caption| width_of(caption)).max().unwrap_or(0);
    let room = width.saturating_sub(between);
    // The shorter one stays whole if it takes less than its share.
    let others: usize = all.iter().map(|caption| width_of(caption)).sum::<usize>() - longest;
    let each = (room / all.len().max(1)).max(room.saturating_sub(others));
    let line = all.iter().map(|caption| fit_unit(caption, each, ascii)).collect::<Vec<_>>().join(" | ");
    (each >= MIN_CAPTION.min(longest) && width_of(&line) <= width).then_some(line)
}

/// Writes captions in a row of their own, each above its axis.
pub(super) fn above(canvas: &mut Canvas, y: usize, [left, right]: &[String; 2], ascii: bool) {
    let width = canvas.width();
    let whole = if right.is_empty() { 0 } else { width_of(right) + 2 };
    let half = whole.min(width.saturating_sub(width_of(left)).max(width / 2));
    let right = fit_unit(right, half.saturating_sub(2), ascii);
    canvas.text(0, y, &fit_unit(left, width - half, ascii), Ink::Dim);
    canvas.text(width.saturating_sub(width_of(&right)), y, &right, Ink::Dim);
}

/// Writes the caption of the horizontal axis where it needs no row of its own: on the axis, at its end or before the
/// marks of values without a position in the columns `marked`, or between the labels of the ticks; shortened if it must
/// be, and at last instead of the last label.
pub(super) fn across(canvas: &mut Canvas, caption: &str, area: Area, marked: &BTreeSet<usize>, ascii: bool) {
    let (axis, labels) = (area.top + area.height, area.top + area.height + 1);
    let short = fit_unit(caption, (area.width / 2).saturating_sub(2), ascii);
    // With a blank on both sides, except at the end.
    let starts = |words: &str, from: usize| (from..area.width.saturating_sub(width_of(words))).rev();
    let unmarked = |words: &str| {
        let is_free =
            |start: &usize| !(*start..=*start + width_of(words) + 1).any(|column| marked.contains(&column));
        Some((starts(words, area.width / 2 + 1).find(is_free)?, axis))
    };
    let blank = |words: &str| {
        let is_free = |start: &usize| {
            let width = (width_of(words) + 2).min(area.width - start);
            canvas.is_blank((area.left + start, labels), width)
        };
        Some((starts(words, 1).find(is_free)?, labels))
    };
    let place = [caption, &short]
        .into_iter()
        .find_map(|words| Some((words, unmarked(words).or_else(|| blank(words))?)));
    let (words, (start, y)) = place.unwrap_or_else(|| {
        let start = area.width.saturating_sub(width_of(&short) + 1);
        (&short, (start, labels))
    });
    let left = area.left + start;
    let end = left + width_of(words) + 1;
    let covered = |x: &usize| y == labels && !canvas.is_blank((*x, y), 1);
    // Of a label that would be covered in part, nothing is left.
    let before = (1..=left).rev().take_while(covered).count();
    let behind = (end..canvas.width()).take_while(covered).count();
    let behind = if y == axis { usize::from(end < area.left + area.width) } else { behind };
    let blank = |columns: usize| " ".repeat(columns);
    let text = format!("{} {words}{}", blank(before), blank(behind));
    canvas.text(left - before, y, &text, Ink::Dim);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::theme::Theme;
    use crate::cells::{chart, text};
    use crate::colour::{Colours, Paint};
    use crate::{Mark, Shape, Side};

    /// A small chart of a line, without values from a step on.
    fn small(from: usize, (x, y, y2): (&str, &str, &str)) -> Chart {
        let axis = |label: &str, unit: &str| Axis {
            label: label.to_owned(),
            unit: Some(unit.to_owned()),
            ..Axis::default()
        };
        let line = |side| {
            let y = (0..100).map(|i| if i < from { i as f64 } else { f64::NAN }).collect();
            let x = (0..100).map(f64::from).collect();
            Mark { side, ..Mark::new((Paint::Slot(0), 0), Shape::Line { x, y }) }
        };
        Chart {
            title: Some("  Between two batch sizes, from the same start".to_owned()),
            x: axis(x, "steps"),
            y: axis(y, "nats"),
            y2: Some(axis(y2, "%")),
            marks: vec![line(Side::Left), line(Side::Right)],
            compact: true,
            ..Chart::default()
        }
    }

    fn drawn(small: &Chart, size: (usize, usize)) -> String {
        let look = Theme { colours: Colours::None, ..Theme::default() };
        text::plain(&chart(small, size, look, look.bold()))
    }

    #[test]
    fn the_caption_of_the_axis_keeps_away_from_the_marks_on_it() {
        for from in 1..100 {
            for width in 36..90 {
                let drawn = drawn(&small(from, ("t", "", "")), (width, 9));
                let at = drawn.find("t [steps]").unwrap_or_else(|| panic!("{from} {width}: {drawn}"));
                let around = [drawn[..at].chars().last(), drawn[at + 9..].chars().next()];
                assert!(around.iter().all(|c| matches!(c, Some(' ' | '\n'))), "{from} {width}: {drawn}");
            }
        }
    }

    #[test]
    fn every_axis_says_what_it_shows_at_any_size() {
        let long = (
            "time since the start of training",
            "cross entropy of the training set",
            "share classified right",
        );
        for (width, height) in [(40, 7), (40, 14), (57, 9), (57, 13), (80, 8), (120, 20)] {
            let drawn = drawn(&small(100, long), (width, height));
            for unit in ["[steps]", "nats", "%"] {
                assert!(drawn.contains(unit), "{width}x{height}: {unit} is missing in {drawn}");
            }
            assert!(drawn.contains("Between"), "{drawn}");
        }
        assert_eq!(fit_unit("cross entropy [nats] (log)", 20, false), "cross … [nats] (log)");
        assert_eq!(fit_unit("cross entropy [nats]", 9, false), "[nats]");
        assert_eq!(fit_unit("cross entropy", 9, true), "cross en~");
        for width in 0..60 {
            let captions = ["cross entropy [nats] (log)".to_owned(), "accuracy [%]".to_owned()];
            let line = side_by_side(&captions, width, false);
            assert!(line.is_none_or(|line| width_of(&line) <= width && line.contains('%')), "{width}");
        }
    }

    #[test]
    fn the_sign_of_an_only_line_is_a_line() {
        let mut chart = small(100, ("", "", ""));
        let rows = |chart: &Chart| drawn(chart, (60, 9));
        chart.marks.truncate(1);
        chart.marks[0].name = Some("train".to_owned());
        assert!(rows(&chart).contains("─ train") && !rows(&chart).contains('●'), "{}", rows(&chart));
        chart.marks.push(Mark { name: Some("test".to_owned()), ..chart.marks[0].clone() });
        assert!(rows(&chart).matches('●').count() > 3, "{}", rows(&chart));
    }
}
