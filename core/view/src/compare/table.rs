//! The table of a comparison: differing parameters and resulting metrics.

use std::cmp::Ordering;

use gradtop_store::{Average, Goal};
use serde::{Deserialize, Serialize};

use super::{ComparedRun, Facet, RunGroup, differing, facets};
use crate::live::SeriesSnapshot;

/// How the values of a metric are summarized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Statistic {
    /// The last value, averaged over trials and the runs of a group.
    Last,
    /// The best value of any series, by the metric's goal.
    Best,
    /// The smallest value of any series, which may be minus infinity.
    Min,
}

impl Statistic {
    /// Returns the heading.
    pub fn word(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Best => "best",
            Self::Min => "min",
        }
    }

    /// Returns the value that a series contributes.
    fn value(self, better: Goal, series: &SeriesSnapshot) -> Option<f64> {
        match (self, better) {
            (Self::Last, _) => series.last().map(|l| l.value),
            (Self::Best, Goal::Max) => series.max(),
            (Self::Best, _) => series.min(),
            (Self::Min, _) => series.least(),
        }
    }

    /// Returns how many series of a group contribute; `None` without series.
    fn finite<'a>(self, series: impl Iterator<Item = &'a SeriesSnapshot>) -> Option<usize> {
        let values: Vec<Option<f64>> = series.map(|s| self.value(Goal::None, s)).collect();
        let finite = values.iter().flatten().filter(|v| v.is_finite() || self == Self::Min).count();
        // If no value is finite, the result is not finite and concerns all series.
        (!values.is_empty()).then_some(if finite == 0 { values.len() } else { finite })
    }
}

/// A column of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The metric.
    pub facet: Facet,
    /// How its values are summarized.
    pub statistic: Statistic,
    /// Whether lower or higher is better, if either.
    pub better: Goal,
    /// How most rows average several last values.
    pub average: Option<Average>,
    /// The unit of all rows, if they have one.
    pub unit: Option<String>,
    /// Why its values cannot be compared; see [`gradtop_store::Declared::doubts`].
    pub doubts: Vec<String>,
    /// Whether the values can be compared: they have one unit, or none.
    comparable: bool,
    /// Smallest and largest number of series of a group: trials times runs.
    pub of: (usize, usize),
    /// Smallest and largest number of series that contribute: the finite ones, if there are any.
    pub finite: (usize, usize),
}

/// Formats `2` or `2 to 5`.
fn count((few, many): (usize, usize)) -> String {
    if few == many { many.to_string() } else { format!("{few} to {many}") }
}

impl Column {
    /// Returns what it shows, and why its values cannot be compared, if so: `loss deep · test`, `loss · units differ: ms, s`.
    pub fn title(&self) -> String {
        std::iter::once(&self.facet.title())
            .chain(&self.doubts)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" · ")
    }

    /// Returns a short heading: the kind of value and how several are summarized, `last, mean` or `best, lowest`.
    pub fn short(&self) -> String {
        let finite = if self.finite == self.of { "" } else { " of finite" };
        self.summarized(|how| format!("{how}{finite}"))
    }

    /// Returns the full heading, also with the number of series, such as `last, mean of 5` or `best, lowest of the 3 finite
    /// of 5`.
    pub fn words(&self) -> String {
        let of = count(self.of);
        let of =
            if self.finite == self.of { of } else { format!("the {} finite of {of}", count(self.finite)) };
        self.summarized(|how| format!("{how} of {of}"))
    }

    fn summarized(&self, of: impl FnOnce(&str) -> String) -> String {
        let word = self.statistic.word();
        match (self.statistic, self.better) {
            _ if self.of.1 < 2 => word.to_owned(),
            (Statistic::Last, _) => format!("{word}, {}", of(self.average.unwrap_or_default().word())),
            (Statistic::Best, Goal::Max) => format!("{word}, {}", of("highest")),
            (Statistic::Best, _) => format!("{word}, {}", of("lowest")),
            (Statistic::Min, _) => of(word),
        }
    }
}

/// A run or a group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Its index in the list of groups.
    pub group: usize,
    /// Its differing parameters as text; blank if it has none.
    pub params: Vec<String>,
    /// Its values; `None` if nothing was logged, or if they have several units.
    pub values: Vec<Option<f64>>,
    /// How each is averaged, if it is the average of several series.
    pub averages: Vec<Option<Average>>,
    /// The unit of each.
    pub units: Vec<Option<String>>,
    /// Which of them are the best of their column.
    pub best: Vec<bool>,
}

