//! What a run shows in each column.

use gradtop_store::{State, View};
use jiff::Timestamp;

use crate::print::clean;
use gradtop_chart::cells::text::{fit, width_of};
use gradtop_chart::cells::theme::Theme;
use gradtop_chart::number;
use gradtop_view::runs::RunRow;
use gradtop_view::state;

/// Columns before the first: cursor and selection.
pub(super) const MARKS: u16 = 3;

/// Columns of a list below which states are told by their signs alone.
pub(super) const NARROW: u16 = 60;

/// The name of a state, without doubt marked by `?`.
pub(super) fn state(view: &View, theme: Theme) -> String {
    let glyph = state::glyph_in(view.state, theme.ascii());
    format!("{glyph} {}{}", view.state.word(), if view.certain { "" } else { "?" })
}

/// The style of a state.
pub(super) fn state_style(state: State, theme: Theme) -> ratatui::style::Style {
    theme.ink(state::ink(state))
}

/// A parameter's value.
pub(super) fn param(row: &RunRow, name: &str) -> String {
    let value = row.view.manifest.params.iter().find(|(n, _)| n == name);
    value.map(|(_, v)| state::param(v)).unwrap_or_default()
}

/// Steps done.
pub(super) fn step(row: &RunRow) -> String {
    state::step(&row.view.status).map(|s| number::count(s as f64)).unwrap_or_default()
}

/// The epoch: one digit after the point, so that it keeps its width.
pub(super) fn epoch(row: &RunRow) -> String {
    state::epoch(&row.view)
        .map(|e| if e < 9_999.95 { format!("{e:.1}") } else { number::count(e) })
        .unwrap_or_default()
}

/// Steps a second, of what runs.
pub(super) fn rate(row: &RunRow) -> String {
    state::rate(&row.view).map(number::rate).unwrap_or_default()
}

/// Time to the end, of what runs.
pub(super) fn eta(row: &RunRow) -> String {
    state::eta(&row.view).map(number::time_left).unwrap_or_default()
}

/// Time since it was asked for.
pub(super) fn age(row: &RunRow, now: Timestamp) -> String {
    number::age(now.duration_since(row.view.manifest.created).as_secs_f64())
}

/// `100 %`, right-aligned in its four columns.
pub(super) fn percent(row: &RunRow) -> String {
    state::progress(&row.view).map(|(done, total)| number::percent(done, total)).unwrap_or_default()
}

/// What stands for the run, and what it is of, as far as the title of the column does not say it.
pub(super) fn metric(row: &RunRow, common: Option<&state::Common>) -> (String, String) {
    let headlines = state::headlines(&row.view);
    let Some((headline, line)) = headlines.first().and_then(|h| Some((h, h.line()?))) else {
        return (String::new(), String::new());
    };
    let who = match common {
        Some(common) => state::line_words(&line, common.split.is_none()),
        None => state::headline_title(headline.metric, line.split),
    };
    (state::headline_value(line.value), who)
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

/// Why it ended, or where it is, if that is worth a place.
pub(super) fn note(row: &RunRow) -> Option<String> {
    let view = &row.view;
    let cause = view.status.cause.as_deref().map(clean).unwrap_or_default();
    match view.state {
        _ if view.silent_for().is_some() => state::silence(view),
        _ if !view.certain => Some(format!(
            "on {}, last write {} ago",
            clean(&view.host),
            number::age(view.age_of_last_write.as_secs_f64())
        )),
        State::Failed | State::Crashed => {
            let again = if row.resume.is_ok() { "; r resumes" } else { "" };
            Some(format!("{}{again}", if cause.is_empty() { "cause unknown" } else { &cause }))
        }
        _ => state::waiting(view),
    }
}

/// A text in exactly so many columns.
pub(super) fn cell(text: &str, width: usize, right: bool, ascii: bool) -> String {
    let text = fit(text, width, ascii);
    let blank = " ".repeat(width.saturating_sub(width_of(&text)));
    if right { format!("{blank}{text}") } else { format!("{text}{blank}") }
}
