//! The figures: each method against its limit, and all methods at once.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{Claim, caption};
use gradtop_toolkit::settings::shape;

use super::descent::{Descent, Problem};
use super::{EdgeOfStability, Method};

/// Describes networks, data and seed for captions.
pub(super) fn settings(params: &EdgeOfStability, problem: &Problem, seed: u64) -> String {
    let networks = match params.networks {
        1 => "1 network".to_owned(),
        n => format!("{n} networks"),
    };
    format!(
        "tanh network {} ({} parameters) on {}, mean squared error; {networks} of each rate; seed {seed}.",
        shape(problem.network.widths()),
        problem.network.parameter_count(),
        problem.title
    )
}

/// Returns the title of a method's figure.
fn title(params: &EdgeOfStability, method: Method) -> String {
    match method {
        Method::Gd => "Gradient descent: the limit is 2 / rate".to_owned(),
        Method::Momentum => {
            format!("Momentum {0}: the limit is 2 (1 + {0}) / rate", params.momentum)
        }
        Method::Adam => "Adam: the preconditioned limit is 38 / rate".to_owned(),
        Method::Sgd => format!("Mini-batches of {}, against 2 / rate", params.batch),
        Method::Catapult => "Catapult: rates too large for the initial curvature".to_owned(),
    }
}

/// Declares the run's figures; captions end with the claims about their method once there are any.
pub(super) fn declare(
    params: &EdgeOfStability,
    problem: &Problem,
    descents: &[Descent],
    seed: u64,
    said: &[(Method, Claim)],
) -> Vec<Figure> {
    let settings = settings(params, problem, seed);
    let level = || Mark::level(1.0).label("limit").color("grey");
    let of = |method: Method| {
        let line = |metric: &str| Mark::line(metric).split(method.name()).by([By::Model]).mean().band();
        let sharpness = if method == Method::Adam {
            "Sharpness: largest eigenvalue of the preconditioned Hessian"
        } else {
            "Sharpness: largest eigenvalue of the Hessian"
        };
        let itself = (method == Method::Adam).then(|| {
            Panel::new("step", Axis::log("largest eigenvalue"))
                .title("Largest eigenvalue of the Hessian itself, which Adam does not bound")
                .mark(line("lambda_max"))
        });
        Figure::new(method.name(), title(params, method))
            .caption(format!(
                "The sharpness over the largest at which the method is stable on a quadratic; the sharpness itself; and the loss \
                 over all images. {settings}{}",
                caption(said, &method)
            ))
            .panel(
                Panel::new("step", "share of the limit")
                    .title("Sharpness over the limit")
                    .mark(line("share_of_limit"))
                    .mark(level()),
            )
            .panel(Panel::new("step", "sharpness").title(sharpness).mark(line("sharpness")))
            .panels(itself)
            .panel(Panel::new("step", Axis::log("mean squared error")).title("Loss").mark(line("loss")))
    };
    let steady: Vec<&str> =
        params.methods.iter().filter(|m| **m != Method::Catapult).map(gradtop_sdk::Choice::name).collect();
    let all = (descents.len() > 1 && steady.len() > 1).then(|| {
        Figure::new("all", "Every method against its own limit")
            .caption(format!(
                "The sharpness over the largest at which the method is stable on a quadratic{}. {settings}",
                if steady.len() < params.methods.len() {
                    "; without catapult, whose rates begin above it"
                } else {
                    ""
                }
            ))
            .panel(
                Panel::new("step", "share of the limit")
                    .mark(Mark::line("share_of_limit").splits(steady).by([By::Split, By::Model]).mean())
                    .mark(level()),
            )
    });
    params.methods.iter().map(|method| of(*method)).chain(all).collect()
}
