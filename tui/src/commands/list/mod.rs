//! `gradtop list`: lists runs by experiment, newest first.

mod group;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use gradtop_store::{View, near};
use jiff::Timestamp;
use serde_json::Value;

use super::Context;
use super::select::{Matching, is_filter, matching, unless_headline};
use crate::failure::Failure;
use crate::list_view::{self, ListView};
use crate::print::table::{Table, Words};
use crate::print::{self, clean};
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::number;
use gradtop_view::list::column;
use gradtop_view::list::filter::{self, PARAM};
use gradtop_view::list::order::{self, Sort};
use gradtop_view::run::{json, state};

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Only runs that match a filter, such as curve-fit 'state:failed lr>1e-3'
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,
    /// Sort by this column, best or newest first
    #[arg(long, value_name = "COLUMN")]
    sort: Option<String>,
    /// Reverse the order
    #[arg(long, requires = "sort")]
    reverse: bool,
    /// Show these columns, separated by commas: state, name, took, …, parameters and headline metrics by name or as 'loss*'
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', conflicts_with = "json")]
    columns: Vec<String>,
    /// Use the filter, order and columns of this view, unless others are given
    #[arg(long, value_name = "NAME")]
    view: Option<String>,
    /// Save this filter, order and columns as a view, for --view and the monitor
    #[arg(long, value_name = "NAME")]
    save: Option<String>,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

impl Args {
    /// The filter, if it is a single word, which was probably meant as a name.
    fn word(&self) -> Option<&String> {
        match self.filter.as_slice() {
            [word] if !is_filter(word) => Some(word),
            _ => None,
        }
    }

    /// The requested view, combined with options given on the command line.
    fn list_view(&self) -> Result<ListView> {
        let mut view = self.view.as_deref().map(list_view::named).transpose()?.unwrap_or_default();
        let own = self.filter.join(" ");
        view.filter = match (view.filter.as_str(), own.as_str()) {
            (filter, "") => filter.to_owned(),
            ("", own) => own.to_owned(),
            (filter, own) => format!("({filter}) ({own})"),
        };
        if let Some(by) = self.sort.clone() {
            view.sort = Some(Sort { by, reversed: self.reverse });
        }
        if !self.columns.is_empty() {
            view.columns = self.columns.iter().map(|name| name.trim().to_owned()).collect();
        }
        Ok(view)
    }
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let mut looked = args.list_view()?;
    let Matching { mut views, names, incomplete } = matching(context, &looked.filter)?;
    let runs = context.runs()?;
    // In a folder without runs, a filter is not what is wrong; a name is.
    if views.is_empty() && (!names.is_empty() || args.word().is_some()) {
        return no_match(args, &looked.filter, &names);
    }
    let all = column::all(views.iter());
    let mut unknown: Vec<&str> = Vec::new();
    let mut columns: Vec<String> = Vec::new();
    for word in &looked.columns {
        match filter::named(word, all.iter().map(String::as_str)).as_slice() {
            [] => match column::named(word, views.iter()) {
                Some(name) => columns.push(name),
                None => unknown.push(word),
            },
            names => columns.extend(names.iter().map(|name| (*name).to_owned())),
        }
    }
    let mut sorted = None;
    if let Some(Sort { by, reversed }) = &looked.sort {
        // The monitor prefixes parameters.
        let named = if by.starts_with(PARAM) { Some(by.clone()) } else { column::named(by, views.iter()) };
        match named {
            Some(by) => {
                let sort = Sort { by, reversed: *reversed };
                order::sort_runs(&sort, Timestamp::now(), &mut views, |view| view);
                sorted = Some(sort.by);
            }
            None => unknown.push(by),
        }
    }
    unless_headline(&views, unknown.iter().copied())?;
    Failure::unless_known("there is no column", unknown, all.iter().map(String::as_str), "columns")?;
    looked.columns.clone_from(&columns);
    if let Some(name) = &args.save {
        list_view::change(name, Some(looked))?;
        print::note(&format!("saved as a view: gradtop list --view {}", clean(name)));
    }
    let damaged = super::count_damaged(&views);
    if args.json {
        let as_json = |(view, damaged): (&View, &usize)| {
            let mut fields = json::of(view);
            fields.insert("damaged_files".into(), (*damaged).into());
            fields
        };
        print::json(&views.iter().zip(&damaged).map(as_json).collect::<Vec<_>>())?;
    } else if views.is_empty() {
        // Runs that cannot be read are named above.
        if !incomplete {
            print::line(&format!("No runs in {} yet.", print::short(&runs)));
            print::line("Start one:  gradtop run EXPERIMENT     List experiments:  gradtop experiments");
        }
    } else {
        table(&views, &runs, &columns, sorted.as_deref());
    }
    if !args.json {
        super::warn_of_counted(&views, &damaged);
    }
    Ok(0)
}

