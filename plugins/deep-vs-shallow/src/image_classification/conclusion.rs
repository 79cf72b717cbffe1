//! What the final numbers say, computed from them.

use gradtop_sdk::prelude::*;

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
    statement: String,
}

/// The final numbers of a run and what follows from them.
pub(super) struct Conclusion {
    rows: Vec<Row>,
}

impl Row {
    fn values(&self, which: usize) -> impl Iterator<Item = f64> {
        self.trials.iter().map(move |values| values[which])
    }

    fn mean(&self, which: usize) -> f64 {
        self.values(which).sum::<f64>() / self.trials.len() as f64
    }

    fn lowest(&self, which: usize) -> f64 {
        self.values(which).fold(f64::NAN, f64::min)
    }

    fn highest(&self, which: usize) -> f64 {
        self.values(which).fold(f64::NAN, f64::max)
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.lowest(3) <= other.highest(3) && other.lowest(3) <= self.highest(3)
    }

    fn as_large_as(&self, other: &Self) -> bool {
        self.parameters.abs_diff(other.parameters) as f64
            <= EQUAL * self.parameters.max(other.parameters) as f64
    }

    /// What can be said of this network beside the best of its size.
    fn state(&mut self, peers: &[Self]) {
        let mut parts = Vec::new();
        if self.trials.is_empty() {
            parts.push("no accuracy: every trial diverged".to_owned());
        } else {
            let count = self.trials.len();
            let spread = if count > 1 {
                format!(
                    " ({:.2} to {:.2} in {count} trials)",
                    100.0 * self.lowest(3),
                    100.0 * self.highest(3)
                )
            } else {
                " (1 trial)".to_owned()
            };
            parts.push(format!("test accuracy {:.2} %{spread}", 100.0 * self.mean(3)));
            let best = peers.iter().max_by(|a, b| a.mean(3).total_cmp(&b.mean(3)));
            match best {
                _ if peers.len() < 2 => {}
                Some(best) if best.model == self.model => {
                    parts.push(format!("the highest of the {} networks of its size", peers.len()));
                }
                Some(best) if self.overlaps(best) => {
                    parts.push(format!("not separated from {}: their trials overlap", best.model));
                }
                Some(best) => {
                    let apart = if count.min(best.trials.len()) > 1 { ", no trial overlapping" } else { "" };
                    parts.push(format!(
                        "{:.2} points below {}{apart}",
                        100.0 * (best.mean(3) - self.mean(3)),
                        best.model
                    ));
                }
                None => {}
            }
            let gap = 100.0 * (self.mean(1) - self.mean(3));
            let side = if gap < 0.0 { "below" } else { "above" };
            parts.push(format!(
                "training accuracy {:.2} %, {:.2} points {side} test",
                100.0 * self.mean(1),
                gap.abs()
            ));
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
                    statement: String::new(),
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

    fn compare(mut rows: Vec<Row>) -> Self {
        let before = rows.clone();
        for row in &mut rows {
            let peers: Vec<Row> = before
                .iter()
                .filter(|other| other.task == row.task && other.as_large_as(row) && !other.trials.is_empty())
                .cloned()
                .collect();
            row.state(&peers);
        }
        Self { rows }
    }

    /// One line a data set, for the log.
    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<(String, String)> = Vec::new();
        for row in &self.rows {
            let text = format!("{} ({} parameters): {}", row.model, row.parameters, row.statement);
            match lines.last_mut() {
                Some((task, line)) if *task == row.task => {
                    line.push_str(". ");
                    line.push_str(&text);
                }
                _ => lines.push((row.task.clone(), text)),
            }
        }
        let few = self.rows.iter().any(|row| row.trials.len() + row.diverged < 3);
        let caution = if few { ". Fewer than 3 trials: no order can be claimed" } else { "" };
        lines.into_iter().map(|(task, line)| format!("{task}: {line}{caution}.")).collect()
    }

    /// Writes the lines to the log and the rows to the table `conclusion`.
    pub(super) fn write(&self, ctx: &Ctx, step: i64) -> Result<()> {
        for line in self.lines() {
            ctx.info(line)?;
        }
        let text = |of: fn(&Row) -> &str| self.rows.iter().map(of).collect::<Vec<_>>();
        let whole = |of: fn(&Row) -> i64| self.rows.iter().map(of).collect::<Vec<_>>();
        let mean = |which: usize| self.rows.iter().map(|row| row.mean(which)).collect::<Vec<_>>();
        ctx.table(
            "conclusion",
            step,
            &[
                Column::utf8("dataset", &text(|r| &r.task)),
                Column::utf8("model", &text(|r| &r.model)),
                Column::i64("convolutions", whole(|r| r.convolutions)),
                Column::i64("parameters", whole(|r| r.parameters)),
                Column::i64("trials", whole(|r| (r.trials.len() + r.diverged) as i64)),
                Column::i64("diverged", whole(|r| r.diverged as i64)),
                Column::f64("train_loss", mean(0)).unit("nats"),
                Column::f64("train_accuracy", mean(1)),
                Column::f64("test_loss", mean(2)).unit("nats"),
                Column::f64("test_accuracy", mean(3)),
                Column::f64(
                    "test_accuracy_lowest",
                    self.rows.iter().map(|r| r.lowest(3)).collect::<Vec<_>>(),
                ),
                Column::f64(
                    "test_accuracy_highest",
                    self.rows.iter().map(|r| r.highest(3)).collect::<Vec<_>>(),
                ),
                Column::utf8("statement", &text(|r| &r.statement)),
            ],
        )
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
            statement: String::new(),
        }
    }

    #[test]
    fn statements_follow_the_numbers() {
        let conclusion = Conclusion::compare(vec![
            row("shallow", 25_828, &[0.970, 0.975, 0.971], 0),
            row("middle", 25_628, &[0.988, 0.989, 0.987], 0),
            row("deep", 25_632, &[0.989, 0.990, 0.988], 0),
            row("lenet", 53_808, &[0.991, 0.992, 0.993], 0),
        ]);
        let of = |i: usize| conclusion.rows[i].statement.as_str();
        assert!(of(0).contains("1.70 points below deep, no trial overlapping"), "{}", of(0));
        assert!(of(1).contains("not separated from deep"), "{}", of(1));
        assert!(of(2).contains("the highest of the 3 networks of its size"), "{}", of(2));
        assert!(of(2).contains("98.90 % (98.80 to 99.00 in 3 trials)"), "{}", of(2));
        assert!(of(2).contains("0.60 points above test"), "{}", of(2));
        // Twice as large: compared with nobody.
        assert!(!of(3).contains("highest") && !of(3).contains("below"), "{}", of(3));
        assert!(!conclusion.lines()[0].contains("Fewer"));

        let few = Conclusion::compare(vec![row("deep", 100, &[0.9], 1), row("shallow", 100, &[], 2)]).lines();
        for part in ["1 trial diverged", "every trial diverged", "Fewer than 3 trials"] {
            assert!(few[0].contains(part), "{}", few[0]);
        }
        let singles =
            Conclusion::compare(vec![row("deep", 100, &[0.9], 0), row("shallow", 100, &[0.8], 0)]).lines();
        assert!(
            singles[0].contains("10.00 points below deep;"),
            "one trial each has no overlap: {}",
            singles[0]
        );
    }
}
