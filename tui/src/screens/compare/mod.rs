//! Comparison.

pub(crate) mod keys;

mod view;

use crossterm::event::{KeyEvent, MouseEvent};
use serde::{Deserialize, Serialize};

use crate::app::keys::{Binding, Context};
use crate::app::runs::RunId;
use crate::app::{Effect, Shared};
use crate::live::WatchRequest;

/// What is kept between starts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {}

/// What keys do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing.
    Nothing,
}

/// What the keys mean at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Looking.
    View,
}

impl Mode {
    /// All of them, in the order of the documentation.
    pub(crate) const ALL: &[Self] = &[Self::View];

    /// The heading in help and documentation.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::View => "Comparison",
        }
    }

    /// Its keys.
    pub(crate) fn keys(self) -> &'static [Binding] {
        match self {
            Self::View => keys::KEYS,
        }
    }

    /// Characters are text.
    pub(crate) fn typing(self) -> bool {
        match self {
            Self::View => false,
        }
    }
}

/// Comparison.
#[derive(Debug)]
pub(crate) struct Compare {
    runs: Vec<RunId>,
}

impl Compare {
    /// Of these runs.
    pub(crate) fn open(_shared: &Shared, runs: Vec<RunId>) -> Self {
        Self { runs }
    }

    /// The runs that actions mean.
    pub(crate) fn targets(&self) -> Vec<RunId> {
        self.runs.clone()
    }

    /// What keys mean now.
    pub(crate) fn context(&self) -> Context {
        Context::Compare(Mode::View)
    }

    /// A key of the table was pressed.
    pub(crate) fn update(&mut self, _shared: &mut Shared, action: Action) -> Vec<Effect> {
        match action {
            Action::Nothing => Vec::new(),
        }
    }

    /// A key was pressed while typing, which the table does not have.
    pub(crate) fn text(&mut self, _shared: &mut Shared, _key: KeyEvent) -> Vec<Effect> {
        Vec::new()
    }

    /// The mouse did something, in coordinates of the terminal; `shared.area` is ours.
    pub(crate) fn mouse(&mut self, _shared: &mut Shared, _mouse: MouseEvent) -> Vec<Effect> {
        Vec::new()
    }

    /// Runs, plugins, live data, the size or the second have changed: keep the cursor on something that exists, ask for more.
    pub(crate) fn changed(&mut self, _shared: &mut Shared) -> Vec<Effect> {
        Vec::new()
    }

    /// The series it needs now.
    pub(crate) fn watches(&self, _shared: &Shared) -> Vec<WatchRequest> {
        Vec::new()
    }
}
