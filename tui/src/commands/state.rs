//! A run's state and numbers as words, cells and JSON.

use std::collections::BTreeMap;

use gradtop_store::{Goal, HeadlineValue, Manifest, MetricInfo, ParamValue, State, Status, View};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::chart::colour::Paint;
use crate::chart::grid::Ink;
use crate::print::{ascii, clean, number};

/// All states, what is alive first, as overviews count them.
pub(crate) const ORDER: [State; 9] = [
    State::Running,
    State::Starting,
    State::Paused,
    State::Stopping,
    State::Queued,
    State::Finished,
    State::Stopped,
    State::Failed,
    State::Crashed,
];

/// A state's place among them.
pub(crate) fn rank(state: State) -> usize {
    ORDER.iter().position(|s| *s == state).unwrap_or(ORDER.len())
}

/// The sign of a state.
pub(crate) fn glyph(state: State) -> char {
    glyph_in(state, ascii())
}

/// The same, in ASCII or not.
pub(crate) fn glyph_in(state: State, ascii: bool) -> char {
    let (fine, plain) = match state {
        State::Running | State::Stopping => ('●', '*'),
        State::Paused => ('◐', '='),
        State::Finished => ('✓', '+'),
        State::Stopped => ('■', '#'),
        State::Failed => ('✗', 'x'),
        State::Crashed => ('☠', '!'),
        State::Queued | State::Starting => ('…', '.'),
    };
    if ascii { plain } else { fine }
}

/// The colour of a state.
pub(crate) fn ink(state: State) -> Ink {
    match state {
        State::Running | State::Stopping => Ink::Series(Paint::Slot(2)),
        State::Paused => Ink::Series(Paint::Slot(4)),
        State::Failed | State::Crashed => Ink::Alert,
        State::Finished => Ink::Text,
        State::Stopped | State::Queued | State::Starting => Ink::Dim,
    }
}

/// `● running`; `● running?` when it may have ended unseen, on another machine.
pub(crate) fn words(view: &View) -> String {
    format!("{} {}{}", glyph(view.state), view.state.word(), if view.certain { "" } else { "?" })
}

/// Why a run waits for its disk, and how much does: `the disk is full, 1,234 rows wait`.
pub(crate) fn waiting(view: &View) -> Option<String> {
    let waiting = view.status.waiting.as_ref().filter(|_| !view.state.is_final())?;
    let cause = clean(&waiting.cause);
    Some(match waiting.rows {
        0 => cause,
        1 => format!("{cause}, 1 row waits"),
        rows => format!("{cause}, {} rows wait", number::count(rows as f64)),
    })
}

/// `–`, or `-` where only ASCII may be printed.
pub(crate) fn nothing() -> &'static str {
    if ascii() { "-" } else { "–" }
}

/// A number formatted elsewhere, its dash replaced where only ASCII may be printed.
pub(crate) fn plain(text: String) -> String {
    if ascii() && text == "–" { "-".to_owned() } else { text }
}

/// A parameter's value, short.
pub(crate) fn param(value: &ParamValue) -> String {
    match value {
        ParamValue::Float(v) => number::value(*v),
        other => clean(&other.to_string()),
    }
}

/// A headline metric of a run, one value for each model and split: the mean over its trials.
pub(crate) struct Headline<'a> {
    /// The metric.
    pub(crate) metric: &'a str,
    /// What it is declared as.
    pub(crate) info: Option<&'a MetricInfo>,
    /// Name of the line and value.
    pub(crate) values: Vec<(Option<String>, f64)>,
}

impl Headline<'_> {
    /// The best of the values by the metric's goal; without a goal the first.
    pub(crate) fn best(&self) -> Option<(Option<&str>, f64)> {
        let goal = self.info.map_or(Goal::None, |i| i.goal);
        let mut finite = self.values.iter().filter(|(_, v)| v.is_finite());
        let best = match goal {
            Goal::Min => finite.min_by(|a, b| a.1.total_cmp(&b.1)),
            Goal::Max => finite.max_by(|a, b| a.1.total_cmp(&b.1)),
            Goal::None => finite.next(),
        };
        best.or(self.values.first()).map(|(name, v)| (name.as_deref(), *v))
    }
}

/// The headline metrics of a status, in the order declared.
pub(crate) fn headlines<'a>(status: &'a Status, manifest: &'a Manifest) -> Vec<Headline<'a>> {
    let mut metrics: Vec<&str> = Vec::new();
    for h in &status.headline {
        if !metrics.contains(&h.metric.as_str()) {
            metrics.push(&h.metric);
        }
    }
    let info = |metric: &str| manifest.metrics.iter().position(|m| m.name == metric);
    metrics.sort_by_key(|m| info(m).unwrap_or(usize::MAX));
    metrics
        .into_iter()
        .map(|metric| {
            let mut groups: Vec<(Option<String>, Vec<f64>)> = Vec::new();
            for h in status.headline.iter().filter(|h| h.metric == metric) {
                let name = line_name(h);
                match groups.iter_mut().find(|(n, _)| *n == name) {
                    Some((_, values)) => values.push(h.value),
                    None => groups.push((name, vec![h.value])),
                }
            }
            let mean = |values: Vec<f64>| {
                let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
                if finite.is_empty() { values[0] } else { finite.iter().sum::<f64>() / finite.len() as f64 }
            };
            let values = groups.into_iter().map(|(name, values)| (name, mean(values))).collect();
            Headline { metric, info: info(metric).map(|i| &manifest.metrics[i]), values }
        })
        .collect()
}

