//! What the norms say, computed from them.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{diverged_in_words, significant};

use super::history::{History, Point};
use super::task::Task;

/// What one task showed, of the median trial by last loss.
#[derive(Clone, Debug)]
struct Finding {
    task: String,
    /// Which trial that is, and of how many that did not diverge.
    trial: usize,
    trials: usize,
    first: Point,
    last: Point,
    /// Where the norm was largest.
    peak: Point,
    /// Where the norm was smallest.
    lowest: Point,
    /// Measurements, and those of them with a norm no larger than the last one but more than twice the last loss.
    measurements: usize,
    small_but_high: usize,
    /// By how much the loss fell over the last tenth of the steps, as a share of what it was.
    still_falling: f64,
    /// Median over the second half of the norm of a mini-batch's gradient by that of all data.
    batch_ratio: Option<f64>,
    /// Length of the first update by that of the last.
    updates: f64,
    diverged: usize,
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.retain(|v| v.is_finite());
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

impl Finding {
    /// None if every trial diverged, or nothing was measured.
    fn of(task: &str, history: &History) -> Option<Self> {
        let finite = |p: &Point| p.loss.is_finite() && p.norm.is_finite();
        let trials = history.trials.iter().enumerate();
        let mut whole: Vec<(usize, &Vec<Point>)> =
            trials.filter(|(_, points)| !points.is_empty() && points.iter().all(finite)).collect();
        whole.sort_by(|(_, a), (_, b)| a[a.len() - 1].loss.total_cmp(&b[b.len() - 1].loss));
        let (trial, points) = *whole.get(whole.len() / 2)?;
        let (first, last) = (points[0], points[points.len() - 1]);
        let by_norm = |a: &&Point, b: &&Point| a.norm.total_cmp(&b.norm);
        let tenth = points.iter().rev().find(|p| p.step * 10 <= last.step * 9).unwrap_or(&first);
        let second_half = points.iter().filter(|p| p.step * 2 >= last.step);
        let updates: Vec<f64> = points.iter().map(|p| p.update).filter(|u| u.is_finite()).collect();
        Some(Self {
            task: task.to_owned(),
            trial,
            trials: whole.len(),
            first,
            last,
            peak: **points.iter().max_by(by_norm).as_ref()?,
            lowest: **points.iter().min_by(by_norm).as_ref()?,
            measurements: points.len(),
            small_but_high: points.iter().filter(|p| p.norm <= last.norm && p.loss > 2.0 * last.loss).count(),
            still_falling: 1.0 - last.loss / tenth.loss,
            batch_ratio: median(second_half.map(|p| p.batch_norm / p.norm).collect()),
            updates: updates.first().copied().unwrap_or(f64::NAN)
                / updates.last().copied().unwrap_or(f64::NAN),
            diverged: history.trials.len() - whole.len(),
        })
    }

