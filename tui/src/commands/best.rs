//! `gradtop best`: which settings led to the best values of a metric.

use std::collections::BTreeMap;

use anyhow::Result;
use gradtop_store::{Goal, View};
use serde_json::{Map, Value, json};

use super::Context;
use super::select::{Matching, matching, none_matches};
use crate::failure::Failure;
use crate::print::table::{Table, Words};
use crate::print::{self, clean};
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::theme::Ink;
use gradtop_view::ranking::{Group, Ranking, ranking};
use gradtop_view::state;

/// Arguments of `best`.
#[derive(Debug, clap::Args)]
#[command(after_help = "gradtop best loss --by lr tag:rates\n\
                        gradtop best accuracy                    by every parameter that differs\n\n\
                        Each run counts with its last value of the metric, as `gradtop list` shows it. Settings are ordered by the\n\
                        median of their runs.")]
pub(crate) struct Args {
    /// A metric that represents the runs, as `list` shows it
    metric: String,
    /// Only matching runs, with the monitor's filters, such as tag:rates
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,
    /// Group the runs by these parameters, separated by commas [default: those that differ]
    #[arg(long, value_name = "PARAMETERS", value_delimiter = ',')]
    by: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let Matching { views, .. } = matching(context, &args.filter.join(" "))?;
    if views.is_empty() {
        return Err(none_matches(&args.filter));
    }
    let mut by: Vec<&str> = args.by.iter().map(|key| key.trim()).collect();
    let known = || views.iter().flat_map(|view| &view.manifest.params).map(|(key, _)| key.as_str());
    if let Some(key) = by.iter().find(|key| !known().any(|k| k == **key)) {
        let message = format!("none of these runs has a parameter {:?}", clean(key));
        return Err(Failure::unknown(message, key, known(), "parameters").into());
    }
    if args.by.is_empty() {
        by = differing(&views, &args.metric);
    }
    let Some(ranking) = ranking(&views, &args.metric, &by) else {
        let metrics = views.iter().flat_map(state::headlines).map(|headline| headline.metric);
        let message = format!("no matching run has a last value of {:?}", clean(&args.metric));
        let help = gradtop_store::suggest(&args.metric, metrics, "metrics");
        return Err(Failure::new(message).help(clean(&help)).into());
    };
    if args.json {
        print::json(&as_json(&ranking, &by))?;
    } else {
        table(&ranking, &args.metric, &by);
    }
    Ok(0)
}

/// The parameters that differ between runs of one experiment that have the metric: of another one they would all be others.
fn differing<'a>(views: &'a [View], metric: &str) -> Vec<&'a str> {
    let mut experiments: BTreeMap<&str, Vec<&View>> = BTreeMap::new();
    for view in views.iter().filter(|view| state::headlines(view).iter().any(|of| of.metric == metric)) {
        experiments.entry(&view.manifest.experiment.id).or_default().push(view);
    }
    let mut all: Vec<&str> = Vec::new();
    for key in experiments.values().flat_map(|views| state::differing(views)) {
        if !all.contains(&key) {
            all.push(key);
        }
    }
    all
}

fn as_json(ranking: &Ranking<'_>, by: &[&str]) -> Value {
    let group = |group: &Group<'_>| {
        let setting: Map<String, Value> =
            by.iter().zip(&group.setting).map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let run = group.best_run.map(|view| &view.manifest.run);
        json!({"setting": setting, "runs": group.runs, "not_finite": group.not_finite, "median": finite(group.median),
               "best": finite(group.best), "run": run})
    };
    let groups: Vec<Value> = ranking.groups.iter().map(group).collect();
    json!({"goal": ranking.goal, "split": ranking.split, "without": ranking.without, "groups": groups})
}

fn finite(value: f64) -> Option<f64> {
    Some(value).filter(|value| value.is_finite())
}

fn table(ranking: &Ranking<'_>, metric: &str, by: &[&str]) {
    let which = match ranking.goal {
        Goal::Max => "highest first",
        Goal::Min => "lowest first",
        Goal::None => "lowest first; the experiment does not say which way is better",
    };
    let title = state::headline_title(metric, ranking.split);
    print::line(&format!("{}, {which}", print::styled(&title, Ink::Bold)));
    let names: Vec<String> = by.iter().map(|key| clean(key)).collect();
    let mut heads: Vec<(&str, Align)> = names.iter().map(|name| (name.as_str(), Align::Left)).collect();
    let columns = ["runs", "median", "best", "run"].into_iter();
    heads.extend(columns.zip([Align::Right, Align::Point, Align::Point, Align::Left]));
    let mut table = Table::new(&heads);
    for group in &ranking.groups {
        let mut cells: Vec<Words> =
            group.setting.iter().map(|value| value.map(state::param).unwrap_or_default().into()).collect();
        let runs = match group.not_finite {
            0 => group.runs.to_string(),
            diverged => format!("{} and {diverged} diverged", group.runs),
        };
        let [median, best] = [group.median, group.best].map(state::headline_value);
        let run = group.best_run.map(|view| clean(&view.manifest.run)).unwrap_or_default();
        cells.extend([runs.into(), Words::bold(median), best.into(), Words::dim(run)]);
        table.row(cells);
    }
    table.print(1);
    if ranking.without > 0 {
        let runs = if ranking.without == 1 { "1 run has" } else { &format!("{} runs have", ranking.without) };
        print::note(&format!("{runs} no {} value of it", print::cleaned(ranking.split)).replace("  ", " "));
    }
}
