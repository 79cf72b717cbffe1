//! Messages to a sink: JSON of the protocol `gradtop.lines/1`, or `12 loss/train=0.31` as a shell writes it.

use gradtop_store::{
    ColumnData, MetricInfo, ParamValue, SeriesKey, TableColumn, non_finite, plain_words, strict_json,
};
use serde::Deserialize;
use serde_json::{Map, Value};

pub(crate) const PROTOCOL: &str = "gradtop.lines/1";

/// A message from a client to the sink.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Message {
    /// The first line of a client.
    Hello {
        protocol: String,
        /// Its rank among the processes that train together, and their number.
        #[serde(default)]
        rank: u32,
        world: Option<u32>,
    },
    /// Declares the series of the values in rows of this shape.
    Shape { shape: u32, series: Vec<Value> },
    /// Values of a step.
    Log {
        #[serde(default, deserialize_with = "log_step")]
        step: Option<i64>,
        epoch: Option<f64>,
        values: Map<String, Value>,
        /// The part of a shell's line that is not a value.
        #[serde(skip)]
        odd: Option<String>,
    },
    /// Parameters to add to the run.
    Params { params: Map<String, Value> },
    /// Versions of the client's interpreter and libraries.
    Versions { python: Option<String>, torch: Option<String> },
    /// Declaration of a metric.
    Metric(MetricInfo),
    /// Rows of a table.
    Table {
        name: String,
        #[serde(default)]
        step: i64,
        columns: Vec<Column>,
    },
    /// Figures as TOML.
    Figures { toml: String },
    /// The progress of the work.
    Progress {
        done: u64,
        #[serde(default)]
        total: u64,
        phase: Option<String>,
    },
    /// Asks for a folder to save a checkpoint into.
    Checkpoint { step: i64 },
    /// Reports that the folder is complete, or the error.
    Saved { error: Option<String> },
    /// A line to log.
    Text { level: Option<String>, text: String },
    /// Announces that the client checks for requests between steps.
    Listen,
    /// Reports that the client is paused.
    Paused,
    /// Reports that the client continues.
    Unpaused,
    /// Reports how many points were dropped.
    Waited { dropped: u64 },
    /// Ends the log, with the error if the work failed.
    Finish { error: Option<String> },
}

/// A column of a table; its type follows from its values.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Column {
    name: String,
    unit: Option<String>,
    values: Vec<Value>,
}

impl Column {
    /// # Errors
    /// The values are of different types.
    pub(crate) fn into_store(self) -> Result<TableColumn, String> {
        let Self { name, unit, values } = self;
        let is_text = |v: &Value| v.is_string() && number(v).is_none();
        let data = if values.iter().all(Value::is_i64) && !values.is_empty() {
            ColumnData::I64(values.iter().filter_map(Value::as_i64).collect())
        } else if values.iter().any(is_text) {
            let text = |v: Value| match v {
                Value::String(text) => text,
                other => other.to_string(),
            };
            ColumnData::Utf8(values.into_iter().map(text).collect())
        } else {
            let cell = |value: &Value| if value.is_null() { Some(f64::NAN) } else { number(value) };
            let numbers: Option<Vec<f64>> = values.iter().map(cell).collect();
            ColumnData::F64(
                numbers.ok_or_else(|| format!("column {name:?} holds more than numbers or texts"))?,
            )
        };
        Ok(TableColumn { name, unit, data })
    }
}

/// Returns a number; JSON represents NaN and infinities as text.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(yes) => Some(f64::from(u8::from(*yes))),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => non_finite(text),
        _ => None,
    }
}

/// Converts a parameter's value; anything other than a number or text is kept as JSON.
pub(crate) fn param(value: Value) -> ParamValue {
    match value {
        Value::Bool(yes) => ParamValue::Bool(yes),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => ParamValue::Int(whole),
            (None, Some(float)) => ParamValue::Float(float),
            (None, None) => ParamValue::Text(number.to_string()),
        },
        Value::String(text) => ParamValue::Text(text),
        other => ParamValue::Text(other.to_string()),
    }
}

const SPLITS: [&str; 8] = ["train", "training", "val", "valid", "validation", "dev", "eval", "test"];

