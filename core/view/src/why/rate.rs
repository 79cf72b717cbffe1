//! Detects steps that take longer than ever before: since when, by how much, and what else changed. Only if no new
//! series has begun since then.

use gradtop_chart::number;
use gradtop_host::pace::{Done, FELL, STEPS, STRETCH_S, Slow, begins_late, is_comparable, slow};

use super::run_summary::{Point, SeriesSummary};
use super::verdict::{Confidence, Diagnosis, Evidence, Rule, Verdict};

/// Possible shortages of the whole machine.
const PRESSURES: [&str; 3] = ["cpu_pressure", "memory_pressure", "swapped_in"];

/// A time without a step is told if it is this long, and as long as so many steps on average.
const MIN_PAUSE_S: f64 = 3.0;
const MIN_PAUSE_STEPS: f64 = 5.0;

pub(super) fn judge(evidence: &Evidence<'_>, found: &mut Diagnosis) {
    let curve = curve(evidence);
    let (Some(first), Some(last)) = (curve.first(), curve.last()) else { return };
    let (seconds, steps) = (last.seconds - first.seconds, last.step - first.step);
    if seconds < STRETCH_S || steps < STEPS {
        return;
    }
    let Some(slow) = slow(&curve) else {
        let longest = longest_pause(&curve);
        let stood = if longest >= f64::max(MIN_PAUSE_S, MIN_PAUSE_STEPS * seconds / steps) {
            format!("longest time without a step: {}", number::duration(longest))
        } else if is_comparable(seconds) {
            "no lasting fall".to_owned()
        } else {
            "too short to tell whether it fell".to_owned()
        };
        let (rate, over) = (number::rate(steps / seconds), number::duration(seconds));
        found.examined.push(format!("pace of steps: {rate} over {over}; {stood}"));
        return;
    };
    let from_us = curve.iter().find(|p| p.seconds >= slow.from).map_or(last.time_us, |p| p.time_us);
    let since = evidence.moment(from_us);
    // A series that begins here may be the cause.
    let begins = |summary: &SeriesSummary| {
        begins_late(summary.first.time_us, (first.time_us, from_us), last.seconds - slow.from)
    };
    if evidence.summary.series.values().any(begins) {
        found.examined.push(format!(
            "steps are slower since {since}, when it began to log something new: other work, perhaps"
        ));
        return;
    }
    let fell = 100.0 * (1.0 - slow.rate / slow.before);
    let mut proof = vec![
        format!(
            "{} since {since}; before {}, and in no long stretch below {}",
            number::rate(slow.rate),
            number::rate(slow.before),
            number::rate(slow.slowest)
        ),
        "pauses and sleep of the machine are not counted; no series is new since".to_owned(),
    ];
    let changes = Changes::at(evidence, (first.time_us, from_us, last.time_us), &slow);
    proof.extend(changes.facts);
    let why = changes.why.map(|why| format!(": {why}")).unwrap_or_default();
    let own_clock = evidence.view.manifest.import.is_none();
    found.verdicts.push(Verdict {
        rule: Rule::RateFell,
        confidence: if own_clock { Confidence::Certain } else { Confidence::Likely },
        text: format!(
            "rate fell by {fell:.0} % at {since}, from {} to {}{why}",
            number::rate(slow.before),
            number::rate(slow.rate)
        ),
        since: evidence.time(from_us),
        step: curve.iter().find(|p| p.seconds >= slow.from).map(|p| p.step as i64),
        proof,
    });
}

/// Returns steps against seconds of training, since the step count last started over.
fn curve(evidence: &Evidence<'_>) -> Vec<Done> {
    let summary = evidence.summary;
    let done = |p: &Point, seconds: f64| Done { seconds, step: p.step as f64, time_us: p.time_us };
    let all: Vec<Done> = if !summary.trained().is_empty() {
        // For a command that logs no step, the steps are seconds.
        if evidence.view.status.step.is_none() {
            return Vec::new();
        }
        summary.trained().iter().map(|p| done(p, p.value)).collect()
    } else if evidence.view.manifest.import.is_some() && evidence.view.status.started.is_some() {
        let points = summary.densest().map(|summary| summary.track.points()).unwrap_or_default();
        points.iter().map(|p| done(p, p.time_us as f64 / 1e6)).collect()
    } else {
        return Vec::new();
    };
    let begin =
        (1..all.len()).rev().find(|i| all[*i].step < all[i - 1].step || all[*i].seconds < all[i - 1].seconds);
    all[begin.unwrap_or(0)..].to_vec()
}

