//! Which columns there is room for, and how wide they are: the same in all groups, so that they stand below each other.

use std::sync::Arc;

use super::Home;
use super::cells;
use super::list::Group;
use crate::screens::shared::Shared;
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::text::width_of;
use gradtop_view::column;
use gradtop_view::filter::PARAM;
use gradtop_view::runs::RunRow;
use gradtop_view::state::{self, Common, headline_cells};
use jiff::Timestamp;

/// Parameters shown at most.
pub(super) const PARAMS: usize = 3;
/// Columns that are this hard to dispense with stay as long as others can be made narrower.
const DEAR: usize = 4;
/// Columns of a name at most, as long as other columns want room.
const NAME: usize = 28;
/// Columns of a value.
const VALUE: usize = 11;
/// Columns between two columns.
const GAP: usize = 2;

/// What a column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    State,
    Name,
    /// The group's parameter of this number.
    Param(usize),
    Bar,
    Percent,
    Step,
    Epoch,
    Rate,
    Eta,
    Metric,
    Who,
    Spark,
    Age,
    Device,
}

impl What {
    /// What gives way first where the terminal is narrow; 0 never does. `apart`: values of one column are of different series,
    /// which only another column tells.
    fn dispensable(self, apart: bool) -> usize {
        match self {
            Self::State | Self::Name | Self::Percent => 0,
            Self::Who if apart => 1,
            Self::Metric => 1,
            Self::Bar => 2,
            Self::Step => 3,
            Self::Eta => 4,
            Self::Param(0) => 5,
            Self::Rate => 6,
            Self::Spark => 7,
            Self::Age => 8,
            Self::Epoch => 9,
            Self::Param(1) => 10,
            Self::Who => 11,
            Self::Device => 12,
            Self::Param(_) => 13,
        }
    }

    /// Columns it can do with. `title`: those of the widest title above values.
    fn least(self, title: usize) -> usize {
        match self {
            Self::Name => 12,
            Self::Bar => 5,
            Self::Metric => title,
            Self::Who => 9,
            Self::Spark => 8,
            _ => usize::MAX,
        }
    }

    /// The column of which it shows something; none is a parameter.
    fn column(self) -> Option<&'static str> {
        Some(match self {
            Self::State => "state",
            Self::Name => "name",
            Self::Param(_) => return None,
            Self::Bar | Self::Percent => "progress",
            Self::Step => "step",
            Self::Epoch => "epoch",
            Self::Rate => "rate",
            Self::Eta => "eta",
            Self::Metric | Self::Who | Self::Spark => "metric",
            Self::Age => "age",
            Self::Device => "device",
        })
    }

    /// What runs are sorted by in it.
    pub(super) fn sorts(self, group: &Group) -> Option<String> {
        match self {
            Self::Param(i) => group.params.get(i).map(|p| format!("{PARAM}{p}")),
            what => what.column().map(str::to_owned),
        }
    }

    /// What a run has in it, as text.
    pub(super) fn text(self, group: &Group, run: &RunRow, now: Timestamp) -> String {
        self.sorts(group).map(|name| column::cell(&run.view, &name, now)).unwrap_or_default()
    }

    /// Its title in a group.
    pub(super) fn title(self, group: &Group) -> String {
        match self {
            Self::Param(i) => group.params.get(i).map(|p| crate::print::clean(p)).unwrap_or_default(),
            Self::Metric => group.common.as_ref().map_or_else(|| "last value".to_owned(), Common::title),
            Self::Who => "of".to_owned(),
            Self::Percent => String::new(),
            Self::Bar => "progress".to_owned(),
            Self::Spark => "trend".to_owned(),
            _ => self.sorts(group).unwrap_or_default(),
        }
    }

    /// Numbers stand at the right edge.
    pub(super) fn right(self) -> bool {
        self.column().is_some_and(|name| column::align(name, std::iter::empty()) == Align::Right)
    }
}

/// A column and where it is, from the left edge of the list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) what: What,
    pub(super) left: usize,
    pub(super) width: usize,
}

/// The columns that fit.
#[derive(Debug)]
pub(super) struct Columns(pub(super) Vec<Column>);

/// Makes columns narrower: trends first, names last.
fn shrink(columns: &mut [(What, usize)], title: usize, mut missing: usize) {
    for wanted in [What::Spark, What::Bar, What::Metric, What::Who, What::Name] {
        for (what, width) in columns.iter_mut().filter(|(what, _)| *what == wanted) {
            let share = width.saturating_sub(what.least(title)).min(missing);
            (*width, missing) = (*width - share, missing - share);
        }
    }
}

/// The name of a run as wide as it is shown: an alert has its sign before it.
fn shown_name(run: &Arc<RunRow>) -> String {
    let sign = if state::alert(&run.view).is_some() { "! " } else { "" };
    format!("{sign}{}", crate::print::clean(run.name()))
}

