//! Replaces symbols where only ASCII can be displayed.

/// The program's own symbols and those in formulas, with their ASCII replacements.
const SIGNS: [(char, &str); 19] = [
    ('·', "-"),
    ('–', "-"),
    ('—', "-"),
    ('…', "."),
    ('π', "pi"),
    ('×', "x"),
    ('≤', "<="),
    ('≥', ">="),
    ('↑', "^"),
    ('↓', "v"),
    ('∞', "infinite"),
    ('→', "->"),
    // States of runs.
    ('●', "*"),
    ('◐', "="),
    ('✓', "+"),
    ('■', "#"),
    ('✗', "x"),
    ('☠', "!"),
    // Starred runs.
    ('★', "*"),
];

/// Replaces the symbols in a text. Names keep their letters, because users must type them.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match of(c) {
            Some(ascii) => out.push_str(ascii),
            None => out.push(c),
        }
    }
    out
}

/// Replaces a symbol if its replacement is a single character, else returns it unchanged.
pub fn sign(c: char) -> char {
    of(c).and_then(|ascii| ascii.chars().next()).unwrap_or(c)
}

fn of(c: char) -> Option<&'static str> {
    SIGNS.iter().find(|(sign, _)| *sign == c).map(|(_, ascii)| *ascii)
}
