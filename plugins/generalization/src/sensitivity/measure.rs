//! Measures a trained network.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::curvature::{hutchinson, jacobian, lanczos};
use gradtop_toolkit::record;
use gradtop_toolkit::sharpness::keskar;
use tch::Tensor;

use super::follow::means;
use super::plan::{Leg, Moment, Plan, Purpose};

/// The measurements of a network. NaN if not measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measures {
    /// Cross entropy over all its training images.
    pub train_loss: f64,
    /// Accuracy on all its training images.
    pub train_accuracy: f64,
    /// Cross entropy over the test set.
    pub test_loss: f64,
    /// Accuracy on the test set.
    pub test_accuracy: f64,
    /// Mean over all test images of ‖∂logits/∂x‖.
    pub logits: f64,
    /// Mean over all test images of ‖∂probabilities/∂x‖.
    pub probabilities: f64,
    /// Largest eigenvalue of the Hessian of the training loss on the fixed subset.
    pub lambda_max: f64,
    /// Smallest eigenvalue.
    pub lambda_min: f64,
    /// A bound on the distance of `lambda_max` to some eigenvalue.
    pub lambda_bound: f64,
    /// Its trace by Hutchinson's estimate.
    pub trace: f64,
    /// Standard error of the trace.
    pub trace_error: f64,
    /// Keskar's φ in percent, a lower bound.
    pub sharpness: f64,
    /// Cross entropy over the validation images that choose between rates, for networks at several rates.
    pub validation_loss: f64,
}

record!(Measures {
    train_loss,
    train_accuracy,
    test_loss,
    test_accuracy,
    logits,
    probabilities,
    lambda_max,
    lambda_min,
    lambda_bound,
    trace,
    trace_error,
    sharpness,
    validation_loss
});

/// A measured network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    /// Index of its [`Leg`].
    pub leg: usize,
    /// Its number within the leg.
    pub trial: i64,
    /// When it was measured.
    pub moment: Moment,
    /// Number of updates before.
    pub step: i64,
    /// The measurements.
    pub measures: Measures,
}