impl Columns {
    /// For a list of that width.
    pub(super) fn new(home: &Home, shared: &Shared, width: u16) -> Self {
        let groups = &home.list.groups;
        let widest = |least: usize, most: usize, texts: &mut dyn Iterator<Item = String>| {
            texts.map(|t| width_of(&t)).max().unwrap_or(0).clamp(least, most)
        };
        let all = || groups.iter().flat_map(|g| &g.rows);
        let words = widest(10, 12, &mut all().map(|r| cells::state(&r.view, shared.theme)));
        // On a narrow terminal its sign says it.
        let state = if width < cells::NARROW { 2 } else { words };
        let mut columns =
            vec![(What::State, state), (What::Name, widest(8, NAME, &mut all().map(shown_name)))];
        for i in 0..PARAMS {
            let mut texts =
                groups.iter().filter_map(|g| g.params.get(i).map(|p| (g, p))).flat_map(|(g, p)| {
                    g.rows
                        .iter()
                        .map(move |r| What::Param(i).text(g, r, shared.now))
                        .chain([crate::print::clean(p)])
                });
            let wide = widest(0, 14, &mut texts);
            if wide > 0 {
                columns.push((What::Param(i), wide));
            }
        }
        let apart = groups.iter().any(|g| {
            let mut values = g.rows.iter().map(|r| headline_cells(&r.view, g.common.as_ref()));
            let mut whos = values.by_ref().filter(|(value, _)| !value.is_empty()).map(|(_, who)| who);
            whos.next().is_some_and(|first| whos.any(|who| who != first))
        });
        let epochs = all().any(|r| state::epoch(&r.view).is_some());
        let who = widest(
            0,
            18,
            &mut groups
                .iter()
                .flat_map(|g| g.rows.iter().map(|r| headline_cells(&r.view, g.common.as_ref()).1)),
        );
        columns.extend([(What::Bar, 10), (What::Percent, 5), (What::Step, 7)]);
        columns.extend(epochs.then_some((What::Epoch, 7)));
        // What only running runs have takes no room without them.
        if all().any(|r| r.live()) {
            columns.extend([(What::Rate, 9), (What::Eta, 6)]);
        }
        // Above the points of the values, where there is room for that.
        let title = widest(0, 24 - cells::BEFORE_POINT, &mut groups.iter().map(|g| What::Metric.title(g)));
        columns.push((What::Metric, VALUE.max(title + cells::BEFORE_POINT)));
        // On a phone a value is worth more than the whole of its title.
        let title = if width < cells::NARROW { VALUE } else { VALUE.max(title) };
        columns.extend((who > 0).then_some((What::Who, who)));
        columns.extend([(What::Spark, 12), (What::Age, 5), (What::Device, 6)]);
        // What a value is of is worth more than a time left, and so are names that can be told apart.
        let dear = if apart { DEAR - 1 } else { DEAR };
        let room = usize::from(width).saturating_sub(usize::from(cells::MARKS) + 1);
        loop {
            let used: usize = columns.iter().map(|(_, w)| w + GAP).sum::<usize>().saturating_sub(GAP);
            if used <= room {
                break;
            }
            // Before what matters most goes, some become narrower.
            let missing = used - room;
            let gives = |(what, width): &(What, usize)| width.saturating_sub(what.least(title));
            let give: usize = columns.iter().map(gives).sum();
            let trend: usize = columns.iter().filter(|(what, _)| *what == What::Spark).map(gives).sum();
            let cost = |i: usize| columns[i].0.dispensable(apart);
            let worst = (0..columns.len()).max_by_key(|i| cost(*i)).filter(|i| cost(*i) > 0);
            match worst {
                Some(i) if give < missing || (cost(i) > dear && trend < missing) => {
                    let (what, _) = columns.remove(i);
                    // A value that does not say what it is of is none.
                    columns.retain(|(other, _)| !(apart && what == What::Who && *other == What::Metric));
                }
                _ => {
                    shrink(&mut columns, title, missing);
                    break;
                }
            }
        }
        // What is left over shows longer names whole, and makes the trend longer.
        let used: usize = columns.iter().map(|(_, w)| w + GAP).sum::<usize>().saturating_sub(GAP);
        let mut spare = room.saturating_sub(used);
        let whole = widest(NAME, usize::MAX, &mut all().map(shown_name));
        for (what, width) in &mut columns {
            let more = match what {
                What::Name if *width == NAME => spare.min(whole - NAME),
                What::Spark => spare.min(24),
                _ => 0,
            };
            (*width, spare) = (*width + more, spare - more);
        }
        let mut left = usize::from(cells::MARKS);
        let placed = columns.into_iter().map(|(what, width)| {
            let column = Column { what, left, width };
            // The percentage belongs to the bar before it.
            left += width + GAP;
            column
        });
        Self(placed.collect())
    }

    /// What a click on the titles at this column sorts by.
    pub(super) fn at(&self, x: u16, group: Option<&Group>) -> Option<String> {
        let x = usize::from(x);
        let column = self.0.iter().find(|c| c.left <= x && x < c.left + c.width + GAP)?;
        column.what.sorts(group?)
    }
}
