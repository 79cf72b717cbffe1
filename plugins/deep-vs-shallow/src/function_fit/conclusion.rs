//! What the final losses say, computed from them.

use gradtop_sdk::prelude::*;

use super::target::variance;
use super::training::{Training, losses};

/// A loss above this share of the function's variance, which is the loss of predicting the mean, is said beside it.
const SAID: f64 = 0.5;

/// The final losses of one model on one function.
#[derive(Clone, Debug)]
struct Row {
    function: String,
    model: String,
    parameters: i64,
    /// Of the trials that did not diverge.
    losses: Vec<f64>,
    diverged: usize,
    variance: f64,
    statement: String,
}

/// The final losses of a run and what follows from them.
#[derive(Clone, Debug)]
pub(super) struct Conclusion {
    rows: Vec<Row>,
}

impl Row {
    fn mean(&self) -> f64 {
        self.losses.iter().sum::<f64>() / self.losses.len() as f64
    }

    fn lowest(&self) -> f64 {
        self.losses.iter().copied().fold(f64::NAN, f64::min)
    }

    fn highest(&self) -> f64 {
        self.losses.iter().copied().fold(f64::NAN, f64::max)
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.lowest() <= other.highest() && other.lowest() <= self.highest()
    }

    /// What can be said of this model beside the best of its function.
    fn state(&mut self, best: Option<&Self>) {
        let mut parts = Vec::new();
        if self.losses.is_empty() {
            parts.push("no loss: every trial diverged".to_owned());
        } else {
            let spread = if self.losses.len() > 1 {
                format!(" ({:.2e} to {:.2e} in {} trials)", self.lowest(), self.highest(), self.losses.len())
            } else {
                " (1 trial)".to_owned()
            };
            parts.push(format!("mean loss {:.2e}{spread}", self.mean()));
            match best {
                Some(best) if best.model == self.model => parts.push("the lowest mean".to_owned()),
                Some(best) if self.overlaps(best) => {
                    parts.push(format!("not separated from {}: their trials overlap", best.model));
                }
                Some(best) => {
                    let apart = if self.losses.len().min(best.losses.len()) > 1 {
                        ", no trial overlapping"
                    } else {
                        ""
                    };
                    parts.push(format!("{:.1} times {}'s{apart}", self.mean() / best.mean(), best.model));
                }
                None => {}
            }
            let share = self.mean() / self.variance;
            if share > 1.0 {
                parts.push(format!(
                    "{share:.2} times the function's variance: worse than predicting its mean"
                ));
            } else if share > SAID {
                parts
                    .push(format!("{:.0} % of the function's variance, the loss of its mean", 100.0 * share));
            }
            match self.diverged {
                0 => {}
                1 => parts.push("1 trial diverged and is left out".to_owned()),
                n => parts.push(format!("{n} trials diverged and are left out")),
            }
        }
        self.statement = parts.join("; ");
    }
}

impl Conclusion {
    /// Evaluates every fit and compares the models of each function.
    pub(super) fn of(training: &Training) -> Result<Self> {
        let mut rows = Vec::new();
        for fit in &training.fits {
            let target = &training.setup().targets[fit.target];
            let all = losses(&fit.predict(training)?, &target.values);
            let finite: Vec<f64> = all.iter().copied().filter(|loss| loss.is_finite()).collect();
            rows.push(Row {
                function: target.name.clone(),
                model: fit.model.clone(),
                parameters: fit.mlp.parameter_count(),
                diverged: all.len() - finite.len(),
                losses: finite,
                variance: variance(&target.values),
                statement: String::new(),
            });
        }
        Ok(Self::compare(rows))
    }

    fn compare(mut rows: Vec<Row>) -> Self {
        let before = rows.clone();
        for row in &mut rows {
            let best = before
                .iter()
                .filter(|other| other.function == row.function && !other.losses.is_empty())
                .min_by(|a, b| a.mean().total_cmp(&b.mean()));
            row.state(best);
        }
        Self { rows }
    }

