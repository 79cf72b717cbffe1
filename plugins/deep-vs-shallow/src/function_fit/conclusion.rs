//! What the final losses say, computed from them.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{self, Spread, Statement, diverged_in_words, significant};

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
    loss: Spread,
    diverged: usize,
    variance: f64,
}

/// The final losses of a run and what follows from them.
#[derive(Clone, Debug)]
pub(super) struct Conclusion {
    rows: Vec<Row>,
    statements: Vec<Statement>,
}

impl Row {
    /// What can be said of this model beside the best of its function.
    fn state(&self, best: Option<&Self>) -> String {
        let loss = &self.loss;
        if loss.count == 0 {
            return "no loss: every trial diverged".to_owned();
        }
        let number = |loss: f64| significant(loss, 3);
        let mut parts = vec![format!("mean loss {} {}", number(loss.mean), loss.in_words(number))];
        match best {
            Some(best) if best.model == self.model => parts.push("the lowest mean".to_owned()),
            Some(best) if loss.overlaps(&best.loss) => {
                parts.push(format!("not separated from {}: their trials overlap", best.model));
            }
            Some(best) => {
                let (times, apart) = (loss.mean / best.loss.mean, loss.apart(&best.loss));
                parts.push(format!("{} times {}'s{apart}", significant(times, 3), best.model));
            }
            None => {}
        }
        let share = loss.mean / self.variance;
        if share > 1.0 {
            parts.push(format!("{share:.2} times the function's variance: worse than predicting its mean"));
        } else if share > SAID {
            parts.push(format!("{:.0} % of the function's variance, the loss of its mean", 100.0 * share));
        }
        parts.extend(diverged_in_words(self.diverged));
        parts.join("; ")
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
                loss: Spread::of(&finite),
                variance: variance(&target.values),
            });
        }
        Ok(Self::compare(rows))
    }

    fn compare(rows: Vec<Row>) -> Self {
        let state = |row: &Row| {
            let best = rows
                .iter()
                .filter(|other| other.function == row.function && other.loss.count > 0)
                .min_by(|a, b| a.loss.mean.total_cmp(&b.loss.mean));
            Statement {
                group: row.function.clone(),
                model: row.model.clone(),
                parameters: row.parameters,
                trials: row.loss.count + row.diverged,
                text: row.state(best),
            }
        };
        Self { statements: rows.iter().map(state).collect(), rows }
    }

    /// Writes a line a function to the log and the rows to the table `conclusion`.
    pub(super) fn write(&self, ctx: &Ctx, step: i64) -> Result<()> {
        let number = |of: fn(&Row) -> f64| self.rows.iter().map(of).collect::<Vec<_>>();
        let diverged: Vec<i64> = self.rows.iter().map(|row| row.diverged as i64).collect();
        let more = [
            Column::i64("diverged", diverged),
            Column::f64("loss_mean", number(|r| r.loss.mean)).unit("MSE"),
            Column::f64("loss_lowest", number(|r| r.loss.lowest)).unit("MSE"),
            Column::f64("loss_highest", number(|r| r.loss.highest)).unit("MSE"),
            Column::f64("variance", number(|r| r.variance)),
        ];
        conclusion::write(ctx, step, "function", &self.statements, more)
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
            loss: Spread::of(losses),
            diverged,
            variance: 0.1,
        }
    }

    fn lines(conclusion: &Conclusion) -> Vec<String> {
        conclusion::lines(&conclusion.statements)
    }

    #[test]
    fn statements_follow_the_numbers() {
        let conclusion = Conclusion::compare(vec![
            row("deep", &[2e-6, 4e-6, 3e-6], 0),
            row("middle", &[1e-6, 3e-6, 2e-6], 0),
            row("shallow", &[2e-3, 2e-3, 2e-3], 0),
        ]);
        let of = |i: usize| conclusion.statements[i].text.as_str();
        assert!(of(0).contains("not separated from middle") && !of(0).contains("times"), "{}", of(0));
        assert!(
            of(1).contains("mean loss 2.00e-6 (1.00e-6 to 3.00e-6 in 3 trials); the lowest mean"),
            "{}",
            of(1)
        );
        assert!(of(2).contains("mean loss 0.00200 "), "{}", of(2));
        assert!(of(2).contains("1000 times middle's, no trial overlapping"), "{}", of(2));

        let conclusion = Conclusion::compare(vec![row("deep", &[0.09, 0.08], 1), row("shallow", &[], 3)]);
        let said = lines(&conclusion);
        assert_eq!(said.len(), 1);
        for part in ["85 % of the function's variance", "1 trial diverged", "every trial diverged"] {
            assert!(said[0].contains(part), "{}", said[0]);
        }
        assert!(!said[0].contains("Fewer"));
        let single = lines(&Conclusion::compare(vec![row("deep", &[0.01], 0)]));
        assert!(single[0].contains("Fewer than 3 trials"), "{}", single[0]);
        let singles = lines(&Conclusion::compare(vec![row("deep", &[0.01], 0), row("shallow", &[0.2], 0)]));
        assert!(singles[0].contains("20.0 times deep's;"), "one trial each has no overlap: {}", singles[0]);
        assert!(singles[0].contains("2.00 times the function's variance: worse"), "{}", singles[0]);
    }
}
