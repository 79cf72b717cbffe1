//! The question before something irreversible.

use std::sync::Arc;

use gradtop_host::{Why, allowed};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::Screen;
use super::actions::RunAction;
use super::effect::{Effect, Task};
use super::keys::{Binding, Keys, Kind, Mode, bind};
use super::shared::Shared;
use crate::widgets::dialog;
use gradtop_chart::cells::text::{fit, fit_distinct, fit_ends, wrap};
use gradtop_view::runs::{RunId, RunRow};

/// The keys; the action is the answer.
pub(crate) const KEYS: Mode<bool> = Mode::new("Confirmation", Kind::Overlay, ROWS);

const ROWS: &[Binding<bool>] =
    &[bind(&["y"], true, "yes", "yes"), bind(&["n", "esc", "q"], false, "no", "no")];

/// The most names listed.
const NAMES: usize = 6;

#[derive(Clone, Debug)]
pub(crate) struct Confirm {
    pub(crate) action: RunAction,
    pub(crate) runs: Vec<RunId>,
    /// Why the other targeted runs are left out.
    pub(crate) left_out: Vec<String>,
}

impl Confirm {
    fn lines(&self, shared: &Shared, width: usize) -> Vec<(String, Style)> {
        let theme = shared.theme;
        let rows: Vec<_> = self.runs.iter().filter_map(|id| shared.runs.get(id)).collect();
        let names: Vec<String> = rows.iter().map(|row| crate::print::clean(row.name())).collect();
        let verb = self.action.verb();
        let room = width.saturating_sub(verb.len() + 2);
        let what = match names.as_slice() {
            [name] => fit_ends(name, room, theme.ascii()),
            _ => format!("{} runs", names.len()),
        };
        let question = format!("{verb} {what}?");
        let never = |why: &Why| matches!(why, Why::NotResumable { .. } | Why::CommandNotResumable);
        let loses =
            |row: &&&Arc<RunRow>| allowed(&row.view, RunAction::Checkpoint).is_err_and(|why| never(&why));
        let lost = rows.iter().filter(loses).count();
        let consequence = match self.action {
            RunAction::Delete => "This deletes everything it recorded: metrics, checkpoints, log.",
            RunAction::Kill if lost == 0 => "It ends at once; everything since its last checkpoint is lost.",
            RunAction::Kill if lost == rows.len() => "It ends at once, and cannot be resumed.",
            RunAction::Kill => "They end at once. Those with checkpoints can be resumed from the last one.",
            _ if lost == 0 => "It finishes its step, saves a checkpoint, and can be resumed.",
            _ if lost == rows.len() => {
                "It finishes its step. It cannot be resumed: its experiment has no checkpoints."
            }
            _ => "They finish their step. Those with checkpoints save one and can be resumed.",
        };
        let mut lines = vec![(fit(&question, width, theme.ascii()), theme.bold())];
        if names.len() > 1 {
            let more = names.len().saturating_sub(NAMES);
            let shown: Vec<&str> = names.iter().take(NAMES).map(String::as_str).collect();
            lines.extend(
                fit_distinct(&shown, width, theme.ascii()).into_iter().map(|name| (name, theme.text())),
            );
            lines.extend((more > 0).then(|| (format!("and {more} more"), theme.dim())));
        }
        lines.push((String::new(), theme.text()));
        lines.extend(wrap(consequence, width).into_iter().map(|line| (line, theme.text())));
        for reason in &self.left_out {
            let text = format!("skipped: {}", crate::print::clean(reason));
            lines.extend(wrap(&text, width).into_iter().map(|line| (line, theme.dim())));
        }
        lines.push((String::new(), theme.text()));
        lines.push(("y  yes      n  no".to_owned(), theme.accent()));
        lines
    }
}

impl Screen for Confirm {
    fn keys(&self) -> Keys {
        KEYS.keys()
    }

    fn on_moved(&mut self, moved: &dyn Fn(&mut RunId)) {
        self.runs.iter_mut().for_each(moved);
    }

    fn press(&mut self, _shared: &mut Shared, key: &str) -> Option<Vec<Effect>> {
        let mut effects = vec![Effect::Close];
        if KEYS.find(key)? {
            effects.push(Effect::Do(Task::Act(self.action, self.runs.clone())));
        }
        Some(effects)
    }

    fn is_overlay(&self) -> bool {
        true
    }

    /// Draws the dialog.
    fn view(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        let lines = self.lines(shared, dialog::room(area));
        let lines = lines.into_iter().map(|(text, style)| Line::styled(text, style)).collect();
        dialog::draw(lines, shared.theme, frame, area);
    }
}