    /// One line a function, for the log.
    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<(String, String)> = Vec::new();
        for row in &self.rows {
            let text = format!("{} ({} parameters): {}", row.model, row.parameters, row.statement);
            match lines.last_mut() {
                Some((function, line)) if *function == row.function => {
                    line.push_str(". ");
                    line.push_str(&text);
                }
                _ => lines.push((row.function.clone(), text)),
            }
        }
        let few = self.rows.iter().any(|row| row.losses.len() + row.diverged < 3);
        let caution = if few { ". Fewer than 3 trials: no order can be claimed" } else { "" };
        lines.into_iter().map(|(function, line)| format!("{function}: {line}{caution}.")).collect()
    }

    /// Writes the lines to the log and the rows to the table `conclusion`.
    pub(super) fn write(&self, ctx: &Ctx, step: i64) -> Result<()> {
        for line in self.lines() {
            ctx.info(line)?;
        }
        let text = |of: fn(&Row) -> &str| self.rows.iter().map(of).collect::<Vec<_>>();
        let number = |of: fn(&Row) -> f64| self.rows.iter().map(of).collect::<Vec<_>>();
        let whole = |of: fn(&Row) -> i64| self.rows.iter().map(of).collect::<Vec<_>>();
        ctx.table(
            "conclusion",
            step,
            &[
                Column::utf8("function", &text(|r| &r.function)),
                Column::utf8("model", &text(|r| &r.model)),
                Column::i64("parameters", whole(|r| r.parameters)),
                Column::i64("trials", whole(|r| (r.losses.len() + r.diverged) as i64)),
                Column::i64("diverged", whole(|r| r.diverged as i64)),
                Column::f64("loss_mean", number(Row::mean)).unit("MSE"),
                Column::f64("loss_lowest", number(Row::lowest)).unit("MSE"),
                Column::f64("loss_highest", number(Row::highest)).unit("MSE"),
                Column::f64("variance", number(|r| r.variance)),
                Column::utf8("statement", &text(|r| &r.statement)),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(model: &str, losses: &[f64], diverged: usize) -> Row {
        Row {
            function: "sinc".into(),
            model: model.into(),
            parameters: 571,
            losses: losses.to_vec(),
            diverged,
            variance: 0.1,
            statement: String::new(),
        }
    }

    #[test]
    fn statements_follow_the_numbers() {
        let conclusion = Conclusion::compare(vec![
            row("deep", &[2e-6, 4e-6, 3e-6], 0),
            row("middle", &[1e-6, 3e-6, 2e-6], 0),
            row("shallow", &[2e-3, 2e-3, 2e-3], 0),
        ]);
        let of = |i: usize| conclusion.rows[i].statement.as_str();
        assert!(of(0).contains("not separated from middle") && !of(0).contains("times"), "{}", of(0));
        assert!(of(1).contains("the lowest mean"), "{}", of(1));
        assert!(of(2).contains("1000.0 times middle's, no trial overlapping"), "{}", of(2));

        let conclusion = Conclusion::compare(vec![row("deep", &[0.09, 0.08], 1), row("shallow", &[], 3)]);
        let lines = conclusion.lines();
        assert_eq!(lines.len(), 1);
        for part in ["85 % of the function's variance", "1 trial diverged", "every trial diverged"] {
            assert!(lines[0].contains(part), "{}", lines[0]);
        }
        assert!(!lines[0].contains("Fewer"));
        let single = Conclusion::compare(vec![row("deep", &[0.01], 0)]).lines();
        assert!(single[0].contains("Fewer than 3 trials"), "{}", single[0]);
        let singles = Conclusion::compare(vec![row("deep", &[0.01], 0), row("shallow", &[0.2], 0)]).lines();
        assert!(singles[0].contains("20.0 times deep's;"), "one trial each has no overlap: {}", singles[0]);
        assert!(singles[0].contains("2.00 times the function's variance: worse"), "{}", singles[0]);
    }
}
