//! The figures.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{caption, significant};

use super::conclusion::claims;
use super::directions::WHOLE;
use super::plane::Axes;
use super::survey::{Plan, StageKind, Survey};
use super::tables::{self, name};
use super::task::Task;

/// Declares the loss during training.
pub(super) fn training(plan: &Plan) -> Figure {
    let words = plan
        .tasks
        .iter()
        .map(|task| format!("{}: {} snapshots; {}", task.name, plan.snapshots(task), task.words))
        .collect::<Vec<_>>();
    let panels = plan.tasks.iter().map(|task| {
        Panel::new("epoch", Axis::log("loss"))
            .title(task.name)
            .mark(Mark::line("loss").model(task.name).over_epochs().by([By::Split]))
    });
    Figure::new("training", "Loss while training").panels(panels).caption(format!(
        "With fixed weights, on the samples that the surfaces are evaluated on, at each snapshot. {}; seed {}.",
        words.join(". "),
        plan.seed
    ))
}

/// Declares the figures of the surface that has just been finished, which end with the claims.
pub(super) fn surface(plan: &Plan, survey: &Survey<'_>) -> Vec<Figure> {
    let (kind, task) = (survey.kind(), survey.task());
    let table = name(kind, task.name);
    let settings = format!("{}; seed {}.", task.words, plan.seed);
    let found = caption(&claims(survey), &table);
    match survey.axes() {
        Some(axes) => {
            let (title, what, labels) = described(plan, kind, task, axes);
            vec![
                plane(kind, task, title, &labels).caption(format!(
                    "{what} {0} by {0} points about the final parameters at (0, 0). {settings}{found}",
                    plan.params.grid
                )),
                slices(kind, task, title, &labels).caption(format!(
                    "Loss along each axis through the final parameters, and what the Hessian alone says: its centre plus half the \
                     curvature times the squared distance. {settings}"
                )),
            ]
        }
        None if kind == StageKind::Line => vec![line(&table, task.name).caption(format!(
            "Loss at (1 - α) times the initial plus α times the final parameters, {} points; 0 and 1 are the two \
             networks themselves. {settings}{found}",
            plan.params.line_points
        ))],
        None => Vec::new(),
    }
}

fn line(table: &str, task: &str) -> Figure {
    Figure::new(table, format!("From the initial to the final parameters: {task}")).panel(
        Panel::new("α", Axis::log("loss"))
            .mark(Mark::line((table, "alpha", "loss")).by([By::Split]))
            .marks([(0.0, "initial"), (1.0, "final")].map(|(at, name)| Mark::upright(at).label(name))),
    )
}

/// Returns a plane's title, what it shows, and the labels of its axes.
fn described(plan: &Plan, kind: StageKind, task: &Task, axes: &Axes) -> (&'static str, String, [String; 2]) {
    match kind {
        StageKind::Path => (
            "The plane of the path",
            format!(
                "Principal components of {} snapshots, through the last of them; the points are the snapshots, projected into \
                 the plane, so their own losses differ from the surface's there.",
                axes.path.len()
            ),
            [
                format!("PC1 ({:.1} % of the path's variance)", 100.0 * axes.explained[0]),
                format!("PC2 ({:.1} %)", 100.0 * axes.explained[1]),
            ],
        ),
        StageKind::Eigen => (
            "The plane of extreme curvature",
            format!(
                "Unit eigenvectors of the Hessian's largest and smallest eigenvalue at the final parameters ({}).",
                if task.shape.parameter_count() > WHOLE {
                    format!("{} Lanczos steps", plan.params.lanczos_steps)
                } else {
                    "the whole matrix".to_owned()
                }
            ),
            [("largest", axes.eigenvalues[0]), ("smallest", axes.eigenvalues[1])]
                .map(|(which, [value, _])| format!("{which}, λ = {}", significant(value, 4))),
        ),
        _ => (
            "A random plane",
            "Two random directions normalised by filter, biases left out; 1 is the length of the network's own weights."
                .to_owned(),
            ["direction 1", "direction 2"].map(str::to_owned),
        ),
    }
}

fn plane(kind: StageKind, task: &Task, title: &str, [x, y]: &[String; 2]) -> Figure {
    let table = name(kind, task.name);
    let panel = Panel::new(x, y)
        .mark(Mark::heatmap(&table, "x", "y", "loss").log())
        .mark(Mark::contour(&table, "x", "y", "loss").log());
    let panel = if kind == StageKind::Path {
        let snapshots = (format!("snapshots-{}", task.name), "x", "y");
        panel.mark(Mark::scatter(snapshots).label("snapshots").joined())
    } else {
        panel.mark(Mark::upright(0.0)).mark(Mark::level(0.0))
    };
    Figure::new(&table, format!("{title}: {}", task.name)).panel(panel)
}

fn slices(kind: StageKind, task: &Task, title: &str, labels: &[String; 2]) -> Figure {
    let slice = |(which, label): (&str, &String)| {
        Panel::new("position", "loss")
            .title(label)
            .mark(Mark::line((tables::slices(kind, task.name, which), "position", "value")).by(["curve"]))
            .mark(Mark::upright(0.0).label("centre"))
    };
    let id = format!("slices-{}", name(kind, task.name));
    Figure::new(id, format!("{title}, slices through its centre: {}", task.name))
        .panels(["x", "y"].into_iter().zip(labels).map(slice))
}
