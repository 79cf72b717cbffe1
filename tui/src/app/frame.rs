//! Header, footer, and between them the screen.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::keys::{self, Context};
use super::{App, Overlay, Screen};
use crate::screens::toosmall;

/// The part of the terminal that the screen has.
pub(super) fn body(size: Rect) -> Rect {
    Rect { y: size.y + 1.min(size.height), height: size.height.saturating_sub(2), ..size }
}

/// Draws the whole terminal.
pub(crate) fn view(app: &App, frame: &mut Frame<'_>) {
    let size = frame.area();
    let shared = &app.shared;
    if toosmall::too_small(size) {
        toosmall::view(shared, frame, size);
        return;
    }
    header(app, frame, Rect { height: 1, ..size });
    let area = body(size);
    match app.stack.last() {
        None => app.home.view(shared, frame, area),
        Some(Screen::Run(s)) => s.view(shared, frame, area),
        Some(Screen::Compare(s)) => s.view(shared, frame, area),
        Some(Screen::Experiments(s)) => s.view(shared, frame, area),
    }
    match &app.overlay {
        Some(Overlay::Help(help)) => help.view(shared, frame, area),
        Some(Overlay::Confirm(confirm)) => confirm.view(shared, frame, area),
        None => {}
    }
    footer(app, frame, Rect { y: size.bottom().saturating_sub(1), height: 1, ..size });
}

fn header(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.shared.theme;
    let line = Line::from(vec![
        Span::styled(" gradtop  ", theme.bold()),
        Span::styled(format!("{} runs", app.shared.runs.rows.len()), theme.dim()),
    ]);
    frame.render_widget(line, area);
}

fn footer(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let theme = app.shared.theme;
    if let Some(message) = &app.message {
        let style = if message.failed { theme.alert() } else { theme.text() };
        frame.render_widget(Line::styled(format!(" {}", crate::print::clean(&message.text)), style), area);
        return;
    }
    frame.render_widget(hints(app, app.context(), area.width), area);
}

/// As many hints as fit.
fn hints(app: &App, context: Context, width: u16) -> Line<'static> {
    let theme = app.shared.theme;
    let mut spans = Vec::new();
    let mut used = 0;
    for binding in keys::tables(context).into_iter().flatten() {
        if binding.hint.is_empty() || (binding.action.changes() && app.shared.read_only) {
            continue;
        }
        let key = binding.keys.first().copied().unwrap_or_default();
        used += key.len() + binding.hint.len() + 3;
        if used > usize::from(width) {
            break;
        }
        spans.push(Span::styled(format!(" {key}"), theme.accent()));
        spans.push(Span::styled(format!(" {} ", binding.hint), theme.dim()));
    }
    Line::from(spans)
}
