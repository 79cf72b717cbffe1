//! The saved views of the list: one can be chosen, and the current one saved.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::effect::{Answer, Effect, Open, Task};
use super::keys::meanings as key;
use super::keys::{Binding, Keys, Kind, Mode, bind};
use super::shared::Shared;
use super::{Screen, confirm};
use crate::list_view::{ListView, ListViews};
use crate::print::clean;
use crate::widgets::{Edit, Input, Move, dialog};
use gradtop_chart::cells::text::fit;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Go(Move),
    Pick,
    /// Types a name for the current view.
    Name,
    /// Saves the current view under that name.
    Keep,
    /// Asks whether to delete the view.
    Delete,
    Cancel,
}

/// While choosing a view.
pub(crate) const LIST: Mode<Action> = Mode::new("Views of the list", Kind::Overlay, LIST_ROWS);

const LIST_ROWS: &[Binding<Action>] = &[
    bind(&[key::ENTER], Action::Pick, "pick", "show the list as this view has it"),
    bind(&[key::UP], Action::Go(Move::By(-1)), "", "the view above"),
    bind(&[key::DOWN], Action::Go(Move::By(1)), "", "the view below"),
    bind(&[key::START, key::FIRST], Action::Go(Move::First), "", "the first view"),
    bind(&[key::END, key::LAST], Action::Go(Move::Last), "", "the last view"),
    bind(&[key::WRITE], Action::Name, "save", "keep filter, order and columns of the list under a name")
        .changing(),
    bind(&[key::DELETE], Action::Delete, "delete", "forget the view").changing(),
    bind(&[key::BACK, key::QUIT, key::VIEWS], Action::Cancel, "close", "close the views"),
];

/// While typing a name.
pub(crate) const NAME: Mode<Action> = Mode::new("Views of the list: typing a name", Kind::Typing, NAME_ROWS);

const NAME_ROWS: &[Binding<Action>] = &[
    bind(&[key::ENTER], Action::Keep, "keep", "keep filter, order and columns of the list under this name"),
    bind(&[key::BACK], Action::Cancel, "cancel", "keep nothing"),
];

#[derive(Debug)]
pub(crate) struct Views {
    /// The current view.
    now: ListView,
    /// The saved views; `None`: not read yet.
    all: Option<ListViews>,
    at: usize,
    name: Option<Input>,
    /// Whether the dialog is asking to delete a view.
    asked: bool,
    error: Option<String>,
}

impl Views {
    /// Creates the dialog with the current view.
    pub(crate) fn of(now: ListView) -> Self {
        Self { now, all: None, at: 0, name: None, asked: false, error: None }
    }

    fn picked(&self) -> Option<(&String, &ListView)> {
        self.all.as_ref()?.iter().nth(self.at)
    }

    fn mode(&self) -> &'static Mode<Action> {
        if self.name.is_some() { &NAME } else { &LIST }
    }
}

/// A view in one line.
fn words(view: &ListView) -> String {
    let filter = Some(view.filter.clone()).filter(|filter| !filter.is_empty());
    let sort = view.sort.as_ref().map(|sort| format!("by {}", sort.by.trim_start_matches("param:")));
    let columns = Some(view.columns.join(", ")).filter(|columns| !columns.is_empty());
    let words: Vec<String> = filter.into_iter().chain(sort).chain(columns).collect();
    clean(&if words.is_empty() { "all runs".to_owned() } else { words.join("  ") })
}

impl Screen for Views {
    fn keys(&self) -> Keys {
        if self.asked { confirm::KEYS.keys() } else { self.mode().keys() }
    }

    fn press(&mut self, _shared: &mut Shared, key: &str) -> Option<Vec<Effect>> {
        if self.asked {
            let yes = confirm::KEYS.find(key)?;
            self.asked = false;
            let gone = self.picked().filter(|_| yes).map(|(name, _)| Task::Views(Some((name.clone(), None))));
            return Some(gone.map(Effect::Do).into_iter().collect());
        }
        let action = self.mode().find(key)?;
        self.error = None;
        let count = self.all.as_ref().map_or(0, ListViews::len);
        Some(match action {
            Action::Go(to) => {
                self.at = to.from(self.at, count, count);
                Vec::new()
            }
            Action::Pick => {
                let view = self.picked().map(|(_, view)| view.clone());
                view.map(|view| Effect::Open(Open::Listed(view))).into_iter().collect()
            }
            Action::Name => {
                self.name = Some(Input::new(""));
                Vec::new()
            }
            Action::Keep => {
                let name = self.name.take().map(|input| input.text().trim().to_owned()).unwrap_or_default();
                vec![Effect::Do(Task::Views(Some((name, Some(self.now.clone())))))]
            }
            Action::Delete => {
                self.asked = self.picked().is_some();
                Vec::new()
            }
            Action::Cancel if self.name.take().is_some() => Vec::new(),
            Action::Cancel => vec![Effect::Close],
        })
    }