/// The comparison table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ComparisonTable {
    /// The keys of the differing parameters.
    pub params: Vec<String>,
    /// The columns of values.
    pub columns: Vec<Column>,
    /// The rows, in the order of the groups.
    pub rows: Vec<Row>,
    /// Whether some rows are of several runs. Their names say what they have in common.
    pub grouped: bool,
}

/// The sort order of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The order in which the runs were given.
    #[default]
    Given,
    /// By a parameter.
    Param(usize),
    /// By a column of values, best first.
    Value(usize),
}

/// The most parameters shown before values.
const LEADING: usize = 3;

/// Returns the smallest and the largest count.
fn ends(counts: Vec<usize>) -> (usize, usize) {
    (counts.iter().copied().min().unwrap_or(0), counts.into_iter().max().unwrap_or(0))
}

/// Returns the series of a group that belong to a column.
fn of<'a>(
    runs: &'a [ComparedRun],
    group: &'a RunGroup,
    facet: &'a Facet,
) -> impl Iterator<Item = &'a SeriesSnapshot> {
    facet.series(group.runs(runs))
}

/// A value of a row, how it is averaged and its unit.
type Cell = (Option<f64>, Option<Average>, Option<String>);

fn cell(runs: &[ComparedRun], group: &RunGroup, column: &Column) -> Cell {
    let declared = column.facet.declared(group.runs(runs));
    if !declared.has_one_unit() {
        return (None, None, None);
    }
    let each: Vec<f64> = of(runs, group, &column.facet)
        .filter_map(|series| column.statistic.value(column.better, series))
        .collect();
    let average = declared.average().over(each.iter().copied());
    let is_mean = column.statistic == Statistic::Last && each.len() > 1;
    let value = match (column.statistic, column.better) {
        (Statistic::Last, _) => average.of_finite(each),
        (Statistic::Best, Goal::Max) => each.into_iter().reduce(f64::max),
        (Statistic::Best | Statistic::Min, _) => each.into_iter().reduce(f64::min),
    };
    (value, Some(average).filter(|_| is_mean), declared.unit().map(str::to_owned))
}

fn row(runs: &[ComparedRun], group: &RunGroup, at: usize, params: &[String], columns: &[Column]) -> Row {
    let param = |key: &String| {
        let mut values: Vec<String> = group.runs(runs).map(|s| s.value(key).unwrap_or_default()).collect();
        values.sort();
        values.dedup();
        match values.as_slice() {
            [one] => one.clone(),
            many => format!("{} values", many.len()),
        }
    };
    let mut row = Row { group: at, params: params.iter().map(param).collect(), ..Row::default() };
    for column in columns {
        let (value, average, unit) = cell(runs, group, column);
        row.values.push(value);
        row.averages.push(average);
        row.units.push(unit);
        row.best.push(false);
    }
    row
}

impl ComparisonTable {
    /// Creates the table of these runs, with `metrics` or, if none is named, those that are declared.
    pub fn new(runs: &[ComparedRun], groups: &[RunGroup], metrics: &[String]) -> Self {
        let params = differing(runs);
        let mut shown = facets(runs, metrics);
        let declared = |f: &Facet| runs.iter().any(|run| run.row.view.manifest.metric(&f.metric).is_some());
        if metrics.is_empty() {
            // Without declared metrics, use the logged ones.
            let any = shown.iter().any(declared);
            shown.retain(|f| if any { declared(f) } else { !gradtop_store::is_system_metric(&f.metric) });
        }
        let mut columns = Vec::new();
        for facet in shown {
            let declared = facet.declared(runs);
            let goal = declared.goal();
            let counts: Vec<usize> =
                groups.iter().map(|t| of(runs, t, &facet).count()).filter(|n| *n > 0).collect();
            let mut add = |statistic: Statistic, better| {
                let finite = groups.iter().filter_map(|t| statistic.finite(of(runs, t, &facet))).collect();
                columns.push(Column {
                    facet: facet.clone(),
                    statistic,
                    better,
                    average: None,
                    unit: declared.unit().map(str::to_owned),
                    doubts: declared.doubts(),
                    comparable: declared.has_one_unit(),
                    of: ends(counts.clone()),
                    finite: ends(finite),
                });
            };
            add(Statistic::Last, goal);
            if goal != Goal::None {
                add(Statistic::Best, goal);
            }
            // If lower is better, the best is also the smallest.
            if goal != Goal::Min {
                add(Statistic::Min, Goal::None);
            }
        }
        let rows: Vec<Row> =
            groups.iter().enumerate().map(|(i, t)| row(runs, t, i, &params, &columns)).collect();
        for (at, column) in columns.iter_mut().enumerate() {
            column.average = Average::most_common(rows.iter().filter_map(|row| row.averages[at]));
        }
        let mut table = Self { params, columns, rows, grouped: groups.len() < runs.len() };
        table.mark_best();
        table
    }

