//! `random-labels`: memorising, its control, labels and images, itself interrupted, and wrong parameters.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use generalization::random_labels::RandomLabels;
use generalization::random_labels::inputs::Inputs;
use generalization::random_labels::plan::{Condition, Labels, Pixels};
use generalization::random_labels::training::{Training, labels};
use gradtop_sdk::testing::{Level, Recorded, TestHost, bits, with};
use gradtop_sdk::{Params as _, Series};
use gradtop_toolkit::data::mnist;
use gradtop_toolkit::instruments::assert_harmless;
use tch::{Device, Kind, Tensor};

/// Small networks on few images.
const SMALL: [(&str, &str); 12] = [
    ("networks", "mlp,lenet"),
    ("hidden", "32"),
    ("conditions", "true,random,redrawn"),
    ("mlp_samples", "60"),
    ("cnn_samples", "40"),
    ("sizes", ""),
    ("corruptions", ""),
    ("epochs", "4"),
    ("batch", "16"),
    ("trials", "2"),
    ("test_samples", "200"),
    ("lr", "0.003"),
];

fn run(seed: u64, changes: &[(&str, &str)]) -> Recorded {
    TestHost::new().seed(seed).run::<RandomLabels>(&with(&SMALL, changes)).expect_finished()
}

fn curve(recorded: &Recorded, model: &str, metric: &str, split: &str) -> Vec<f64> {
    recorded.series(Series::metric(metric).model(model).split(split).trial(0))
}

/// The perceptron at a tenth of its images: it fits labels without meaning, and the test set shows it.
#[test]
fn a_perceptron_fits_random_labels_and_generalises_from_none() {
    let recorded = run(
        1,
        &[
            ("networks", "mlp"),
            ("hidden", "512,512"),
            ("conditions", "true,random"),
            ("mlp_samples", "500"),
            ("epochs", "80"),
            ("batch", "128"),
            ("trials", "1"),
            ("test_samples", "1000"),
            ("lr", "0.001"),
        ],
    );
    let (train, test) = (
        curve(&recorded, "mlp random", "accuracy", "train"),
        curve(&recorded, "mlp random", "accuracy", "test"),
    );
    let (train_loss, test_loss) =
        (curve(&recorded, "mlp random", "loss", "train"), curve(&recorded, "mlp random", "loss", "test"));
    // Untrained: a tenth, within three standard deviations whatever it predicts, and ln 10 within a twentieth.
    let sigma = (0.09_f64 / 500.0).sqrt();
    assert!(
        (train[0] - 0.1).abs() < 3.0 * sigma && (train_loss[0] / 10_f64.ln() - 1.0).abs() < 0.05,
        "{} {}",
        train[0],
        train_loss[0]
    );
    assert!(train.len() < 70 && *train.last().unwrap() == 1.0, "{} epochs, {:?}", train.len(), train.last());
    assert!(test.iter().all(|a| (0.05..0.16).contains(a)), "{test:?}");
    assert!(*test_loss.last().unwrap() > 2.0 * 10_f64.ln(), "{test_loss:?}");
    let truth = curve(&recorded, "mlp true", "accuracy", "train");
    assert!(
        truth.len() < train.len() && curve(&recorded, "mlp true", "accuracy", "test").last().unwrap() > &0.8
    );

    let fits = recorded.last_table("fits");
    let random = fits.strings("condition").iter().position(|name| name == "mlp random").unwrap();
    assert_eq!(fits.f64s("epochs_to_fit")[random], (train.len() - 1) as f64);
    assert_eq!(fits.f64s("train_accuracy")[random], 1.0);
    assert!(fits.f64s("test_loss")[random] > 2.0 * 10_f64.ln());
    let told = recorded.infos();
    let expected = format!("500 random labels: fitted by 1 trial after {} epochs", train.len() - 1);
    assert!(
        told.iter().any(|line| line.contains(&expected) && line.contains("(shown)")),
        "{expected:?} is not in {told:?}"
    );
    let caption = recorded.figures.last().unwrap();
    for part in
        ["784-512-512-10, 669706 parameters, 500 images", "Adam, lr 0.001, batch 128", "seed 1, trials: 1"]
    {
        assert!(caption.contains(part), "{part} is not in {caption}");
    }
}

