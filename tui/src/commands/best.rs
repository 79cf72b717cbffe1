//! `gradtop best`: which settings led to the best values of a metric.

use std::collections::BTreeSet;

use anyhow::Result;
use gradtop_store::{Goal, ParamValue, View, add_last_values, is_system_metric, series_keys};
use serde_json::{Map, Value, json};

use super::Context;
use super::select::{Matching, matching, none_matches};
use crate::failure::Failure;
use crate::print::table::{Table, Words, short_param};
use crate::print::{self, clean};
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::number;
use gradtop_view::list::ranking::{Group, Ranking, ranking};
use gradtop_view::run::{headline, param};

#[derive(Debug, clap::Args)]
#[command(after_help = "gradtop best loss --by lr tag:rates\n\
                        gradtop best accuracy                    by every parameter that differs\n\
                        gradtop best reward:max                  the highest first\n\n\
                        Each run counts with its last value of the metric, the mean of its trials. Settings are ordered by the \
                        median of their runs.")]
pub(crate) struct Args {
    /// A metric that the runs have logged; which values are better, if it does not say so
    #[arg(value_name = "METRIC[:min|max]")]
    metric: String,
    /// Only runs that match a filter, such as tag:rates
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
    let Matching { mut views, .. } = matching(context, &args.filter.join(" "))?;
    if views.is_empty() {
        return Err(none_matches(&args.filter));
    }
    let (metric, said) = asked(&args.metric, &views);
    // Of a metric that is no headline of its run, the rows tell the last values.
    let mut damaged = super::count_damaged(&views);
    for (view, counted) in views.iter_mut().zip(&mut damaged) {
        let found = add_last_values(&view.dir, &mut view.status, metric)?;
        print::warn_of_damage(&found);
        *counted *= usize::from(found.is_empty());
    }
    super::warn_of_counted(&views, &damaged);
    let given: Vec<&str> = args.by.iter().map(|key| key.trim()).collect();
    // Values of different experiments are never compared.
    views.sort_by(|a, b| a.manifest.experiment.id.cmp(&b.manifest.experiment.id));
    let known = || views.iter().flat_map(|view| &view.manifest.params).map(|(key, _)| key.as_str());
    Failure::unless_known(
        "none of these runs has a parameter",
        given.iter().copied(),
        known(),
        "parameters",
    )?;
    let of_experiment = |views| {
        let by = if given.is_empty() { differing(views, metric) } else { given.clone() };
        let experiment = views.first()?.manifest.experiment.id.as_str();
        Some(Of { experiment, ranking: ranking(views, metric, said, &by)?, by })
    };
    let found: Vec<Of<'_>> = views
        .chunk_by(|a, b| a.manifest.experiment.id == b.manifest.experiment.id)
        .filter_map(of_experiment)
        .collect();
    if found.is_empty() {
        let metrics: BTreeSet<String> = logged(&views).filter(|metric| !is_system_metric(metric)).collect();
        let message = format!("no matching run has a last value of {:?}", clean(metric));
        let declared = |view: &View| view.manifest.metrics.iter().any(|m| m.name == metric);
        return Err(if views.iter().any(declared) {
            Failure::new(message).into()
        } else {
            Failure::unknown_metric(message, metric, metrics.iter().map(String::as_str)).into()
        });
    }
    let counted =
        |of: &Of<'_>| of.ranking.groups.iter().map(|group| group.runs + group.not_finite).sum::<usize>();
    let without = views.len() - found.iter().map(counted).sum::<usize>();
    if args.json {
        print::json(&as_json(&found, without))?;
        return Ok(0);
    }
    for (i, of) in found.iter().enumerate() {
        if i > 0 {
            print::line("");
        }
        table(of, metric, found.len() > 1);
    }
    let others = without - found.iter().map(|of| of.ranking.without).sum::<usize>();
    if let Some(note) = without_words(others, &headline::title(metric, None)) {
        print::note(&note);
    }
    Ok(0)
}

/// Splits what was asked for into the metric and what is said to be better. The name of a metric may end like that, too.
fn asked<'a>(text: &'a str, views: &[View]) -> (&'a str, Option<Goal>) {
    match Goal::said_of(text) {
        (_, Some(_)) if logged(views).any(|metric| metric == text) => (text, None),
        said => said,
    }
}

/// The metrics that these runs have logged.
fn logged(views: &[View]) -> impl Iterator<Item = String> {
    let keys = views.iter().flat_map(|view| series_keys(&view.dir).unwrap_or_default());
    keys.map(|(key, _)| key.metric)
}

/// The results of one experiment.
struct Of<'a> {
    experiment: &'a str,
    by: Vec<&'a str>,
    ranking: Ranking<'a>,
}

