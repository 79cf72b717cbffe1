//! What screens ask for, and what comes back.

use std::path::PathBuf;

use gradtop_host::{Exec, ExperimentDesc, Launch, PluginDesc, Refusal};
use gradtop_store::ParamValue;

use super::actions::{ActionResult, RunAction};
use super::run::pane::{PaneRequest, PaneSnapshot};
use super::settings::Settings;
use crate::list_view::{ListView, ListViews};
use gradtop_view::live::WatchRequest;
use gradtop_view::picture::Picture;
use gradtop_view::runs::RunId;
use gradtop_view::why::Verdict;

/// What is to be done about what happened.
#[derive(Debug)]
pub(crate) enum Effect {
    /// For the runtime.
    Do(Task),
    /// Show another screen.
    Open(Open),
    /// Back to the screen before.
    Close,
    /// Say something in the last line.
    Say(Message),
}

impl Effect {
    /// Says what went wrong, or cannot be done.
    pub(crate) fn failure(text: impl Into<String>) -> Self {
        Self::Say(Message::failure(text))
    }

    /// Says news.
    pub(crate) fn news(text: impl Into<String>) -> Self {
        Self::Say(Message::news(text))
    }
}

/// What the runtime does.
#[derive(Debug)]
pub(crate) enum Task {
    /// Watch these series from now on, and no others.
    Watch(Vec<WatchRequest>),
    /// Do something to runs.
    Act(RunAction, Vec<RunId>),
    /// Change what people say of runs.
    Mark(Mark, Vec<RunId>),
    /// Have the user write a note about a run.
    Note(RunId),
    /// Say which views of the list there are, after one was kept or forgotten.
    Views(Option<(String, Option<ListView>)>),
    /// Open DuckDB's prompt over runs; it can write files, and start programs.
    Query(Vec<RunId>),
    /// Write a chart to a file, whose extension says as what.
    Write(Box<Picture>, PathBuf),
    /// Start a run.
    Launch(Box<Launch>),
    /// Start a command.
    Exec(Box<Exec>),
    /// Have an experiment judge parameters that are being typed.
    Judge(Box<Question>),
    /// Say what a plugin offers that is on no search path.
    Describe(PathBuf),
    /// Read something for a pane.
    Pane(PaneRequest),
    /// Judge a run.
    Why(RunId),
    /// Keep the settings for the next start.
    SaveSettings(Box<Settings>),
    /// Take the mouse, or leave it to the terminal.
    Mouse(bool),
    /// Tell who does not look of alerts.
    Alert(Vec<String>),
    /// Draw everything again.
    Redraw,
    /// Back to the shell, until `fg`.
    Suspend,
    /// Leave.
    Quit,
}

impl Task {
    /// Whether runs are changed, one is started, or something is written.
    pub(crate) fn changes(&self) -> bool {
        match self {
            Self::Act(..)
            | Self::Mark(..)
            | Self::Note(_)
            | Self::Launch(_)
            | Self::Exec(_)
            | Self::Write(..)
            | Self::Query(_) => true,
            Self::Views(change) => change.is_some(),
            _ => false,
        }
    }
}

/// What an experiment is to judge before a run is started.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question {
    pub(crate) plugin: PathBuf,
    pub(crate) experiment: ExperimentDesc,
    pub(crate) params: Vec<(String, ParamValue)>,
}

/// What people say of runs, changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Starred, or no longer.
    Star(bool),
    /// Tags that come, and tags that go.
    Tags(Vec<String>, Vec<String>),
}

/// What a worker has to say.
#[derive(Debug)]
pub(crate) enum Answer {
    /// What a pane asked for.
    Pane(PaneSnapshot),
    /// A run was judged: the verdict that matters most, if there is one.
    Why(RunId, Option<Verdict>),
    /// An experiment judged parameters: why it refuses them, if it does.
    Validation(Box<Question>, Option<String>),
    /// The views of the list that there are, or why they cannot be read or kept.
    Views(Result<ListViews, String>),
    /// A plugin was described.
    Described(PathBuf, Box<Result<PluginDesc, Refusal>>),
    /// It did what it was asked for, or failed.
    Done(ActionResult),
}

/// A screen to go to.
#[derive(Clone, Debug)]
pub(crate) enum Open {
    /// A run.
    Run(RunId),
    /// Several runs; if they are all of an experiment, those that it will have too.
    Compare(Vec<RunId>, Option<String>),
    /// The experiments.
    Experiments,
    /// The form for a new run like this one.
    Restart(RunId),
    /// The list of runs, with the cursor on this one.
    Home(Option<RunId>),
    /// All keys of the screen.
    Help,
    /// The list of runs, looked at in this way.
    Listed(ListView),
    /// The views of the list that have names, to pick one or keep this one.
    Views(ListView),
    /// The line in which the file is typed that a chart is written to.
    Save(Box<Picture>),
    /// The line in which tags of runs are typed.
    Tags(Vec<RunId>),
    /// A question before something is done to runs; with why nothing is done to others that were meant.
    Confirm(RunAction, Vec<RunId>, Vec<String>),
}

/// A sentence in the last line, for a while or until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// What to say.
    pub(crate) text: String,
    /// Whether something went wrong.
    pub(crate) failed: bool,
}

impl Message {
    /// Something went wrong.
    pub(crate) fn failure(text: impl Into<String>) -> Self {
        Self { text: text.into(), failed: true }
    }

    /// Something was done.
    pub(crate) fn news(text: impl Into<String>) -> Self {
        Self { text: text.into(), failed: false }
    }
}