/// The report's network and its claim.
#[test]
fn the_reports_network_fits_random_labels() {
    let changes = [
        ("networks", "lenet"),
        ("conditions", "random"),
        ("cnn_samples", "100"),
        ("epochs", "120"),
        ("batch", "50"),
        ("trials", "1"),
        ("lr", "0.001"),
    ];
    let recorded = run(1, &changes);
    let train = curve(&recorded, "lenet random", "accuracy", "train");
    assert_eq!(train.last(), Some(&1.0), "after {} epochs", train.len());
    let conclusion = recorded.last_table("conclusion");
    let answer = conclusion.strings("statement").last().unwrap();
    // A hundred labels refute nothing: any network of this size fits them.
    assert!(
        answer.contains("holds (not testable). Evidence: 100 random labels were fitted by 1 trial"),
        "{answer}"
    );

    // The same network, given too little time, refutes nothing.
    let short: Vec<(&str, &str)> =
        changes.iter().map(|&(key, value)| if key == "epochs" { (key, "3") } else { (key, value) }).collect();
    let recorded = run(1, &short);
    let conclusion = recorded.last_table("conclusion");
    let answer = conclusion.strings("statement").last().unwrap();
    assert!(answer.contains("holds (not testable). Evidence: 100 random labels were not fitted"), "{answer}");
    assert!(recorded.last_table("fits").f64s("epochs_to_fit")[0].is_nan());
}

/// The negative control: as many epochs as suffice for labels that stay (see above) teach nothing about labels that do not.
#[test]
fn labels_drawn_anew_in_each_epoch_are_never_fitted() {
    let changes = [
        ("hidden", "128"),
        ("conditions", "redrawn,random"),
        ("mlp_samples", "300"),
        ("cnn_samples", "100"),
        ("epochs", "60"),
        ("batch", "50"),
        ("lr", "0.001"),
    ];
    let recorded = run(2, &changes);
    for (network, images) in [("mlp", 300.0_f64), ("lenet", 100.0)] {
        let random = curve(&recorded, &format!("{network} random"), "accuracy", "train");
        let control = curve(&recorded, &format!("{network} redrawn"), "accuracy", "train");
        assert_eq!(random.last(), Some(&1.0), "{network}: {random:?}");
        assert!(control.len() > 10 && control.len() >= random.len(), "{network}: {} epochs", control.len());
        // A single pass over few images teaches a little of the labels it was made with; it does not add up.
        let mean = |epochs: &[f64]| epochs.iter().sum::<f64>() / epochs.len() as f64;
        let sigma = (0.09 / images / 10.0).sqrt();
        let last = mean(&control[control.len() - 10..]);
        assert!(mean(&control) < 0.16 && last < 0.1 + 4.0 * sigma + 0.03, "{network}: {last}, {control:?}");
        assert!(control.iter().all(|a| *a < 0.4), "{network}: {control:?}");
    }
}

/// Everything before the first epoch, for looking inside.
fn training(conditions: &[Condition], threads: usize) -> Training {
    let params = RandomLabels {
        networks: ["mlp", "lenet"].map(str::to_owned).to_vec(),
        hidden: vec![32],
        conditions: conditions.to_vec(),
        mlp_samples: 60,
        cnn_samples: 40,
        sizes: Vec::new(),
        corruptions: vec![0.5],
        epochs: 6,
        batch: 16,
        trials: 2,
        test_samples: 100,
        ..RandomLabels::defaults()
    };
    Training::new(params.setup(5, Device::Cpu, threads).unwrap()).unwrap()
}

