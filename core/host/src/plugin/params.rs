//! Resolves parameters from defaults, a preset and the user's settings.

use gradtop_abi::text::{self, Range};
use gradtop_store::{ParamValue, near};

use crate::error::ParamError;
use crate::plugin::desc::{ExperimentDesc, ParamDesc, ParamKind};

/// Returns a value for every parameter in declaration order: the default, overridden by the preset and then by `sets`.
/// Types, ranges and choices are checked; an unknown key or preset is reported with similar ones.
///
/// # Errors
/// The first invalid key, value or preset.
pub fn resolve_params(
    experiment: &ExperimentDesc,
    preset: Option<&str>,
    sets: &[(String, String)],
) -> Result<Vec<(String, ParamValue)>, ParamError> {
    let mut texts: Vec<&str> = experiment.params.iter().map(|p| p.default.as_str()).collect();
    if let Some(name) = preset {
        // `default` need not be declared: it means the parameters without a preset.
        match experiment.presets.iter().find(|p| p.name == name) {
            Some(preset) => apply(experiment, &preset.values, &mut texts)?,
            None if name == "default" => {}
            None => return Err(unknown("preset", name, experiment.presets.iter().map(|p| &p.name))),
        }
    }
    apply(experiment, sets, &mut texts)?;
    experiment.params.iter().zip(texts).map(|(p, text)| Ok((p.key.clone(), parse_param(p, text)?))).collect()
}

fn apply<'a>(
    experiment: &ExperimentDesc,
    values: &'a [(String, String)],
    texts: &mut [&'a str],
) -> Result<(), ParamError> {
    for (i, (key, value)) in values.iter().enumerate() {
        if values[..i].iter().any(|(k, _)| k == key) {
            return Err(ParamError::Twice(key.clone()));
        }
        let at = experiment.params.iter().position(|p| p.key == *key);
        let at = at.ok_or_else(|| unknown("parameter", key, experiment.params.iter().map(|p| &p.key)))?;
        texts[at] = value;
    }
    Ok(())
}

fn unknown<'a>(what: &'static str, name: &str, all: impl Iterator<Item = &'a String>) -> ParamError {
    let all: Vec<String> = all.cloned().collect();
    ParamError::Unknown { what, name: name.to_owned(), near: near(name, all.iter().map(String::as_str)), all }
}

/// Parses a parameter's value and checks its type, range and choices.
///
/// # Errors
/// The value is of the wrong type, out of range or not one of the choices.
pub fn parse_param(param: &ParamDesc, text: &str) -> Result<ParamValue, ParamError> {
    let wrong = |wanted: &str| ParamError::Type {
        key: param.key.clone(),
        value: text.to_owned(),
        wanted: match param.range() {
            Some(range) if range.starts_with(['[', '(']) => format!("{wanted} in {range}"),
            Some(range) => format!("{wanted} {range}"),
            None => wanted.to_owned(),
        },
    };
    let outside = || ParamError::Range {
        key: param.key.clone(),
        value: text.to_owned(),
        range: param.range().unwrap_or_default(),
    };
    match param.kind {
        ParamKind::I64 => {
            let value = text::integer(text).ok_or_else(|| wrong("an integer"))?;
            if bounds(param).has_integer(value) { Ok(ParamValue::Int(value)) } else { Err(outside()) }
        }
        ParamKind::F64 => {
            let value = text::float(text).ok_or_else(|| wrong("a number"))?;
            if bounds(param).has(value) { Ok(ParamValue::Float(value)) } else { Err(outside()) }
        }
        ParamKind::Bool => text::boolean(text).map(ParamValue::Bool).ok_or_else(|| wrong("true or false")),
        ParamKind::Str => {
            if text.contains('\0') {
                return Err(wrong("text without a null character"));
            }
            Ok(ParamValue::Text(text.to_owned()))
        }
        ParamKind::Choice => {
            if param.choices.iter().any(|c| c == text) {
                return Ok(ParamValue::Text(text.to_owned()));
            }
            Err(ParamError::Choice {
                key: param.key.clone(),
                value: text.to_owned(),
                near: near(text, param.choices.iter().map(String::as_str)),
                choices: param.choices.clone(),
            })
        }
    }
}

