//! The input line for the file that a chart is written to.

use std::path::PathBuf;

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Screen;
use super::effect::{Effect, Task};
use super::keys::meanings as key;
use super::keys::{Binding, Keys, Kind, Mode, bind};
use super::shared::Shared;
use crate::drawing::Format;
use crate::widgets::{Edit, Input, dialog};
use gradtop_view::chart_spec::ChartSpec;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Write,
    /// Switches to the next file format.
    Kind,
    Cancel,
}

pub(crate) const KEYS: Mode<Action> = Mode::new("Writing a chart to a file", Kind::Typing, ROWS);

const ROWS: &[Binding<Action>] = &[
    bind(&[key::ENTER], Action::Write, "write", "write the file, into the folder where gradtop was started"),
    bind(&[key::NEXT], Action::Kind, "png, svg, csv", "a picture, a drawing, the points that are drawn"),
    bind(&[key::BACK], Action::Cancel, "cancel", "write nothing"),
];

/// A chart, and the name of its file being typed.
#[derive(Debug)]
pub(crate) struct Save {
    spec: Box<ChartSpec>,
    input: Input,
    error: Option<String>,
}

impl Save {
    /// Creates the dialog for a chart.
    pub(crate) fn of(spec: Box<ChartSpec>) -> Self {
        let input = Input::new(&format!("{}.{}", spec.name(), Format::ALL[0].1));
        Self { spec, input, error: None }
    }

    fn file(&self) -> PathBuf {
        PathBuf::from(self.input.text().trim())
    }

    /// Changes the extension to the next one.
    fn next_kind(&mut self) {
        let all = Format::ALL.map(|(_, end)| end);
        let file = self.file();
        let known = |end: &std::ffi::OsStr| all.iter().position(|e| end.eq_ignore_ascii_case(e));
        let name = match file.extension().and_then(known) {
            Some(at) => file.with_extension(all[(at + 1) % all.len()]),
            None => PathBuf::from(format!("{}.{}", self.input.text().trim_end_matches('.'), all[0])),
        };
        self.input = Input::new(&name.to_string_lossy());
    }
}

impl Screen for Save {
    fn keys(&self) -> Keys {
        KEYS.keys()
    }

    fn press(&mut self, _shared: &mut Shared, key: &str) -> Option<Vec<Effect>> {
        self.error = None;
        let file = self.file();
        match KEYS.find(key)? {
            Action::Cancel => return Some(vec![Effect::Close]),
            Action::Kind => self.next_kind(),
            Action::Write => match Format::of(&file) {
                Ok(_) => {
                    return Some(vec![Effect::Close, Effect::Do(Task::Write(self.spec.clone(), file))]);
                }
                Err(error) => self.error = Some(error.to_string()),
            },
        }
        Some(Vec::new())
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
        let said = (self.error.as_deref(), "enter write   tab png, svg, csv");
        dialog::prompt(
            "Write the chart, as it is shown, to this file",
            &self.input,
            said,
            shared.theme,
            frame,
            area,
        );
    }
}
