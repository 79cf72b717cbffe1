//! `interpolation` against its band, against stored losses and against itself interrupted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the numbers behind the bands, for cargo test -- --nocapture")]

use generalization::interpolation::{Interpolation, Kind, Start, Walk, barrier};
use gradtop_sdk::testing::{TestHost, bits};
use gradtop_toolkit::instruments::{Settings, assert_harmless};
use gradtop_toolkit::runtime;
use tch::Device;

const SMALL: [(&str, &str); 8] = [
    ("train_samples", "600"),
    ("hidden", "12"),
    ("pairs", "2"),
    ("epochs", "2"),
    ("other_batch", "150"),
    ("spawn_steps", "0,5"),
    ("spawn_epochs", "2"),
    ("points", "13"),
];

/// Band A14 at a reduced size: the pair of batch sizes has a barrier from different initial values and none from the same.
#[test]
fn quick_has_a_barrier_between_different_initial_values_only() {
    let recorded = TestHost::new().seed(0).preset("quick").run::<Interpolation>(&[]).expect_finished();
    for line in recorded.infos() {
        println!("{line}");
    }
    let table = recorded.table("barriers")[0];
    let (kinds, starts) = (table.strings("kind"), table.strings("start"));
    let barriers = table.f64s("train_barrier");
    let of = |kind: &str, start: &str| {
        let at = (0..kinds.len()).find(|&i| kinds[i] == kind && starts[i] == start).unwrap();
        barriers[at]
    };
    assert!(of("batch", "other") >= 0.05, "{barriers:?}");
    assert!(of("batch", "same") <= 0.02, "{barriers:?}");
    assert!(of("rate", "other") > of("rate", "same"), "{barriers:?}");
    assert!(of("batch", "matched") < 0.5 * of("batch", "other"), "{barriers:?}");
    let conclusion = recorded.last_table("conclusion");
    assert!(conclusion.f64s("pairs").iter().all(|pairs| *pairs == 1.0), "lines are no pairs");
    let said = conclusion.strings("statement");
    assert!(said[0].contains("higher than from the same (seen in this run)"), "{said:?}");
    assert!(said[2].contains(": no barrier to speak of (seen in this run)"), "{said:?}");
    assert!(
        said[4].contains(": a barrier (seen in this run)") && said[4].contains("fewer than 3 pairs"),
        "{said:?}"
    );
}

