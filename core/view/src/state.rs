//! Formats a run's state and numbers as text, table cells and JSON.

use std::collections::BTreeMap;

use gradtop_store::{
    Headline, HeadlineLine, HeadlineValue, InQueue, Job, JobSeen, JobStage, Manifest, ParamValue, State,
    Status, Suspended, View,
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use gradtop_chart::cells::align::{Align, align};
use gradtop_chart::cells::text::{fit_distinct, width_of};
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::colour::Paint;
use gradtop_chart::number;
use gradtop_host::text::clean;

/// Returns the symbol of a state.
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

/// Returns the symbol of a state, in ASCII if requested.
pub fn glyph_in(state: State, ascii: bool) -> char {
    if ascii { gradtop_chart::ascii::substitute(glyph(state)) } else { glyph(state) }
}

/// Returns the colour of a state.
pub fn ink(state: State) -> Ink {
    match state {
        State::Running | State::Stopping => Ink::Series(Paint::Slot(2)),
        State::Paused => Ink::Wait,
        State::Failed | State::Crashed => Ink::Alert,
        State::Finished => Ink::Text,
        State::Stopped | State::Queued | State::Starting => Ink::Dim,
    }
}

/// Returns the mark of a state that may have changed unseen on another machine.
fn uncertainty_mark(certain: bool) -> &'static str {
    if certain { "" } else { "?" }
}

/// Returns `●`, or `●?` if uncertain.
pub fn sign(state: State, certain: bool, ascii: bool) -> String {
    format!("{}{}", glyph_in(state, ascii), uncertainty_mark(certain))
}

/// Returns `running`, or `running?` if uncertain.
pub fn word(state: State, certain: bool) -> String {
    format!("{state}{}", uncertainty_mark(certain))
}

/// Returns `● running`, or `● running?` if uncertain.
pub fn label_in(view: &View, ascii: bool) -> String {
    format!("{} {}", glyph_in(view.state, ascii), word(view.state, view.certain))
}

/// Like [`label_in`] without ASCII, for text that is converted later if necessary.
pub fn label(view: &View) -> String {
    label_in(view, false)
}

/// Counts the runs in each state, active states first; uncertain ones are counted separately.
pub fn counts<'a>(views: impl IntoIterator<Item = &'a View>) -> Vec<(State, bool, usize)> {
    let mut counts = BTreeMap::new();
    for view in views {
        *counts.entry((view.state, !view.certain)).or_insert(0) += 1;
    }
    counts.into_iter().map(|((state, doubt), n)| (state, !doubt, n)).collect()
}

/// Describes why a run waits for its disk, and how many rows wait: `the disk is full, 1,234 rows wait`.
pub fn waiting(view: &View) -> Option<String> {
    let waiting = view.status.waiting.as_ref().filter(|_| !view.state.is_final())?;
    let cause = clean(&waiting.cause);
    Some(match waiting.rows {
        0 => cause,
        rows => format!(
            "{cause}, {} wait{}",
            number::counted(rows as usize, "row"),
            if rows == 1 { "s" } else { "" }
        ),
    })
}

/// Placeholder for a missing value.
pub const MISSING: &str = "–";

/// Describes a run's device, and why it was chosen.
pub fn device(manifest: &Manifest) -> String {
    let reason = manifest.device_reason.as_deref().filter(|reason| !reason.is_empty());
    let reason = reason.map(|reason| format!(" ({})", clean(reason))).unwrap_or_default();
    clean(&manifest.device) + &reason
}

/// Describes the commit at which a run was started, with its branch and whether there were changes.
pub fn commit(manifest: &Manifest) -> Option<String> {
    let mut text = manifest.git_commit.clone()?;
    if let Some(command) = &manifest.command {
        text.extend(command.git_branch.iter().map(|branch| format!(" on {branch}")));
        text.push_str(if command.git_dirty == Some(true) { ", with changes: code.diff" } else { "" });
    }
    Some(clean(&text))
}

/// Formats a parameter's value briefly.
pub fn param(value: &ParamValue) -> String {
    match value {
        ParamValue::Float(v) if *v != 0.0 => number::value(*v),
        other => full_param(other),
    }
}

/// Formats a parameter's value with all its digits, in a form that can be typed; an empty text as `""`.
pub fn full_param(value: &ParamValue) -> String {
    if let ParamValue::Float(v) = value
        && let brief = number::value(*v)
        && brief.parse().is_ok_and(|same: f64| same.to_bits() == v.to_bits())
    {
        return brief;
    }
    let text = clean(&value.to_string());
    if text.is_empty() { "\"\"".to_owned() } else { text }
}

/// Returns the headline metrics of a run in declaration order.
pub fn headlines(view: &View) -> Vec<Headline<'_>> {
    gradtop_store::headlines(&view.status.headline, &view.manifest.metrics)
}