/// Returns the longest time without a step, in seconds.
fn longest_pause(curve: &[Done]) -> f64 {
    let mut moved = curve.first().copied();
    curve.iter().fold(0.0, |longest: f64, now| {
        let stood = moved.map_or(0.0, |moved| now.seconds - moved.seconds);
        if moved.is_none_or(|moved| now.step > moved.step) {
            moved = Some(*now);
        }
        longest.max(stood)
    })
}

/// Returns the mean of a measurement of the machine before and since a change.
fn before_and_since(
    evidence: &Evidence<'_>,
    (first, change, last): (i64, i64, i64),
    what: &str,
) -> Option<(f64, f64)> {
    let track = evidence.summary.machine.get(what)?;
    let now = track.mean(change, last)?;
    if !PRESSURES.contains(&what) {
        return Some((track.mean(first, change - 1)?, now));
    }
    // Logged only since the machine first lacked it: before that it is 0.
    let sum: f64 = track.between(first, change - 1).map(|p| p.value).sum();
    let all = evidence.summary.trained().iter().filter(|p| (first..change).contains(&p.time_us));
    Some((sum / all.count().max(1) as f64, now))
}

/// What else changed, as far as rows show.
#[derive(Default)]
struct Changes {
    facts: Vec<String>,
    why: Option<String>,
}

impl Changes {
    fn at(evidence: &Evidence<'_>, times: (i64, i64, i64), slow: &Slow) -> Self {
        let mut out = Self::default();
        let of = |what: &str| before_and_since(evidence, times, what);
        out.shortages([of("memory_pressure"), of("swapped_in"), of("cpu_pressure")]);
        if let Some(cpu) = of("cpu") {
            out.processor(cpu, slow);
        }
        if let Some((before, now)) = of("gpu") {
            out.facts.push(format!("GPU: {before:.0} % before, {now:.0} % since"));
        }
        if let Some((before, now)) =
            of("memory").map(|(before, now)| (number::amount(before), number::amount(now)))
        {
            out.facts.push(format!("its memory: {before} before, {now} since"));
        }
        out
    }

    /// Adds what the whole machine lacks: waiting for memory in %, reading back from swap in bytes per second, and waiting
    /// for a processor in %.
    fn shortages(&mut self, [memory, swap, cpu]: [Option<(f64, f64)>; 3]) {
        let rose = |of: Option<(f64, f64)>, least: f64, factor: f64| {
            of.filter(|(before, now)| *now >= least && *now >= factor * before)
        };
        if let Some((before, now)) = rose(memory, 5.0, 2.0) {
            self.facts
                .push(format!("tasks waited for memory {before:.0} % of the time before, {now:.0} % since"));
            // A smaller increase is true but explains little.
            if now >= 25.0 {
                self.why = Some("the machine is short of memory".to_owned());
            }
        }
        if let Some((before, now)) = rose(swap, 5e6, 2.0) {
            let (before, now) = (number::amount(before), number::amount(now));
            self.facts.push(format!("read back from swap: {before}/s before, {now}/s since"));
            self.why = Some("the machine swaps".to_owned());
        }
        if let Some((before, now)) = rose(cpu, 10.0, 1.5) {
            self.facts.push(format!(
                "tasks waited for a processor {before:.0} % of the time before, {now:.0} % since"
            ));
            self.why.get_or_insert_with(|| "others want the processor".to_owned());
        }
    }

    /// Adds the run's own use of processors in %, and what a step costs of it.
    fn processor(&mut self, (before, now): (f64, f64), slow: &Slow) {
        self.facts.push(format!("its processor use: {before:.0} % before, {now:.0} % since"));
        let (cost_before, cost) = (before / 100.0 / slow.before, now / 100.0 / slow.rate);
        if before >= 1.0 {
            self.facts.push(format!(
                "processor time of a step: {} before, {} since",
                number::duration(cost_before),
                number::duration(cost)
            ));
        }
        if cost > 1.5 * cost_before {
            self.why.get_or_insert_with(|| "each step takes more processor time".to_owned());
        } else if now < FELL * before {
            self.why.get_or_insert_with(|| "it gets less of the processor, or waits".to_owned());
        }
    }
}
