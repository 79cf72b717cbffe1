//! Second derivatives, spectra and searches against theory, finite differences and autograd.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_toolkit::curvature::network::{Network, Samples};
use gradtop_toolkit::curvature::spectrum::{Split, eigenvalues};
use gradtop_toolkit::curvature::{autograd, hutchinson, lanczos};
use gradtop_toolkit::mlp::{Activation, Loss};
use gradtop_toolkit::rng::{Rng, Stream};
use gradtop_toolkit::tensors::rows;
use tch::{Device, Kind, TchError, Tensor};

const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);

fn random(shape: &[i64], name: &str) -> Tensor {
    let mut rng = Rng::new(21, Stream::named(name), 0);
    let count: i64 = shape.iter().product();
    let values: Vec<f64> = (0..count).map(|_| rng.uniform_in(-1.0, 1.0)).collect();
    Tensor::from_slice(&values).view(shape)
}

fn most(tensor: &Tensor) -> f64 {
    tensor.abs().max().double_value(&[])
}

/// Largest difference beside the largest number.
fn apart(a: &Tensor, b: &Tensor) -> f64 {
    most(&(a - b)) / most(b)
}

struct Case {
    network: Network,
    samples: Samples,
    parameters: Tensor,
}

fn case(widths: &[i64], activation: Activation, loss: Loss, runs: i64, samples: i64) -> Case {
    gradtop_toolkit::runtime::set_threads(1);
    let network = Network::new(widths, activation, loss).unwrap();
    let x = random(&[samples, widths[0]], "x");
    let outputs = widths[widths.len() - 1];
    let data = match loss {
        Loss::MeanSquared => Samples::new(&x, &random(&[samples, outputs], "y")),
        Loss::CrossEntropy => {
            let labels: Vec<i64> = (0..samples).map(|i| (i * i + 3 * i) % outputs).collect();
            Samples::classes(&x, &Tensor::from_slice(&labels), outputs)
        }
    };
    let parameters = random(&[runs, network.parameter_count()], "parameters");
    Case { network, samples: data.unwrap(), parameters }
}

fn cases() -> Vec<Case> {
    vec![
        case(&[1, 4, 4, 1], Activation::Tanh, Loss::MeanSquared, 3, 17),
        case(&[2, 3, 5, 4, 2], Activation::Tanh, Loss::MeanSquared, 2, 11),
        case(&[3, 4, 3, 3], Activation::Tanh, Loss::CrossEntropy, 3, 13),
        case(&[3, 5, 4, 3], Activation::Relu, Loss::CrossEntropy, 2, 19),
        case(&[2, 2], Activation::Tanh, Loss::CrossEntropy, 2, 7),
        case(&[4, 6, 1], Activation::Relu, Loss::MeanSquared, 1, 9),
    ]
}

impl Case {
    fn loss(&self, parameters: &Tensor) -> Result<Tensor, TchError> {
        self.network.losses(parameters, &self.samples)
    }

    fn hessian(&self) -> Tensor {
        self.network.hessian(&self.parameters, &self.samples).unwrap()
    }

    /// Central differences of the gradients, column by column.
    fn hessian_by_differences(&self) -> Tensor {
        let h = 1e-5;
        let columns: Vec<Tensor> = (0..self.network.parameter_count())
            .map(|i| {
                let at = |shift: f64| {
                    let moved = self.parameters.copy();
                    moved.select(1, i).f_add_scalar_(shift).map(drop).unwrap();
                    self.network.gradient(&moved, &self.samples).unwrap().1
                };
                (at(h) - at(-h)) / (2.0 * h)
            })
            .collect();
        Tensor::stack(&columns, 2)
    }
}

/// V1: every activation and loss.
#[test]
fn gradients_are_central_differences_and_autograds() {
    for case in cases() {
        let (losses, gradient) = case.network.gradient(&case.parameters, &case.samples).unwrap();
        assert!(apart(&losses, &case.loss(&case.parameters).unwrap()) < 1e-15);
        let h = 1e-5;
        let columns: Vec<Tensor> = (0..case.network.parameter_count())
            .map(|i| {
                let at = |shift: f64| {
                    let moved = case.parameters.copy();
                    moved.select(1, i).f_add_scalar_(shift).map(drop).unwrap();
                    case.loss(&moved).unwrap()
                };
                (at(h) - at(-h)) / (2.0 * h)
            })
            .collect();
        assert!(apart(&gradient, &Tensor::stack(&columns, 1)) < 1e-6, "{:?}", case.network);
        let (same, by_graph) = autograd::gradient(|p| case.loss(p), &case.parameters).unwrap();
        assert!(apart(&gradient, &by_graph) < 1e-13 && apart(&losses, &same) < 1e-15, "{:?}", case.network);
    }
}

