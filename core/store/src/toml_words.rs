//! Puts what the libraries for TOML and JSON say into words.

use crate::suggest::suggest;

/// Describes what is wrong with a TOML text, in one line.
pub fn toml_message(error: &toml::de::Error) -> String {
    let words = plain_words(&error.message().lines().collect::<Vec<_>>().join(", "));
    // The library says the key only of a table that it has already parsed.
    let said = error.to_string();
    let key = said.lines().last().and_then(|line| line.strip_prefix("in `")?.strip_suffix('`'));
    key.map_or_else(|| words.clone(), |key| format!("{key}: {words}"))
}

/// Says in plain words what serde finds wrong with a value.
pub fn plain_words(message: &str) -> String {
    reworded(message).unwrap_or_else(|| message.to_owned())
}

fn reworded(message: &str) -> Option<String> {
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let (key, known) = rest.split_once("`, ")?;
        return Some(format!("unknown key {key:?}: {}", suggest(key, quoted(known), "keys")));
    }
    if let Some(rest) = message.strip_prefix("unknown variant `") {
        let (word, known) = rest.split_once("`, ")?;
        return Some(format!("{word:?} is not one of {}", quoted(known).collect::<Vec<_>>().join(", ")));
    }
    if let Some(key) = message.strip_prefix("missing field `") {
        return Some(format!("the key {:?} is missing", key.trim_end_matches('`')));
    }
    let (found, wanted) = message.strip_prefix("invalid type: ")?.split_once(", expected ")?;
    // The parser's own wording for an integer of more than 64 bits.
    if let Some((number, _)) = found.strip_prefix("integer `").and_then(|rest| rest.split_once("` as ")) {
        return Some(format!("{number} is too large for a whole number; write {number}.0"));
    }
    let found = match found.split_once([' ', '`']) {
        Some((_, value)) => value.trim_matches(['`', ' ']).trim_start_matches("point `"),
        None if found == "map" => "a table",
        None => "a list",
    };
    let wanted = match wanted {
        "a string" => "text in quotes",
        "a sequence" => "a list in brackets",
        "a boolean" => "true or false",
        "f64" | "f32" => "a number",
        "u64" | "u32" | "usize" | "i64" | "i32" => "a whole number",
        "a map" => "a table",
        other => other.trim_start_matches("struct "),
    };
    Some(format!("{found} should be {wanted}"))
}

/// The names between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> + Clone {
    text.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only read")]
    struct Settings {
        name: String,
        count: Option<u32>,
        rate: Option<f64>,
        list: Option<Vec<String>>,
        kind: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        One,
        Two,
    }

    #[test]
    fn a_wrong_value_is_told_in_plain_words_with_its_key() {
        let of_table = |text: &str| {
            let table: toml::Table = text.parse().unwrap();
            toml_message(&Settings::deserialize(table).unwrap_err())
        };
        for (text, said) in [
            ("name = 3", "name: 3 should be text in quotes"),
            ("name = 1.5", "name: 1.5 should be text in quotes"),
            ("name = ['a']", "name: a list should be text in quotes"),
            ("name = ''\ncount = 'x'", "count: \"x\" should be a whole number"),
            ("name = ''\nrate = true", "rate: true should be a number"),
            ("name = ''\nlist = 'x'", "list: \"x\" should be a list in brackets"),
            ("name = ''\nkind = 'three'", "kind: \"three\" is not one of one, two"),
            ("name = ''\nlits = []", "unknown key \"lits\": did you mean list?"),
            ("count = 1", "the key \"name\" is missing"),
        ] {
            assert!(of_table(text).ends_with(said), "{text}: {}", of_table(text));
        }
        let of_text = |text: &str| toml_message(&toml::from_str::<Settings>(text).unwrap_err());
        assert_eq!(of_text("name = 3"), "3 should be text in quotes");
        assert!(of_text("name = 99999999999999999999").contains("write 99999999999999999999.0"));
    }
}
