//! A run's state and numbers as words, cells and JSON.

use std::collections::BTreeMap;

use gradtop_store::{
    Headline, HeadlineLine, HeadlineValue, InQueue, Job, JobSeen, JobStage, Manifest, ParamValue, State,
    Status, Suspended, View,
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use gradtop_chart::cells::align::{Align, align};
use gradtop_chart::cells::text::{apart, width_of};
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::colour::Paint;
use gradtop_chart::number;
use gradtop_host::text::clean;

/// All states, what is alive first, as overviews count them.
pub const ORDER: [State; 9] = [
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
pub fn rank(state: State) -> usize {
    ORDER.iter().position(|s| *s == state).unwrap_or(ORDER.len())
}

/// The sign of a state.
pub fn glyph(state: State) -> char {
    match state {
        State::Running | State::Stopping => '●',
        State::Paused => '◐',
        State::Finished => '✓',
        State::Stopped => '■',
        State::Failed => '✗',
        State::Crashed => '☠',
        State::Queued | State::Starting => '…',
    }
}

/// The same, in ASCII or not.
pub fn glyph_in(state: State, ascii: bool) -> char {
    if ascii { gradtop_chart::ascii::sign(glyph(state)) } else { glyph(state) }
}

/// The colour of a state.
pub fn ink(state: State) -> Ink {
    match state {
        State::Running | State::Stopping => Ink::Series(Paint::Slot(2)),
        State::Paused => Ink::Series(Paint::Slot(4)),
        State::Failed | State::Crashed => Ink::Alert,
        State::Finished => Ink::Text,
        State::Stopped | State::Queued | State::Starting => Ink::Dim,
    }
}

/// What marks a state that a run may have left unseen, on another machine.
fn doubt(certain: bool) -> &'static str {
    if certain { "" } else { "?" }
}

/// `●`; `●?` where it is in doubt.
pub fn sign(state: State, certain: bool, ascii: bool) -> String {
    format!("{}{}", glyph_in(state, ascii), doubt(certain))
}

/// `running`; `running?` where it is in doubt.
pub fn word(state: State, certain: bool) -> String {
    format!("{state}{}", doubt(certain))
}

/// `● running`; `● running?` where it is in doubt.
pub fn words_in(view: &View, ascii: bool) -> String {
    format!("{} {}", glyph_in(view.state, ascii), word(view.state, view.certain))
}

/// The same, for what becomes ASCII later where it must.
pub fn words(view: &View) -> String {
    words_in(view, false)
}

/// How many runs are in each state, what is alive first, and apart from them those where it is in doubt.
pub fn counts<'a>(views: impl IntoIterator<Item = &'a View>) -> Vec<(State, bool, usize)> {
    let mut counts = BTreeMap::new();
    for view in views {
        *counts.entry((rank(view.state), !view.certain)).or_insert(0) += 1;
    }
    counts.into_iter().map(|((rank, doubt), n)| (ORDER[rank], !doubt, n)).collect()
}

/// Why a run waits for its disk, and how much does: `the disk is full, 1,234 rows wait`.
pub fn waiting(view: &View) -> Option<String> {
    let waiting = view.status.waiting.as_ref().filter(|_| !view.state.is_final())?;
    let cause = clean(&waiting.cause);
    Some(match waiting.rows {
        0 => cause,
        1 => format!("{cause}, 1 row waits"),
        rows => format!("{cause}, {} rows wait", number::count(rows as f64)),
    })
}

/// What stands where there is nothing.
pub const NOTHING: &str = "–";

/// The seed, where one is known.
pub fn seed(manifest: &Manifest) -> Option<u64> {
    manifest.import.is_none().then_some(manifest.seed)
}

/// What a run works on, and why that was chosen.
pub fn device(manifest: &Manifest) -> String {
    let reason = manifest.device_reason.as_deref().filter(|reason| !reason.is_empty());
    let reason = reason.map(|reason| format!(" ({})", clean(reason))).unwrap_or_default();
    clean(&manifest.device) + &reason
}

/// The commit that a run was started at, where one is known, with its branch and whether anything differed from it.
pub fn commit(manifest: &Manifest) -> Option<String> {
    let mut text = manifest.git_commit.clone()?;
    if let Some(command) = &manifest.command {
        text.extend(command.git_branch.iter().map(|branch| format!(" on {branch}")));
        text.push_str(if command.git_dirty == Some(true) { ", with changes: code.diff" } else { "" });
    }
    Some(clean(&text))
}

/// A parameter's value, short.
pub fn param(value: &ParamValue) -> String {
    match value {
        ParamValue::Float(v) => number::value(*v),
        other => whole_param(other),
    }
}

