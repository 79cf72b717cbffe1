//! Draws conclusions from the norms.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{self, Claim, diverged_in_words, significant};
use gradtop_toolkit::stats::{Window, median, windows};

use super::history::{History, Point};
use super::task::Task;

/// Fraction of a trial's measurements in a window. A trend compares medians of windows, not single noisy values.
const SHARE: f64 = 0.1;
/// A smaller change between windows does not count.
const CHANGE: f64 = 0.01;
/// The caution of claims about the reported trial alone.
const ONE_TRIAL: &str = "these are numbers of one trial, not means";

/// The results of one task, for the trial with the median final loss.
#[derive(Clone, Debug)]
struct Finding {
    task: String,
    /// Its number, followed by how many trials did not diverge.
    trial: usize,
    trials: usize,
    first: Point,
    last: Point,
    /// The measurement with the largest norm.
    peak: Point,
    /// The measurement with the smallest norm.
    lowest: Point,
    /// Loss and norm over the first, the second to last and the last tenth of the measurements.
    loss: Option<[Window; 3]>,
    norm: Option<[Window; 3]>,
    /// Update length and norm over the same of those measurements that an update followed.
    updated: Option<[[Window; 3]; 2]>,
    /// Number of measurements, and of those with a norm no larger than at the end but more than twice the loss.
    measurements: usize,
    small_but_high: usize,
    /// Median over the second half of the ratio of a mini-batch's gradient norm to that of all data.
    batch_ratio: f64,
    diverged: usize,
}

impl Finding {
    /// Returns `None` if every trial diverged or nothing was measured.
    fn of(task: &str, history: &History) -> Option<Self> {
        let finite = |p: &Point| p.loss.is_finite() && p.norm.is_finite();
        let trials = history.trials.iter().enumerate();
        let mut whole: Vec<(usize, &Vec<Point>)> =
            trials.filter(|(_, points)| !points.is_empty() && points.iter().all(finite)).collect();
        whole.sort_by(|(_, a), (_, b)| a[a.len() - 1].loss.total_cmp(&b[b.len() - 1].loss));
        let (trial, points) = *whole.get(whole.len().saturating_sub(1) / 2)?;
        let (first, last) = (points[0], points[points.len() - 1]);
        let by_norm = |a: &&Point, b: &&Point| a.norm.total_cmp(&b.norm);
        let series = |points: &[&Point], of: fn(&Point) -> f64| -> Option<[Window; 3]> {
            windows(&points.iter().map(|p| (p.step, of(p))).collect::<Vec<_>>(), SHARE)
        };
        let all: Vec<&Point> = points.iter().collect();
        let updated: Vec<&Point> = points.iter().filter(|p| p.update.is_finite()).collect();
        let (loss, norm) = (series(&all, |p| p.loss), series(&all, |p| p.norm));
        let end = |windows: &Option<[Window; 3]>, last: f64| windows.map_or(last, |[.., last]| last.median);
        let (end_loss, end_norm) = (end(&loss, last.loss), end(&norm, last.norm));
        let high = |p: &&Point| p.norm <= end_norm && p.loss > 2.0 * end_loss;
        let second_half = points.iter().filter(|p| p.step * 2 >= last.step);
        Some(Self {
            task: task.to_owned(),
            trial,
            trials: whole.len(),
            first,
            last,
            peak: **points.iter().max_by(by_norm).as_ref()?,
            lowest: **points.iter().min_by(by_norm).as_ref()?,
            measurements: points.len(),
            small_but_high: points.iter().filter(high).count(),
            batch_ratio: median(&second_half.map(|p| p.batch_norm / p.norm).collect::<Vec<_>>()),
            updated: series(&updated, |p| p.update)
                .zip(series(&updated, |p| p.norm))
                .map(|(update, norm)| [update, norm]),
            loss,
            norm,
            diverged: history.trials.len() - whole.len(),
        })
    }

    /// Describes which trial is reported, of how many.
    fn who(&self) -> String {
        match self.trials {
            1 => "one trial".to_owned(),
            2 => format!("trial {}, the one of two with the lower last loss", self.trial),
            n if n % 2 == 0 => {
                format!("trial {}, the lower of the middle two of {n} by last loss", self.trial)
            }
            n => format!("trial {}, the middle one of {n} by last loss", self.trial),
        }
    }

    fn claims(&self) -> Vec<Claim> {
        let some = [self.small_norms(), Some(self.trend()), self.mini_batches(), self.updates()];
        std::iter::once(self.course()).chain(some.into_iter().flatten()).collect()
    }

    /// Creates a claim about one aspect of the task.
    fn seen(&self, what: &str, words: impl Into<String>) -> Claim {
        Claim::seen(format!("{}, {what}", self.task), words).evidence(self.who())
    }

