//! The figures of the instruments.

use gradtop_sdk::prelude::*;

use super::Settings;

/// Maximum number of networks whose layers get a panel; with more, the metric `batch/layer_grad_norm` is still logged.
const LAYERED: usize = 4;

/// Declares the figures `instruments` and `gradient-histogram` for networks with these names and numbers of layers.
pub(super) fn declare(settings: &Settings, shown: &[(String, usize)], caption: &str) -> Vec<Figure> {
    let panel = |title: &str, metric: &str, axis: Axis| {
        Panel::new("step", axis).title(title).mark(Mark::line(metric).by([By::Model]).mean().band())
    };
    let mut instruments = Figure::new("instruments", "Instruments of training").caption(format!(
        "Of the batches of measured steps, before their updates, and of the Hessian on a fixed part of the training \
         data. {caption}"
    ));
    if settings.instruments > 0 {
        instruments = instruments.panels([
            panel("Norm of the gradient", "batch/grad_norm", Axis::log("gradient norm")),
            panel("Simple noise scale", "batch/noise_scale", Axis::log("samples")),
            panel("Length of an update", "batch/update_size", Axis::log("update size")),
            panel("Distance from the initial values", "batch/distance", Axis::linear("distance")),
        ]);
    }
    if settings.instruments_curvature > 0 {
        instruments = instruments.panels([
            panel("Largest eigenvalue of the Hessian", "curvature/max_eigenvalue", Axis::log("eigenvalue")),
            panel("Trace of the Hessian", "curvature/trace", Axis::symlog("trace")),
        ]);
    }
    if settings.instruments == 0 {
        return vec![instruments];
    }
    if shown.len() <= LAYERED {
        instruments = instruments.panels(shown.iter().filter(|(_, layers)| *layers > 1).map(|(model, _)| {
            let line = Mark::line("batch/layer_grad_norm").by([By::Split]).mean().band();
            let panel = Panel::new("step", Axis::log("gradient norm"));
            if model.is_empty() {
                panel.title("Norm of each layer's gradient").mark(line)
            } else {
                panel.title(format!("Norm of each layer's gradient: {model}")).mark(line.model(model))
            }
        }));
    }
    let histogram = Figure::new("gradient-histogram", "Sizes of the elements of the gradient")
        .caption(format!(
            "Elements by the decade of their absolute value at the last measured step, all trials together; the leftmost bar \
             counts what is smaller, zeros included. Networks whose training ended at an earlier step are in the table. {caption}"
        ))
        .panel(
            Panel::new("power of ten", "share of elements")
                .mark(Mark::bar(("gradient-histogram", "decade", "share")).by(["network"])),
        );
    vec![instruments, histogram]
}
