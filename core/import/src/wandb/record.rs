//! Parses the relevant records of a `.wandb` file.

use gradtop_store::ParamValue;

use crate::metric::float_or_int;
use crate::proto::{Fields, Value};
use crate::table::json::{self, flatten, number};

#[derive(Debug)]
pub(crate) enum Record<'a> {
    /// Values of a step, as JSON by name.
    History(&'a [u8]),
    /// Name and settings of the run.
    Run(&'a [u8]),
    /// Parameters that were set later.
    Config(&'a [u8]),
    /// The end, with the exit code.
    Exit(i64),
    /// Something else.
    Other,
}

impl<'a> Record<'a> {
    /// Parses a record; `None` if it is invalid.
    pub(crate) fn parse(message: &'a [u8]) -> Option<Self> {
        let mut record = Self::Other;
        for field in Fields::of(message) {
            match field? {
                (2, value) => record = Self::History(value.bytes()?),
                (5, value) => record = Self::Config(value.bytes()?),
                (17, value) => record = Self::Run(value.bytes()?),
                (18, value) => {
                    let code = Fields::of(value.bytes()?)
                        .find_map(|field| field.filter(|(number, _)| *number == 1)?.1.int());
                    record = Self::Exit(code.unwrap_or(0));
                }
                _ => {}
            }
        }
        Some(record)
    }
}

/// An item of history or config: its name, and its value as JSON.
#[derive(Debug, Default)]
pub(crate) struct Item<'a> {
    /// Nested names joined by `/`, outermost first.
    pub(crate) name: Vec<u8>,
    pub(crate) json: &'a [u8],
}

impl<'a> Item<'a> {
    /// Parses an item into this one, reusing its memory. `None` if it is invalid.
    pub(crate) fn read(&mut self, message: &'a [u8]) -> Option<()> {
        self.name.clear();
        self.json = &[];
        for field in Fields::of(message) {
            match field? {
                (1 | 2, Value::Bytes(name)) => {
                    if !self.name.is_empty() {
                        self.name.push(b'/');
                    }
                    self.name.extend_from_slice(name);
                }
                (16, value) => self.json = value.bytes()?,
                _ => {}
            }
        }
        Some(())
    }
}

/// Returns the items of a message, which are the fields with this number.
pub(crate) fn items(message: &[u8], field: u64) -> impl Iterator<Item = Option<&[u8]>> {
    Fields::of(message).filter_map(move |found| match found {
        Some((number, value)) if number == field => Some(value.bytes()),
        Some(_) => None,
        None => Some(None),
    })
}

/// Returns the step of a history record that is stored apart from its values.
pub(crate) fn step(history: &[u8]) -> Option<i64> {
    let step = items(history, 2).last()??;
    Fields::of(step).find_map(|field| field.filter(|(number, _)| *number == 1)?.1.int())
}

/// Adds the parameters of a config and removes deleted ones. `None` if it is invalid.
pub(crate) fn config(message: &[u8], params: &mut Vec<(String, ParamValue)>) -> Option<()> {
    let mut item = Item::default();
    for found in items(message, 1) {
        item.read(found?)?;
        let name = String::from_utf8_lossy(&item.name).into_owned();
        // Settings of wandb itself are not parameters.
        if name == "_wandb" || name.starts_with("_wandb/") {
            continue;
        }
        for (key, value) in values(&name, item.json) {
            match params.iter_mut().find(|(known, _)| *known == key) {
                Some((_, old)) => *old = value,
                None => params.push((key, value)),
            }
        }
    }
    for found in items(message, 2) {
        item.read(found?)?;
        let name = String::from_utf8_lossy(&item.name).into_owned();
        params.retain(|(key, _)| *key != name);
    }
    Some(())
}

/// Returns a config value; an object as its values by `outer/inner`, a list as its text.
fn values(name: &str, text: &[u8]) -> Vec<(String, ParamValue)> {
    if let Some(inner) = flatten(text) {
        let param = |value| match value {
            json::Value::Number(n, _) => float_or_int(n),
            json::Value::Whole(n) => ParamValue::Int(n),
            json::Value::Text(text) => ParamValue::Text(text),
            json::Value::Bool(b) => ParamValue::Bool(b),
        };
        return inner.into_iter().map(|(key, value)| (format!("{name}/{key}"), param(value))).collect();
    }
    let whole = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    let value = match (whole, number(text), text) {
        (Some(n), ..) => ParamValue::Int(n),
        (_, Some(n), _) => ParamValue::Float(n),
        (.., b"null") => return Vec::new(),
        (.., b"true") => ParamValue::Bool(true),
        (.., b"false") => ParamValue::Bool(false),
        _ => {
            let text =
                serde_json::from_slice(text).unwrap_or_else(|_| String::from_utf8_lossy(text).into_owned());
            ParamValue::Text(text)
        }
    };
    vec![(name.to_owned(), value)]
}
