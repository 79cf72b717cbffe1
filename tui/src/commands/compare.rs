//! `gradtop compare`: runs side by side, as tables.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Result;
use gradtop_store::{Average, View};
use serde_json::{Map, Value, json};

use super::{Context, select};
use crate::failure::Failure;
use crate::print::table::{Table, Words};
use crate::print::{self, clean};
use gradtop_chart::cells::align::Align as Side;
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::colour;
use gradtop_chart::number;
use gradtop_view::compare::table::{Column, ComparisonTable, Row, Sort};
use gradtop_view::compare::{ComparedRun, GroupBy, RunGroup, differing, groups, unshared, why_none};
use gradtop_view::figure::run_figures::metrics;
use gradtop_view::list::filter;
use gradtop_view::live::SeriesFilter;
use gradtop_view::run::{json, state};
use gradtop_view::runs::RunRow;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Runs by name, or a filter as in the monitor: 'state:finished lr>1e-3'
    // Not named `runs`, which is the id of the global option `--runs`.
    #[arg(required = true, value_name = "RUN|FILTER")]
    names: Vec<String>,
    /// Only this metric, or those that match, such as 'loss*'; may be given several times
    #[arg(long, value_name = "NAME")]
    metric: Vec<String>,
    /// Group runs with the same value of this parameter; `all` for all parameters except the seed
    #[arg(long, value_name = "KEY")]
    by: Option<String>,
    /// Sort by a parameter, or by a metric's last value, best first
    #[arg(long, value_name = "COLUMN")]
    sort: Option<String>,
    /// Reverse the order
    #[arg(long, requires = "sort")]
    reverse: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let views = select::shown(context, &args.names)?;
    let wanted = expanded(&args.metric, &logged(&views));
    let runs = read(views, &wanted, 0.0)?;
    let by = grouping(&runs, args.by.as_deref())?;
    let groups = groups(&runs, &by);
    let table = ComparisonTable::new(&runs, &groups, &wanted);
    let sort = sorting(&runs, &table, args.sort.as_deref())?;
    let order = table.sorted(sort, args.reverse);
    if args.json {
        print::json(&as_json(&runs, &groups, &table, &order))?;
    } else {
        print_table(&runs, &groups, &table, &order);
        if table.columns.is_empty() {
            print::note(&format!("no values to compare: {}", why_none(&runs)));
        }
        if wanted.is_empty() {
            note_unshared(&runs);
        }
        if let Sort::Value(at) = sort {
            let column = &table.columns[at];
            print::line("");
            print::dim(&format!("sorted by {}: {}", clean(&column.title()), column.words()));
        }
    }
    Ok(0)
}

/// Notes which metrics are left out since only some experiments have them.
pub(super) fn note_unshared(runs: &[ComparedRun]) {
    let names: Vec<String> = unshared(runs).into_iter().collect();
    if !names.is_empty() {
        let first = select::abbreviated(&names, |name| clean(name));
        print::note(&format!("left out, since only some of these experiments have them: {first}"));
        print::note("--metric NAME shows one");
    }
}

/// The metrics that these runs have logged, as far as they can be read.
pub(super) fn logged(views: &[View]) -> BTreeSet<String> {
    views.iter().filter_map(|view| metrics(&view.dir).ok()).flatten().collect()
}

/// Replaces words with jokers by the names that match; a word that matches none stays.
pub(super) fn expanded(words: &[String], known: &BTreeSet<String>) -> Vec<String> {
    let meant = |word: &String| match filter::named(word, known.iter().map(String::as_str)).as_slice() {
        [] => vec![word.clone()],
        names => names.iter().map(|name| (*name).to_owned()).collect(),
    };
    words.iter().flat_map(meant).collect()
}

