//! What is no time series.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::data::PIXELS;

use super::findings::Findings;
use super::training::Training;

/// The table of a network's confusions. One a network and data set: a panel draws one table.
pub(super) fn confusion_of(task: &str, model: &str) -> String {
    format!("confusion-{task}-{model}")
}

/// The table of a network's worst mistakes.
pub(super) fn mistakes_of(task: &str, model: &str) -> String {
    format!("mistakes-{task}-{model}")
}

/// The networks: `models(model, layers, convolutions, parameters)`, the parameters counted from the tensors.
pub(super) fn models(ctx: &Ctx, training: &Training) -> Result<()> {
    let first: Vec<_> = training.fits().iter().filter(|fit| fit.task == 0 && fit.trial == 0).collect();
    let text = |of: fn(&super::Fit) -> String| first.iter().map(|fit| of(fit)).collect::<Vec<_>>();
    let whole = |of: fn(&super::Fit) -> i64| first.iter().map(|fit| of(fit)).collect::<Vec<_>>();
    ctx.table(
        "models",
        training.step(),
        &[
            Column::utf8("model", &text(|fit| fit.name().to_owned())),
            Column::utf8("layers", &text(|fit| fit.cnn.spec().to_string())),
            Column::i64("convolutions", whole(|fit| fit.cnn.spec().convs.len() as i64)),
            Column::i64("parameters", whole(|fit| fit.cnn.parameter_count())),
        ],
    )
}

/// Confusion matrices, long, and the worst mistakes with their images.
pub(super) fn findings(ctx: &Ctx, training: &Training, all: &[Findings]) -> Result<()> {
    for found in all {
        let task = &training.tasks()[found.task];
        let name = |class: usize| task.classes[class];
        let cells: Vec<(usize, usize)> = (0..10).flat_map(|t| (0..10).map(move |p| (t, p))).collect();
        let total = |truth: usize| found.confusion[truth].iter().sum::<i64>().max(1);
        ctx.table(
            &confusion_of(task.name, found.model),
            training.step(),
            &[
                Column::i64("truth", cells.iter().map(|c| c.0 as i64).collect::<Vec<_>>()),
                Column::i64("prediction", cells.iter().map(|c| c.1 as i64).collect::<Vec<_>>()),
                Column::utf8("truth_name", &cells.iter().map(|c| name(c.0)).collect::<Vec<_>>()),
                Column::utf8("prediction_name", &cells.iter().map(|c| name(c.1)).collect::<Vec<_>>()),
                Column::i64("count", cells.iter().map(|&(t, p)| found.confusion[t][p]).collect::<Vec<_>>()),
                Column::f64(
                    "share",
                    cells
                        .iter()
                        .map(|&(t, p)| found.confusion[t][p] as f64 / total(t) as f64)
                        .collect::<Vec<_>>(),
                ),
            ],
        )?;
        let images: Vec<u8> =
            found.mistakes.iter().flat_map(|m| task.test.image(m.index).iter().copied()).collect();
        let whole =
            |of: fn(&super::findings::Mistake) -> i64| found.mistakes.iter().map(of).collect::<Vec<_>>();
        if found.mistakes.is_empty() {
            continue;
        }
        ctx.table(
            &mistakes_of(task.name, found.model),
            training.step(),
            &[
                Column::i64("index", whole(|m| m.index as i64)),
                Column::i64("truth", whole(|m| i64::from(m.truth))),
                Column::i64("prediction", whole(|m| i64::from(m.prediction))),
                Column::i64("wrong_trials", whole(|m| m.wrong as i64)),
                Column::i64("trials", vec![found.trials as i64; found.mistakes.len()]),
                Column::f64("loss", found.mistakes.iter().map(|m| m.loss).collect::<Vec<_>>()).unit("nats"),
                Column::bytes("image", &images, PIXELS as usize),
            ],
        )?;
    }
    Ok(())
}
