//! Verdicts and the data they are based on.

use gradtop_chart::number;
use gradtop_host::text::clean;
use gradtop_host::threads::Thread;
use gradtop_store::{EventLine, SeriesKey, View};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::run_summary::{Point, RunSummary};
use crate::clock::{dated, moment_at};

/// The rule behind a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Rows wait for the disk, or training waited for its log.
    Waits,
    /// No row for far longer than ever before, while its processes are idle.
    Stalled,
    /// A finite series has become non-finite.
    NotFinite,
    /// Steps take far longer than ever before.
    RateFell,
}

impl Rule {
    /// Returns its name, for display and scripts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Stalled => "stalled",
            Self::NotFinite => "not-finite",
            Self::RateFell => "rate-fell",
        }
    }
}

/// The confidence of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confidence {
    /// There is no other explanation for the rows.
    Certain,
    /// The rows suggest it, but other circumstances are unknown.
    Likely,
}

impl Confidence {
    /// Returns the confidence in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
        }
    }
}

/// A problem of a run, with its evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The rule it follows from.
    pub rule: Rule,
    /// How certain it is.
    pub confidence: Confidence,
    /// A one-line description.
    pub text: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// The step at which it began.
    pub step: Option<i64>,
    /// The evidence, one fact per line.
    pub proof: Vec<String>,
}

/// All that is known of a run.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// Its current view.
    pub view: &'a View,
    /// Its events.
    pub events: &'a [EventLine],
    /// The summary of its rows.
    pub summary: &'a RunSummary,
    /// What the threads of its processes do; `None` if they cannot be observed from here.
    pub threads: Option<&'a [Thread]>,
    /// Free bytes on its disk, if known.
    pub free: Option<u64>,
    /// The current time.
    pub now: Timestamp,
    /// Whether times have their date and zone, however recent they are.
    pub dated: bool,
}

/// The result of a diagnosis.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Diagnosis {
    /// How the run ended, if it did not finish, or what it waits for in the queue.
    pub end: Option<String>,
    /// The verdicts, in the order in which they began.
    pub verdicts: Vec<Verdict>,
    /// What was examined, with the result.
    pub examined: Vec<String>,
}

impl Diagnosis {
    /// Returns the first verdict that the run's state does not already imply.
    pub fn first_new(&self, view: &View) -> Option<&Verdict> {
        let told = |v: &Verdict| match v.rule {
            Rule::Waits => view.status.waiting.is_some(),
            Rule::Stalled => view.gives_no_sign(),
            Rule::NotFinite | Rule::RateFell => false,
        };
        self.verdicts.iter().find(|v| !told(v))
    }

    /// Returns the output of `why --json`.
    pub fn to_json(&self, view: &View) -> Value {
        let verdicts: Vec<Value> = self
            .verdicts
            .iter()
            .map(|v| {
                json!({"rule": v.rule.word(), "confidence": v.confidence.word(), "text": v.text,
                    "since": v.since.map(|t| t.to_string()), "step": v.step, "proof": v.proof})
            })
            .collect();
        let held = view.queued.as_ref().and_then(|queued| queued.held.as_ref());
        let cause = view.status.cause.as_ref().or(held);
        json!({"run": view.manifest.run, "state": view.state.word(), "cause": cause, "verdicts": verdicts,
            "looked_at": self.examined})
    }
}

impl Evidence<'_> {
    /// Returns when a row was logged. `None` for a run imported from what tells no times: its rows have the time at
    /// which they were read.
    pub(super) fn time(&self, time_us: i64) -> Option<Timestamp> {
        let timed = self.view.manifest.import.is_none() || self.view.status.started.is_some();
        Timestamp::from_microsecond(time_us).ok().filter(|_| timed)
    }

    /// Formats a time, with its date and zone if the text is read elsewhere.
    pub(super) fn clock(&self, time: Timestamp) -> String {
        if self.dated { dated(time) } else { moment_at(time, self.now) }
    }

    /// Formats when a row was logged; empty if that is not known.
    pub(super) fn moment(&self, time_us: i64) -> String {
        self.time(time_us).map(|t| self.clock(t)).unwrap_or_default()
    }

    /// Formats the step of a row, and when it was logged if that is known: `at step 9, 14:31:02`.
    pub(super) fn place(&self, at: Point) -> String {
        let time = self.time(at.time_us).map(|t| format!(", {}", self.clock(t)));
        format!("at step {}{}", number::whole(at.step), time.unwrap_or_default())
    }
}

/// Formats `loss (deep · train)`.
pub(super) fn name(key: &SeriesKey) -> String {
    let line = crate::figure::series_name(key);
    clean(&line.map_or_else(|| key.metric.clone(), |line| format!("{} ({line})", key.metric)))
}
