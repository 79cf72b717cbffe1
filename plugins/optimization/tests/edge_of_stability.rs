//! `edge-of-stability`: the limits on quadratics, where they are exact; the largest eigenvalues; its preset `quick`; itself
//! interrupted, and wrong parameters.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_sdk::Series;
use gradtop_sdk::testing::{TestHost, with};
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::instruments::assert_harmless;
use gradtop_toolkit::mlp::{Evaluator, Mlp};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::Stream;
use gradtop_toolkit::stats::median;
use optimization::edge_of_stability::EdgeOfStability;
use optimization::edge_of_stability::descent::Problem;
use tch::{Device, Kind, Tensor};

const SMALL: [(&str, &str); 8] = [
    ("samples", "40"),
    ("hidden", "5"),
    ("networks", "2"),
    ("steps", "60"),
    ("every", "20"),
    ("adam_rates", "1e-3"),
    ("catapult_factors", "0.5,3"),
    ("catapult_steps", "30"),
];

/// A line fitted to four points: the loss is a quadratic of slope and intercept.
fn quadratic() -> Problem {
    let x = Tensor::from_slice(&[-1.0, 0.0, 0.5, 2.0_f64]).view([-1, 1]);
    let y = Tensor::from_slice(&[0.3, -0.2, 0.9, 0.1_f64]).view([-1, 1]);
    Problem::new(&x, &y, &[], "four points").unwrap()
}

/// Its largest eigenvalue: that of 2/n Σ (x, 1)(x, 1)ᵀ.
fn largest() -> f64 {
    let (xx, x): (f64, f64) = ((1.0 + 0.25 + 4.0) / 2.0, 1.5 / 2.0);
    let (mean, half) = (f64::midpoint(xx, 2.0), (xx - 2.0) / 2.0);
    mean + half.hypot(x)
}

fn trained(problem: &Problem, rule: Rule) -> Ensemble {
    let widths = problem.network.widths();
    let mut mlp = Mlp::zeros(widths, 1, Kind::Double, Device::Cpu).unwrap();
    mlp.init_uniform(1, Stream::named("test")).unwrap();
    let optimizer = Optimizer::new(rule, mlp.parameters()).unwrap();
    let count = problem.train.count();
    Ensemble::new(mlp, optimizer, &problem.train, count, 1, Stream::named("test")).unwrap()
}

#[test]
fn a_quadratic_diverges_beyond_the_limit_and_not_below() {
    let problem = quadratic();
    for momentum in [0.0, 0.5, 0.9] {
        for (share, diverges) in [(0.99, false), (1.01, true)] {
            let lr = share * 2.0 * (1.0 + momentum) / largest();
            let rule = Rule::Sgd { lr, momentum };
            assert!((rule.stability_limit() * share - largest()).abs() < 1e-12);
            let mut ensemble = trained(&problem, rule);
            let found = problem.sharpness(&ensemble.mlp, None, 1).unwrap()[0];
            assert!((found - largest()).abs() < 1e-12 * largest(), "{found}");
            let evaluator = Evaluator::new(&ensemble.mlp, &problem.train).unwrap();
            let start = evaluator.evaluate(&ensemble.mlp).unwrap().loss[0];
            for _ in 0..4000 {
                ensemble.advance(&problem.train).unwrap();
            }
            let end = evaluator.evaluate(&ensemble.mlp).unwrap().loss[0];
            assert_eq!(
                end > 1e3 * start,
                diverges,
                "momentum {momentum}, {share} of the limit: {start} to {end}"
            );
            assert!(diverges || end < start);
        }
    }
}

/// The preconditioned Hessian as a dense matrix, from Adam's moments by its definition.
#[test]
fn adams_sharpness_is_that_of_the_preconditioned_hessian() {
    let problem = quadratic();
    let mut ensemble = trained(&problem, Rule::Adam { lr: 0.01 });
    assert!(
        ensemble.optimizer().preconditioner().unwrap().is_none(),
        "before the first update there is none"
    );
    let mut second = [0.0; 2];
    for _ in 0..30 {
        ensemble.gradient(&problem.train).unwrap();
        for (i, v) in second.iter_mut().enumerate() {
            *v += 0.001 * (ensemble.mlp.gradients().double_value(&[i as i64]).powi(2) - *v);
        }
        ensemble.update().unwrap();
    }
    let corrections = (1.0 - 0.9_f64.powi(30), 1.0 - 0.999_f64.powi(30));
    let p = second.map(|v| corrections.0 * ((v / corrections.1).sqrt() + 1e-8));
    let (xx, x) = ((1.0 + 0.25 + 4.0) / 2.0, 1.5 / 2.0);
    let (a, b, c) = (xx / p[0], x / (p[0] * p[1]).sqrt(), 2.0 / p[1]);
    let expected = f64::midpoint(a, c) + ((a - c) / 2.0).hypot(b);
    let own = ensemble.optimizer().preconditioner().unwrap();
    let found = problem.sharpness(&ensemble.mlp, own.as_ref(), 1).unwrap()[0];
    assert!((found - expected).abs() < 1e-9 * expected, "{found}, by its definition {expected}");
}

