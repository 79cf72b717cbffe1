//! Draws conclusions from the recorded weights.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{self, Claim, Spread, counted};

use super::path::{Path, Space};
use super::training::Training;

/// The results for one space of weights.
struct Finding {
    space: String,
    runs: usize,
    /// Fractions of the variance: of two components, of as many as runs minus one, and the lowest of two for a single run.
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

    fn claim(&self) -> Claim {
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        let part = if self.two < 0.5 { "smaller" } else { "larger" };
        // Runs that end at the corners of a regular simplex share their variance evenly among one component fewer than runs.
        let even = 2.0 / (self.runs - 1) as f64 * self.between;
        let words = format!(
            "two components explain {} of the variance: the figure shows the {part} part of it",
            percent(self.two)
        );
        let claim = Claim::shown(&self.space, words).evidence(format!(
            "{} runs; {} explain{} {}",
            self.runs,
            counted(self.runs as i64 - 1, "component"),
            if self.runs == 2 { "s" } else { "" },
            percent(self.between)
        ));
        let spread = self.runs > 3 && self.between > 0.75;
        claim
            .evidence_if(spread, || {
                format!(
                    "if they ended equally far from each other in {} directions, two components would explain {}",
                    self.runs - 1,
                    percent(even)
                )
            })
            .evidence(format!("two components of one run alone explain at least {} of its own variance", percent(self.alone)))
            .caution("a few principal components hold most of the variance of any smooth path, even of a random walk")
    }
}

/// Writes the claims to the log and the table `conclusion`, and returns each with its figure.
pub(super) fn write(ctx: &Ctx, training: &Training, path: &Path) -> Result<Vec<(&'static str, Claim)>> {
    if path.spaces.is_empty() {
        return Err(Error::new("there are no two records of the weights to compare"));
    }
    let runs = training.ensemble.mlp.trials() as usize;
    let findings: Vec<Finding> = path.spaces.iter().map(|space| Finding::of(space, runs)).collect();
    let ranges = path.separations()?;
    let step = training.ensemble.step();
    let mut said: Vec<(&str, Claim)> = findings.iter().map(|finding| ("path", finding.claim())).collect();
    said.push(("accuracy", separation(&ranges, path.last_accuracies())));
    // The last row is about distances, which have no components.
    let number = |finding: Option<&Finding>, of: fn(&Finding) -> f64| finding.map_or(f64::NAN, of);
    let keys = Rows::of(findings.iter().map(Some).chain([None]))
        .utf8("space", |f| f.map_or("distances", |f| f.space.as_str()))
        .f64("explained_2", |f| number(f, |f| f.two))
        .f64("explained_between_runs", |f| number(f, |f| f.between))
        .f64("explained_2_alone_lowest", |f| number(f, |f| f.alone));
    let said = conclusion::write(ctx, step, said, 0, keys.columns())?;
    let what = ["travelled by a run", "between runs at the start", "between runs at the end"];
    let rows = Rows::of(what.into_iter().zip(&ranges))
        .utf8("distance", |(what, _)| what)
        .f64("mean", |(_, range)| range.mean)
        .f64("lowest", |(_, range)| range.lowest)
        .f64("highest", |(_, range)| range.highest);
    ctx.table("distances", step, &rows.columns())?;
    Ok(said)
}

/// Returns the claim how far the runs went and how far apart they ended.
fn separation([travelled, start, end]: &[Spread; 3], accuracies: &[f64]) -> Claim {
    let accuracy = Spread::of(accuracies);
    let apart = if end.lowest > start.highest {
        "all runs ended further apart than any began"
    } else {
        "not all runs ended further apart than they began"
    };
    Claim::seen("distances", apart)
        .evidence(format!(
            "{} runs travelled {:.1} on average ({:.1} to {:.1}), began {:.1} apart, ended {:.1} ({:.1} to {:.1})",
            accuracies.len(),
            travelled.mean,
            travelled.lowest,
            travelled.highest,
            start.mean,
            end.mean,
            end.lowest,
            end.highest,
        ))
        .evidence(format!(
            "test accuracies at the end {:.1} to {:.1} %",
            100.0 * accuracy.lowest,
            100.0 * accuracy.highest
        ))
        .caution("permuting hidden units moves a network without changing what it computes: a distance of weights is not one of functions")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_follow_the_numbers() {
        let finding = |two, between| Finding { space: "layer 1".into(), runs: 8, two, between, alone: 0.96 };
        let wide = finding(0.31, 0.91).claim().whole();
        for part in [
            "two components explain 31 %",
            "7 components explain 91 %",
            "smaller part",
            "would explain 26 %",
            "at least 96 %",
        ] {
            assert!(wide.contains(part), "{wide}");
        }
        let flat = finding(0.8, 0.99).claim().whole();
        assert!(flat.contains("larger part"), "{flat}");
        assert!(
            !finding(0.3, 0.5).claim().whole().contains("would explain"),
            "runs do not lie in so few directions"
        );
        let range = |mean, lowest, highest| Spread { mean, lowest, highest, count: 2 };
        let text = separation(
            &[range(30.0, 29.0, 31.0), range(6.0, 5.9, 6.1), range(42.0, 40.0, 44.0)],
            &[0.95, 0.96],
        )
        .whole();
        for part in [
            "travelled 30.0",
            "began 6.0 apart, ended 42.0",
            "all runs ended further apart than any began",
            "95.0 to 96.0 %",
        ] {
            assert!(text.contains(part), "{text}");
        }
        let near =
            separation(&[range(1.0, 1.0, 1.0), range(6.0, 5.0, 7.0), range(6.5, 6.0, 7.0)], &[0.5]).whole();
        assert!(near.contains("not all runs ended further apart"), "{near}");
    }
}