    /// Returns how a value is averaged, if that is not what the heading of its column says.
    pub fn other_average(&self, row: &Row, column: usize) -> Option<Average> {
        row.averages[column].filter(|_| row.averages[column] != self.columns[column].average)
    }

    /// Returns the unit of a value, if not all values of its column have it.
    pub fn other_unit<'a>(&self, row: &'a Row, column: usize) -> Option<&'a str> {
        row.units[column].as_deref().filter(|_| self.columns[column].unit.is_none())
    }

    /// Returns every column, in the order in which they are shown: the values first where the names of groups have the
    /// parameters, or where many parameters would leave the values no room; else the parameters.
    pub fn sort_keys(&self) -> impl Iterator<Item = Sort> {
        let params = (0..self.params.len()).map(Sort::Param);
        let mut keys: Vec<Sort> = params.chain((0..self.columns.len()).map(Sort::Value)).collect();
        let values_first = self.grouped || self.params.len() > LEADING;
        keys.rotate_left(if values_first { self.params.len() } else { 0 });
        keys.into_iter()
    }

    /// Returns where a column of another table is in this one, if it has it.
    pub fn find_same(&self, other: &Self, column: Sort) -> Option<Sort> {
        match column {
            Sort::Given => Some(Sort::Given),
            Sort::Param(p) => {
                let key = other.params.get(p)?;
                self.params.iter().position(|own| own == key).map(Sort::Param)
            }
            Sort::Value(c) => {
                let column = other.columns.get(c)?;
                let is_same = |own: &Column| own.facet == column.facet && own.statistic == column.statistic;
                self.columns.iter().position(is_same).map(Sort::Value)
            }
        }
    }

    /// Marks the best values of each column, several if they are equal. With fewer than two values, finite or not, or with
    /// several units, none is marked.
    fn mark_best(&mut self) {
        for (i, column) in self.columns.iter().enumerate() {
            let finite = self.rows.iter().filter_map(|r| r.values[i]).filter(|v| v.is_finite());
            let best = match column.better {
                Goal::Min => finite.reduce(f64::min),
                Goal::Max => finite.reduce(f64::max),
                Goal::None => None,
            };
            if !column.comparable || self.rows.iter().filter(|r| r.values[i].is_some()).count() < 2 {
                continue;
            }
            for row in &mut self.rows {
                // Means of equal values may differ in the last bit, depending on their number.
                let equal = |a: f64, b: f64| a == b || (a - b).abs() <= 1e-12 * b.abs();
                row.best[i] = best.zip(row.values[i]).is_some_and(|(best, v)| equal(v, best));
            }
        }
    }

    /// Returns the order of the rows, as indices. Rows without a value come last in either direction.
    pub fn sorted(&self, sort: Sort, reverse: bool) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        match sort {
            Sort::Given if reverse => order.reverse(),
            Sort::Given => {}
            Sort::Param(p) => order.sort_by(|a, b| {
                let text = |i: &usize| self.rows[*i].params.get(p).cloned().unwrap_or_default();
                let (a, b) = (text(a), text(b));
                let by_value = match (a.parse::<f64>(), b.parse::<f64>()) {
                    (Ok(x), Ok(y)) => x.total_cmp(&y),
                    _ => crate::natural::order(&a, &b),
                };
                turned(by_value, reverse)
            }),
            Sort::Value(c) => {
                let down = self.columns.get(c).is_some_and(|c| c.better == Goal::Max) != reverse;
                order.sort_by(|a, b| {
                    let value =
                        |i: &usize| self.rows[*i].values.get(c).copied().flatten().filter(|v| !v.is_nan());
                    match (value(a), value(b)) {
                        (Some(x), Some(y)) => turned(x.total_cmp(&y), down),
                        (x, y) => y.is_some().cmp(&x.is_some()),
                    }
                });
            }
        }
        order
    }
}

fn turned(order: Ordering, reverse: bool) -> Ordering {
    if reverse { order.reverse() } else { order }
}
