//! What the surfaces say, computed from them.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::significant;

use super::survey::{Found, Plan, StageKind, Survey};

/// Writes a line for each surface to the log, and the numbers to the table `conclusion`.
pub(super) fn write(ctx: &Ctx, plan: &Plan, survey: &Survey<'_>) -> Result<()> {
    let surfaces: Vec<_> = survey.found().collect();
    let statements: Vec<String> = surfaces
        .iter()
        .map(|(task, kind, found)| format!("{}: {}.", task.name, said(*kind, found, task.is_rectified())))
        .collect();
    for statement in &statements {
        ctx.info(statement)?;
    }
    let tasks: Vec<&str> = surfaces.iter().map(|(task, _, _)| task.name).collect();
    let kinds: Vec<&str> = surfaces.iter().map(|(_, kind, _)| kind.name()).collect();
    let number =
        |of: &dyn Fn(&Found) -> f64| surfaces.iter().map(|(_, _, found)| of(found)).collect::<Vec<_>>();
    ctx.table(
        "conclusion",
        plan.steps(),
        &[
            Column::utf8("task", &tasks),
            Column::utf8("surface", &kinds),
            Column::f64("final_loss", number(&|f| f.centre)),
            Column::f64("lowest", number(&|f| f.lowest)),
            Column::f64("highest", number(&|f| f.highest)),
            Column::utf8("statement", &statements),
        ],
    )
}

/// One surface in a sentence.
fn said(kind: StageKind, found: &Found, rectified: bool) -> String {
    let [first, second] = found.curvature;
    let loss = |value: f64| significant(value, 4);
    let kinks = if rectified {
        ", which see the kinks of the rectified units that the Hessian leaves out"
    } else {
        ""
    };
    match kind {
        StageKind::Train => String::new(),
        StageKind::Line => {
            let course = if found.rises == 0.0 {
                "falls from point to point all the way".to_owned()
            } else {
                let pairs = if found.rises == 1.0 { "pair" } else { "pairs" };
                format!(
                    "rises between {} {pairs} of neighbouring points, to at most {}",
                    found.rises,
                    loss(found.highest_between)
                )
            };
            format!(
                "from the initial parameters (loss {}) straight to the final ones ({}) the loss {course}; the lowest of \
                 the whole line, {}, is at α = {:.2}",
                loss(found.start),
                loss(found.centre),
                loss(found.lowest),
                found.lowest_at[0]
            )
        }
        StageKind::Random => format!(
            "over the random plane the loss goes from {} to {}; {}; the curvature along the two directions is {} and \
             {} per squared length (by second differences {} and {}{kinks})",
            loss(found.lowest),
            loss(found.highest),
            lower(found),
            significant(first.product, 3),
            significant(second.product, 3),
            significant(first.difference, 3),
            significant(second.difference, 3)
        ),
        StageKind::Path => format!(
            "two principal components hold {:.1} % and {:.1} % of the path's variance; over their plane the loss goes from {} \
             to {}; {}",
            100.0 * found.explained[0],
            100.0 * found.explained[1],
            loss(found.lowest),
            loss(found.highest),
            lower(found)
        ),
        StageKind::Eigen => {
            let [(most, most_bound), (least, least_bound)] = found.eigenvalues;
            let bound = |b: f64| if b > 0.0 { format!(" ± {}", significant(b, 1)) } else { String::new() };
            let kind = if least < -least_bound {
                format!(
                    "so the network ended at no minimum: {} of the largest curvature points down",
                    significant(-least / most, 2)
                )
            } else if least > least_bound {
                "so all curvature points up here".to_owned()
            } else {
                "which cannot be told from zero".to_owned()
            };
            format!(
                "the Hessian's largest eigenvalue is {}{}, its smallest {}{}, {kind}; by second differences of \
                 the loss{kinks}, the curvatures are {} and {}",
                significant(most, 5),
                bound(most_bound),
                significant(least, 5),
                bound(least_bound),
                significant(first.difference, 5),
                significant(second.difference, 5)
            )
        }
    }
}

/// Whether a point of the plane lies below the network itself.
fn lower(found: &Found) -> String {
    if found.lowest < found.centre {
        format!(
            "the lowest point, at ({:.3}, {:.3}), lies below the network itself ({})",
            found.lowest_at[0],
            found.lowest_at[1],
            significant(found.centre, 4)
        )
    } else {
        format!("no point lies below the network itself ({})", significant(found.centre, 4))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_follow_the_numbers() {
        let line = |rises| Found {
            start: 0.2,
            centre: 0.1,
            lowest: 0.05,
            rises,
            highest_between: 0.3,
            ..Found::default()
        };
        assert!(said(StageKind::Line, &line(0.0), false).contains("falls from point to point all the way"));
        assert!(said(StageKind::Line, &line(2.0), false).contains("rises between 2 pairs"));
        let text = said(StageKind::Line, &line(0.0), false);
        assert!(text.contains("(loss 0.2000) straight to the final ones (0.1000)"), "{text}");
        let eigen = |least, bound| Found { eigenvalues: [(10.0, 0.0), (least, bound)], ..Found::default() };
        assert!(said(StageKind::Eigen, &eigen(-0.1, 1e-3), false).contains("no minimum"));
        assert!(said(StageKind::Eigen, &eigen(-1e-4, 1e-3), false).contains("cannot be told from zero"));
        assert!(said(StageKind::Eigen, &eigen(0.1, 1e-3), false).contains("all curvature points up"));
        assert!(said(StageKind::Eigen, &eigen(0.1, 0.0), true).contains("kinks"));
        let plane = |lowest| Found { centre: 0.1, lowest, ..Found::default() };
        assert!(said(StageKind::Random, &plane(0.1), false).contains("no point lies below"));
        assert!(said(StageKind::Path, &plane(0.05), false).contains("lies below the network"));
    }
}
