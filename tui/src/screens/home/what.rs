//! What a column shows of a run, and its heading.

use super::list::Group;
use crate::print::clean;
use gradtop_view::list::column;
use gradtop_view::list::order::Sort;
use gradtop_view::run::headline::{self, Told};
use gradtop_view::runs::RunRow;
use jiff::Timestamp;

/// The content of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What<'a> {
    State,
    Name,
    /// The parameter with this index in the group.
    Param(usize),
    Bar,
    Percent,
    /// The headline value of a run.
    Metric,
    /// The series of the headline value.
    Who,
    Spark,
    /// Any other column of a list of runs, by name.
    Other(&'a str),
    /// What the values in that column are of.
    Of(&'a str),
}

impl What<'_> {
    /// The sort key of the column.
    pub(super) fn sorts(self, group: &Group) -> Option<String> {
        Some(match self {
            Self::State => "state".to_owned(),
            Self::Name => "name".to_owned(),
            Self::Param(i) => group.params.get(i)?.name.clone(),
            Self::Bar | Self::Percent => "progress".to_owned(),
            Self::Metric | Self::Who | Self::Spark => "metric".to_owned(),
            Self::Other(name) | Self::Of(name) => name.to_owned(),
        })
    }

    /// Returns whether runs are in the order of this column.
    pub(super) fn is_sorted(self, group: &Group, sort: &Sort) -> bool {
        self.sorts(group).is_some_and(|by| column::title(&by) == column::title(&sort.by))
    }

    /// The text of a run.
    pub(super) fn text(self, group: &Group, run: &RunRow, now: Timestamp) -> String {
        match self {
            Self::Of(name) => column::of(&run.view, name),
            _ => self.sorts(group).map(|name| column::cell(&run.view, &name, now)).unwrap_or_default(),
        }
    }

    /// Returns whether no run of a group has anything in it.
    pub(super) fn is_empty(self, group: &Group, now: Timestamp) -> bool {
        match self {
            Self::Who => group.rows.iter().all(|run| told(group, run).of().is_empty()),
            _ => group.rows.iter().all(|run| self.text(group, run, now).is_empty()),
        }
    }

    /// The heading in a group.
    pub(super) fn title(self, group: &Group) -> String {
        match self {
            Self::Param(i) => group.params.get(i).map(|own| column::title(&own.name)).unwrap_or_default(),
            Self::Metric => {
                group.common.as_ref().map_or_else(|| "last value".to_owned(), headline::Common::title)
            }
            Self::Who | Self::Of(_) => "of".to_owned(),
            Self::Percent => "done".to_owned(),
            Self::Spark => "trend".to_owned(),
            Self::Other(name) => column::heading(name, group.views()),
            _ => self.sorts(group).map(|name| clean(&name)).unwrap_or_default(),
        }
    }

    /// What all values of a metric that was asked for are of, if that is the same.
    pub(super) fn of_all(self, group: &Group) -> Option<String> {
        match self {
            Self::Other(name) => column::of_all(group.views(), name),
            _ => Some(String::new()),
        }
    }
}

/// The heading of a value where there is little room.
pub(super) fn without_last(title: &str) -> &str {
    title.strip_prefix("last ").unwrap_or(title)
}

/// The value that represents a run, and what it is of beyond what the headings say.
pub(super) fn told(group: &Group, run: &RunRow) -> Told {
    headline::told(&run.view, group.common.as_ref())
}