/// Describes what a headline value measures: `deep · test · mean of 5`. `split` is false if a title already names the split.
pub fn line_words(line: &HeadlineLine<'_>, split: bool) -> String {
    let name = crate::figure::name_of(line.model, line.split.filter(|_| split), None).map(|n| clean(&n));
    let trials = match (line.trials, line.finite) {
        (1, _) => None,
        (all, finite) if finite == all || finite == 0 => Some(format!("mean of {all}")),
        (all, finite) => Some(format!("mean of {finite} of {all}")),
    };
    [name, trials].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// Returns a title such as `last test loss`: the statistic, the split if all values share it, and the metric.
pub fn headline_title(metric: &str, split: Option<&str>) -> String {
    let split = split.map(|s| format!("{} ", clean(s))).unwrap_or_default();
    format!("last {split}{}", clean(metric))
}

/// Returns the value that represents the run, and what it measures beyond what the title of `common` says.
pub fn headline_cells(view: &View, common: Option<&Common>) -> (String, String) {
    let headlines = headlines(view);
    let Some((headline, line)) = headlines.first().and_then(|h| Some((h, h.line()?))) else {
        return (String::new(), String::new());
    };
    let of = match common {
        Some(common) => line_words(&line, common.split.is_none()),
        None => format!("{} {}", clean(headline.metric), line_words(&line, true)).trim_end().to_owned(),
    };
    (number::value(line.value), of)
}

/// Columns below which decimal points of values with different names would not be aligned.
const MIN_NAME_WIDTH: usize = 5;

/// Returns the value that represents each of several runs with a short name, in at most `room` columns. Different names
/// stay distinguishable.
pub fn brief_headlines(views: &[&View], common: Option<&Common>, room: usize, ascii: bool) -> Vec<String> {
    let (values, names): (Vec<_>, Vec<_>) = views.iter().map(|view| headline_cells(view, common)).unzip();
    let wide = |texts: &[String]| texts.iter().map(|t| width_of(t)).max().unwrap_or(0);
    let named = names.iter().any(|name| !name.is_empty());
    let aligned = align(&values, Align::Point, usize::MAX, ascii);
    let much = wide(&aligned) + if named { 1 + wide(&names).min(MIN_NAME_WIDTH) } else { 0 } > room;
    let values = if much { align(&values, Align::Left, usize::MAX, ascii) } else { aligned };
    let left = room.saturating_sub(wide(&values) + 1);
    // The series comes before the statistic.
    let series = |name: &String| series_of(name).to_owned();
    let names = if wide(&names) > left { names.iter().map(series).collect() } else { names };
    let told = fit_distinct(&names.iter().map(String::as_str).collect::<Vec<_>>(), left, ascii);
    values.iter().zip(told).map(|(value, name)| format!("{value} {name}").trim_end().to_owned()).collect()
}

/// Why a run ended, if that is known.
pub fn cause(view: &View) -> Option<String> {
    view.status.cause.as_deref().filter(|cause| !cause.is_empty()).map(clean)
}

/// Why a run ended, to follow its state: `: the disk is full`, or nothing.
pub fn because(view: &View) -> String {
    cause(view).map(|cause| format!(": {cause}")).unwrap_or_default()
}

/// Returns the columns that [`brief_headlines`] needs to cut no series.
pub fn brief_width(views: &[&View], common: Option<&Common>, ascii: bool) -> usize {
    brief_headlines(views, common, usize::MAX, ascii)
        .iter()
        .map(|text| width_of(series_of(text.trim_start())))
        .max()
        .unwrap_or(0)
}

/// Returns what a value is of, without the statistic.
pub fn series_of(words: &str) -> &str {
    words.rsplit_once(" · mean of ").map_or(words, |(series, _)| series)
}

/// Returns an important remark: why it ended badly, with its last alert, that it is silent, where it runs, or what it waits for.
pub fn note(view: &View) -> Option<String> {
    match view.state {
        _ if view.silent_for().is_some() => silence(view),
        _ if view.seen.is_some() || !view.certain => {
            let job = job_words(view, Timestamp::now()).map(|words| format!("; {words}"));
            Some(format!("{}{}", location(view), job.unwrap_or_default()))
        }
        State::Queued | State::Starting if view.job.is_some() => job_words(view, Timestamp::now()),
        State::Queued if view.queued.is_some() => {
            view.queued.as_ref().map(queue_words).filter(|words| !words.is_empty())
        }
        State::Failed | State::Crashed => {
            let cause = cause(view).unwrap_or_else(|| "cause unknown".to_owned());
            Some(std::iter::once(cause).chain(alert(view)).collect::<Vec<_>>().join("; "))
        }
        _ => waiting(view).or_else(|| alert(view)),
    }
}

/// Describes a run's batch job: `job 12 waits for Priority`, `job 12_3 on node-7, 3 h left`.
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
        // Also if the last report is from before it began.
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

/// A longer time limit counts as none: Slurm gives a year to a job without a limit.
const NO_LIMIT_S: f64 = 300.0 * 86_400.0;

/// Describes where a run is that cannot be observed from here: `on node7 (job 42), last seen 4 s ago`. The folder that a copy is
/// of comes last, because it is long and may be cut off.
pub fn location(view: &View) -> String {
    let (what, time) = view.seen.map_or(("write", view.age_of_last_write), |seen| ("seen", seen));
    let last = format!("last {what} {} ago", number::age(time.as_secs_f64()));
    match &view.copied_from {
        Some(folder) => clean(&format!("a copy, {last}, of {}", folder.display())),
        None => format!("{}, {last}", clean(&view.whereabouts())),
    }
}

/// Returns the last alert unless the run's state already implies it.
pub fn alert(view: &View) -> Option<String> {
    let alert = view.alert.as_ref().filter(|alert| !alert.of_end)?;
    Some(format!("alert: {}", clean(&alert.message)))
}

/// Returns whether the runs are from different machines, so that the host should be shown.
pub fn several_hosts<'a>(views: impl IntoIterator<Item = &'a View>) -> bool {
    let mut hosts = views.into_iter().map(|view| view.manifest.host.as_str());
    hosts.next().is_some_and(|first| hosts.any(|host| host != first))
}

