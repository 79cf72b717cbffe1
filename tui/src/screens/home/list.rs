//! The lines of the list: groups, in them the runs that the filter takes, sorted.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::filter::Filter;
use crate::app::Shared;
use crate::print::clean;
use gradtop_view::runs::{RunId, RunRow};
use gradtop_view::state::{self, Common};

/// Folders that cannot be read and are named.
const UNREADABLE: usize = 3;

/// How the runs of a group are sorted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Sort {
    /// The column: `age`, `state`, …, or `param:` and the name of a parameter.
    pub(crate) by: String,
    /// Against the column's usual order.
    pub(crate) reversed: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self { by: "age".to_owned(), reversed: false }
    }
}

/// What the cursor is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// An experiment's line.
    Group(String),
    /// A run's line.
    Run(RunId),
}

/// A line.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    /// Between two groups.
    Blank,
    /// About what is no run that can be shown.
    Note(String),
    /// An experiment.
    Group {
        /// Its number in [`List::groups`].
        group: usize,
        /// Its runs are not shown.
        folded: bool,
    },
    /// The titles of the columns.
    Titles {
        /// Of which group.
        group: usize,
    },
    /// A run.
    Run {
        /// Of which group.
        group: usize,
        /// The run.
        row: Arc<RunRow>,
    },
}

/// An experiment with the runs that are shown.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The experiment's id.
    pub(crate) experiment: String,
    /// The runs that the filter takes, sorted.
    pub(crate) rows: Vec<Arc<RunRow>>,
    /// How many runs there are in all.
    pub(crate) all: usize,
    /// The parameters that differ between all its runs, in the order declared.
    pub(crate) params: Vec<String>,
    /// What stands for each of its runs, if they agree.
    pub(crate) common: Option<Common>,
}

/// The whole list.
#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    /// The experiments, the one with the newest run first.
    pub(crate) groups: Vec<Group>,
    /// What is shown, from top to bottom.
    pub(crate) lines: Vec<Line>,
}

impl List {
    /// From what there is; of experiments in `folded` only the line of their own.
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
            groups.push(Group {
                experiment: row.experiment().to_owned(),
                rows: Vec::new(),
                all: 0,
                params: Vec::new(),
                common: None,
            });
            members.push(vec![row]);
        }
        for (group, rows) in groups.iter_mut().zip(members) {
            let views: Vec<_> = rows.iter().map(|r| &r.view).collect();
            group.all = rows.len();
            group.params = state::differing(&views).into_iter().map(str::to_owned).collect();
            group.common = state::common(&views);
            group.rows =
                rows.into_iter().filter(|row| filter.takes(row, shared.now)).map(Arc::clone).collect();
            sort(&mut group.rows, &settings.sort, shared.now);
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

    /// What is on a line, if the cursor may be there.
    pub(crate) fn spot(&self, line: usize) -> Option<Spot> {
        match self.lines.get(line)? {
            Line::Group { group, .. } => Some(Spot::Group(self.groups[*group].experiment.clone())),
            Line::Run { row, .. } => Some(Spot::Run(row.id.clone())),
            Line::Blank | Line::Note(_) | Line::Titles { .. } => None,
        }
    }

    /// The line of something.
    pub(crate) fn line_of(&self, spot: &Spot) -> Option<usize> {
        self.lines.iter().position(|line| match (line, spot) {
            (Line::Group { group, .. }, Spot::Group(experiment)) => {
                self.groups[*group].experiment == *experiment
            }
            (Line::Run { row, .. }, Spot::Run(id)) => row.id == *id,
            _ => false,
        })
    }

    /// The nearest line where the cursor may be: going down, else up.
    pub(crate) fn nearest(&self, line: usize) -> Option<usize> {
        let line = line.min(self.lines.len().saturating_sub(1));
        let may = |l: &usize| self.spot(*l).is_some();
        (line..self.lines.len()).find(may).or_else(|| (0..line).rev().find(may))
    }

    /// `by` places further where the cursor may be.
    pub(crate) fn moved(&self, line: usize, by: isize) -> usize {
        let places: Vec<usize> = (0..self.lines.len()).filter(|l| self.spot(*l).is_some()).collect();
        let at = places.partition_point(|l| *l < line);
        let to = at.saturating_add_signed(by).min(places.len().saturating_sub(1));
        places.get(to).copied().unwrap_or(line)
    }

    /// Every run shown, folded or not.
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

/// What is said of folders that look like runs and cannot be read: the first few, with the reasons.
pub(super) fn unreadable(shared: &Shared) -> Vec<String> {
    let all = &shared.runs.unreadable;
    let say = |(path, why): &(std::path::PathBuf, String)| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // The path is in the reason too.
        let why = why.replace(&*format!("{}/", path.display()), "");
        clean(&format!("{} cannot be read: {why}", name.trim_start_matches("run=")))
    };
    let mut lines: Vec<String> = all.iter().take(UNREADABLE).map(say).collect();
    if all.len() > UNREADABLE {
        lines.push(format!("and {} more that cannot be read: gradtop list", all.len() - UNREADABLE));
    }
    lines
}

