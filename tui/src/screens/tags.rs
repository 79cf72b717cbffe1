//! The input line for tags of runs.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Screen;
use super::effect::{Effect, Mark, Task};
use super::keys::meanings as key;
use super::keys::{Binding, Keys, Kind, Mode, bind};
use super::shared::Shared;
use crate::widgets::{Edit, Input, dialog};
use gradtop_chart::cells::text::fit_ends;
use gradtop_store::validate_tag;
use gradtop_view::runs::RunId;

/// The keys; the action says whether to save.
pub(crate) const KEYS: Mode<bool> = Mode::new("Typing tags", Kind::Typing, ROWS);

const ROWS: &[Binding<bool>] = &[
    bind(&[key::ENTER], true, "keep", "keep the tags"),
    bind(&[key::BACK], false, "cancel", "leave the tags as they were"),
];

/// The dialog.
#[derive(Debug)]
pub(crate) struct Tags {
    runs: Vec<RunId>,
    /// The tags that all runs have.
    before: Vec<String>,
    input: Input,
    error: Option<String>,
}

impl Tags {
    /// Starts with the common tags of these runs.
    pub(crate) fn of(shared: &Shared, runs: Vec<RunId>) -> Self {
        let mut tags = runs.iter().filter_map(|id| shared.runs.get(id)).map(|row| &row.view.notes.tags);
        let mut before = tags.next().cloned().unwrap_or_default();
        for other in tags {
            before.retain(|tag| other.contains(tag));
        }
        let text = if before.is_empty() { String::new() } else { before.join(" ") + " " };
        Self { runs, before, input: Input::new(&text), error: None }
    }

    /// Parses the typed tags. An error is about the first invalid one.
    fn typed(&self) -> Result<Vec<String>, String> {
        let text = self.input.text();
        let words = text.split([' ', ',']).map(|word| word.trim_start_matches('+')).filter(|w| !w.is_empty());
        words.map(|word| validate_tag(word).map(|()| word.to_owned()).map_err(|e| e.to_string())).collect()
    }
}

impl Screen for Tags {
    fn keys(&self) -> Keys {
        KEYS.keys()
    }

    fn on_moved(&mut self, moved: &dyn Fn(&mut RunId)) {
        self.runs.iter_mut().for_each(moved);
    }

    fn press(&mut self, _shared: &mut Shared, key: &str) -> Option<Vec<Effect>> {
        if !KEYS.find(key)? {
            return Some(vec![Effect::Close]);
        }
        let tags = match self.typed() {
            Ok(tags) => tags,
            Err(error) => {
                self.error = Some(error);
                return Some(Vec::new());
            }
        };
        let gone: Vec<String> = self.before.iter().filter(|tag| !tags.contains(tag)).cloned().collect();
        let new: Vec<String> = tags.into_iter().filter(|tag| !self.before.contains(tag)).collect();
        let mark = (!new.is_empty() || !gone.is_empty())
            .then(|| Effect::Do(Task::Mark(Mark::Tags(new, gone), self.runs.clone())));
        Some(std::iter::once(Effect::Close).chain(mark).collect())
    }

    fn edit(&mut self, _shared: &mut Shared, edit: Edit) -> Vec<Effect> {
        self.input.edit(edit);
        self.error = None;
        Vec::new()
    }

    fn is_overlay(&self) -> bool {
        true
    }

    fn view(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        let (theme, room) = (shared.theme, dialog::room(area));
        let of = match self.runs.as_slice() {
            [id] => {
                let name = crate::print::clean(&id.dir().name());
                fit_ends(&name, room.saturating_sub("Tags of ".len()), theme.ascii())
            }
            runs => format!("{} runs", runs.len()),
        };
        let title = format!("Tags of {of}, with blanks between");
        let said = (self.error.as_deref(), "enter  keep      esc  cancel");
        dialog::prompt(&title, &self.input, said, theme, frame, area);
    }
}
