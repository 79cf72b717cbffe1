//! The question before something that cannot be undone.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Clear;

use crate::app::Shared;
use crate::app::actions::RunAction;
use crate::app::keys::{self, Binding};
use crate::app::runs::RunId;

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Do it.
    Yes,
    /// Do not.
    No,
}

/// The keys.
pub(crate) const KEYS: &[Binding] = &[
    Binding { keys: &["y"], action: keys::Action::Confirm(Action::Yes), hint: "yes", what: "yes, do it" },
    Binding {
        keys: &["n", "esc", "q"],
        action: keys::Action::Confirm(Action::No),
        hint: "no",
        what: "no, leave it",
    },
];

/// A question.
#[derive(Clone, Debug)]
pub(crate) struct Confirm {
    /// What will be done.
    pub(crate) action: RunAction,
    /// To which runs.
    pub(crate) runs: Vec<RunId>,
    /// What to ask.
    pub(crate) question: String,
}

impl Confirm {
    /// Draws it in the middle.
    pub(crate) fn view(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        let row = Rect { y: area.y + area.height / 2, height: 1.min(area.height), ..area };
        frame.render_widget(Clear, row);
        frame.render_widget(Line::styled(self.question.as_str(), shared.theme.bold()), row);
    }
}
