use gradtop_store::{InQueue, ParamValue, SeriesKey, State, Status, View, Waiting};
use gradtop_tests::run_fixtures::{RunFixtures, run};
use jiff::Timestamp;
use serde_json::Value;

use super::{facts, headline, json, param, progress, remark};

#[test]
fn the_epoch_of_the_last_of_many_networks_is_not_that_of_the_run() {
    let of = |state: State, epochs_restart| {
        let spec = run("labels", "a", 1).at(state, 651).with(|_, s| {
            (s.epoch, s.epochs_restart) = (Some(55.0), epochs_restart);
        });
        let mut fixtures = RunFixtures::new();
        let run = fixtures.make(&spec);
        let view = gradtop_store::view(&run).expect("it was made");
        let epoch = progress::epoch(&view);
        assert_eq!(json::of(&view)["epoch"].as_f64(), epoch, "in JSON as elsewhere");
        epoch
    };
    assert_eq!(of(State::Running, true), Some(55.0), "of the network it is training");
    assert_eq!(of(State::Finished, true), None);
    assert_eq!(of(State::Finished, false), Some(55.0));
}

#[test]
fn what_a_run_took_says_how_much_of_it_was_training() {
    let words = |elapsed, trained| {
        let spec = run("fit", "a", 1).at(State::Stopped, 20).with(|_, s| {
            (s.elapsed_s, s.trained_s, s.ended) = (Some(elapsed), trained, Some(s.updated));
        });
        let mut fixtures = RunFixtures::new();
        progress::took_words(
            &gradtop_store::view(&fixtures.make(&spec)).expect("it was made"),
            Timestamp::now(),
        )
    };
    assert_eq!(words(83.1, Some(60.3)).as_deref(), Some("1m23s, 1m00s of it training"));
    assert_eq!(words(60.4, Some(60.3)).as_deref(), Some("1m00s"), "starting takes a moment");
    assert_eq!(words(60.4, None).as_deref(), Some("1m00s"), "of an older version");
}

#[test]
fn of_a_run_whose_processes_are_not_seen_no_more_is_said_than_it_wrote() {
    let spec = run("fit", "a", 1).at(State::Running, 20).with(|_, s| s.elapsed_s = Some(5.0));
    let mut fixtures = RunFixtures::new();
    let mut view = gradtop_store::view(&fixtures.make(&spec)).expect("it was made");
    (view.state, view.certain) = (State::Running, false);
    let later = view.status.updated + jiff::SignedDuration::from_hours(9);
    assert_eq!(progress::took(&view, later), Some(5.0));
    view.certain = true;
    assert_eq!(progress::took(&view, later), Some(5.0 + 9.0 * 3600.0));
}

#[test]
fn training_that_is_over_takes_no_longer_while_its_rows_are_written() {
    let spec = run("fit", "a", 1).at(State::Running, 20).with(|_, s| {
        (s.elapsed_s, s.trained_s, s.is_trained) = (Some(5.0), Some(3.0), true);
    });
    let mut fixtures = RunFixtures::new();
    let mut view = gradtop_store::view(&fixtures.make(&spec)).expect("it was made");
    (view.state, view.certain) = (State::Running, true);
    let later = view.status.updated + jiff::SignedDuration::from_secs(2);
    assert_eq!(progress::trained(&view, later), Some(3.0));
    view.status.is_trained = false;
    assert_eq!(progress::trained(&view, later), Some(5.0));
}

#[test]
fn a_failed_run_says_its_cause_and_its_last_alert() {
    let spec = run("fit", "a", 1).at(State::Failed, 20).cause("exit code 7");
    let mut fixtures = RunFixtures::new();
    let mut view = gradtop_store::view(&fixtures.make(&spec)).expect("it was made");
    let (time, message) = (Timestamp::now(), "loss is 3, which is > 2, at step 8".to_owned());
    view.alert = Some(gradtop_store::RaisedAlert { time, message, of_end: false });
    assert_eq!(remark::of(&view).as_deref(), Some("exit code 7; alert: loss is 3, which is > 2, at step 8"));
}

#[test]
fn the_time_of_an_import_that_is_followed_is_that_of_its_rows() {
    let spec = run("csv", "a", 1).at(State::Running, 20).with(|m, s| {
        (m.import, s.elapsed_s) = (Some(gradtop_store::ImportInfo::default()), Some(5.0));
    });
    let mut fixtures = RunFixtures::new();
    let view = gradtop_store::view(&fixtures.make(&spec)).expect("it was made");
    assert_eq!(progress::took(&view, view.status.updated + jiff::SignedDuration::from_secs(7)), Some(5.0));
}