/// Parses a series name: `loss/train` and `train/loss` are the loss on the training split; any other name is a metric.
pub(crate) fn key_of(name: &str) -> SeriesKey {
    let of = |metric: &str, split: &str| {
        (!metric.is_empty() && SPLITS.contains(&split))
            .then(|| SeriesKey { split: Some(split.to_owned()), ..SeriesKey::metric(metric) })
    };
    let last = name.rsplit_once('/').and_then(|(metric, split)| of(metric, split));
    let first = || name.split_once('/').and_then(|(split, metric)| of(metric, split));
    last.or_else(first).unwrap_or_else(|| SeriesKey::metric(name))
}

/// Parses a series given as a name such as `loss/train`, or as parts: `{"metric": "loss", "split": "train"}`.
///
/// # Errors
/// Which part is invalid.
pub(crate) fn series_key(named: Value) -> Result<SeriesKey, String> {
    if let Value::String(name) = named {
        return Ok(key_of(&name));
    }
    let part = |part: &str| named.get(part).filter(|value| !value.is_null());
    if let Some(trial) = part("trial").filter(|t| t.as_i64().is_none_or(|t| i32::try_from(t).is_err())) {
        return Err(format!("trial {trial}: a trial is a whole number below 2,147,483,648"));
    }
    if let Some(label) = ["metric", "model", "split"].iter().find(|p| part(p).is_some_and(|v| !v.is_string()))
    {
        return Err(format!("{label} {}: a {label} is a text", named[label]));
    }
    serde_json::from_value(named).map_err(|e| {
        format!("a series is a name, or an object with a metric: {}", plain_words(&e.to_string()))
    })
}

/// Parses a line; `None` if it is empty.
///
/// # Errors
/// Why the line is invalid.
pub(crate) fn parse(line: &[u8]) -> Result<Option<Message>, String> {
    let text = std::str::from_utf8(line).map_err(|_| "the line is not UTF-8".to_owned())?.trim();
    match text.as_bytes().first() {
        None => Ok(None),
        Some(b'{') => json(text).map(Some),
        Some(_) => pairs(text).map(Some),
    }
}

fn json(text: &str) -> Result<Message, String> {
    let fields = serde_json::from_str(text)
        .or_else(|e: serde_json::Error| serde_json::from_str(&strict_json(text)).map_err(|_| e));
    let broken = |e: serde_json::Error| {
        if e.is_eof() {
            return "the line is not JSON: it ends in the middle".to_owned();
        }
        let before = text.get(..e.column()).unwrap_or(text);
        format!("the line is not JSON: {} is not understood", quoted(before))
    };
    let mut fields: Map<String, Value> = fields.map_err(broken)?;
    if let Some(kind) = fields.get("do").cloned() {
        let message = serde_json::from_value(Value::Object(fields));
        return message.map_err(|e| format!("message {kind}: {}", plain_words(&e.to_string())));
    }
    // A plain JSON logger's line: {"step": 12, "loss": 0.31}.
    let step = fields.remove("step").map(|step| whole(&step).ok_or_else(|| no_step(&step.to_string())));
    let epoch = fields.remove("epoch").and_then(|epoch| epoch.as_f64());
    Ok(Message::Log { step: step.transpose()?, epoch, values: fields, odd: None })
}

/// Parses `12 loss/train=0.31 accuracy=0.9`, with or without the step.
fn pairs(text: &str) -> Result<Message, String> {
    let mut words = text.split_whitespace().peekable();
    let step = words.next_if(|word| !word.contains('=') && text.contains('='));
    let read = |word: &str| step_of(word).ok_or_else(|| no_step(&quoted(word)));
    let step = step.map(read).transpose()?;
    let (mut values, mut epoch, mut odd) = (Map::new(), None, None);
    for word in words {
        let (name, value) = match pair(word) {
            Ok(pair) => pair,
            Err(why) => {
                odd.get_or_insert(why);
                continue;
            }
        };
        if name == "epoch" {
            epoch = Some(value);
        } else {
            let text = || Value::String(value.to_string());
            let value = serde_json::Number::from_f64(value).map_or_else(text, Value::Number);
            if values.insert(name.to_owned(), value).is_some() {
                odd.get_or_insert_with(|| format!("all but the last value of {} in one line", quoted(name)));
            }
        }
    }
    if values.is_empty() {
        return Err(odd.unwrap_or_else(|| format!("{} has no name=value", quoted(text))));
    }
    Ok(Message::Log { step, epoch, values, odd })
}

