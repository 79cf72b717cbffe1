//! The smallest experiment: parameters, a metric, a training loop.

use gradtop_sdk::prelude::*;

/// Follows the gradient of x squared.
#[derive(Params)]
struct Descent {
    /// Learning rate
    #[param(default = 0.1, min = 0.0, min_excluded, max = 1.0, log)]
    lr: f64,
    /// Number of steps
    #[param(default = 200, min = 1)]
    steps: i64,
}

impl Experiment for Descent {
    fn info() -> Info {
        Info::new("descent", "Gradient descent", "")
            .metric(Metric::new("loss").goal(Goal::Min).headline().guard().log())
            .preset("quick", "A few steps", &[("steps", "20")])
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let loss = ctx.series(Series::metric("loss").split("train"))?;
        let mut x = 3.0_f64;
        for step in ctx.steps(0..self.steps) {
            ctx.log(step?, &[(loss, x * x)])?;
            x -= self.lr * 2.0 * x;
        }
        Ok(())
    }
}

gradtop_sdk::export_experiments![Descent];

#[cfg(test)]
mod tests {
    use gradtop_sdk::testing::TestHost;

    use super::*;

    #[test]
    fn it_learns() {
        let whole = TestHost::new().seed(1).run::<Descent>(&[("steps", "50")]).expect_finished();
        assert!(whole.values("loss")[49] < 0.01);
    }
}
