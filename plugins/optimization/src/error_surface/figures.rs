//! The figures.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{caption, significant};

use super::ErrorSurface;
use super::conclusion::claims;
use super::directions::WHOLE;
use super::survey::{Plan, StageKind, Survey};
use super::tables::{name, slices};

/// Declares the loss during training.
pub(super) fn training(plan: &Plan) -> Figure {
    let words: Vec<String> = plan.tasks.iter().map(|task| format!("{}: {}", task.name, task.words)).collect();
    let panels = plan.tasks.iter().map(|task| {
        Panel::new("epoch", Axis::log("loss"))
            .title(task.name)
            .mark(Mark::line("loss").model(task.name).over_epochs().by([By::Split]))
    });
    Figure::new("training", "Loss while training").panels(panels).caption(format!(
        "With fixed weights, on the samples that the surfaces are evaluated on, at each of {} snapshots. {}; seed {}.",
        plan.snapshots,
        words.join(". "),
        plan.seed
    ))
}

/// Declares the figures of the surface that has just been finished, which end with the claims.
pub(super) fn surface(params: &ErrorSurface, plan: &Plan, survey: &Survey<'_>) -> Vec<Figure> {
    let (kind, task) = (survey.kind(), survey.task());
    let table = name(kind, task.name);
    let settings = format!("{}; seed {}.", task.words, plan.seed);
    let found = caption(&claims(survey), &table);
    let Some(axes) = survey.axes() else {
        if kind != StageKind::Line {
            return Vec::new();
        }
        let line = Figure::new(&table, format!("From the initial to the final parameters: {}", task.name))
            .caption(format!(
                "Loss at (1 - α) times the initial plus α times the final parameters, {} points; 0 and 1 are the two \
                 networks themselves. {settings}{found}",
                plan.line_points
            ))
            .panel(
                Panel::new("α", Axis::log("loss"))
                    .mark(Mark::line((&table, "alpha", "loss")).by([By::Split]))
                    .marks([0.0, 1.0].map(Mark::upright)),
            );
        return vec![line];
    };
    let (title, what, x, y) = match kind {
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
                if task.shape.parameter_count() > WHOLE {
                    format!("{} Lanczos steps", params.lanczos_steps)
                } else {
                    "the whole matrix".to_owned()
                }
            ),
            format!("largest, λ = {}", significant(axes.eigenvalues[0][0], 4)),
            format!("smallest, λ = {}", significant(axes.eigenvalues[1][0], 4)),
        ),
        _ => (
            "A random plane",
            "Two random directions normalised by filter, biases left out; 1 is the length of the network's own weights."
                .to_owned(),
            "direction 1".to_owned(),
            "direction 2".to_owned(),
        ),
    };
    let plane = Panel::new(&x, &y)
        .mark(Mark::heatmap(&table, "x", "y", "loss").log())
        .mark(Mark::contour(&table, "x", "y", "loss").log());
    let plane = if kind == StageKind::Path {
        let snapshots = (format!("snapshots-{}", task.name), "x", "y");
        plane.mark(Mark::scatter(snapshots).label("snapshots").joined())
    } else {
        plane.mark(Mark::upright(0.0)).mark(Mark::level(0.0))
    };
    let slice = |which: &str, label: &str| {
        let table = slices(kind, task.name, which);
        Panel::new("position", "loss")
            .title(label)
            .mark(Mark::line((table, "position", "value")).by(["curve"]))
            .mark(Mark::upright(0.0))
    };
    vec![
        Figure::new(&table, format!("{title}: {}", task.name)).panel(plane).caption(format!(
            "{what} {0} by {0} points about the final parameters at (0, 0). {settings}{found}",
            plan.grid
        )),
        Figure::new(
            format!("slices-{table}"),
            format!("{title}, slices through its centre: {}", task.name),
        )
        .caption(format!(
            "Loss along each axis through the final parameters, and what the Hessian alone says: its centre plus half the \
             curvature times the squared distance. {settings}"
        ))
        .panel(slice("x", &x))
        .panel(slice("y", &y)),
    ]
}
