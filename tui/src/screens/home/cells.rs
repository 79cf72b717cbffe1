//! The text that a run shows in each column.

use gradtop_store::State;

use crate::print::clean;
use gradtop_chart::cells::align::{Align, pad, pad_left};
use gradtop_chart::cells::text::{fit_ends, width_of};
use gradtop_view::run::remark;
use gradtop_view::runs::RunRow;

/// Columns before the first one: cursor and selection.
pub(super) const MARKS: u16 = 3;

/// In narrower lists, states are shown as signs only.
pub(super) const NARROW: u16 = 72;

/// Columns before the decimal point of a value.
pub(super) const BEFORE_POINT: usize = 4;

/// A remark that is cut to this width still says enough.
pub(super) const REMARK: usize = 15;
/// Text is cut to no less than this.
pub(super) const LEAST: usize = 8;
/// Columns between two columns.
pub(super) const GAP: usize = 2;

/// The width of the sign of an alert before a name.
pub(super) const ALERT: usize = 2;

/// The width of a run's name, with the sign of its alert.
pub(super) fn name_width(run: &RunRow) -> usize {
    width_of(&clean(run.name())) + if remark::alert(&run.view).is_some() { ALERT } else { 0 }
}

/// Aligns a number at its decimal point, with `whole` columns before it.
pub(super) fn align_point(value: &str, whole: usize) -> String {
    if !value.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return value.to_owned();
    }
    let point = value.find(['.', 'e']).unwrap_or(value.len());
    format!("{}{value}", " ".repeat(whole.saturating_sub(point)))
}

/// The note of a run, such as why it failed.
pub(super) fn note(row: &RunRow) -> Option<String> {
    let over = matches!(row.view.state, State::Failed | State::Crashed) && row.resume.is_ok();
    remark::of(&row.view).map(|note| if over { format!("{note}; r resumes") } else { note })
}

/// Fits a text to a width.
pub(super) fn cell(text: &str, width: usize, align: Align, ascii: bool) -> String {
    let fitted = |text: &str| {
        // Drops the alignment before cutting anything.
        let text = if width_of(text) > width { text.trim_start() } else { text };
        fit_ends(text, width, ascii)
    };
    match align {
        Align::Left => pad(&fitted(text), width),
        Align::Right => pad_left(&fitted(text), width),
        Align::Point => pad(&fitted(&align_point(text, BEFORE_POINT)), width),
    }
}
