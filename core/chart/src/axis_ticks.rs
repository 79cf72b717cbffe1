//! The ticks of an axis: names of categories, times, or round numbers.

use crate::cells::text::{fit_distinct, width_of, wrap};
use crate::domain::{Domain, KnownAxes};
use crate::scale::Span;
use crate::ticks::{Powers, Tick, clock_ticks, in_bytes, ticks, time_ticks};
use crate::{Axis, Chart};

/// Returns about `most` ticks of an axis at most.
pub(crate) fn axis_ticks(axis: &Axis, span: &Span, most: usize, powers: Powers) -> Vec<Tick> {
    if !axis.categories.is_empty() {
        let every = axis.categories.len().div_ceil(most.max(1)).max(1);
        let named = axis.categories.iter().enumerate().step_by(every);
        return named.map(|(i, name)| Tick { value: i as f64, label: name.clone() }).collect();
    }
    if let Some(zone) = &axis.clock {
        return clock_ticks(span.low, span.high, most, zone);
    }
    if axis.seconds {
        return time_ticks(span.low, span.high, most);
    }
    let mut ticks = ticks(span, most, powers);
    let is_whole = |tick: &Tick| tick.value.fract() == 0.0;
    if axis.whole && ticks.iter().any(is_whole) && !ticks.iter().all(is_whole) {
        ticks.retain(is_whole);
        for tick in &mut ticks {
            tick.label = tick.value.to_string();
        }
    }
    if axis.bytes() {
        in_bytes(&mut ticks);
    }
    ticks
}

/// Returns the ticks of the vertical axes, left and right, as far as there is something on them.
pub(crate) fn vertical(
    chart: &Chart,
    domain: &Domain,
    known: KnownAxes,
    (most, powers): (usize, Powers),
) -> [Vec<Tick>; 2] {
    let left = known.y.then_some((&chart.y, &domain.y));
    let right = chart.y2.as_ref().zip(domain.y2.as_ref()).filter(|_| known.y2);
    [left, right]
        .map(|axis| axis.map(|(axis, span)| axis_ticks(axis, span, most, powers)).unwrap_or_default())
}

/// Returns as many ticks of a horizontal axis as fit side by side in its columns and the margins beside it.
pub(crate) fn across(
    axis: &Axis,
    span: &Span,
    (width, margins): (usize, (usize, usize)),
    ascii: bool,
) -> Vec<Tick> {
    if !axis.categories.is_empty() {
        // Cells are whole, so middles are off by half of one.
        let row = Row { apart: 1.5, ..Row::new(span, width as f64, margins) };
        return named_ticks(&axis.categories, &row, ascii);
    }
    let mut most = (width / 9).clamp(2, 10);
    loop {
        let ticks = axis_ticks(axis, span, most, Powers::Plain);
        let widest = ticks.iter().map(|t| width_of(&t.label)).max().unwrap_or(0);
        if most <= 2 || ticks.len() * (widest + 3) <= width + 3 {
            return ticks;
        }
        most -= 1;
    }
}

/// The row of labels below a horizontal axis, in columns from the begin of the axis.
pub(crate) struct Row {
    /// The middle of the first category, and its distance from the next.
    first: f64,
    step: f64,
    /// The ends of the row.
    ends: (f64, f64),
    /// The least distance of two labels.
    apart: f64,
}

impl Row {
    /// Creates the row of an axis of so many columns, with margins on its left and right.
    pub(crate) fn new(span: &Span, width: f64, margins: (usize, usize)) -> Self {
        let (first, second) = (span.unit(0.0) * width, span.unit(1.0) * width);
        let ends = (-(margins.0 as f64), width + margins.1 as f64);
        Self { first, step: second - first, ends, apart: 1.0 }
    }

    /// Returns where a label of a category begins and ends: around its middle, but within the row.
    fn place(&self, i: usize, label: &str) -> (f64, f64) {
        let width = width_of(label) as f64;
        let start = self.first + i as f64 * self.step - width / 2.0;
        let start = start.min(self.ends.1 - width).max(self.ends.0);
        (start, start + width)
    }
}

