//! The tables.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::data::PIXELS;

use super::findings::Findings;
use super::training::{Fit, Training};

/// Returns the name of a network's confusion table. One per network and data set, because a panel draws one table.
pub(super) fn confusion_of(task: &str, model: &str) -> String {
    format!("confusion-{task}-{model}")
}

/// Returns the name of the table of a network's worst mistakes.
pub(super) fn mistakes_of(task: &str, model: &str) -> String {
    format!("mistakes-{task}-{model}")
}

/// Writes the networks: `models(model, layers, convolutions, parameters)`, with parameters counted from the tensors.
pub(super) fn models(ctx: &Ctx, training: &Training) -> Result<()> {
    let rows = Rows::of(training.fits().iter().filter(|fit| fit.task == 0 && fit.trial == 0))
        .utf8("model", Fit::name)
        .utf8("layers", |fit| fit.cnn.spec().to_string())
        .i64("convolutions", |fit| fit.cnn.spec().convs.len() as i64)
        .i64("parameters", |fit| fit.cnn.parameter_count());
    ctx.table("models", training.step(), &rows.columns())
}

/// Writes confusion matrices in long form, and the worst mistakes with their images.
pub(super) fn findings(ctx: &Ctx, training: &Training, all: &[Findings]) -> Result<()> {
    for found in all {
        let task = &training.tasks()[found.task];
        let name = |class: usize| task.classes[class];
        let total = |truth: usize| found.confusion[truth].iter().sum::<i64>().max(1);
        let cells = Rows::of((0..10).flat_map(|t| (0..10).map(move |p| (t, p))))
            .i64("truth", |(t, _)| t as i64)
            .i64("prediction", |(_, p)| p as i64)
            .utf8("truth_name", |(t, _)| name(t))
            .utf8("prediction_name", |(_, p)| name(p))
            .i64("count", |(t, p)| found.confusion[t][p])
            .f64("share", |(t, p)| found.confusion[t][p] as f64 / total(t) as f64);
        ctx.table(&confusion_of(task.name, found.model), training.step(), &cells.columns())?;
        let images: Vec<u8> =
            found.mistakes.iter().flat_map(|m| task.test.image(m.index).iter().copied()).collect();
        let mistakes = Rows::of(&found.mistakes)
            .i64("index", |m| m.index as i64)
            .i64("truth", |m| i64::from(m.truth))
            .i64("prediction", |m| i64::from(m.prediction))
            .i64("wrong_trials", |m| m.wrong as i64)
            .i64("trials", |_| found.trials as i64)
            .f64("loss", |m| m.loss)
            .unit("nats")
            .column(Column::bytes("image", &images, PIXELS as usize));
        if !mistakes.is_empty() {
            ctx.table(&mistakes_of(task.name, found.model), training.step(), &mistakes.columns())?;
        }
    }
    Ok(())
}