/// Reports that a filter matches nothing.
fn no_match(args: &Args, text: &str, names: &[String]) -> Result<i32> {
    if let Some(word) = args.word() {
        let near = near(word, names.iter().map(String::as_str));
        let help = match near.as_slice() {
            _ if word == "last" => {
                "`last` is the newest run for commands about one run, not in a filter".to_owned()
            }
            [] => "`gradtop list` shows all runs".to_owned(),
            near => format!("did you mean {}?", near.join(" or ")),
        };
        let message = format!("no run or experiment is called {:?}", clean(word));
        return Err(Failure::usage(message).help(clean(&help)).into());
    }
    if args.json {
        print::json(&Vec::<Value>::new())?;
    } else {
        print::line(&format!("No run matches the filter `{}`.", clean(text)));
        // Two names are often meant as either of them.
        if args.filter.len() > 1 && args.filter.iter().all(|word| names.contains(word)) {
            print::dim(&format!(
                "All words must match; either:  gradtop list '{}'",
                clean(&args.filter.join(" OR "))
            ));
        }
    }
    Ok(0)
}

fn table(views: &[View], runs: &Path, columns: &[String], sorted: Option<&str>) {
    let counted = |(state, certain, n)| format!("{n} {}", state::word(state, certain));
    let words: Vec<String> = state::counts(views).into_iter().map(counted).collect();
    let folder = print::styled(&print::short(runs), Ink::Bold);
    print::line(&format!("{folder}  {}", print::styled(&words.join(" · "), Ink::Dim)));

    let mut groups: BTreeMap<&str, Vec<&View>> = BTreeMap::new();
    for view in views {
        groups.entry(&view.manifest.experiment.id).or_default().push(view);
    }
    let mut groups: Vec<(&str, Vec<&View>)> = groups.into_iter().collect();
    // The experiment with the newest run comes first.
    groups.sort_by_key(|(_, views)| std::cmp::Reverse(views.iter().map(|v| v.manifest.created).max()));
    let hosts = column::several_hosts(views);
    for (experiment, views) in groups {
        let doubts = sorted.map(|by| doubts(&views, by)).unwrap_or_default();
        if columns.is_empty() {
            group::print(&clean(experiment), &views, hosts, &doubts);
        } else {
            let all_of = |name: &str| column::of_all(views.iter().copied(), name).filter(|of| !of.is_empty());
            let said = |name: &String| Some(format!("  {}: {}", column::title(name), all_of(name)?));
            let of: String = columns.iter().filter_map(said).collect();
            group::heading(&clean(experiment), &(of + &doubts));
            chosen(&views, columns).print_wrapped(1);
        }
    }
}

/// Says why the order of these runs by a column means little, to follow the name of their experiment.
fn doubts(views: &[&View], by: &str) -> String {
    let doubts = column::doubts(views.iter().copied(), by);
    if doubts.is_empty() {
        String::new()
    } else {
        format!("  sorted by {}: {}", column::title(by), clean(&doubts.join("; ")))
    }
}

/// The table of the requested columns. Values of a metric say what they are of, where that differs.
fn chosen(views: &[&View], columns: &[String]) -> Table {
    let all = || views.iter().copied();
    let now = Timestamp::now();
    let mut heads: Vec<(String, Align)> = Vec::new();
    let mut rows: Vec<Vec<Words>> = vec![Vec::new(); views.len()];
    for name in columns {
        heads.push((column::heading(name, all()), column::align(name, all())));
        let differ = column::of_all(all(), name).is_none();
        heads.extend(differ.then(|| ("of".to_owned(), Align::Left)));
        // A column that was asked for stays, also without any value.
        let none = views.iter().all(|view| column::cell(view, name, now).is_empty());
        for (row, view) in rows.iter_mut().zip(views) {
            row.push(if none { Words::dim(number::MISSING) } else { group::cell(view, name, now) });
            row.extend(differ.then(|| Words::dim(column::of(view, name))));
        }
    }
    // Where not all fit beside each other, the others are named below their row: the last column alone is not.
    heads.push((String::new(), Align::Left));
    let mut table = Table::new(&heads);
    for row in rows {
        table.row(row);
    }
    table
}

#[cfg(test)]
mod tests {
    use gradtop_store::{SeriesKey, View};

    use crate::app::testing::{Bench, run};

    #[test]
    fn a_requested_metric_says_what_its_values_are_of_if_that_differs() {
        let of = |name: &str, split: &str| {
            let key = SeriesKey { split: Some(split.to_owned()), ..SeriesKey::metric("loss") };
            run("fit", name, 1).logged(key, &[(1, 0.5)])
        };
        let lines = |runs| {
            let bench = Bench::of(runs);
            let views: Vec<&View> = bench.app.shared.runs.rows.iter().map(|row| &row.view).collect();
            super::chosen(&views, &["name", "loss"].map(str::to_owned)).lines(0)
        };
        assert_eq!(
            lines(vec![of("a", "test"), of("b", "val")]),
            ["name  last loss  of", "a           0.5  MSE · test", "b           0.5  MSE · val"]
        );
        let alike = ["name  last loss", "a           0.5", "b           0.5"];
        assert_eq!(lines(vec![of("a", "val"), of("b", "val")]), alike);
        let [a, b] = ["ms", "s"]
            .map(|unit| of(unit, "val").with(|manifest, _| manifest.metrics[0].unit = Some(unit.to_owned())));
        let units = ["name  last loss  of", "ms          0.5  ms · val", "s           0.5  s · val"];
        assert_eq!(lines(vec![a, b]), units);
    }
}