    /// Returns the claim how loss and norm changed from the first to the last measurement.
    fn course(&self) -> Claim {
        let Self { first, last, peak, .. } = self;
        let [loss, norm] = [(&self.loss, last.loss), (&self.norm, last.norm)]
            .map(|(windows, last)| significant(windows.map_or(last, |[.., last]| last.median), 3));
        let mut course = self.seen(
            "course",
            format!(
                "the loss went from {} to {loss}, the norm of the gradient from {} to {norm}",
                significant(first.loss, 3),
                significant(first.norm, 3)
            ),
        );
        if let Some([.., last]) = self.loss {
            course = course.evidence(format!(
                "from step {} to the medians of steps {} to {}",
                first.step, last.steps[0], last.steps[1]
            ));
        }
        if peak.norm > 1.1 * first.norm && peak.loss < first.loss {
            course = course.evidence(format!(
                "the norm rose to {} (step {}) while the loss had fallen to {}",
                significant(peak.norm, 3),
                peak.step,
                significant(peak.loss, 3)
            ));
        }
        course.caution(ONE_TRIAL).caution(diverged_in_words(self.diverged).unwrap_or_default())
    }

    /// Returns the claim that small norms came with a high loss, if there were such measurements.
    fn small_norms(&self) -> Option<Claim> {
        let Self { lowest, .. } = self;
        let end = if self.norm.is_some() { "the median of the last window" } else { "at the end" };
        let claim = || {
            self.seen("small norms", "a small norm did not mean that the loss was as low as at the end")
                .evidence(format!(
                    "{} of {} measurements had a norm no larger than {end} but more than twice the loss there",
                    self.small_but_high, self.measurements,
                ))
                .evidence(format!(
                    "the smallest norm, {}, came at step {} with the loss {}",
                    significant(lowest.norm, 3),
                    lowest.step,
                    significant(lowest.loss, 3)
                ))
                .caution("a norm does not show whether such a point is a plateau or a saddle")
        };
        (self.small_but_high > 0).then(claim)
    }

    /// Returns the claim how much larger the gradients of mini-batches were, if there were mini-batches.
    fn mini_batches(&self) -> Option<Claim> {
        let ratio = self.batch_ratio;
        ratio.is_finite().then(|| {
            self.seen("mini-batches", format!("a mini-batch's norm was {ratio:.1} times that of all data"))
                .evidence("median of the second half of the steps")
                .caution(ONE_TRIAL)
        })
    }

    /// Returns the claim how updates and norm changed from the first window to the last.
    fn updates(&self) -> Option<Claim> {
        let [[start, _, end], [norm, _, last]] = self.updated?;
        let words = format!(
            "at the end updates were {:.2} times as long as at the start, and the norm was {:.2} times as large",
            end.median / start.median,
            last.median / norm.median
        );
        let evidence = format!(
            "medians of steps {} to {} and of steps {} to {}",
            start.steps[0], start.steps[1], end.steps[0], end.steps[1]
        );
        Some(self.seen("updates", words).evidence(evidence).caution(ONE_TRIAL))
    }

    /// Returns the claim whether the loss still changed at the end.
    fn trend(&self) -> Claim {
        let Some([_, before, last]) = self.loss else {
            let about = format!("{}, end", self.task);
            return Claim::untestable(about, "whether the loss still fell at the end")
                .evidence(format!("{} measurements", self.measurements))
                .caution("too few for two windows of three");
        };
        let fell = 1.0 - last.median / before.median;
        let words = if fell > CHANGE {
            format!(
                "the loss still fell at the end, by {:.0} % from window to window, so the last norm may not be that of a minimum",
                100.0 * fell
            )
        } else if fell < -CHANGE {
            format!("the loss rose at the end, by {:.0} % from window to window", -100.0 * fell)
        } else {
            "from window to window the loss hardly changed at the end".to_owned()
        };
        self.seen("end", words)
            .evidence(format!(
                "median {} of steps {} to {}, {} of steps {} to {}, {} measurements each",
                significant(before.median, 3),
                before.steps[0],
                before.steps[1],
                significant(last.median, 3),
                last.steps[0],
                last.steps[1],
                last.count
            ))
            .caution("neighbouring measurements of one trial are not independent")
    }
}