fn bounds(param: &ParamDesc) -> Range {
    Range {
        min: param.min.unwrap_or(f64::NEG_INFINITY),
        max: param.max.unwrap_or(f64::INFINITY),
        min_excluded: param.min_excluded,
        max_excluded: param.max_excluded,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::plugin::desc::PresetDesc;

    fn param(key: &str, kind: ParamKind, default: &str) -> ParamDesc {
        ParamDesc { kind, default: default.to_owned(), ..ParamDesc::text(key) }
    }

    fn experiment() -> ExperimentDesc {
        let lr = ParamDesc {
            min: Some(0.0),
            max: Some(10.0),
            min_excluded: true,
            ..param("lr", ParamKind::F64, "0.1")
        };
        let steps = ParamDesc { min: Some(1.0), ..param("steps", ParamKind::I64, "200") };
        let shape = ParamDesc {
            choices: vec!["sinc".to_owned(), "sine".to_owned()],
            ..param("function", ParamKind::Choice, "sinc")
        };
        ExperimentDesc {
            id: "demo".to_owned(),
            name: "Demo".to_owned(),
            version: "1".to_owned(),
            summary: String::new(),
            resumable: false,
            uses_device: false,
            params: vec![lr, steps, shape, param("noise", ParamKind::Bool, "false")],
            presets: vec![PresetDesc {
                name: "quick".to_owned(),
                help: String::new(),
                values: vec![("steps".to_owned(), "50".to_owned())],
            }],
            metrics: Vec::new(),
            figures: None,
        }
    }

    fn set(key: &str, value: &str) -> Result<Vec<(String, ParamValue)>, ParamError> {
        resolve_params(&experiment(), None, &[(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn defaults_preset_and_sets_apply_in_this_order() {
        let e = experiment();
        let values = resolve_params(&e, None, &[]).unwrap();
        assert_eq!(values[1], ("steps".to_owned(), ParamValue::Int(200)));
        let values = resolve_params(&e, Some("quick"), &[]).unwrap();
        assert_eq!(values[1].1, ParamValue::Int(50));
        let values = resolve_params(&e, Some("quick"), &[("steps".to_owned(), "1e3".to_owned())]).unwrap();
        assert_eq!(values[1].1, ParamValue::Int(1000));
        assert_eq!(values.len(), 4);
    }

    #[test]
    fn ranges_hold_at_their_ends() {
        assert!(set("lr", "10").is_ok());
        assert!(matches!(set("lr", "0"), Err(ParamError::Range { .. })));
        assert!(matches!(set("lr", "inf"), Err(ParamError::Type { .. })));
        assert!(matches!(set("lr", "nan"), Err(ParamError::Type { .. })));
        assert!(set("steps", "1").is_ok());
        assert!(matches!(set("steps", "0"), Err(ParamError::Range { .. })));
        assert!(matches!(set("steps", "1.5"), Err(ParamError::Type { .. })));
        assert!(matches!(set("steps", "9223372036854775808"), Err(ParamError::Type { .. })));
        assert_eq!(set("lr", "-1").unwrap_err().to_string(), "lr = -1 is outside (0, 10]");
    }

    #[test]
    fn near_misses_are_suggested() {
        assert_eq!(
            set("stesp", "1").unwrap_err().to_string(),
            "there is no parameter \"stesp\"; did you mean steps?"
        );
        assert_eq!(
            set("function", "sinus").unwrap_err().to_string(),
            "function = \"sinus\": expected one of sinc, sine; did you mean sinc or sine?"
        );
        assert_eq!(
            resolve_params(&experiment(), Some("full"), &[]).unwrap_err().to_string(),
            "there is no preset \"full\"; it has: quick"
        );
    }

    /// The SDK has the same test.
    #[test]
    fn text_means_what_the_abi_says() {
        for case in include_str!("../../../abi/tests/parameters.txt").lines().filter(|l| !l.starts_with('#'))
        {
            let [kind, text, meaning] = case.split('|').collect::<Vec<_>>()[..] else { panic!("{case}") };
            let kind = match kind {
                "i64" => ParamKind::I64,
                "f64" => ParamKind::F64,
                "bool" => ParamKind::Bool,
                "str" => ParamKind::Str,
                _ => ParamKind::Choice,
            };
            let choices = vec!["sinc".to_owned(), "sign".to_owned()];
            let value = match parse_param(&ParamDesc { choices, ..param("p", kind, "") }, text) {
                Ok(ParamValue::Int(value)) => value.to_string(),
                Ok(ParamValue::Float(value)) => format!("{value:?}"),
                Ok(ParamValue::Bool(value)) => value.to_string(),
                Ok(ParamValue::Text(value)) => value,
                Err(_) => "-".to_owned(),
            };
            assert_eq!(value, meaning, "{case}");
        }
    }
}
