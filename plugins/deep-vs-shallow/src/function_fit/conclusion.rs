//! Draws conclusions from the final losses.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{self, Claim, Spread, diverged_in_words, significant};
use gradtop_toolkit::rates;
use gradtop_toolkit::stats::{median, student};

use super::tables::rates_of;
use super::target::variance;
use super::training::{Training, losses};

/// A loss above this fraction of the function's variance (the loss of predicting the mean) is put into context.
const SAID: f64 = 0.5;

/// The final losses of one model on one function at one learning rate, by trial.
#[derive(Clone, Debug)]
struct AtRate {
    rate: f64,
    /// NaN for trials that diverged.
    losses: Vec<f64>,
    /// Losses halfway between the points of the grid.
    validations: Vec<f64>,
}

impl AtRate {
    /// Returns the median validation loss of all trials, or all but one; a diverged trial counts as the worst.
    fn validation(&self, but: Option<usize>) -> f64 {
        let others = self.validations.iter().enumerate().filter(|(trial, _)| Some(*trial) != but);
        median(&others.map(|(_, v)| if v.is_finite() { *v } else { f64::INFINITY }).collect::<Vec<_>>())
    }
}

fn finite(losses: &[f64]) -> Vec<f64> {
    losses.iter().copied().filter(|loss| loss.is_finite()).collect()
}

fn in_words(losses: &[f64]) -> String {
    let number = |loss: f64| significant(loss, 3);
    let spread = Spread::geometric(losses);
    match spread.count {
        0 => "no loss, as every trial diverged".to_owned(),
        1 => format!("loss {} (1 trial)", number(spread.mean)),
        _ => format!("geometric mean loss {} {}", number(spread.mean), spread.in_words(number)),
    }
}

/// One model on one function.
#[derive(Clone, Debug)]
struct Row {
    function: String,
    model: String,
    parameters: i64,
    /// The common rate, followed by the further ones.
    rates: Vec<AtRate>,
    variance: f64,
}

impl Row {
    /// Returns the losses at the common rate of trials that did not diverge.
    fn common(&self) -> Vec<f64> {
        finite(&self.rates[0].losses)
    }

    fn diverged(&self) -> usize {
        self.rates[0].losses.len() - self.common().len()
    }

    /// Returns the rate at which a trial is compared: the one where the other trials have the lowest median validation
    /// loss. So no trial chooses for itself, and none that happens to do well alone decides for all.
    fn choice(&self, trial: usize) -> &AtRate {
        let but = (self.rates[0].losses.len() > 1).then_some(trial);
        rates::own(&self.rates, |rate| rate.validation(but)).unwrap_or(&self.rates[0])
    }

    /// Returns the loss of each trial at the rate chosen by the others, for those that did not diverge there.
    fn own(&self) -> Vec<f64> {
        let trials = 0..self.rates[0].losses.len();
        finite(&trials.map(|trial| self.choice(trial).losses[trial]).collect::<Vec<_>>())
    }

