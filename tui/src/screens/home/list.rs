//! The lines of the list: groups, and in them the runs that match the filter, sorted.

use std::collections::BTreeSet;
use std::sync::Arc;

use gradtop_store::View;

use crate::print::clean;
use crate::screens::shared::Shared;
use crate::widgets::Move;
use gradtop_view::list::differing::{Differing, differing};
use gradtop_view::list::filter::Filter;
use gradtop_view::list::order::sort_runs;
use gradtop_view::run::headline;
use gradtop_view::runs::{RunId, RunRow};

/// The most unreadable folders listed.
const UNREADABLE: usize = 3;

/// What the cursor is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    Group(String),
    Run(RunId),
}

#[derive(Clone, Debug)]
pub(crate) enum Line {
    /// A line between two groups.
    Blank,
    /// A message, for example about unreadable folders.
    Note(String),
    /// The heading of an experiment.
    Group {
        /// The index into [`List::groups`].
        group: usize,
        /// Whether its runs are hidden.
        folded: bool,
    },
    /// The headings of the columns.
    Titles {
        /// The index of its group.
        group: usize,
    },
    Run {
        /// The index of its group.
        group: usize,
        row: Arc<RunRow>,
    },
}

/// An experiment with its visible runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    /// The experiment's id.
    pub(crate) experiment: String,
    /// The runs that match the filter, sorted.
    pub(crate) rows: Vec<Arc<RunRow>>,
    /// The number of all its runs.
    pub(crate) all: usize,
    /// The columns in which these runs differ.
    pub(crate) params: Vec<Differing>,
    /// The headline metric, if its runs agree on one; what all their values are of is said in the heading.
    pub(crate) common: Option<headline::Common>,
}

impl Group {
    pub(super) fn views(&self) -> impl Iterator<Item = &View> {
        self.rows.iter().map(|run| &run.view)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    /// The experiments, starting with that of the newest run.
    pub(crate) groups: Vec<Group>,
    /// The lines from top to bottom.
    pub(crate) lines: Vec<Line>,
}

impl List {
    /// Builds the list; runs of experiments in `folded` are hidden.
    pub(crate) fn new(shared: &Shared, filter: &Filter, folded: &BTreeSet<String>) -> Self {
        let settings = &shared.settings.home;
        let mut groups: Vec<Group> = Vec::new();
        let mut members: Vec<Vec<&Arc<RunRow>>> = Vec::new();
        // The rows are sorted newest first, and so are the groups.
        for row in &shared.runs.rows {
            if let Some(i) = groups.iter().position(|g| g.experiment == row.experiment()) {
                members[i].push(row);
                continue;
            }
            groups.push(Group { experiment: row.experiment().to_owned(), ..Group::default() });
            members.push(vec![row]);
        }
        for (group, rows) in groups.iter_mut().zip(members) {
            group.all = rows.len();
            group.rows =
                rows.into_iter().filter(|row| filter.takes(&row.view, shared.now)).map(Arc::clone).collect();
            let views: Vec<_> = group.rows.iter().map(|row| &row.view).collect();
            group.params = differing(&views);
            group.common = headline::common(&views).map(|common| common.said_once(&views));
            sort_runs(&settings.sort, shared.now, &mut group.rows, |row| &row.view);
        }
        groups.retain(|g| !g.rows.is_empty());
        let mut lines = Vec::new();
        for (i, group) in groups.iter().enumerate() {
            if i > 0 {
                lines.push(Line::Blank);
            }
            let folded = folded.contains(&group.experiment);
            lines.push(Line::Group { group: i, folded });
            if !folded {
                lines.push(Line::Titles { group: i });
                lines.extend(group.rows.iter().map(|row| Line::Run { group: i, row: Arc::clone(row) }));
            }
        }
        if !lines.is_empty() {
            let notes = unreadable(shared);
            lines.extend((!notes.is_empty()).then_some(Line::Blank));
            lines.extend(notes.into_iter().map(Line::Note));
        }
        Self { groups, lines }
    }

