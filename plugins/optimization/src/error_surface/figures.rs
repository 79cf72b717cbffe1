//! The figures, as TOML.

use gradtop_toolkit::conclusion::significant;
use gradtop_toolkit::figures::{Figures, axis, quoted};

use super::ErrorSurface;
use super::survey::{Plan, StageKind, Survey};
use super::tables::{name, slices};

/// The loss while training.
pub(super) fn training(plan: &Plan) -> String {
    let mut figures = Figures::default();
    let words: Vec<String> = plan.tasks.iter().map(|task| format!("{}: {}", task.name, task.words)).collect();
    figures.figure(
        "training",
        "Loss while training",
        &format!(
            "With fixed weights, on the samples that the surfaces are evaluated on, at each of {} snapshots. {}; seed {}.",
            plan.snapshots,
            words.join(". "),
            plan.seed
        ),
    );
    for task in &plan.tasks {
        figures.panel(task.name, &axis("epoch", "linear"), &axis("loss", "log"));
        figures.mark(&format!(
            "type = \"line\"\nmetric = \"loss\"\nmodel = \"{}\"\nx = \"epoch\"\nby = [\"split\"]",
            task.name
        ));
    }
    figures.toml()
}

/// The figures of the surface that has just been finished.
pub(super) fn surface(params: &ErrorSurface, plan: &Plan, survey: &Survey<'_>) -> String {
    let (kind, task) = (survey.kind(), survey.task());
    let mut figures = Figures::default();
    let table = name(kind, task.name);
    let settings = format!("{}; seed {}.", task.words, plan.seed);
    let Some(axes) = survey.axes() else {
        if kind == StageKind::Line {
            figures.figure(
                &table,
                &format!("From the initial to the final parameters: {}", task.name),
                &format!(
                    "Loss at (1 - α) times the initial plus α times the final parameters, {} points; 0 and 1 are the two \
                     networks themselves. {settings}",
                    plan.line_points
                ),
            );
            figures.panel("", &axis("α", "linear"), &axis("loss", "log"));
            figures.mark(&format!(
                "type = \"line\"\ntable = {}\nxcol = \"alpha\"\nycol = \"loss\"\nby = [\"split\"]",
                quoted(&table)
            ));
            figures.upright(0.0).upright(1.0);
        }
        return figures.toml();
    };
    let (title, caption, x, y) = match kind {
        StageKind::Path => (
            "The plane of the path",
            format!(
                "Principal components of {} snapshots, through the last of them; the points are the snapshots, projected into \
                 the plane, so their own losses differ from the surface's there.",
                axes.path.len()
            ),
            format!("PC1 ({:.1} % of the path's variance)", 100.0 * axes.explained[0]),
            format!("PC2 ({:.1} %)", 100.0 * axes.explained[1]),
        ),
        StageKind::Eigen => (
            "The plane of extreme curvature",
            format!(
                "Unit eigenvectors of the Hessian's largest and smallest eigenvalue at the final parameters ({}).",
                if axes.eigenvalues.iter().any(|(_, bound)| *bound > 0.0) {
                    format!("{} Lanczos steps", params.lanczos_steps)
                } else {
                    "the whole matrix".to_owned()
                }
            ),
            format!("largest, λ = {}", significant(axes.eigenvalues[0].0, 4)),
            format!("smallest, λ = {}", significant(axes.eigenvalues[1].0, 4)),
        ),
        _ => (
            "A random plane",
            "Two random directions normalised by filter, biases left out; 1 is the length of the network's own weights."
                .to_owned(),
            "direction 1".to_owned(),
            "direction 2".to_owned(),
        ),
    };
    figures.figure(
        &table,
        &format!("{title}: {}", task.name),
        &format!("{caption} {0} by {0} points about the final parameters at (0, 0). {settings}", plan.grid),
    );
    figures.panel("", &axis(&x, "linear"), &axis(&y, "linear"));
    let field =
        format!("table = {}\nxcol = \"x\"\nycol = \"y\"\nzcol = \"loss\"\nscale = \"log\"", quoted(&table));
    figures.mark(&format!("type = \"heatmap\"\n{field}")).mark(&format!("type = \"contour\"\n{field}"));
    if kind == StageKind::Path {
        figures.mark(&format!(
            "type = \"scatter\"\ntable = {}\nxcol = \"x\"\nycol = \"y\"\nlabel = \"snapshots\"\njoined = true",
            quoted(&format!("snapshots-{}", task.name))
        ));
    } else {
        figures.upright(0.0).level(0.0, "");
    }
    figures.figure(
        &format!("slices-{table}"),
        &format!("{title}, slices through its centre: {}", task.name),
        &format!(
            "Loss along each axis through the final parameters, and what the Hessian alone says: its centre plus half the \
             curvature times the squared distance. {settings}"
        ),
    );
    for (which, label) in [("x", &x), ("y", &y)] {
        figures.panel(label, &axis("position", "linear"), &axis("loss", "linear"));
        figures.mark(&format!(
            "type = \"line\"\ntable = {}\nxcol = \"position\"\nycol = \"value\"\nby = [\"curve\"]",
            quoted(&slices(kind, task.name, which))
        ));
        figures.upright(0.0);
    }
    figures.toml()
}
