//! The lines above a run's panes: what it is, its progress, and the tabs.

use gradtop_store::{State, View};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::Pane;
use crate::print::clean;
use crate::screens::shared::Shared;
use gradtop_chart::cells::align::pad_left;
use gradtop_chart::cells::text::{fit, fit_ends, width_of, wrap, wrap_in};
use gradtop_chart::number;
use gradtop_view::clock::moment_at;
use gradtop_view::run::{progress, remark, state};
use gradtop_view::runs::RunRow;
use gradtop_view::why::Verdict;

/// The priority of the epoch.
const EPOCH: u8 = 3;

/// A part of the first line with a priority; when space is short, the lowest are dropped first.
struct Item {
    rank: u8,
    spans: Vec<(String, Style)>,
}

impl Item {
    fn width(&self) -> usize {
        self.spans.iter().map(|(t, _)| width_of(t)).sum()
    }
}

/// The state, name and progress of a run in one line; `gone`: its folder is no longer there.
pub(crate) fn first(shared: &Shared, view: &View, gone: bool, width: usize) -> Line<'static> {
    let theme = shared.theme;
    let (state, style) = if gone {
        (" gone  ".to_owned(), theme.alert())
    } else {
        (format!(" {}  ", state::label_in(view, theme.ascii())), shared.state_style(view.state))
    };
    let live = !gone && !view.state.is_final();
    let mut items = progress(shared, view, live);
    let name = clean(&view.manifest.run);
    // The least important parts are dropped first; the name stays complete as long as anything can be dropped.
    let room = width.saturating_sub(width_of(&state) + width_of(&name).min(width / 3) + 2);
    let all = |items: &[Item]| items.iter().map(|i| i.width() + 3).sum::<usize>();
    while all(&items) > room && !items.is_empty() {
        let least = items.iter().enumerate().min_by_key(|(_, i)| i.rank).map_or(0, |(at, _)| at);
        items.remove(least);
    }
    // The epoch gives way to the experiment.
    let about = shared.signs(&experiment_and_phase(view, live));
    if width_of(&state) + all(&items) + width_of(&name) + width_of(&about) + 3 > width {
        items.retain(|item| item.rank > EPOCH);
    }
    let left = width.saturating_sub(width_of(&state) + all(&items));
    let name = fit_ends(&name, left, theme.ascii());
    let mut spans = vec![Span::styled(state, style), Span::styled(name.clone(), theme.bold())];
    let left = left.saturating_sub(width_of(&name));
    let about = if left > 8 { fit(&format!("  {about}"), left - 1, theme.ascii()) } else { String::new() };
    let blank = left.saturating_sub(width_of(&about));
    spans.push(Span::styled(about, theme.dim()));
    spans.push(Span::raw(" ".repeat(blank)));
    for item in items {
        spans.push(Span::raw("  "));
        spans.extend(item.spans.into_iter().map(|(t, s)| Span::styled(t, s)));
        spans.push(Span::raw(" "));
    }
    Line::from(spans)
}

/// The experiment and its current phase.
fn experiment_and_phase(view: &View, live: bool) -> String {
    let phase = view.status.phase.as_deref().filter(|_| live);
    match phase.filter(|p| !p.is_empty()) {
        Some(phase) => format!("{} · {}", clean(&view.manifest.experiment.id), clean(phase)),
        None => clean(&view.manifest.experiment.id),
    }
}

