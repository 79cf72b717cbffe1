//! The part of a report that compares runs of one experiment: results, curves, and which run was best.

use std::sync::Arc;

use gradtop_chart::number;
use gradtop_store::{Average, Goal, View};
use gradtop_view::compare::table::{ComparisonTable, Row, Statistic};
use gradtop_view::compare::{self, Align, ComparedRun, Facet, GroupBy, RunGroup, facets, overlay};
use gradtop_view::figure::chart::evaluate_as;
use gradtop_view::live::XAxis;
use gradtop_view::natural;
use gradtop_view::runs::RunRow;

use super::claims::SEEN_IN_SEVERAL;
use super::document::{self, Block, Claim, code, dense_table, text};
use super::single_run::{Reading, not_drawn};
use crate::print::clean;

/// With more runs than this, a figure averages those with equal settings.
const LINES: usize = 12;
/// The most comparing figures.
const CURVES: usize = 6;
/// The most result columns side by side.
const COLUMNS: usize = 8;
/// The most parameters listed for the best run.
const PARAMS: usize = 4;

/// The runs of one experiment, compared.
pub(super) struct Comparison {
    /// The id of the experiment, if the report has several.
    pub(super) experiment: Option<String>,
    pub(super) n: usize,
    runs: Vec<ComparedRun>,
    /// The results of each run, and the names of the runs.
    table: ComparisonTable,
    names: Vec<String>,
    /// What results and curves show: the runs, or averages of those with equal settings.
    groups: Vec<RunGroup>,
    averages: bool,
}

impl Comparison {
    /// Groups the runs by experiment, because equal names in two experiments may mean different things. Single runs are left
    /// out.
    pub(super) fn each(readings: &[Reading]) -> Vec<Self> {
        let ids = experiments(readings.iter().map(|reading| &reading.view));
        if readings.len() < 2 {
            return Vec::new();
        }
        let of = |(n, id): (usize, &&str)| {
            let readings = readings.iter().filter(|reading| reading.view.manifest.experiment.id == **id);
            let run = |reading: &Reading| ComparedRun {
                row: Arc::new(RunRow::of(reading.view.clone())),
                data: Arc::clone(&reading.data),
            };
            let runs: Vec<ComparedRun> = readings.map(run).collect();
            let alone = compare::groups(&runs, &GroupBy::Nothing);
            let table = ComparisonTable::new(&runs, &alone, &[]);
            let names = alone.iter().map(|group| group.name.clone()).collect();
            let equal = compare::groups(&runs, &GroupBy::AllButSeed);
            let averages = runs.len() > LINES && equal.len() < runs.len();
            let groups = if averages { equal } else { alone };
            Self { experiment: (ids.len() > 1).then(|| clean(id)), n, runs, table, names, groups, averages }
        };
        (1..).zip(&ids).map(of).collect()
    }

    pub(super) fn results(&self) -> Vec<Block> {
        if self.runs.len() < 2 {
            return Vec::new();
        }
        let table = ComparisonTable::new(&self.runs, &self.groups, &[]);
        let mut parts = (0..table.columns.len()).step_by(COLUMNS).map(|at| self.columns(&table, at));
        let mut blocks: Vec<Block> = parts.next().into_iter().collect();
        let rest: Vec<Block> = parts.collect();
        if !rest.is_empty() {
            blocks.push(Block::More { summary: "All results".to_owned(), blocks: rest });
        }
        if self.averages && !blocks.is_empty() {
            let n = self.runs.len();
            let words = format!("The {n} runs by their settings; those with equal settings are averaged.");
            blocks.insert(0, Block::Text(vec![text(words)]));
        }
        blocks
    }

    /// Some columns of the results; the best value of each is marked.
    fn columns(&self, results: &ComparisonTable, from: usize) -> Block {
        let at = from..results.columns.len().min(from + COLUMNS);
        let columns = results.columns[at.clone()].iter();
        let titles: Vec<String> =
            columns.map(|column| format!("{}, {}", clean(&column.title()), column.words())).collect();
        let titled = titles.iter().map(|title| (title.as_str(), true));
        let first = if self.averages { ("settings", false) } else { ("run", false) };
        let head: Vec<(&str, bool)> = std::iter::once(first).chain(titled).collect();
        let row = |row: &Row| {
            let value = |i: usize| {
                let best = if row.best[i] { " ◂" } else { "" };
                let unit =
                    results.other_unit(row, i).map(|unit| format!(" {}", clean(unit))).unwrap_or_default();
                let mean = results.other_average(row, i).map(|mean| format!(", {}", Average::word(mean)));
                let mean = mean.unwrap_or_default();
                let value = row.values[i].map(|v| format!("{}{unit}{best}{mean}", number::value(v)));
                vec![text(value.unwrap_or_default())]
            };
            std::iter::once(vec![code(self.groups[row.group].name.clone())])
                .chain(at.clone().map(value))
                .collect()
        };
        dense_table(&head, &results.rows.iter().map(row).collect::<Vec<_>>())
    }

