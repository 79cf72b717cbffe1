//! What the final numbers say, computed from them.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{self, Spread, Statement, diverged_in_words};

use super::training::Training;

/// Networks whose sizes differ by no more than this share are compared as equally large.
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
}

/// The final numbers of a run and what follows from them.
pub(super) struct Conclusion {
    rows: Vec<Row>,
    statements: Vec<Statement>,
}

impl Row {
    fn spread(&self, which: usize) -> Spread {
        Spread::of(&self.trials.iter().map(|values| values[which]).collect::<Vec<_>>())
    }

    fn as_large_as(&self, other: &Self) -> bool {
        self.parameters.abs_diff(other.parameters) as f64
            <= EQUAL * self.parameters.max(other.parameters) as f64
    }

    /// What can be said of this network beside the best of its size.
    fn state(&self, peers: &[&Self]) -> String {
        if self.trials.is_empty() {
            return "no accuracy: every trial diverged".to_owned();
        }
        let (train, test) = (self.spread(1), self.spread(3));
        let percent = |share: f64| format!("{:.2}", 100.0 * share);
        let mut parts = vec![format!("test accuracy {} % {}", percent(test.mean), test.in_words(percent))];
        let best = peers.iter().map(|peer| (peer, peer.spread(3)));
        match best.max_by(|(_, a), (_, b)| a.mean.total_cmp(&b.mean)) {
            _ if peers.len() < 2 => {}
            Some((best, _)) if best.model == self.model => {
                parts.push(format!("the highest of the {} networks of its size", peers.len()));
            }
            Some((best, its)) if test.overlaps(&its) => {
                parts.push(format!("not separated from {}: their trials overlap", best.model));
            }
            Some((best, its)) => {
                let (below, apart) = (percent(its.mean - test.mean), test.apart(&its));
                parts.push(format!("{below} points below {}{apart}", best.model));
            }
            None => {}
        }
        let gap = train.mean - test.mean;
        let side = if gap < 0.0 { "below" } else { "above" };
        parts.push(format!(
            "training accuracy {} %, {} points {side} test",
            percent(train.mean),
            percent(gap.abs())
        ));
        parts.extend(diverged_in_words(self.diverged));
        parts.join("; ")
    }
}

impl Conclusion {
    /// Compares the networks of each data set by their latest evaluation.
    pub(super) fn of(training: &Training) -> Self {
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
                });
                rows.len() - 1
            });
            match fit.diverged {
                Some(_) => rows[at].diverged += 1,
                None => rows[at].trials.push(fit.latest),
            }
        }
        Self::compare(rows)
    }

    fn compare(rows: Vec<Row>) -> Self {
        let state = |row: &Row| {
            let peers = rows
                .iter()
                .filter(|other| other.task == row.task && other.as_large_as(row) && !other.trials.is_empty());
            Statement {
                group: row.task.clone(),
                model: row.model.clone(),
                parameters: row.parameters,
                trials: row.trials.len() + row.diverged,
                text: row.state(&peers.collect::<Vec<_>>()),
            }
        };
        Self { statements: rows.iter().map(state).collect(), rows }
    }

    /// Writes a line a data set to the log and the rows to the table `conclusion`.
    pub(super) fn write(&self, ctx: &Ctx, step: i64) -> Result<()> {
        let whole = |of: fn(&Row) -> i64| self.rows.iter().map(of).collect::<Vec<_>>();
        let number = |of: fn(&Row) -> f64| self.rows.iter().map(of).collect::<Vec<_>>();
        let more = [
            Column::i64("diverged", whole(|r| r.diverged as i64)),
            Column::i64("convolutions", whole(|r| r.convolutions)),
            Column::f64("train_loss", number(|r| r.spread(0).mean)).unit("nats"),
            Column::f64("train_accuracy", number(|r| r.spread(1).mean)),
            Column::f64("test_loss", number(|r| r.spread(2).mean)).unit("nats"),
            Column::f64("test_accuracy", number(|r| r.spread(3).mean)),
            Column::f64("test_accuracy_lowest", number(|r| r.spread(3).lowest)),
            Column::f64("test_accuracy_highest", number(|r| r.spread(3).highest)),
        ];
        conclusion::write(ctx, step, "dataset", &self.statements, more)
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
        }
    }

    fn lines(conclusion: &Conclusion) -> Vec<String> {
        conclusion::lines(&conclusion.statements)
    }

    #[test]
    fn statements_follow_the_numbers() {
        let conclusion = Conclusion::compare(vec![
            row("shallow", 25_828, &[0.970, 0.975, 0.971], 0),
            row("middle", 25_628, &[0.988, 0.989, 0.987], 0),
            row("deep", 25_632, &[0.989, 0.990, 0.988], 0),
            row("lenet", 53_808, &[0.991, 0.992, 0.993], 0),
        ]);
        let of = |i: usize| conclusion.statements[i].text.as_str();
        assert!(of(0).contains("1.70 points below deep, no trial overlapping"), "{}", of(0));
        assert!(of(1).contains("not separated from deep"), "{}", of(1));
        assert!(of(2).contains("the highest of the 3 networks of its size"), "{}", of(2));
        assert!(of(2).contains("98.90 % (98.80 to 99.00 in 3 trials)"), "{}", of(2));
        assert!(of(2).contains("0.60 points above test"), "{}", of(2));
        // Twice as large: compared with nobody.
        assert!(!of(3).contains("highest") && !of(3).contains("below"), "{}", of(3));
        assert!(!lines(&conclusion)[0].contains("Fewer"));

        let few = lines(&Conclusion::compare(vec![row("deep", 100, &[0.9], 1), row("shallow", 100, &[], 2)]));
        for part in ["1 trial diverged", "every trial diverged", "Fewer than 3 trials"] {
            assert!(few[0].contains(part), "{}", few[0]);
        }
        let singles =
            lines(&Conclusion::compare(vec![row("deep", 100, &[0.9], 0), row("shallow", 100, &[0.8], 0)]));
        assert!(
            singles[0].contains("10.00 points below deep;"),
            "one trial each has no overlap: {}",
            singles[0]
        );
    }
}
