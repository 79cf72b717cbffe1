//! Draws conclusions from the surfaces.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{self, Claim, counted, significant};

use super::survey::{Found, Plan, StageKind, Survey};
use super::tables::name;
use super::task::Task;

/// Fraction of the largest eigenvalue within which another counts as zero, as in minimal-ratio.
const ZERO: f64 = 1e-6;

/// Returns a claim for each finished surface, with its figure.
pub(super) fn claims(survey: &Survey<'_>) -> Vec<(String, Claim)> {
    let claim = |task: &Task, kind: StageKind, found: &Found| {
        said(format!("{}, {}", task.name, kind.name()), kind, found, task.is_rectified())
            .evidence(format!(
                "one network, on {} of the {} samples it learnt",
                task.train.count(),
                task.samples().count()
            ))
            .caution("other seeds may differ")
    };
    survey.found().map(|(task, kind, found)| (name(kind, task.name), claim(task, kind, found))).collect()
}

/// Writes a claim for each surface to the log and the table `conclusion`.
pub(super) fn write(ctx: &Ctx, plan: &Plan, survey: &Survey<'_>) -> Result<()> {
    let keys = Rows::of(survey.found())
        .utf8("task", |(task, ..)| task.name)
        .utf8("surface", |(_, kind, _)| kind.name())
        .f64("final_loss", |(.., found)| found.centre)
        .f64("lowest", |(.., found)| found.lowest)
        .f64("highest", |(.., found)| found.highest);
    conclusion::write(ctx, plan.steps(), claims(survey), 0, keys.columns()).map(drop)
}

/// Returns the claim about one surface.
fn said(about: String, kind: StageKind, found: &Found, rectified: bool) -> Claim {
    let caution = match kind {
        StageKind::Line => "between the points of the line nothing is known",
        StageKind::Eigen => "a curvature is of one point, and of the samples it is taken on",
        _ => "a plane is two of very many directions: what lies off it is not seen",
    };
    Claim::seen(about, in_words(kind, found, rectified)).caution(caution)
}

fn in_words(kind: StageKind, found: &Found, rectified: bool) -> String {
    match kind {
        StageKind::Train => String::new(),
        StageKind::Line => of_line(found),
        StageKind::Random => of_random_plane(found, rectified),
        StageKind::Path => of_path_plane(found),
        StageKind::Eigen => of_eigenvectors(found, rectified),
    }
}

fn loss(value: f64) -> String {
    significant(value, 4)
}

/// Returns what second differences of the loss see and the Hessian does not.
fn kinks(rectified: bool) -> &'static str {
    if rectified { ", which see the kinks of the rectified units that the Hessian leaves out" } else { "" }
}

fn of_line(found: &Found) -> String {
    let course = if found.rises == 0.0 {
        "falls from point to point all the way".to_owned()
    } else {
        format!(
            "rises between {} of neighbouring points, to at most {}",
            counted(found.rises as i64, "pair"),
            loss(found.highest_between)
        )
    };
    format!(
        "from the initial parameters (loss {}) straight to the final ones ({}) the loss {course}; the lowest of the \
         whole line, {}, is at α = {:.2}",
        loss(found.start),
        loss(found.centre),
        loss(found.lowest),
        found.lowest_at[0]
    )
}

fn of_random_plane(found: &Found, rectified: bool) -> String {
    let [first, second] = found.curvature;
    format!(
        "over the random plane the loss goes from {} to {}; {}; the curvature along the two directions is {} and {} per \
         squared length (by second differences {} and {}{})",
        loss(found.lowest),
        loss(found.highest),
        lower(found),
        significant(first.product, 3),
        significant(second.product, 3),
        significant(first.difference, 3),
        significant(second.difference, 3),
        kinks(rectified)
    )
}

fn of_path_plane(found: &Found) -> String {
    format!(
        "two principal components hold {:.1} % and {:.1} % of the path's variance; over their plane the loss goes from {} \
         to {}; {}",
        100.0 * found.explained[0],
        100.0 * found.explained[1],
        loss(found.lowest),
        loss(found.highest),
        lower(found)
    )
}

