//! What conclusions of experiments have in common: comparing the trials of several networks, saying it line by line, and the
//! rows of the table `conclusion`.

use gradtop_sdk::{Column, Ctx, Result};

/// Mean and range of a number over the trials that have it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Mean; NaN of nothing.
    pub mean: f64,
    /// Lowest; NaN of nothing.
    pub lowest: f64,
    /// Highest; NaN of nothing.
    pub highest: f64,
    /// How many.
    pub count: usize,
}

impl Spread {
    /// Of these values.
    pub fn of(values: &[f64]) -> Self {
        Self {
            mean: values.iter().sum::<f64>() / values.len() as f64,
            lowest: values.iter().copied().fold(f64::NAN, f64::min),
            highest: values.iter().copied().fold(f64::NAN, f64::max),
            count: values.len(),
        }
    }

    /// Whether some trial of one lies within the range of the other: then their order is not claimed.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.lowest <= other.highest && other.lowest <= self.highest
    }

    /// The range in words behind a mean, written by `number`.
    pub fn in_words(&self, number: impl Fn(f64) -> String) -> String {
        match self.count {
            1 => "(1 trial)".to_owned(),
            n => format!("({} to {} in {n} trials)", number(self.lowest), number(self.highest)),
        }
    }

    /// What may be added about two that do not overlap: of one trial each, nothing.
    pub fn apart(&self, other: &Self) -> &'static str {
        if self.count.min(other.count) > 1 { ", no trial overlapping" } else { "" }
    }
}

/// A number with this many significant digits as people write it: `2.30`, `0.135`, and `1.12e-5` only where plain decimals are
/// hard to read.
pub fn significant(value: f64, digits: usize) -> String {
    let fraction = digits.max(1) - 1;
    let text = format!("{value:.fraction$e}");
    let exponent = text.split_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok());
    match exponent {
        // The exponent is of the rounded number: 9.9996 is 10.00.
        Some(exponent @ -3..=4) => {
            let decimals = usize::try_from(fraction as i32 - exponent).unwrap_or(0);
            format!("{value:.decimals$}")
        }
        Some(_) => text,
        None => value.to_string(),
    }
}

/// That trials diverged, if any did.
pub fn diverged_in_words(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 trial diverged and is left out".to_owned()),
        n => Some(format!("{n} trials diverged and are left out")),
    }
}

/// What is said of one network.
#[derive(Clone, Debug)]
pub struct Statement {
    /// What it learnt: statements of one group make one line.
    pub group: String,
    /// Its name.
    pub model: String,
    /// Its weights and biases.
    pub parameters: i64,
    /// Its trials, those that diverged included.
    pub trials: usize,
    /// What is said.
    pub text: String,
}

/// One line a group, for the log; with fewer than three trials of something they say that no order can be claimed.
pub fn lines(statements: &[Statement]) -> Vec<String> {
    let few = statements.iter().any(|statement| statement.trials < 3);
    let caution = if few { ". Fewer than 3 trials: no order can be claimed" } else { "" };
    statements
        .chunk_by(|a, b| a.group == b.group)
        .map(|group| {
            let said = group.iter().map(|s| format!("{} ({} parameters): {}", s.model, s.parameters, s.text));
            format!("{}: {}{caution}.", group[0].group, said.collect::<Vec<_>>().join(". "))
        })
        .collect()
}

/// Writes [`lines`] to the log and the table `conclusion`: a row a statement, with the columns model, parameters, trials, those
/// in `more`, and statement after a column `group` of this name.
pub fn write<'a>(
    ctx: &Ctx,
    step: i64,
    group: &'a str,
    statements: &[Statement],
    more: impl IntoIterator<Item = Column<'a>>,
) -> Result<()> {
    for line in lines(statements) {
        ctx.info(line)?;
    }
    let text = |of: fn(&Statement) -> &str| statements.iter().map(of).collect::<Vec<_>>();
    let whole = |of: fn(&Statement) -> i64| statements.iter().map(of).collect::<Vec<_>>();
    let mut columns = vec![
        Column::utf8(group, &text(|s| &s.group)),
        Column::utf8("model", &text(|s| &s.model)),
        Column::i64("parameters", whole(|s| s.parameters)),
        Column::i64("trials", whole(|s| s.trials as i64)),
    ];
    columns.extend(more);
    columns.push(Column::utf8("statement", &text(|s| &s.text)));
    ctx.table("conclusion", step, &columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_claimed_only_of_trials_apart() {
        let of = Spread::of;
        assert!(of(&[1.0, 3.0]).overlaps(&of(&[2.0, 4.0])) && !of(&[1.0, 3.0]).overlaps(&of(&[3.5])));
        assert_eq!(of(&[1.0, 3.0]).apart(&of(&[4.0, 5.0])), ", no trial overlapping");
        assert_eq!(
            (of(&[1.0, 3.0]).apart(&of(&[4.0])), of(&[2.0]).in_words(|v| v.to_string())),
            ("", "(1 trial)".into())
        );
        assert_eq!(of(&[1.0, 3.0]).in_words(|v| format!("{v:.1}")), "(1.0 to 3.0 in 2 trials)");
        assert!(of(&[]).mean.is_nan() && !of(&[]).overlaps(&of(&[1.0])));
        assert_eq!(diverged_in_words(0), None);
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        let written =
            [(2.302, 3), (0.13479, 3), (0.00112, 3), (9.9996, 4), (18.687, 5), (-0.26472, 5), (0.0, 3)];
        assert_eq!(
            written.map(|(value, digits)| significant(value, digits)),
            ["2.30", "0.135", "0.00112", "10.00", "18.687", "-0.26472", "0.00"]
        );
        let odd = [1.12e-5, -4.5024e-6, 123_456.0, 99_999.0, f64::NAN, f64::INFINITY];
        assert_eq!(
            odd.map(|value| significant(value, 3)),
            ["1.12e-5", "-4.50e-6", "1.23e5", "1.00e5", "NaN", "inf"]
        );
    }

    #[test]
    fn a_group_makes_a_line() {
        let statement = |group: &str, model: &str, trials| Statement {
            group: group.into(),
            model: model.into(),
            parameters: 5,
            trials,
            text: "well".into(),
        };
        let said = lines(&[statement("a", "x", 3), statement("a", "y", 3), statement("b", "x", 3)]);
        assert_eq!(
            said,
            ["a: x (5 parameters): well. y (5 parameters): well.", "b: x (5 parameters): well."]
        );
        let few = lines(&[statement("a", "x", 2)]);
        assert_eq!(few, ["a: x (5 parameters): well. Fewer than 3 trials: no order can be claimed."]);
    }
}
