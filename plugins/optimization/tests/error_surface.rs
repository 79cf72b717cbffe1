//! `error-surface` against theory and against itself interrupted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_sdk::testing::{TestHost, bits};
use gradtop_toolkit::curvature::network::{Network, Samples};
use gradtop_toolkit::curvature::spectrum::eigenvalues;
use gradtop_toolkit::instruments::Settings;
use gradtop_toolkit::instruments::assert_harmless;
use gradtop_toolkit::mlp::{Activation, Loss};
use gradtop_toolkit::rng::{Rng, Stream};
use gradtop_toolkit::runtime;
use optimization::error_surface::directions::{extremes, filter_normalised};
use optimization::error_surface::{ErrorSurface, StageKind, Survey, TaskName, evaluate};
use tch::{Device, Kind, Tensor};

const SMALL: [(&str, &str); 9] = [
    ("function_steps", "60"),
    ("mnist_epochs", "2"),
    ("mnist_images", "300"),
    ("mnist_batch", "64"),
    ("mnist_evaluated", "100"),
    ("grid", "7"),
    ("line_points", "13"),
    ("snapshots", "9"),
    ("lanczos_steps", "12"),
];

fn random(shape: &[i64], name: &str) -> Tensor {
    let mut rng = Rng::new(4, Stream::named(name), 0);
    let count: i64 = shape.iter().product();
    let values: Vec<f64> = (0..count).map(|_| rng.uniform_in(-1.0, 1.0)).collect();
    Tensor::from_slice(&values).view(shape)
}

fn classifier(widths: &[i64], samples: i64) -> (Network, Samples, Tensor) {
    runtime::set_threads(1);
    let network = Network::new(widths, Activation::Relu, Loss::CrossEntropy).unwrap();
    let classes = widths[widths.len() - 1];
    let labels: Vec<i64> = (0..samples).map(|i| (i * i + i) % classes).collect();
    let x = random(&[samples, widths[0]], "x");
    let samples = Samples::classes(&x, &Tensor::from_slice(&labels), classes).unwrap();
    let parameters = random(&[network.parameter_count()], "parameters");
    (network, samples, parameters)
}

fn settings() -> ErrorSurface {
    ErrorSurface {
        tasks: vec![TaskName::Function, TaskName::Mnist],
        function_steps: 400,
        function_lr: 0.01,
        mnist_epochs: 2,
        mnist_images: 500,
        mnist_lr: 1e-3,
        mnist_batch: 50,
        mnist_evaluated: 300,
        grid: 11,
        line_points: 21,
        radius: 1.0,
        snapshots: 12,
        lanczos_steps: 30,
        instruments: Settings::default(),
    }
}

fn advance(survey: &mut Survey<'_>) {
    survey.advance(|_, task, ensemble| Ok(ensemble.advance(task.samples())?)).unwrap();
}