    fn statement(&self) -> String {
        let Self { first, last, peak, lowest, .. } = self;
        let number = |value: f64| significant(value, 3);
        let of = match self.trials {
            1 => String::new(),
            n => format!("in trial {}, the middle one of {n} by its last loss, ", self.trial),
        };
        let mut parts = vec![format!(
            "{of}the loss went from {} to {}, the norm of the gradient from {} to {}",
            number(first.loss),
            number(last.loss),
            number(first.norm),
            number(last.norm)
        )];
        if peak.norm > 1.1 * first.norm && peak.loss < first.loss {
            parts.push(format!(
                "the norm rose to {} (step {}) while the loss had fallen to {}",
                number(peak.norm),
                peak.step,
                number(peak.loss)
            ));
        }
        if lowest.loss > 2.0 * last.loss {
            parts.push(format!(
                "its smallest value, {}, came at step {} with {:.1} times the last loss: a small norm was no minimum",
                number(lowest.norm),
                lowest.step,
                lowest.loss / last.loss
            ));
        }
        if self.small_but_high > 0 {
            parts.push(format!(
                "{} of {} measurements had a norm no larger than the last one but more than twice its loss",
                self.small_but_high, self.measurements
            ));
        }
        if self.still_falling > 0.01 {
            parts.push(format!(
                "over the last tenth of the steps the loss still fell by {:.0} %, so the last norm is no minimum's either",
                100.0 * self.still_falling
            ));
        }
        if let Some(ratio) = self.batch_ratio {
            parts.push(format!(
                "a mini-batch's norm was {ratio:.1} times that of all data (median of the second half)"
            ));
        }
        if self.updates.is_finite() && last.norm > 0.0 {
            parts.push(format!(
                "the last update was {:.2} of the first in length, the last norm {:.2} of the first",
                1.0 / self.updates,
                last.norm / first.norm
            ));
        }
        parts.extend(diverged_in_words(self.diverged));
        format!("{}: {}.", self.task, parts.join("; "))
    }
}

/// Writes what the run found to the log and the tables `conclusion` and `norms`.
pub(super) fn write(ctx: &Ctx, tasks: &[Task], step: i64) -> Result<()> {
    let mut findings = Vec::new();
    for task in tasks {
        match Finding::of(&task.name, &task.history) {
            Some(finding) => {
                ctx.info(finding.statement())?;
                findings.push(finding);
            }
            None => ctx.info(format!("{}: every trial diverged.", task.name))?,
        }
    }
    let number = |of: fn(&Finding) -> f64| findings.iter().map(of).collect::<Vec<_>>();
    let names: Vec<&str> = findings.iter().map(|f| f.task.as_str()).collect();
    let statements: Vec<String> = findings.iter().map(Finding::statement).collect();
    ctx.table(
        "conclusion",
        step,
        &[
            Column::utf8("task", &names),
            Column::i64("trial", findings.iter().map(|f| f.trial as i64).collect::<Vec<_>>()),
            Column::f64("loss_first", number(|f| f.first.loss)),
            Column::f64("loss_last", number(|f| f.last.loss)),
            Column::f64("grad_norm_first", number(|f| f.first.norm)),
            Column::f64("grad_norm_last", number(|f| f.last.norm)),
            Column::f64("grad_norm_peak", number(|f| f.peak.norm)),
            Column::f64("grad_norm_lowest", number(|f| f.lowest.norm)),
            Column::f64("loss_at_lowest", number(|f| f.lowest.loss)),
            Column::i64(
                "small_but_high",
                findings.iter().map(|f| f.small_but_high as i64).collect::<Vec<_>>(),
            ),
            Column::i64("measurements", findings.iter().map(|f| f.measurements as i64).collect::<Vec<_>>()),
            Column::f64("batch_ratio", number(|f| f.batch_ratio.unwrap_or(f64::NAN))),
            Column::utf8("statement", &statements),
        ],
    )?;
    let rows: Vec<(&str, i64, &Point)> = tasks
        .iter()
        .flat_map(|task| {
            let trials = task.history.trials.iter().enumerate();
            trials.flat_map(move |(t, points)| points.iter().map(move |p| (task.name.as_str(), t as i64, p)))
        })
        .collect();
    let number = |of: fn(&Point) -> f64| rows.iter().map(|(_, _, p)| of(p)).collect::<Vec<_>>();
    ctx.table(
        "norms",
        step,
        &[
            Column::utf8("task", &rows.iter().map(|r| r.0).collect::<Vec<_>>()),
            Column::i64("trial", rows.iter().map(|r| r.1).collect::<Vec<_>>()),
            Column::i64("at_step", rows.iter().map(|r| r.2.step).collect::<Vec<_>>()),
            Column::f64("loss", number(|p| p.loss)),
            Column::f64("grad_norm", number(|p| p.norm)),
            Column::f64("batch_grad_norm", number(|p| p.batch_norm)),
            Column::f64("update_size", number(|p| p.update)),
        ],
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn point(step: i64, loss: f64, norm: f64, update: f64) -> Point {
        Point { step, loss, norm, batch_norm: 3.0 * norm, update }
    }

    #[test]
    fn statements_follow_the_numbers() {
        // A plateau with the smallest norm of all at a high loss, then a steep valley, then slow progress.
        let plateau = vec![
            point(0, 0.1, 0.2, 1.0),
            point(10, 0.09, 0.001, 1.0),
            point(20, 0.05, 0.5, 1.0),
            point(90, 0.002, 0.01, 0.5),
            point(100, 0.001, 0.006, f64::NAN),
        ];
        let broken = vec![point(0, 0.1, 0.2, 1.0), point(10, f64::NAN, f64::NAN, 1.0)];
        let history = History { trials: vec![plateau, broken] };
        let text = Finding::of("sinc-batch", &history).unwrap().statement();
        for part in [
            "sinc-batch: the loss went from 0.100 to 0.00100",
            "rose to 0.500 (step 20)",
            "its smallest value, 0.00100, came at step 10 with 90.0 times the last loss",
            "1 of 5 measurements",
            "still fell by 50 %",
            "3.0 times that of all data",
            "the last update was 0.50 of the first in length, the last norm 0.03 of the first",
            "1 trial diverged",
        ] {
            assert!(text.contains(part), "`{part}` is not in: {text}");
        }
        // Of several trials, the middle one by its last loss speaks, and says so.
        let end = |last: f64| vec![point(0, 1.0, 0.5, 1.0), point(100, last, 0.01, f64::NAN)];
        let history = History { trials: vec![end(0.3), end(0.1), end(0.2)] };
        let text = Finding::of("mnist", &history).unwrap().statement();
        assert!(
            text.starts_with(
                "mnist: in trial 2, the middle one of 3 by its last loss, the loss went from 1.00 to 0.200,"
            ),
            "{text}"
        );
        // A run that ends where nothing moves any more is not accused.
        let calm = vec![point(0, 1.0, 0.5, 1.0), point(90, 0.2, 0.01, 0.1), point(100, 0.2, 0.01, f64::NAN)];
        let text = Finding::of("mnist", &History { trials: vec![calm] }).unwrap().statement();
        for part in ["no minimum", "rose", "still fell", "diverged"] {
            assert!(!text.contains(part), "`{part}` is in: {text}");
        }
        assert!(Finding::of("none", &History::default()).is_none());
    }
}
