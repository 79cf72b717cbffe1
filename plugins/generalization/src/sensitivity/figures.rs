//! The figures, as TOML.

use gradtop_toolkit::figures::{Figures, axis, quoted};

use super::edge::Edge;
use super::measure::Network;
use super::plan::{EDGE_SAMPLES, Moment, Plan};
use super::verdict::{Quantity, by_protocol, many, with_test_loss};

/// Two axes: left, right.
fn axes(left: &str, left_scale: &str, right: &str, right_scale: &str) -> String {
    format!("{}\ny2 = {}", axis(left, left_scale), axis(right, right_scale))
}

/// What is known from the start: the networks of all batch sizes as they learn.
pub(super) fn progress(plan: &Plan) -> String {
    let mut figures = Figures::default();
    figures.figure(
        "course",
        "Loss and sensitivity in the course of training",
        &format!(
            "Cross entropy over {} training images; mean over 1,000 test images of the Frobenius norm of the Jacobian by the \
             input. Mean of the networks, band from lowest to highest. {}.",
            plan.params.followed,
            plan.in_words()
        ),
    );
    for (metric, label, scale) in [
        ("loss", "training loss", "log"),
        ("logit_sensitivity", "sensitivity of logits", "log"),
        ("probability_sensitivity", "sensitivity of probabilities", "linear"),
    ] {
        figures.panel("", "{ label = \"epoch\", scale = \"log\" }", &axis(label, scale));
        figures.mark(&format!(
            "type = \"line\"\nmetric = \"{metric}\"\nx = \"epoch\"\nby = [\"model\"]\naggregate = \"mean\"\nband = \"minmax\""
        ));
    }
    figures.toml()
}

/// What is known at the end.
pub(super) fn results(plan: &Plan, networks: &[Network], edge: Option<&Edge<'_>>) -> String {
    let mut figures = Figures::default();
    for moment in plan.protocols() {
        if !by_protocol(plan, networks, moment.name()).is_empty() {
            protocol(&mut figures, plan, moment);
        }
    }
    peak(&mut figures, plan, networks);
    generalisation(&mut figures, plan, networks);
    if let Some(edge) = edge {
        stability(&mut figures, plan, edge);
    }
    figures.toml()
}

fn line(figures: &mut Figures, table: &str, quantity: Quantity, side: &str) {
    figures.mark(&format!(
        "type = \"line\"\ntable = {}\nxcol = \"batch\"\nycol = \"{}\"\naggregate = \"mean\"\nband = \"minmax\"\nlabel = {}\n\
         axis = \"{side}\"",
        quoted(table),
        quantity.column(),
        quoted(quantity.name())
    ));
}

fn protocol(figures: &mut Figures, plan: &Plan, moment: Moment) {
    let params = &plan.params;
    figures.figure(
        &format!("protocol-{}", moment.name()),
        &format!("Against batch size, {}", moment.in_words()),
        &format!(
            "Networks measured {}. Sensitivity: mean over all test images of the Frobenius norm of the Jacobian by the input. \
             Eigenvalue, trace and sharpness: of the loss over {} training images; Keskar's sharpness at ε = {:e} by {} steps of \
             sign ascent, a lower bound. Mean of the networks, band from lowest to highest. {}.",
            moment.in_words(),
            params.curved,
            params.epsilon,
            params.ascent,
            plan.in_words()
        ),
    );
    let table = format!("protocol-{}", moment.name());
    let x = axis("batch size", "log2");
    figures.panel("Loss and logits", &x, &axes("cross entropy", "log", "sensitivity of logits", "linear"));
    line(figures, &table, Quantity::TrainLoss, "y");
    line(figures, &table, Quantity::TestLoss, "y");
    line(figures, &table, Quantity::Logits, "y2");
    let right = "sensitivity of probabilities";
    figures.panel("Accuracy and probabilities", &x, &axes("test accuracy", "linear", right, "linear"));
    line(figures, &table, Quantity::TestAccuracy, "y");
    line(figures, &table, Quantity::Probabilities, "y2");
    figures.panel("Sharpness", &x, &axes("largest eigenvalue", "linear", "Keskar's sharpness", "linear"));
    line(figures, &table, Quantity::LambdaMax, "y");
    line(figures, &table, Quantity::Sharpness, "y2");
    figures.panel("Trace", &x, &axis("trace", "linear"));
    line(figures, &table, Quantity::Trace, "y");
}