/// V9: the labels that networks learn are those drawn before training, in every epoch.
#[test]
fn labels_stay_the_same_while_networks_learn() {
    let mut networks = training(&[Condition::Random, Condition::Redrawn], 1);
    let truth = mnist().unwrap().train.subset(60, 5).label_values().to_vec();
    networks.round(&|| false).unwrap().unwrap();
    let random =
        |networks: &Training| (0..2).map(|group| networks.labels_in_use(group).unwrap()).collect::<Vec<_>>();
    let before = random(&networks);
    assert_eq!(networks.groups()[0].group.labels, Labels::Fixed(1.0));
    for (group, samples) in [(0, 60), (1, 40)] {
        let expected: Vec<Vec<u8>> =
            (0..2).map(|trial| labels(Labels::Fixed(1.0), &truth[..samples], 5, trial, 0)).collect();
        assert_eq!(before[group], expected);
        assert_ne!(expected[0], expected[1], "trials have labels of their own");
        assert_ne!(expected[0], truth[..samples]);
    }
    for _ in 0..4 {
        networks.round(&|| false).unwrap().unwrap();
    }
    assert_eq!(random(&networks), before);

    // The control's are others in each epoch, and still uniform draws by address.
    let mut control = training(&[Condition::Redrawn], 1);
    let mut seen = Vec::new();
    for round in 0..4_i64 {
        control.round(&|| false).unwrap().unwrap();
        let now = control.labels_in_use(0).unwrap();
        assert_eq!(now[1], labels(Labels::Redrawn, &truth, 5, 1, (round - 1).max(0)));
        seen.push(now);
    }
    assert!(seen[1] != seen[2] && seen[2] != seen[3]);
    assert_eq!(labels(Labels::Fixed(0.0), &truth, 5, 0, 0), truth);
}

/// With a share so small that no label is replaced, the curve is that of true labels, bit for bit.
#[test]
fn figures_are_of_what_is_trained() {
    for (conditions, corruptions, drawn) in [
        ("true,random", "", vec!["fit-samples"]),
        ("true", "0.5", vec!["fit-corruption"]),
        ("random", "0.5", vec!["fit-corruption", "fit-samples"]),
        ("redrawn,gaussian", "", vec![]),
    ] {
        let changes = [("networks", "mlp"), ("conditions", conditions), ("corruptions", corruptions)];
        let recorded = run(1, &with(&changes, &[("trials", "1")]));
        let figures = recorded.figures.last().unwrap();
        let named =
            ["fit-corruption", "fit-samples"].map(|t| (t, figures.contains(&format!("table = \"{t}\""))));
        let named: Vec<&str> = named.iter().filter(|(_, named)| *named).map(|(t, _)| *t).collect();
        assert_eq!(named, drawn, "{conditions} {corruptions}");
        assert!(named.iter().all(|table| !recorded.table(table).is_empty()), "{conditions} {corruptions}");
    }
}

#[test]
fn corruption_0_is_the_true_labels() {
    let truth = run(3, &[("conditions", "true")]);
    let corrupted = run(3, &[("conditions", "random"), ("corruptions", "1e-9")]);
    for network in ["mlp", "lenet"] {
        for (metric, split) in [("loss", "train"), ("accuracy", "test")] {
            let of = |recorded: &Recorded, name: &str| {
                curve(recorded, &format!("{network} {name}"), metric, split)
            };
            let (a, b) = (of(&truth, "true"), of(&corrupted, "corrupted 0.000000001"));
            assert!(a.len() > 3 && a == b, "{network} {metric}: {a:?} {b:?}");
        }
    }
}