/// V2, V5: against central differences and autograd's rows, which give the Hessians of all runs at once too.
#[test]
fn hessians_are_exact() {
    for case in cases() {
        let hessian = case.hessian();
        assert!(apart(&hessian, &case.hessian_by_differences()) < 1e-7, "{:?}", case.network);
        let by_rows = autograd::hessian(|p| case.loss(p), &case.parameters).unwrap();
        assert!(apart(&hessian, &by_rows) < 1e-12, "{:?}", case.network);
        assert!(apart(&by_rows.transpose(1, 2), &by_rows) < 1e-12, "symmetric: {:?}", case.network);
        // Layers' off-diagonal blocks are mirrored; the diagonal blocks are computed whole.
        assert!(apart(&hessian.transpose(1, 2), &hessian) < 1e-12, "symmetric: {:?}", case.network);
        for run in 0..case.parameters.size()[0] {
            let alone = case.parameters.narrow(0, run, 1);
            let single = case.network.hessian(&alone, &case.samples).unwrap();
            assert!(apart(&single, &hessian.narrow(0, run, 1)) < 1e-12, "run {run} of {:?}", case.network);
            let single = autograd::hessian(|p| case.loss(p), &alone).unwrap();
            assert!(apart(&single, &by_rows.narrow(0, run, 1)) < 1e-12, "run {run} of {:?}", case.network);
        }
    }
}

/// V2: sums of eigenvalues are the trace and the Frobenius norm.
#[test]
fn eigenvalues_sum_to_trace_and_frobenius_norm() {
    for case in cases() {
        let hessian = case.hessian();
        for (run, values) in eigenvalues(&hessian).unwrap().iter().enumerate() {
            let matrix = hessian.select(0, run as i64);
            let (trace, squares) =
                (matrix.trace().double_value(&[]), matrix.square().sum(Kind::Double).double_value(&[]));
            let sum: f64 = values.iter().sum();
            let sum_squares: f64 = values.iter().map(|v| v * v).sum();
            assert!((sum - trace).abs() < 1e-12 * squares.sqrt().max(1.0));
            assert!((sum_squares - squares).abs() < 1e-12 * squares);
            assert!(values.is_sorted());
        }
    }
}

/// V3.
#[test]
fn products_with_vectors_are_those_of_the_matrix() {
    for case in cases() {
        let vector = random(&case.parameters.size(), "vector");
        let expected = case.hessian().bmm(&vector.unsqueeze(2)).squeeze_dim(2);
        let by_hand = case.network.hessian_vector(&case.parameters, &case.samples, &vector).unwrap();
        assert!(apart(&by_hand, &expected) < 1e-12, "{:?}", case.network);
        let (gradient, image) = case.network.gradient_and_image(&case.parameters, &case.samples).unwrap();
        let (_, same) = case.network.gradient(&case.parameters, &case.samples).unwrap();
        assert_eq!(rows(&gradient).unwrap(), rows(&same).unwrap());
        let expected_image = case.hessian().bmm(&gradient.unsqueeze(2)).squeeze_dim(2);
        assert!(apart(&image, &expected_image) < 1e-12, "{:?}", case.network);
        let products = autograd::Products::new(|p| case.loss(p), &case.parameters).unwrap();
        let by_graph = products.with(&vector).unwrap();
        assert!(apart(&by_graph, &expected) < 1e-12, "{:?}", case.network);
    }
}

