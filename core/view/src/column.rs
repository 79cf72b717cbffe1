//! Columns of a list of runs, by name: what every run has, parameters, metrics.

use gradtop_store::{ParamValue, View};
use jiff::Timestamp;

use gradtop_chart::number;
use gradtop_host::text::clean;

use crate::{clock, filter, state};

/// What every run has, and whether it is a number; `metric` is the value that stands for it, `of` what that is the value of.
const NAMES: [(&str, bool); 20] = [
    ("state", false),
    ("name", false),
    ("experiment", false),
    ("progress", false),
    ("step", true),
    ("epoch", true),
    ("rate", true),
    ("eta", true),
    ("metric", true),
    ("of", false),
    ("age", false),
    ("took", false),
    ("created", false),
    ("device", false),
    ("host", false),
    ("preset", false),
    ("seed", true),
    ("threads", true),
    ("rows", true),
    ("cause", false),
];

/// The name as it is, of a column that some run has something in: of what every run has, else of a parameter, else of a metric.
pub fn named<'a>(name: &str, runs: impl Iterator<Item = &'a View> + Clone) -> Option<String> {
    let known = |known: &str| known.eq_ignore_ascii_case(name).then(|| known.to_owned());
    NAMES
        .iter()
        .find_map(|(name, _)| known(name))
        .or_else(|| filter::fields_of(runs).iter().find_map(|field| known(field)))
}

/// Everything that can be a column of these runs.
pub fn all<'a>(runs: impl Iterator<Item = &'a View> + Clone) -> Vec<String> {
    NAMES.iter().map(|(name, _)| (*name).to_owned()).chain(filter::fields_of(runs)).collect()
}

/// Whether numbers stand in it, one below the other by their points.
pub fn is_number<'a>(name: &str, mut runs: impl Iterator<Item = &'a View>) -> bool {
    NAMES.iter().all(|(known, number)| *known != name || *number)
        && runs.all(|run| !matches!(param(run, name), Some(ParamValue::Text(_) | ParamValue::Bool(_))))
}

/// The cell of a run, empty where it has nothing.
pub fn cell(run: &View, name: &str, now: Timestamp) -> String {
    let (m, s) = (&run.manifest, &run.status);
    let or_none = |text: Option<String>| text.unwrap_or_default();
    match name {
        "state" => state::words(run),
        "name" => clean(&m.run),
        "experiment" => clean(&m.experiment.id),
        "progress" => or_none(state::progress(run).map(|(done, total)| number::percent(done, total))),
        "step" => or_none(state::step(s).map(|step| number::count(step as f64))),
        "epoch" => or_none(state::epoch(run).map(number::value)),
        "rate" => or_none(state::rate(run).map(number::rate)),
        "eta" => or_none(state::eta(run).map(number::duration)),
        "age" => number::age(now.duration_since(m.created).as_secs_f64().max(0.0)),
        "took" => or_none(state::took(run, now).map(number::duration)),
        "created" => clock::moment(m.created),
        "device" => clean(&m.device),
        "host" => clean(&m.host),
        "preset" => or_none(m.preset.as_deref().map(clean)),
        "seed" => state::seed(m),
        "threads" => m.threads.to_string(),
        "rows" => number::count(s.rows as f64),
        "cause" => or_none(s.cause.as_deref().map(clean)),
        _ => match param(run, name) {
            Some(value) => state::param(value),
            None => or_none(value(run, name)),
        },
    }
}

fn param<'a>(run: &'a View, name: &str) -> Option<&'a ParamValue> {
    run.manifest.params.iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// The value of a metric that stands for the run, or what it is of.
fn value(run: &View, name: &str) -> Option<String> {
    let headlines = state::headlines(run);
    let headline = match name {
        "metric" | "of" => headlines.first(),
        name => headlines.iter().find(|h| h.metric == name),
    }?;
    let line = headline.line()?;
    Some(if name == "of" {
        format!("{} {}", clean(headline.metric), state::line_words(&line, true))
    } else {
        state::headline_value(line.value)
    })
}
