//! All keys that work here, from the table.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::app::Shared;
use crate::app::keys::{self, Binding, Context};

/// What keys do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Close it.
    Close,
    /// A line up.
    Up,
    /// A line down.
    Down,
}

/// The keys.
pub(crate) const KEYS: &[Binding] = &[
    Binding {
        keys: &["esc", "?", "q", "enter"],
        action: keys::Action::Help(Action::Close),
        hint: "close",
        what: "close the help",
    },
    Binding { keys: &["up", "k"], action: keys::Action::Help(Action::Up), hint: "", what: "up" },
    Binding { keys: &["down", "j"], action: keys::Action::Help(Action::Down), hint: "", what: "down" },
];

/// The help of a context.
#[derive(Debug)]
pub(crate) struct Help {
    of: Context,
    top: usize,
}

impl Help {
    /// Of the screen behind it.
    pub(crate) fn new(of: Context) -> Self {
        Self { of, top: 0 }
    }

    /// Scrolls; `Close` is the caller's.
    pub(crate) fn update(&mut self, action: Action) {
        let lines: usize = keys::tables(self.of).iter().map(|t| t.len()).sum();
        self.top = match action {
            Action::Up => self.top.saturating_sub(1),
            Action::Down => (self.top + 1).min(lines.saturating_sub(1)),
            Action::Close => self.top,
        };
    }

    /// Draws it.
    pub(crate) fn view(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        let mut lines = vec![Line::styled(self.of.title(), shared.theme.bold())];
        for binding in keys::tables(self.of).into_iter().flatten() {
            lines.push(Line::from(vec![
                Span::styled(format!("{:>14}  ", binding.keys.join(" ")), shared.theme.accent()),
                Span::raw(binding.what),
            ]));
        }
        for (line, y) in lines.into_iter().skip(self.top).zip(area.y..area.bottom()) {
            frame.render_widget(line, Rect { y, height: 1, ..area });
        }
    }
}