/// The symbol of a starred run.
pub const STAR: &str = "★";

/// Summarizes a user's notes in a line: star, tags, and the first line of the note.
pub fn user_notes(view: &View) -> String {
    let notes = &view.notes;
    let star = notes.starred.then(|| STAR.to_owned());
    let marks: Vec<String> = star.into_iter().chain(notes.tags.iter().map(|tag| clean(tag))).collect();
    let parts = [marks.join(" "), clean(notes.headline())];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// Describes what a run in the queue waits for: `#3, after warm-up`, `#3, held: …`.
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

/// Formats `last loss  deep · test 3.1e-6  middle · test 1.1e-5` with at most `most` values, beginning with the split
/// that represents the run.
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

/// Formats each value of a headline metric with what it measures, beginning with the split that represents the run.
pub fn headline_values(headline: &Headline<'_>) -> Vec<String> {
    let first: Vec<_> = headline.of_split().collect();
    let others = headline.lines.iter().filter(|l| first.iter().all(|f| f.split != l.split));
    let words = |line: &HeadlineLine<'_>| {
        format!("{} {}", line_words(line, true), number::value(line.value)).trim_start().to_owned()
    };
    first.iter().copied().chain(others).map(words).collect()
}

/// Returns completed and total work, if the total is known. More may be done than the total; of a finished run of
/// unknown total, everything is.
pub fn progress(view: &View) -> Option<(u64, u64)> {
    let total = view.status.total;
    match (view.state, total) {
        // What an import was to do in all is not known.
        (State::Finished, 0) if view.manifest.import.is_none() => Some((1, 1)),
        (_, 0) => None,
        _ => Some((done(&view.status), total)),
    }
}

/// Returns the completed units of work. A killed run may have logged more than its status says.
fn done(status: &Status) -> u64 {
    let step = status.step.filter(|_| status.works_by_steps()).and_then(|step| u64::try_from(step).ok());
    let done = step.unwrap_or_default().max(status.done);
    // Steps usually count from 0, so the last of 400 is step 399.
    let all =
        status.state == State::Finished && step.is_some_and(|step| step.checked_add(1) == Some(status.total));
    if all { done.max(status.total) } else { done }
}

/// How it is said that a run has done more than its total.
pub const PAST_TOTAL: &str = "past its total";

/// Returns whether the run has done more than the total it was said to do.
pub fn is_past_total(view: &View) -> bool {
    view.status.total > 0 && done(&view.status) > view.status.total
}

/// Returns `eta 5m10s`, or that a run at work is past its total.
pub fn eta_words(view: &View) -> Option<String> {
    let past = || (moves(view) && is_past_total(view)).then(|| PAST_TOTAL.to_owned());
    eta(view).map(|eta| format!("eta {}", number::time_left(eta))).or_else(past)
}

/// Returns the current epoch. `None` for an ended run that trained several networks one after the other, as the last
/// network's epochs say nothing about the run.
pub fn epoch(view: &View) -> Option<f64> {
    let s = &view.status;
    s.epoch.filter(|e| e.is_finite() && !(view.state.is_final() && s.epochs_restart))
}

/// Returns whether it is known to be making steps now.
fn moves(view: &View) -> bool {
    view.certain && matches!(view.state, State::Running | State::Stopping) && view.silent_for().is_none()
}

