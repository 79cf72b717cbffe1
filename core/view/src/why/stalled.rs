//! Detects stalled runs: no row for far longer than ever before, while nothing uses the processor.

use gradtop_chart::number;
use gradtop_host::text::clean;
use gradtop_host::threads::Thread;
use gradtop_store::{SeriesKey, State, Suspended};

use super::run_summary::Point;
use super::verdict::{Confidence, Diagnosis, Evidence, Rule, Verdict, name};

/// Number of rows of the densest series that establish the usual pace.
const ROWS: u64 = 10;
/// Minimum seconds of training without a row, and how much longer than ever before that must be.
const MIN_SILENCE_S: f64 = 30.0;
const SILENCE_FACTOR: f64 = 10.0;
/// Utilization in percent below which a processor or GPU is idle.
const IDLE: f64 = 5.0;
/// Number of measurements needed, and the share of them that must be idle.
const MEASURED: usize = 10;
const MAX_SHARE: f64 = 0.9;
/// Early measurements still include the preceding work.
const SETTLE_US: i64 = 2_000_000;
/// Maximum number of threads named as evidence.
const NAMED: usize = 6;

pub(super) fn judge(evidence: &Evidence<'_>, found: &mut Diagnosis) {
    if let Some(verdict) = stopped(evidence) {
        found.verdicts.push(verdict);
        return;
    }
    match silence(evidence).and_then(|silence| stall(evidence, &silence)) {
        Ok(verdict) => found.verdicts.push(verdict),
        Err(examined) => found.examined.push(examined),
    }
}

/// Detects processes that are stopped by a signal although nobody paused the run.
fn stopped(evidence: &Evidence<'_>) -> Option<Verdict> {
    let view = evidence.view;
    let moves = matches!(view.state, State::Starting | State::Running | State::Stopping);
    let threads = evidence.threads.unwrap_or_default();
    let all = !threads.is_empty() && threads.iter().all(|t| matches!(t.state, 'T' | 't'));
    let who = match view.suspended() {
        Some(Suspended::Trainer | Suspended::Both) => "its trainer",
        _ if all => "what it runs",
        _ => return None,
    };
    let mut proof: Vec<String> =
        evidence.summary.last().map(|(key, at)| last_row(evidence, &name(key), at)).into_iter().collect();
    proof.extend(describe(threads));
    moves.then(|| Verdict {
        rule: Rule::Stalled,
        confidence: Confidence::Certain,
        text: format!("stalled: {who} is stopped by a signal (SIGSTOP or SIGTSTP); SIGCONT continues it"),
        since: evidence.summary.last().and_then(|(_, at)| evidence.time(at.time_us)),
        step: view.status.step,
        proof,
    })
}

/// A time without rows that is far longer than any before.
struct Silence<'a> {
    /// The last row and its series.
    last: (&'a SeriesKey, Point),
    since_us: i64,
    seconds: f64,
    /// The longest time without a row before, in seconds, and the number of rows it is known from.
    longest_before: f64,
    rows: u64,
    /// How the pace is described.
    pace: String,
}

/// Detects a silence. The error describes the pace if it is as usual or unknown.
fn silence<'a>(evidence: &Evidence<'a>) -> Result<Silence<'a>, String> {
    let (summary, view) = (evidence.summary, evidence.view);
    let (Some(densest), Some((key, last))) = (summary.densest(), summary.last()) else {
        let live = !view.state.is_final();
        return Err(if live { "rows: none yet, so no pace to compare with" } else { "rows: none" }.to_owned());
    };
    let ago = if evidence.time(last.time_us).is_none() {
        format!("last row {}; it was imported without times", evidence.place(last))
    } else if view.state.is_final() {
        format!("last row at {}", evidence.moment(last.time_us))
    } else {
        let age = (evidence.now.as_microsecond() - last.time_us).max(0) as f64 / 1e6;
        format!("last row {} ago", number::duration(age))
    };
    let moves = !matches!(view.state, State::Paused | State::Queued | State::Starting);
    let known = summary.trained().last().zip(summary.longest_gap());
    let Some((trained, longest_before)) = known.filter(|_| moves && densest.rows >= ROWS) else {
        return Err(ago);
    };
    // Steps may continue without logging a value.
    let moved = summary.trained().iter().find(|p| p.step >= trained.step).map_or(last.time_us, |p| p.time_us);
    let since_us = last.time_us.max(if view.status.step.is_some() { moved } else { 0 });
    let seconds = trained.value - summary.trained_at(since_us).unwrap_or(trained.value);
    let pace = format!("{ago}; longest time without one before: {}", number::duration(longest_before));
    if seconds < MIN_SILENCE_S.max(SILENCE_FACTOR * longest_before) {
        return Err(pace);
    }
    Ok(Silence { last: (key, last), since_us, seconds, longest_before, rows: densest.rows, pace })
}