/// V3: extreme Ritz values and vectors, for each run of an ensemble.
#[test]
fn lanczos_finds_both_ends_of_the_spectrum() {
    let case = case(&[1, 10, 10, 1], Activation::Tanh, Loss::MeanSquared, 3, 40);
    let hessian = case.hessian();
    let exact = eigenvalues(&hessian).unwrap();
    let found = lanczos::lanczos(&case.parameters, 60, 1, |v| {
        case.network.hessian_vector(&case.parameters, &case.samples, v)
    })
    .unwrap();
    for (run, (space, exact)) in found.iter().zip(&exact).enumerate() {
        let scale = exact[140];
        assert!((space.values[space.values.len() - 1] - exact[140]).abs() < 1e-10 * scale);
        assert!((space.values[0] - exact[0]).abs() < 1e-10 * scale, "{} {}", space.values[0], exact[0]);
        for index in [0, space.values.len() - 1] {
            let vector = space.vector(index).unwrap();
            let image = hessian.select(0, run as i64).mv(&vector);
            let residual = (image - &vector * space.values[index]).norm().double_value(&[]);
            assert!(residual < 1e-8 * scale, "residual {residual}");
            assert!((vector.norm().double_value(&[]) - 1.0).abs() < 1e-12);
            assert!(vector.max().double_value(&[]) >= -vector.min().double_value(&[]), "sign");
        }
        for (value, bound) in space.values.iter().zip(&space.bounds) {
            let nearest = exact.iter().map(|e| (e - value).abs()).fold(f64::INFINITY, f64::min);
            assert!(
                nearest <= bound + 1e-12 * scale,
                "{value} is {nearest} from an eigenvalue, bound {bound}"
            );
        }
    }
}

/// V3: the plain power iteration comes to the eigenvalue that Lanczos calls the largest.
#[test]
fn the_power_iteration_comes_to_the_largest_eigenvalue() {
    let case = case(&[3, 6, 4], Activation::Relu, Loss::CrossEntropy, 3, 40);
    let product = |v: &Tensor| case.network.hessian_vector(&case.parameters, &case.samples, v);
    let found = lanczos::lanczos(&case.parameters, 52, 1, product).unwrap();
    let mut vector = random(&case.parameters.size(), "start");
    let mut largest = Vec::new();
    for _ in 0..1500 {
        let image = product(&vector).unwrap();
        let length = image.norm_scalaropt_dim(2.0, [1_i64].as_slice(), true);
        largest = rows(&(&vector * &image).sum_dim_intlist([1_i64].as_slice(), true, None::<Kind>))
            .unwrap()
            .concat();
        vector = image / length;
    }
    for (space, largest) in found.iter().zip(largest) {
        let (lowest, highest) = (space.values[0], space.values[space.values.len() - 1]);
        assert!(highest > -lowest, "the largest is the dominant one: {lowest} to {highest}");
        assert!((highest - largest).abs() < 1e-10 * highest, "{highest} by Lanczos, {largest} by powers");
    }
}

/// Spaces end where the vector's share of the eigenspaces is used up, in each run for itself.
#[test]
fn lanczos_stops_where_its_space_is_exhausted() {
    let first = Tensor::from_slice(&[-2.0, -1.0, 0.0, 1.0, 2.0]);
    let second = Tensor::from_slice(&[3.0, 3.0, 3.0, 7.0, 7.0]);
    let diagonals = Tensor::stack(&[first, second, Tensor::zeros([5], DOUBLE)], 0);
    let found = lanczos::lanczos(&diagonals, 5, 3, |v| v.f_mul(&diagonals)).unwrap();
    let expected: [&[f64]; 3] = [&[-2.0, -1.0, 0.0, 1.0, 2.0], &[3.0, 7.0], &[0.0]];
    for (space, expected) in found.iter().zip(expected) {
        assert_eq!(space.values.len(), expected.len(), "{:?}", space.values);
        for ((a, b), bound) in space.values.iter().zip(expected).zip(&space.bounds) {
            assert!((a - b).abs() < 1e-12 && *bound < 1e-10);
        }
    }
}

/// V3: within four standard errors, which themselves are those of the theory.
#[test]
fn hutchinson_estimates_the_trace() {
    let case = case(&[1, 4, 4, 1], Activation::Tanh, Loss::MeanSquared, 3, 17);
    let hessian = case.hessian();
    let estimates = hutchinson::trace(&case.parameters, 400, 5, |v| {
        case.network.hessian_vector(&case.parameters, &case.samples, v)
    })
    .unwrap();
    for (run, estimate) in estimates.iter().enumerate() {
        let matrix = hessian.select(0, run as i64);
        let trace = matrix.trace().double_value(&[]);
        assert!((estimate.mean - trace).abs() < 4.0 * estimate.standard_error, "{estimate:?} {trace}");
        let off = matrix.square().sum(Kind::Double) - matrix.diagonal(0, 0, 1).square().sum(Kind::Double);
        let expected = (2.0 * off.double_value(&[]) / 400.0).sqrt();
        assert!((estimate.standard_error / expected - 1.0).abs() < 0.25, "{estimate:?} {expected}");
    }
    assert!(hutchinson::trace(&case.parameters, 1, 5, |v| Ok(v.shallow_clone())).is_err());
}