/// A parameter's value, with all its digits; `""` of one that was given no text.
pub fn whole_param(value: &ParamValue) -> String {
    let text = clean(&value.to_string());
    if text.is_empty() { "\"\"".to_owned() } else { text }
}

/// The headline metrics of a run, in the order declared.
pub fn headlines(view: &View) -> Vec<Headline<'_>> {
    gradtop_store::headlines(&view.status.headline, &view.manifest.metrics)
}

/// What a headline value is the value of: `deep · test · mean of 5`. Without `split` where a title names it.
pub fn line_words(line: &HeadlineLine<'_>, split: bool) -> String {
    let name = crate::figure::name_of(line.model, line.split.filter(|_| split), None).map(|n| clean(&n));
    let trials = match (line.trials, line.finite) {
        (1, _) => None,
        (all, finite) if finite == all || finite == 0 => Some(format!("mean of {all}")),
        (all, finite) => Some(format!("mean of {finite} of {all}")),
    };
    [name, trials].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// `last test loss`: the statistic, the split where all have the same, and the metric.
pub fn headline_title(metric: &str, split: Option<&str>) -> String {
    let split = split.map(|s| format!("{} ", clean(s))).unwrap_or_default();
    format!("last {split}{}", clean(metric))
}

/// What stands for the run, and what it is of as far as `common`, which a title names, does not say it.
pub fn headline_cells(view: &View, common: Option<&Common>) -> (String, String) {
    let headlines = headlines(view);
    let Some((headline, line)) = headlines.first().and_then(|h| Some((h, h.line()?))) else {
        return (String::new(), String::new());
    };
    let of = match common {
        Some(common) => line_words(&line, common.split.is_none()),
        None => format!("{} {}", clean(headline.metric), line_words(&line, true)).trim_end().to_owned(),
    };
    (headline_value(line.value), of)
}

/// Columns of what a value is of, without which points do not stand below each other.
const OF: usize = 5;

/// What stands for each of several runs and a short name of what it is of, in at most `room` columns: names that differ still do.
pub fn brief_headlines(views: &[&View], common: Option<&Common>, room: usize, ascii: bool) -> Vec<String> {
    let (values, names): (Vec<_>, Vec<_>) = views.iter().map(|view| headline_cells(view, common)).unzip();
    let wide = |texts: &[String]| texts.iter().map(|t| width_of(t)).max().unwrap_or(0);
    let named = names.iter().any(|name| !name.is_empty());
    let aligned = align(&values, Align::Point, usize::MAX, ascii);
    let much = wide(&aligned) + if named { 1 + wide(&names).min(OF) } else { 0 } > room;
    let values = if much { align(&values, Align::Left, usize::MAX, ascii) } else { aligned };
    let left = room.saturating_sub(wide(&values) + 1);
    // The series comes before what it is the mean of.
    let series =
        |name: &String| name.rsplit_once(" · mean of ").map_or(name.as_str(), |(name, _)| name).to_owned();
    let names = if wide(&names) > left { names.iter().map(series).collect() } else { names };
    let told = apart(&names.iter().map(String::as_str).collect::<Vec<_>>(), left, ascii);
    values.iter().zip(told).map(|(value, name)| format!("{value} {name}").trim_end().to_owned()).collect()
}

/// What must be said of a run beside its numbers: why it ended badly, that it gives no sign, where it is, or what it waits for.
pub fn note(view: &View) -> Option<String> {
    let cause = || view.status.cause.as_deref().map(clean);
    match view.state {
        _ if view.silent_for().is_some() => silence(view),
        _ if view.seen.is_some() || !view.certain => {
            let job = job_words(view, Timestamp::now()).map(|words| format!("; {words}"));
            Some(format!("{}{}", far(view), job.unwrap_or_default()))
        }
        State::Queued | State::Starting if view.job.is_some() => job_words(view, Timestamp::now()),
        State::Queued if view.queued.is_some() => {
            view.queued.as_ref().map(queue_words).filter(|words| !words.is_empty())
        }
        State::Failed | State::Crashed => Some(cause().unwrap_or_else(|| "cause unknown".to_owned())),
        _ => waiting(view).or_else(|| alert(view)),
    }
}

/// What is known of a run's job: `job 12 waits for Priority`, `job 12_3 on node-7, 3 h left`.
pub fn job_words(view: &View, now: Timestamp) -> Option<String> {
    let job = view.job.as_ref()?;
    let Some(name) = job.name() else { return Some("its job is being submitted".to_owned()) };
    let seen = job.seen.as_ref();
    let stage = seen.map_or(JobStage::Waits, JobSeen::stage);
    let node = seen.and_then(|seen| seen.node.as_deref()).map(|node| format!(" on {}", clean(node)));
    let node = node.unwrap_or_default();
    Some(match stage {
        _ if view.state.is_final() => format!("job {name}{node}"),
        JobStage::Unknown => format!("{} does not know job {name} any more", clean(&job.launcher)),
        // Also what was last seen before it began.
        JobStage::Waits if view.queued.is_none() => format!("job {name}"),
        JobStage::Waits => match seen.and_then(|seen| seen.reason.as_deref()) {
            Some(reason) => format!("job {name} waits for {}", clean(reason)),
            None => format!("job {name} waits"),
        },
        JobStage::Works | JobStage::Over => {
            let left = |ends: Timestamp| ends.duration_since(now).as_secs_f64();
            let left =
                seen.and_then(|seen| seen.ends).map(left).filter(|left| (0.0..NO_LIMIT_S).contains(left));
            let left = left.map(|left| format!(", {} left", number::duration(left.floor())));
            format!("job {name}{node}{}", left.unwrap_or_default())
        }
    })
}

/// A time limit of so many seconds is none: Slurm gives a job without one a year.
const NO_LIMIT_S: f64 = 300.0 * 86_400.0;

/// Where a run is that cannot be seen into from here: `on node7 (job 42), last seen 4 s ago`.
pub fn far(view: &View) -> String {
    let (what, time) = view.seen.map_or(("write", view.age_of_last_write), |seen| ("seen", seen));
    format!("{}, last {what} {} ago", clean(&view.whereabouts()), number::age(time.as_secs_f64()))
}

/// What the last alert says, of a run whose state does not say it already.
pub fn alert(view: &View) -> Option<String> {
    let alert = view.alert.as_ref().filter(|alert| !alert.of_end)?;
    Some(format!("alert: {}", clean(&alert.message)))
}

/// Whether runs are of more than one machine, so that it matters where each ran.
pub fn several_hosts<'a>(views: impl IntoIterator<Item = &'a View>) -> bool {
    let mut hosts = views.into_iter().map(|view| view.manifest.host.as_str());
    hosts.next().is_some_and(|first| hosts.any(|host| host != first))
}

