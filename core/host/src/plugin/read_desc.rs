//! Reads descriptors and checks all their rules.

#![allow(unsafe_code, reason = "walks descriptors of plugins through `guard`")]

use std::collections::{BTreeMap, HashSet};

use gradtop_abi::{Desc, Kv, desc_flag, goal, metric_flag, param_flag, param_type};
use gradtop_store::{Goal, MetricInfo};

use crate::error::Refusal;
use crate::plugin::desc::{ExperimentDesc, ParamDesc, ParamKind, PresetDesc};
use crate::plugin::guard::{self, Bad, FIGURES_LIMIT, LIST_LIMIT, Sized32, TEXT_LIMIT};
use crate::plugin::params;
use crate::text::clean;

/// Reads the experiments of a plugin; things that are odd but allowed are added to `warnings`.
pub(crate) fn experiments(
    n: u32,
    describe: impl Fn(u32) -> *const Desc,
    warnings: &mut Vec<String>,
) -> Result<Vec<ExperimentDesc>, Refusal> {
    if n == 0 {
        return Err(bad("count()", "it has 0 experiments, at least one is needed"));
    }
    if u64::from(n) > LIST_LIMIT {
        return Err(bad("count()", format!("it has {n} experiments, at most {LIST_LIMIT} are allowed")));
    }
    let mut found: Vec<ExperimentDesc> = Vec::new();
    let mut odd = Odd::default();
    for index in 0..n {
        let desc = describe(index);
        if desc.is_null() {
            return Err(Refusal::NoDescriptor { index, words: String::new() });
        }
        let next = experiment(&format!("experiment {index}"), desc, &mut odd)?;
        if found.iter().any(|e| e.id == next.id) {
            return Err(bad(&format!("experiment {index}"), format!("id {:?} is used twice", next.id)));
        }
        found.push(next);
    }
    warnings.extend(odd.iter().map(|(what, whose)| match whose.as_slice() {
        [first, _, _, _, ..] => format!("{first} and {} others: {what}", whose.len() - 1),
        whose => format!("{}: {what}", whose.join(", ")),
    }));
    Ok(found)
}

/// Warnings with the experiments they concern, which often share their figures.
type Odd = BTreeMap<String, Vec<String>>;

fn bad(place: &str, problem: impl Into<String>) -> Refusal {
    Refusal::BadDescriptor { place: place.to_owned(), problem: problem.into() }
}

/// Adds the place to a read error.
trait At<T> {
    fn at(self, place: &str, what: &str) -> Result<T, Refusal>;
}
impl<T> At<T> for Result<T, Bad> {
    fn at(self, place: &str, what: &str) -> Result<T, Refusal> {
        self.map_err(|e| match e {
            Bad::TooShort { found, needed } => {
                Refusal::TooShort { what: format!("{what} of {place}"), found, needed }
            }
            other => bad(place, format!("{what} {other}")),
        })
    }
}

/// Reads a string for display; control characters are escaped.
fn shown(p: *const core::ffi::c_char, place: &str, what: &str) -> Result<String, Refusal> {
    // SAFETY: descriptors contain null or immortal C strings (R3).
    let text = unsafe { guard::text(p, TEXT_LIMIT) }.at(place, what)?;
    Ok(clean(&text))
}

fn shown_or_none(p: *const core::ffi::c_char, place: &str, what: &str) -> Result<Option<String>, Refusal> {
    if p.is_null() { Ok(None) } else { shown(p, place, what).map(Some) }
}

/// Reads a string that is used verbatim and so must not contain control characters.
fn exact(p: *const core::ffi::c_char, place: &str, what: &str) -> Result<String, Refusal> {
    // SAFETY: as in `shown`.
    let text = unsafe { guard::text(p, TEXT_LIMIT) }.at(place, what)?;
    if text.chars().any(crate::text::is_harmful) {
        return Err(bad(place, format!("{what} \"{}\" has control characters", clean(&text))));
    }
    Ok(text)
}

/// Reads the structs that a descriptor points to.
fn list<T: Sized32>(p: *const *const T, n: u64, place: &str, what: &str) -> Result<Vec<T>, Refusal> {
    // SAFETY: descriptors contain null or arrays with the stated number of pointers.
    let pointers = unsafe { guard::slice(p, n, LIST_LIMIT) }.at(place, &format!("{what}s"))?;
    pointers
        .iter()
        .enumerate()
        .map(|(i, p)| {
            // SAFETY: each is null or points to an immortal struct that states its size.
            unsafe { guard::sized(*p) }.at(place, &format!("{what} {i}"))
        })
        .collect()
}