#[test]
fn facts_have_names_of_their_own() {
    let mut fixtures = RunFixtures::new();
    let mut names = |spec| {
        let view = gradtop_store::view(&fixtures.make(&spec)).expect("it was made");
        let facts = facts::of_run(&view, |time| time.to_string()).into_iter().map(|fact| fact.name);
        facts.chain(progress::took_fact(&view, Timestamp::now()).map(|(name, _)| name)).collect::<Vec<_>>()
    };
    let plain = names(run("fit", "a", 1).at(State::Finished, 20));
    assert!(plain.contains(&"seed") && plain.contains(&"took"), "{plain:?}");
    let own = names(run("fit", "b", 1).at(State::Running, 20).param("seed", ParamValue::Int(3)));
    assert!(own.contains(&"run's seed") && own.contains(&"so far"), "{own:?}");
    assert!(!own.contains(&"seed") && !own.contains(&"took"), "{own:?}");
}

#[test]
fn in_little_room_values_still_say_what_they_are_of() {
    let mut fixtures = RunFixtures::new();
    let mut of = |name: &str, model: &str, value| {
        let run = run("fit", name, 1).series("loss", Some(model), &[(0, value)]);
        gradtop_store::view(&fixtures.make(&run)).expect("it was made")
    };
    let views = [of("a", "network-of-depth-2", 1.25e-5), of("b", "network-of-depth-3", 0.5)];
    let views: Vec<&View> = views.iter().collect();
    let brief = |room| headline::brief(&views, headline::common(&views).as_ref(), room, true);
    assert_eq!(brief(40), ["1.25e-5 network-of-depth-2", "0.5     network-of-depth-3"]);
    assert_eq!(brief(15), ["1.25e-5 net~h-2", "0.5     net~h-3"]);
}

#[test]
fn the_step_is_the_one_logged_last_however_much_work_is_done() {
    let mut fixtures = RunFixtures::new();
    let spec =
        run("fit", "a", 60).at(State::Finished, 59).with(|_, s| (s.done, s.total) = (Some(60), Some(60)));
    let json = json::of(&gradtop_store::view(&fixtures.make(&spec)).expect("it was made"));
    assert_eq!((&json["step"], &json["done"]), (&Value::from(59), &Value::from(60)));
}

#[test]
fn of_an_import_seed_threads_and_progress_are_not_known() {
    let mut fixtures = RunFixtures::new();
    let spec = run("csv", "a", 60).at(State::Finished, 9).with(|m, s| {
        m.kind = gradtop_store::Kind::Import;
        (m.import, m.threads, s.total) = (Some(gradtop_store::ImportInfo::default()), None, None);
    });
    let view = gradtop_store::view(&fixtures.make(&spec)).expect("it was made");
    let json = json::of(&view);
    assert_eq!((&json["seed"], &json["threads"], progress::of(&view)), (&Value::Null, &Value::Null, None));
}

#[test]
fn nothing_is_invented_of_a_run_that_another_program_wrote() {
    let runs = concat!(env!("CARGO_MANIFEST_DIR"), "/../store/tests/golden/minimal");
    let run = gradtop_store::find_run(runs.as_ref(), "least").expect("it is there");
    let view = gradtop_store::view(&run).expect("it can be read");
    assert_eq!(progress::of(&view), None);
    let json = json::of(&view);
    for field in ["seed", "device", "host", "threads", "done", "total"] {
        assert_eq!(json[field], Value::Null, "{field}");
    }
    assert_eq!(json["rows"], 3);
    assert_eq!(view.whereabouts(), "on an unknown machine");
}

#[test]
fn the_place_of_a_run_that_waits_is_that_of_the_list_it_is_in() {
    let mut fixtures = RunFixtures::new();
    let mut view = gradtop_store::view(&fixtures.make(&run("fit", "a", 1))).expect("it was made");
    let place = |view: &View| view.queued.as_ref().and_then(|queued| queued.place);
    assert_eq!(place(&view.clone().listed_at(16)), None);
    view.queued = Some(InQueue { place: Some(15), ..InQueue::default() });
    assert_eq!([16, 0].map(|listed| place(&view.clone().listed_at(listed))), [Some(16), Some(15)]);
}

