//! The language that filters the list of runs: `state:running lr<0.01 flat*`.
//!
//! A bare word matches part of the run's or experiment's name; with `*` or `?` it must match one of them completely.
//! `key:text` compares text (`state:running`, `tag:best`, `is:starred`, `note:diverges`, `function:sin*`); `key<number`
//! and `<= > >= = !=` compare numbers, including parameters, headline metrics and durations (`age<2h`). Adjacent terms
//! must all hold; `OR`, `NOT` (or `-`) and parentheses work as usual, and quotes keep spaces together.

mod parse;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use gradtop_host::Than;
use gradtop_host::text::clean;
use gradtop_store::{Goal, ParamValue, View};
use jiff::Timestamp;

use super::field::{Asked, FIELDS, Field};
use crate::run::headline;
use crate::run::param::brief;

/// What is wrong with a filter, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// The character it is about, counted from 0.
    pub at: usize,
    /// In words.
    pub message: String,
}

impl Default for Filter {
    /// Takes every run.
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

/// A filter that was understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of them hold; true of none.
    All(Vec<Filter>),
    /// At least one holds.
    Any(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// A word in name or experiment.
    Word(Pattern),
    /// A field is this text.
    Text(String, Pattern),
    /// A field compares so with a number.
    Number(String, Compare, f64),
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Of the order.
    Than(Than),
    /// `=`
    Is,
    /// `!=`
    IsNot,
}

impl Compare {
    fn holds(self, a: f64, b: f64) -> bool {
        // 0.001 typed and 1e-3 computed are the same to a person.
        let near = a.is_finite() && b.is_finite() && (a - b).abs() <= 1e-9 * a.abs().max(b.abs());
        let same = a == b || near;
        match self {
            Self::Than(than) => than.holds(a, if same { a } else { b }),
            Self::Is => same,
            Self::IsNot => !same,
        }
    }
}

/// Text to look for, without regard to case: anywhere, or matching all if it has `*` or `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    fn new(text: &str) -> Self {
        Self(text.to_lowercase())
    }

    fn has_jokers(&self) -> bool {
        self.0.contains(['*', '?'])
    }

    /// Whether it is part of the text, or matches all of it by its jokers.
    fn within(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        if self.has_jokers() { glob(&self.0, &text) } else { text.contains(&self.0) }
    }

    /// Whether it is the text, or matches all of it by its jokers.
    fn is(&self, text: &str) -> bool {
        glob(&self.0, &text.to_lowercase())
    }
}

/// Returns the names that a word means: the one that it is, else those that match its jokers, regardless of case.
pub fn named<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let pattern = Pattern::new(word);
    let mut found: Vec<&str> =
        names.into_iter().filter(|name| *name == word || pattern.has_jokers() && pattern.is(name)).collect();
    if let Some(own) = found.iter().position(|name| *name == word) {
        found = vec![found[own]];
    }
    found
}

/// `*` is any text, `?` any one character.
fn glob(pattern: &str, text: &str) -> bool {
    let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut i, mut j) = (0, 0);
    // Where the last `*` was, and how much it has swallowed.
    let mut star: Option<(usize, usize)> = None;
    while j < t.len() {
        if i < p.len() && p[i] == '*' {
            star = Some((i, j));
            i += 1;
        } else if i < p.len() && (p[i] == '?' || p[i] == t[j]) {
            (i, j) = (i + 1, j + 1);
        } else if let Some((at, swallowed)) = star {
            star = Some((at, swallowed + 1));
            (i, j) = (at + 1, swallowed + 1);
        } else {
            return false;
        }
    }
    p[i..].iter().all(|c| *c == '*')
}

/// Before the name of a parameter that may be called as a field is that every run has.
pub const PARAM: &str = "param:";
impl Filter {
    /// Reads a filter; an empty one takes every run.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::parse(text)
    }

    /// Whether the run is wanted.
    pub fn takes(&self, run: &View, now: Timestamp) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|p| p.takes(run, now)),
            Self::Any(parts) => parts.iter().any(|p| p.takes(run, now)),
            Self::Not(part) => !part.takes(run, now),
            Self::Word(pattern) => {
                let (run, experiment) = (&run.manifest.run, &run.manifest.experiment.id);
                let whole = || pattern.within(&format!("{experiment}/{run}"));
                pattern.within(run) || pattern.within(experiment) || pattern.0.contains('/') && whole()
            }
            Self::Text(field, pattern) => text(run, field, pattern),
            Self::Number(field, compare, number) => {
                numbers(run, field, now).into_iter().any(|v| compare.holds(v, *number))
            }
        }
    }

    /// The fields it names that no run has: a hint for who types.
    pub fn unknown(&self, runs: &[&View]) -> Vec<String> {
        let mut fields = Vec::new();
        self.fields(&mut fields);
        fields.retain(|field| !is_own(field) && !runs.iter().any(|run| has(run, field)));
        fields
    }

    /// Whether it asks for this field.
    pub fn names(&self, field: &str) -> bool {
        let mut fields = Vec::new();
        self.fields(&mut fields);
        fields.iter().any(|named| named == field)
    }

    fn fields(&self, out: &mut Vec<String>) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|p| p.fields(out)),
            Self::Not(part) => part.fields(out),
            Self::Word(_) => {}
            Self::Text(field, _) | Self::Number(field, ..) => out.push(field.clone()),
        }
    }
}