/// The network itself is a point of every surface, and has its stored loss there bit for bit; and the curvature by a
/// Hessian-vector product is that of the slice.
#[test]
fn centres_are_exact_and_slices_have_the_hessians_curvature() {
    runtime::set_threads(2);
    let _no_graph = tch::no_grad_guard();
    let plan = settings().plan(1, Device::Cpu).unwrap();
    let mut survey = Survey::new(&plan).unwrap();
    let mut seen = Vec::new();
    while survey.step() < plan.steps() {
        advance(&mut survey);
        if !survey.stage_is_done() || survey.is_training() {
            continue;
        }
        let (values, _) = survey.values();
        let stored = survey.stored_loss().unwrap();
        seen.push(survey.kind());
        let Some(axes) = survey.axes() else {
            let line = survey.line();
            assert_eq!((line[5], line[15], line.len()), (0.0, 1.0, 21));
            assert_eq!(
                values[15].to_bits(),
                stored.to_bits(),
                "{}: {} {stored}",
                survey.task().name,
                values[15]
            );
            let start =
                evaluate(&survey.task().shape, &survey.path().narrow(0, 0, 1), &survey.task().train, 11);
            assert_eq!(values[5].to_bits(), start.unwrap()[0].to_bits());
            continue;
        };
        let zero = |axis: &[f64]| axis.iter().position(|v| *v == 0.0).unwrap();
        let centre = values[zero(&axes.y) * 11 + zero(&axes.x)];
        assert_eq!(centre.to_bits(), stored.to_bits(), "{} {:?}", survey.task().name, survey.kind());
        for curvature in axes.curvature {
            let apart = (curvature.product - curvature.difference).abs();
            // Differences cross kinks of the rectified network, whose curvature the Hessian leaves out.
            let smooth = survey.task().name == "function";
            assert!(
                !smooth || apart <= 1e-5 * curvature.product.abs() + 1e-7,
                "{:?}: {curvature:?}",
                survey.kind()
            );
        }
        if survey.kind() == StageKind::Eigen {
            for i in 0..2 {
                let [value, _] = axes.eigenvalues[i];
                let product = axes.curvature[i].product;
                assert!((product - value).abs() < 1e-3 * axes.eigenvalues[0][0], "{product} {value}");
            }
        }
        if survey.kind() == StageKind::Path {
            assert_eq!(axes.path.len() as i64, survey.path().size()[0]);
            assert!(axes.path.last().unwrap().iter().all(|v| *v == 0.0), "the path ends in the centre");
            assert!(axes.explained[0] >= axes.explained[1] && axes.explained[0] + axes.explained[1] <= 1.0);
        }
    }
    let each = [StageKind::Line, StageKind::Random, StageKind::Path, StageKind::Eigen];
    assert_eq!(seen, [each, each].concat());
}

/// Dinh et al. 2017: scaling one layer of a rectified network by c and the next by 1/c changes no output. It changes a plane of
/// fixed directions, but not one of directions normalised by filter.
#[test]
fn filter_normalised_planes_do_not_see_rescaling() {
    let (network, samples, parameters) = classifier(&[4, 6, 3], 40);
    let rescaled = parameters.copy();
    let layers = network.layers();
    for (factor, (start, out, rows)) in [(7.0, layers[0]), (1.0 / 7.0, layers[1])] {
        let layer = rescaled.narrow(0, start, out * rows).view([out, rows]);
        // The first layer's biases scale with its weights, the last layer's stay.
        let columns = if factor > 1.0 { rows } else { rows - 1 };
        layer.narrow(1, 0, columns).f_mul_scalar_(factor).map(drop).unwrap();
    }
    let plane = |origin: &Tensor, first: &Tensor, second: &Tensor| -> Vec<f64> {
        let points: Vec<Tensor> = (-3..=3)
            .flat_map(|a| (-3..=3).map(move |b| (f64::from(a) / 3.0, f64::from(b) / 3.0)))
            .map(|(a, b)| origin + first * a + second * b)
            .collect();
        evaluate(&network, &Tensor::stack(&points, 0), &samples, 7).unwrap()
    };
    let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs() / b).fold(0.0, f64::max);
    let normalised = |origin: &Tensor| {
        let direction = |member| filter_normalised(&network, origin, 3, member).unwrap();
        plane(origin, &direction(0), &direction(1))
    };
    assert!(apart(&normalised(&rescaled), &normalised(&parameters)) < 1e-12);
    let (first, second) = (random(&parameters.size(), "first"), random(&parameters.size(), "second"));
    let (raw, moved) = (plane(&parameters, &first, &second), plane(&rescaled, &first, &second));
    assert!((raw[24] - moved[24]).abs() < 1e-12, "the function itself is the same");
    assert!(apart(&raw, &moved) > 0.05, "a raw plane shows the rescaling");
}

