//! Draws conclusions from the final numbers.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{self, Claim, Spread, diverged_in_words};
use gradtop_toolkit::rates;
use gradtop_toolkit::stats::student;

use super::training::{AtRate, Training};

/// Networks whose sizes differ by no more than this fraction are considered equally large.
const EQUAL: f64 = 0.02;

/// The final numbers of one kind of network on one data set.
#[derive(Clone, Debug)]
struct Row {
    task: String,
    model: String,
    parameters: i64,
    convolutions: i64,
    /// [training loss, training accuracy, test loss, test accuracy] of each trial that did not diverge.
    trials: Vec<[f64; 4]>,
    diverged: usize,
    /// The learning rate of the trials.
    lr: f64,
    /// One more network at each learning rate, the common one first; empty if only the common one was tried.
    rates: Vec<AtRate>,
}

/// The final numbers of a run and the conclusions.
pub(super) struct Conclusion {
    rows: Vec<Row>,
}

impl Row {
    fn values(&self, which: usize) -> Vec<f64> {
        self.trials.iter().map(|values| values[which]).collect()
    }

    fn spread(&self, which: usize) -> Spread {
        Spread::of(&self.values(which))
    }

    /// Returns the network at the learning rate chosen on validation images.
    fn own(&self) -> Option<&AtRate> {
        rates::own(&self.rates, |rate| rate.found[0])
    }

    /// Adds to a claim what other rates would change, based on one network each.
    fn at_own_rate(&self, claim: Claim, best: &Self) -> Claim {
        let Some((own, theirs)) = self.own().zip(best.own()) else { return claim };
        let words = format!(
            "at its own best rate of {} tried, {} (one network, {} images), test accuracy {} %",
            self.rates.len(),
            own.rate,
            own.images,
            percent(own.found[3])
        );
        let (mut beside, mut turned) = (String::new(), "");
        if best.model != self.model {
            beside = format!(", {} at {} {} %", best.model, theirs.rate, percent(theirs.found[3]));
            if own.found[3] > theirs.found[3] {
                turned = "at the networks' own best rates the order is the other way round";
            }
        }
        let tried = self.rates.iter().map(|rate| rate.rate);
        claim.evidence(words + &beside).caution(turned).caution(rates::end_in_words(own.rate, tried))
    }

    /// Formats by how much this network's test accuracy exceeds another's.
    fn lead(&self, other: &Self) -> String {
        let found = student::difference(&self.values(3), &other.values(3));
        let interval = if found.low.is_nan() {
            String::new()
        } else {
            format!(" (95 % interval {} to {})", percent(found.low), percent(found.high))
        };
        format!("{} points{interval}", percent(found.value))
    }

    fn as_large_as(&self, other: &Self) -> bool {
        self.parameters.abs_diff(other.parameters) as f64
            <= EQUAL * self.parameters.max(other.parameters) as f64
    }

    /// Returns the claim about this network compared with the best of its size.
    fn claim(&self, peers: &[&Self]) -> Claim {
        let about = format!("{}, {} ({} parameters)", self.task, self.model, self.parameters);
        if self.trials.is_empty() {
            return Claim::seen(about, "no accuracy: every trial diverged");
        }
        let (train, test) = (self.spread(1), self.spread(3));
        let mut ranked = peers.to_vec();
        ranked.sort_by(|a, b| b.spread(3).mean.total_cmp(&a.spread(3).mean));
        let best = ranked.first().copied().unwrap_or(self);
        let claim = match ranked.get(1) {
            None => Claim::seen(about, format!("test accuracy {} %", percent(test.mean)))
                .caution("no other network of its size, so it is compared with none"),
            Some(next) if best.model == self.model => {
                let words = format!("the highest test accuracy of the {} networks of its size", peers.len());
                Claim::seen(about, words).evidence(format!(
                    "above {}, the next, by {}",
                    next.model,
                    self.lead(next)
                ))
            }
            Some(_) => Claim::tested(
                about,
                conclusion::order(&best.values(3), &self.values(3)),
                format!("a lower test accuracy than {}", best.model),
                format!("not separated from {} by test accuracy", best.model),
            )
            .evidence(format!("below {} by {}", best.model, best.lead(self)))
            .caution("tested at one learning rate for all: part of a difference may come from the rate"),
        };
        let gap = train.mean - test.mean;
        let side = if gap < 0.0 { "below" } else { "above" };
        let claim = claim
            .evidence(format!(
                "test accuracy {} % {} at learning rate {}",
                percent(test.mean),
                test.in_words(percent),
                self.lr
            ))
            .evidence(format!(
                "training accuracy {} %, {} points {side} test",
                percent(train.mean),
                percent(gap.abs())
            ));
        self.at_own_rate(claim, best).caution(diverged_in_words(self.diverged).unwrap_or_default())
    }
}

fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}

impl Conclusion {
    /// Compares the networks of each data set by their latest evaluation.
    pub(super) fn of(training: &Training, rates: &[AtRate], lr: f64) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        for fit in training.fits() {
            let task = training.tasks()[fit.task].title;
            let known = rows.iter().position(|row| row.task == task && row.model == fit.name());
            let at = known.unwrap_or_else(|| {
                rows.push(Row {
                    task: task.to_owned(),
                    model: fit.name().to_owned(),
                    parameters: fit.cnn.parameter_count(),
                    convolutions: fit.cnn.spec().convs.len() as i64,
                    trials: Vec::new(),
                    diverged: 0,
                    lr,
                    rates: rates.iter().filter(|rate| rate.place == fit.place()).copied().collect(),
                });
                rows.len() - 1
            });
            match fit.diverged {
                Some(_) => rows[at].diverged += 1,
                None => rows[at].trials.push(fit.latest),
            }
        }
        Self { rows }
    }

    /// Compares each network with the best of its size, and returns the claims and the number of possible pairs.
    fn claims(&self) -> (Vec<Claim>, usize) {
        let peers = |row: &Row| {
            let same =
                |other: &&Row| other.task == row.task && other.as_large_as(row) && !other.trials.is_empty();
            self.rows.iter().filter(same).collect::<Vec<_>>()
        };
        let others: usize = self.rows.iter().map(|row| peers(row).len().saturating_sub(1)).sum();
        (self.rows.iter().map(|row| row.claim(&peers(row))).collect(), others / 2)
    }

    /// Writes the claims, and each network's results at each learning rate to the table `rates`. Returns each claim
    /// with its figure.
    pub(super) fn write(&self, ctx: &Ctx, step: i64) -> Result<Vec<(&'static str, Claim)>> {
        let keys = Rows::of(&self.rows)
            .utf8("dataset", |r| &r.task)
            .utf8("model", |r| &r.model)
            .i64("parameters", |r| r.parameters)
            .i64("trials", |r| (r.trials.len() + r.diverged) as i64)
            .i64("diverged", |r| r.diverged as i64)
            .i64("convolutions", |r| r.convolutions)
            .f64("train_loss", |r| r.spread(0).mean)
            .unit("nats")
            .f64("train_accuracy", |r| r.spread(1).mean)
            .f64("test_loss", |r| r.spread(2).mean)
            .unit("nats")
            .f64("test_accuracy", |r| r.spread(3).mean)
            .f64("test_accuracy_lowest", |r| r.spread(3).lowest)
            .f64("test_accuracy_highest", |r| r.spread(3).highest);
        let rates = self.rows.iter().flat_map(|row| row.rates.iter().map(move |rate| (row, rate)));
        let rates = Rows::of(rates)
            .utf8("dataset", |(row, _)| &row.task)
            .utf8("model", |(row, _)| &row.model)
            .f64("lr", |(_, r)| r.rate)
            .f64("validation_loss", |(_, r)| r.found[0])
            .unit("nats")
            .f64("validation_accuracy", |(_, r)| r.found[1])
            .f64("test_loss", |(_, r)| r.found[2])
            .unit("nats")
            .f64("test_accuracy", |(_, r)| r.found[3]);
        if !rates.is_empty() {
            ctx.table("rates", step, &rates.columns())?;
        }
        let (claims, pairs) = self.claims();
        let claims = claims.into_iter().map(|claim| ("accuracy", claim)).collect();
        conclusion::write(ctx, step, claims, pairs, keys.columns())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(model: &str, parameters: i64, accuracies: &[f64], diverged: usize) -> Row {
        Row {
            task: "MNIST".into(),
            model: model.into(),
            parameters,
            convolutions: 1,
            trials: accuracies.iter().map(|&a| [0.01, 0.995, 0.03, a]).collect(),
            diverged,
            lr: 1e-3,
            rates: Vec::new(),
        }
    }

    fn said(rows: Vec<Row>) -> Vec<String> {
        let (mut claims, pairs) = Conclusion { rows }.claims();
        conclusion::settle(&mut claims, pairs);
        claims.iter().map(Claim::whole).collect()
    }

    #[test]
    fn own_rates_stand_beside_the_common_one() {
        let with = |mut row: Row, found: [(f64, f64, f64); 3]| {
            row.rates = found
                .map(|(rate, loss, test)| AtRate {
                    place: [0, 0],
                    rate,
                    images: 20_000,
                    found: [loss, 0.9, 0.1, test],
                })
                .to_vec();
            row
        };
        let deep =
            with(row("deep", 100, &[0.9; 5], 0), [(1e-3, 0.2, 0.95), (3e-4, 0.3, 0.94), (3e-3, 0.4, 0.99)]);
        let shallow =
            with(row("shallow", 100, &[0.8; 5], 0), [(1e-3, 0.2, 0.9), (3e-4, 0.3, 0.8), (3e-3, 0.1, 0.93)]);
        let of = said(vec![deep.clone(), shallow.clone()]);
        for part in [
            "test accuracy 80.00 % (in each of 5 trials) at learning rate 0.001",
            "at its own best rate of 3 tried, 0.003 (one network, 20000 images), test accuracy 93.00 %, deep at 0.001 95.00 %",
            "0.003 is the end of the rates tried",
        ] {
            assert!(of[1].contains(part), "{part:?} is not in: {}", of[1]);
        }
        // The test set chooses nothing.
        assert!(of[0].contains("0.001 (one network") && !of[0].contains("end of the rates"), "{}", of[0]);
        assert!(!of[1].contains("the other way round"), "{}", of[1]);
        // An order that the common rate makes is told as such.
        let ahead = with(shallow, [(1e-3, 0.2, 0.9), (3e-4, 0.3, 0.8), (3e-3, 0.1, 0.96)]);
        let of = said(vec![deep, ahead]);
        assert!(
            of[1].contains("at the networks' own best rates the order is the other way round"),
            "{}",
            of[1]
        );
    }

    #[test]
    fn statements_follow_the_numbers() {
        let of = said(vec![
            row("shallow", 25_828, &[0.970, 0.975, 0.971, 0.972, 0.972], 0),
            row("middle", 25_628, &[0.988, 0.989, 0.987, 0.990, 0.988], 0),
            row("deep", 25_632, &[0.989, 0.990, 0.988, 0.989, 0.989], 0),
            row("lenet", 53_808, &[0.991, 0.992, 0.993, 0.992, 0.992], 0),
        ]);
        for part in [
            "a lower test accuracy than deep (shown)",
            "below deep by 1.70 points (95 % interval",
            "for 3 tests",
        ] {
            assert!(of[0].contains(part), "{part:?} is not in: {}", of[0]);
        }
        assert!(of[1].starts_with("not separated from deep"), "{}", of[1]);
        assert!(of[2].contains("the highest test accuracy of the 3 networks of its size (seen"), "{}", of[2]);
        assert!(of[2].contains("above middle, the next, by 0.06 points (95 % interval"), "{}", of[2]);
        assert!(of[2].contains("98.90 % (98.80 to 99.00 in 5 trials)"), "{}", of[2]);
        assert!(of[2].contains("0.60 points above test"), "{}", of[2]);
        // Twice as large: compared with nobody.
        assert!(of[3].contains("compared with none"), "{}", of[3]);

        let few =
            said(vec![row("deep", 100, &[0.9], 1), row("shallow", 100, &[0.8], 0), row("none", 100, &[], 2)]);
        assert!(few[0].contains("1 trial diverged"), "{}", few[0]);
        for part in [
            "a lower test accuracy than deep (seen in this run)",
            "below deep by 10.00 points;",
            "fewer than 5 trials",
        ] {
            assert!(few[1].contains(part), "{part:?} is not in: {}", few[1]);
        }
        assert!(few[2].contains("every trial diverged"), "{}", few[2]);
    }
}