#[test]
fn images_lose_their_meaning_as_asked() {
    let data = mnist().unwrap();
    let (train, test) = (data.train.subset(40, 1), data.test.subset(20, 1));
    let of = |pixels, train: &gradtop_toolkit::data::Split| {
        Inputs::new(pixels, train, &test, 1, Device::Cpu).unwrap()
    };
    let rows = |tensor: &Tensor, image: i64| -> Vec<f32> {
        let mut values = vec![0.0; 784];
        tensor.get(image).copy_data(&mut values, 784);
        values
    };
    let sorted = |mut values: Vec<f32>| {
        values.sort_by(f32::total_cmp);
        values
    };
    let natural = of(Pixels::Natural, &train);
    let (shuffled, random) = (of(Pixels::Shuffled, &train), of(Pixels::Random, &train));
    // Where a pixel went: by two images that differ everywhere a permutation could be told from.
    let moved = |to: &Inputs, a: i64, b: i64| -> bool {
        let column =
            |inputs: &Inputs, i: i64| (rows(&inputs.train, a)[i as usize], rows(&inputs.test, b)[i as usize]);
        let pairs = |inputs: &Inputs| {
            let mut all: Vec<(u32, u32)> =
                (0..784).map(|i| column(inputs, i)).map(|(x, y)| (x.to_bits(), y.to_bits())).collect();
            all.sort_unstable();
            all
        };
        pairs(to) == pairs(&natural)
    };
    for image in 0..5 {
        for inputs in [&shuffled, &random] {
            assert_ne!(rows(&inputs.train, image), rows(&natural.train, image));
            assert_eq!(sorted(rows(&inputs.train, image)), sorted(rows(&natural.train, image)));
        }
        assert!(moved(&shuffled, image, image), "one order for all images, of both sets");
        assert!(!moved(&random, image, image), "an order for each image");
    }
    let noise = of(Pixels::Gaussian, &train);
    let values = noise.train.to_kind(Kind::Double);
    let (mean, n) = (values.mean(Kind::Double).double_value(&[]), values.numel() as f64);
    let variance = values.square().mean(Kind::Double).double_value(&[]);
    assert!(
        mean.abs() < 4.0 / n.sqrt() && (variance - 1.0).abs() < 4.0 * (2.0 / n).sqrt(),
        "{mean} {variance}"
    );
    // What becomes of an image does not depend on how many there are.
    for pixels in [Pixels::Shuffled, Pixels::Random, Pixels::Gaussian] {
        let fewer = of(pixels, &data.train.subset(10, 1));
        assert_eq!(rows(&fewer.train, 9), rows(&of(pixels, &train).train, 9));
    }
}

#[test]
fn same_seed_same_numbers_on_any_number_of_threads() {
    let changes = with(&SMALL, &[("conditions", "true,random,redrawn"), ("sizes", "20")]);
    let run = |seed, threads| {
        TestHost::new().seed(seed).threads(threads).run::<RandomLabels>(&changes).expect_finished()
    };
    let (a, b, c) = (run(3, 1), run(3, 2), run(4, 1));
    // Which groups are in training together depends on the threads; what becomes of each does not.
    let by_series = |recorded: &Recorded| {
        let mut rows: Vec<(String, u64)> = recorded
            .metrics
            .iter()
            .map(|p| (format!("{:?} {:?}", p.series, p.epoch), p.value.to_bits()))
            .collect();
        rows.sort();
        rows
    };
    assert_eq!(by_series(&a), by_series(&b));
    assert_ne!(by_series(&a), by_series(&c));
    assert_eq!(bits(&a.metrics), bits(&run(3, 1).metrics));
}

#[test]
fn a_resumed_run_is_the_uninterrupted_one_bit_for_bit() {
    for changes in [
        &[][..],
        &[("optimizer", "sgd"), ("lr", "0.05"), ("conditions", "redrawn,gaussian"), ("corruptions", "0.5")],
    ] {
        let params = with(&SMALL, changes);
        let host = TestHost::new().seed(5);
        let whole = host.run::<RandomLabels>(&params).expect_finished();
        // While the first groups are in training, and when some have ended.
        for stop in [3, 8] {
            let interrupted = host.run_interrupted::<RandomLabels>(stop, &params);
            interrupted.assert_equals(&whole);
            assert_eq!(interrupted.second.figures.last(), whole.figures.last());
        }
    }
}

/// Groups begin and end in different rounds, and the control's labels change: none of it moves a reading.
#[test]
fn instruments_change_nothing_and_survive_an_interruption() {
    let host = TestHost::new().seed(5).threads(2);
    let params =
        with(&SMALL, &[("conditions", "true,random,redrawn"), ("corruptions", "0.5"), ("trials", "1")]);
    for stop in [2, 6] {
        assert_harmless::<RandomLabels>(&host, &params, stop);
    }
}