/// Percentage, step, epoch, rate and time left, of a live run at fixed widths so that nothing moves.
fn progress(shared: &Shared, view: &View, live: bool) -> Vec<Item> {
    let theme = shared.theme;
    let s = &view.status;
    let mut items = Vec::new();
    let mut item = |rank: u8, label: &str, value: String, wide: usize| {
        let value = pad_left(&shared.signs(&value), if live { wide } else { 0 });
        let label = if label.is_empty() { String::new() } else { format!("{label} ") };
        items.push(Item { rank, spans: vec![(label, theme.dim()), (value, theme.text())] });
    };
    if let Some((done, total)) = progress::of(view).filter(|_| s.total.is_some()) {
        item(9, "", number::percent(done, total), 5);
    }
    if let Some(step) = s.step {
        let done = progress::of(view).filter(|(done, _)| !live && i128::from(*done) > i128::from(step));
        let step = number::count(step as f64);
        if let Some((done, total)) = done.filter(|_| s.works_by_steps()) {
            // Steps count from 0: step 1999 was the last of 2000.
            let [done, total] = [done, total].map(|n| number::count(n as f64));
            item(8, "", format!("{done} / {total} steps"), 0);
        } else if let Some(total) = s.total.filter(|_| s.works_by_steps()) {
            let total = number::count(total as f64);
            let wide = width_of(&total).max(6) + 3 + width_of(&total);
            let of = if live || step != total { format!("{step} / {total}") } else { step };
            item(8, "step", of, wide);
        } else {
            item(8, "step", step, 6);
        }
    }
    if let Some(epoch) = progress::epoch(view) {
        item(EPOCH, "epoch", progress::epoch_words(epoch), 4);
    }
    if let Some(rate) = progress::rate(view).filter(|_| live) {
        item(5, "", number::rate(rate), 8);
    }
    if let Some(eta) = progress::eta(view).filter(|_| live) {
        item(7, "eta", number::time_left(eta), 6);
    } else if let Some(words) = progress::eta_words(view).filter(|_| live) {
        item(7, "", words, 0);
    }
    if let Some(took) = progress::took(view, shared.now).filter(|_| view.state.is_final()) {
        item(6, "took", number::duration(took), 0);
    }
    items
}

/// The labels of the tabs; if space is short, only the current one has its name, so that there is room for how the charts
/// are displayed.
pub(crate) fn tabs(pane: Pane, shown: &[String], width: usize) -> impl Iterator<Item = (Pane, String)> {
    let named = |p: Pane, n: usize| format!("{n} {}", p.word());
    let whole: usize = Pane::ALL.iter().map(|p| named(*p, 1).len() + 2).sum();
    // The usual axis alone is worth no names: it is named below the charts, too.
    let told = if shown.len() > 1 { width_of(&shown.join(SEPARATOR)) + 2 } else { 0 };
    let room = width.saturating_sub(told);
    (1..)
        .zip(Pane::ALL)
        .map(move |(n, p)| (p, if whole < room || p == pane { named(p, n) } else { n.to_string() }))
}

const SEPARATOR: &str = " · ";

/// The tabs on the left, and on the right how the charts are displayed.
pub(crate) fn second(shared: &Shared, pane: Pane, mut shown: Vec<String>, width: usize) -> Line<'static> {
    let theme = shared.theme;
    let mut spans = vec![Span::raw(" ")];
    let mut used = 1;
    for (p, text) in tabs(pane, &shown, width) {
        let current = p == pane;
        used += width_of(&text) + 2;
        // Without colours, brackets mark the current tab.
        let (open, close) = if current { ("[", "]") } else { (" ", " ") };
        spans.push(Span::styled(open, theme.accent()));
        spans.push(Span::styled(text, if current { theme.accent() } else { theme.dim() }));
        spans.push(Span::styled(close, theme.accent()));
    }
    let room = width.saturating_sub(used + 2);
    // The first give way to a sign where there is no room.
    let mut text = shared.signs(&shown.join(SEPARATOR));
    while width_of(&text) > room {
        let gone = 1 + usize::from(shown.first().is_some_and(|first| first == "…"));
        if gone >= shown.len() {
            break;
        }
        shown.splice(..gone, ["…".to_owned()]);
        text = shared.signs(&shown.join(SEPARATOR));
    }
    if width_of(&text) <= room {
        spans.push(Span::raw(" ".repeat(width.saturating_sub(used + width_of(&text) + 1))));
        spans.push(Span::styled(text, theme.dim()));
    }
    Line::from(spans)
}