/// Sorts by a column; runs without a value come last whichever way. What is equal keeps its order, newest first.
fn sort(rows: &mut [Arc<RunRow>], sort: &Sort, now: Timestamp) {
    let mut keyed: Vec<(Key, Arc<RunRow>)> =
        rows.iter().map(|row| (key(row, &sort.by, now), Arc::clone(row))).collect();
    keyed.sort_by(|(a, _), (b, _)| {
        let order = a.order(b);
        if sort.reversed && *a != Key::None && *b != Key::None { order.reverse() } else { order }
    });
    for (place, (_, row)) in rows.iter_mut().zip(keyed) {
        *place = row;
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Key {
    Number(f64),
    /// How well its split speaks for a run, and a number.
    OfSplit(u8, f64),
    Text(String),
    None,
}

impl Key {
    /// The place of its kind: numbers first, what there is not last.
    fn kind(&self) -> u8 {
        match self {
            Self::Number(_) => 0,
            Self::OfSplit(..) => 1,
            Self::Text(_) => 2,
            Self::None => 3,
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::OfSplit(s, a), Self::OfSplit(t, b)) => s.cmp(t).then(a.total_cmp(b)),
            (Self::Text(a), Self::Text(b)) => gradtop_view::natural::order(a, b),
            (Self::None, Self::None) => Ordering::Equal,
            _ => self.kind().cmp(&other.kind()),
        }
    }
}

fn key(row: &RunRow, by: &str, now: Timestamp) -> Key {
    let (manifest, status) = (&row.view.manifest, &row.view.status);
    // The largest first, but where small is good.
    let large = |v: Option<f64>| v.filter(|v| !v.is_nan()).map_or(Key::None, |v| Key::Number(-v));
    let small = |v: Option<f64>| v.filter(|v| !v.is_nan()).map_or(Key::None, Key::Number);
    if let Some(name) = by.strip_prefix("param:") {
        use gradtop_store::ParamValue;
        return match manifest.params.iter().find(|(n, _)| n == name).map(|(_, v)| v) {
            Some(ParamValue::Int(v)) => Key::Number(*v as f64),
            Some(ParamValue::Float(v)) => small(Some(*v)),
            Some(other) => Key::Text(other.to_string()),
            None => Key::None,
        };
    }
    match by {
        "state" => Key::Number(state::rank(row.view.state) as f64),
        "name" => Key::Text(row.name().to_owned()),
        "progress" => large(state::progress(&row.view).map(|(done, all)| done as f64 / all as f64)),
        "step" => large(state::step(status).map(|s| s as f64)),
        "epoch" => large(state::epoch(&row.view)),
        "rate" => large(state::rate(&row.view)),
        "eta" => small(state::eta(&row.view)),
        "metric" => {
            let headlines = state::headlines(&row.view);
            let Some((first, line)) = headlines.first().and_then(|h| Some((h, h.line()?))) else {
                return Key::None;
            };
            let up = first.info.is_some_and(|i| i.goal == gradtop_store::Goal::Max);
            match if up { large(Some(line.value)) } else { small(Some(line.value)) } {
                // A training loss is not compared with a test loss.
                Key::Number(v) => Key::OfSplit(gradtop_store::split_rank(first.info, line.split).0, v),
                key => key,
            }
        }
        "device" => Key::Text(manifest.device.clone()),
        _ => small(Some(now.duration_since(manifest.created).as_secs_f64())),
    }
}
