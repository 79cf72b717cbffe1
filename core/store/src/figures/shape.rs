//! Checks the form of declared figures. Errors tell the author which figure, panel, mark and key is wrong, and what is allowed.

use toml::{Table, Value};

use crate::error::{Result, StoreError};

/// The type of a key's value.
enum Form {
    Text,
    Number,
    /// A whole number within these inclusive bounds.
    Whole(i64, i64),
    Switch,
    /// One of these words.
    Word(&'static [&'static str]),
    /// One of these words, or a number.
    WordOrNumber(&'static [&'static str]),
    Texts,
    TextOrTexts,
    WholeOrList,
    /// A table of texts with arbitrary keys.
    Names,
    Part(&'static [Key]),
    Parts(&'static [Key]),
}

/// A key: its name, its form, and whether it is required.
type Key = (&'static str, Form, bool);

const FILE: &[Key] = &[
    ("schema", Form::Whole(0, u32::MAX as i64), false),
    ("figure", Form::Parts(FIGURE), false),
    ("headline", Form::Names, false),
];
const FIGURE: &[Key] = &[
    ("id", Form::Text, true),
    ("title", Form::Text, true),
    ("caption", Form::Text, false),
    ("panel", Form::Parts(PANEL), true),
];
const PANEL: &[Key] = &[
    ("title", Form::Text, false),
    ("x", Form::Part(AXIS), false),
    ("y", Form::Part(AXIS), false),
    ("y2", Form::Part(AXIS), false),
    ("mark", Form::Parts(MARK), true),
];
const AXIS: &[Key] = &[
    ("label", Form::Text, false),
    ("unit", Form::Text, false),
    ("scale", Form::Word(&["linear", "log", "log2", "symlog"]), false),
];
const MARK: &[Key] = &[
    (
        "type",
        Form::Word(&["line", "band", "scatter", "bar", "histogram", "heatmap", "contour", "image", "rule"]),
        true,
    ),
    ("metric", Form::Text, false),
    ("model", Form::TextOrTexts, false),
    ("split", Form::TextOrTexts, false),
    ("trial", Form::WholeOrList, false),
    ("x", Form::WordOrNumber(&["step", "epoch", "time"]), false),
    ("y", Form::Number, false),
    ("by", Form::Texts, false),
    ("aggregate", Form::Word(&["mean", "median"]), false),
    ("band", Form::Word(&["minmax"]), false),
    ("table", Form::Text, false),
    ("steps", Form::Word(&["last", "all"]), false),
    ("xcol", Form::Text, false),
    ("ycol", Form::Text, false),
    ("zcol", Form::Text, false),
    ("textcol", Form::Text, false),
    ("column", Form::Text, false),
    ("bins", Form::Whole(1, u32::MAX as i64), false),
    ("label", Form::Text, false),
    ("color", Form::Text, false),
    ("joined", Form::Switch, false),
    ("axis", Form::Word(&["y", "y2"]), false),
    ("scale", Form::Word(&["linear", "log"]), false),
];

/// Checks the form of a whole file. Unknown keys are not errors; they are added to `unknown`.
pub(super) fn check(file: &Table, unknown: &mut Vec<String>) -> Result<()> {
    look("", file, FILE, unknown).map_err(|(place, message)| StoreError::Figures {
        place: if place.is_empty() { "figures".to_owned() } else { place },
        message,
    })
}

type Wrong = (String, String);

fn look(
    place: &str,
    table: &Table,
    keys: &[Key],
    unknown: &mut Vec<String>,
) -> std::result::Result<(), Wrong> {
    let wrong = |message: String| Err((place.to_owned(), message));
    for (name, form, required) in keys {
        let Some(value) = table.get(*name) else {
            match form {
                _ if !required => {}
                Form::Parts(_) => return wrong(format!("it has no {name}: add {}", header(name))),
                Form::Word(words) => return wrong(format!("it has no {name}: one of {}", list(words))),
                _ => return wrong(format!("it has no {name}")),
            }
            continue;
        };
        match form {
            Form::Part(keys) => {
                let Some(part) = value.as_table() else {
                    return wrong(format!(
                        "{name} = {}: expected a table, such as {{ label = \"…\" }}",
                        short(value)
                    ));
                };
                look(&under(place, &format!("axis {name}")), part, keys, unknown)?;
            }
            Form::Parts(keys) => {
                let parts = value.as_array().filter(|parts| parts.iter().all(Value::is_table));
                let Some(parts) = parts else {
                    return wrong(format!(
                        "{name} = {}: expected a list of tables, {}",
                        short(value),
                        header(name)
                    ));
                };
                for (i, part) in parts.iter().filter_map(Value::as_table).enumerate() {
                    let id = part.get("id").and_then(Value::as_str).filter(|_| *name == "figure");
                    let this = id.map_or_else(|| format!("{name} {}", i + 1), |id| format!("figure {id:?}"));
                    look(&under(place, &this), part, keys, unknown)?;
                }
            }
            _ => {
                if let Err(expected) = fits(form, value) {
                    return wrong(format!("{name} = {}: expected {expected}", short(value)));
                }
            }
        }
    }
    for name in table.keys().filter(|name| !keys.iter().any(|(known, ..)| known == name)) {
        let near = nearest(keys.iter().map(|(known, ..)| *known), name);
        let place = if place.is_empty() { "figures" } else { place };
        unknown.push(format!("{place}: the unknown key {name:?} has no effect{near}"));
    }
    Ok(())
}

fn under(place: &str, this: &str) -> String {
    if place.is_empty() { this.to_owned() } else { format!("{place}, {this}") }
}

/// Returns how a list of tables is written in TOML.
fn header(name: &str) -> &'static str {
    match name {
        "panel" => "[[figure.panel]]",
        "mark" => "[[figure.panel.mark]]",
        _ => "[[figure]]",
    }
}

/// Checks that a value has a form. The error says what is expected.
fn fits(form: &Form, value: &Value) -> std::result::Result<(), String> {
    let word = |words: &[&str], also: &str| match value.as_str() {
        Some(text) if words.contains(&text) => Ok(()),
        text => {
            let near = text.map(|text| nearest(words.iter().copied(), text)).unwrap_or_default();
            Err(format!("{}{also}{near}", list(words)))
        }
    };
    let whole = |value: &Value| value.as_integer().is_some_and(|n| i32::try_from(n).is_ok());
    let all = |one: fn(&Value) -> bool| value.as_array().is_some_and(|values| values.iter().all(one));
    let (ok, expected) = match form {
        Form::Word(words) => return word(words, ""),
        Form::WordOrNumber(_) if value.is_integer() || value.is_float() => return Ok(()),
        Form::WordOrNumber(words) => return word(words, "; for a rule, a number"),
        Form::Whole(low, high) => {
            let ok = value.as_integer().is_some_and(|n| (*low..=*high).contains(&n));
            return if ok { Ok(()) } else { Err(format!("a whole number from {low} to {high}")) };
        }
        Form::Text => (value.is_str(), "a text"),
        Form::Number => (value.is_integer() || value.is_float(), "a number"),
        Form::Switch => (value.is_bool(), "true or false"),
        Form::Texts => (all(Value::is_str), "a list of texts"),
        Form::TextOrTexts => (value.is_str() || all(Value::is_str), "a text or a list of texts"),
        Form::WholeOrList => {
            let ok = whole(value) || value.as_array().is_some_and(|values| values.iter().all(whole));
            (ok, "a whole number or a list of them")
        }
        Form::Names => (value.as_table().is_some_and(|t| t.values().all(Value::is_str)), "a table of texts"),
        Form::Part(_) | Form::Parts(_) => (true, ""),
    };
    if ok { Ok(()) } else { Err(expected.to_owned()) }
}

/// Formats words as `a, b or c`.
fn list(words: &[&str]) -> String {
    match words {
        [most @ .., last] if !most.is_empty() => format!("{} or {last}", most.join(", ")),
        words => words.concat(),
    }
}

/// Returns a value as TOML if it is short.
fn short(value: &Value) -> String {
    match value {
        Value::Table(_) => "{ … }".to_owned(),
        Value::Array(_) => "[ … ]".to_owned(),
        Value::String(text) if text.chars().count() > 40 => {
            format!("{:?}", text.chars().take(40).chain(['…']).collect::<String>())
        }
        Value::String(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}

/// Returns `; did you mean x?` if a word is similar to `text`.
pub(super) fn nearest<'a>(words: impl Iterator<Item = &'a str>, text: &str) -> String {
    match crate::suggest::near(text, words).first() {
        Some(word) => format!("; did you mean {word}?"),
        None => String::new(),
    }
}