/// V4: a quadratic with a known spectrum, through autograd as any loss would be.
#[test]
fn known_spectra() {
    let diagonal = Tensor::from_slice(&[-2.0, -1.0, 0.0, 1.0, 2.0]);
    let quadratic = |p: &Tensor| {
        p.f_square()?
            .f_mul(&diagonal)?
            .f_sum_dim_intlist([1_i64].as_slice(), false, None::<Kind>)?
            .f_mul_scalar(0.5)
    };
    let at = random(&[4, 5], "at");
    for values in eigenvalues(&autograd::hessian(quadratic, &at).unwrap()).unwrap() {
        assert_eq!(values, [-2.0, -1.0, 0.0, 1.0, 2.0]);
        let split = Split::of(&values, 1e-6);
        assert_eq!(split, Split { positive: 2, zero: 1, negative: 2 });
        assert_eq!(
            (split.signed_share(), split.positive_share(), split.not_negative_share()),
            (0.5, 0.4, 0.6)
        );
        assert_eq!(Split::of(&values, 1.0), Split { positive: 1, zero: 3, negative: 1 });
        assert!(Split::of(&values, 2.0).signed_share().is_nan());
    }
    let saddle = |p: &Tensor| {
        let (x, y) = (p.f_select(1, 0)?, p.f_select(1, 1)?);
        x.f_square()?.f_sub(&y.f_square()?)
    };
    let values = eigenvalues(&autograd::hessian(saddle, &random(&[2, 2], "saddle")).unwrap()).unwrap();
    assert_eq!(values, [[-2.0, 2.0], [-2.0, 2.0]]);
}

/// V4: a linear model has the Hessian 2 XᵀX/N everywhere.
#[test]
fn least_squares_has_a_constant_hessian() {
    let case = case(&[3, 1], Activation::Tanh, Loss::MeanSquared, 2, 29);
    let x = Tensor::cat(&[random(&[29, 3], "x"), Tensor::ones([29, 1], DOUBLE)], 1);
    let expected = x.transpose(0, 1).mm(&x) * (2.0 / 29.0);
    let expected = expected.unsqueeze(0).expand([2, 4, 4], false);
    assert!(apart(&case.hessian(), &expected) < 1e-14);
    assert!(apart(&autograd::hessian(|p| case.loss(p), &case.parameters).unwrap(), &expected) < 1e-14);
}

#[test]
fn permuting_hidden_units_leaves_the_spectrum() {
    let case = case(&[1, 4, 3, 1], Activation::Tanh, Loss::MeanSquared, 1, 17);
    let layers: Vec<Tensor> = case
        .network
        .layers()
        .into_iter()
        .map(|(start, out, rows)| case.parameters.narrow(1, start, out * rows).view([1, out, rows]))
        .collect();
    let order = Tensor::from_slice(&[2_i64, 0, 3, 1]);
    let inputs = Tensor::from_slice(&[2_i64, 0, 3, 1, 4]);
    let moved =
        [layers[0].index_select(1, &order), layers[1].index_select(2, &inputs), layers[2].shallow_clone()];
    let moved = Tensor::cat(&moved.map(|layer| layer.reshape([1, -1])), 1);
    assert!(apart(&case.loss(&moved).unwrap(), &case.loss(&case.parameters).unwrap()) < 1e-15);
    let hessian = case.network.hessian(&moved, &case.samples).unwrap();
    assert!(apart(&hessian, &case.hessian()) > 1e-3, "the matrix itself is another");
    let (a, b) = (eigenvalues(&hessian).unwrap(), eigenvalues(&case.hessian()).unwrap());
    let scale = b[0][b[0].len() - 1];
    assert!(a[0].iter().zip(&b[0]).all(|(a, b)| (a - b).abs() < 1e-13 * scale));
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    assert!(Network::new(&[3], Activation::Tanh, Loss::MeanSquared).is_err());
    assert!(Network::new(&[3, 0, 1], Activation::Tanh, Loss::MeanSquared).is_err());
    assert!(Samples::new(&random(&[3, 1], "x"), &random(&[4, 1], "y")).is_err());
    let case = case(&[1, 4, 1], Activation::Tanh, Loss::MeanSquared, 2, 7);
    let wrong = random(&[2, 12], "parameters");
    let error = case.network.hessian(&wrong, &case.samples).unwrap_err().to_string();
    assert!(error.contains("13 parameters") && error.contains("12"), "{error}");
    assert_eq!(rows(&random(&[2, 3], "rows")).unwrap().len(), 2);
}
