//! The cursor's run, below or beside the list: its first figure, live, and its details.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Home;
use crate::app::Shared;
use crate::app::runs::RunRow;
use crate::chart::grid::{fit, width_of, wrap};
use crate::commands::state;
use crate::live::WatchRequest;
use crate::print::{clean, number};

impl Home {
    /// The series that the list and the pane show.
    pub(super) fn wanted(&self, _shared: &Shared) -> Vec<WatchRequest> {
        Vec::new()
    }

    /// The trend of the headline metric.
    pub(super) fn view_spark(&self, _shared: &Shared, _buffer: &mut Buffer, _area: Rect, _run: &RunRow) {}

    /// Draws the pane.
    pub(super) fn view_pane(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        let Some(run) = self.current() else { return };
        let theme = shared.theme;
        let buffer = frame.buffer_mut();
        let line = theme.glyph("─", "-").repeat(usize::from(area.width));
        buffer.set_string(area.x, area.y, line, theme.dim());
        let title = format!(" {} ", clean(run.name()));
        buffer.set_stringn(
            area.x + 3,
            area.y,
            title,
            usize::from(area.width.saturating_sub(6)),
            theme.bold(),
        );
        let inner = Rect {
            x: area.x + 3,
            y: area.y + 1,
            width: area.width.saturating_sub(4),
            height: area.height.saturating_sub(1),
        };
        view_details(shared, buffer, inner, run);
    }
}

/// Names and values, one below the other, as many as fit.
fn view_details(shared: &Shared, buffer: &mut Buffer, area: Rect, run: &RunRow) {
    let theme = shared.theme;
    let details = details(shared, run);
    let width = details.iter().map(|(name, _)| width_of(name)).max().unwrap_or(0);
    let room = usize::from(area.width).saturating_sub(width + 2);
    let mut y = area.y;
    for (name, items) in details {
        for (i, line) in packed(&items, room).into_iter().enumerate() {
            if y >= area.bottom() {
                return;
            }
            if i == 0 {
                buffer.set_stringn(area.x, y, &name, usize::from(area.width), theme.dim());
            }
            let line = fit(&line, room, theme.ascii());
            buffer.set_string(area.x + width as u16 + 2, y, line, theme.text());
            y += 1;
        }
    }
}

/// Items in lines of at most `width` columns; one that is longer alone is broken at its blanks.
fn packed(items: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        match lines.last_mut() {
            Some(line) if width_of(line) + 3 + width_of(item) <= width => {
                line.push_str("   ");
                line.push_str(item);
            }
            _ if width_of(item) > width => lines.extend(wrap(item, width.max(8))),
            _ => lines.push(item.clone()),
        }
    }
    lines
}

fn details(shared: &Shared, run: &RunRow) -> Vec<(String, Vec<String>)> {
    let (manifest, status) = (&run.view.manifest, &run.view.status);
    let mut out: Vec<(String, Vec<String>)> = Vec::new();
    let mut add = |name: &str, mut items: Vec<String>| {
        items.retain(|item| !item.is_empty());
        if !items.is_empty() {
            out.push((name.to_owned(), items));
        }
    };
    let text = |text: Option<&str>| vec![text.map(clean).unwrap_or_default()];
    add("cause", text(status.cause.as_deref()));
    add("phase", text(status.phase.as_deref().filter(|_| run.live())));
    for headline in state::headlines(status, manifest).iter().take(3) {
        let words = headline.values.iter().map(|(who, v)| match who {
            Some(who) => format!("{who} {}", number::value(*v)),
            None => number::value(*v),
        });
        add(&clean(headline.metric), words.collect());
    }
    let params = manifest.params.iter().map(|(k, v)| format!("{} {}", clean(k), state::param(v)));
    add("parameters", params.collect());
    let started = status.started.map(|t| state::clock_at(t, shared.now, &shared.zone));
    let took = state::took_at(status, shared.now).map(number::duration);
    let verb = if run.live() { "for" } else { "took" };
    add(
        "started",
        vec![started.unwrap_or_default(), took.map(|t| format!("{verb} {t}")).unwrap_or_default()],
    );
    let threads =
        if manifest.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", manifest.threads) };
    add("device", vec![clean(&manifest.device), threads, format!("seed {}", manifest.seed)]);
    add(
        "experiment",
        vec![format!("{} {}", clean(&manifest.experiment.name), clean(&manifest.experiment.version))],
    );
    add("rows", vec![number::count(status.rows as f64)]);
    out
}