fn no_step(step: &str) -> String {
    format!("step {step} is not a whole number, or too large")
}

/// Returns a step in any notation: `12`, `1e+06`, `1.0`. Beyond 2⁵³ only one without a point or exponent is exact.
fn step_of(text: &str) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = |v: &f64| v.fract() == 0.0 && v.abs() <= EXACT;
    text.parse().ok().or_else(|| text.parse().ok().filter(whole).map(|v| v as i64))
}

/// Returns a whole number of JSON, as [`step_of`] reads it.
fn whole(value: &Value) -> Option<i64> {
    value.is_number().then(|| step_of(&value.to_string())).flatten()
}

fn log_step<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let Some(step) = Option::<Value>::deserialize(from)? else { return Ok(None) };
    whole(&step).map(Some).ok_or_else(|| serde::de::Error::custom(no_step(&step.to_string())))
}

/// Splits `loss/train=0.31` into name and value.
fn pair(word: &str) -> Result<(&str, f64), String> {
    let (name, value) = word.rsplit_once('=').ok_or_else(|| format!("{} is not name=value", quoted(word)))?;
    let value = value.parse().map_err(|_| format!("{} of {name} is not a number", quoted(value)))?;
    Ok((name, value))
}

/// Quotes a text for a complaint, shortened if it is long.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn log(line: &str) -> (Option<i64>, Option<f64>, Vec<(String, f64)>) {
        let Some(Message::Log { step, epoch, values, .. }) = parse(line.as_bytes()).unwrap() else {
            panic!("{line}")
        };
        (step, epoch, values.into_iter().map(|(name, v)| (name, number(&v).unwrap())).collect())
    }

    #[test]
    fn shells_and_loggers_are_understood() {
        let loss = |v| vec![("loss/train".to_owned(), v)];
        assert_eq!(log("12 loss/train=0.31"), (Some(12), None, loss(0.31)));
        assert_eq!(log("  loss/train=-inf epoch=2 "), (None, Some(2.0), loss(f64::NEG_INFINITY)));
        assert_eq!(log(r#"{"step": 3, "epoch": 0.5, "loss/train": 1e-3}"#), (Some(3), Some(0.5), loss(1e-3)));
        assert_eq!(log(r#"{"do":"log","step":4,"values":{"loss/train":"inf"}}"#).2, loss(f64::INFINITY));
        assert_eq!(parse(b"  \r").unwrap(), None);
        let odd = |line: &str| parse(line.as_bytes()).unwrap_err();
        assert_eq!(odd(r#"{"step": "#), "the line is not JSON: it ends in the middle");
        assert_eq!(odd(r#"{"ä" 1}"#), r#"the line is not JSON: "{\"ä\" 1" is not understood"#);
        for whole in ["1e+06", "1000000.0", "1e6"] {
            let lines = [
                format!("{whole} loss/train=0.31"),
                format!(r#"{{"step": {whole}, "loss/train": 0.31}}"#),
                format!(r#"{{"do": "log", "step": {whole}, "values": {{"loss/train": 0.31}}}}"#),
            ];
            for line in lines {
                assert_eq!(log(&line), (Some(1_000_000), None, loss(0.31)), "{line}");
            }
        }
        for (line, step) in [
            ("x loss=1", "\"x\""),
            ("1.5 loss=1", "\"1.5\""),
            ("99999999999999999999 loss=1", "\"99999999999999999999\""),
            ("inf loss=1", "\"inf\""),
            (r#"{"step": "x", "loss": 1}"#, "\"x\""),
            (r#"{"step": 0.5, "loss": 1}"#, "0.5"),
        ] {
            let why = format!("step {step} is not a whole number, or too large");
            assert_eq!(parse(line.as_bytes()).unwrap_err(), why);
        }
        let Some(Message::Log { values, odd, .. }) = parse(b"3 a=1 b=x junk c=2").unwrap() else {
            panic!("values")
        };
        assert_eq!((values.len(), odd.as_deref()), (2, Some("\"x\" of b is not a number")));
        let Some(Message::Log { values, odd, .. }) = parse(b"5 x=1 x=2").unwrap() else { panic!("values") };
        assert_eq!(
            (values["x"].as_f64(), odd.as_deref()),
            (Some(2.0), Some("all but the last value of \"x\" in one line"))
        );
        for bad in ["hello", "12", "12 loss", "loss=x", "{", "{\"step\":\"a\"}", "{\"do\":\"fly\"}", "\u{1}"]
        {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(b"\xff").is_err());
    }

    #[test]
    fn a_split_is_known_before_and_behind_the_slash() {
        let split = |name: &str| {
            let key = key_of(name);
            (key.metric, key.split)
        };
        let of = |metric: &str, split: &str| (metric.to_owned(), Some(split.to_owned()));
        assert_eq!(split("loss/train"), of("loss", "train"));
        assert_eq!(split("val/loss"), of("loss", "val"));
        assert_eq!(split("a/b/test"), of("a/b", "test"));
        assert_eq!(split("layers/0/norm"), ("layers/0/norm".to_owned(), None));
        assert_eq!(split("train"), ("train".to_owned(), None));
        assert_eq!(split("/train"), ("/train".to_owned(), None));
    }

    #[test]
    fn a_wrong_word_is_told_with_those_that_are_possible() {
        let line = br#"{"do": "metric", "name": "reward", "goal": "maximise"}"#;
        let said = parse(line).unwrap_err();
        assert!(said.ends_with("\"maximise\" is not one of none, min, max"), "{said}");
    }

    #[test]
    fn a_part_of_a_series_that_is_wrong_is_told() {
        let key = |text: &str| series_key(serde_json::from_str(text).unwrap());
        assert_eq!(key("\"loss/train\"").unwrap(), key(r#"{"metric":"loss","split":"train"}"#).unwrap());
        assert_eq!(key(r#"{"metric":"loss","trial":2}"#).unwrap().trial, Some(2));
        let why = "trial \"2\": a trial is a whole number below 2,147,483,648";
        assert_eq!(key(r#"{"metric":"loss","trial":"2"}"#).unwrap_err(), why);
        assert_eq!(key(r#"{"metric":"loss","split":3}"#).unwrap_err(), "split 3: a split is a text");
        for bad in ["3", "{}", "[]", r#"{"metric":"a","trial":4000000000}"#] {
            assert!(key(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_are_numbers_truths_and_what_json_has_no_number_for() {
        let value = |text: &str| number(&serde_json::from_str(text).unwrap());
        assert_eq!((value("1e3"), value("true"), value("false")), (Some(1e3), Some(1.0), Some(0.0)));
        assert_eq!(value("\"inf\""), Some(f64::INFINITY));
        assert!(value("\"nan\"").unwrap().is_nan());
        let bare = br#"{"step": 3, "a": NaN, "b": -Infinity, "c": "Inf", "NaN": 1}"#;
        let Some(Message::Log { step: Some(3), values, .. }) = parse(bare).unwrap() else { panic!("values") };
        let values = ["a", "b", "c", "NaN"].map(|name| number(&values[name]).unwrap().to_string());
        assert_eq!(values, ["NaN", "-inf", "inf", "1"]);
        for ignored in ["null", "\"a\"", "[1]", "{}"] {
            assert_eq!(value(ignored), None, "{ignored}");
        }
    }

    #[test]
    fn columns_have_the_type_of_their_values() {
        let column = |values: &str| {
            let text = format!(r#"{{"name":"a","values":{values}}}"#);
            serde_json::from_str::<Column>(&text).unwrap().into_store().map(|c| c.data)
        };
        assert_eq!(column("[1, 2]").unwrap(), ColumnData::I64(vec![1, 2]));
        assert_eq!(column("[1, 2.5]").unwrap(), ColumnData::F64(vec![1.0, 2.5]));
        assert_eq!(column("[1, \"inf\"]").unwrap(), ColumnData::F64(vec![1.0, f64::INFINITY]));
        assert_eq!(column("[\"a\", 1]").unwrap(), ColumnData::Utf8(vec!["a".into(), "1".into()]));
        assert!(matches!(column("[1, null]").unwrap(), ColumnData::F64(v) if v[1].is_nan()));
        assert!(column("[1, [2]]").is_err());
    }
}