/// The sensitivity of probabilities under as many epochs, once fewer and once more, and against the training loss.
fn peak(figures: &mut Figures, plan: &Plan, networks: &[Network]) {
    if by_protocol(plan, networks, "epochs").is_empty() {
        return;
    }
    let params = &plan.params;
    figures.figure(
        "peak",
        "Is a peak one of batch size or of training progress?",
        &format!(
            "First: sensitivity of probabilities against batch size after {} and {} epochs and at a training loss of {}. Second: \
             the same networks against their training loss. Mean of the networks, band from lowest to highest. {}.",
            params.early,
            params.epochs,
            params.target,
            plan.in_words()
        ),
    );
    let label = axis(Quantity::Probabilities.name(), "linear");
    let shown = [
        ("early", Moment::Early(params.early)),
        ("epochs", Moment::Epochs(params.epochs)),
        ("loss", Moment::Loss(params.target)),
    ];
    let shown = || shown.iter().filter(|(name, _)| !by_protocol(plan, networks, name).is_empty());
    figures.panel("", &axis("batch size", "log2"), &label);
    for (name, moment) in shown() {
        figures.mark(&format!(
            "type = \"line\"\ntable = \"protocol-{name}\"\nxcol = \"batch\"\nycol = \"probability_sensitivity\"\n\
             aggregate = \"mean\"\nband = \"minmax\"\nlabel = {}",
            quoted(&moment.in_words())
        ));
    }
    figures.panel("", &axis("training loss", "log"), &label);
    for (name, moment) in shown() {
        figures.mark(&format!(
            "type = \"scatter\"\ntable = \"protocol-{name}\"\nxcol = \"train_loss\"\nycol = \"probability_sensitivity\"\nlabel = {}",
            quoted(&moment.in_words())
        ));
    }
}

/// Test loss against what may go with it.
fn generalisation(figures: &mut Figures, plan: &Plan, networks: &[Network]) {
    let of = |these: &[&Network], quantity| {
        let estimate = with_test_loss(these, quantity);
        if estimate.value.is_nan() {
            return "too few for a correlation".to_owned();
        }
        format!("Spearman {:.2} ({:.2} to {:.2})", estimate.value, estimate.low, estimate.high)
    };
    let shown = [Quantity::Logits, Quantity::Probabilities, Quantity::LambdaMax, Quantity::Sharpness];
    let these = many(plan, networks);
    if !these.is_empty() {
        figures.figure(
            "many",
            "Sensitivity and sharpness against test loss: many networks",
            &format!(
                "A point a network, {} that came to the same training loss; above each panel Spearman's coefficient with its 95 % interval \
                 (Bonett and Wright 2000). {}.",
                these.len(),
                plan.many_in_words()
            ),
        );
        for quantity in shown {
            let test = axis("test loss", "linear");
            figures.panel(&of(&these, quantity), &axis(quantity.name(), "linear"), &test);
            figures.mark(&format!(
                "type = \"scatter\"\ntable = \"many\"\nxcol = \"{}\"\nycol = \"test_loss\"\nby = [\"lr\"]",
                quantity.column()
            ));
        }
    }
    figures.figure(
        "generalisation",
        "Sensitivity and sharpness against test loss: the batch sizes",
        &format!(
            "A point a network, by protocol; networks of one batch size and number under several protocols are the same one at \
             different times. {}.",
            plan.in_words()
        ),
    );
    for quantity in shown {
        figures.panel("", &axis(quantity.name(), "log"), &axis("test loss", "log"));
        for moment in plan.protocols() {
            if by_protocol(plan, networks, moment.name()).is_empty() {
                continue;
            }
            figures.mark(&format!(
                "type = \"scatter\"\ntable = \"protocol-{}\"\nxcol = \"{}\"\nycol = \"test_loss\"\nlabel = {}",
                moment.name(),
                quantity.column(),
                quoted(&moment.in_words())
            ));
        }
    }
}

fn stability(figures: &mut Figures, plan: &Plan, edge: &Edge<'_>) {
    let networks = plan.params.edge_networks;
    let of_each = if networks == 1 { "1 network".to_owned() } else { format!("{networks} networks") };
    figures.figure(
        "edge",
        "Edge of stability",
        &format!(
            "Full-batch gradient descent: the largest eigenvalue of the Hessian, and the loss; level lines: 2 / rate. tanh network \
             784-64-64-10, the first {EDGE_SAMPLES} images of MNIST, standardised; half the squared error summed over outputs; {of_each} \
             of each rate, band from lowest to highest; {} steps; seed {}.",
            edge.step(),
            plan.seed
        ),
    );
    let line = |column: &str| {
        format!(
            "type = \"line\"\ntable = \"edge\"\nxcol = \"at_step\"\nycol = \"{column}\"\nby = [\"rate\"]\naggregate = \"mean\"\n\
             band = \"minmax\""
        )
    };
    let steps = axis("step", "linear");
    figures.panel("", &steps, &axis("largest eigenvalue", "linear")).mark(&line("lambda_max"));
    for rate in &plan.edge_rates {
        figures.level(2.0 / rate, &format!("2 / {rate}"));
    }
    figures.panel("", &steps, &axis("loss", "log")).mark(&line("loss"));
}
