//! The list of all runs, by experiment: the first screen.

pub(crate) mod keys;
mod view;

use crossterm::event::{KeyEvent, MouseEvent};
use serde::{Deserialize, Serialize};

use crate::app::keys::Context;
use crate::app::runs::RunId;
use crate::app::{Effect, Open, Shared};
use crate::live::WatchRequest;

/// What is kept between starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {}

/// What keys do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Open the cursor's run.
    Open,
    /// Up.
    Up,
    /// Down.
    Down,
}

impl Action {
    /// Whether it starts or changes runs.
    pub(crate) fn changes(self) -> bool {
        false
    }
}

/// The list of all runs.
#[derive(Debug, Default)]
pub(crate) struct Home {
    cursor: usize,
}

impl Home {
    /// What keys mean now.
    pub(crate) fn context(&self) -> Context {
        Context::Home
    }

    /// The runs that actions mean.
    pub(crate) fn targets(&self, shared: &Shared) -> Vec<RunId> {
        shared.runs.rows.get(self.cursor).map(|r| r.id.clone()).into_iter().collect()
    }

    /// A key of the table was pressed.
    pub(crate) fn update(&mut self, shared: &mut Shared, action: Action) -> Vec<Effect> {
        match action {
            Action::Up => self.cursor = self.cursor.saturating_sub(1),
            Action::Down => self.cursor = (self.cursor + 1).min(shared.runs.rows.len().saturating_sub(1)),
            Action::Open => {
                return self.targets(shared).into_iter().map(|id| Effect::Open(Open::Run(id))).collect();
            }
        }
        Vec::new()
    }

    /// A key was pressed while typing, which the table does not have.
    pub(crate) fn text(&mut self, _shared: &mut Shared, _key: KeyEvent) -> Vec<Effect> {
        Vec::new()
    }

    /// The mouse did something, in coordinates of the terminal; `shared.area` is ours.
    pub(crate) fn mouse(&mut self, _shared: &mut Shared, _mouse: MouseEvent) -> Vec<Effect> {
        Vec::new()
    }

    /// Runs, live data, the size or the second have changed.
    pub(crate) fn changed(&mut self, shared: &mut Shared) -> Vec<Effect> {
        self.cursor = self.cursor.min(shared.runs.rows.len().saturating_sub(1));
        Vec::new()
    }

    /// The series it needs now.
    pub(crate) fn watches(&self, _shared: &Shared) -> Vec<WatchRequest> {
        Vec::new()
    }
}