/// On a quadratic only the preconditioner changes: as gradients vanish it grows until the steps are no longer stable.
#[test]
fn adam_comes_to_38_over_its_rate() {
    let problem = quadratic();
    let rule = Rule::Adam { lr: 0.01 };
    assert!((rule.stability_limit() - 3800.0).abs() < 1e-9);
    let mut ensemble = trained(&problem, rule);
    let mut shares = Vec::new();
    for step in 0..20_000 {
        ensemble.advance(&problem.train).unwrap();
        if step >= 10_000 && step % 50 == 0 {
            let preconditioner = ensemble.optimizer().preconditioner().unwrap();
            let found = problem.sharpness(&ensemble.mlp, preconditioner.as_ref(), 1).unwrap()[0];
            shares.push(found / rule.stability_limit());
        }
    }
    let middle = median(&shares);
    assert!((0.9..1.1).contains(&middle), "{middle}: {shares:?}");
}

#[test]
fn quick_comes_to_the_edge_by_every_method_but_mini_batches() {
    let recorded = TestHost::new().seed(1).preset("quick").run::<EdgeOfStability>(&[]).expect_finished();
    let late = |method: &str, setting: &str| -> f64 {
        let series = Series::metric("share_of_limit").split(method).model(setting).trial(0);
        let all = recorded.series(series);
        median(&all[all.len() / 2..])
    };
    for (method, setting, low, high) in
        [("gd", "rate 0.3", 0.97, 1.12), ("momentum", "rate 0.5", 0.95, 1.12), ("sgd", "rate 0.3", 0.2, 0.9)]
    {
        let share = late(method, setting);
        assert!((low..high).contains(&share), "{method}: {share}");
    }
    let loss = |method: &str, setting: &str| {
        recorded.series(Series::metric("loss").split(method).model(setting).trial(0))
    };
    let catapult = loss("catapult", "3 times 2/λ");
    let highest = catapult.iter().copied().fold(f64::MIN, f64::max);
    assert!(highest > 1.1 * catapult[0] && catapult[catapult.len() - 1] < catapult[0], "{catapult:?}");
    // Adam has no preconditioner before its first update.
    let adam = Series::metric("share_of_limit").split("adam").model("rate 0.001").trial(0);
    assert_eq!(recorded.series(adam).len() + 1, loss("adam", "rate 0.001").len());
    let told = recorded.infos();
    for part in [
        "gd, rate 0.3: the sharpness stays at the limit",
        "sgd, rate 0.3: the sharpness stays below the limit",
        "catapult, 3 times 2/λ: the loss rises at first, then falls below its first value",
    ] {
        assert!(told.iter().any(|line| line.starts_with(part)), "`{part}` is not in {told:?}");
    }
    assert!(recorded.figures[0].contains("784-32-10 (25450 parameters)"));
    recorded.figures[0].parse::<toml::Table>().unwrap();
}

#[test]
fn methods_start_alike_and_do_not_hang_on_each_other() {
    fn loss<'a>(method: &'a str, setting: &'a str, trial: i32) -> Series<'a> {
        Series::metric("loss").split(method).model(setting).trial(trial)
    }
    let run = |changes: &[(&str, &str)]| {
        TestHost::new().seed(2).run::<EdgeOfStability>(&with(&SMALL, changes)).expect_finished()
    };
    let (all, one) = (run(&[]), run(&[("methods", "momentum")]));
    for trial in 0..2 {
        let momentum = all.series(loss("momentum", "rate 0.5", trial));
        assert_eq!(momentum, one.series(loss("momentum", "rate 0.5", trial)));
        assert_eq!(momentum[0], all.series(loss("gd", "rate 0.25", trial))[0]);
        // Alone in its ensemble, so equal up to rounding.
        let catapult = all.series(loss("catapult", "0.5 times 2/λ", trial))[0];
        assert!((momentum[0] - catapult).abs() < 1e-6 * catapult);
    }
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one_bit_for_bit() {
    let host = TestHost::new().seed(5);
    let whole = host.run::<EdgeOfStability>(&SMALL);
    // Catapults are at their end by the second.
    for stop in [7, 40] {
        host.run_interrupted::<EdgeOfStability>(stop, &SMALL).assert_equals(&whole);
    }
}

#[test]
fn wrong_parameters_are_refused_with_their_reason() {
    for (changes, part) in [
        (vec![("batch", "40")], "must be less than `samples`, which is 40"),
        (
            vec![("methods", "gd,newton")],
            "names `newton`, but each must be one of gd, momentum, adam, sgd, catapult",
        ),
        (vec![("momentum", "1")], "momentum"),
    ] {
        let why = TestHost::new().run::<EdgeOfStability>(&with(&SMALL, &changes)).expect_failure();
        assert!(why.contains(part), "{changes:?}: {why}");
    }
}

#[test]
fn instruments_only_read() {
    assert_harmless::<EdgeOfStability>(&TestHost::new().seed(5), &SMALL, 40);
}