/// Decides whether a silent run is stalled: resource usage is still logged, but nothing works. The error describes what
/// was seen if there is no proof.
fn stall(evidence: &Evidence<'_>, silence: &Silence<'_>) -> Result<Verdict, String> {
    let measure = |what: &str| {
        let track = evidence.summary.machine.get(what)?;
        let values: Vec<f64> =
            track.between(silence.since_us + SETTLE_US, i64::MAX).map(|p| p.value).collect();
        (!values.is_empty()).then_some(values)
    };
    let idle = |values: &[f64]| {
        values.iter().filter(|v| **v < IDLE).count() as f64 >= MAX_SHARE * values.len() as f64
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let cpu = measure("cpu").unwrap_or_default();
    let gpu = measure("gpu");
    let threads = evidence.threads.unwrap_or_default();
    let busy: f64 = threads.iter().map(|t| t.busy * 100.0).sum();
    let at_work = !idle(&cpu) || gpu.as_deref().is_some_and(|gpu| !idle(gpu)) || busy >= IDLE;
    if at_work || cpu.len() < MEASURED {
        let used = if busy >= IDLE { busy } else { mean(&cpu) };
        return Err(format!("{}; not called stalled: it uses the processor ({used:.0} %)", silence.pace));
    }
    let (key, last) = silence.last;
    let mut proof = vec![
        last_row(evidence, &name(key), last),
        format!(
            "longest time without a row before: {}, over {}",
            number::duration(silence.longest_before),
            number::counted(silence.rows as usize, "row")
        ),
        format!(
            "processor since then: {:.1} % of one core on average, in {}",
            mean(&cpu),
            number::counted(cpu.len(), "measurement")
        ),
    ];
    proof.extend(gpu.map(|gpu| format!("GPU since then: {:.0} % on average", mean(&gpu))));
    proof.extend(describe(threads));
    let ended = evidence.view.state.is_final();
    let (how, whose) = if ended { ("stalled before its end: ", "used") } else { ("stalled: ", "use") };
    let text = format!(
        "{how}no row for {}, {:.0} times as long as ever before, and its processes {whose} no processor",
        number::duration(silence.seconds),
        silence.seconds / silence.longest_before.max(0.001)
    );
    Ok(Verdict {
        rule: Rule::Stalled,
        confidence: Confidence::Certain,
        text,
        since: evidence.time(silence.since_us),
        step: Some(last.step),
        proof,
    })
}

fn last_row(evidence: &Evidence<'_>, series: &str, at: Point) -> String {
    format!("last row: {series} {}", evidence.place(at))
}

/// Describes what its threads do, grouping identical ones.
fn describe(threads: &[Thread]) -> Vec<String> {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for thread in threads {
        let state = match thread.state {
            'R' => "runs",
            'D' => "waits for a device",
            'T' | 't' => "is stopped",
            'Z' => "has ended",
            _ => "sleeps",
        };
        let place = thread.waits_in.as_deref().map(|f| format!(" in {}", clean(f))).unwrap_or_default();
        let words = format!("{} {state}{place}", clean(&thread.name));
        match kinds.iter_mut().find(|(w, _)| *w == words) {
            Some((_, n)) => *n += 1,
            None => kinds.push((words, 1)),
        }
    }
    let kind = |(words, n): &(String, usize)| match n {
        1 => format!("thread {words}"),
        n => format!("thread {words}, and {} more", n - 1),
    };
    let mut out: Vec<String> = kinds.iter().take(NAMED).map(kind).collect();
    if kinds.len() > NAMED {
        out.push(format!("and {} more kinds of threads", kinds.len() - NAMED));
    }
    out
}
