//! Searches chart names by words, globs and regular expressions.

use regex_lite::{Regex, RegexBuilder};

use crate::screens::keys::Syntax;

/// The syntax, for the help.
pub(crate) const SYNTAX: &[Syntax] = &[
    (&["loss"], "the name has these letters somewhere, capitals or not"),
    (&["grad norm"], "it has both words"),
    (&["-train"], "it does not have this word"),
    (&["layer_*/grad"], "all of the name is like this: * is any text, ? any character"),
    (&["/layer_[0-4]\\/"], "a regular expression, with or without a / at its end"),
];

/// A compiled search: all parts must match.
#[derive(Clone, Debug, Default)]
pub(crate) struct Search(Vec<(bool, Regex)>);

impl Search {
    /// Compiles a search; an empty one matches every name.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(pattern) = text.strip_prefix('/') {
            let pattern = pattern.strip_suffix('/').filter(|p| !p.ends_with('\\')).unwrap_or(pattern);
            return Ok(Self(vec![(true, regex(&pattern.replace("\\/", "/"))?)]));
        }
        let part = |word: &str| {
            let (wanted, word) =
                word.strip_prefix('-').filter(|w| !w.is_empty()).map_or((true, word), |w| (false, w));
            Ok((wanted, regex(&like(word))?))
        };
        text.split_whitespace().map(part).collect::<Result<_, _>>().map(Self)
    }

    /// Returns whether it matches every name.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether a name matches.
    pub(crate) fn takes(&self, name: &str) -> bool {
        self.0.iter().all(|(wanted, part)| part.is_match(name) == *wanted)
    }
}

/// Converts a word to a regular expression: it matches anywhere in a name or, with `*` or `?`, the whole name.
fn like(word: &str) -> String {
    let escaped = regex_lite::escape(word);
    if word.contains(['*', '?']) {
        format!("^{}$", escaped.replace("\\*", ".*").replace("\\?", "."))
    } else {
        escaped
    }
}

fn regex(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).case_insensitive(true).size_limit(1 << 20).build();
    built.map_err(|e| format!("not a regular expression: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_globs_and_regular_expressions_find_names() {
        let takes = |text: &str, name: &str| Search::parse(text).is_ok_and(|s| s.takes(name));
        for (text, name) in [
            ("", "loss"),
            ("LOSS", "train/loss"),
            ("norm grad", "layer_3/grad_norm"),
            ("grad -train", "val/grad"),
            ("layer_*/grad", "layer_31/grad"),
            ("layer_?/grad", "layer_3/grad"),
            ("/layer_[0-4]\\/", "layer_3/grad"),
            ("/^loss$/", "loss"),
            ("a.b", "xa.bx"),
        ] {
            assert!(takes(text, name), "{text} {name}");
        }
        for (text, name) in [
            ("grad norm", "grad"),
            ("-train", "train/loss"),
            ("layer_?/grad", "layer_31/grad"),
            ("/layer_[0-4]\\//", "layer_7/grad"),
            ("a.b", "axb"),
        ] {
            assert!(!takes(text, name), "{text} {name}");
        }
        assert!(Search::parse("/(").is_err());
        assert!(Search::parse("  ").is_ok_and(|s| s.is_empty()));
    }
}
