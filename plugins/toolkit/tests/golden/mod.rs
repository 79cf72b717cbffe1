//! Declared figures, compared with those of a file: the same figures, panels, axes and marks with the same keys.
//!
//! `GRADTOP_BLESS=1` writes the files anew.

use std::path::PathBuf;

use gradtop_sdk::testing::Recorded;
use toml::{Table, Value};

/// Compares the figures at the end of a run with `tests/figures/<name>.toml` of this crate; everything that the run concludes must stand
/// below one of them.
///
/// Numbers within texts are not compared: many come from training, whose last digits depend on the processor.
pub(crate) fn assert_figures(name: &str, recorded: &Recorded) {
    let declared = merged(recorded.figures.iter().map(String::as_str));
    for statement in recorded.last_table("conclusion").strings("statement") {
        let below = declared.iter().filter(|f| f.get("caption").is_some_and(|c| says(c, statement))).count();
        assert_eq!(below, 1, "figures of {name} that end with: {statement}");
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/figures/{name}.toml"));
    if std::env::var_os("GRADTOP_BLESS").is_some() {
        let file = Table::from_iter([("figure".to_owned(), Value::Array(declared))]);
        std::fs::write(path, toml::to_string(&file).unwrap()).unwrap();
        return;
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let expected = merged([text.as_str()]);
    let ids = |figures: &[Value]| figures.iter().map(|figure| figure["id"].to_string()).collect::<Vec<_>>();
    assert_eq!(ids(&declared), ids(&expected), "{name}");
    for (declared, expected) in declared.into_iter().zip(expected) {
        assert_eq!(comparable(declared), comparable(expected), "{name}");
    }
}

/// Whether this was found, by a caption: the claim with its evidence, and each caution there or at the end, for all.
fn says(caption: &Value, statement: &str) -> bool {
    let (claim, cautions) = statement.split_once(" Caution: ").unwrap_or((statement, ""));
    caption.as_str().and_then(|text| text.split_once(" Found: ")).is_some_and(|(_, found)| {
        found.contains(claim) && cautions.trim_end_matches('.').split("; ").all(|part| found.contains(part))
    })
}

/// All figures in the order of their first declaration, each as it was declared last.
fn merged<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for text in texts {
        let file: Table = text.parse().unwrap();
        for figure in file.get("figure").and_then(Value::as_array).into_iter().flatten() {
            match all.iter_mut().find(|known| known["id"] == figure["id"]) {
                Some(known) => *known = figure.clone(),
                None => all.push(figure.clone()),
            }
        }
    }
    all
}

/// A value without what has no meaning: keys that are empty or what they would be if they were not there, the digits of
/// numbers in texts and the last digits of numbers.
fn comparable(value: Value) -> Value {
    match value {
        // What a caption ends with is said of the numbers, too.
        Value::String(text) => {
            Value::String(without_numbers(text.split(" Found: ").next().unwrap_or_default()))
        }
        Value::Float(number) => Value::String(format!("{number:.5e}")),
        Value::Array(values) => Value::Array(values.into_iter().map(comparable).collect()),
        Value::Table(table) => {
            let said = table.into_iter().filter(|(key, value)| match (key.as_str(), value) {
                (_, Value::String(text)) if text.is_empty() => false,
                (_, Value::Table(table)) if table.is_empty() => false,
                ("scale", Value::String(scale)) => scale != "linear",
                ("axis", Value::String(axis)) => axis != "y",
                _ => true,
            });
            Value::Table(said.map(|(key, value)| (key, comparable(value))).collect())
        }
        other => other,
    }
}

fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' | '.' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            c => out.push(c),
        }
    }
    out
}
