//! From defaults, a preset and what the user sets to one value for each parameter.

use gradtop_store::{ParamValue, near};

use crate::error::ParamError;
use crate::plugin::desc::{ExperimentDesc, ParamDesc, ParamKind};

/// A value for every parameter, in the order declared: the default, changed by the preset, changed by `sets`.
/// Types, ranges and choices are checked; an unknown key or preset is answered with those that come near.
pub fn resolve_params(
    experiment: &ExperimentDesc,
    preset: Option<&str>,
    sets: &[(String, String)],
) -> Result<Vec<(String, ParamValue)>, ParamError> {
    let mut texts: Vec<&str> = experiment.params.iter().map(|p| p.default.as_str()).collect();
    if let Some(name) = preset {
        // `default` need not be declared: it is what parameters are without a preset.
        match experiment.presets.iter().find(|p| p.name == name) {
            Some(preset) => apply(experiment, &preset.values, &mut texts)?,
            None if name == "default" => {}
            None => {
                let all: Vec<String> = experiment.presets.iter().map(|p| p.name.clone()).collect();
                return Err(ParamError::UnknownPreset {
                    name: name.to_owned(),
                    near: near(name, all.iter().map(String::as_str)),
                    all,
                });
            }
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
            return Err(ParamError::Twice { key: key.clone() });
        }
        let Some(at) = experiment.params.iter().position(|p| p.key == *key) else {
            let all: Vec<String> = experiment.params.iter().map(|p| p.key.clone()).collect();
            return Err(ParamError::Unknown {
                key: key.clone(),
                near: near(key, all.iter().map(String::as_str)),
                all,
            });
        };
        texts[at] = value;
    }
    Ok(())
}

/// A parameter's value from text: typed, in range, one of the choices.
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
    match param.kind {
        ParamKind::I64 => {
            let value = parse_i64(text).ok_or_else(|| wrong("an integer"))?;
            check_range(param, text, |bound| Some(compare(value, bound)))?;
            Ok(ParamValue::Int(value))
        }
        ParamKind::F64 => {
            let value = parse_f64(text).ok_or_else(|| wrong("a number"))?;
            check_range(param, text, |bound| value.partial_cmp(&bound))?;
            Ok(ParamValue::Float(value))
        }
        ParamKind::Bool => parse_bool(text).map(ParamValue::Bool).ok_or_else(|| wrong("true or false")),
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

/// A number's text without blanks around it and without the underscores between its digits; `None` if one stands elsewhere.
fn plain(text: &str) -> Option<String> {
    let text = text.trim();
    let digit = |at: Option<usize>| at.and_then(|at| text.as_bytes().get(at)).is_some_and(u8::is_ascii_digit);
    let between = |at: usize| digit(at.checked_sub(1)) && digit(Some(at + 1));
    text.match_indices('_').all(|(at, _)| between(at)).then(|| text.replace('_', ""))
}

/// An integer, also as `1_000` or `1e6`.
fn parse_i64(text: &str) -> Option<i64> {
    let plain = plain(text)?;
    if let Ok(value) = plain.parse() {
        return Some(value);
    }
    if !plain.contains(['e', 'E']) {
        return None;
    }
    let float: f64 = plain.parse().ok()?;
    // Beyond 2^53 a float no longer says which integer is meant.
    (float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0).then_some(float as i64)
}

/// A finite number, also as `1_000.5`.
fn parse_f64(text: &str) -> Option<f64> {
    plain(text)?.parse().ok().filter(|value: &f64| value.is_finite())
}

fn parse_bool(text: &str) -> Option<bool> {
    match text.trim() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Compares without rounding the integer to a float.
fn compare(value: i64, bound: f64) -> std::cmp::Ordering {
    let whole = bound.floor();
    let order = i128::from(value).cmp(&(whole as i128));
    if order.is_eq() && bound > whole { std::cmp::Ordering::Less } else { order }
}

fn check_range(
    param: &ParamDesc,
    text: &str,
    compare: impl Fn(f64) -> Option<std::cmp::Ordering>,
) -> Result<(), ParamError> {
    let low = param.min.and_then(&compare);
    let high = param.max.and_then(&compare);
    let ok = low.is_none_or(|o| if param.min_excluded { o.is_gt() } else { o.is_ge() })
        && high.is_none_or(|o| if param.max_excluded { o.is_lt() } else { o.is_le() });
    if ok {
        return Ok(());
    }
    Err(ParamError::Range {
        key: param.key.clone(),
        value: text.to_owned(),
        range: param.range().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::plugin::desc::PresetDesc;

    fn param(key: &str, kind: ParamKind, default: &str) -> ParamDesc {
        ParamDesc {
            key: key.to_owned(),
            help: String::new(),
            unit: None,
            kind,
            default: default.to_owned(),
            choices: Vec::new(),
            min: None,
            max: None,
            min_excluded: false,
            max_excluded: false,
            log: false,
        }
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

    #[test]
    fn integers_are_compared_exactly() {
        use std::cmp::Ordering;
        assert_eq!(compare(i64::MAX, 9.3e18), Ordering::Less);
        assert_eq!(compare(9_007_199_254_740_993, 9_007_199_254_740_992.0), Ordering::Greater);
        assert_eq!(compare(1, 1.5), Ordering::Less);
        assert_eq!(compare(-1, -1.5), Ordering::Greater);
    }
}