/// Names of the parameters and headline metrics of these runs, each once, those of most runs first.
pub fn fields_of<'a>(runs: impl Iterator<Item = &'a View>) -> Vec<String> {
    let mut fields: Vec<String> = Vec::new();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for run in runs {
        let params = run.manifest.params.iter().map(|(key, _)| key);
        let own = |name: &String| if is_own(name) { format!("{PARAM}{name}") } else { name.clone() };
        let params = params.map(own);
        let of_run: BTreeSet<String> = params.chain(headlines(run).map(str::to_owned)).collect();
        for field in of_run {
            let count = counts.entry(field.clone()).or_default();
            *count += 1;
            fields.extend((*count == 1).then_some(field));
        }
    }
    fields.sort_by_key(|field| Reverse(counts[field]));
    fields
}

/// Every field that a filter of these runs may name, those that not every run has first.
pub fn fields<'a>(runs: impl Iterator<Item = &'a View>) -> Vec<String> {
    let own = FIELDS.iter().map(Field::name).filter(|name| is_own(name));
    fields_of(runs).into_iter().chain(own.map(str::to_owned)).collect()
}

/// Whether every run has it.
fn is_own(field: &str) -> bool {
    Field::asked(field).is_some()
}

fn param<'a>(run: &'a View, field: &str) -> Option<&'a ParamValue> {
    super::field::param(run, field.strip_prefix(PARAM).unwrap_or(field))
}

fn has(run: &View, field: &str) -> bool {
    param(run, field).is_some() || headlines(run).any(|metric| metric.eq_ignore_ascii_case(field))
}

/// The metrics whose last values a list knows, declared or logged.
fn headlines(run: &View) -> impl Iterator<Item = &str> {
    let declared = run.manifest.metrics.iter().filter(|m| m.headline).map(|m| m.name.as_str());
    declared.chain(run.status.headline.iter().map(|h| h.key.metric.as_str()))
}

/// Says why a list knows no such field, if it is a metric of some run.
pub fn why_unknown<'a>(field: &str, mut runs: impl Iterator<Item = &'a View>) -> Option<String> {
    let is_metric = runs.any(|run| run.manifest.metrics.iter().any(|m| m.name.eq_ignore_ascii_case(field)));
    let why = "is not a headline metric, and lists know the last values of those only";
    is_metric.then(|| format!("{:?} {why}", clean(field)))
}

fn text(run: &View, field: &str, pattern: &Pattern) -> bool {
    match (Field::asked(field).map(|field| &field.asked), param(run, field)) {
        (Some(Asked::Part(of)), _) => pattern.within(of(run).unwrap_or_default()),
        (Some(Asked::Whole(of)), _) => of(run).into_iter().any(|text| pattern.is(text)),
        (None, Some(value)) => pattern.is(&value.to_string()) || pattern.is(&brief(value)),
        _ => numbers(run, field, Timestamp::UNIX_EPOCH).iter().any(|v| pattern.is(&v.to_string())),
    }
}

/// The values a number is compared with: none if the run has no such field, one of each series of a metric.
fn numbers(run: &View, field: &str, now: Timestamp) -> Vec<f64> {
    match (Field::asked(field), param(run, field)) {
        (Some(field), _) => field.value(run, now).into_iter().collect(),
        (None, Some(ParamValue::Text(v))) => v.parse().ok().into_iter().collect(),
        (None, Some(value)) => value.number().into_iter().collect(),
        (None, None) => best(run, field),
    }
}

/// Of a metric with a goal the best series counts, as in the list; of one without, any.
fn best(run: &View, metric: &str) -> Vec<f64> {
    let headlines = headline::all(run);
    let Some(headline) = headlines.iter().find(|h| h.metric.eq_ignore_ascii_case(metric)) else {
        return Vec::new();
    };
    match headline.info.map(|i| i.goal) {
        Some(Goal::Min | Goal::Max) => headline.line().map(|l| l.value).into_iter().collect(),
        _ => headline.lines.iter().map(|l| l.value).collect(),
    }
}
