//! The figures.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{Claim, caption};

use super::MinimalRatio;
use super::analysis::{Analysis, Class, Points, Ratio};
use super::search::Plan;
use super::tables::slug;

/// The level that the loss of the mean predictor is at.
const VARIANCE: &str = "variance of the targets";

/// Declares the figure of the run's progress.
pub(super) fn progress(plan: &Plan) -> Figure {
    let params = &plan.params;
    let line = |metric: &str| Mark::line(metric).by([By::Model, By::Split]).median().band();
    let norms = ["adam"].into_iter().chain(params.finders.iter().map(Choice::name)).map(|split| {
        Panel::new("step", Axis::log("gradient norm"))
            .title(format!("median gradient norm: {split}"))
            .mark(line("grad_norm").split(split))
            .mark(Mark::level(params.critical).label("critical below"))
    });
    Figure::new("progress", "Loss and gradient norm")
        .caption(format!("{}. Steps of the stages are counted on.", plan.in_words()))
        .panel(Panel::new("step", Axis::log("loss")).title("median loss").mark(line("loss")))
        .panels(norms)
}

/// Declares the results of all arms; captions end with the claims.
pub(super) fn results(plan: &Plan, arms: &[Analysis], said: &[(String, Claim)]) -> Vec<Figure> {
    let (params, mut figures) = (&plan.params, Vec::new());
    for arm in arms {
        let settings = format!(
            "{} ({} parameters, {} points), {}: {}.",
            arm.network,
            arm.parameters,
            arm.points,
            arm.finder.name(),
            plan.in_words()
        );
        let tolerance =
            format!("Eigenvalues within {:e} of the largest absolute one count as zero.", params.tolerance);
        let counted = format!("{tolerance} {settings}");
        let found = |figure: &str| caption(said, &id(figure, arm));
        figures.extend([
            scatter(params, arm, &(counted.clone() + &found("ratio"))),
            convergence(params, arm, &(settings.clone() + &found("convergence"))),
            correlations(arm, &(settings.clone() + &found("tolerance"))),
        ]);
        figures.extend(spectra(params, arm, &settings));
        figures.extend(sampled(params, arm, &(counted + &found("sampled"))));
    }
    figures
}

pub(super) fn id(figure: &str, arm: &Analysis) -> String {
    format!("{figure}-{}", arm.name)
}

fn figure(which: &str, arm: &Analysis, title: &str, caption: impl AsRef<str>) -> Figure {
    let title = format!("{title}: {}, {}", arm.network, arm.finder.name());
    Figure::new(id(which, arm), title).caption(caption)
}

/// Returns a scatter mark for each class that has runs.
fn by_class(arm: &Analysis, x: &str, y: &str) -> Vec<Mark> {
    let mark = |class: Class| {
        let points = Mark::scatter((format!("points-{}-{}", arm.name, slug(class)), x, y));
        // Critical points are coloured by training time, which explains most of their order.
        match class {
            Class::Critical => points.by(["training"]).label(class.name()),
            _ => points.label(format!("{} ({})", class.name(), arm.count(class))),
        }
    };
    Class::ALL.iter().copied().filter(|class| arm.count(*class) > 0).map(mark).collect()
}

fn scatter(params: &MinimalRatio, arm: &Analysis, settings: &str) -> Figure {
    let caption = format!(
        "Every run's end. Critical: gradient norm below {:e}, coloured by how long the run was trained, except those \
         at the mean predictor. Gradient-flat and neither: not converged. The level line is the variance of the targets, the loss of \
         predicting their mean. {settings}",
        params.critical
    );
    let columns = ["signed_ratio", "positive_ratio", "not_negative_ratio"];
    let ratios = Ratio::NAMES.iter().copied().zip(columns);
    let by_norm = ("n+/P, gradient norm as tolerance", "positive_ratio_at_grad_norm");
    figure("ratio", arm, "Minimal ratio against loss", caption).panels(ratios.chain([by_norm]).map(
        |(title, column)| {
            Panel::new("ratio", Axis::log("loss"))
                .title(title)
                .marks(by_class(arm, column, "loss"))
                .mark(Mark::level(arm.variance).label(VARIANCE))
        },
    ))
}

fn convergence(params: &MinimalRatio, arm: &Analysis, settings: &str) -> Figure {
    let caption = format!("The upright line is where points begin to count as critical. {settings}");
    figure("convergence", arm, "Loss and gradient norm of every run's end", caption).panel(
        Panel::new(Axis::log("gradient norm"), Axis::log("loss"))
            .marks(by_class(arm, "grad_norm", "loss"))
            .mark(Mark::upright(params.critical).label("critical below"))
            .mark(Mark::level(arm.variance).label(VARIANCE)),
    )
}

fn correlations(arm: &Analysis, settings: &str) -> Figure {
    let caption = format!(
        "Spearman's coefficient over critical points with its 95 % interval (Bonett and Wright 2000), for each \
         tolerance below which an eigenvalue counts as zero, as a share of the largest absolute one; |g|: the gradient \
         norm; 0: none, so that rounding is counted. Trained to the end{}: {} points; all: {}, stopped early or not. {settings}",
        if arm.trains_to_mean() { ", with the mean predictor once" } else { "" },
        arm.points(Points::Trained).count(),
        arm.critical().count()
    );
    // The estimate is the median of itself and the two ends of its interval, which are their range.
    let panel = |table: &str, title: &str| {
        let line = Mark::line((format!("{table}-{}", arm.name), "tolerance", "spearman")).by(["ratio"]);
        Panel::new("tolerance", "Spearman").title(title).mark(line.median().band()).mark(Mark::level(0.0))
    };
    figure("tolerance", arm, "Correlation of loss and ratio against tolerance", caption).panels([
        panel("correlations-trained", "trained to the end"),
        panel("correlations", "stopped early or not"),
    ])
}

fn spectra(params: &MinimalRatio, arm: &Analysis, settings: &str) -> Option<Figure> {
    if arm.three().is_empty() {
        return None;
    }
    let caption = format!(
        "All eigenvalues, ascending, as shares of the largest absolute one, of the critical points of lowest, middle and \
         highest loss; the scale is logarithmic away from zero. Level lines: the tolerance of {:e}. {settings}",
        params.tolerance
    );
    let points = Mark::scatter((format!("spectra-{}", arm.name), "index", "share")).by(["point"]);
    let levels = [(params.tolerance, "tolerance"), (-params.tolerance, "-tolerance")];
    let levels = levels.map(|(at, name)| Mark::level(at).label(name));
    let panel = Panel::new("index", Axis::symlog("share of the largest")).mark(points).marks(levels);
    Some(figure("spectra", arm, "Eigenvalues of the Hessian", caption).panel(panel))
}

fn sampled(params: &MinimalRatio, arm: &Analysis, settings: &str) -> Option<Figure> {
    if params.samples == 0 || arm.critical().count() == 0 {
        return None;
    }
    let caption = format!(
        "Share of {} displacements, uniform in a box about the point, that raise the loss; critical points only. It \
         weighs the box against the gradient and the trace, and is no estimate of the exact ratio. {settings}",
        params.samples
    );
    let points = Mark::scatter((format!("sampled-{}", arm.name), "exact", "sampled")).by(["box"]);
    let panel = Panel::new("exact n+/(n+ + n-)", "sampled").mark(points);
    Some(figure("sampled", arm, "The sampled ratio beside the exact one", caption).panel(panel))
}
