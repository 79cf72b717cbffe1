//! The figures.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{Claim, caption, rank};

use super::measure::Network;
use super::plan::{Moment, Plan};
use super::verdict::{PEAKS, Quantity, by_protocol, many, with_test_loss};

/// Declares the figure known from the start: the networks of all batch sizes as they learn.
pub(super) fn progress(plan: &Plan) -> Figure {
    let panel = |metric: &str, axis: Axis| {
        Panel::new(Axis::log("epoch"), axis)
            .mark(Mark::line(metric).over_epochs().by([By::Model]).mean().band())
    };
    Figure::new("course", "Loss and sensitivity in the course of training")
        .caption(format!(
            "Cross entropy over {} training images; mean over 1000 test images of the Frobenius norm of the Jacobian by the \
             input. {}.",
            plan.params.followed,
            plan.in_words()
        ))
        .panel(panel("loss", Axis::log("training loss")))
        .panel(panel("logit_sensitivity", Axis::log("sensitivity of logits")))
        .panel(panel("probability_sensitivity", Axis::linear("sensitivity of probabilities")))
}

/// Declares the figures of the end; captions end with the claims.
pub(super) fn results(plan: &Plan, networks: &[Network], said: &[(String, Claim)]) -> Vec<Figure> {
    let measured = |moment: &Moment| !by_protocol(plan, networks, moment.name()).is_empty();
    let protocols = plan.protocols().into_iter().filter(measured).map(|moment| protocol(plan, moment, said));
    protocols
        .chain(peak(plan, networks, said))
        .chain(against_many(plan, networks, said))
        .chain([generalisation(plan, networks)])
        .collect()
}

/// Returns the name of a protocol's table and figure.
pub(super) fn table_of(moment: Moment) -> String {
    format!("protocol-{}", moment.name())
}

fn protocol(plan: &Plan, moment: Moment, said: &[(String, Claim)]) -> Figure {
    let params = &plan.params;
    let line = |quantity: Quantity| {
        Mark::line((table_of(moment), "batch", quantity.column())).mean().band().label(quantity.name())
    };
    let panel = |title: &str, y: Axis| Panel::new(Axis::log2("batch size"), y).title(title);
    Figure::new(table_of(moment), format!("Against batch size, {}", moment.in_words()))
        .caption(format!(
            "Networks measured {}. Sensitivity: mean over all test images of the Frobenius norm of the Jacobian by the input. \
             Eigenvalue, trace (the same random vectors for all networks) and sharpness: of the loss over {} training images; Keskar's sharpness at ε = {:e} by {} steps of \
             sign ascent, a lower bound. Mean of the networks, band from lowest to highest. {}.{}",
            moment.in_words(),
            params.curved,
            params.epsilon,
            params.ascent,
            plan.in_words(),
            caption(said, &table_of(moment))
        ))
        .panel(
            panel("Loss and logits", Axis::log("cross entropy"))
                .right("sensitivity of logits")
                .marks([line(Quantity::TrainLoss), line(Quantity::TestLoss), line(Quantity::Logits).right()]),
        )
        .panel(
            panel("Accuracy and probabilities", "test accuracy".into())
                .right("sensitivity of probabilities")
                .marks([line(Quantity::TestAccuracy), line(Quantity::Probabilities).right()]),
        )
        .panel(
            panel("Sharpness", "largest eigenvalue".into())
                .right("Keskar's sharpness")
                .marks([line(Quantity::LambdaMax), line(Quantity::Sharpness).right()]),
        )
        .panel(panel("Trace", "trace".into()).mark(line(Quantity::Trace)))
}

/// Declares the sensitivity of probabilities at an equal number of epochs, also with fewer and more, and against the
/// training loss.
fn peak(plan: &Plan, networks: &[Network], said: &[(String, Claim)]) -> Option<Figure> {
    if by_protocol(plan, networks, "epochs").is_empty() {
        return None;
    }
    let params = &plan.params;
    let moments = [Moment::Early(params.early), Moment::Epochs(params.epochs), Moment::Loss(params.target)];
    let measured = |moment: &Moment| !by_protocol(plan, networks, moment.name()).is_empty();
    let moments = moments.into_iter().filter(measured);
    let panels = PEAKS.into_iter().flat_map(|quantity| {
        let of = |x: &str, moment: Moment| (table_of(moment), x.to_owned(), quantity.column());
        let lines = moments.clone().map(|m| Mark::line(of("batch", m)).mean().band().label(m.in_words()));
        let points = moments.clone().map(|m| Mark::scatter(of("train_loss", m)).label(m.in_words()));
        [
            Panel::new(Axis::log2("batch size"), quantity.name()).marks(lines),
            Panel::new(Axis::log("training loss"), quantity.name()).marks(points),
        ]
    });
    let figure = Figure::new("peak", "Is a peak one of batch size or of training progress?")
        .caption(format!(
            "Each sensitivity of networks measured {}: against the batch size, mean of the networks, band from lowest to highest; and beside it \
             against their training loss. {}.{}",
            moments.clone().map(Moment::in_words).collect::<Vec<_>>().join(", "),
            plan.in_words(),
            caption(said, "peak")
        ))
        .panels(panels);
    Some(figure)
}

fn against_many(plan: &Plan, networks: &[Network], said: &[(String, Claim)]) -> Option<Figure> {
    let these = many(plan, networks);
    if these.is_empty() {
        return None;
    }
    let panels = Quantity::PREDICTORS.map(|quantity| {
        let estimate = with_test_loss(&these, quantity).estimate;
        let title = if estimate.value.is_nan() {
            "too few for a correlation".to_owned()
        } else if estimate.low.is_nan() {
            format!("Spearman {} (no interval)", rank(estimate.value))
        } else {
            let [value, low, high] = [estimate.value, estimate.low, estimate.high].map(rank);
            format!("Spearman {value} ({low} to {high})")
        };
        Panel::new(quantity.name(), "test loss")
            .title(title)
            .mark(Mark::scatter(("many", quantity.column(), "test_loss")).by(["lr"]))
    });
    let figure = Figure::new("many", "Sensitivity and sharpness against test loss: many networks")
        .panels(panels)
        .caption(format!(
            "A point for each network, {} that came to the same training loss; above each panel Spearman's coefficient with the 95 % interval that \
             resampling settings gives. {}.{}",
            these.len(),
            plan.many_in_words(),
            caption(said, "many")
        ));
    Some(figure)
}

fn generalisation(plan: &Plan, networks: &[Network]) -> Figure {
    let panels = Quantity::PREDICTORS.map(|quantity| {
        let measured = |moment: &Moment| !by_protocol(plan, networks, moment.name()).is_empty();
        let points = plan.protocols().into_iter().filter(measured).map(|moment| {
            Mark::scatter((table_of(moment), quantity.column(), "test_loss")).label(moment.in_words())
        });
        Panel::new(Axis::log(quantity.name()), Axis::log("test loss")).marks(points)
    });
    Figure::new("generalisation", "Sensitivity and sharpness against test loss: the batch sizes")
        .panels(panels)
        .caption(format!(
            "A point for each network, by protocol; networks of one batch size and number under several protocols are the same one at \
             different times. {}.",
            plan.in_words()
        ))
}
