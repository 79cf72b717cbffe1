//! What a run shows in each column.

use gradtop_store::State;

use gradtop_chart::cells::align::{Align, pad, pad_left};
use gradtop_chart::cells::text::{fit_ends, width_of};
use gradtop_chart::cells::theme::Theme;
use gradtop_view::runs::RunRow;
use gradtop_view::state;

/// Columns before the first: cursor and selection.
pub(super) const MARKS: u16 = 3;

/// Columns of a list below which states are told by their signs alone.
pub(super) const NARROW: u16 = 60;

/// The style of a state.
pub(super) fn state_style(state: State, theme: Theme) -> ratatui::style::Style {
    theme.ink(state::ink(state))
}

/// Columns before the point of a value.
pub(super) const BEFORE_POINT: usize = 4;

/// Numbers with their points one below the other: `whole` columns before the point.
pub(super) fn pointed(value: &str, whole: usize) -> String {
    if !value.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return value.to_owned();
    }
    let point = value.find(['.', 'e']).unwrap_or(value.len());
    format!("{}{value}", " ".repeat(whole.saturating_sub(point)))
}

/// What must be said of it, and whether it can be helped.
pub(super) fn note(row: &RunRow) -> Option<String> {
    let over = matches!(row.view.state, State::Failed | State::Crashed) && row.resume.is_ok();
    state::note(&row.view).map(|note| if over { format!("{note}; r resumes") } else { note })
}

/// A text in exactly so many columns.
pub(super) fn cell(text: &str, width: usize, align: Align, ascii: bool) -> String {
    let fitted = |text: &str| {
        // Before anything is cut, points no longer stand below each other.
        let text = if width_of(text) > width { text.trim_start() } else { text };
        fit_ends(text, width, ascii)
    };
    match align {
        Align::Left => pad(&fitted(text), width),
        Align::Right => pad_left(&fitted(text), width),
        Align::Point => pad(&fitted(&pointed(text, BEFORE_POINT)), width),
    }
}