#[test]
fn filter_normalisation_gives_rows_the_networks_lengths() {
    let (network, _, parameters) = classifier(&[5, 4, 3], 8);
    let direction = filter_normalised(&network, &parameters, 1, 0).unwrap();
    for (start, out, rows) in network.layers() {
        let layer = |flat: &Tensor| flat.narrow(0, start, out * rows).view([out, rows]);
        let lengths = |flat: &Tensor| {
            layer(flat)
                .narrow(1, 0, rows - 1)
                .square()
                .sum_dim_intlist([1_i64].as_slice(), false, None)
                .sqrt()
        };
        let apart = (lengths(&direction) - lengths(&parameters)).abs().max().double_value(&[]);
        assert!(apart < 1e-14);
        assert_eq!(layer(&direction).select(1, rows - 1).abs().max().double_value(&[]), 0.0, "biases");
    }
    let other = filter_normalised(&network, &parameters, 1, 1).unwrap();
    let cosine = direction.dot(&other) / (direction.norm() * other.norm());
    assert!(cosine.double_value(&[]).abs() < 0.6, "two directions are two");
}

/// Lanczos, which large networks take, against the whole Hessian.
#[test]
fn extreme_eigenpairs_of_a_large_network_are_those_of_its_hessian() {
    let (network, samples, parameters) = classifier(&[10, 30, 30, 4], 60);
    assert!(network.parameter_count() > 1000);
    let hessian = network.hessian(&parameters.unsqueeze(0), &samples).unwrap();
    let exact = eigenvalues(&hessian).unwrap().remove(0);
    let [most, least] = extremes(&network, &samples, &parameters, 80, 1).unwrap();
    assert!((most.value - exact[exact.len() - 1]).abs() < 1e-8 && (least.value - exact[0]).abs() < 1e-8);
    for pair in [most, least] {
        let image = hessian.select(0, 0).mv(&pair.vector);
        let residual = (image - &pair.vector * pair.value).norm().double_value(&[]);
        assert!(residual <= pair.bound + 1e-9 && pair.bound < 1e-3, "{residual} {}", pair.bound);
    }
}

#[test]
fn the_order_of_the_samples_does_not_matter() {
    let (network, samples, parameters) = classifier(&[4, 6, 3], 40);
    let order: Vec<i64> = (0..40).rev().collect();
    let labels: Vec<i64> = (0..40).map(|i: i64| (i * i + i) % 3).collect();
    let turned = Tensor::from_slice(&order);
    let x = random(&[40, 4], "x").index_select(0, &turned);
    let labels = Tensor::from_slice(&labels).index_select(0, &turned);
    let reversed = Samples::classes(&x, &labels, 3).unwrap();
    let at = parameters.unsqueeze(0);
    let (a, b) =
        (evaluate(&network, &at, &samples, 1).unwrap(), evaluate(&network, &at, &reversed, 1).unwrap());
    assert!((a[0] - b[0]).abs() < 1e-14);
    // In single precision too, but for rounding.
    let single = samples.to_kind(Kind::Float).unwrap();
    let c = evaluate(&network, &at.to_kind(Kind::Float), &single, 1).unwrap();
    assert!((a[0] - c[0]).abs() < 1e-6);
}