/// Returns the parameters that differ between the runs with this metric.
fn differing<'a>(views: &'a [View], metric: &str) -> Vec<&'a str> {
    let of_metric = |view: &&View| headline::all(view).iter().any(|of| of.metric == metric);
    param::differing(&views.iter().filter(of_metric).collect::<Vec<_>>())
}

fn as_json(found: &[Of<'_>], without: usize) -> Value {
    let group = |of: &Of<'_>, group: &Group<'_>| {
        let setting: Map<String, Value> = of
            .by
            .iter()
            .zip(&group.setting)
            .map(|(key, value)| ((*key).to_owned(), json!(value.map(ParamValue::json))))
            .collect();
        let (run, line) = group.best_run.unzip();
        let run = run.map(|view| &view.manifest.run);
        let (model, trials) = (line.and_then(|line| line.model), line.map(|line| line.trials));
        let average = line.filter(|line| line.trials > 1).map(|line| line.average.word());
        json!({"setting": setting, "runs": group.runs, "not_finite": group.not_finite, "unit": group.unit, "median": finite(group.median),
               "best": finite(group.best), "run": run, "model": model, "trials": trials, "average": average, "doubts": of.ranking.doubts, "experiment": of.experiment, "split": of.ranking.split})
    };
    let groups: Vec<Value> =
        found.iter().flat_map(|of| of.ranking.groups.iter().map(|g| group(of, g))).collect();
    let first = &found[0].ranking;
    let goal = found.iter().all(|of| of.ranking.goal == first.goal).then_some(first.goal);
    let split = first.split.filter(|split| found.iter().all(|of| of.ranking.split == Some(split)));
    json!({"goal": goal, "split": split, "without": without, "groups": groups})
}

/// Formats the median and the best value of a group, with their unit if not all groups have it: NaN means that none is finite.
fn values(group: &Group<'_>, ranking: &Ranking<'_>) -> [String; 2] {
    let unit = group.unit.filter(|unit| ranking.groups.iter().any(|other| other.unit != Some(unit)));
    [group.median, group.best].map(|value| match (finite(value), unit) {
        (None, _) => number::MISSING.to_owned(),
        (Some(value), Some(unit)) => format!("{} {}", number::value(value), clean(unit)),
        (Some(value), None) => number::value(value),
    })
}

fn finite(value: f64) -> Option<f64> {
    Some(value).filter(|value| value.is_finite())
}

fn table(Of { experiment, by, ranking }: &Of<'_>, metric: &str, several: bool) {
    let which = match ranking.goal {
        Goal::Max => "highest first",
        Goal::Min | Goal::None => "lowest first",
    };
    let experiment = if several { format!("{}: ", clean(experiment)) } else { String::new() };
    let title = format!("{experiment}{}", headline::title(metric, ranking.split));
    print::line(&format!("{}, {which}", print::styled(&title, Ink::Bold)));
    let wide = wide(by, ranking);
    if wide.fits(1) {
        wide.print(1);
    } else {
        narrow(by, ranking).print_wrapped(1);
    }
    for note in notes(ranking, metric) {
        print::note(&format!("{experiment}{note}"));
    }
}

/// What has to be known to read the table.
fn notes(ranking: &Ranking<'_>, metric: &str) -> Vec<String> {
    let mut notes = ranking.doubts.clone();
    if ranking.goal == Goal::None {
        let again = format!("gradtop best {}:max", clean(metric));
        let why = if ranking.goals_differ { "" } else { "whether low or high is better is not declared: " };
        notes.push(format!("{why}`{again}` puts the highest first"));
    }
    let models: Vec<String> = ranking.models.iter().map(|model| clean(model)).collect();
    if let [first @ .., last] = models.as_slice()
        && !first.is_empty()
    {
        let first = first.join(", ");
        notes.push(format!("each run counts with the model that is best in it, here {first} or {last}"));
    }
    if ranking.live > 0 {
        let live = number::counted(ranking.live, "run");
        notes.push(format!("{live} of these still in progress: with the value so far"));
    }
    notes.extend(without_words(ranking.without, &headline::title(metric, ranking.split)));
    notes
}

fn wide(by: &[&str], ranking: &Ranking<'_>) -> Table {
    let names: Vec<String> = by.iter().map(|key| clean(key)).collect();
    let mut heads = vec![
        ("median", Align::Point),
        ("best", Align::Point),
        ("run", Align::Left),
        ("of", Align::Left),
        ("runs", Align::Right),
        ("non-finite", Align::Right),
    ];
    let settings = heads.len()..heads.len() + by.len();
    heads.extend(names.iter().map(|name| (name.as_str(), Align::Left)));
    let mut table = Table::new(&heads);
    for group in &ranking.groups {
        let [median, best] = values(group, ranking);
        let (run, line) = group.best_run.unzip();
        let run = run.map(|view| clean(&view.manifest.run)).unwrap_or_default();
        let of = line.map(|line| headline::line_words(&line, false)).unwrap_or_default();
        let runs = group.runs.to_string();
        let mut cells = vec![
            Words::bold(median),
            best.into(),
            Words::dim(run),
            Words::dim(of),
            runs.into(),
            non_finite(group),
        ];
        cells.extend(
            group.setting.iter().map(|value| Words::from(value.map(param::brief).unwrap_or_default())),
        );
        table.row(cells);
    }
    settings.for_each(|column| table.shorten(column));
    table
}

/// How many runs of a group have no finite value, if any.
fn non_finite(group: &Group<'_>) -> Words {
    Some(group.not_finite).filter(|n| *n > 0).map(|n| n.to_string()).unwrap_or_default().into()
}

/// The table for a terminal that is too narrow: settings, and what the best run is, stand below each row.
fn narrow(by: &[&str], ranking: &Ranking<'_>) -> Table {
    let counts = ["median", "runs", "non-finite"].map(|name| (name, Align::Right));
    let mut table = Table::new(&[counts.as_slice(), &[("", Align::Left)]].concat());
    for group in &ranking.groups {
        let [median, best] = values(group, ranking);
        let values = by.iter().zip(&group.setting);
        let setting = values.filter_map(|(key, value)| {
            Some(format!("{} {}", clean(key), short_param(&param::brief((*value)?))))
        });
        let best_run = group.best_run.map(|(view, line)| {
            let of = headline::line_words(&line, false);
            let of = if of.is_empty() { of } else { format!(" ({of})") };
            format!("best {best} of {}{of}", clean(&view.manifest.run))
        });
        table.row([
            Words::bold(median),
            group.runs.to_string().into(),
            non_finite(group),
            setting.chain(best_run).collect::<Vec<_>>().join(", ").into(),
        ]);
    }
    table
}

/// How many runs have no such value, if any.
fn without_words(runs: usize, value: &str) -> Option<String> {
    match runs {
        0 => None,
        1 => Some(format!("1 run has no {value}")),
        runs => Some(format!("{runs} runs have no {value}")),
    }
}

#[cfg(test)]
mod tests {
    use gradtop_store::ParamValue;

    use super::*;
    use crate::app::testing::{Bench, run};

    #[test]
    fn a_phone_shows_the_settings_and_how_many_values_are_not_finite() {
        let of = |name: &str, lr, last| {
            run("fit", name, 1).param("lr", ParamValue::Float(lr)).series("loss", None, &[(1, last)])
        };
        let runs = vec![of("fit-1", 0.1, 1.25e-12), of("fit-2", 0.1, f64::NAN), of("fit-3", 0.01, f64::NAN)];
        let bench = Bench::of(runs);
        let views: Vec<View> = bench.app.shared.runs.rows.iter().map(|row| row.view.clone()).collect();
        let Some(ranking) = ranking(&views, "loss", None, &["lr"]) else { panic!("no ranking") };
        let lines = narrow(&["lr"], &ranking).lines(1);
        assert_eq!(lines[0], "   median  runs  non-finite");
        assert_eq!(lines[1], " 1.25e-12     1           1  lr 0.1, best 1.25e-12 of fit-1");
        assert_eq!(lines[2], "        –     0           1  lr 0.01");
    }

    #[test]
    fn where_no_way_is_better_it_is_said_how_to_say_one_and_models_are_named_in_a_sentence() {
        let of = |name: &str, model: &str| run("fit", name, 1).series("loss", Some(model), &[(1, 0.5)]);
        let bench = Bench::of(vec![of("fit-1", "deep"), of("fit-2", "middle"), of("fit-3", "wide")]);
        let views: Vec<View> = bench.app.shared.runs.rows.iter().map(|row| row.view.clone()).collect();
        let notes = |said| ranking(&views, "loss", said, &[]).map(|ranking| notes(&ranking, "loss"));
        let models = "each run counts with the model that is best in it, here deep, middle or wide";
        assert_eq!(notes(Some(Goal::Max)), Some(vec![models.to_owned()]));
        let undeclared = notes(Some(Goal::None)).unwrap_or_default();
        assert!(undeclared[0].contains("`gradtop best loss:max` puts the highest first"), "{undeclared:?}");
        let (metric, said) = Goal::said_of("a:b:max");
        assert_eq!((metric, said, Goal::said_of("a:b")), ("a:b", Some(Goal::Max), ("a:b", None)));
    }
}
