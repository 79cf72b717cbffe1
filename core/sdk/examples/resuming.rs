//! Checkpoints: everything needed to continue is saved, including random numbers.

use std::path::Path;

use gradtop_sdk::prelude::*;

/// Estimates pi by throwing darts.
#[derive(Params)]
struct Darts {
    /// Darts a step
    #[param(default = 1000, min = 1, log)]
    darts: u32,
    /// Number of steps
    #[param(default = 2000, min = 1)]
    steps: i64,
}

/// The state carried from one step to the next.
#[derive(Default)]
struct Thrown {
    steps: i64,
    inside: u64,
    all: u64,
}

impl Thrown {
    fn save(&self, dir: &Path) -> Result<()> {
        let text = format!("{} {} {}", self.steps, self.inside, self.all);
        std::fs::write(dir.join("thrown"), text).context("saving what was thrown")
    }

    fn load(dir: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(dir.join("thrown")).context("reading what was thrown")?;
        let numbers: Vec<i64> = text.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [steps, inside, all] = numbers[..] else {
            return Err(Error::new("`thrown` has not three numbers"));
        };
        Ok(Self { steps, inside: inside as u64, all: all as u64 })
    }
}

impl Experiment for Darts {
    fn info() -> Info {
        Info::new("darts", "Darts", "")
            .resumable()
            .metric(Metric::new("error").help("Distance from pi").goal(Goal::Min).headline().log())
            .preset("quick", "A few steps", &[("steps", "200")])
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let error = ctx.series(Series::metric("error"))?;
        let mut thrown = match ctx.resume_dir() {
            Some(dir) => Thrown::load(dir)?,
            None => Thrown::default(),
        };
        for step in ctx.steps(thrown.steps..self.steps) {
            let step = step?;
            // Random numbers that depend only on seed and step are the same after a resume.
            for dart in 0..u64::from(self.darts) {
                let [x, y] = [0, 1].map(|i| uniform(ctx.seed(), step as u64, 2 * dart + i));
                thrown.inside += u64::from(x * x + y * y < 1.0);
            }
            thrown.all += u64::from(self.darts);
            thrown.steps = step + 1;
            let pi = 4.0 * thrown.inside as f64 / thrown.all as f64;
            ctx.log(step, &[(error, (pi - std::f64::consts::PI).abs())])?;
            ctx.checkpoint_if_due(step, |dir| thrown.save(dir))?;
        }
        Ok(())
    }
}

/// Returns a number from 0 to 1 for each seed, step and index.
fn uniform(seed: u64, step: u64, place: u64) -> f64 {
    let mut bits = seed ^ step.rotate_left(32) ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for _ in 0..2 {
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    }
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

gradtop_sdk::export_experiments![Darts];

#[cfg(test)]
mod tests {
    use gradtop_sdk::testing::TestHost;

    use super::*;

    #[test]
    fn a_resumed_run_is_the_uninterrupted_one() {
        let host = TestHost::new().seed(1);
        let whole = host.run::<Darts>(&[("steps", "60")]).expect_finished();
        host.run_interrupted::<Darts>(20, &[("steps", "60")]).assert_equals(&whole);
    }
}
