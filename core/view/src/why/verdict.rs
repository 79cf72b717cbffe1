//! What a verdict is, and what it is made from.

use gradtop_host::text::clean;
use gradtop_host::threads::Thread;
use gradtop_store::{EventLine, SeriesKey, View};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::record::Record;
use crate::clock::moment_at;

/// What a verdict follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Rows wait for the disk, or training waited for its log.
    Waits,
    /// No row for far longer than ever before, and its processes do nothing.
    Stalled,
    /// A series was finite and no longer is.
    NotFinite,
    /// Steps take far longer than ever before.
    RateFell,
}

impl Rule {
    /// Its name, for people and scripts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Stalled => "stalled",
            Self::NotFinite => "not-finite",
            Self::RateFell => "rate-fell",
        }
    }
}

/// How sure a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confidence {
    /// The rows leave no other explanation.
    Certain,
    /// The rows say so, but not what else was going on.
    Likely,
}

impl Confidence {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
        }
    }
}

/// What is wrong with a run, and how that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What it follows from.
    pub rule: Rule,
    /// How sure it is.
    pub confidence: Confidence,
    /// In one line.
    pub text: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// The step it began at.
    pub step: Option<i64>,
    /// What proves it, one fact a line.
    pub proof: Vec<String>,
}

/// All that is known of a run.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// How it is.
    pub view: &'a View,
    /// What happened to it.
    pub events: &'a [EventLine],
    /// What its rows say.
    pub record: &'a Record,
    /// What the threads of its processes do; `None` where they cannot be seen from here.
    pub threads: Option<&'a [Thread]>,
    /// Bytes free on its disk, where that is known.
    pub free: Option<u64>,
    /// The time it is.
    pub now: Timestamp,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Diagnosis {
    /// How a run that did not finish ended.
    pub end: Option<String>,
    /// What is wrong, what began first first.
    pub verdicts: Vec<Verdict>,
    /// What was looked at, and what it looked like.
    pub looked: Vec<String>,
}

impl Diagnosis {
    /// The first verdict that a run's state does not tell already.
    pub fn news(&self, view: &View) -> Option<&Verdict> {
        let told = |v: &Verdict| match v.rule {
            Rule::Waits => view.status.waiting.is_some(),
            Rule::Stalled => view.silent_for().is_some(),
            Rule::NotFinite | Rule::RateFell => false,
        };
        self.verdicts.iter().find(|v| !told(v))
    }

    /// As `why --json` prints it.
    pub fn to_json(&self, view: &View) -> Value {
        let verdicts: Vec<Value> = self
            .verdicts
            .iter()
            .map(|v| {
                json!({"rule": v.rule.word(), "confidence": v.confidence.word(), "text": v.text,
                    "since": v.since.map(|t| t.to_string()), "step": v.step, "proof": v.proof})
            })
            .collect();
        json!({"run": view.manifest.run, "state": view.state.word(), "cause": view.status.cause, "verdicts": verdicts,
            "looked_at": self.looked})
    }
}

impl Known<'_> {
    pub(super) fn moment(&self, time_us: i64) -> String {
        time(time_us).map(|t| moment_at(t, self.now)).unwrap_or_default()
    }
}

pub(super) fn time(time_us: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(time_us).ok()
}

/// `loss (deep · train)`.
pub(super) fn name(key: &SeriesKey) -> String {
    let line = crate::figure::name_of(key.model.as_deref(), key.split.as_deref(), key.trial);
    clean(&line.map_or_else(|| key.metric.clone(), |line| format!("{} ({line})", key.metric)))
}