/// Reads the runs completely; runs in progress up to their latest row. Warns about those that cannot be read completely, and
/// leaves out those of which nothing can be read.
pub(super) fn read(runs: Vec<View>, metrics: &[String], smoothing: f64) -> Result<Vec<ComparedRun>> {
    let rows: Vec<Arc<RunRow>> = runs.into_iter().map(|view| Arc::new(RunRow::of(view))).collect();
    let wanted = match metrics {
        [] => SeriesFilter::All,
        some => SeriesFilter::Metrics(some.iter().cloned().collect()),
    };
    let mut runs = gradtop_view::compare::read(&rows, &wanted, smoothing);
    let is_unread = |run: &mut ComparedRun| run.data.series.is_empty() && run.data.unread().next().is_some();
    let unread: Vec<ComparedRun> = runs.extract_if(.., is_unread).collect();
    print::warn_of_damage(runs.iter().flat_map(|run| run.data.unread()));
    for run in &unread {
        let why = run.data.unread().collect::<Vec<_>>().join("; ");
        let message = format!("{} cannot be read: {why}", run.row.name());
        if runs.is_empty() {
            return Err(Failure::new(message).into());
        }
        print::warn(message);
    }
    let known: BTreeSet<&str> = runs.iter().flat_map(|s| s.data.metric_names()).collect();
    let typed = metrics.iter().map(String::as_str);
    Failure::unless_known("none of these runs has a metric", typed, known.iter().copied(), "metrics")?;
    Ok(runs)
}

/// Parses `--by`.
pub(super) fn grouping(runs: &[ComparedRun], by: Option<&str>) -> Result<GroupBy> {
    match by {
        None => Ok(GroupBy::Nothing),
        Some("all") => Ok(GroupBy::AllButSeed),
        Some(key) if runs.iter().any(|s| s.value(key).is_some()) => Ok(GroupBy::Key(key.to_owned())),
        Some(key) => {
            let message = format!("none of these runs has a parameter {key:?}");
            let keys = differing(runs);
            Err(Failure::unknown(message, key, keys.iter().map(String::as_str), "parameters that differ")
                .into())
        }
    }
}

fn sorting(runs: &[ComparedRun], table: &ComparisonTable, by: Option<&str>) -> Result<Sort> {
    let Some(name) = by else { return Ok(Sort::Given) };
    if let Some(at) = table.params.iter().position(|p| p == name) {
        return Ok(Sort::Param(at));
    }
    // Prefers a column with exactly this title, then one of the headline split.
    let titled = table.columns.iter().position(|c| {
        let title = c.facet.title();
        title == name || format!("{title} {}", c.statistic.word()) == name
    });
    let metric = || {
        let own = table.columns.iter().enumerate().filter(|(_, c)| c.facet.metric == name);
        own.min_by_key(|(_, c)| c.facet.split_rank(runs)).map(|(at, _)| at)
    };
    titled.or_else(metric).map(Sort::Value).ok_or_else(|| {
        let titles: BTreeSet<String> =
            table.columns.iter().map(|c| format!("{} {}", c.facet.title(), c.statistic.word())).collect();
        let known = table.params.iter().chain(&titles).map(String::as_str);
        Failure::unknown(format!("the table has no column {name:?}"), name, known, "columns").into()
    })
}

/// Prints the parameters in one table and each metric, of the runs that have it, in its own; side by side they would be too wide
/// for any terminal.
fn print_table(runs: &[ComparedRun], groups: &[RunGroup], table: &ComparisonTable, order: &[usize]) {
    let grouped = groups.len() != runs.len();
    let mut columns = vec![("", Side::Left), (if grouped { "group" } else { "run" }, Side::Left)];
    let params: Vec<String> = table.params.iter().map(|p| clean(p)).collect();
    columns.extend([(if grouped { "runs" } else { "state" }, Side::Left)]);
    columns.extend(params.iter().map(|p| (p.as_str(), Side::Left)));
    let mut out = Table::new(&columns);
    for row in rows(table, order) {
        let mut cells = named(&groups[row.group]);
        cells.push(what(runs, &groups[row.group], grouped));
        cells.extend(row.params.iter().map(|p| Words::from(p.clone())));
        out.row(cells);
    }
    // After the mark, the name and the state.
    (3..3 + params.len()).for_each(|column| out.shorten(column));
    out.print(0);
    let mut at = 0;
    while at < table.columns.len() {
        let facet = &table.columns[at].facet;
        let n = table.columns[at..].iter().take_while(|c| c.facet == *facet).count();
        print_metric(runs, groups, table, order, at..at + n);
        at += n;
    }
}

fn rows<'a>(table: &'a ComparisonTable, order: &'a [usize]) -> impl Iterator<Item = &'a Row> {
    order.iter().filter_map(|i| table.rows.get(*i))
}