    /// A chart for each metric, with all runs.
    pub(super) fn curves(&self) -> Vec<Block> {
        if self.runs.len() < 2 {
            return Vec::new();
        }
        let sources = overlay::sources(&self.runs, &self.groups);
        let view = overlay::view(Align::Step, &self.groups, None);
        let mut drawn = facets(&self.runs, &[]);
        drawn.retain(|facet| !gradtop_store::is_system_metric(&facet.metric));
        let further = drawn.split_off(drawn.len().min(CURVES));
        let draw = |(n, facet): (usize, Facet)| {
            let drawn = evaluate_as(&overlay::figure(&self.runs, &facet, XAxis::Step), &sources, &view);
            if drawn.charts.iter().all(gradtop_chart::Chart::is_blank) {
                return None;
            }
            let name = match self.experiment {
                Some(_) => format!("curves-{}-{n}", self.n),
                None => format!("curves-{n}"),
            };
            let source = vec![text("Data: metric "), code(clean(&facet.metric)), text(" of all these runs.")];
            Some(document::figure(drawn.clone(), &drawn, name, source))
        };
        let names: Vec<&str> = self.runs.iter().map(|run| run.row.name()).collect();
        let blocks: Vec<Block> = (1..).zip(drawn).filter_map(draw).collect();
        let titles: Vec<String> = further.iter().map(Facet::title).collect();
        let mut metrics: Vec<&str> = further.iter().map(|facet| facet.metric.as_str()).collect();
        metrics.dedup();
        blocks.into_iter().chain(not_drawn(&titles, &names, &metrics)).collect()
    }

    /// Which run was best, for the first metrics with a goal. With several experiments, only for the headline metric of each.
    pub(super) fn claims(&self) -> Vec<Claim> {
        let best = |at: &usize| self.table.columns[*at].statistic == Statistic::Best;
        let columns: Vec<usize> = (0..self.table.columns.len()).filter(best).collect();
        if self.experiment.is_none() {
            return columns.iter().filter_map(|at| self.best(&[*at])).take(3).collect();
        }
        let facet = |at: &usize| &self.table.columns[*at].facet;
        let Some(metric) = columns.first().map(|at| &facet(at).metric) else { return Vec::new() };
        let of_metric = || columns.iter().filter(|at| facet(at).metric == *metric);
        let rank = |at: &usize| facet(at).split_rank(&self.runs);
        let first = of_metric().map(rank).min();
        let of_split: Vec<usize> = of_metric().filter(|at| Some(rank(at)) == first).copied().collect();
        self.best(&of_split).into_iter().collect()
    }

    /// The best run in any of these columns: one metric and split, of one or several models.
    fn best(&self, columns: &[usize]) -> Option<Claim> {
        let first = &self.table.columns[*columns.first()?];
        if !first.doubts.is_empty() {
            return None;
        }
        let order = |a: f64, b: f64| match first.better {
            Goal::Max => b.total_cmp(&a),
            _ => a.total_cmp(&b),
        };
        let of_run = |row: &'_ Row| {
            let values = columns.iter().filter_map(|at| Some((row.values[*at]?, *at)));
            values.filter(|(value, _)| value.is_finite()).min_by(|a, b| order(a.0, b.0))
        };
        let of_row = |row| of_run(row).map(|(value, at)| (value, at, row));
        let mut values: Vec<_> = self.table.rows.iter().filter_map(of_row).collect();
        let name = |row: &Row| self.names[row.group].as_str();
        values.sort_by(|a, b| order(a.0, b.0).then_with(|| natural::order(name(a.2), name(b.2))));
        let differ: Vec<String> = self.table.params.iter().map(|key| clean(key)).collect();
        let said = |(value, at, row): &(f64, usize, &Row)| {
            let model = self.table.columns[*at].facet.model.as_deref().filter(|_| columns.len() > 1);
            let with = differ.iter().zip(&row.params).filter(|(_, value)| !value.is_empty());
            let with: Vec<String> = with.take(PARAMS).map(|(key, value)| format!("{key} {value}")).collect();
            let model = model.map(|model| format!(", {}", clean(model))).unwrap_or_default();
            let with = if with.is_empty() { String::new() } else { format!(" ({})", with.join(", ")) };
            format!("{} of {}{model}{with}", number::value(*value), name(row))
        };
        let word = if first.better == Goal::Max { "highest" } else { "lowest" };
        let trials = columns.iter().any(|at| self.table.columns[*at].of.1 > 1);
        let word = format!("{word}{}", if trials { " of any trial" } else { "" });
        let equal = values.iter().filter(|other| order(other.0, values[0].0).is_eq()).count();
        // Of one run alone there is nothing to compare; its own numbers are told anyway.
        let [best, next, ..] = values.as_slice() else { return None };
        let words = match equal {
            2.. => format!("{word} is {}, and of {} more", said(best), equal - 1),
            _ => format!("{word} is {}, next is {}", said(best), said(next)),
        };
        let differ_in =
            if differ.is_empty() { "nothing that was recorded".to_owned() } else { differ.join(", ") };
        let caution = format!("the runs differ in {differ_in}; not tested against chance");
        let model = first.facet.model.clone().filter(|_| columns.len() == 1);
        let facet = Facet { model, ..first.facet.clone() }.title();
        let experiment = self.experiment.iter().map(|id| format!("{id}, "));
        Some(Claim {
            about: format!("{}{}", experiment.collect::<String>(), clean(&facet)),
            words,
            evidence: format!("the best value of each of {} runs", values.len()),
            caution,
            strength: SEEN_IN_SEVERAL.to_owned(),
        })
    }
}

pub(super) fn experiments<'a>(views: impl IntoIterator<Item = &'a View>) -> Vec<&'a str> {
    let mut ids: Vec<&str> = Vec::new();
    for view in views {
        if !ids.contains(&view.manifest.experiment.id.as_str()) {
            ids.push(&view.manifest.experiment.id);
        }
    }
    ids
}