/// Writes the claims to the log and the tables `conclusion` and `norms`, and returns each with its task.
pub(super) fn write(ctx: &Ctx, tasks: &[Task], step: i64) -> Result<Vec<(String, Claim)>> {
    let mut said: Vec<(Finding, Claim)> = Vec::new();
    for task in tasks {
        match Finding::of(&task.name, &task.history) {
            Some(finding) => said.extend(finding.claims().into_iter().map(|claim| (finding.clone(), claim))),
            None => ctx.info(format!("{}: every trial diverged.", task.name))?,
        }
    }
    let keys = Rows::of(said.iter().map(|(finding, _)| finding))
        .utf8("task", |f| &f.task)
        .i64("trial", |f| f.trial as i64)
        .i64("trials", |f| f.trials as i64)
        .f64("loss_first", |f| f.first.loss)
        .f64("loss_last", |f| f.last.loss)
        .f64("grad_norm_first", |f| f.first.norm)
        .f64("grad_norm_last", |f| f.last.norm)
        .f64("grad_norm_peak", |f| f.peak.norm)
        .f64("grad_norm_lowest", |f| f.lowest.norm)
        .f64("loss_at_lowest", |f| f.lowest.loss)
        .i64("small_but_high", |f| f.small_but_high as i64)
        .i64("measurements", |f| f.measurements as i64)
        .f64("batch_ratio", |f| f.batch_ratio)
        .columns();
    let by_task = said.iter().map(|(finding, claim)| (finding.task.clone(), claim.clone())).collect();
    let by_task = if said.is_empty() { Vec::new() } else { conclusion::write(ctx, step, by_task, 0, keys)? };
    let points = tasks.iter().flat_map(|task| {
        let trials = (0..).zip(&task.history.trials);
        trials.flat_map(move |(trial, points)| points.iter().map(move |point| (task, trial, point)))
    });
    let rows = Rows::of(points)
        .utf8("task", |(task, ..)| &task.name)
        .i64("trial", |(_, trial, _)| trial)
        .i64("at_step", |(.., point)| point.step)
        .f64("loss", |(.., point)| point.loss)
        .f64("grad_norm", |(.., point)| point.norm)
        .f64("batch_grad_norm", |(.., point)| point.batch_norm)
        .f64("update_size", |(.., point)| point.update);
    ctx.table("norms", step, &rows.columns())?;
    Ok(by_task)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn point(step: i64, loss: f64, norm: f64, update: f64) -> Point {
        Point { step, loss, norm, batch_norm: 3.0 * norm, update }
    }

    fn said(trials: Vec<Vec<Point>>) -> String {
        let claims = Finding::of("sinc-batch", &History { trials }).unwrap().claims();
        claims
            .iter()
            .map(|claim| format!("{}: {}", claim.about, claim.whole()))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Forty steps whose loss goes by `loss`.
    fn run(loss: impl Fn(i64) -> f64) -> Vec<Point> {
        (0..40).map(|i| point(10 * i, loss(i), 0.01 * loss(i), 1.0 / (i + 1) as f64)).collect()
    }

    #[test]
    fn a_small_norm_at_a_high_loss_is_told() {
        let mut points = run(|i| 1.0 / (1 + i) as f64);
        points[1].norm = 1e-5;
        points[2].norm = 0.5;
        let text = said(vec![points, vec![point(0, 0.1, 0.2, 1.0), point(10, f64::NAN, f64::NAN, 1.0)]]);
        for part in [
            "sinc-batch, course: the loss went from 1.00 to 0.0260, ",
            "from step 0 to the medians of steps 360 to 390",
            "rose to 0.500 (step 20)",
            "1 of 40 measurements",
            "the smallest norm, 1.00e-5, came at step 10 with the loss 0.500",
            "3.0 times that of all data",
            "1 trial diverged",
            "Evidence: one trial",
        ] {
            assert!(text.contains(part), "`{part}` is not in: {text}");
        }
    }

    #[test]
    fn updates_and_norms_are_compared_over_the_steps_that_are_named() {
        let mut points = run(|i| (40 - i) as f64);
        points[39].update = f64::NAN; // nothing follows the last measurement
        let text = said(vec![points]);
        // Update lengths are 1 / (i + 1), norms (40 - i) / 100: their medians over measurements 0 to 2 and 36 to 38.
        let expected = "at the end updates were 0.05 times as long as at the start, and the norm was 0.08 times as large";
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("medians of steps 0 to 20 and of steps 360 to 380"), "{text}");
    }

    #[test]
    fn few_measurements_have_no_window() {
        let mut few = run(|i| 1.0 / (1 + i) as f64)[..5].to_vec();
        few[1].norm = 1e-5;
        let text = said(vec![few]);
        assert!(text.contains("1 of 5 measurements had a norm no larger than at the end but"), "{text}");
    }

    #[test]
    fn trends_are_of_medians() {
        let text = said(vec![run(|i| 1.0 / (1 + i) as f64)]);
        assert!(text.contains("still fell at the end, by 10 % from window to window"), "{text}");
        assert!(
            text.contains("of steps 320 to 350, 0.0260 of steps 360 to 390, 4 measurements each"),
            "{text}"
        );
        // Noise about one level falls nowhere, whatever its last value.
        let noise = said(vec![run(|i| if i == 39 { 0.2 } else { 1.0 })]);
        assert!(noise.contains("hardly changed at the end"), "{noise}");
        let short = said(vec![run(|i| 1.0 / (1 + i) as f64)[..20].to_vec()]);
        assert!(short.contains("whether the loss still fell at the end (not testable)"), "{short}");
    }

    #[test]
    fn the_middle_trial_is_named_as_what_it_is() {
        let end = |last: f64| vec![point(0, 1.0, 0.5, 1.0), point(100, last, 0.01, f64::NAN)];
        let who = |ends: &[f64]| said(ends.iter().map(|last| end(*last)).collect());
        assert!(who(&[0.3, 0.1, 0.2]).contains("trial 2, the middle one of 3 by last loss"));
        assert!(who(&[0.3, 0.1]).contains("trial 1, the one of two with the lower last loss"));
        assert!(who(&[0.3, 0.1, 0.2, 0.4]).contains("trial 2, the lower of the middle two of 4"));
        assert!(Finding::of("none", &History::default()).is_none());
    }
}