    fn edit(&mut self, _shared: &mut Shared, edit: Edit) -> Vec<Effect> {
        if let Some(name) = &mut self.name {
            name.edit(edit);
        }
        Vec::new()
    }

    fn answer(&mut self, _shared: &mut Shared, answer: &Answer) -> Option<Vec<Effect>> {
        let Answer::Views(views) = answer else { return None };
        match views {
            Ok(views) => {
                let same = self.picked().and_then(|(picked, _)| views.keys().position(|name| name == picked));
                self.at = same.unwrap_or(self.at).min(views.len().saturating_sub(1));
                self.all = Some(views.clone());
            }
            Err(error) => self.error = Some(clean(error)),
        }
        Some(Vec::new())
    }

    fn is_overlay(&self) -> bool {
        true
    }

    fn view(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        let (theme, room) = (shared.theme, dialog::room(area));
        let line = |text: &str| fit(text, room, theme.ascii());
        let all = self.all.iter().flatten();
        // The chosen view stays visible.
        let seen = usize::from(area.height).saturating_sub(10).max(1);
        let count = all.clone().count();
        let place = if count > seen { format!(": {} of {count}", self.at + 1) } else { String::new() };
        let head = line(&format!("Views of the list{place}"));
        let mut lines = vec![Line::styled(head, theme.bold()), Line::default()];
        for (i, (name, view)) in all.enumerate().skip((self.at + 1).saturating_sub(seen)).take(seen) {
            let text = line(&format!("{}  {}", clean(name), words(view)));
            let style = if i == self.at { theme.accent() } else { theme.text() };
            let mark = if i == self.at { theme.glyph("› ", "> ") } else { "  " };
            lines.push(Line::styled(fit(&format!("{mark}{text}"), room, theme.ascii()), style));
        }
        if self.all.as_ref().is_some_and(ListViews::is_empty) {
            lines.push(Line::styled(line("none yet: w keeps this one"), theme.dim()));
        }
        lines.push(Line::default());
        if let Some(name) = &self.name {
            lines.push(Line::styled(line(&format!("Name of the view ({})", words(&self.now))), theme.text()));
            lines.push(Line::from(name.spans(room, theme)));
            lines.push(Line::default());
        }
        if let Some((name, _)) = self.picked().filter(|_| self.asked) {
            lines.push(Line::styled(line(&format!("delete the view {}?", clean(name))), theme.bold()));
            lines.push(Line::default());
        }
        let keys = match self.name {
            _ if self.asked => "y  yes      n  no",
            Some(_) => "enter  keep      esc  cancel",
            None => "enter pick  w save  D delete",
        };
        lines.extend(dialog::last(self.error.as_deref(), keys, room, theme));
        dialog::draw(lines, theme, frame, area);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing::{Bench, run};

    #[test]
    fn the_cursor_stays_on_its_view_and_one_is_forgotten_only_if_that_is_meant() {
        let all = |names: &[&str]| {
            let views = names.iter().map(|name| ((*name).to_owned(), ListView::default()));
            Answer::Views(Ok(views.collect()))
        };
        let mut bench = Bench::of(vec![run("fit", "a", 1)]);
        bench.keys("V");
        bench.answer(all(&["m", "z"]));
        bench.keys("down");
        bench.answer(all(&["b", "m", "z"]));
        bench.take();
        bench.keys("D");
        assert!(bench.screen().contains("delete the view z?"), "{}", bench.screen());
        bench.keys("n D");
        assert!(bench.take().is_empty(), "nothing is forgotten yet");
        bench.keys("y");
        let gone = bench.take();
        assert!(matches!(gone.as_slice(), [Task::Views(Some((name, None)))] if name == "z"), "{gone:?}");
    }
}
