//! Experiments.

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

impl Action {
    /// Whether it starts or changes runs.
    pub(crate) fn changes(self) -> bool {
        match self {
            Self::Nothing => false,
        }
    }
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
            Self::View => "Experiments",
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

/// Experiments.
#[derive(Debug)]
pub(crate) struct Experiments {
    like: Option<RunId>,
}

impl Experiments {
    /// The list.
    pub(crate) fn open(_shared: &Shared) -> Self {
        Self { like: None }
    }

    /// The form, filled with the parameters of a run.
    pub(crate) fn restart(_shared: &Shared, like: RunId) -> Self {
        Self { like: Some(like) }
    }

    /// What keys mean now.
    pub(crate) fn context(&self) -> Context {
        Context::Experiments(Mode::View)
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