/// The sign of a run that is starred.
pub const STAR: &str = "★";

/// What people say of a run, in a line: star, tags, the first line of the note; empty if nothing.
pub fn remark(view: &View) -> String {
    let notes = &view.notes;
    let star = notes.starred.then(|| STAR.to_owned());
    let marks: Vec<String> = star.into_iter().chain(notes.tags.iter().map(|tag| clean(tag))).collect();
    let parts = [marks.join(" "), clean(notes.headline())];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// What a run in the queue waits for: `#3, after warm-up`, `#3, held: …`.
pub fn queue_words(queued: &InQueue) -> String {
    let place = queued.place.map(|place| format!("#{place}"));
    let after = (!queued.after.is_empty()).then(|| {
        let names = queued.after.iter().map(|run| run.rsplit('/').next().unwrap_or(run));
        format!("after {}", clean(&names.collect::<Vec<_>>().join(", ")))
    });
    let held = queued
        .held
        .as_deref()
        .map(|why| format!("held {}{}", if why.starts_with("by ") { "" } else { "because " }, clean(why)));
    [place, after, held].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `last loss  deep · test 3.1e-6  middle · test 1.1e-5`, at most `most` values, those of the split that stands for the run
/// first.
pub fn headline_text(view: &View, most: usize) -> String {
    let mut left = most;
    let mut parts = Vec::new();
    for headline in headlines(view) {
        if left == 0 {
            parts.push("…".to_owned());
            break;
        }
        let all = headline_values(&headline);
        let mut shown = all[..all.len().min(left)].join("  ");
        left -= all.len().min(left);
        if left == 0 && all.len() > most {
            shown.push_str("  …");
        }
        parts.push(format!("{}  {shown}", headline_title(headline.metric, None)));
    }
    parts.join("   ")
}

/// Each value of a headline metric with what it is of, those of the split that stands for the run first.
pub fn headline_values(headline: &Headline<'_>) -> Vec<String> {
    let first: Vec<_> = headline.of_split().collect();
    let others = headline.lines.iter().filter(|l| first.iter().all(|f| f.split != l.split));
    let words = |line: &HeadlineLine<'_>| {
        format!("{} {}", line_words(line, true), headline_value(line.value)).trim_start().to_owned()
    };
    first.iter().copied().chain(others).map(words).collect()
}

/// Share of the work done, if the plugin says how much there is; a finished run has done all.
pub fn progress(view: &View) -> Option<(u64, u64)> {
    let total = view.status.total;
    match (view.state, total) {
        (State::Finished, 0) => Some((1, 1)),
        (_, 0) => None,
        _ => Some((done(&view.status).min(total), total)),
    }
}

/// Units of work that are done. What was logged last may be later than the status: a killed run has no time to write that.
fn done(status: &Status) -> u64 {
    let step = status.step.filter(|_| status.works_by_steps()).and_then(|step| u64::try_from(step).ok());
    step.unwrap_or_default().min(status.total).max(status.done)
}

/// The step it is at. Where the units of work are steps, as far as can be seen, those done count: values are logged now and
/// then only, and the share done shall agree with the step beside it.
pub fn step(status: &Status) -> Option<i64> {
    let step = status.step?;
    if !status.works_by_steps() {
        return Some(step);
    }
    Some(step.max(i64::try_from(status.done.min(status.total)).unwrap_or(step)))
}

/// The epoch it is in. Of a run that has ended only where it is the run's: one that trains a network after the other ends
/// with the epochs of the last, which say nothing about the run.
pub fn epoch(view: &View) -> Option<f64> {
    let s = &view.status;
    s.epoch.filter(|e| e.is_finite() && !(view.state.is_final() && s.epochs_restart))
}

/// Whether it is known to make steps now.
fn moves(view: &View) -> bool {
    view.certain && matches!(view.state, State::Running | State::Stopping) && view.silent_for().is_none()
}

/// Steps a second, of what makes steps: what a paused run did before it was paused is no speed.
pub fn rate(view: &View) -> Option<f64> {
    view.status.steps_per_s.filter(|rate| *rate > 0.0 && moves(view))
}

/// Seconds to the end, of what makes steps.
pub fn eta(view: &View) -> Option<f64> {
    view.status.eta_s.filter(|_| moves(view))
}

/// A value of a headline metric. What is no number may never have been one: it need not have diverged.
pub fn headline_value(v: f64) -> String {
    if v.is_nan() { "non-finite".to_owned() } else { number::value(v) }
}

/// Seconds the run has taken so far, or took.
pub fn took(view: &View, now: Timestamp) -> Option<f64> {
    // Of one that has died and whose end nobody has written, or that cannot be seen from here, no more than it said.
    let now = if view.state.is_final() || !view.certain { view.status.updated } else { now };
    view.status.took(now)
}

/// Seconds of training so far, where those are fewer than it [`took`] by a second or more: without pauses, and without what a resume
/// has set aside.
pub fn trained(view: &View, now: Timestamp) -> Option<f64> {
    let since =
        if moves(view) { now.duration_since(view.status.updated).as_secs_f64().max(0.0) } else { 0.0 };
    let trained = view.status.trained_s? + since;
    took(view, now).filter(|took| took - trained >= 1.0).map(|_| trained)
}

/// How long it took, with how much of it was training where that is less: `1m23s, 1m00s of it training`.
pub fn took_words(view: &View, now: Timestamp) -> Option<String> {
    let trained = trained(view, now).map(|t| format!(", {} of it training", number::duration(t)));
    Some(number::duration(took(view, now)?) + &trained.unwrap_or_default())
}

/// `no sign for 35 s`, of a run that should move and gives none; with the reason, if it is known.
pub fn silence(view: &View) -> Option<String> {
    let quiet = view.silent_for()?;
    let why = match view.suspended() {
        Some(Suspended::Trainer) => ": its trainer is suspended (SIGSTOP)",
        Some(Suspended::Keeper) => ": its keeper is suspended (SIGSTOP)",
        Some(Suspended::Both) => ": its trainer and its keeper are suspended (SIGSTOP)",
        None => "",
    };
    Some(format!("no sign for {}{why}", number::duration(quiet.as_secs() as f64)))
}

/// A run as JSON: the fields of `list --json`, `show --json`, and of `run` and `wait` with `--json`.
pub fn to_json(view: &View) -> Map<String, Value> {
    let View { manifest: m, status: s, .. } = view;
    let params: Map<String, Value> =
        m.params.iter().map(|(k, v)| (k.clone(), serde_json::to_value(v).unwrap_or(Value::Null))).collect();
    let headline = s.headline.iter().map(|HeadlineValue { key, value }| {
        json!({"metric": key.metric, "model": key.model, "split": key.split, "trial": key.trial, "value": float(*value)})
    });
    let headline: Vec<Value> = headline.collect();
    // Of a run that has ended they are the numbers of nobody, or of somebody else.
    let alive = |pid: Option<u32>| pid.filter(|_| !view.state.is_final());
    let fields = json!({
        "run": m.run,
        "experiment": m.experiment.id,
        "state": view.state.word(),
        "certain": view.certain,
        "cause": s.cause,
        "step": step(s),
        "epoch": s.epoch,
        "phase": s.phase,
        "done": done(s),
        "total": s.total,
        "eta_s": eta(view),
        "steps_per_s": rate(view),
        // An ended run says the same whenever it is asked.
        "age_s": (!view.state.is_final()).then_some(view.age_of_last_write.as_secs_f64()),
        "silent_s": view.silent_for().map(|t| t.as_secs_f64()),
        "suspended": view.suspended().is_some(),
        "host": view.host,
        "copied_from": view.copied_from.as_ref().map(|folder| folder.to_string_lossy()),
        "elapsed_s": took(view, Timestamp::now()),
        "created": m.created.to_string(),
        "started": s.started.map(|t| t.to_string()),
        "ended": s.ended.map(|t| t.to_string()),
        "trained_s": s.trained_s,
        "seed": m.seed,
        "device": m.device,
        "threads": m.threads,
        "preset": m.preset,
        "params": params,
        "headline": headline,
        "headlines": headlines(view).iter().filter_map(headline_json).collect::<Vec<_>>(),
        "headline_is_part": s.headline_is_part,
        "rows": s.rows,
        "starred": view.notes.starred,
        "tags": view.notes.tags,
        "note": view.notes.note,
        "alert": view.alert.as_ref().map(|a| json!({"time": a.time.to_string(), "message": a.message})),
        "log_wait_ms": s.log_wait_ms,
        "waiting": s.waiting.as_ref().filter(|_| !view.state.is_final()).map(|w| {
            json!({"cause": w.cause, "rows": w.rows, "since": w.since.to_string()})
        }),
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

fn job_json(job: &Job) -> Value {
    let seen = job.seen.as_ref();
    json!({"launcher": job.launcher, "id": job.name(), "state": seen.map(|s| &s.state),
        "reason": seen.and_then(|s| s.reason.as_ref()), "node": seen.and_then(|s| s.node.as_ref()),
        "ends": seen.and_then(|s| s.ends).map(|t| t.to_string()), "asked": seen.map(|s| s.asked.to_string())})
}

/// What stands for the run: the latest values of the best line of a metric, and what they are of.
fn headline_json(headline: &Headline<'_>) -> Option<Value> {
    let line = headline.line()?;
    let statistic = if line.trials == 1 { "last" } else { "mean of the trials' last" };
    Some(json!({"metric": headline.metric, "statistic": statistic, "model": line.model, "split": line.split,
        "trials": line.trials, "finite": line.finite, "value": float(line.value)}))
}

/// A float as JSON; `"NaN"`, `"inf"` and `"-inf"` as text, which JSON has no numbers for.
pub fn float(v: f64) -> Value {
    serde_json::Number::from_f64(v).map_or_else(|| Value::String(number::value(v)), Value::Number)
}

/// The parameters that differ between runs of one experiment, in the order declared.
pub fn differing<'a>(views: &[&'a View]) -> Vec<&'a str> {
    let mut values: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut order: Vec<&str> = Vec::new();
    for view in views {
        for (key, value) in &view.manifest.params {
            let values = values.entry(key).or_insert_with(|| {
                order.push(key);
                Vec::new()
            });
            values.push(value.to_string());
        }
    }
    let differs =
        |key: &&str| values.get(key).is_some_and(|v| v.len() != views.len() || v.iter().any(|x| *x != v[0]));
    order.into_iter().filter(differs).collect()
}

/// What stands for each of several runs, where it can be named once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Common {
    /// The headline metric that all have first.
    pub metric: String,
    /// The split of all their values; `None`: no split, or not the same one.
    pub split: Option<String>,
}

impl Common {
    /// Above a column of values.
    pub fn title(&self) -> String {
        headline_title(&self.metric, self.split.as_deref())
    }
}

/// The one headline metric that all runs have first; none if they differ.
pub fn common(views: &[&View]) -> Option<Common> {
    let found: Vec<_> = views.iter().filter_map(|v| headlines(v).into_iter().next()).collect();
    let metric = found.first()?.metric;
    let same = |f: &dyn Fn(&Headline<'_>) -> bool| found.iter().all(f);
    let split = found[0].line()?.split;
    let named = same(&|h| h.line().is_some_and(|l| l.split == split));
    let split = split.filter(|_| named).map(str::to_owned);
    same(&|h| h.metric == metric).then(|| Common { metric: metric.to_owned(), split })
}

#[cfg(test)]
mod tests;
