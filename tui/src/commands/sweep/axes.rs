//! The values of the parameters that a sweep varies, and the settings that follow from them.

use std::collections::HashSet;

use fastrand::Rng;

/// The most runs of one sweep.
pub(super) const MOST: usize = 10_000;

/// How many draws each random setting may take, to find one that is not there yet.
const DRAWS: u64 = 20;

/// Parameters with their values as text.
pub(super) type Setting = Vec<(String, String)>;

/// The values of one parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Axis {
    Values(Vec<String>),
    Range { low: f64, high: f64, whole: bool, log: bool },
}

impl Axis {
    /// Parses `1e-3,1e-2`, `deep|deep,shallow`, `16..128:x2`, `1..9:+4`, and for random values `1e-4..1e-1` or `1..64:log`.
    /// `log`: ranges are logarithmic by default.
    pub(super) fn read(text: &str, random: bool, log: bool) -> Result<Self, String> {
        let bad = |why: &str| Err(format!("{text:?}: {why}"));
        let Some((low, rest)) = text.split_once("..") else { return list(text).map(Self::Values) };
        let (high, step) = rest.split_once(':').unwrap_or((rest, ""));
        let number = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite());
        let whole = [low, high].iter().all(|text| text.parse::<i64>().is_ok());
        let (Some(low), Some(high)) = (number(low), number(high)) else {
            return bad("a range is of numbers: 16..128:x2 or 1..9:+4");
        };
        let log = step == "log" || step.is_empty() && log;
        if step == "log" || step.is_empty() {
            return match () {
                () if !random => bad("a range needs a step, such as 16..128:x2 or 1..9:+4, or --random N"),
                () if low >= high => bad("the range is empty"),
                () if log && low <= 0.0 => bad("a range on a log scale begins above 0"),
                () => Ok(Self::Range { low, high, whole, log }),
            };
        }
        let by = step.get(1..).and_then(number);
        let next: Box<dyn Fn(i32) -> f64> = match (step.as_bytes()[0], by) {
            (b'x', Some(by)) if by > 1.0 && low > 0.0 => Box::new(move |n| low * by.powi(n)),
            (b'+', Some(by)) if by > 0.0 => Box::new(move |n| low + by * f64::from(n)),
            (b'x', Some(_)) if low <= 0.0 => return bad("a range with a factor begins above 0"),
            _ => return bad("the step is xN with N above 1, or +N with N above 0"),
        };
        // The tolerance keeps the last value despite rounding.
        let last = high + (high.abs() + by.unwrap_or_default()) * 1e-9;
        let all: Vec<f64> = (0..).map(next).take_while(|v| *v <= last).take(MOST + 1).collect();
        if all.is_empty() {
            return bad("the range is empty");
        }
        if all.len() > MOST {
            return bad(&format!("the range has more than {MOST} values"));
        }
        Ok(Self::Values(all.iter().map(|v| format!("{}", (v * 1e12).round() / 1e12)).collect()))
    }

    fn draw(&self, random: &mut Rng) -> String {
        let (low, high, whole, log) = match self {
            Self::Values(values) => return values[random.usize(..values.len())].clone(),
            Self::Range { low, high, whole, log } => (*low, *high, *whole, *log),
        };
        let at = random.f64();
        // Every integer gets the same share, including both ends.
        let (from, to) = if whole { (low - 0.5, high + 0.5) } else { (low, high) };
        let value = match log {
            true if whole => (low.ln() + at * ((high + 1.0).ln() - low.ln())).exp().floor(),
            true => (low.ln() + at * (high.ln() - low.ln())).exp(),
            false => from + at * (to - from),
        };
        if whole {
            return format!("{}", value.round().clamp(low, high));
        }
        // Four significant digits are readable and enough to tell settings apart.
        let value = format!("{value:.3e}").parse().unwrap_or(value);
        value.clamp(low, high).to_string()
    }
}

fn list(text: &str) -> Result<Vec<String>, String> {
    let separator = if text.contains('|') { '|' } else { ',' };
    let mut values: Vec<String> = Vec::new();
    for value in text.split(separator).map(str::trim) {
        if values.iter().any(|known| known == value) {
            continue;
        }
        if let Some(same) =
            values.iter().find(|known| number(known).is_some_and(|n| number(value) == Some(n)))
        {
            return Err(format!("{text:?}: {same} and {value} are the same value"));
        }
        values.push(value.to_owned());
    }
    if values.iter().any(String::is_empty) {
        return Err(format!("{text:?}: a value is empty"));
    }
    Ok(values)
}

/// Parses a finite number; `None` for one with leading zeros, as in names of files.
fn number(text: &str) -> Option<f64> {
    let mut digits = text.trim_start_matches('-').bytes();
    let is_padded = digits.next() == Some(b'0') && digits.next().is_some_and(|next| next.is_ascii_digit());
    text.parse::<f64>().ok().filter(|n| n.is_finite() && !is_padded)
}

