//! What screens request, and what they get back.

use std::path::PathBuf;

use gradtop_host::{Exec, ExperimentDesc, Launch, PluginDesc, Refusal};
use gradtop_store::ParamValue;

use super::actions::RunAction;
use super::run::pane::{PaneRequest, PaneSnapshot};
use super::settings::Settings;
use crate::list_view::{ListView, ListViews};
use gradtop_view::chart_spec::ChartSpec;
use gradtop_view::live::WatchRequest;
use gradtop_view::runs::RunId;
use gradtop_view::why::Verdict;

/// The result of an event: a request of a screen to the application.
#[derive(Debug)]
pub(crate) enum Effect {
    /// A task for the runtime.
    Do(Task),
    /// Opens another screen.
    Open(Open),
    /// Returns to the previous screen.
    Close,
    Say(Message),
}

impl Effect {
    /// Shows a failure.
    pub(crate) fn failure(text: impl Into<String>) -> Self {
        Self::Say(Message::failure(text))
    }

    /// Shows news.
    pub(crate) fn news(text: impl Into<String>) -> Self {
        Self::Say(Message::news(text))
    }
}

/// A task of the runtime.
#[derive(Debug)]
pub(crate) enum Task {
    /// Watches these series and no others.
    Watch(Vec<WatchRequest>),
    /// Performs an action on runs.
    Act(RunAction, Vec<RunId>),
    /// Changes stars or tags of runs.
    Mark(Mark, Vec<RunId>),
    /// Lets the user edit the note of a run.
    Note(RunId),
    /// Saves or deletes a view of the list if one is given, then reads all views.
    Views(Option<(String, Option<ListView>)>),
    /// Opens DuckDB's prompt over runs. It can write files and start programs.
    Query(Vec<RunId>),
    /// Writes a chart to a file, in the format of its extension.
    Write(Box<ChartSpec>, PathBuf),
    Launch(Box<Launch>),
    Exec(Box<Exec>),
    /// Has an experiment validate parameters while they are typed.
    Judge(Box<Question>),
    /// Describes a plugin that is not in the search path.
    Describe(PathBuf),
    /// Reads data for a pane.
    Pane(PaneRequest),
    /// Diagnoses a run.
    Why(RunId),
    SaveSettings(Box<Settings>),
    /// Takes the mouse, or leaves it to the terminal.
    Mouse(bool),
    /// Notifies the user of alerts.
    Alert(Vec<String>),
    Redraw,
    /// Suspends to the shell, until `fg`.
    Suspend,
    Quit,
}

impl Task {
    /// Returns whether the task changes or starts runs, or writes something.
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

/// Parameters that an experiment should validate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question {
    pub(crate) plugin: PathBuf,
    pub(crate) experiment: ExperimentDesc,
    pub(crate) params: Vec<(String, ParamValue)>,
}

/// A change of stars or tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Adds or removes the star.
    Star(bool),
    /// Tags to add, and tags to remove.
    Tags(Vec<String>, Vec<String>),
}

/// The answer of a worker.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Data for a pane.
    Pane(PaneSnapshot),
    /// The most important verdict about a run, if any.
    Why(RunId, Option<Verdict>),
    /// Why an experiment rejects parameters, if it does.
    Validation(Box<Question>, Option<String>),
    /// The views of the list, or why they cannot be read or saved.
    Views(Result<ListViews, String>),
    /// The description of a plugin.
    Described(PathBuf, Box<Result<PluginDesc, Refusal>>),
    /// The result of an action, and the run that it started, if any.
    Done(Message, Option<RunId>),
}

/// A screen to open.
#[derive(Clone, Debug)]
pub(crate) enum Open {
    Run(RunId),
    /// A comparison of runs; for all runs of an experiment, also of its future ones.
    Compare(Vec<RunId>, Option<String>),
    Experiments,
    /// The form for a new run like this one.
    Restart(RunId),
    /// The list of runs, with the cursor on this one.
    Home(Option<RunId>),
    /// The help about the current screen.
    Help,
    /// The list of runs with this view.
    Listed(ListView),
    /// The saved views, to choose one or to save this one.
    Views(ListView),
    /// The input line for the file that a chart is written to.
    Save(Box<ChartSpec>),
    /// The input line for tags of runs.
    Tags(Vec<RunId>),
    /// A question before an action; with the reasons why other runs are left out.
    Confirm(RunAction, Vec<RunId>, Vec<String>),
}

/// A message in the last line, shown for a while or until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) text: String,
    /// Whether it reports a failure.
    pub(crate) failed: bool,
}

impl Message {
    /// Creates a failure.
    pub(crate) fn failure(text: impl Into<String>) -> Self {
        Self { text: text.into(), failed: true }
    }

    /// Says that nothing can be changed here.
    pub(crate) fn read_only() -> Self {
        Self::failure("this is --read-only: nothing can be changed")
    }

    /// Creates news.
    pub(crate) fn news(text: impl Into<String>) -> Self {
        Self { text: text.into(), failed: false }
    }
}
