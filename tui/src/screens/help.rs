//! All keys that work here, from the table.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::app::Shared;
use crate::app::keys::{self, Binding, Context};
use gradtop_chart::cells::text::{width_of, wrap};

/// What keys do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Close it.
    Close,
    /// A line up.
    Up,
    /// A line down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
}

const fn row(
    keys: &'static [&'static str],
    action: Action,
    hint: &'static str,
    what: &'static str,
) -> Binding {
    Binding { keys, action: keys::Action::Help(action), hint, what }
}

/// The keys.
pub(crate) const KEYS: &[Binding] = &[
    row(&["esc", "?", "f1", "q", "enter"], Action::Close, "close", "close the help"),
    row(&["up", "k"], Action::Up, "up", "up"),
    row(&["down", "j"], Action::Down, "down", "down"),
    row(&["pageup"], Action::PageUp, "", "a page up"),
    row(&["pagedown", "space"], Action::PageDown, "", "a page down"),
];

/// The help of a context.
#[derive(Debug)]
pub(crate) struct Help {
    of: Context,
    top: usize,
}

/// Columns of text from which it is set in two columns.
const TWO: u16 = 130;

impl Help {
    /// Of the screen behind it.
    pub(crate) fn new(of: Context) -> Self {
        Self { of, top: 0 }
    }

    /// Scrolls; `Close` is the caller's.
    pub(crate) fn update(&mut self, shared: &Shared, action: Action) {
        let height = usize::from(shared.area.height);
        let end = self.lines(shared).len().saturating_sub(height);
        self.top = match action {
            Action::Up => self.top.saturating_sub(1),
            Action::Down => (self.top + 1).min(end),
            Action::PageUp => self.top.saturating_sub(height),
            Action::PageDown => (self.top + height).min(end),
            Action::Close => self.top,
        };
    }

    /// Draws it.
    pub(crate) fn view(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        let lines = self.lines(shared);
        let top = self.top.min(lines.len().saturating_sub(usize::from(area.height)));
        for (line, y) in lines.into_iter().skip(top).zip(area.y..area.bottom()) {
            frame.render_widget(
                line,
                Rect { x: area.x + 2, y, width: area.width.saturating_sub(2), height: 1 },
            );
        }
    }

    fn lines(&self, shared: &Shared) -> Vec<Line<'static>> {
        let width = shared.area.width.saturating_sub(4);
        let column = usize::from(if width >= TWO { width / 2 - 2 } else { width });
        let mut sections: Vec<Vec<Line<'static>>> = keys::sections(self.of)
            .into_iter()
            .map(|(title, bindings)| section(shared, title, bindings, column))
            .filter(|lines| lines.len() > 1)
            .collect();
        if width < TWO || sections.len() < 2 {
            return sections.concat();
        }
        // The screen's own keys on the left, what works everywhere on the right.
        let left = sections.remove(0);
        let right = sections.concat();
        let blank = Line::default();
        (0..left.len().max(right.len()))
            .map(|i| {
                let left = left.get(i).unwrap_or(&blank);
                let pad = (column + 4).saturating_sub(left.width());
                let mut spans = left.spans.clone();
                spans.push(Span::raw(" ".repeat(pad)));
                spans.extend(right.get(i).unwrap_or(&blank).spans.iter().cloned());
                Line::from(spans)
            })
            .collect()
    }
}

fn section(shared: &Shared, title: &str, bindings: &[Binding], width: usize) -> Vec<Line<'static>> {
    let theme = shared.theme;
    let shown: Vec<(String, &str)> = bindings
        .iter()
        .filter(|b| !(shared.read_only && b.action.changes()))
        .map(|b| {
            let names: Vec<&str> = b.keys.iter().map(|k| keys::label(k, theme.ascii())).collect();
            (names.join("  "), b.what)
        })
        .collect();
    let widest = shown.iter().map(|(k, _)| width_of(k)).max().unwrap_or(0);
    let mut lines = vec![Line::styled(title.to_owned(), theme.bold())];
    for (names, what) in shown {
        for (i, part) in wrap(what, width.saturating_sub(widest + 4).max(16)).into_iter().enumerate() {
            let name = if i == 0 { names.as_str() } else { "" };
            let pad = " ".repeat(widest.saturating_sub(width_of(name)) + 2);
            lines.push(Line::from(vec![
                Span::styled(format!("  {name}"), theme.accent()),
                Span::raw(pad),
                Span::styled(part, theme.text()),
            ]));
        }
    }
    lines.push(Line::default());
    lines
}