fn line_name(h: &HeadlineValue) -> Option<String> {
    crate::figure::name_of(h.model.as_deref(), h.split.as_deref(), None).map(|n| clean(&n))
}

/// `loss deep 3.1e-6  middle 1.1e-5`, at most `most` values.
pub(crate) fn headline_text(status: &Status, manifest: &Manifest, most: usize) -> String {
    let mut left = most;
    let mut parts = Vec::new();
    for headline in headlines(status, manifest) {
        if left == 0 {
            parts.push(if crate::print::ascii() { "..." } else { "…" }.to_owned());
            break;
        }
        let values: Vec<String> = headline
            .values
            .iter()
            .take(left)
            .map(|(name, v)| match name {
                Some(name) => format!("{name} {}", headline_value(*v)),
                None => headline_value(*v),
            })
            .collect();
        left -= values.len();
        let more = match (headline.values.len() > values.len(), crate::print::ascii()) {
            (false, _) => "",
            (true, false) => "  …",
            (true, true) => "  ...",
        };
        parts.push(format!("{} {}{more}", clean(headline.metric), values.join("  ")));
    }
    parts.join("   ")
}

/// Share of the work done, if the plugin says how much there is; a finished run has done all.
pub(crate) fn progress(view: &View) -> Option<(u64, u64)> {
    let Status { done, total, .. } = view.status;
    match (view.state, total) {
        (State::Finished, 0) => Some((1, 1)),
        (_, 0) => None,
        _ => Some((done.min(total), total)),
    }
}

/// The step it is at. Where the units of work are steps, as far as can be seen, those done count: values are logged now and
/// then only, and the share done shall agree with the step beside it.
pub(crate) fn step(status: &Status) -> Option<i64> {
    let step = status.step?;
    if !works_by_steps(status) {
        return Some(step);
    }
    Some(step.max(i64::try_from(status.done.min(status.total)).unwrap_or(step)))
}

/// Whether the units of work are steps, as far as can be seen: as many of the one as of the other, but for those since a
/// value was logged last. At the beginning, when there are few of both, anything would look like that: so never more than
/// twice as many either.
pub(crate) fn works_by_steps(status: &Status) -> bool {
    let agree = |step: u64| {
        let (less, more) = (step.min(status.done), step.max(status.done));
        status.total > 0
            && less > 0
            && more <= less.saturating_mul(2)
            && (more - less).saturating_mul(20) <= status.total
    };
    status.step.and_then(|step| u64::try_from(step).ok()).is_some_and(agree)
}

/// The epoch it is in. Of a run that has ended only where it is the run's: one that trains a network after the other ends
/// with the epochs of the last, which say nothing about the run.
pub(crate) fn epoch(view: &View) -> Option<f64> {
    let s = &view.status;
    s.epoch.filter(|e| e.is_finite() && !(view.state.is_final() && s.epochs_restart))
}

/// Whether it makes steps now, as far as it is heard of.
fn moves(view: &View) -> bool {
    matches!(view.state, State::Running | State::Stopping) && view.silent_for().is_none()
}

/// Steps a second, of what makes steps: what a paused run did before it was paused is no speed.
pub(crate) fn rate(view: &View) -> Option<f64> {
    view.status.steps_per_s.filter(|rate| *rate > 0.0 && moves(view))
}

/// Seconds to the end, of what makes steps.
pub(crate) fn eta(view: &View) -> Option<f64> {
    view.status.eta_s.filter(|_| moves(view))
}

/// A value of a headline metric: of what has no number left, that.
pub(crate) fn headline_value(v: f64) -> String {
    if v.is_nan() { "diverged".to_owned() } else { number::value(v) }
}

/// Seconds the run has taken so far, or took.
pub(crate) fn took(view: &View, now: Timestamp) -> Option<f64> {
    // Of one that has died and whose end nobody has written, no more than it said.
    let now = if view.state.is_final() { view.status.updated } else { now };
    view.status.took(now)
}

/// `no sign for 35 s`, of a run that should move and gives none; with the reason, if it is known.
pub(crate) fn silence(view: &View) -> Option<String> {
    let quiet = view.silent_for()?;
    let why = if view.is_suspended() { ": its trainer is suspended (SIGSTOP)" } else { "" };
    Some(format!("no sign for {}{why}", number::duration(quiet.as_secs() as f64)))
}

/// A moment in local time: the time of day for today, else with the date.
pub(crate) fn clock(time: Timestamp) -> String {
    clock_at(time, Timestamp::now(), &TimeZone::system())
}

