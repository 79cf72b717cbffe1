//! The question before something irreversible.

use std::collections::BTreeMap;

use gradtop_host::StopEffect;
use gradtop_store::{Suspended, View};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::Screen;
use super::actions::RunAction;
use super::effect::{Effect, Task};
use super::keys::meanings as key;
use super::keys::{Binding, Keys, Kind, Mode, bind};
use super::shared::Shared;
use crate::widgets::dialog;
use gradtop_chart::cells::text::{fit, fit_distinct, fit_ends, wrap};
use gradtop_view::runs::RunId;

/// The keys; the action is the answer.
pub(crate) const KEYS: Mode<bool> = Mode::new("Confirmation", Kind::Overlay, ROWS);

const ROWS: &[Binding<bool>] =
    &[bind(&[key::YES], true, "yes", "yes"), bind(&[key::NO, key::BACK, key::QUIT], false, "no", "no")];

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
        let views: Vec<&View> = rows.iter().map(|row| &row.view).collect();
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
        for consequence in consequences(self.action, &views) {
            lines.extend(wrap(&consequence, width).into_iter().map(|line| (line, theme.text())));
        }
        for reason in &self.left_out {
            let text = format!("skipped: {}", crate::print::clean(reason));
            lines.extend(wrap(&text, width).into_iter().map(|line| (line, theme.dim())));
        }
        lines.push((String::new(), theme.text()));
        lines.push(("y  yes      n  no".to_owned(), theme.accent()));
        lines
    }
}

/// Says what an action does to these runs: one sentence if it does the same to all of them.
fn consequences(action: RunAction, views: &[&View]) -> Vec<String> {
    if action == RunAction::Delete {
        let whose = if views.len() == 1 { "it" } else { "they" };
        return vec![format!("This deletes everything {whose} recorded: metrics, checkpoints, log.")];
    }
    let resumable = |view: &View| view.manifest.experiment.resumable;
    let is_suspended = |view: &View| matches!(view.suspended(), Some(Suspended::Trainer | Suspended::Both));
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for view in views {
        let effect = gradtop_host::stop_effect(view);
        let verb = match (action, effect) {
            (_, StopEffect::LeavesQueue) => "leaves the queue, and is not started",
            (_, StopEffect::ReadingEnds) => "is read no further. The tool that writes its log goes on",
            (RunAction::Kill, _) if resumable(view) => {
                "ends at once. What it recorded stays, and it can be resumed from its last checkpoint, if it has one"
            }
            (RunAction::Kill, _) => "ends at once, and cannot be resumed",
            (_, StopEffect::Saves) if is_suspended(view) => {
                "is suspended (SIGSTOP), so it cannot save: it is killed after the grace period. It can be resumed from its last \
                 checkpoint, if it has one"
            }
            (_, StopEffect::Ends) if is_suspended(view) => {
                "is suspended (SIGSTOP), so it is killed after the grace period. It cannot be resumed"
            }
            (_, StopEffect::Saves) => "finishes its step, saves a checkpoint, and can be resumed",
            (_, StopEffect::Ends) => {
                "finishes its step. It cannot be resumed: its experiment has no checkpoints"
            }
            (_, StopEffect::CommandEnds) if resumable(view) => {
                "is asked to save a checkpoint and end; a command that does not listen gets SIGTERM instead"
            }
            (_, StopEffect::CommandEnds) => {
                "is asked to end, by SIGTERM if it does not listen. It cannot be resumed"
            }
            (_, StopEffect::RecordingEnds) => {
                "is asked to end if it listens; if it does not, it continues without being recorded"
            }
        };
        *kinds.entry(verb).or_default() += 1;
    }
    let subject = |n| match n {
        _ if views.len() == 1 => "It".to_owned(),
        _ if n == views.len() => "Each".to_owned(),
        1 => "1 of them".to_owned(),
        n => format!("{n} of them: each"),
    };
    kinds.into_iter().map(|(verb, n)| format!("{} {verb}.", subject(n))).collect()
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use gradtop_store::Life;
    use gradtop_tests::run_fixtures::{RunFixtures, run};

    use super::*;

    #[test]
    fn a_suspended_run_is_not_promised_a_checkpoint() {
        let mut fixtures = RunFixtures::new();
        let dir = fixtures.make(&run("fit", "still", 1).with(|m, _| m.experiment.resumable = true));
        let mut view = gradtop_store::view(&dir).unwrap();
        let said = |view: &View| consequences(RunAction::Stop, &[view]).concat();
        assert!(said(&view).contains("saves a checkpoint"), "{}", said(&view));
        view.life = Life::Alive { within_reach: true, suspended: Some(Suspended::Trainer) };
        assert!(said(&view).contains("cannot save: it is killed after the grace period"), "{}", said(&view));
    }
}