#[test]
fn a_run_past_its_total_has_no_time_left_and_says_so() {
    let mut fixtures = RunFixtures::new();
    let mut at = |state, step, done, total| {
        let spec = run("fit", &format!("{state}-{step}"), 60).at(state, step).with(move |_, s| {
            (s.done, s.total, s.eta_s, s.steps_per_s) = (Some(done), Some(total), Some(0.0), Some(4.0));
        });
        gradtop_store::view(&fixtures.make(&spec)).expect("it was made")
    };
    let past = at(State::Running, 120, 121, 50);
    assert_eq!((progress::of(&past), progress::eta(&past)), (Some((121, 50)), None));
    assert_eq!(progress::eta_words(&past).as_deref(), Some(progress::PAST_TOTAL));
    assert_eq!(json::of(&past)["done"], 121);
    let all = at(State::Running, 49, 50, 50);
    assert_eq!((progress::eta_words(&all), progress::is_past_total(&all)), (None, false));
    // Recorded by a version that took the last step, counted from 0, for the work done.
    assert_eq!(progress::of(&at(State::Finished, 399, 399, 400)), Some((400, 400)));
    assert_eq!(progress::of(&at(State::Stopped, 399, 399, 400)), Some((399, 400)));
}

#[test]
fn a_run_that_makes_no_steps_has_no_rate() {
    let mut fixtures = RunFixtures::new();
    let mut rate = |name: &str, change: fn(&mut Status)| {
        let spec = run("fit", name, 60).at(State::Running, 120).with(|_, s| {
            (s.steps_per_s, s.eta_s) = (Some(4.0), Some(9.0));
            s.waiting =
                Some(Waiting { cause: "the disk is full".into(), rows: Some(9), since: Timestamp::now() });
            change(s);
        });
        let view = gradtop_store::view(&fixtures.make(&spec)).expect("it was made");
        (progress::rate(&view), progress::eta(&view))
    };
    assert_eq!(rate("trains", |_| ()), (Some(4.0), Some(9.0)), "rows may wait while it trains");
    assert_eq!(rate("quiet", |s| s.quiet_since = Some(Timestamp::now())), (None, None));
    assert_eq!(rate("trained", |s| s.is_trained = true), (None, None));
}

