//! What the recorded weights say, computed from them.

use gradtop_sdk::prelude::*;

use super::path::{Path, Range, Space};
use super::training::Training;

/// What one space of weights says.
struct Finding {
    space: String,
    runs: usize,
    /// Shares of the variance: of two components, of as many as runs less one, and the lowest of two of a run alone.
    two: f64,
    between: f64,
    alone: f64,
}

impl Finding {
    fn of(space: &Space, runs: usize) -> Self {
        Self {
            space: space.name.clone(),
            runs,
            two: space.together.explained_by(2),
            between: space.together.explained_by(runs - 1),
            alone: space.alone_lowest(),
        }
    }

    fn statement(&self) -> String {
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        let shown = if self.two < 0.5 {
            "the figure shows the smaller part of what happened"
        } else {
            "the figure shows the larger part of what happened"
        };
        // Runs that end at the corners of a regular simplex share their variance evenly among one component fewer than runs.
        let even = 2.0 / (self.runs - 1) as f64 * self.between;
        let mut sentences = vec![format!(
            "{}: two components explain {} of the variance, {} explain {}; {shown}",
            self.space,
            percent(self.two),
            self.runs - 1,
            percent(self.between)
        )];
        if self.runs > 3 && self.between > 0.75 {
            sentences.push(format!(
                "If {} runs ended equally far from each other in {} directions, two components would explain {}",
                self.runs,
                self.runs - 1,
                percent(even)
            ));
        }
        sentences.push(format!(
            "Two components of one run alone explain at least {} of its own variance",
            percent(self.alone)
        ));
        sentences.join(". ")
    }
}

/// Writes what the run found to the log and the table `conclusion`.
pub(super) fn write(ctx: &Ctx, training: &Training, path: &Path) -> Result<()> {
    let Some(analysis) = &path.analysis else {
        return Err(Error::new("there are no two records of the weights to compare"));
    };
    let runs = training.ensemble.mlp.trials() as usize;
    let findings: Vec<Finding> = analysis.spaces.iter().map(|space| Finding::of(space, runs)).collect();
    for finding in &findings {
        ctx.info(format!("{}.", finding.statement()))?;
    }
    let ranges = path.separations()?;
    let accuracies = path.last_accuracies();
    let separation = separation(&ranges, accuracies);
    ctx.info(&separation)?;

    let names: Vec<&str> = findings.iter().map(|f| f.space.as_str()).collect();
    let number = |of: fn(&Finding) -> f64| findings.iter().map(of).collect::<Vec<_>>();
    let statements: Vec<String> = findings.iter().map(Finding::statement).collect();
    let step = training.ensemble.step();
    ctx.table(
        "conclusion",
        step,
        &[
            Column::utf8("space", &names),
            Column::f64("explained_2", number(|f| f.two)),
            Column::f64("explained_between_runs", number(|f| f.between)),
            Column::f64("explained_2_alone_lowest", number(|f| f.alone)),
            Column::utf8("statement", &statements),
        ],
    )?;
    let what = ["travelled by a run", "between runs at the start", "between runs at the end"];
    ctx.table(
        "distances",
        step,
        &[
            Column::utf8("distance", &what),
            Column::f64("mean", ranges.map(|r| r.mean).to_vec()),
            Column::f64("lowest", ranges.map(|r| r.low).to_vec()),
            Column::f64("highest", ranges.map(|r| r.high).to_vec()),
        ],
    )
}

/// How far the runs went and how far apart they ended.
fn separation([travelled, start, end]: &[Range; 3], accuracies: &[f64]) -> String {
    let accuracy = |of: fn(f64, f64) -> f64, from: f64| 100.0 * accuracies.iter().copied().fold(from, of);
    let apart = if end.low > start.high {
        "further apart than they began"
    } else {
        "not all further apart than they began"
    };
    format!(
        "The runs travelled {:.1} on average ({:.1} to {:.1}); at the start they lay {:.1} apart, at the end {:.1} ({:.1} to {:.1}): \
         {apart}. Test accuracies at the end: {:.1} to {:.1} %.",
        travelled.mean,
        travelled.low,
        travelled.high,
        start.mean,
        end.mean,
        end.low,
        end.high,
        accuracy(f64::min, f64::INFINITY),
        accuracy(f64::max, f64::NEG_INFINITY),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_follow_the_numbers() {
        let finding = |two, between| Finding { space: "layer 1".into(), runs: 8, two, between, alone: 0.96 };
        let wide = finding(0.31, 0.91).statement();
        for part in [
            "two components explain 31 %",
            "7 explain 91 %",
            "smaller part",
            "would explain 26 %",
            "at least 96 %",
        ] {
            assert!(wide.contains(part), "{wide}");
        }
        let flat = finding(0.8, 0.99).statement();
        assert!(flat.contains("larger part"), "{flat}");
        assert!(
            !finding(0.3, 0.5).statement().contains("would explain"),
            "runs do not lie in so few directions"
        );
        let range = |mean, low, high| Range { mean, low, high };
        let text = separation(
            &[range(30.0, 29.0, 31.0), range(6.0, 5.9, 6.1), range(42.0, 40.0, 44.0)],
            &[0.95, 0.96],
        );
        for part in [
            "travelled 30.0",
            "6.0 apart, at the end 42.0",
            "further apart than they began",
            "95.0 to 96.0 %",
        ] {
            assert!(text.contains(part), "{text}");
        }
        let near = separation(&[range(1.0, 1.0, 1.0), range(6.0, 5.0, 7.0), range(6.5, 6.0, 7.0)], &[0.5]);
        assert!(near.contains("not all further apart"), "{near}");
    }
}
