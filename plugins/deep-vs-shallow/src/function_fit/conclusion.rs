//! What the final losses say, computed from them.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{self, Claim, Spread, Strength, diverged_in_words, significant};
use gradtop_toolkit::stats::{mean, student};

use super::tables::rates_of;
use super::target::variance;
use super::training::{Training, losses};

/// A loss above this share of the function's variance, which is the loss of predicting the mean, is said beside it.
const SAID: f64 = 0.5;

/// The final losses of one model on one function at one learning rate.
#[derive(Clone, Debug)]
struct AtRate {
    rate: f64,
    /// Of the trials that are compared and did not diverge.
    losses: Vec<f64>,
    diverged: usize,
    /// Halfway between the points, of the trial that chooses the rate.
    validation: f64,
}

impl AtRate {
    fn spread(&self) -> Spread {
        Spread::of(&self.losses)
    }

    fn in_words(&self) -> String {
        let number = |loss: f64| significant(loss, 3);
        let spread = self.spread();
        match spread.count {
            0 => "no loss, as every trial diverged".to_owned(),
            _ => format!("mean loss {} {}", number(spread.mean), spread.in_words(number)),
        }
    }
}

/// One model on one function.
#[derive(Clone, Debug)]
struct Row {
    function: String,
    model: String,
    parameters: i64,
    /// The common rate, then the further ones.
    rates: Vec<AtRate>,
    variance: f64,
}

impl Row {
    fn common(&self) -> &AtRate {
        &self.rates[0]
    }

    /// The rate of the lowest validation loss.
    fn own(&self) -> &AtRate {
        let usable = self.rates.iter().filter(|rate| !rate.losses.is_empty() && !rate.validation.is_nan());
        usable.min_by(|a, b| a.validation.total_cmp(&b.validation)).unwrap_or(self.common())
    }

    /// Geometric mean of one's losses by that of the other's, with its 95 % interval.
    fn times(own: &AtRate, best: &AtRate) -> String {
        let logs = |rate: &AtRate| rate.losses.iter().map(|loss| loss.ln()).collect::<Vec<_>>();
        let found = student::difference(&logs(own), &logs(best));
        let number = |log: f64| significant(log.exp(), 3);
        let interval = if found.low.is_nan() {
            String::new()
        } else {
            format!(", 95 % interval {} to {}", number(found.low), number(found.high))
        };
        format!("{} times (ratio of geometric means{interval})", number(found.value))
    }

    /// What can be said of this model beside the best of its function.
    fn claim(&self, best: Option<&Self>) -> Claim {
        let about = format!("{}, {}", self.function, self.model);
        let (own, swept) = (self.own(), self.rates.len() > 1);
        let at = |rate: &AtRate| {
            if swept {
                format!("at its own best rate {} of {} tried, ", rate.rate, self.rates.len())
            } else {
                String::new()
            }
        };
        let Some(best) = best.filter(|_| !own.losses.is_empty()) else {
            return Claim::new(about, Strength::Seen, "no loss: every trial diverged");
        };
        let mut claim = if best.model == self.model {
            Claim::new(about, Strength::Seen, "the lowest loss of this function's networks")
        } else {
            let theirs = best.own();
            let logs = |rate: &AtRate| rate.losses.iter().map(|loss| loss.ln()).collect::<Vec<_>>();
            let lower = mean(&logs(own)) < mean(&logs(theirs));
            let higher = if lower { "lower" } else { "higher" };
            let claim = Claim::tested(
                about,
                conclusion::order(&logs(own), &logs(theirs)),
                format!("a {higher} loss than {}", best.model),
                format!("not separated from {}", best.model),
            );
            claim.evidence(format!("{} {}'s", Self::times(own, theirs), best.model))
        };
        claim = claim.evidence(format!("{}{}", at(own), own.in_words()));
        if swept {
            let common = self.common();
            let beside =
                if best.model == self.model || common.losses.is_empty() || best.common().losses.is_empty() {
                    String::new()
                } else {
                    format!(", {} {}'s", Self::times(common, best.common()), best.model)
                };
            claim =
                claim.evidence(format!("at the common rate {}, {}{beside}", common.rate, common.in_words()));
            let rates = || self.rates.iter().map(|rate| rate.rate);
            if own.rate == rates().fold(f64::INFINITY, f64::min) || own.rate == rates().fold(0.0, f64::max) {
                claim = claim.caution(format!(
                    "{} is the end of the rates tried: a better one may lie beyond",
                    own.rate
                ));
            }
        } else {
            claim = claim.caution("one learning rate for all: part of a difference may be the rate's");
        }
        let share = own.spread().mean / self.variance;
        if share > 1.0 {
            claim = claim.evidence(format!(
                "{share:.2} times the function's variance: worse than predicting its mean"
            ));
        } else if share > SAID {
            claim = claim.evidence(format!(
                "{:.0} % of the function's variance, which is the loss of predicting its mean",
                100.0 * share
            ));
        }
        claim.caution(diverged_in_words(own.diverged).unwrap_or_default())
    }
}