#[test]
fn what_a_lost_status_would_tell_is_not_said_to_be_nothing() {
    let mut fixtures = RunFixtures::new();
    let dir = fixtures.make(&run("fit", "a", 60).at(State::Finished, 399));
    let end = gradtop_store::Event::State { state: State::Finished, cause: None };
    gradtop_store::append_event(&dir, &end).expect("an event");
    let json = || json::of(&gradtop_store::view(&dir).expect("it was made"));
    assert_eq!((&json()["done"], &json()["total"]), (&399.into(), &20_000.into()));
    std::fs::remove_file(dir.status()).expect("it is there");
    assert_eq!((&json()["done"], &json()["total"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_parameter_is_exact_and_readable() {
    let of = |value| (param::full(&ParamValue::Float(value)), param::brief(&ParamValue::Float(value)));
    for (value, full, brief) in [
        (1e-300, "1e-300", "1e-300"),
        (1e-5, "1e-5", "1e-5"),
        (0.123_456_789, "0.123456789", "0.1235"),
        (-0.0, "-0", "-0"),
        (1.234_567_890_1e-20, "1.2345678901e-20", "1.235e-20"),
        (f64::NAN, "NaN", "NaN"),
    ] {
        assert_eq!(of(value), (full.to_owned(), brief.to_owned()));
    }
    assert_eq!(param::full(&ParamValue::Text("a\u{1b}[2J".to_owned())), "a\\u{1b}[2J");
    assert_eq!(param::full(&ParamValue::Text(String::new())), "\"\"");
}

#[test]
fn what_a_long_path_pushes_out_of_sight_is_not_when_a_copy_was_seen() {
    let mut fixtures = RunFixtures::new();
    let mut view = gradtop_store::view(&fixtures.make(&run("fit", "a", 1))).expect("it was fixtures");
    view.copied_from = Some("/runs/exp=fit/run=b".into());
    (view.seen, view.age_of_last_write) = (None, std::time::Duration::from_secs(5));
    assert_eq!(remark::location(&view), "a copy, last write 5s ago, of /runs/exp=fit/run=b");
}

#[test]
fn values_that_are_split_evenly_tell_more_runs_apart() {
    let of = |values: &[i32]| param::told_apart(values);
    assert_eq!((of(&[]), of(&[1]), of(&[1, 1, 1]), of(&[1, 2, 3])), (0.0, 0.0, 0.0, 1.0));
    assert!(of(&[1, 1, 2, 2]) > of(&[1, 1, 1, 2]) && of(&[1, 1, 2, 2]) < of(&[1, 1, 2, 3]));
}

#[test]
fn what_all_values_are_of_is_said_once_and_a_split_that_most_share() {
    let mut fixtures = RunFixtures::new();
    let mut of = |name: &str, model: &str, split: &str| {
        let key =
            SeriesKey { model: Some(model.into()), split: Some(split.into()), ..SeriesKey::metric("loss") };
        let trial = |trial| SeriesKey { trial: Some(trial), ..key.clone() };
        let run = run("fit", name, 1).logged(trial(0), &[(0, 0.5)]).logged(trial(1), &[(0, 0.5)]);
        gradtop_store::view(&fixtures.make(&run)).expect("it was made")
    };
    let views = [of("a", "deep", "test"), of("b", "deep", "test"), of("c", "deep", "val")];
    let said =
        |views: &[&View]| headline::common(views).map(|common| common.said_once(views)).expect("a metric");
    let views: Vec<&View> = views.iter().collect();
    let all = said(&views);
    assert_eq!((all.title().as_str(), all.told().of().as_str()), ("last test loss", "geometric mean of 2"));
    let told = |view| headline::told(view, Some(&all)).of();
    assert_eq!(views.iter().map(|view| told(view)).collect::<Vec<_>>(), ["deep", "deep", "deep · val"]);
    let same = said(&views[..2]);
    assert_eq!(
        (same.told().of().as_str(), headline::told(views[0], Some(&same)).of().as_str()),
        ("deep · geometric mean of 2", "")
    );
}

#[test]
fn a_mean_is_called_one_where_its_series_is_cut() {
    let told = headline::Told {
        value: "0.5".to_owned(),
        series: "a-network-with-a-name".to_owned(),
        split: String::new(),
        mean: "geometric mean of 3".to_owned(),
        least: "geo.",
    };
    let of = |room| told.of_within(room, true);
    assert_eq!(of(50), "a-network-with-a-name · geometric mean of 3");
    assert_eq!(of(38), "a-network-with-a-name · geometric mean");
    assert_eq!(of(34), "a-network-with-a-name · geometric");
    assert_eq!(of(30), "a-network-with-a-name · geo.");
    assert_eq!(of(18), "a-net~-name · geo.");
}

#[test]
fn a_split_that_the_title_does_not_name_is_not_cut() {
    let told = headline::Told {
        value: "0.5".to_owned(),
        series: "middle · sign".to_owned(),
        split: "sign".to_owned(),
        mean: "geometric mean of 3".to_owned(),
        least: "geo.",
    };
    let of = |room| told.of_within(room, true);
    assert_eq!(
        [20, 19, 18, 12, 11, 6].map(of),
        [
            "middle · sign · geo.",
            "mi~le · sign · geo.",
            "mi~e · sign · geo.",
            "sign · geo.",
            "sign · geo.",
            "sign"
        ]
    );
}

/// A log of another program may say that the metric is linear.
#[test]
fn a_geometric_mean_is_called_so_in_any_room() {
    let mut fixtures = RunFixtures::new();
    let mut of = |name: &str, log: bool| {
        let trial = |trial| SeriesKey { trial: Some(trial), ..SeriesKey::metric("loss") };
        let run = run("fit", name, 1).logged(trial(0), &[(0, 0.5)]).logged(trial(1), &[(0, 0.5)]);
        let run = run.with(|manifest, _| manifest.metrics.iter_mut().for_each(|metric| metric.log = log));
        gradtop_store::view(&fixtures.make(&run)).expect("it was made")
    };
    let views = [of("a", true), of("b", false)];
    let said = |views: &[&View], room| {
        let common = headline::common(views);
        views
            .iter()
            .map(|view| headline::told(view, common.as_ref()).of_within(room, true))
            .collect::<Vec<_>>()
    };
    let both: Vec<&View> = views.iter().collect();
    assert_eq!(said(&both, 20), ["geometric mean of 2", "mean of 2"]);
    assert_eq!(said(&both, 14), ["geometric mean", "mean of 2"]);
    assert_eq!(said(&both, 9), ["geometric", "mean of 2"]);
    assert_eq!(said(&both, 8), ["geo.", "mean"]);
    assert_eq!(said(&both[..1], 9), ["geometric"], "nothing else is there");
    assert_eq!(
        headline::brief(&both, headline::common(&both).as_ref(), 13, true),
        ["0.5 geometric", "0.5 mean"]
    );
}

#[test]
fn values_of_different_units_have_theirs() {
    let mut fixtures = RunFixtures::new();
    let mut of = |name: &str, unit: Option<&str>| {
        let run = run("fit", name, 1).series("loss", None, &[(0, 0.5)]);
        let run = run.with(|manifest, _| manifest.metrics[0].unit = unit.map(str::to_owned));
        gradtop_store::view(&fixtures.make(&run)).expect("it was made")
    };
    let views = [of("a", Some("s")), of("b", Some("ms")), of("c", None)];
    let brief = |views: &[&View]| headline::brief(views, headline::common(views).as_ref(), 13, true);
    assert_eq!(brief(&views.iter().collect::<Vec<_>>()), ["0.5 s", "0.5 ms", "0.5"]);
    assert_eq!(brief(&[&views[0]]), ["0.5"], "all have it");
}
