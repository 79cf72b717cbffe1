//! Parses JSON as written by Python, including `NaN` and `Infinity`, into numbers and texts by path.

use gradtop_store::non_finite;

use super::columns::{Cell, whole};

const DEPTH: usize = 32;

/// Parses a number, including Python's extensions.
pub(crate) fn number(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?.trim();
    if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        text.parse().ok()
    } else {
        non_finite(text)
    }
}

/// Parses a logged number, which may be NaN or an infinity as text.
pub(crate) fn logged(text: &[u8]) -> Option<f64> {
    number(text).or_else(|| non_finite(serde_json::from_slice(text).ok()?))
}

/// Returns the values of an object, with nested ones as `outer/inner`. Arrays are ignored. `None` if it is not valid JSON.
pub(crate) fn flatten(text: &[u8]) -> Option<Vec<(String, Value<'_>)>> {
    let mut found = Vec::new();
    let mut parser = Parser { text, at: 0 };
    parser.space();
    if parser.peek()? != b'{' {
        return None;
    }
    parser.value(&mut String::new(), DEPTH, Some(&mut found))?;
    parser.space();
    (parser.at == text.len()).then_some(found)
}

/// A value of an object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    /// A number, and how it is written.
    Number(f64, &'a str),
    Whole(i64),
    Text(String),
    Bool(bool),
}

impl Value<'_> {
    /// Converts to a table cell, in which NaN and infinities may be text.
    pub(crate) fn cell(&self) -> Cell<'_> {
        match self {
            Self::Number(n, text) => Cell::Number(*n, text),
            Self::Whole(n) => Cell::Whole(*n),
            Self::Text(t) => non_finite(t).map_or(Cell::Text(t), |n| Cell::Number(n, t)),
            Self::Bool(b) => Cell::Text(if *b { "true" } else { "false" }),
        }
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn skip(&mut self, byte: u8) -> Option<()> {
        self.space();
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Parses a value; nested values are added to `found`, if given.
    fn value(
        &mut self,
        path: &mut String,
        depth: usize,
        mut found: Option<&mut Vec<(String, Value<'a>)>>,
    ) -> Option<()> {
        self.space();
        let depth = depth.checked_sub(1)?;
        let value = match self.peek()? {
            b'{' => {
                return self.each(b'}', |parser| {
                    parser.space();
                    let key = parser.string()?;
                    parser.skip(b':')?;
                    let outer = path.len();
                    if outer > 0 {
                        path.push('/');
                    }
                    path.push_str(&key);
                    parser.value(path, depth, found.as_deref_mut())?;
                    path.truncate(outer);
                    Some(())
                });
            }
            b'[' => return self.each(b']', |parser| parser.value(path, depth, None)),
            b'"' => Value::Text(self.string()?),
            _ => {
                let rest = &self.text[self.at..];
                let end =
                    rest.iter().position(|b| matches!(b, b',' | b'}' | b']') || b.is_ascii_whitespace());
                let word = &rest[..end.unwrap_or(rest.len())];
                self.at += word.len();
                match word {
                    b"true" => Value::Bool(true),
                    b"false" => Value::Bool(false),
                    b"null" => return Some(()),
                    word => {
                        let text = std::str::from_utf8(word).ok()?;
                        match whole(text) {
                            Some(whole) => Value::Whole(whole),
                            None => Value::Number(number(word)?, text),
                        }
                    }
                }
            }
        };
        if let Some(found) = &mut found {
            found.push((path.clone(), value));
        }
        Some(())
    }

    /// Parses the members of an object or array, each by `one`, up to its closing bracket.
    fn each(&mut self, close: u8, mut one: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.at += 1;
        if self.skip(close).is_some() {
            return Some(());
        }
        loop {
            one(self)?;
            if self.skip(b',').is_none() {
                return self.skip(close);
            }
        }
    }

    /// Parses a string; escapes are left to the standard decoder.
    fn string(&mut self) -> Option<String> {
        let start = self.at;
        if self.peek()? != b'"' {
            return None;
        }
        self.at += 1;
        loop {
            match self.peek()? {
                b'\\' => self.at += 2,
                b'"' => break,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        let whole = &self.text[start..self.at];
        let lossy = || String::from_utf8_lossy(&whole[1..whole.len() - 1]).into_owned();
        Some(serde_json::from_slice(whole).unwrap_or_else(|_| lossy()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn objects_are_flattened() {
        let text = br#" {"a": 1, "b": {"c": -2.5e-3, "d": [1, {"x": 2}], "e": NaN}, "t": "q\"\u00e9", "n": null, "z": true} "#;
        let found = flatten(text).unwrap();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b/c", "b/e", "t", "z"]);
        assert_eq!(found[1].1, Value::Number(-2.5e-3, "-2.5e-3"));
        assert_eq!(found[3].1, Value::Text("q\"é".to_owned()));
        assert_eq!(flatten(b"{}").unwrap(), []);
    }

    #[test]
    fn what_json_lacks_is_read_bare_and_as_text() {
        let text = br#"{"a": "NaN", "b": Infinity, "c": "-Infinity", "d": "inf", "e": nan}"#;
        let number = |value: &Value<'_>| match value.cell() {
            Cell::Number(number, _) => number.to_string(),
            other => format!("{other:?}"),
        };
        let found: Vec<String> = flatten(text).unwrap().iter().map(|(_, value)| number(value)).collect();
        assert_eq!(found, ["NaN", "inf", "-inf", "inf", "NaN"]);
        assert_eq!((logged(b"\"Infinity\""), logged(b"\"word\"")), (Some(f64::INFINITY), None));
    }

    #[test]
    fn what_is_not_json_is_none() {
        let deep = [br#"{"a":"#.repeat(40), b"1".to_vec(), b"}".repeat(40)].concat();
        let bad: [&[u8]; 12] = [
            b"",
            b"1",
            b"{",
            b"{\"a\"",
            b"{\"a\":",
            b"{\"a\":1",
            b"{\"a\":[",
            b"{\"a\":[1",
            b"{\"a\":1,}",
            b"{\"a\":1}x",
            b"{\"a\":nothing}",
            &deep,
        ];
        for text in bad {
            assert_eq!(flatten(text), None, "{}", String::from_utf8_lossy(text));
        }
    }
}
