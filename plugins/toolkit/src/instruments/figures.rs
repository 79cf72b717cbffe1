//! The figures, as TOML.

use super::Settings;
use crate::figures::{Figures, axis, quoted};

/// Networks whose layers get a panel; of more, the metric `batch/layer_grad_norm` still has them.
const LAYERED: usize = 4;

/// The figures `instruments` and `gradient-histogram` of networks with these names and numbers of layers.
pub(super) fn declare(settings: &Settings, shown: &[(String, usize)], caption: &str) -> String {
    let steps = axis("step", "linear");
    let line = |metric: &str, by: &str, model: &str| {
        let of = if model.is_empty() { String::new() } else { format!("\nmodel = {}", quoted(model)) };
        format!(
            "type = \"line\"\nmetric = \"{metric}\"{of}\nby = [\"{by}\"]\naggregate = \"mean\"\nband = \"minmax\""
        )
    };
    let mut figures = Figures::default();
    figures.figure(
        "instruments",
        "Instruments of training",
        &format!(
            "Of the batches of measured steps, before their updates, and of the Hessian on a fixed part of the training data: mean \
             of the trials, band from lowest to highest. {caption}"
        ),
    );
    let panels = |figures: &mut Figures, panels: &[(&str, &str, &str, &str)]| {
        for (title, metric, label, scale) in panels {
            figures.panel(title, &steps, &axis(label, scale)).mark(&line(metric, "model", ""));
        }
    };
    if settings.instruments > 0 {
        panels(
            &mut figures,
            &[
                ("Norm of the gradient", "batch/grad_norm", "gradient norm", "log"),
                ("Simple noise scale", "batch/noise_scale", "samples", "log"),
                ("Length of an update", "batch/update_size", "update size", "log"),
                ("Distance from the initial values", "batch/distance", "distance", "linear"),
            ],
        );
    }
    if settings.instruments_curvature > 0 {
        panels(
            &mut figures,
            &[
                ("Largest eigenvalue of the Hessian", "curvature/max_eigenvalue", "eigenvalue", "log"),
                ("Trace of the Hessian", "curvature/trace", "trace", "symlog"),
            ],
        );
    }
    if settings.instruments == 0 {
        return figures.toml();
    }
    if shown.len() <= LAYERED {
        for (model, _) in shown.iter().filter(|(_, layers)| *layers > 1) {
            let of = if model.is_empty() { String::new() } else { format!(": {model}") };
            figures
                .panel(&format!("Norm of each layer's gradient{of}"), &steps, &axis("gradient norm", "log"))
                .mark(&line("batch/layer_grad_norm", "split", model));
        }
    }
    figures
        .figure(
            "gradient-histogram",
            "Sizes of the elements of the gradient",
            &format!(
                "Elements by the decade of their absolute value at the last measured step, all trials together; the leftmost bar \
                 counts what is smaller, zeros included. Networks whose training ended at an earlier step are in the table. {caption}"
            ),
        )
        .panel("", &axis("power of ten", "linear"), &axis("share of elements", "linear"))
        .mark(
            "type = \"bar\"\ntable = \"gradient-histogram\"\nxcol = \"decade\"\nycol = \"share\"\nby = [\"network\"]",
        );
    figures.toml()
}