    /// Returns the chosen rates with the number of trials compared at each, most frequent first.
    fn chosen(&self) -> Vec<(f64, usize)> {
        let mut counts: Vec<(f64, usize)> = Vec::new();
        for trial in 0..self.rates[0].losses.len() {
            let rate = self.choice(trial).rate;
            match counts.iter_mut().find(|(known, _)| *known == rate) {
                Some((_, count)) => *count += 1,
                None => counts.push((rate, 1)),
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }

    /// Formats the ratio of geometric means of two sets of losses with its 95 % interval.
    fn times(own: &[f64], best: &[f64]) -> String {
        let found = student::difference(&logs(own), &logs(best));
        let number = |log: f64| significant(log.exp(), 3);
        let interval = if found.low.is_nan() {
            String::new()
        } else {
            format!(", 95 % interval {} to {}", number(found.low), number(found.high))
        };
        format!("{} times (ratio of geometric means{interval})", number(found.value))
    }

    /// Describes the rates at which losses are compared.
    fn at_own(&self) -> String {
        match (&self.chosen()[..], self.rates.len()) {
            (_, 1) => String::new(),
            ([(rate, _)], tried) => format!("at its own best rate {rate} of {tried} tried, "),
            (several, tried) => {
                let each: Vec<String> =
                    several.iter().map(|(rate, count)| format!("{rate} for {count}")).collect();
                format!("at its own best rate of {tried} tried (by trials: {}), ", each.join(", "))
            }
        }
    }

    /// Returns the claim about this model compared with the best of its function.
    fn claim(&self, best: Option<&Self>) -> Claim {
        let about = format!("{}, {}", self.function, self.model);
        let (own, common, swept) = (self.own(), self.common(), self.rates.len() > 1);
        let Some(best) = best.filter(|_| !own.is_empty()) else {
            return Claim::seen(about, "no loss: every trial diverged");
        };
        let (theirs, their_common) = (best.own(), best.common());
        let lower = |own: &[f64], theirs: &[f64]| typical(own) < typical(theirs);
        let mut claim = if best.model == self.model {
            Claim::seen(about, "the lowest loss of this function's networks")
        } else {
            let claim = Claim::tested(
                about,
                conclusion::order(&logs(&own), &logs(&theirs)),
                format!(
                    "a {} loss than {}",
                    if lower(&own, &theirs) { "lower" } else { "higher" },
                    best.model
                ),
                format!("not separated from {}", best.model),
            );
            claim.evidence(format!("{} {}'s", Self::times(&own, &theirs), best.model))
        };
        claim = claim.evidence(format!("{}{}", self.at_own(), in_words(&own)));
        if swept {
            let compared = best.model != self.model && !common.is_empty() && !their_common.is_empty();
            let beside = if compared {
                format!(", {} {}'s", Self::times(&common, &their_common), best.model)
            } else {
                String::new()
            };
            claim = claim.evidence(format!(
                "at the common rate {}, {}{beside}",
                self.rates[0].rate,
                in_words(&common)
            ));
            if compared && lower(&common, &their_common) != lower(&own, &theirs) {
                claim = claim.caution("at the common rate the order is the other way round");
            }
            if !common.is_empty() && lower(&common, &own) {
                claim = claim
                    .caution("the rates that the other trials choose did no better here than the common one");
            }
            let tried = self.rates.iter().map(|rate| rate.rate);
            claim = claim.caution(rates::end_in_words(self.chosen()[0].0, tried));
        } else {
            claim = claim.caution("one learning rate for all: part of a difference may come from the rate");
        }
        let share = typical(&own) / self.variance;
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
        let diverged = self.rates[0].losses.len() - own.len();
        claim.caution(diverged_in_words(diverged).unwrap_or_default())
    }
}

/// Returns the one mean of losses by which networks are ranked, compared and described: the geometric one.
fn typical(losses: &[f64]) -> f64 {
    Spread::geometric(losses).mean
}

fn logs(losses: &[f64]) -> Vec<f64> {
    losses.iter().map(|loss| loss.ln()).collect()
}

/// The final losses of a run and the conclusions.
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
            let rate = AtRate {
                rate: training.rate(fit),
                validations: if swept { fit.validate(training)? } else { vec![0.0; all.len()] },
                losses: all.iter().map(|loss| if loss.is_finite() { *loss } else { f64::NAN }).collect(),
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

    /// Compares each network with the best of its function, and returns the claims and the number of possible pairs.
    fn claims(&self) -> (Vec<Claim>, usize) {
        let of =
            |function: &str| self.rows.iter().filter(move |row| row.function == function).collect::<Vec<_>>();
        let claim = |row: &Row| {
            let peers = of(&row.function);
            let known = peers.into_iter().filter(|peer| !peer.own().is_empty());
            row.claim(known.min_by(|a, b| typical(&a.own()).total_cmp(&typical(&b.own()))))
        };
        let mut functions: Vec<&str> = self.rows.iter().map(|row| row.function.as_str()).collect();
        functions.dedup();
        let pairs =
            functions.into_iter().map(|function| of(function).len()).map(|n| n * n.saturating_sub(1) / 2);
        (self.rows.iter().map(claim).collect(), pairs.sum())
    }

    /// Writes the claims, and each model's losses at each rate to a table per function. Returns each claim with its figure.
    pub(super) fn write(&self, ctx: &Ctx, step: i64) -> Result<Vec<(&'static str, Claim)>> {
        for rows in self.rows.chunk_by(|a, b| a.function == b.function).filter(|rows| rows[0].rates.len() > 1)
        {
            let all = rows.iter().flat_map(|row| row.rates.iter().map(move |rate| (row, rate)));
            let spread = |rate: &AtRate| Spread::geometric(&finite(&rate.losses));
            let table = Rows::of(all)
                .utf8("model", |(row, _)| &row.model)
                .f64("lr", |(_, r)| r.rate)
                .f64("validation_loss", |(_, r)| r.validation(None))
                .unit("MSE")
                .i64("trials", |(_, r)| finite(&r.losses).len() as i64)
                .f64("loss_geometric_mean", |(_, r)| spread(r).mean)
                .unit("MSE")
                .f64("loss_lowest", |(_, r)| spread(r).lowest)
                .unit("MSE")
                .f64("loss_highest", |(_, r)| spread(r).highest)
                .unit("MSE");
            ctx.table(&rates_of(&rows[0].function), step, &table.columns())?;
        }
        let keys = Rows::of(&self.rows)
            .utf8("function", |r| &r.function)
            .utf8("model", |r| &r.model)
            .i64("parameters", |r| r.parameters)
            .i64("trials", |r| r.rates[0].losses.len() as i64)
            .i64("diverged", |r| r.diverged() as i64)
            .f64("loss_geometric_mean", |r| typical(&r.common()))
            .unit("MSE")
            .f64("loss_lowest", |r| Spread::of(&r.common()).lowest)
            .unit("MSE")
            .f64("loss_highest", |r| Spread::of(&r.common()).highest)
            .unit("MSE")
            .f64("own_rate", |r| r.chosen()[0].0)
            .f64("own_loss_geometric_mean", |r| typical(&r.own()))
            .unit("MSE")
            .f64("variance", |r| r.variance)
            .columns();
        let (claims, pairs) = self.claims();
        let figure = if self.rows.iter().any(|row| row.rates.len() > 1) { "rates" } else { "loss" };
        conclusion::write(ctx, step, claims.into_iter().map(|claim| (figure, claim)).collect(), pairs, keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(model: &str, rates: &[(f64, &[f64], f64)], diverged: usize) -> Row {
        let rate = |&(rate, losses, validation): &(f64, &[f64], f64)| AtRate {
            rate,
            losses: [losses, &vec![f64::NAN; diverged]].concat(),
            validations: vec![validation; losses.len() + diverged],
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
            row("middle", &[(1e-3, &[3e-6, 2e-6, 3e-6, 5e-6, 4e-6], 3e-6), (5e-3, &[1.0; 5], 1.0)], 0),
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
            "at its own best rate 0.005 of 2 tried, geometric mean loss 1.04e-4 (9.00e-5 to 1.20e-4 in 5 trials)",
            "at the common rate 0.001, geometric mean loss 0.00204",
            "corrected for 3 tests",
            "Caution: 0.005 is the end of the rates tried: a better one may lie beyond.",
        ] {
            assert!(said[2].contains(part), "{part:?} is not in: {}", said[2]);
        }
    }

    /// A rate at which most trials do badly is not chosen for one that does well, and no trial chooses for itself.
    #[test]
    fn the_other_trials_choose() {
        let mut fit = row("middle", &[(1e-3, &[0.02; 6], 0.02), (2e-2, &[0.1; 6], 0.1)], 0);
        fit.rates[1].validations[0] = 0.01;
        assert_eq!(fit.chosen(), [(1e-3, 6)]);
        // Of two trials each is compared where the other is better.
        let mut two = row("deep", &[(1e-3, &[1.0, 2.0], 0.5), (2e-2, &[3.0, 4.0], 0.5)], 0);
        two.rates[0].validations = vec![0.1, 0.9];
        two.rates[1].validations = vec![f64::NAN, 0.5];
        assert_eq!(two.own(), [3.0, 2.0]);
        assert!(two.at_own().contains("of 2 tried (by trials: 0.02 for 1, 0.001 for 1)"), "{}", two.at_own());
    }

    #[test]
    fn an_order_that_the_common_rate_reverses_is_cautioned() {
        let said = said(vec![
            row("deep", &[(1e-3, &[0.04; 6], 0.04), (5e-3, &[0.5; 6], 0.5)], 0),
            row("middle", &[(1e-3, &[0.02; 6], 0.2), (5e-3, &[0.1; 6], 0.1)], 0),
        ]);
        assert!(said[1].starts_with("a higher loss than deep"), "{}", said[1]);
        assert!(said[1].contains("at the common rate the order is the other way round"), "{}", said[1]);
        assert!(!said[0].contains("other way round") && !said[0].contains("no better here"), "{}", said[0]);
        assert!(said[1].contains("the rates that the other trials choose did no better here"), "{}", said[1]);
    }

    /// Two low losses and a high one have the highest arithmetic mean, and the lowest geometric one.
    #[test]
    fn one_mean_ranks_and_shows() {
        let said = said(vec![
            row("deep", &[(1e-3, &[1e-4, 1e-4, 2e-3], 0.0)], 0),
            row("middle", &[(1e-3, &[5e-4, 5e-4, 5e-4], 0.0)], 0),
        ]);
        assert!(said[0].starts_with("the lowest loss of this function's networks"), "{}", said[0]);
        assert!(
            said[0].contains("geometric mean loss 2.71e-4 (1.00e-4 to 0.00200 in 3 trials)"),
            "{}",
            said[0]
        );
        assert!(said[1].starts_with("a higher loss than deep"), "{}", said[1]);
        assert!(said[1].contains("1.84 times"), "{}", said[1]);
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
            "fewer than 5 trials: others may differ",
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
