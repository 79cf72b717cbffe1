//! Text where only ASCII may be printed.

/// Our own signs and those of formulas, in ASCII.
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
    // Of the states of runs.
    ('●', "*"),
    ('◐', "="),
    ('✓', "+"),
    ('■', "#"),
    ('✗', "x"),
    ('☠', "!"),
    // Of a run that is starred.
    ('★', "*"),
];

/// A text with its signs in ASCII. Names keep their letters: they are what a user types.
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

/// A sign that is one character in ASCII too; any other as it is.
pub fn sign(c: char) -> char {
    of(c).and_then(|ascii| ascii.chars().next()).unwrap_or(c)
}

fn of(c: char) -> Option<&'static str> {
    SIGNS.iter().find(|(sign, _)| *sign == c).map(|(_, ascii)| *ascii)
}
