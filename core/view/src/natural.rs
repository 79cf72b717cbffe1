//! Natural sort order of names that contain numbers: `B=64` precedes `B=256`.

use std::cmp::Ordering;

use gradtop_store::SeriesKey;

/// A part of a name: a number or a character.
enum Part {
    Number(f64),
    Sign(char),
}

/// Compares names by their parts: numbers by value, everything else by character. Names that differ only in the
/// notation of a number are compared as text.
pub fn order(a: &str, b: &str) -> Ordering {
    parts(a)
        .map(Some)
        .chain([None])
        .zip(parts(b).map(Some).chain([None]))
        .map(|(x, y)| between(x, y))
        .find(|found| found.is_ne())
        .unwrap_or_else(|| a.cmp(b))
}

/// Compares optional names; a missing one comes first.
pub fn order_optional(a: Option<&str>, b: Option<&str>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => order(a, b),
        _ => a.is_some().cmp(&b.is_some()),
    }
}

/// Compares series by metric, model, split and trial.
pub fn series(a: &SeriesKey, b: &SeriesKey) -> Ordering {
    order(&a.metric, &b.metric)
        .then_with(|| order_optional(a.model.as_deref(), b.model.as_deref()))
        .then_with(|| order_optional(a.split.as_deref(), b.split.as_deref()))
        .then_with(|| a.trial.cmp(&b.trial))
}

fn between(a: Option<Part>, b: Option<Part>) -> Ordering {
    match (a, b) {
        (Some(Part::Number(x)), Some(Part::Number(y))) => x.total_cmp(&y),
        // A number sorts where its digits would among characters that are not digits.
        (Some(Part::Number(_)), Some(Part::Sign(c))) => '0'.cmp(&c),
        (Some(Part::Sign(c)), Some(Part::Number(_))) => c.cmp(&'0'),
        (Some(Part::Sign(c)), Some(Part::Sign(d))) => c.cmp(&d),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

fn parts(text: &str) -> impl Iterator<Item = Part> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let long = number(rest);
        let (part, after) = match rest[..long].parse() {
            Ok(value) => (Part::Number(value), long),
            Err(_) => (Part::Sign(first), first.len_utf8()),
        };
        rest = &rest[after..];
        Some(part)
    })
}

/// Returns the length of the unsigned number at the start, such as `12`, `0.001` or `3e-4`.
fn number(text: &str) -> usize {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(0);
    if end == 0 {
        return 0;
    }
    if text[end..].starts_with('.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let power = digits(end + 1 + sign);
        if power > 0 {
            end += 1 + sign + power;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted(mut names: Vec<&str>) -> Vec<&str> {
        names.sort_by(|a, b| order(a, b));
        names
    }

    #[test]
    fn numbers_in_names_are_in_the_order_of_their_values() {
        assert_eq!(sorted(vec!["B=1024", "B=128", "B=16"]), ["B=16", "B=128", "B=1024"]);
        assert_eq!(
            sorted(vec!["batch 1024, lr 0.001", "batch 64, lr 0.01", "batch 64, lr 0.001"]),
            ["batch 64, lr 0.001", "batch 64, lr 0.01", "batch 1024, lr 0.001"]
        );
        assert_eq!(
            sorted(vec!["lr 0.001", "lr 3e-4", "lr 1e2", "lr 5"]),
            ["lr 3e-4", "lr 0.001", "lr 5", "lr 1e2"]
        );
        assert_eq!(sorted(vec!["run-10", "run", "run-9", "a1"]), ["a1", "run", "run-9", "run-10"]);
    }

    #[test]
    fn what_is_no_number_is_a_name() {
        assert_eq!(sorted(vec!["1.", "e5", "1e", "1e+", ".5", ""]), ["", ".5", "1.", "1e", "1e+", "e5"]);
        assert_eq!(order("h=01", "h=1"), Ordering::Less, "different names are never equal");
        assert_eq!(order_optional(None, Some("a")), Ordering::Less);
    }

    proptest! {
        #[test]
        fn it_is_an_order(a in "[a0-9.e+é-]{0,8}", b in "[a0-9.e+é-]{0,8}", c in "[a0-9.e+é-]{0,8}") {
            prop_assert_eq!(order(&a, &b), order(&b, &a).reverse());
            prop_assert_eq!(order(&a, &b).is_eq(), a == b);
            if order(&a, &b).is_le() && order(&b, &c).is_le() {
                prop_assert!(order(&a, &c).is_le());
            }
        }
    }
}
