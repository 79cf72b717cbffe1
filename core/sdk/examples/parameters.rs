//! Parameters of every type, a group of them, and a judgement of all together before there is a run.

use gradtop_sdk::prelude::*;

/// What moves downhill.
#[derive(Choice, Clone, Copy, Debug, PartialEq)]
enum Rule {
    /// `plain`
    Plain,
    /// `momentum`
    #[choice("momentum")]
    Heavy,
}

/// A group that several experiments may share.
#[derive(Params)]
struct Schedule {
    /// Number of steps
    #[param(default = 300, min = 1)]
    steps: i64,
    /// Steps after which the learning rate is divided by ten
    #[param(default = "100, 200", min = 1, distinct)]
    drops: Vec<i64>,
}

/// Minimises a bowl that is steeper one way than the other.
#[derive(Params)]
struct Bowl {
    /// Learning rates, one run of the loop for each
    #[param(default = "0.1, 0.01", min = 0.0, min_excluded, nonempty, distinct)]
    lr: Vec<f64>,
    /// Update rule
    #[param(default = "momentum")]
    rule: Rule,
    /// How much of the last update is kept
    #[param(default = 0.9, min = 0.0, max = 1.0, max_excluded)]
    momentum: f64,
    /// How much steeper
    #[param(default = 10, min = 1, log)]
    ratio: u32,
    /// Begin at the same point each time
    #[param(default = true)]
    fixed: bool,
    /// What the run is for
    #[param(default = "")]
    note: String,
    #[param(flatten)]
    schedule: Schedule,
}

impl Experiment for Bowl {
    fn info() -> Info {
        Info::new("bowl", "Bowl", "")
            .metric(Metric::new("loss").goal(Goal::Min).headline().guard().log())
            .preset("quick", "A few steps", &[("steps", "50"), ("drops", "20")])
            .preset("plain", "Without momentum", &[("rule", "plain")])
    }

    /// Checks what a single attribute cannot express. Called before there is a run.
    fn validate(&self) -> Result<()> {
        match self.schedule.drops.iter().find(|drop| **drop >= self.schedule.steps) {
            Some(drop) => {
                Err(Error::new(format!("`drops` has {drop}, but there are {} steps", self.schedule.steps)))
            }
            None => Ok(()),
        }
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        if !self.note.is_empty() {
            ctx.info(&self.note)?;
        }
        let kept = if self.rule == Rule::Heavy { self.momentum } else { 0.0 };
        let offset = if self.fixed { 0.0 } else { ctx.seed() as f64 / u64::MAX as f64 };
        let mut runners = Vec::new();
        for lr in &self.lr {
            let loss = ctx.series(Series::metric("loss").model(&format!("lr {lr}")))?;
            runners.push((loss, *lr, [1.0 + offset, 1.0], [0.0; 2]));
        }
        for step in ctx.steps(0..self.schedule.steps) {
            let step = step?;
            let drops = self.schedule.drops.iter().filter(|drop| **drop <= step).count();
            for (loss, lr, at, speed) in &mut runners {
                let steep = [1.0, f64::from(self.ratio)];
                ctx.log(step, &[(*loss, 0.5 * (at[0] * at[0] + steep[1] * at[1] * at[1]))])?;
                for i in 0..2 {
                    speed[i] = kept * speed[i] - *lr * 0.1_f64.powi(drops as i32) * steep[i] * at[i];
                    at[i] += speed[i];
                }
            }
        }
        Ok(())
    }
}

gradtop_sdk::export_experiments![Bowl];

#[cfg(test)]
mod tests {
    use gradtop_sdk::testing::TestHost;

    use super::*;

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let bowl = Bowl {
            lr: vec![0.1],
            rule: Rule::Plain,
            momentum: 0.9,
            ratio: 10,
            fixed: true,
            note: String::new(),
            schedule: Schedule { steps: 150, drops: vec![100, 200] },
        };
        assert!(bowl.validate().is_err_and(|why| why.message().contains("`drops` has 200")));
    }

    #[test]
    fn momentum_helps_on_a_steep_bowl() {
        let last = |rule: &str| {
            let set = [("lr", "0.01"), ("rule", rule), ("drops", "")];
            *TestHost::new().run::<Bowl>(&set).expect_finished().values("loss").last().unwrap_or(&f64::NAN)
        };
        assert!(last("momentum") < last("plain"));
    }
}