fn of_eigenvectors(found: &Found, rectified: bool) -> String {
    let [first, second] = found.curvature;
    let [[most, most_bound], [least, least_bound]] = found.eigenvalues;
    let bound = |b: f64| format!(" ± {}", significant(b, 1));
    let kind = if least < -least_bound.max(ZERO * most) && rectified && second.difference > 0.0 {
        "so the Hessian points down there, but the loss with its kinks does not".to_owned()
    } else if least < -least_bound.max(ZERO * most) {
        format!(
            "so the network ended at no minimum of the loss on these samples: its curvature downwards is {} of the largest",
            significant(-least / most, 2)
        )
    } else if least > least_bound.max(ZERO * most) {
        "so no curvature that was found points down".to_owned()
    } else if least.abs() > least_bound {
        format!("which counts as zero: it is within {ZERO:e} of the largest")
    } else {
        "which may be zero: it is within its error bound".to_owned()
    };
    format!(
        "the Hessian's largest eigenvalue is {}{}, its smallest {}{} (± bounds the error), {kind}; by second differences of \
         the loss{}, the curvatures are {} and {}",
        significant(most, 5),
        bound(most_bound),
        significant(least, 5),
        bound(least_bound),
        kinks(rectified),
        significant(first.difference, 5),
        significant(second.difference, 5)
    )
}

/// Describes whether a point of the plane lies below the network itself.
fn lower(found: &Found) -> String {
    if found.lowest < found.centre {
        format!(
            "the lowest point, at ({:.3}, {:.3}), lies below the network itself ({})",
            found.lowest_at[0],
            found.lowest_at[1],
            loss(found.centre)
        )
    } else {
        format!("no point of the grid lies below the network itself ({})", loss(found.centre))
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
        assert!(
            in_words(StageKind::Line, &line(0.0), false).contains("falls from point to point all the way")
        );
        assert!(in_words(StageKind::Line, &line(2.0), false).contains("rises between 2 pairs"));
        let text = in_words(StageKind::Line, &line(0.0), false);
        assert!(text.contains("(loss 0.2000) straight to the final ones (0.1000)"), "{text}");
        let eigen = |least, bound| Found { eigenvalues: [[10.0, 0.0], [least, bound]], ..Found::default() };
        assert!(in_words(StageKind::Eigen, &eigen(-0.1, 1e-3), false).contains("no minimum"));
        assert!(in_words(StageKind::Eigen, &eigen(-1e-4, 1e-3), false).contains("may be zero"));
        let kinked = |difference| {
            let mut found = eigen(-0.1, 1e-3);
            found.curvature[1].difference = difference;
            in_words(StageKind::Eigen, &found, true)
        };
        assert!(kinked(-0.1).contains("no minimum") && kinked(0.1).contains("its kinks does not"));
        // What minimal-ratio counts as zero is no curvature here either.
        assert!(
            in_words(StageKind::Eigen, &eigen(-2.6e-6, 1e-14), false)
                .contains("counts as zero: it is within 1e-6")
        );
        assert!(in_words(StageKind::Eigen, &eigen(-0.1, 1e-3), false).contains("-0.10000 ± 0.001"));
        let whole = said("mnist, eigen".into(), StageKind::Eigen, &eigen(-0.1, 1e-3), false).whole();
        assert!(whole.contains("(seen in this run). Caution: a curvature is of one point"), "{whole}");
        assert!(
            in_words(StageKind::Eigen, &eigen(0.1, 1e-3), false)
                .contains("no curvature that was found points down")
        );
        assert!(in_words(StageKind::Eigen, &eigen(0.1, 0.0), true).contains("kinks"));
        let plane = |lowest| Found { centre: 0.1, lowest, ..Found::default() };
        assert!(in_words(StageKind::Random, &plane(0.1), false).contains("no point of the grid lies below"));
        assert!(in_words(StageKind::Path, &plane(0.05), false).contains("lies below the network"));
    }
}