/// Returns steps per second if the run is making steps; the rate from before a pause does not count.
pub fn rate(view: &View) -> Option<f64> {
    view.status.steps_per_s.filter(|rate| *rate > 0.0 && moves(view))
}

/// Returns the remaining seconds if the run is making steps and has not yet done what it was said to do.
pub fn eta(view: &View) -> Option<f64> {
    view.status.eta_s.filter(|_| moves(view) && done(&view.status) < view.status.total)
}

/// Returns the seconds the run has taken so far, or took.
pub fn took(view: &View, now: Timestamp) -> Option<f64> {
    // For a run that crashed without a recorded end or that cannot be observed from here, only until its last write. An
    // import takes as long as its source says.
    let until_write = view.state.is_final() || !view.certain || view.manifest.import.is_some();
    let now = if until_write { view.status.updated } else { now };
    view.status.took(now)
}

/// Returns the seconds of training so far, without pauses and what a resume has set aside, if less than [`took`] by a
/// second or more.
pub fn trained(view: &View, now: Timestamp) -> Option<f64> {
    let since =
        if moves(view) { now.duration_since(view.status.updated).as_secs_f64().max(0.0) } else { 0.0 };
    let trained = view.status.trained_s? + since;
    took(view, now).filter(|took| took - trained >= 1.0).map(|_| trained)
}

/// Formats how long it took and, if less, how much of that was training: `1m23s, 1m00s of it training`.
pub fn took_words(view: &View, now: Timestamp) -> Option<String> {
    let trained = trained(view, now).map(|t| format!(", {} of it training", number::duration(t)));
    Some(number::duration(took(view, now)?) + &trained.unwrap_or_default())
}

/// Returns `no sign for 35s` for an active run that is silent, with the reason if known, or `no row for 35s` if it only
/// logs nothing.
pub fn silence(view: &View) -> Option<String> {
    let quiet = view.silent_for()?;
    let what = if view.gives_no_sign() { "sign" } else { "row" };
    let why = match view.suspended() {
        Some(Suspended::Trainer) => ": its trainer is suspended (SIGSTOP)",
        Some(Suspended::Keeper) => ": its keeper is suspended (SIGSTOP)",
        Some(Suspended::Both) => ": its trainer and its keeper are suspended (SIGSTOP)",
        None => "",
    };
    Some(format!("no {what} for {}{why}", number::duration(quiet.as_secs() as f64)))
}

/// Returns a run as JSON: the fields of `list --json`, `show --json`, and of `run` and `wait` with `--json`.
pub fn to_json(view: &View) -> Map<String, Value> {
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
        "epoch": s.epoch,
        "phase": s.phase,
        "done": done(s),
        "total": s.total,
        "eta_s": eta(view),
        "steps_per_s": rate(view),
        // The output for an ended run does not depend on the time.
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
        "seed": m.known_seed(),
        "device": m.device,
        "threads": m.known_threads(),
        "preset": m.preset,
        "params": m.params_json(),
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

/// Returns the values of the line that represents the run, and what they measure.
fn headline_json(headline: &Headline<'_>) -> Option<Value> {
    let line = headline.line()?;
    let statistic = if line.trials == 1 { "last" } else { "mean of the trials' last" };
    Some(json!({"metric": headline.metric, "statistic": statistic, "model": line.model, "split": line.split,
        "trials": line.trials, "finite": line.finite, "value": float(line.value)}))
}

/// Converts a float to JSON; `"NaN"`, `"inf"` and `"-inf"` become text.
pub fn float(v: f64) -> Value {
    serde_json::Number::from_f64(v).map_or_else(|| Value::String(number::value(v)), Value::Number)
}

/// Returns the parameters that differ between runs of one experiment, in declaration order: first those with several
/// values, then those that only some of the runs have.
pub fn differing<'a>(views: &[&'a View]) -> Vec<&'a str> {
    let mut keys: Vec<&str> = Vec::new();
    for (key, _) in views.iter().flat_map(|view| &view.manifest.params) {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    let value = |view: &View, key: &str| {
        view.manifest.params.iter().find(|(own, _)| own == key).map(|(_, value)| value.to_string())
    };
    keys.retain(|key| views.windows(2).any(|pair| value(pair[0], key) != value(pair[1], key)));
    keys.sort_by_cached_key(|key| {
        let mut values = views.iter().filter_map(|view| value(view, key));
        let first = values.next();
        values.all(|other| Some(other) == first)
    });
    keys
}

/// What the representative values of several runs have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Common {
    /// The first headline metric of all runs.
    pub metric: String,
    /// The split of all values; `None` if there is none or it differs.
    pub split: Option<String>,
}

impl Common {
    /// Returns the title of a column of values.
    pub fn title(&self) -> String {
        headline_title(&self.metric, self.split.as_deref())
    }
}

/// Returns the first headline metric if all runs share it.
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
