//! Parses the texts of parameters (docs/abi.md). The host uses it for user input, the SDK for what a host sends.

use core::cmp::Ordering;

/// Returns a number's text without surrounding spaces and underscores between digits; `None` if an underscore is elsewhere.
fn plain(text: &str) -> Option<String> {
    let text = text.trim();
    let digit = |at: Option<usize>| at.and_then(|at| text.as_bytes().get(at)).is_some_and(u8::is_ascii_digit);
    let between = |at: usize| digit(at.checked_sub(1)) && digit(Some(at + 1));
    text.match_indices('_').all(|(at, _)| between(at)).then(|| text.replace('_', ""))
}

/// Parses an integer, including `1_000` and `1e6`.
pub fn integer(text: &str) -> Option<i64> {
    let plain = plain(text)?;
    if let Ok(value) = plain.parse() {
        return Some(value);
    }
    if !plain.contains(['e', 'E']) {
        return None;
    }
    let float: f64 = plain.parse().ok()?;
    // Beyond 2^53 a float no longer identifies an integer.
    (float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0).then_some(float as i64)
}

/// Parses a finite number, including `1_000.5`.
pub fn float(text: &str) -> Option<f64> {
    plain(text)?.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Parses `true`, `yes`, `on`, `1`, or their opposites.
pub fn boolean(text: &str) -> Option<bool> {
    match text.trim() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// The range of a number; infinite without bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The minimum, unless excluded.
    pub min: f64,
    /// The maximum, unless excluded.
    pub max: f64,
    /// Whether the minimum itself is excluded.
    pub min_excluded: bool,
    /// Whether the maximum itself is excluded.
    pub max_excluded: bool,
}

impl Range {
    /// Returns whether an integer is in the range, without rounding it to a float.
    pub fn has_integer(&self, value: i64) -> bool {
        self.has_by(|bound| {
            let whole = bound.floor();
            let order = i128::from(value).cmp(&(whole as i128));
            Some(if order.is_eq() && bound > whole { Ordering::Less } else { order })
        })
    }

    /// Returns whether a float is in the range; NaN never is.
    pub fn has(&self, value: f64) -> bool {
        self.has_by(|bound| value.partial_cmp(&bound))
    }

    fn has_by(&self, order: impl Fn(f64) -> Option<Ordering>) -> bool {
        let above = order(self.min).is_some_and(|o| if self.min_excluded { o.is_gt() } else { o.is_ge() });
        let below = order(self.max).is_some_and(|o| if self.max_excluded { o.is_lt() } else { o.is_le() });
        above && below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_means_what_the_table_says() {
        let table = include_str!("../tests/parameters.txt");
        for case in table.lines().filter(|line| !line.starts_with('#')) {
            let [kind, text, meaning] = case.split('|').collect::<Vec<_>>()[..] else { panic!("{case}") };
            let value = match kind {
                "i64" => integer(text).map(|value| value.to_string()),
                "f64" => float(text).map(|value| format!("{value:?}")),
                "bool" => boolean(text).map(|value| value.to_string()),
                // Text and choices are what they are: those who check them test them.
                _ => continue,
            };
            assert_eq!(value.as_deref().unwrap_or("-"), meaning, "{case}");
        }
    }

    #[test]
    fn integers_are_compared_exactly() {
        let range = |min: f64, max: f64| Range { min, max, min_excluded: false, max_excluded: false };
        let limit = 9_007_199_254_740_992.0;
        assert!(range(-limit, limit).has_integer(9_007_199_254_740_992));
        assert!(!range(-limit, limit).has_integer(9_007_199_254_740_993));
        assert!(!range(-limit, limit).has_integer(-9_007_199_254_740_993));
        assert!(range(f64::NEG_INFINITY, 9.3e18).has_integer(i64::MAX));
        assert!(range(f64::NEG_INFINITY, 1.5).has_integer(1) && !range(1.5, f64::INFINITY).has_integer(1));
        assert!(range(-1.5, 0.0).has_integer(-1) && !range(-1.5, 0.0).has_integer(-2));
        let open = Range { min_excluded: true, ..range(0.0, f64::INFINITY) };
        assert!(!open.has_integer(0) && open.has_integer(1) && !open.has(0.0) && !open.has(f64::NAN));
    }
}