#[test]
fn what_a_run_records() {
    let recorded = TestHost::new().seed(5).run::<Interpolation>(&SMALL).expect_finished();
    // Ten steps an epoch at batch 64, four at 150, and ten for each step of parting; a step a pair and set for the lines.
    assert_eq!(recorded.steps_ended, 2 * (10 + 4 + 10 + 2 * 10) + 2 * 2);
    for name in
        ["line-batch-same", "line-batch-other", "line-batch-matched", "line-rate-other", "line-rate-matched"]
    {
        let table = recorded.table(name)[0];
        assert_eq!(table.f64s("alpha").len(), 2 * 13);
        // V8: at 0 and at 1 stand the networks themselves, whose losses training has logged.
        let (alphas, pairs) = (table.f64s("alpha"), table.f64s("pair"));
        for (split, column) in [("train", "train_loss"), ("test", "test_loss"), ("test", "test_accuracy")] {
            let metric = if column.ends_with("loss") { "loss" } else { "accuracy" };
            let values = table.f64s(column);
            for i in (0..alphas.len()).filter(|&i| alphas[i] == 0.0 || alphas[i] == 1.0) {
                let other = alphas[i] == 1.0 && !name.ends_with("same");
                let trial = pairs[i] as i32 + if other { 2 } else { 0 };
                let model = match (alphas[i] == 1.0, name.contains("batch")) {
                    (false, _) => "batch 64, lr 0.001",
                    (true, true) => "batch 150, lr 0.001",
                    (true, false) => "batch 64, lr 0.01",
                };
                let stored = recorded.metrics.iter().rfind(|p| {
                    let key = format!("{:?}", p.series);
                    [metric, split, model].iter().all(|part| key.contains(&format!("\"{part}\"")))
                        && key.contains(&format!("Some({trial})"))
                });
                let stored = stored.unwrap_or_else(|| panic!("{model} {split} {metric} {trial}")).value;
                assert!(
                    (values[i] - stored).abs() <= 1e-6 * stored,
                    "{name} {column}: {} {stored}",
                    values[i]
                );
            }
        }
    }
    let barriers = recorded.table("barriers")[0];
    assert!(barriers.f64s("train_barrier").iter().all(|b| *b >= 0.0));
    let (starts, cosines) = (barriers.strings("start"), barriers.f64s("cosine"));
    // Trainings from one start end in related places, those from two starts in unrelated ones.
    for (start, cosine) in starts.iter().zip(&cosines) {
        let related = match start.as_str() {
            "same" => *cosine > 0.4,
            "other" => cosine.abs() < 0.2,
            _ => *cosine > 0.1,
        };
        assert!(related, "{start} {cosine}");
    }
    // Networks that part later end closer to each other.
    let spawned = recorded.table("spawned")[0];
    assert_eq!((spawned.i64s("parted_at"), spawned.i64s("pair")), (&[0, 0, 5, 5][..], &[0, 1, 0, 1][..]));
    let distance = spawned.f64s("distance");
    assert!(distance[2] < distance[0] && distance[3] < distance[1] && distance[2] > 0.0, "{distance:?}");
    assert!(spawned.f64s("test_error_barrier").iter().all(|b| (0.0..1.0).contains(b)));
    let text = recorded.figures.join("\n");
    for part in [
        "784-12-10 (9550 parameters)",
        "batch 150, lr 0.001",
        "Adam, 2 epochs; 2 pairs; seed 5",
        "id = \"rate\"",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    for figure in &recorded.figures {
        figure.parse::<toml::Table>().unwrap();
    }
    let said = recorded.last_table("conclusion").strings("statement");
    // All of them, each line's barrier and flatness, and the spawn time.
    assert_eq!(said.len(), 2 + 2 * 6 + 1);
    assert!(said[14].starts_with("spawn time: ") && said[14].contains("(not testable)"), "{said:?}");
    assert!(said[0].contains("fewer than 5 trials: others may differ"), "{said:?}");
}

/// Both networks of a pair with the same start begin equal, those of a pair with different starts do not; and the line of
/// every pair is the one between its own networks.
#[test]
fn pairs_begin_where_they_say() {
    runtime::set_threads(1);
    let _no_graph = tch::no_grad_guard();
    let params = Interpolation {
        dataset: "mnist".to_owned(),
        train_samples: 300,
        hidden: Vec::new(),
        pairs: 2,
        epochs: 1,
        batch: 50,
        other_batch: 100,
        lr: 1e-3,
        other_lr: 1e-2,
        spawn_steps: vec![4, 6, 0],
        spawn_epochs: 1,
        spawn_lr: 1e-3,
        points: 7,
        instruments: Settings::default(),
    };
    let plan = params.plan(3, Device::Cpu).unwrap();
    assert_eq!(plan.widths, [784, 10]);
    assert_eq!(plan.alphas, [-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0]);
    let mut walk = Walk::new(&plan).unwrap();
    while walk.step() < plan.steps() {
        walk.advance(|_, ensemble| Ok(ensemble.advance(&plan.sets[0])?)).unwrap();
    }
    let lines = walk.lines().unwrap();
    assert_eq!(lines.len(), 12);
    for line in &lines {
        // Softmax regression is convex: no line rises above its chord.
        assert!(line.barrier(0, &plan.alphas).0 < 1e-6 && line.barrier(1, &plan.alphas).0 < 1e-6, "{line:?}");
        if line.kind == Kind::Batch && line.start == Start::Same {
            let other =
                lines.iter().find(|l| l.pair == line.pair && l.kind == line.kind && l.start == Start::Other);
            assert!(line.distance < other.unwrap().distance, "{line:?}");
        }
    }
    let spawned = walk.spawned().unwrap();
    assert_eq!(
        spawned.iter().map(|two| (two.step, two.pair)).collect::<Vec<_>>(),
        [(0, 0), (0, 1), (4, 0), (4, 1)]
    );
    for two in &spawned {
        // Convex again; errors have steps.
        assert!(barrier(&plan.between, &two.sets[0].loss).0 < 1e-6, "{two:?}");
        assert_eq!(two.sets[1].loss.len(), 3);
        let at_0 = spawned.iter().find(|other| other.pair == two.pair && other.step == 0);
        assert!(two.step == 0 || two.distance < at_0.unwrap().distance, "{two:?}");
    }
    assert_eq!(lines[0].sets[0].loss[2], lines[1].sets[0].loss[2], "one network at 0 of all lines of a pair");
    assert_ne!(lines[0].sets[0].loss[2], lines[6].sets[0].loss[2], "another in the other pair");
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one_bit_for_bit() {
    let host = TestHost::new().seed(7);
    let whole = host.run::<Interpolation>(&SMALL);
    // In each training, at the very end of one, in a trunk, where its networks part and after, and among the lines.
    for stop in [7, 20, 25, 40, 48, 50, 71, 73, 74, 85, 90] {
        host.run_interrupted::<Interpolation>(stop, &SMALL).assert_equals(&whole);
    }
    let other = TestHost::new().seed(8).run::<Interpolation>(&SMALL);
    assert_ne!(bits(&other.metrics), bits(&whole.metrics), "another seed");
}

#[test]
fn wrong_parameters_are_refused_with_their_reason() {
    for (change, part) in [
        (("points", "60"), "it must be 6k + 1"),
        // 0 and 1 are among ten points, -0.5 and 1.5 are not.
        (("points", "10"), "it must be 6k + 1"),
        (("points", "4"), "must be at least 7"),
        (("other_batch", "64"), "must differ"),
        (("train_samples", "600"), "`other_batch` is 1024, there are 600 images to train on"),
        (("other_lr", "0.001"), "must differ"),
        (("hidden", "12,x"), "`x`, but each must be a whole number"),
    ] {
        let why = TestHost::new().run::<Interpolation>(&[change]).expect_failure();
        assert!(why.contains(part), "{change:?}: {why}");
    }
}

#[test]
fn instruments_only_read() {
    assert_harmless::<Interpolation>(&TestHost::new().seed(5), &SMALL, 25);
}
