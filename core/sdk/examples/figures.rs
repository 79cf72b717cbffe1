//! Tables, and figures over metrics and tables; several networks and trials as series of one metric.

use gradtop_sdk::prelude::*;

/// Fits polynomials of several degrees to noisy points, several times each.
#[derive(Params)]
struct Polynomials {
    /// Degrees
    #[param(default = "1, 3, 5", min = 0, max = 9, nonempty, distinct)]
    degrees: Vec<u32>,
    /// Trials
    #[param(default = 5, min = 1, max = 100)]
    trials: u32,
    /// Number of steps
    #[param(default = 400, min = 1)]
    steps: i64,
}

const POINTS: usize = 40;

/// A polynomial being fitted, and its series.
struct Fit {
    name: String,
    loss: SeriesId,
    ys: Vec<f64>,
    weights: Vec<f64>,
}

impl Experiment for Polynomials {
    fn info() -> Info {
        let loss =
            Figure::new("loss", "Loss").caption("Mean of the trials, band from lowest to highest.").panel(
                Panel::new("step", Axis::log("MSE")).mark(Mark::line("loss").by([By::Model]).mean().band()),
            );
        let fits = Figure::new("fits", "Polynomials over the data").panel(
            Panel::new("x", "y")
                .mark(Mark::scatter(("points", "x", "y")).label("data"))
                .mark(Mark::scatter(("fits", "x", "y")).by(["model"]).joined()),
        );
        Info::new("polynomials", "Polynomials", "")
            .metric(Metric::new("loss").goal(Goal::Min).headline().guard().log())
            .preset("quick", "A few steps", &[("steps", "40"), ("trials", "2")])
            .figures([loss, fits])
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let xs: Vec<f64> = (0..POINTS).map(|i| 2.0 * i as f64 / (POINTS - 1) as f64 - 1.0).collect();
        let mut fits = Vec::new();
        for degree in &self.degrees {
            for trial in 0..self.trials as i32 {
                let name = format!("degree {degree}");
                let loss = ctx.series(Series::metric("loss").model(&name).split("train").trial(trial))?;
                let ys =
                    xs.iter().zip(0..).map(|(x, i)| (3.0 * x).sin() + noise(ctx.seed(), trial, i)).collect();
                fits.push(Fit { name, loss, ys, weights: vec![0.0; *degree as usize + 1] });
            }
        }
        for step in ctx.steps(0..self.steps) {
            let losses: Vec<_> = fits.iter_mut().map(|fit| (fit.loss, fit.descend(&xs))).collect();
            // All points of a step in one call.
            ctx.log(step?, &losses)?;
        }

        ctx.table("points", self.steps, &[Column::f64("x", &xs), Column::f64("y", &fits[0].ys)])?;
        for fit in fits.iter().step_by(self.trials as usize) {
            let ys: Vec<f64> = xs.iter().map(|x| fit.at(*x)).collect();
            let names = vec![fit.name.as_str(); POINTS];
            let columns = [Column::utf8("model", &names), Column::f64("x", &xs), Column::f64("y", ys)];
            ctx.table("fits", self.steps, &columns)?;
        }
        Ok(())
    }
}

impl Fit {
    fn at(&self, x: f64) -> f64 {
        self.weights.iter().rev().fold(0.0, |sum, weight| sum * x + weight)
    }

    /// Makes one step of gradient descent and returns the loss before it.
    fn descend(&mut self, xs: &[f64]) -> f64 {
        let residuals: Vec<f64> = xs.iter().zip(&self.ys).map(|(x, y)| self.at(*x) - y).collect();
        for (power, weight) in (0..).zip(&mut self.weights) {
            let slope: f64 = xs.iter().zip(&residuals).map(|(x, r)| 2.0 * r * x.powi(power)).sum();
            *weight -= 0.2 * slope / xs.len() as f64;
        }
        residuals.iter().map(|r| r * r).sum::<f64>() / xs.len() as f64
    }
}

/// Returns the same noise for the same seed, trial and point.
fn noise(seed: u64, trial: i32, point: u64) -> f64 {
    let bits = (seed ^ (trial as u64) << 32 ^ point).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    0.2 * ((bits ^ (bits >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1_u64 << 53) as f64
}

gradtop_sdk::export_experiments![Polynomials];

#[cfg(test)]
mod tests {
    use gradtop_sdk::testing::TestHost;

    use super::*;

    #[test]
    fn a_line_fits_worse_than_a_curve() {
        let recorded = TestHost::new().seed(1).run::<Polynomials>(&[("trials", "1")]).expect_finished();
        let last = |model: &str| {
            let series = Series::metric("loss").model(model).split("train").trial(0);
            recorded.series(series).last().copied().unwrap_or(f64::NAN)
        };
        let losses = ["degree 1", "degree 3", "degree 5"].map(last);
        assert!(losses[0] > losses[1] && losses[0] > losses[2], "{losses:?}");
        assert_eq!(recorded.table("fits").len(), 3);
    }
}