/// The marker and name of a group of runs.
fn named(group: &RunGroup) -> Vec<Words> {
    let mark = colour::marker(group.look.1, print::ascii()).to_string();
    vec![Words::new(mark, Ink::Series(group.look.0)), Words::bold(group.name.clone())]
}

fn what(runs: &[ComparedRun], group: &RunGroup, grouped: bool) -> Words {
    match group.members.as_slice() {
        [one] if !grouped => {
            let view = &runs[*one].row.view;
            Words::new(state::label(view), state::ink(view.state))
        }
        many => Words::dim(many.len().to_string()),
    }
}

fn print_metric(
    runs: &[ComparedRun],
    groups: &[RunGroup],
    table: &ComparisonTable,
    order: &[usize],
    at: std::ops::Range<usize>,
) {
    let first = &table.columns[at.start];
    let title = print::styled(&clean(&first.facet.title()), Ink::Bold);
    let with = |row: &&Row| row.values[at.clone()].iter().any(Option::is_some);
    let with: Vec<&Row> = rows(table, order).filter(with).collect();
    let of = (with.len() < order.len()).then(|| {
        let kind = if groups.len() == runs.len() { "run" } else { "group" };
        format!("{} of {}", with.len(), number::counted(order.len(), kind))
    });
    let goal = Some(first.better.words().to_owned()).filter(|goal| !goal.is_empty());
    let more: Vec<String> =
        goal.into_iter().chain(first.doubts.iter().map(|doubt| clean(doubt))).chain(of).collect();
    let more = print::styled(&more.join(" · "), Ink::Dim);
    print::line(format!("\n{title}  {more}").trim_end());
    let star = if print::ascii() { "<" } else { "◂" };
    let words: Vec<String> = table.columns[at.clone()].iter().map(Column::words).collect();
    let of = |at: std::ops::Range<usize>, headings: &[String]| {
        let mut columns = vec![("", Side::Left), ("", Side::Left)];
        for heading in headings {
            columns.extend([(heading.as_str(), Side::Point), ("", Side::Left)]);
        }
        let mut out = Table::new(&columns);
        for row in &with {
            let mut cells = named(&groups[row.group]);
            for i in at.clone() {
                let text = row.values[i].map_or_else(|| number::MISSING.to_owned(), number::value);
                let ink = if row.best[i] { Ink::Series(colour::Paint::Slot(2)) } else { Ink::Text };
                cells.push(Words::new(text, ink));
                let best = row.best[i].then_some(star);
                let unit = table.other_unit(row, i).map(clean);
                let mean = table.other_average(row, i).map(Average::word);
                let words: Vec<&str> = best.into_iter().chain(unit.as_deref()).chain(mean).collect();
                cells.push(Words::new(words.join(" "), ink));
            }
            out.row(cells);
        }
        out
    };
    let whole = of(at.clone(), &words);
    if whole.fits(0) {
        return whole.print(0);
    }
    // Each statistic below the one before, so that no word beside a value is cut.
    for (i, words) in at.zip(words) {
        print::line(&print::styled(&format!("   {words}"), Ink::Dim));
        of(i..i + 1, &[String::new()]).print(0);
    }
}

fn as_json(runs: &[ComparedRun], groups: &[RunGroup], table: &ComparisonTable, order: &[usize]) -> Value {
    let column = |c: &Column| {
        json!({"metric": c.facet.metric, "model": c.facet.model, "split": c.facet.split, "value": c.statistic.word(),
               "statistic": c.words(), "goal": c.better, "unit": c.unit, "doubts": c.doubts})
    };
    let row = |row: &Row| {
        let group = &groups[row.group];
        let runs: Vec<&str> = group.members.iter().map(|i| runs[*i].row.name()).collect();
        let params: Map<String, Value> =
            table.params.iter().cloned().zip(row.params.iter().map(|p| json!(p))).collect();
        let values: Vec<Value> = row.values.iter().map(|v| v.map_or(Value::Null, json::float)).collect();
        let averages: Vec<Option<&str>> =
            row.averages.iter().map(|average| average.map(Average::word)).collect();
        json!({"name": group.name, "runs": runs, "params": params, "values": values, "averages": averages,
               "units": row.units, "best": row.best})
    };
    json!({
        "columns": table.columns.iter().map(column).collect::<Vec<_>>(),
        "rows": rows(table, order).map(row).collect::<Vec<_>>(),
    })
}