    /// The lines on a screen of this height: those from `top` on, below the headings of their group.
    pub(crate) fn visible(&self, top: usize, height: usize) -> Vec<usize> {
        let heads = match self.lines.get(top) {
            Some(Line::Titles { .. }) => top - 1..top,
            Some(Line::Run { .. }) => {
                let titles = |line: &usize| matches!(self.lines[*line], Line::Titles { .. });
                let titles = (0..top).rev().find(titles).unwrap_or(top);
                titles.saturating_sub(1)..(titles + 1).min(top)
            }
            _ => top..top,
        };
        let top = top + usize::from(matches!(self.lines.get(top), Some(Line::Blank)));
        // On very few rows, runs come first.
        let heads = heads.end - heads.len().min(height / 2)..heads.end;
        heads.chain(top..self.lines.len()).take(height).collect()
    }

    /// What is on a line, if the cursor can be there.
    pub(crate) fn spot(&self, line: usize) -> Option<Spot> {
        match self.lines.get(line)? {
            Line::Group { group, .. } => Some(Spot::Group(self.groups[*group].experiment.clone())),
            Line::Run { row, .. } => Some(Spot::Run(row.id.clone())),
            Line::Blank | Line::Note(_) | Line::Titles { .. } => None,
        }
    }

    /// The line of a run or group.
    pub(crate) fn line_of(&self, spot: &Spot) -> Option<usize> {
        self.lines.iter().position(|line| match (line, spot) {
            (Line::Group { group, .. }, Spot::Group(id)) => self.groups[*group].experiment == *id,
            (Line::Run { row, .. }, Spot::Run(id)) => row.id == *id,
            _ => false,
        })
    }

    /// The nearest line for the cursor: below, else above.
    pub(crate) fn nearest(&self, line: usize) -> Option<usize> {
        self.nearest_of(line, |spot| spot.is_some())
    }

    /// The nearest run, if any is visible.
    pub(crate) fn nearest_run(&self, line: usize) -> Option<usize> {
        self.nearest_of(line, |spot| matches!(spot, Some(Spot::Run(_)))).or_else(|| self.nearest(line))
    }

    fn nearest_of(&self, line: usize, may: fn(Option<Spot>) -> bool) -> Option<usize> {
        let line = line.min(self.lines.len().saturating_sub(1));
        let may = |l: &usize| may(self.spot(*l));
        (line..self.lines.len()).find(may).or_else(|| (0..line).rev().find(may))
    }

    /// Moves the cursor by `by` places.
    pub(crate) fn stepped(&self, line: usize, by: isize) -> usize {
        let places: Vec<usize> = (0..self.lines.len()).filter(|l| self.spot(*l).is_some()).collect();
        let at = places.partition_point(|l| *l < line);
        let to = at.saturating_add_signed(by).min(places.len().saturating_sub(1));
        places.get(to).copied().unwrap_or(line)
    }

    /// Moves the cursor; the first and last places are runs.
    pub(crate) fn moved(&self, line: usize, to: Move, page: usize) -> usize {
        let run = |l: &usize| matches!(self.lines.get(*l), Some(Line::Run { .. }));
        let any = |line: usize| self.nearest(line).unwrap_or(0);
        match to {
            Move::By(by) => self.stepped(line, by.into()),
            Move::Page(by) if by < 0 => any(line.saturating_sub(page)),
            Move::Page(_) => any(line + page),
            Move::First => (0..self.lines.len()).find(run).unwrap_or_else(|| any(0)),
            Move::Last => (0..self.lines.len()).rev().find(run).unwrap_or_else(|| any(usize::MAX)),
        }
    }

    /// The runs of all groups, folded or not.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Arc<RunRow>> {
        self.groups.iter().flat_map(|g| &g.rows)
    }

    /// The group of a line.
    pub(crate) fn group_at(&self, line: usize) -> Option<&Group> {
        match self.lines.get(line)? {
            Line::Group { group, .. } | Line::Titles { group } | Line::Run { group, .. } => {
                self.groups.get(*group)
            }
            Line::Blank | Line::Note(_) => None,
        }
    }
}

/// Messages about folders that look like runs but cannot be read.
pub(super) fn unreadable(shared: &Shared) -> Vec<String> {
    let all = &shared.runs.unreadable;
    let say = |(path, why): &(std::path::PathBuf, String)| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // The reason contains the path, too.
        let why = why.replace(&*format!("{}/", path.display()), "");
        clean(&format!("{} cannot be read: {why}", name.trim_start_matches("run=")))
    };
    let mut lines: Vec<String> = all.iter().take(UNREADABLE).map(say).collect();
    if all.len() > UNREADABLE {
        lines.push(format!("and {} more unreadable: gradtop list", all.len() - UNREADABLE));
    }
    lines
}