/// What is remarkable about a run, why it ended and what to do about it, in about `most` lines; empty if nothing is.
pub(crate) fn banner(shared: &Shared, row: &RunRow, width: usize, most: usize) -> Vec<Line<'static>> {
    let (theme, ascii) = (shared.theme, shared.theme.ascii());
    let view = &row.view;
    let room = width.saturating_sub(4).max(10);
    let mut out = Vec::new();
    let mut say = |text: &str, style: Style, hint: &str| {
        let kept = most.saturating_sub(out.len() + 1).max(1);
        let mut lines = wrap_in(&shared.signs(text), room, kept, ascii);
        if let Some(last) = lines.last_mut().filter(|_| !hint.is_empty() && wrap(text, room).len() > kept) {
            *last = fit(last, room.saturating_sub(hint.len()), ascii) + hint;
        }
        out.extend(lines.into_iter().map(|line| Line::styled(format!(" {line}"), style)));
    };
    if view.seen.is_some() || !view.certain {
        let far = sentence(&remark::location(view));
        say(&format!("{far}; its processes cannot be seen from here."), theme.wait(), "");
    }
    if let Some(waiting) = remark::waiting(view) {
        say(&waiting, theme.wait(), "");
    }
    if let Some(silence) = remark::silence(view) {
        say(&format!("{}.", sentence(&silence)), theme.alert(), "");
    }
    let cause = remark::cause(view);
    match view.state {
        State::Failed | State::Crashed => {
            let cause = cause.unwrap_or_else(|| "cause unknown".to_owned());
            say(&format!("{} {cause}", shared.state_glyph(view.state)), theme.alert(), " (all of it: 3)");
            say(&advice(shared, row), theme.dim(), "");
        }
        State::Stopped => say(&cause.unwrap_or_default(), theme.dim(), ""),
        _ => {}
    }
    if let Some((alert, words)) = view.alert.as_ref().zip(remark::alert(view)) {
        let time = moment_at(alert.time, shared.now);
        say(&format!("{} {time} {words}", theme.glyph('▲', '!')), theme.alert(), "");
    }
    out
}

/// A verdict in one line.
pub(crate) fn verdict(shared: &Shared, verdict: &Verdict, width: usize) -> Line<'static> {
    let text = shared.signs(&format!("{} {}", shared.theme.glyph('▲', '!'), verdict.text));
    let more = " (gradtop why)";
    let room = width.saturating_sub(2);
    let text = if width_of(&text) + more.len() <= room { format!("{text}{more}") } else { text };
    Line::styled(format!(" {}", fit(&text, room, shared.theme.ascii())), shared.theme.alert())
}

/// What to do about a run that ended badly.
pub(crate) fn advice(shared: &Shared, row: &RunRow) -> String {
    let look = "2 shows its log";
    if shared.read_only {
        return look.to_owned();
    }
    let resumes = if row.resume.is_ok() { "r resumes from the last checkpoint, " } else { "" };
    format!("{resumes}R restarts, {look}")
}

/// Capitalizes the first letter.
pub(super) fn sentence(words: &str) -> String {
    format!("{}{}", words[..1].to_uppercase(), &words[1..])
}

#[cfg(test)]
mod tests {
    use super::first;
    use crate::app::testing::{Bench, run};

    #[test]
    fn an_experiment_is_named_before_the_epoch() {
        let fit = run("plane-curves", "q-plane-curves", 1).losses().with(|_, s| s.epoch = Some(200.0));
        let bench = Bench::of(vec![fit]);
        let line =
            |width| first(&bench.app.shared, &bench.app.shared.runs.rows[0].view, false, width).to_string();
        assert!(
            line(80).contains("q-plane-curves  plane-curves  ") && !line(80).contains("epoch"),
            "{}",
            line(80)
        );
        assert!(line(120).contains("  plane-curves  ") && line(120).contains("epoch 200"), "{}", line(120));
    }
}