/// The final losses of a run and what follows from them.
pub(super) struct Conclusion {
    rows: Vec<Row>,
}

impl Conclusion {
    /// Evaluates every fit.
    pub(super) fn of(training: &Training) -> Result<Self> {
        let mut rows: Vec<Row> = Vec::new();
        let swept = !training.setup().rates.is_empty();
        for fit in &training.fits {
            let target = &training.setup().targets[fit.target];
            let all = losses(&fit.predict(training)?, &target.values);
            // The first trial chooses the rate, and is not compared: it was the best where it chose.
            let compared = &all[usize::from(swept && all.len() > 1)..];
            let finite: Vec<f64> = compared.iter().copied().filter(|loss| loss.is_finite()).collect();
            let rate = AtRate {
                rate: training.rate(fit),
                diverged: compared.len() - finite.len(),
                losses: finite,
                validation: if swept { fit.validate(training)?[0] } else { 0.0 },
            };
            match rows.iter_mut().find(|row| row.function == target.name && row.model == fit.model) {
                Some(row) => row.rates.push(rate),
                None => rows.push(Row {
                    function: target.name.clone(),
                    model: fit.model.clone(),
                    parameters: fit.mlp.parameter_count(),
                    rates: vec![rate],
                    variance: variance(&target.values),
                }),
            }
        }
        Ok(Self { rows })
    }

    /// Each network beside the best of its function, and how many pairs there were to choose from.
    fn claims(&self) -> (Vec<Claim>, usize) {
        let of =
            |function: &str| self.rows.iter().filter(move |row| row.function == function).collect::<Vec<_>>();
        let claim = |row: &Row| {
            let peers = of(&row.function);
            let known = peers.into_iter().filter(|peer| !peer.own().losses.is_empty());
            row.claim(known.min_by(|a, b| a.own().spread().mean.total_cmp(&b.own().spread().mean)))
        };
        let mut functions: Vec<&str> = self.rows.iter().map(|row| row.function.as_str()).collect();
        functions.dedup();
        let pairs =
            functions.into_iter().map(|function| of(function).len()).map(|n| n * n.saturating_sub(1) / 2);
        (self.rows.iter().map(claim).collect(), pairs.sum())
    }