/// The same, as of `now` in a time zone.
pub(crate) fn clock_at(time: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let then = time.to_zoned(zone.clone());
    let today = now.to_zoned(zone.clone()).date();
    let format = if then.date() == today { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
    then.strftime(format).to_string()
}

/// A run as JSON: the fields of `list --json`, `show --json`, and of `run` and `wait` with `--json`.
pub(crate) fn to_json(view: &View) -> Map<String, Value> {
    let View { manifest: m, status: s, .. } = view;
    let params: Map<String, Value> =
        m.params.iter().map(|(k, v)| (k.clone(), serde_json::to_value(v).unwrap_or(Value::Null))).collect();
    let headline: Vec<Value> = s
        .headline
        .iter()
        .map(|h| json!({"metric": h.metric, "model": h.model, "split": h.split, "trial": h.trial, "value": float(h.value)}))
        .collect();
    // Of a run that has ended they are the numbers of nobody, or of somebody else.
    let alive = |pid: Option<u32>| pid.filter(|_| !view.state.is_final());
    let fields = json!({
        "run": m.run,
        "experiment": m.experiment.id,
        "state": view.state.word(),
        "certain": view.certain,
        "cause": s.cause,
        "step": s.step,
        "epoch": s.epoch,
        "phase": s.phase,
        "done": s.done,
        "total": s.total,
        "eta_s": eta(view),
        "steps_per_s": rate(view),
        "age_s": view.age_of_last_write.as_secs_f64(),
        "silent_s": view.silent_for().map(|t| t.as_secs_f64()),
        "suspended": view.is_suspended(),
        "host": view.host,
        "elapsed_s": took(view, Timestamp::now()),
        "created": m.created.to_string(),
        "started": s.started.map(|t| t.to_string()),
        "ended": s.ended.map(|t| t.to_string()),
        "seed": m.seed,
        "device": m.device,
        "threads": m.threads,
        "preset": m.preset,
        "params": params,
        "headline": headline,
        "headline_is_part": s.headline_is_part,
        "rows": s.rows,
        "log_wait_ms": s.log_wait_ms,
        "waiting": s.waiting.as_ref().filter(|_| !view.state.is_final()).map(|w| {
            json!({"cause": w.cause, "rows": w.rows, "since": w.since.to_string()})
        }),
        "trainer_pid": alive(s.trainer_pid),
        "keeper_pid": alive(s.keeper_pid),
        "path": view.dir.path().to_string_lossy(),
    });
    match fields {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A float as JSON; `"NaN"`, `"inf"` and `"-inf"` as text, which JSON has no numbers for.
pub(crate) fn float(v: f64) -> Value {
    serde_json::Number::from_f64(v).map_or_else(|| Value::String(number::value(v)), Value::Number)
}

/// The parameters that differ between runs of one experiment, in the order declared.
pub(crate) fn differing<'a>(views: &[&'a View]) -> Vec<&'a str> {
    let mut values: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut order: Vec<&str> = Vec::new();
    for view in views {
        for (key, value) in &view.manifest.params {
            if !order.contains(&key.as_str()) {
                order.push(key);
            }
            values.entry(key).or_default().push(value.to_string());
        }
    }
    let differs =
        |key: &&str| values.get(key).is_some_and(|v| v.len() != views.len() || v.iter().any(|x| *x != v[0]));
    order.into_iter().filter(differs).collect()
}

/// The one headline metric that all runs have first; none if they differ.
pub(crate) fn common_metric<'a>(views: &[&'a View]) -> Option<&'a str> {
    let mut first = views.iter().filter_map(|v| headlines(&v.status, &v.manifest).first().map(|h| h.metric));
    let metric = first.next()?;
    first.all(|m| m == metric).then_some(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_work_are_steps_only_where_the_numbers_say_so() {
        let by_steps = |step: i64, done, total| {
            works_by_steps(&Status { step: Some(step), done, total, ..Status::default() })
        };
        assert!(by_steps(15_000, 15_200, 20_000), "values are logged now and then only");
        assert!(by_steps(20_000, 20_000, 20_000));
        assert!(!by_steps(3, 0, 100), "three steps of the first of a hundred networks");
        assert!(!by_steps(3, 1, 100));
        assert!(!by_steps(1, 100, 1_000_000), "a hundred samples in one step");
        assert!(!by_steps(651, 300, 1_000));
        assert!(!by_steps(5, 5, 0) && !by_steps(-5, 5, 100));
        assert!(!works_by_steps(&Status { done: 5, total: 10, ..Status::default() }));
    }

    #[test]
    fn the_epoch_of_the_last_of_many_networks_is_not_that_of_the_run() {
        let of = |state: State, epochs_restart| {
            let mut bench = crate::app::testing::Bench::new();
            let spec = crate::app::testing::run("labels", "a", 1).at(state, 651).with(|_, s| {
                (s.epoch, s.epochs_restart) = (Some(55.0), epochs_restart);
            });
            bench.make(&spec);
            bench.read();
            let id = bench.id("a");
            super::epoch(&bench.app.shared.runs.get(&id).expect("it was made").view)
        };
        assert_eq!(of(State::Running, true), Some(55.0), "of the network it is training");
        assert_eq!(of(State::Finished, true), None);
        assert_eq!(of(State::Finished, false), Some(55.0));
    }
}