/// Returns the ticks of categories side by side: names are shortened before any is left out, and none that has room.
pub(crate) fn named_ticks(names: &[String], row: &Row, ascii: bool) -> Vec<Tick> {
    const READABLE: usize = 6;
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let widest = all.iter().map(|name| width_of(name)).max().unwrap_or(0);
    let labels = |every: usize, room: usize| {
        let labels = fit_distinct(&all, room, ascii).into_iter().enumerate();
        labels.step_by(every).collect::<Vec<_>>()
    };
    let fit = |labels: &[(usize, String)]| {
        let place = |(i, label): &(usize, String)| row.place(*i, label);
        labels.windows(2).all(|pair| place(&pair[0]).1 + row.apart <= place(&pair[1]).0)
    };
    let least = widest.min(READABLE);
    let fitting =
        |every: usize| (least..=widest).rev().map(|room| labels(every, room)).find(|labels| fit(labels));
    let is_readable = |every: &usize| row.step * *every as f64 >= least as f64 + row.apart;
    let found = (1..all.len()).filter(is_readable).find_map(fitting);
    let found = found.unwrap_or_else(|| labels(all.len().max(1), widest));
    found.into_iter().map(|(i, label)| Tick { value: i as f64, label }).collect()
}

/// Like [`named_ticks`], but names that have no room in one line are in several, if their words have room.
pub(crate) fn wrapped_ticks(names: &[String], row: &Row) -> Vec<Tick> {
    let ticks = named_ticks(names, row, false);
    let room = (row.step - row.apart).max(0.0) as usize;
    let cut = |tick: &Tick| tick.label != names[tick.value as usize];
    let words = || names.iter().flat_map(|name| name.split_whitespace());
    if (ticks.len() == names.len() && !ticks.iter().any(cut)) || words().any(|word| width_of(word) > room) {
        return ticks;
    }
    let wrapped = names.iter().enumerate().map(|(i, name)| (i as f64, wrap(name, room).join("\n")));
    wrapped.map(|(value, label)| Tick { value, label }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scale::Scale;

    /// The labels of categories that have the same room each, in so many columns.
    fn labels(names: &[&str], width: usize) -> Vec<String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let span = Span { scale: Scale::Linear, low: -0.5, high: names.len() as f64 - 0.5 };
        let ticks = named_ticks(&names, &Row::new(&span, width as f64, (4, 1)), true);
        ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn names_of_categories_are_shortened_before_any_is_left_out() {
        let names =
            ["batch, same", "batch, other", "batch, aligned", "rate, same", "rate, other", "rate, aligned"];
        assert_eq!(labels(&names, 100), names);
        for width in [50, 60, 80] {
            let labels = labels(&names, width);
            let different: std::collections::BTreeSet<&String> = labels.iter().collect();
            assert_eq!((labels.len(), different.len()), (6, 6), "{labels:?}");
        }
        assert_eq!(labels(&names, 30).len(), 3);
        assert_eq!(labels(&[], 24), [""; 0]);
    }

    #[test]
    fn a_long_name_takes_the_room_that_short_ones_leave() {
        let names = ["a", "a rather long name", "b", "c"];
        assert_eq!(labels(&names, 44), names);
        assert!(labels(&names, 30)[1].len() > 30 / 4, "{:?}", labels(&names, 30));
        // At the end of the axis there is little room beside it.
        assert_eq!(labels(&["a", "b", "c", "a rather long name"], 60)[3], "a rather long name");
    }

    #[test]
    fn a_drawing_has_names_in_several_lines_if_their_words_have_room() {
        let wrapped = |names: &[&str], width: f64| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let span = Span { scale: Scale::Linear, low: -0.5, high: names.len() as f64 - 0.5 };
            let ticks = wrapped_ticks(&names, &Row::new(&span, width, (0, 0)));
            ticks.into_iter().map(|tick| tick.label).collect::<Vec<_>>()
        };
        let names = ["batch, other", "rate, aligned"];
        assert_eq!(wrapped(&names, 30.0), names);
        assert_eq!(wrapped(&names, 20.0), ["batch,\nother", "rate,\naligned"]);
        assert!(wrapped(&names, 14.0).iter().all(|name| !name.contains('\n')));
    }
}