    /// Writes the claims, and each model's losses at each rate to a table of its function.
    pub(super) fn write(&self, ctx: &Ctx, step: i64) -> Result<()> {
        for rows in self.rows.chunk_by(|a, b| a.function == b.function).filter(|rows| rows[0].rates.len() > 1)
        {
            let all: Vec<(&Row, &AtRate)> =
                rows.iter().flat_map(|row| row.rates.iter().map(move |rate| (row, rate))).collect();
            let number =
                |of: &dyn Fn(&AtRate) -> f64| all.iter().map(|(_, rate)| of(rate)).collect::<Vec<_>>();
            ctx.table(
                &rates_of(&rows[0].function),
                step,
                &[
                    Column::utf8("model", &all.iter().map(|(row, _)| &row.model).collect::<Vec<_>>()),
                    Column::f64("lr", number(&|r| r.rate)),
                    Column::f64("validation_loss", number(&|r| r.validation)).unit("MSE"),
                    Column::i64("trials", all.iter().map(|(_, r)| r.losses.len() as i64).collect::<Vec<_>>()),
                    Column::f64("loss_mean", number(&|r| r.spread().mean)).unit("MSE"),
                    Column::f64("loss_lowest", number(&|r| r.spread().lowest)).unit("MSE"),
                    Column::f64("loss_highest", number(&|r| r.spread().highest)).unit("MSE"),
                ],
            )?;
        }
        let text = |of: fn(&Row) -> &str| self.rows.iter().map(of).collect::<Vec<_>>();
        let whole = |of: fn(&Row) -> i64| self.rows.iter().map(of).collect::<Vec<_>>();
        let number = |of: fn(&Row) -> f64| self.rows.iter().map(of).collect::<Vec<_>>();
        let keys = vec![
            Column::utf8("function", &text(|r| &r.function)),
            Column::utf8("model", &text(|r| &r.model)),
            Column::i64("parameters", whole(|r| r.parameters)),
            Column::i64("trials", whole(|r| (r.common().losses.len() + r.common().diverged) as i64)),
            Column::i64("diverged", whole(|r| r.common().diverged as i64)),
            Column::f64("loss_mean", number(|r| r.common().spread().mean)).unit("MSE"),
            Column::f64("loss_lowest", number(|r| r.common().spread().lowest)).unit("MSE"),
            Column::f64("loss_highest", number(|r| r.common().spread().highest)).unit("MSE"),
            Column::f64("own_rate", number(|r| r.own().rate)),
            Column::f64("own_loss_mean", number(|r| r.own().spread().mean)).unit("MSE"),
            Column::f64("variance", number(|r| r.variance)),
        ];
        let (claims, pairs) = self.claims();
        conclusion::write(ctx, step, claims, pairs, keys).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(model: &str, rates: &[(f64, &[f64], f64)], diverged: usize) -> Row {
        let rate = |&(rate, losses, validation): &(f64, &[f64], f64)| AtRate {
            rate,
            losses: losses.to_vec(),
            diverged,
            validation,
        };
        Row {
            function: "sinc".into(),
            model: model.into(),
            parameters: 571,
            rates: rates.iter().map(rate).collect(),
            variance: 0.1,
        }
    }

    fn said(rows: Vec<Row>) -> Vec<String> {
        let (mut claims, pairs) = Conclusion { rows }.claims();
        conclusion::settle(&mut claims, pairs);
        claims.iter().map(Claim::whole).collect()
    }

    #[test]
    fn orders_are_tested_at_own_rates() {
        let shallow: [&[f64]; 2] =
            [&[2e-3, 2.1e-3, 2.2e-3, 1.9e-3, 2e-3], &[1e-4, 1.1e-4, 1.2e-4, 1e-4, 0.9e-4]];
        let deep: &[f64] = &[2e-6, 4e-6, 3e-6, 2e-6, 4e-6];
        let said = said(vec![
            row("deep", &[(1e-3, deep, 3e-6), (5e-3, &[1.0; 5], 1.0)], 0),
            row("middle", &[(1e-3, &[3e-6, 1e-6, 3e-6, 5e-6, 4e-6], 3e-6), (5e-3, &[1.0; 5], 1.0)], 0),
            row("shallow", &[(1e-3, shallow[0], 2e-3), (5e-3, shallow[1], 1e-4)], 0),
        ]);
        assert!(
            said[0].starts_with("the lowest loss of this function's networks (seen in this run)."),
            "{}",
            said[0]
        );
        assert!(said[1].starts_with("not separated from deep (not decided)."), "{}", said[1]);
        for part in [
            "a higher loss than deep (shown). Evidence: 36.2 times (ratio of geometric means, 95 % interval",
            "at its own best rate 0.005 of 2 tried, mean loss 1.04e-4 (9.00e-5 to 1.20e-4 in 5 trials)",
            "at the common rate 0.001, mean loss 0.00204",
            "corrected for 3 tests",
            "Caution: 0.005 is the end of the rates tried: a better one may lie beyond.",
        ] {
            assert!(said[2].contains(part), "{part:?} is not in: {}", said[2]);
        }
    }

    #[test]
    fn few_trials_have_no_order() {
        let said = said(vec![
            row("deep", &[(1e-3, &[0.01; 3], 0.0)], 1),
            row("shallow", &[(1e-3, &[0.2, 0.2, 0.2], 0.0)], 0),
        ]);
        for part in [
            "seen in this run",
            "20.0 times",
            "2.00 times the function's variance: worse",
            "fewer than 5 trials: no order",
            "one learning rate for all",
        ] {
            assert!(said[1].contains(part), "{part:?} is not in: {}", said[1]);
        }
        assert!(said[0].contains("1 trial diverged"), "{}", said[0]);
        let lost = self::said(vec![row("deep", &[(1e-3, &[], 0.0)], 3)]);
        assert!(lost[0].contains("every trial diverged"), "{}", lost[0]);
        let one = self::said(vec![row("deep", &[(1e-3, &[0.085], 0.0)], 0)]);
        assert!(one[0].contains("85 % of the function's variance"), "{}", one[0]);
    }
}
