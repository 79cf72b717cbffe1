//! `sensitivity` against its bands at reduced sizes, against its own parts and against itself interrupted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the numbers behind the bands, for cargo test -- --nocapture")]

use generalization::sensitivity::{Course, Sensitivity};
use gradtop_sdk::testing::{Table, TestHost, bits, with};
use gradtop_sdk::{Params as _, Values};
use gradtop_toolkit::instruments::assert_harmless;
use gradtop_toolkit::runtime;
use tch::Device;

const SMALL: [(&str, &str); 18] = [
    ("train_samples", "600"),
    ("hidden", "12"),
    ("batches", "16,100"),
    ("further", "300"),
    ("networks", "2"),
    ("epochs", "4"),
    ("early", "2"),
    ("steps", "30"),
    ("target", "0.6"),
    ("followed", "300"),
    ("curved", "200"),
    ("lanczos_steps", "8"),
    ("probes", "3"),
    ("ascent", "3"),
    ("rates", "3e-3"),
    ("many_samples", "100"),
    ("many_batches", "20"),
    ("many_target", "0.5"),
];

/// The mean of a column by batch size, ascending.
fn by_batch(table: &Table, column: &str) -> Vec<f64> {
    let (batches, values) = (table.f64s("batch"), table.f64s(column));
    let mut sizes = batches.clone();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    let mean = |size: &f64| {
        let of: Vec<f64> = batches.iter().zip(&values).filter(|(b, _)| *b == size).map(|(_, v)| *v).collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    sizes.iter().map(mean).collect()
}

fn parameters(changes: &[(&str, &str)]) -> Sensitivity {
    Sensitivity::from_values(&Values::parse(Sensitivity::PARAMS, changes).unwrap()).unwrap()
}

/// [`SMALL`] with other values.
fn small_but(changes: &[(&str, &str)]) -> Sensitivity {
    parameters(&with(&SMALL, changes))
}

/// Bands A15 and A16 at reduced sizes: after as many epochs larger batches leave networks less trained and logits less
/// sensitive; at the same training loss probabilities are more sensitive with larger batches.
#[test]
fn quick_has_the_signs_of_the_bands() {
    let recorded = TestHost::new().seed(0).preset("quick").run::<Sensitivity>(&[]).expect_finished();
    for line in recorded.infos() {
        println!("{line}");
    }
    let epochs = recorded.table("protocol-epochs")[0];
    let logits = by_batch(epochs, "logit_sensitivity");
    assert_eq!(logits.len(), 4);
    assert!(logits.windows(2).all(|pair| pair[0] > pair[1]), "{logits:?}");
    let matched = recorded.table("protocol-loss")[0];
    let (sizes, losses) = (matched.f64s("batch"), matched.f64s("train_loss"));
    assert_eq!(sizes.len(), 6, "{sizes:?}");
    assert!(losses.iter().all(|loss| (loss - 0.2).abs() < 0.02), "{losses:?}");
    let probabilities = by_batch(matched, "probability_sensitivity");
    assert!(probabilities[2] / probabilities[0] >= 1.1, "{probabilities:?}");
    let steps = by_batch(recorded.table("protocol-steps")[0], "train_loss");
    assert!(steps[0] > steps[2], "{steps:?}");
    // Two networks of a size show an order of this run, and claim none.
    let said = recorded.last_table("conclusion").strings("statement").join("\n");
    for part in [
        "the sensitivity of probabilities rises with batch size (seen in this run)",
        "the sensitivity of logits falls with batch size (seen in this run)",
        "fewer than 5 trials: others may differ",
    ] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    assert!(!said.contains("(shown)"), "{said}");
}

#[test]
fn what_a_run_records() {
    let recorded = TestHost::new().seed(5).run::<Sensitivity>(&SMALL).expect_finished();
    let all = recorded.table("networks")[0];
    // Two networks: of two batch sizes at four moments, of a third at two; three rates of four networks each.
    let (protocols, losses) = (all.strings("protocol"), all.f64s("train_loss"));
    assert_eq!(protocols.len(), 2 * (2 * 4 + 2) + 3 * 4);
    let (batches, steps, lambdas) = (all.f64s("batch"), all.f64s("at_step"), all.f64s("lambda_max"));
    for i in 0..protocols.len() {
        let per_epoch = (600.0 / batches[i]).ceil();
        match protocols[i].as_str() {
            "early" => assert!(steps[i] == 2.0 * per_epoch && lambdas[i].is_nan()),
            "epochs" => assert!(steps[i] == 4.0 * per_epoch && lambdas[i] > 0.0),
            "steps" => assert!(steps[i] == 30.0 && lambdas[i] > 0.0),
            _ => assert!(
                (losses[i] - if batches[i] == 20.0 { 0.5 } else { 0.6 }).abs() < 0.15,
                "{}",
                losses[i]
            ),
        }
    }
    for column in ["logit_sensitivity", "probability_sensitivity", "test_loss", "sharpness", "trace_error"] {
        let values = all.f64s(column);
        let curved = !["logit_sensitivity", "probability_sensitivity", "test_loss"].contains(&column);
        for (value, protocol) in values.iter().zip(protocols) {
            assert!(*value > 0.0 || (curved && protocol == "early"), "{column} {protocol} {value}");
        }
    }
    // Every network is in the table of its protocol.
    let rows: usize = ["protocol-early", "protocol-epochs", "protocol-steps", "protocol-loss", "many"]
        .iter()
        .map(|name| recorded.table(name)[0].f64s("batch").len())
        .sum();
    assert_eq!(rows, protocols.len());
    assert_eq!(recorded.table("trends")[0].strings("protocol").len(), 4 * 8);
    // Eight quantities under 3 protocols, own rates, 2 peaks, five predictors of the many networks.
    assert_eq!(recorded.last_table("conclusion").strings("what").len(), 3 * 8 + 1 + 2 + 5);
    // The common rate and another of each batch size, and what chooses between them.
    let rates = recorded.last_table("rates");
    assert_eq!(rates.f64s("batch"), [16.0, 16.0, 100.0, 100.0]);
    assert_eq!(rates.f64s("lr"), [1e-3, 3e-3, 1e-3, 3e-3]);
    assert!(rates.f64s("validation_loss").iter().all(|loss| (0.3..1.5).contains(loss)), "{rates:?}");
    let told = recorded.infos();
    let own = told
        .iter()
        .find(|line| line.starts_with("measured once the training loss is at most 0.6, own learning rates"))
        .unwrap();
    assert!(own.contains("on 480 images; 120 others chose the rate, by chance where"), "{own}");
    let text = recorded.figures.join("\n");
    for part in
        ["784-12-10 (9550 parameters)", "id = \"peak\"", "once the training loss is at most 0.6", "seed 5"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    for figure in &recorded.figures {
        figure.parse::<toml::Table>().unwrap();
    }
}

fn advance(course: &mut Course<'_>) {
    course.advance(|_, ensemble, train| Ok(ensemble.advance(train)?)).unwrap();
}

/// Networks that are trained and measured beside others are what they would be alone. (When their training loss is looked at
/// depends on the others', so that protocol is left out.)
#[test]
fn networks_do_not_depend_on_their_company() {
    runtime::set_threads(1);
    let _no_graph = tch::no_grad_guard();
    let whole = |networks: &'static str| {
        let params = small_but(&[("networks", networks), ("rates", ""), ("many_samples", "0")]);
        let plan = params.plan(3, Device::Cpu).unwrap();
        let mut course = Course::new(&plan).unwrap();
        while !course.is_done() {
            advance(&mut course);
        }
        course.networks().to_vec()
    };
    let (two, one) = (whole("2"), whole("1"));
    assert_eq!(two.len(), 2 * one.len());
    for alone in one.iter().filter(|network| ["epochs", "steps"].contains(&network.moment.name())) {
        let same = |n: &&generalization::sensitivity::Network| {
            (n.leg, n.trial, n.moment) == (alone.leg, 0, alone.moment)
        };
        let beside = two.iter().find(same).unwrap();
        assert_eq!(beside.step, alone.step);
        for (a, b) in [
            (beside.measures.train_loss, alone.measures.train_loss),
            (beside.measures.logits, alone.measures.logits),
            (beside.measures.probabilities, alone.measures.probabilities),
            (beside.measures.lambda_max, alone.measures.lambda_max),
            (beside.measures.trace, alone.measures.trace),
            (beside.measures.sharpness, alone.measures.sharpness),
        ] {
            assert!((a - b).abs() < 1e-2 * b.abs(), "{:?}: {a} {b}", alone.moment);
        }
    }
}

/// Saved at any step — training, measuring, among the many networks — a course goes on as if nothing had been.
#[test]
fn a_restored_course_is_the_uninterrupted_one() {
    runtime::set_threads(1);
    let _no_graph = tch::no_grad_guard();
    let plan = parameters(&SMALL).plan(7, Device::Cpu).unwrap();
    let mut course = Course::new(&plan).unwrap();
    let folder = std::env::temp_dir().join(format!("gradtop-sensitivity-{}", std::process::id()));
    let mut awaited = vec![
        "B=16: training",
        "B=100: training",
        "B=100: measuring",
        "B=300: training",
        "B=100, rate 0.003: training",
        "B=20, lr 0.003: measuring",
    ];
    let mut saved = Vec::new();
    while !course.is_done() {
        advance(&mut course);
        let phase = course.phase();
        if let Some(at) = awaited.iter().position(|awaited| *awaited == phase) {
            awaited.remove(at);
            let dir = folder.join(course.step().to_string());
            std::fs::create_dir_all(&dir).unwrap();
            course.save(&dir).unwrap();
            saved.push(dir);
        }
    }
    assert!(awaited.is_empty(), "{awaited:?} never came");
    let shown = |course: &Course<'_>| format!("{} {:?}", course.step(), course.networks());
    let whole = shown(&course);
    for dir in &saved {
        let mut course = Course::restore(&plan, dir).unwrap();
        while !course.is_done() {
            advance(&mut course);
        }
        assert_eq!(shown(&course), whole, "from {}", dir.display());
    }
    let other = small_but(&[("hidden", "13")]).plan(7, Device::Cpu).unwrap();
    assert!(Course::restore(&other, &saved[0]).is_err());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one_bit_for_bit() {
    let host = TestHost::new().seed(7);
    let whole = host.run::<Sensitivity>(&SMALL);
    let last = whole.metrics.last().unwrap().step;
    for stop in [20, 200, last - 3] {
        host.run_interrupted::<Sensitivity>(stop, &SMALL).assert_equals(&whole);
    }
    let other = TestHost::new().seed(8).run::<Sensitivity>(&SMALL);
    assert_ne!(bits(&other.metrics), bits(&whole.metrics), "another seed");
}

#[test]
fn wrong_parameters_are_refused_with_their_reason() {
    for (change, part) in [
        (("batches", "16,x"), "`x`, but each must be a whole number"),
        (("batches", "16,16"), "named twice"),
        (("further", "64"), "which `batches` has already"),
        (("early", "10"), "must be less than `epochs`"),
        (("train_samples", "3000"), "parameter `followed` is 10000"),
        (("batches", "16,016"), "named twice"),
        (("many_batches", "2001"), "more than the `many_samples`"),
        (("many_rates", "0"), "names `0`, but each must be greater than 0"),
        (("many_rates", "1e-3,0.001"), "named twice"),
        (("rates", "1e-2,0.001"), "`rates` names 0.001, which is `lr` already"),
        (("many_rates", "fast"), "`fast`, but each must be a finite number"),
        (("hidden", "0"), "`0`, but each must be at least 1"),
    ] {
        let why = TestHost::new().run::<Sensitivity>(&[change]).expect_failure();
        assert!(why.contains(part), "{change:?}: {why}");
    }
}

#[test]
fn instruments_only_read() {
    assert_harmless::<Sensitivity>(&TestHost::new().seed(5), &SMALL, 20);
}