fn is_id(text: &str, also: char) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == also)
}

fn experiment(place: &str, desc: *const Desc, odd: &mut Odd) -> Result<ExperimentDesc, Refusal> {
    // SAFETY: null, or an immortal struct that states its size.
    let raw = unsafe { guard::sized(desc) }.at(place, "descriptor")?;
    let id = exact(raw.id, place, "id")?;
    if !is_id(&id, '-') {
        return Err(bad(place, format!("id {id:?} is not [a-z][a-z0-9-]*, at most 64 characters")));
    }
    let place = id.as_str();
    let params = read_params(place, &raw)?;
    let presets = read_presets(place, &raw, &params)?;
    let mut metrics = read_metrics(place, &raw)?;
    let figures = if raw.figures.is_null() {
        None
    } else {
        // SAFETY: an immortal C string.
        let text = unsafe { guard::text(raw.figures, FIGURES_LIMIT) }.at(place, "figures")?;
        let (file, unknown) =
            gradtop_store::figures::parse_and_warn(&text).map_err(|e| bad(place, clean(&e.to_string())))?;
        let undeclared = gradtop_store::figures::undeclared(&file, &metrics);
        for what in unknown.iter().chain(&undeclared) {
            odd.entry(clean(what)).or_default().push(place.to_owned());
        }
        for (metric, split) in file.headline {
            let Some(info) = metrics.iter_mut().find(|m| m.name == metric) else {
                return Err(bad(place, format!("headline: there is no metric {:?}", clean(&metric))));
            };
            info.headline_of = Some(split);
        }
        Some(text)
    };
    Ok(ExperimentDesc {
        name: shown(raw.name, place, "name")?,
        version: shown(raw.version, place, "version")?,
        summary: shown(raw.summary, place, "summary")?,
        resumable: raw.flags & desc_flag::RESUMABLE != 0,
        uses_device: raw.flags & desc_flag::USES_DEVICE != 0,
        params,
        presets,
        metrics,
        figures,
        id,
    })
}

fn read_params(place: &str, desc: &Desc) -> Result<Vec<ParamDesc>, Refusal> {
    let mut keys = HashSet::new();
    let mut out = Vec::new();
    for (i, raw) in list(desc.params, desc.n_params, place, "parameter")?.into_iter().enumerate() {
        let key = exact(raw.key, place, &format!("key of parameter {i}"))?;
        let at = format!("{place}, parameter {key}");
        if !is_id(&key, '_') {
            return Err(bad(&at, "its key is not [a-z][a-z0-9_]*, at most 64 characters"));
        }
        if !keys.insert(key.clone()) {
            return Err(bad(&at, "is declared twice"));
        }
        let kind = match raw.kind {
            param_type::I64 => ParamKind::I64,
            param_type::F64 => ParamKind::F64,
            param_type::BOOL => ParamKind::Bool,
            param_type::STR => ParamKind::Str,
            param_type::CHOICE => ParamKind::Choice,
            other => return Err(bad(&at, format!("has the unknown type {other}"))),
        };
        let ranged = matches!(kind, ParamKind::I64 | ParamKind::F64);
        if ranged && (raw.min.is_nan() || raw.max.is_nan()) {
            return Err(bad(&at, "its range is NaN: use -INFINITY and INFINITY where it is unbounded"));
        }
        let min = Some(raw.min).filter(|_| ranged && raw.min != f64::NEG_INFINITY);
        let max = Some(raw.max).filter(|_| ranged && raw.max != f64::INFINITY);
        if ranged && raw.min > raw.max {
            return Err(bad(&at, format!("its minimum {} is above its maximum {}", raw.min, raw.max)));
        }
        // SAFETY: null or an array of immortal C strings.
        let pointers = unsafe { guard::slice(raw.choices, raw.n_choices, LIST_LIMIT) }.at(&at, "choices")?;
        let mut choices: Vec<String> = Vec::new();
        for (i, p) in pointers.iter().enumerate() {
            let choice = exact(*p, &at, &format!("choice {i}"))?;
            if choices.contains(&choice) {
                return Err(bad(&at, format!("choice {choice:?} is listed twice")));
            }
            choices.push(choice);
        }
        if kind == ParamKind::Choice && choices.is_empty() {
            return Err(bad(&at, "is a choice, but lists no choices"));
        }
        let param = ParamDesc {
            help: shown(raw.help, &at, "help")?,
            unit: shown_or_none(raw.unit, &at, "unit")?,
            default: exact(raw.default_value, &at, "default")?,
            kind,
            choices,
            min,
            max,
            min_excluded: raw.flags & param_flag::MIN_EXCLUDED != 0,
            max_excluded: raw.flags & param_flag::MAX_EXCLUDED != 0,
            log: raw.flags & param_flag::LOG != 0,
            key,
        };
        params::parse_param(&param, &param.default)
            .map_err(|e| bad(&at, format!("its default is invalid: {e}")))?;
        out.push(param);
    }
    Ok(out)
}

