//! The guide's experiment on the toolkit is what is run here.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_sdk::Series;
use gradtop_sdk::testing::TestHost;
use gradtop_toolkit::instruments::assert_harmless;

mod digits {
    use gradtop_sdk::prelude::*;
    use gradtop_toolkit::checkpoint::{Saved, Saving};
    use gradtop_toolkit::data;
    use gradtop_toolkit::ensemble::Ensemble;
    use gradtop_toolkit::instruments::{self, Instruments};
    use gradtop_toolkit::mlp::{Activation, Loss, Mlp, Samples};
    use gradtop_toolkit::optim::{Optimizer, Rule};
    use gradtop_toolkit::rng::Stream;
    use gradtop_toolkit::runtime;
    use tch::Kind;

    /// Learns handwritten digits with a small perceptron.
    #[derive(Params)]
    pub(crate) struct Digits {
        /// Images to learn, drawn by the seed
        #[param(default = 10_000, min = 64, max = 60_000, log)]
        images: i64,
        /// Updates
        #[param(default = 500, min = 1)]
        steps: i64,
        /// Training instruments
        #[param(flatten)]
        instruments: instruments::Settings,
    }

    impl Experiment for Digits {
        fn info() -> Info {
            let info = Info::new("digits", "Handwritten digits", "")
                .resumable()
                .uses_device()
                .metric(Metric::new("batch_loss").unit("nats").goal(Goal::Min).headline().log());
            instruments::describe(info)
        }

        fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
            let (device, _no_graphs) = runtime::prepare(ctx);
            let set = data::mnist()?.train.subset(self.images as usize, ctx.seed());
            let (x, y) = (set.images(device)?, set.labels(device)?);
            let train = Samples::classes(&x, 1.0 / 255.0, &y, data::CLASSES, Kind::Float, device)?;

            let mut mlp = Mlp::zeros(&[data::PIXELS, 32, data::CLASSES], 1, Kind::Float, device)?
                .with(Activation::Relu, Loss::CrossEntropy);
            mlp.init_uniform(ctx.seed(), Stream::named("digits/init"))?;
            let optimizer = Optimizer::new(Rule::Adam { lr: 1e-3 }, mlp.parameters())?.fused();
            let batches = Stream::named("digits/batches");
            let mut ensemble = Ensemble::new(mlp, optimizer, &train, 64, ctx.seed(), batches)?;

            let loss = ctx.series(Series::metric("batch_loss").split("train"))?;
            let caption = format!("ReLU 784-32-10, {} images of MNIST, Adam 1e-3, batch 64.", self.images);
            let mut instruments = Instruments::new(&self.instruments, ctx.seed(), &caption);
            let probe = instruments.declare(ctx, "perceptron", &ensemble.mlp, &train)?;
            if let Some(dir) = ctx.resume_dir() {
                ensemble.restore("digits", &Saved::read(&dir.join("digits.safetensors"))?)?;
            }
            for step in ctx.steps(ensemble.step()..self.steps) {
                let step = step? + 1;
                probe.advance(ctx, &mut ensemble, &train)?;
                ctx.log_epoch(step, ensemble.epoch(), &[(loss, ensemble.batch_loss()?[0])])?;
                ctx.checkpoint_if_due(step, |dir| {
                    let mut saving = Saving::default();
                    ensemble.save("digits", &mut saving)?;
                    Ok(saving.write(&dir.join("digits.safetensors"))?)
                })?;
            }
            Ok(())
        }
    }
}

#[test]
fn the_experiment_of_the_guide_is_this_one() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/plugin-guide.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let block = guide.split_once("<!-- toolkit-example -->").unwrap().1;
    let block = block.split_once("```rust\n").unwrap().1.split_once("```").unwrap().0;
    let code = block.split_once("gradtop_sdk::export_experiments!").unwrap().0;
    let normal = |text: &str| text.replace("pub(crate) ", "").split_whitespace().collect::<String>();
    let own = include_str!("guide.rs").split_once("mod digits {").unwrap().1;
    assert!(normal(own).starts_with(&normal(code)), "the guide and this test differ");
}

#[test]
fn it_learns_and_its_instruments_only_read() {
    let params = [("images", "500"), ("steps", "60")];
    let recorded = TestHost::new().seed(1).run::<digits::Digits>(&params);
    let losses = recorded.series(Series::metric("batch_loss").split("train"));
    assert_eq!(losses.len(), 60);
    assert!(losses[59] < 0.6 * losses[0], "{losses:?}");
    assert_harmless::<digits::Digits>(&TestHost::new().seed(1), &params, 17);
}
