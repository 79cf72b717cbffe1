//! A run as JSON.

use gradtop_chart::number;
use gradtop_store::{Headline, HeadlineValue, InQueue, Job, View};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{headline, progress};

/// Returns a run as JSON: the fields of `list --json`, `show --json`, and of `run` and `wait` with `--json`.
pub fn of(view: &View) -> Map<String, Value> {
    let View { manifest: m, status: s, .. } = view;
    let headline = s.headline.iter().map(|HeadlineValue { key, value }| {
        json!({"metric": key.metric, "model": key.model, "split": key.split, "trial": key.trial, "value": float(*value)})
    });
    let headline: Vec<Value> = headline.collect();
    // After the end of a run, its process ids may belong to other processes.
    let alive = |pid: Option<u32>| pid.filter(|_| !view.state.is_final());
    let fields = json!({
        "run": m.run,
        "experiment": m.experiment.id,
        "state": view.state.word(),
        "certain": view.certain,
        "cause": s.cause,
        "step": s.step,
        "epoch": progress::epoch(view),
        "phase": s.phase,
        "done": progress::done(s),
        "total": s.total.or(s.is_recorded().then_some(0)),
        "eta_s": progress::eta(view),
        "steps_per_s": progress::rate(view),
        // The output for an ended run does not depend on the time.
        "age_s": (!view.state.is_final()).then_some(view.age_of_last_write.as_secs_f64()),
        "silent_s": view.silent_for().map(|t| t.as_secs_f64()),
        "suspended": view.suspended().is_some(),
        "host": view.host,
        "copied_from": view.copied_from.as_ref().map(|folder| folder.to_string_lossy()),
        "elapsed_s": progress::took(view, Timestamp::now()),
        "created": m.created.to_string(),
        "started": s.started.map(|t| t.to_string()),
        "ended": s.ended.map(|t| t.to_string()),
        "trained_s": s.trained_s,
        "seed": m.seed,
        "device": m.device,
        "threads": m.threads,
        "preset": m.preset,
        "params": m.params_json(),
        "headline": headline,
        "headlines": headline::all(view).iter().filter_map(headline_json).collect::<Vec<_>>(),
        "headline_is_part": s.headline_is_part,
        "rows": s.rows,
        "starred": view.notes.starred,
        "tags": view.notes.tags,
        "note": view.notes.note,
        "alert": view.alert.as_ref().map(|a| json!({"time": a.time.to_string(), "message": a.message})),
        "log_wait_ms": s.log_wait_ms,
        "waiting": waiting(view),
        "queued": view.queued.as_ref().map(queued),
        "job": view.job.as_ref().map(job_json),
        "trainer_pid": alive(s.trainer_pid),
        "keeper_pid": alive(s.keeper_pid),
        "path": view.dir.path().to_string_lossy(),
    });
    match fields {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Returns what of its disk a run waits for.
fn waiting(view: &View) -> Option<Value> {
    let waiting = view.status.waiting.as_ref().filter(|_| !view.state.is_final())?;
    Some(json!({"cause": waiting.cause, "rows": waiting.rows, "since": waiting.since.to_string()}))
}

/// Returns what a run in the queue waits for.
pub fn queued(InQueue { place, device, after, held }: &InQueue) -> Value {
    json!({"place": place, "device": device, "after": after, "held": held})
}

fn job_json(job: &Job) -> Value {
    let seen = job.seen.as_ref();
    json!({"launcher": job.launcher, "id": job.name(), "state": seen.map(|s| &s.state),
        "reason": seen.and_then(|s| s.reason.as_ref()), "node": seen.and_then(|s| s.node.as_ref()),
        "ends": seen.and_then(|s| s.ends).map(|t| t.to_string()), "asked": seen.map(|s| s.asked.to_string())})
}

/// Returns the values of the line that represents the run, and what they measure.
fn headline_json(headline: &Headline<'_>) -> Option<Value> {
    let line = headline.line()?;
    let mean = format!("{} of the trials' last", line.average.word());
    let statistic = if line.trials == 1 { "last" } else { &mean };
    Some(json!({"metric": headline.metric, "statistic": statistic, "model": line.model, "split": line.split,
        "trials": line.trials, "finite": line.finite, "value": float(line.value)}))
}

/// Converts a float to JSON; `"NaN"`, `"inf"` and `"-inf"` become text.
pub fn float(v: f64) -> Value {
    serde_json::Number::from_f64(v).map_or_else(|| Value::String(number::value(v)), Value::Number)
}