#[test]
fn quick_records_every_surface() {
    let recorded =
        TestHost::new().seed(0).threads(2).preset("quick").run::<ErrorSurface>(&[]).expect_finished();
    for task in ["function", "mnist"] {
        for kind in ["random", "path", "eigen"] {
            let table = recorded.table(&format!("{kind}-{task}"))[0];
            let losses = table.f64s("loss");
            assert_eq!(losses.len(), 15 * 15);
            assert!(losses.iter().all(|v| v.is_finite() && *v > 0.0));
        }
        let line = recorded.table(&format!("line-{task}"))[0];
        let losses = line.f64s("loss");
        assert_eq!(losses.len(), if task == "mnist" { 82 } else { 41 });
        // As many as the captions say, from the first to the last, whatever the number of steps.
        assert_eq!(recorded.table(&format!("snapshots-{task}"))[0].f64s("x").len(), 30);
        assert!(recorded.figures.join(" ").contains(&format!("{task}: 30 snapshots; ")));
        // α = 0 and α = 1: training has lowered the loss.
        assert!(losses[30] < 0.5 * losses[10], "{} {}", losses[10], losses[30]);
    }
    let ids: Vec<String> = recorded
        .figures
        .iter()
        .flat_map(|text| text.parse::<toml::Table>().unwrap()["figure"].as_array().unwrap().clone())
        .map(|figure| figure["id"].as_str().unwrap().to_owned())
        .collect();
    for id in
        ["training", "line-mnist", "random-function", "path-mnist", "eigen-function", "slices-eigen-mnist"]
    {
        assert!(ids.iter().any(|other| other == id), "{id} is not in {ids:?}");
    }
    let said = recorded.last_table("conclusion").strings("statement");
    assert_eq!(said.len(), 8, "a claim a surface: {said:?}");
    let of = ["on 200 of the 200 samples", "Caution: "];
    assert!(said.iter().all(|text| of[1..].iter().all(|part| text.contains(part))), "{said:?}");
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one_bit_for_bit() {
    let host = TestHost::new().seed(7);
    let whole = host.run::<ErrorSurface>(&SMALL).expect_finished();
    // The function's 60 updates, then 22 steps of its surfaces, during which nothing is logged and the host does not stop.
    for stop in [23, 60, 82, 86] {
        host.run_interrupted::<ErrorSurface>(stop, &SMALL).assert_equals(&whole);
    }
    assert_eq!(bits(&host.run::<ErrorSurface>(&SMALL).metrics), bits(&whole.metrics), "same seed");
    assert_ne!(bits(&TestHost::new().seed(8).run::<ErrorSurface>(&SMALL).metrics), bits(&whole.metrics));
}

/// Steps of surfaces log nothing that the host could stop at, so these are interrupted here.
#[test]
fn an_interrupted_surface_is_finished_as_if_it_had_not_been() {
    runtime::set_threads(1);
    let _no_graph = tch::no_grad_guard();
    let small = ErrorSurface {
        function_steps: 20,
        mnist_images: 200,
        mnist_evaluated: 60,
        grid: 5,
        line_points: 9,
        snapshots: 5,
        lanczos_steps: 8,
        ..settings()
    };
    let plan = small.plan(2, Device::Cpu).unwrap();
    let state = |survey: &Survey<'_>| {
        let (values, tested) = survey.values();
        let bits: Vec<u64> = values.iter().chain(tested).map(|v| v.to_bits()).collect();
        (survey.step(), survey.kind(), survey.task().name, bits)
    };
    let mut whole = Survey::new(&plan).unwrap();
    let mut states = vec![state(&whole)];
    while whole.step() < plan.steps() {
        advance(&mut whole);
        states.push(state(&whole));
    }
    assert_eq!(states.len() as i64, plan.steps() + 1);
    let folder = std::env::temp_dir().join(format!("gradtop-error-surface-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    // Before and after the line, within and after planes, of both tasks, and in the second training.
    for stop in [20, 21, 23, 26, 34, 36, 38, 45, 46, 58] {
        let mut first = Survey::new(&plan).unwrap();
        (0..stop).for_each(|_| advance(&mut first));
        first.save(&folder).unwrap();
        let mut second = Survey::restore(&plan, &folder).unwrap();
        assert_eq!(state(&second), states[stop]);
        for expected in &states[stop + 1..] {
            advance(&mut second);
            assert_eq!(state(&second), *expected, "stopped at {stop}");
        }
        assert_eq!(second.step(), plan.steps());
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn wrong_parameters_are_refused_with_their_reason() {
    for (change, part) in [
        (("grid", "10"), "must be odd"),
        (("line_points", "100"), "must be 4k + 1"),
        (("tasks", "function,cifar"), "must be one of function, mnist"),
        (("tasks", "mnist,mnist"), "named twice"),
        (("mnist_images", "100"), "must be at most `mnist_images`"),
    ] {
        let why = TestHost::new().run::<ErrorSurface>(&[change]).expect_failure();
        assert!(why.contains(part), "{change:?}: {why}");
    }
}

#[test]
fn instruments_only_read() {
    assert_harmless::<ErrorSurface>(&TestHost::new().seed(5), &SMALL, 23);
}