fn read_presets(place: &str, desc: &Desc, params: &[ParamDesc]) -> Result<Vec<PresetDesc>, Refusal> {
    let mut out: Vec<PresetDesc> = Vec::new();
    for (i, raw) in list(desc.presets, desc.n_presets, place, "preset")?.into_iter().enumerate() {
        let name = exact(raw.name, place, &format!("name of preset {i}"))?;
        let at = format!("{place}, preset {name}");
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(bad(&at, "its name is empty or has blanks"));
        }
        if out.iter().any(|p| p.name == name) {
            return Err(bad(&at, "is declared twice"));
        }
        // SAFETY: null or an immortal array of pairs; raw pointers are valid for any bits.
        let pairs: &[Kv] = unsafe { guard::slice(raw.values, raw.n_values, LIST_LIMIT) }.at(&at, "values")?;
        let mut values: Vec<(String, String)> = Vec::new();
        for (i, pair) in pairs.iter().enumerate() {
            let key = exact(pair.key, &at, &format!("key {i}"))?;
            let value = exact(pair.value, &at, &format!("value of {key}"))?;
            let Some(param) = params.iter().find(|p| p.key == key) else {
                return Err(bad(&at, format!("sets {key:?}, which is not a parameter")));
            };
            if values.iter().any(|(k, _)| *k == key) {
                return Err(bad(&at, format!("sets {key} twice")));
            }
            params::parse_param(param, &value).map_err(|e| bad(&at, e.to_string()))?;
            values.push((key, value));
        }
        out.push(PresetDesc { help: shown(raw.help, &at, "help")?, name, values });
    }
    Ok(out)
}

fn read_metrics(place: &str, desc: &Desc) -> Result<Vec<MetricInfo>, Refusal> {
    let mut names = HashSet::new();
    let mut out = Vec::new();
    for (i, raw) in list(desc.metrics, desc.n_metrics, place, "metric")?.into_iter().enumerate() {
        let name = exact(raw.name, place, &format!("name of metric {i}"))?;
        let at = format!("{place}, metric {name}");
        check_label(&name).map_err(|problem| bad(&at, format!("its name {problem}")))?;
        if !names.insert(name.clone()) {
            return Err(bad(&at, "is declared twice"));
        }
        let goal = match raw.goal {
            goal::NONE => Goal::None,
            goal::MIN => Goal::Min,
            goal::MAX => Goal::Max,
            other => return Err(bad(&at, format!("has the unknown goal {other}"))),
        };
        out.push(MetricInfo {
            unit: shown_or_none(raw.unit, &at, "unit")?,
            help: shown(raw.help, &at, "help")?,
            goal,
            headline: raw.flags & metric_flag::HEADLINE != 0,
            headline_of: None,
            guard: raw.flags & metric_flag::GUARD != 0,
            log: raw.flags & metric_flag::LOG != 0,
            wall_clock: raw.flags & metric_flag::WALL_CLOCK != 0,
            name,
        });
    }
    Ok(out)
}

/// Checks that a text can name a metric, model or split; the error is a phrase that follows "its name".
pub(crate) fn check_label(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("is empty");
    }
    if text.len() > 200 {
        return Err("is longer than 200 bytes");
    }
    if text.chars().any(crate::text::is_harmful) {
        return Err("has control characters");
    }
    if text.trim() != text {
        return Err("begins or ends with a blank");
    }
    Ok(())
}