/// Measures networks of a leg, `[networks, parameters]`, all together; `Early` ones without their curvature.
pub(super) fn measure(plan: &Plan, leg: &Leg, moment: Moment, all: &Tensor) -> Result<Vec<Measures>> {
    let (count, params) = (all.size()[0], &plan.params);
    let mut mlp = plan.networks(count)?;
    for trial in 0..count {
        mlp.set_trial_parameters(trial, &all.f_select(0, trial)?)?;
    }
    let train = mlp.evaluate(plan.learnt(leg))?;
    let test = mlp.evaluate(&plan.sets[1])?;
    let norms = jacobian::norms(&plan.shape, all, &plan.tested)?;
    let (logits, probabilities) = (means(&norms.logits)?, means(&norms.probabilities)?);
    let mut measures: Vec<Measures> = (0..count as usize)
        .map(|i| Measures {
            train_loss: train.loss[i],
            train_accuracy: train.accuracy[i],
            test_loss: test.loss[i],
            test_accuracy: test.accuracy[i],
            logits: logits[i],
            probabilities: probabilities[i],
            lambda_max: f64::NAN,
            lambda_min: f64::NAN,
            lambda_bound: f64::NAN,
            trace: f64::NAN,
            trace_error: f64::NAN,
            sharpness: f64::NAN,
            validation_loss: f64::NAN,
        })
        .collect();
    if matches!(moment, Moment::Early(_)) {
        return Ok(measures);
    }
    if leg.purpose == Purpose::Rates {
        let chosen_by = mlp.evaluate(&plan.swept[1])?.loss;
        measures.iter_mut().zip(chosen_by).for_each(|(of, loss)| of.validation_loss = loss);
    }
    let samples = &plan.curved[usize::from(leg.purpose == Purpose::Many)];
    let at = plan.shape.at(all, samples)?;
    let extremes = lanczos::lanczos(all, params.lanczos_steps as usize, plan.seed, |v| at.hessian_vector(v))?;
    let traces = hutchinson::trace(all, params.probes as usize, plan.seed, |v| at.hessian_vector(v))?;
    let sharp =
        keskar(all, params.epsilon, params.ascent as usize, plan.seed, |p| plan.shape.gradient(p, samples))?;
    for (i, of) in measures.iter_mut().enumerate() {
        let values = &extremes[i].values;
        of.lambda_max = values.last().copied().unwrap_or(f64::NAN);
        of.lambda_min = values.first().copied().unwrap_or(f64::NAN);
        of.lambda_bound = extremes[i].bounds.last().copied().unwrap_or(f64::NAN);
        of.trace = traces[i].mean;
        of.trace_error = traces[i].standard_error;
        of.sharpness = sharp[i].percent;
    }
    Ok(measures)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use gradtop_sdk::Values;
    use gradtop_toolkit::curvature::network::Samples;
    use gradtop_toolkit::curvature::spectrum::eigenvalues;
    use gradtop_toolkit::data::mnist;
    use gradtop_toolkit::rng::Stream;
    use gradtop_toolkit::runtime;
    use tch::{Device, Kind};

    use crate::sensitivity::Sensitivity;

    fn close(what: &str, a: f64, b: f64, tolerance: f64) {
        assert!((a - b).abs() <= tolerance * b.abs(), "{what}: {a} measured, {b} by another way");
    }

    /// Compares what was found about curvature with the whole spectrum.
    fn check_curvature(plan: &Plan, flat: &Tensor, curved: &Samples, found: &Measures) {
        let spectrum = eigenvalues(&plan.shape.hessian(flat, curved).unwrap()).unwrap().concat();
        close("largest eigenvalue", found.lambda_max, spectrum[spectrum.len() - 1], 1e-3);
        close("smallest eigenvalue", found.lambda_min, spectrum[0], 1e-2);
        let trace: f64 = spectrum.iter().sum();
        assert!((found.trace - trace).abs() < 4.0 * found.trace_error, "{} {trace}", found.trace);
        assert!(found.trace_error < 0.2 * trace, "{} {trace}", found.trace_error);
        let sharp = keskar(flat, 1e-3, 20, 3, |p| plan.shape.gradient(p, curved)).unwrap();
        close("sharpness", found.sharpness, sharp[0].percent, 1e-2);
    }

    /// Every number against another way to it, in double precision, from the images themselves: 784-2-10, whose Jacobian is
    /// W₂ diag(1[h > 0]) W₁ and whose Hessian fits into memory.
    #[test]
    fn measurements_are_what_they_are_called() {
        runtime::set_threads(1);
        let _no_graph = tch::no_grad_guard();
        let settings = [
            ("train_samples", "600"),
            ("hidden", "2"),
            ("batches", "50"),
            ("further", ""),
            ("many_samples", "0"),
            ("followed", "300"),
            ("curved", "200"),
            ("lanczos_steps", "30"),
            ("probes", "100"),
        ];
        let params =
            Sensitivity::from_values(&Values::parse(Sensitivity::PARAMS, &settings).unwrap()).unwrap();
        let plan = params.plan(3, Device::Cpu).unwrap();
        let mut mlp = plan.networks(2).unwrap();
        mlp.init_uniform(3, Stream::named("test")).unwrap();
        let all = [0, 1].map(|trial| mlp.trial_parameters(trial).unwrap() * 3.0);
        let found = measure(&plan, &plan.legs[0], Moment::Steps(0), &Tensor::stack(&all, 0)).unwrap();

        let data = mnist().unwrap();
        let learnt = data.train.subset(600, 3);
        let set = |split: &gradtop_toolkit::data::Split| {
            let x = split.images(Device::Cpu).unwrap().to_kind(Kind::Double) / 255.0;
            (x, split.labels(Device::Cpu).unwrap())
        };
        let ((train, train_labels), (test, test_labels)) = (set(&learnt), set(&data.test));
        for (network, (found, flat)) in found.iter().zip(&all).enumerate() {
            let flat = flat.to_kind(Kind::Double);
            let first = flat.narrow(0, 0, 2 * 785).view([2, 785]);
            let second = flat.narrow(0, 2 * 785, 10 * 3).view([10, 3]);
            let (inner, outer) = (first.narrow(1, 0, 784), second.narrow(1, 0, 2));
            let hidden = |x: &Tensor| x.matmul(&inner.tr()) + first.select(1, 784);
            let logits = |x: &Tensor| hidden(x).relu().matmul(&outer.tr()) + second.select(1, 2);
            let mean = |t: &Tensor| t.to_kind(Kind::Double).mean(None::<Kind>).double_value(&[]);
            let loss = |x: &Tensor, labels: &Tensor| {
                logits(x)
                    .cross_entropy_loss(labels, None::<&Tensor>, tch::Reduction::Mean, -100, 0.0)
                    .double_value(&[])
            };
            let right = |x: &Tensor, labels: &Tensor| mean(&logits(x).argmax(1, false).eq_tensor(labels));
            close("training loss", found.train_loss, loss(&train, &train_labels), 1e-5);
            close("test loss", found.test_loss, loss(&test, &test_labels), 1e-5);
            close("training accuracy", found.train_accuracy, right(&train, &train_labels), 1e-9);
            close("test accuracy", found.test_accuracy, right(&test, &test_labels), 1e-3);

            // Mean of the norms over all test images: neither the norm of a mean nor a norm over a batch. J = A W₁ with A small, so
            // ‖J‖² = Σ (A W₁W₁ᵀ) ∘ A.
            let gram = inner.matmul(&inner.tr());
            let norm = |a: &Tensor| {
                let squares =
                    (a.matmul(&gram) * a).sum_dim_intlist([1_i64, 2].as_slice(), false, None::<Kind>);
                mean(&squares.sqrt())
            };
            let open = hidden(&test).gt(0.0).to_kind(Kind::Double).unsqueeze(1);
            assert!((0.05..0.95).contains(&mean(&open)), "units open at some images, shut at others");
            let of_logits = outer.unsqueeze(0) * open;
            close("sensitivity of logits", found.logits, norm(&of_logits), 1e-4);
            let p = logits(&test).softmax(1, None::<Kind>).unsqueeze(2);
            let slope = &p * (Tensor::eye(10, (Kind::Double, Device::Cpu)) - p.transpose(1, 2));
            let of_probabilities = slope.matmul(&of_logits);
            close("sensitivity of probabilities", found.probabilities, norm(&of_probabilities), 1e-4);

            // Curvature of the loss on the first 200 training images; one spectrum of 1,600 is slow enough.
            if network == 1 {
                let curved =
                    Samples::classes(&train.narrow(0, 0, 200), &train_labels.narrow(0, 0, 200), 10).unwrap();
                check_curvature(&plan, &flat.unsqueeze(0), &curved, found);
            }
        }
    }
}