/// Returns all combinations of values, or `None` if there are too many.
pub(super) fn combinations(axes: &[(String, Axis)]) -> Option<Vec<Setting>> {
    let mut all = vec![Vec::new()];
    for (key, axis) in axes {
        let Axis::Values(values) = axis else { return None };
        if all.len().checked_mul(values.len())? > MOST {
            return None;
        }
        let with =
            |before: &Setting, value: &String| [before.as_slice(), &[(key.clone(), value.clone())]].concat();
        all = all.iter().flat_map(|before| values.iter().map(move |value| with(before, value))).collect();
    }
    Some(all)
}

/// Draws random settings, each once. A larger `count` extends the same sequence. Returns fewer if there are no more.
pub(super) fn drawn(axes: &[(String, Axis)], count: u64) -> Vec<Setting> {
    let one = |number| {
        let mut random = Rng::with_seed(number);
        axes.iter().map(|(key, axis)| (key.clone(), axis.draw(&mut random))).collect()
    };
    let mut known = HashSet::new();
    let all = (0..count.saturating_mul(DRAWS)).map(one);
    all.filter(|setting: &Setting| known.insert(setting.clone()))
        .take(count.try_into().unwrap_or(MOST))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(text: &str) -> Axis {
        Axis::read(text, true, false).unwrap_or(Axis::Values(Vec::new()))
    }

    #[test]
    fn lists_and_ranges_are_values() {
        let of = |text: &str| match Axis::read(text, false, false) {
            Ok(Axis::Values(values)) => Ok(values.join(" ")),
            Ok(other) => Err(format!("{other:?}")),
            Err(why) => Err(why),
        };
        assert_eq!(of("1e-3,1e-2"), Ok("1e-3 1e-2".to_owned()));
        assert_eq!(of("deep|deep,shallow"), Ok("deep deep,shallow".to_owned()));
        assert_eq!(of("16..128:x2"), Ok("16 32 64 128".to_owned()));
        assert_eq!(of("1..9:+4"), Ok("1 5 9".to_owned()));
        assert_eq!(of("0.1..0.3:+0.1"), Ok("0.1 0.2 0.3".to_owned()));
        assert_eq!(of("0.0001..0.1:x10"), Ok("0.0001 0.001 0.01 0.1".to_owned()));
        for wrong in [
            "",
            "1,,2",
            "1..2",
            "1..2:3",
            "1..2:x1",
            "2..1:+1",
            "a..b:x2",
            "1..2:+1e-9",
            "1..2:log",
            "1..2:é",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        for (wrong, why) in [
            ("0..10:x2", "a range with a factor begins above 0"),
            ("2..1:+1", "the range is empty"),
            ("1..100000000:+1", "the range has more than 10000 values"),
            ("1,1e-3,0.001", "1e-3 and 0.001 are the same value"),
        ] {
            assert_eq!(of(wrong), Err(format!("{wrong:?}: {why}")));
        }
        assert_eq!(of("01,1,a,a"), Ok("01 1 a".to_owned()));
        for wrong in ["2..1", "0..1:log", "1..1"] {
            assert!(Axis::read(wrong, true, false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_combination_is_there_once() {
        let axes = [("a".to_owned(), axis("1,2")), ("b".to_owned(), axis("x,y,z"))];
        let all = combinations(&axes).unwrap_or_default();
        let word =
            |setting: &Setting| setting.iter().map(|(key, value)| [key.as_str(), value].concat()).collect();
        let words: Vec<String> = all.iter().map(word).collect();
        assert_eq!(words, ["a1bx", "a1by", "a1bz", "a2bx", "a2by", "a2bz"]);
        assert_eq!(combinations(&[]).map(|all| all.len()), Some(1));
    }

    #[test]
    fn what_is_drawn_is_within_its_range_everywhere_and_again_the_same() {
        let axes: Vec<(String, Axis)> = ["1e-4..1e-1:log", "0..1", "1..4", "1..64:log", "a,b"]
            .iter()
            .enumerate()
            .map(|(i, text)| (i.to_string(), axis(text)))
            .collect();
        let all = drawn(&axes, 4_000);
        assert_eq!(all[..7], drawn(&axes, 7));
        let few = drawn(&[("w".to_owned(), axis("1..3"))], 10);
        assert_eq!(few.len(), 3, "each is there once: {few:?}");
        let column =
            |at: usize| all.iter().map(move |setting| setting[at].1.parse::<f64>().unwrap_or(f64::NAN));
        let share =
            |at: usize, below: f64| column(at).filter(|v| *v < below).count() as f64 / all.len() as f64;
        // A third of the decades, half of the interval, and a quarter of four integers, within four standard errors.
        for (at, below, expected) in
            [(0, 1e-3, 1.0 / 3.0), (1, 0.5, 0.5), (2, 1.5, 0.25), (3, 1.5, 1.0 / 6.0)]
        {
            assert!((share(at, below) - expected).abs() < 0.032, "{at}: {}", share(at, below));
        }
        assert!(column(0).all(|v| (1e-4..=1e-1).contains(&v)));
        assert!(column(2).all(|v| [1.0, 2.0, 3.0, 4.0].contains(&v)));
        assert!(all.iter().all(|setting| ["a", "b"].contains(&setting[4].1.as_str())));
    }
}
