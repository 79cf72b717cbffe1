//! A plugin of an unrelated course. Together with the plan and report next to this file, it makes its own study.

use gradtop_sdk::prelude::*;

/// Turns a pot.
#[derive(Params)]
struct Wheel {
    /// Turns of the wheel
    #[param(default = 30, min = 1)]
    turns: i64,
}

impl Experiment for Wheel {
    fn info() -> Info {
        Info::new("wheel", "Wheel", "Turns a pot.")
            .metric(Metric::new("height"))
            .preset("sketch", "A small one", &[("turns", "9")])
            .preset("default", "One of usual size", &[])
            .figures(
                Figure::new("height", "Height")
                    .panel(Panel::new("turn", "height").mark(Mark::line("height"))),
            )
    }

    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let height = ctx.series(Series::metric("height"))?;
        for turn in ctx.steps(1..=self.turns) {
            let turn = turn?;
            ctx.log(turn, &[(height, turn as f64)])?;
        }
        let statement = format!("the pot is {} high", self.turns);
        ctx.table("conclusion", self.turns, &[Column::utf8("statement", &[statement])])?;
        ctx.table("walls", self.turns, &[Column::f64("thickness", &[0.5, 0.25])])
    }
}

gradtop_sdk::export_experiments![Wheel];