/// Every condition is read, no sweep is; and of the control, the curvature of the labels it has, not of its first ones.
#[test]
fn instruments_read_the_conditions_alone() {
    let changes = [("conditions", "random,redrawn"), ("corruptions", "0.5"), ("networks", "mlp")];
    let read = [("instruments", "1"), ("instruments_curvature", "4"), ("instruments_samples", "60")];
    let recorded = run(4, &[&changes[..], &read].concat());
    let of = |model: &str, metric: &str| {
        recorded.series(Series::metric(metric).model(model).split("train").trial(1))
    };
    let epochs = |model: &str| curve(&recorded, model, "loss", "train").len() - 1;
    for model in ["mlp random", "mlp redrawn"] {
        assert_eq!(of(model, "batch/grad_norm").len(), 4 * epochs(model), "60 images are 4 batches of 16");
    }
    assert!(of("mlp corrupted 0.5", "batch/grad_norm").is_empty());
    // Two networks that only differ in what the later labels are: equal curvature before the first update, no longer after it.
    let (fixed, redrawn) = (of("mlp random", "curvature/trace"), of("mlp redrawn", "curvature/trace"));
    assert_eq!(fixed.len(), 4);
    assert!(fixed[0] == redrawn[0] && fixed[1] != redrawn[1], "{fixed:?} {redrawn:?}");
}

/// A stop within a round leaves every network where it is, and the round goes on from there.
#[test]
fn a_round_that_a_stop_cuts_short_is_gone_on_with() {
    use std::sync::atomic::{AtomicI64, Ordering};
    let folder = std::env::temp_dir().join(format!("gradtop-random-labels-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let conditions = &[Condition::Random, Condition::Redrawn];
    let mut whole = training(conditions, 1);
    let rows: Vec<_> = (0..4).map(|_| whole.round(&|| false).unwrap().unwrap()).collect();
    // Asked before every step of every network: some stand within their epoch, some before, one after.
    for questions in [1, 3, 9, 14] {
        let mut first = training(conditions, 1);
        let mut joined: Vec<_> = (0..2).map(|_| first.round(&|| false).unwrap().unwrap()).collect();
        let asked = AtomicI64::new(0);
        let stop = || asked.fetch_add(1, Ordering::Relaxed) >= questions;
        assert!(first.round(&stop).unwrap().is_none());
        assert_eq!(first.rounds(), 2);
        first.save(&folder).unwrap();
        let mut second = training(conditions, 1);
        second.restore(&folder).unwrap();
        joined.extend((0..2).map(|_| second.round(&|| false).unwrap().unwrap()));
        assert_eq!(joined, rows, "after {questions} steps");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_diverged_network_is_said_and_trained_no_further() {
    let recorded = run(
        1,
        &[
            ("networks", "mlp"),
            ("conditions", "true"),
            ("optimizer", "sgd"),
            ("lr", "10"),
            ("hidden", "80,80,80,80"),
            ("epochs", "30"),
        ],
    );
    assert!(
        recorded.text.iter().any(|t| t.0 == Level::Warning && t.1.contains("mlp true, trial 0 diverged"))
    );
    assert!(curve(&recorded, "mlp true", "loss", "train").len() < 30);
    let told = recorded.text.iter().find(|t| t.1.contains("60 true labels")).unwrap();
    assert!(told.1.contains("diverged)"), "{}", told.1);
}

#[test]
fn wrong_parameters_are_refused_with_their_reason() {
    for (changes, part) in [
        (vec![("networks", "mlp,vgg")], "`vgg`, but must be a list of mlp, shallow"),
        (vec![("conditions", "true,false")], "`false`, but each must be one of true, random"),
        (vec![("corruptions", "0.5,1.2")], "names `1.2`, but each must be at least 0 and at most 1"),
        (vec![("corruptions", "1e-300")], "1e-300, but must be 0 or at least 1e-12"),
        (vec![("sizes", "10.5")], "`10.5`, but each must be a whole number"),
        (vec![("sizes", "many")], "`many`, but each must be a whole number"),
        (vec![("hidden", "0")], "`0`, but each must be at least 1"),
    ] {
        let why = TestHost::new().run::<RandomLabels>(&with(&SMALL, &changes)).expect_failure();
        assert!(why.contains(part), "{changes:?}: {why}");
    }
}
