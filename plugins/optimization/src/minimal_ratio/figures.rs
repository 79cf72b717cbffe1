//! The figures, as TOML.

use gradtop_toolkit::figures::{Figures, axis, quoted};

use super::MinimalRatio;
use super::analysis::{Analysis, Class, Ratio};
use super::search::Plan;
use super::tables::slug;

/// What can be watched while the run goes on.
pub(super) fn progress(params: &MinimalRatio, plan: &Plan) -> String {
    let mut figures = Figures::default();
    figures.figure(
        "progress",
        "Loss and gradient norm",
        &format!(
            "Median of the runs, band from lowest to highest: {}. Steps of the stages are counted on.",
            params.in_words(plan)
        ),
    );
    let line = |metric: &str, split: &str| {
        format!(
            "type = \"line\"\nmetric = \"{metric}\"{split}\nby = [\"model\", \"split\"]\naggregate = \"median\"\nband = \"minmax\""
        )
    };
    figures.panel("loss", &axis("step", "linear"), &axis("loss", "log"));
    figures.mark(&line("loss", ""));
    let finders = plan.finders.iter().map(|finder| finder.name());
    for split in std::iter::once("adam").chain(finders) {
        figures.panel(
            &format!("gradient norm: {split}"),
            &axis("step", "linear"),
            &axis("gradient norm", "log"),
        );
        figures.mark(&line("grad_norm", &format!("\nsplit = \"{split}\"")));
        figures.level(params.critical, "critical below");
    }
    figures.toml()
}

/// The results of all arms.
pub(super) fn results(params: &MinimalRatio, plan: &Plan, arms: &[Analysis]) -> String {
    let mut figures = Figures::default();
    for arm in arms {
        let settings = format!(
            "{} ({} parameters, {} points), {}: {}.",
            arm.network,
            arm.parameters,
            arm.points,
            arm.finder.name(),
            params.in_words(plan)
        );
        let tolerance =
            format!("Eigenvalues within {:e} of the largest absolute one count as zero.", params.tolerance);
        scatter(&mut figures, params, arm, &format!("{tolerance} {settings}"));
        convergence(&mut figures, params, arm, &settings);
        correlations(&mut figures, arm, &settings);
        spectra(&mut figures, params, arm, &settings);
        sampled(&mut figures, params, arm, &format!("{tolerance} {settings}"));
    }
    figures.toml()
}

fn title(arm: &Analysis, text: &str) -> String {
    format!("{text}: {}, {}", arm.network, arm.finder.name())
}

/// A scatter mark for each class that has runs.
fn by_class(figures: &mut Figures, arm: &Analysis, x: &str, y: &str) {
    for class in Class::ALL {
        if arm.count(class) == 0 {
            continue;
        }
        let name = match class {
            Class::Critical => "critical".to_owned(),
            Class::Mean => "critical: the mean predictor".to_owned(),
            Class::Flat => "not converged: gradient-flat".to_owned(),
            Class::Neither => "not converged".to_owned(),
        };
        figures.mark(&format!(
            "type = \"scatter\"\ntable = {}\nxcol = \"{x}\"\nycol = \"{y}\"\nlabel = {}",
            quoted(&format!("points-{}-{}", arm.name, slug(class))),
            quoted(&format!("{name} ({})", arm.count(class)))
        ));
    }
}

fn scatter(figures: &mut Figures, params: &MinimalRatio, arm: &Analysis, settings: &str) {
    figures.figure(
        &format!("ratio-{}", arm.name),
        &title(arm, "Minimal ratio against loss"),
        &format!(
            "Every run's end. Critical: gradient norm below {:e}. The level line is the variance of the targets, the loss of \
             predicting their mean. {settings}",
            params.critical
        ),
    );
    let columns = ["signed_ratio", "positive_ratio", "not_negative_ratio"];
    let mut panel = |title: &str, column: &str| {
        figures.panel(title, &axis("ratio", "linear"), &axis("loss", "log"));
        by_class(figures, arm, column, "loss");
        figures.level(arm.variance, "");
    };
    for (ratio, column) in Ratio::ALL.into_iter().zip(columns) {
        panel(ratio.name(), column);
    }
    panel("n+/P, gradient norm as tolerance", "positive_ratio_at_grad_norm");
}

fn convergence(figures: &mut Figures, params: &MinimalRatio, arm: &Analysis, settings: &str) {
    figures.figure(
        &format!("convergence-{}", arm.name),
        &title(arm, "Loss and gradient norm of every run's end"),
        &format!("The upright line is where points begin to count as critical. {settings}"),
    );
    figures.panel("", &axis("gradient norm", "log"), &axis("loss", "log"));
    by_class(figures, arm, "grad_norm", "loss");
    figures.upright(params.critical).level(arm.variance, "");
}

fn correlations(figures: &mut Figures, arm: &Analysis, settings: &str) {
    figures.figure(
        &format!("tolerance-{}", arm.name),
        &title(arm, "Correlation of loss and ratio against tolerance"),
        &format!(
            "Spearman's coefficient over the {} critical points with its 95 % interval (Bonett and Wright 2000), for each \
             tolerance below which an eigenvalue counts as zero, as a share of the largest absolute one; |g|: the gradient \
             norm. {settings}",
            arm.critical().count()
        ),
    );
    figures.panel("", &axis("tolerance", "linear"), &axis("Spearman", "linear"));
    // The estimate is the median of itself and the two ends of its interval, which are their range.
    figures.mark(&format!(
        "type = \"line\"\ntable = {}\nxcol = \"tolerance\"\nycol = \"spearman\"\nby = [\"ratio\"]\naggregate = \"median\"\nband = \"minmax\"",
        quoted(&format!("correlations-{}", arm.name))
    ));
    figures.level(0.0, "");
}

fn spectra(figures: &mut Figures, params: &MinimalRatio, arm: &Analysis, settings: &str) {
    if arm.three().is_empty() {
        return;
    }
    figures.figure(
        &format!("spectra-{}", arm.name),
        &title(arm, "Eigenvalues of the Hessian"),
        &format!(
            "All eigenvalues, ascending, as shares of the largest absolute one, of the critical points of lowest, middle and \
             highest loss; the scale is logarithmic away from zero. Level lines: the tolerance of {:e}. {settings}",
            params.tolerance
        ),
    );
    figures.panel("", &axis("index", "linear"), &axis("share of the largest", "symlog"));
    figures.mark(&format!(
        "type = \"scatter\"\ntable = {}\nxcol = \"index\"\nycol = \"share\"\nby = [\"point\"]",
        quoted(&format!("spectra-{}", arm.name))
    ));
    figures.level(params.tolerance, "").level(-params.tolerance, "");
}

fn sampled(figures: &mut Figures, params: &MinimalRatio, arm: &Analysis, settings: &str) {
    if params.samples == 0 || arm.critical().count() == 0 {
        return;
    }
    figures.figure(
        &format!("sampled-{}", arm.name),
        &title(arm, "The sampled ratio beside the exact one"),
        &format!(
            "Share of {} displacements, uniform in a box about the point, that raise the loss; critical points only. It \
             weighs the box against the gradient and the trace, and is no estimate of the exact ratio. {settings}",
            params.samples
        ),
    );
    figures.panel("", &axis("exact n+/(n+ + n-)", "linear"), &axis("sampled", "linear"));
    figures.mark(&format!(
        "type = \"scatter\"\ntable = {}\nxcol = \"exact\"\nycol = \"sampled\"\nby = [\"box\"]",
        quoted(&format!("sampled-{}", arm.name))
    ));
}
