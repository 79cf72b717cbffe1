//! Replaces what is not ASCII where only ASCII can be displayed.

/// The program's own symbols and those in formulas, with their ASCII replacements.
const SUBSTITUTES: [(char, &str); 43] = [
    ('·', "-"),
    ('–', "-"),
    ('—', "-"),
    ('…', "."),
    ('×', "x"),
    ('±', "+-"),
    ('−', "-"),
    ('≈', "~"),
    ('≠', "!="),
    ('²', "^2"),
    ('³', "^3"),
    ('₂', "2"),
    ('‖', "||"),
    ('∂', "d"),
    ('←', "<-"),
    ('α', "alpha"),
    ('β', "beta"),
    ('γ', "gamma"),
    ('δ', "delta"),
    ('Δ', "Delta"),
    ('ε', "epsilon"),
    ('η', "eta"),
    ('θ', "theta"),
    ('λ', "lambda"),
    ('μ', "mu"),
    // Of units.
    ('µ', "u"),
    ('π', "pi"),
    ('ρ', "rho"),
    ('σ', "sigma"),
    ('Σ', "Sigma"),
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

/// Replaces everything that is not ASCII: a symbol by its counterpart, any other letter by `?`, which stands for one letter in filters.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match of(c) {
            Some(ascii) => out.push_str(ascii),
            None if c.is_ascii() => out.push(c),
            None => out.push('?'),
        }
    }
    out
}

/// Replaces a character by a single one.
pub fn substitute(c: char) -> char {
    of(c).and_then(|ascii| ascii.chars().next()).unwrap_or(if c.is_ascii() { c } else { '?' })
}

fn of(c: char) -> Option<&'static str> {
    SUBSTITUTES.iter().find(|(sign, _)| *sign == c).map(|(_, ascii)| *ascii)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn formulas_are_written_in_ascii_and_letters_stay_countable() {
        let formula = "tr Σ / |g|² ± 3·λ at α ≈ 1 (log₂)";
        assert_eq!(plain(formula), "tr Sigma / |g|^2 +- 3-lambda at alpha ~ 1 (log2)");
        assert_eq!(plain("größe 日本語"), "gr??e ???");
    }
}
