#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_store::{HeadlineValue, MetricInfo, ParamValue, SeriesKey, State};

use crate::app::testing::{Bench, SIZES, run};
use crate::list_view::ListView;
use crate::screens::actions::RunAction;
use crate::screens::effect::{Answer, Message, Open, Task};
use gradtop_chart::cells::glyphs::Glyphs;
use gradtop_chart::colour::Colours;

/// Fills the bench with two experiments, and runs in most states.
fn fill(mut bench: Bench) -> Bench {
    let text = |v: &str| ParamValue::Text(v.into());
    let specs = [
        run("plane-curves", "fit-default-3", 3).at(State::Running, 15_200).losses(),
        run("plane-curves", "fit-default-2", 12).param("function", text("sgn∘sin")).losses(),
        run("plane-curves", "fit-quick", 95)
            .at(State::Stopped, 8_000)
            .param("lr", ParamValue::Float(0.01))
            .losses(),
        run("sorted-digits", "rl-lenet", 40).at(State::Paused, 8_200).with(|m, s| {
            m.params.push(("model".into(), ParamValue::Text("lenet".into())));
            s.epoch = Some(164.0);
        }),
        run("sorted-digits", "rl-mlp", 1600)
            .at(State::Crashed, 4_400)
            .cause("killed by SIGKILL (out of memory)")
            .param("model", text("mlp")),
        run("sorted-digits", "rl-elsewhere", 6000)
            .at(State::Running, 100)
            .with(|m, _| (m.host, m.boot_id) = (Some("cluster-7".into()), Some("another".into()))),
    ];
    for spec in &specs {
        bench.make(spec);
    }
    bench.read();
    bench
}

fn full() -> Bench {
    fill(Bench::new())
}

#[test]
fn the_list_at_every_size() {
    let mut bench = full();
    for (width, height) in SIZES {
        bench.resize(width, height);
        insta::assert_snapshot!(format!("list_{width}x{height}"), bench.screen());
    }
}

#[test]
fn a_long_name_is_whole_where_there_is_room() {
    let name = "study-default-descent-of-a-ball-on-a-slope-with-momentum-2";
    let mut bench = Bench::of(vec![run("descent-of-a-ball", name, 3).losses()]);
    bench.resize(200, 50);
    let line =
        |bench: &Bench| bench.screen().lines().find(|l| l.contains("study-default")).unwrap().to_owned();
    assert!(line(&bench).contains(name), "{}", line(&bench));
    bench.resize(80, 24);
    assert!(!line(&bench).contains(name) && line(&bench).contains("20,000"), "{}", line(&bench));
}

#[test]
fn a_long_name_of_a_metric_is_whole_where_there_is_room_for_what_it_says() {
    let metric = "sensitivity_of_probabilities";
    let spec = run("wobbling-it", "sens", 3).losses().with(|m, s| {
        m.metrics.push(MetricInfo { name: metric.into(), headline: true, ..MetricInfo::default() });
        s.headline.push(HeadlineValue { key: SeriesKey::metric(metric), value: 0.4321 });
    });
    let mut bench = Bench::of(vec![spec]);
    bench.resize(120, 40);
    let screen = bench.screen();
    // Readers look for the name of the metric: short values leave room for it.
    for said in ["last sensitivity_of_probabilities  0.4321", "threads 2", "seed 7"] {
        assert!(screen.contains(said), "{said}: {screen}");
    }
    bench.resize(80, 24);
    let screen = bench.screen();
    assert!(screen.contains("ilities  0.4321"), "{screen}");
}

#[test]
fn runs_are_sorted_by_the_numbers_in_their_names() {
    let names = ["rl-10", "rl-9", "rl-100"];
    let mut bench = Bench::of(names.iter().map(|n| run("sorted-digits", n, 1)).collect());
    bench.resize(120, 40);
    let order = |bench: &Bench| -> Vec<String> {
        let screen = bench.screen();
        let rows = screen.lines().filter(|l| l.contains("finished") && l.contains("rl-"));
        rows.filter_map(|l| l.split_whitespace().find(|w| w.starts_with("rl-")).map(str::to_owned)).collect()
    };
    for _ in 0..20 {
        if order(&bench) == ["rl-9", "rl-10", "rl-100"] {
            return;
        }
        bench.keys("s");
    }
    panic!("never by name: {:?}", order(&bench));
}

#[test]
fn ascii_has_only_ascii() {
    let bench = fill(Bench::with(Glyphs::Ascii, Colours::None, false));
    let screen = bench.screen();
    // Letters in a parameter are what the user typed.
    let signs: String = screen.chars().filter(|c| !c.is_ascii() && *c != '∘').collect();
    assert_eq!(signs, "", "{screen}");
    insta::assert_snapshot!("list_ascii", screen);
}

#[test]
fn nothing_yet() {
    let mut bench = Bench::new();
    insta::assert_snapshot!("before_the_first_look", bench.screen());
    bench.read();
    insta::assert_snapshot!("no_runs", bench.screen());
    bench.app.shared.opened = Some("/data/logs".into());
    let screen = bench.screen();
    assert!(screen.contains("No logs in /data/logs yet.") && screen.contains("metrics.csv"), "{screen}");
    assert!(screen.starts_with(" gradtop  /data/logs\n"), "what was opened, not the cache: {screen}");
    assert!(!screen.contains("n  start one here"), "{screen}");
}

#[test]
fn the_name_of_a_metric_is_not_cut_where_it_has_lines() {
    let spec = run("labels", "a", 1).with(|m, s| {
        m.metrics = vec![MetricInfo { name: "accuracy".into(), headline: true, ..MetricInfo::default() }];
        s.headline.push(HeadlineValue {
            key: SeriesKey {
                model: Some("mlp true".into()),
                split: Some("test".into()),
                ..SeriesKey::metric("accuracy")
            },
            value: 0.85,
        });
    });
    let mut bench = Bench::of(vec![spec]);
    bench.resize(80, 24);
    let screen = bench.screen();
    let cut = screen.lines().any(|line| line.contains("…") && line.contains("mlp true"));
    assert!(!cut && screen.contains(" last  ") && screen.contains(" accuracy  "), "{screen}");
}

#[test]
fn the_cursor_is_on_its_run_again_after_a_filter_that_hid_it() {
    let mut bench = full();
    let on = |bench: &Bench| bench.targets().first().map(|id| id.dir().name());
    bench.keys("down down");
    let chosen = on(&bench);
    for (filter, end) in [("step>>3 and", "enter"), ("step>>3 and", "esc"), ("nothing-like-it", "esc")] {
        bench.keys("/");
        bench.type_text(filter);
        bench.read();
        bench.keys(end);
        assert_eq!(on(&bench), chosen, "{filter} {end}");
    }
    // Also while a filter is typed, unless the user has moved the cursor meanwhile.
    bench.keys("/");
    bench.type_text("rl-mlpp");
    bench.keys("backspace");
    assert_eq!(on(&bench).as_deref(), Some("rl-mlp"));
    bench.keys("ctrl-u");
    assert_eq!(on(&bench), chosen);
    bench.keys("up enter");
    assert_eq!(on(&bench).as_deref(), Some("fit-default-2"));
}

#[test]
fn a_message_of_several_lines_does_not_hide_the_cursor() {
    let names: Vec<String> = (0..20).map(|n| format!("fit-{n}")).collect();
    let mut bench = Bench::of(names.iter().map(|name| run("fit", name, 1)).collect());
    bench.resize(40, 15);
    bench.keys("end");
    let marked = |bench: &Bench| bench.screen().lines().any(|line| line.starts_with(" ›"));
    assert!(marked(&bench), "{}", bench.screen());
    let text = format!("fit-3: {}this rule tells no more", "loss is 25.5 at step 1200; ".repeat(2));
    bench.answer(Answer::Done(Message::failure(text), None));
    assert!(bench.screen().contains(" rule") && marked(&bench), "{}", bench.screen());
}

#[test]
fn a_run_that_leaves_the_queue_stays_selected_and_under_the_cursor() {
    let waits = |name: &str, minutes| run("fit", name, minutes).at(State::Queued, 0);
    let mut bench = Bench::of(vec![run("fit", "a", 1).at(State::Running, 1), waits("b", 2), waits("c", 3)]);
    let started = bench.app.shared.runs.clone();
    bench.queue(&["b", "c"]);
    bench.keys("home down a");
    bench.send(crate::app::Msg::Runs(started));
    let names = |bench: &Bench| bench.targets().iter().map(|id| id.dir().name()).collect::<Vec<_>>();
    assert_eq!(names(&bench), ["a", "b", "c"]);
    bench.keys("esc");
    assert_eq!(names(&bench), ["b"]);
}

#[test]
fn the_cursor_stays_on_its_run() {
    let mut bench = full();
    bench.keys("down");
    let on = |bench: &Bench| bench.targets().first().map(|id| id.dir().name()).unwrap();
    assert_eq!(on(&bench), "fit-default-2");
    bench.make(&run("plane-curves", "fit-new", 0));
    bench.read();
    assert_eq!(on(&bench), "fit-default-2");
    bench.keys("s s s o");
    assert_eq!(on(&bench), "fit-default-2");
}

#[test]
fn stopping_promises_a_resume_only_where_there_is_one() {
    let held = |name: &str, resumable: bool| {
        let made = run("plane-curves", name, 3).at(State::Running, 100);
        made.with(|m, _| m.experiment.resumable = resumable)
    };
    let dialog = |specs, keys: &str| {
        let mut bench = Bench::of(specs);
        bench.keys(keys);
        bench.screen()
    };
    let said = dialog(vec![held("a", true)], "S");
    assert!(said.contains("saves a checkpoint, and can be resumed"), "{said}");
    let said = dialog(vec![held("a", false)], "S");
    assert!(said.contains("cannot be resumed") && !said.contains("can be resumed"), "{said}");
    let said = dialog(vec![held("a", false), held("b", true)], "a S");
    assert!(said.contains("1 of them finishes its step, saves a checkpoint"), "{said}");
    assert!(said.contains("1 of them finishes its step. It cannot be resumed"), "{said}");
}

#[test]
fn stopping_says_what_becomes_of_a_queued_run_and_of_a_command() {
    let queued = || run("fit", "waits", 3).at(State::Queued, 0);
    let command = || {
        run("command", "sleeps", 3).at(State::Running, 100).with(|m, _| {
            m.kind = gradtop_store::Kind::Command;
            m.experiment.resumable = false;
            m.command = Some(gradtop_store::CommandInfo::default());
        })
    };
    let dialog = |specs, keys: &str| {
        let mut bench = Bench::of(specs);
        bench.queue(&["waits"]);
        bench.keys(keys);
        bench.screen()
    };
    let said = dialog(vec![queued()], "home down S");
    assert!(
        said.contains("It leaves the queue, and is not started.") && !said.contains("finishes its step"),
        "{said}"
    );
    let said = dialog(vec![command()], "S");
    assert!(said.contains("by SIGTERM") && !said.contains("finishes its step"), "{said}");
    let imported = run("imported", "a", 3).at(State::Running, 100).with(|m, _| {
        (m.kind, m.plugin, m.experiment.resumable) = (gradtop_store::Kind::Import, None, false);
    });
    let said = dialog(vec![imported], "S");
    assert!(said.contains("It is read no further. The tool that writes its log goes on."), "{said}");
    let bench = Bench::of(vec![command()]);
    let why = gradtop_host::allowed(&bench.app.shared.runs.rows[0].view, gradtop_host::Action::Checkpoint);
    let why = why.unwrap_err().to_string();
    assert_eq!(why, "saves no checkpoints: its command was started without --resumable");
    let said = dialog(vec![queued(), command()], "a S");
    assert!(said.contains("1 of them leaves the queue"), "{said}");
    assert!(said.contains("1 of them is asked to end"), "{said}");
}

#[test]
fn of_several_runs_none_of_which_can_be_stopped_the_message_counts_all() {
    let ended = |name| run("plane-curves", name, 3).at(State::Finished, 100);
    let mut bench = Bench::of(vec![ended("a"), ended("b")]);
    bench.keys("a S");
    assert!(bench.screen().contains("cannot stop any of the 2 selected runs: "), "{}", bench.screen());
}

#[test]
fn runs_are_selected_and_acted_on() {
    let mut bench = full();
    let acts = |bench: &mut Bench| -> Vec<(RunAction, Vec<String>)> {
        let names = |ids: Vec<gradtop_view::runs::RunId>| ids.iter().map(|id| id.dir().name()).collect();
        let all = bench.take().into_iter();
        all.filter_map(|e| if let Task::Act(a, ids) = e { Some((a, names(ids))) } else { None }).collect()
    };
    bench.keys("p");
    assert_eq!(acts(&mut bench), [(RunAction::Pause, vec!["fit-default-3".to_owned()])]);
    // Only those selected runs that can be paused count.
    bench.keys("a p");
    assert_eq!(acts(&mut bench), [(RunAction::Pause, vec!["fit-default-3".to_owned()])]);
    bench.keys("a r");
    assert_eq!(acts(&mut bench), []);
    assert!(bench.screen().contains("fit-default-3 is running"), "{}", bench.screen());
    // Deleting asks, and "no" means no.
    bench.keys("down space space D");
    assert!(bench.screen().contains("delete"), "{}", bench.screen());
    insta::assert_snapshot!("confirm_delete", bench.screen());
    bench.keys("n");
    assert_eq!(acts(&mut bench), []);
    bench.keys("D y");
    let both = vec!["fit-default-2".to_owned(), "fit-quick".to_owned()];
    assert_eq!(acts(&mut bench), [(RunAction::Delete, both)]);
    // A running run cannot be deleted.
    bench.keys("esc home D");
    assert!(bench.screen().contains("stop it first"), "{}", bench.screen());
    assert_eq!(acts(&mut bench), []);
}

#[test]
fn a_filter_narrows_as_it_is_typed() {
    let mut bench = full();
    bench.keys("/");
    bench.type_text("state:runn");
    assert!(bench.screen().contains("there is no state runn"), "{}", bench.screen());
    insta::assert_snapshot!("filter_error", bench.screen());
    bench.resize(40, 15);
    let screen = bench.screen();
    assert!(screen.contains("there is no state runn; did you mean\n running?"), "{screen}");
    bench.resize(120, 40);
    bench.type_text("ing lr<0.01");
    let screen = bench.screen();
    assert!(screen.contains("fit-default-3") && !screen.contains("fit-default-2"), "{screen}");
    bench.keys("enter");
    insta::assert_snapshot!("filter_kept", bench.screen());
    // Keys are commands again; escape clears the filter.
    bench.keys("esc");
    assert!(bench.screen().contains("rl-mlp"));
    bench.keys("/");
    bench.type_text("mlp");
    bench.keys("esc");
    assert!(bench.screen().contains("fit-default-3"), "escape goes restore the previous filter");
    bench.keys("/");
    bench.type_text("nothing-like-this");
    bench.keys("enter");
    insta::assert_snapshot!("filter_without_match", bench.screen());
}

#[test]
fn the_columns_are_of_the_parameters_that_differ_among_what_is_shown() {
    let text = |v: &str| ParamValue::Text(v.into());
    let spec = |name: &str, lr| run("fit", name, 3).param("lr", ParamValue::Float(lr));
    let mut bench = Bench::of(vec![
        spec("a-1", 0.5).param("model", text("shallow")),
        spec("a-2", 0.25).param("model", text("shallow")),
        spec("b", 0.25).param("model", text("deep")),
    ]);
    let titles = |bench: &Bench| bench.screen().lines().find(|l| l.contains("state ")).unwrap().to_owned();
    assert!(titles(&bench).contains(" lr ") && titles(&bench).contains(" model "), "{}", bench.screen());
    bench.keys("/");
    bench.type_text("name:a*");
    bench.keys("enter");
    assert!(titles(&bench).contains(" lr ") && !titles(&bench).contains(" model "), "{}", bench.screen());
}

#[test]
fn where_nothing_is_shown_nothing_is_meant() {
    let mut bench = full();
    bench.keys("/");
    bench.type_text("name:nobody");
    bench.keys("enter");
    for key in ["enter", "space", "S", "D", "c", "*"] {
        bench.keys(key);
        assert!(bench.targets().is_empty(), "{key}");
        assert!(bench.screen().contains("No run matches"), "{key}: {}", bench.screen());
    }
}

#[test]
fn only_what_is_shown_is_acted_on() {
    let mut bench = full();
    bench.keys("a /");
    bench.type_text("mlp");
    bench.keys("enter D y");
    let acted = bench.take().into_iter().find_map(|e| match e {
        Task::Act(RunAction::Delete, ids) => Some(ids.len()),
        _ => None,
    });
    assert_eq!(acted, Some(1));
}

#[test]
fn a_filter_shows_what_it_finds_in_folded_groups() {
    let mut bench = full();
    bench.keys("left");
    assert!(!bench.screen().contains("stopped   fit-quick"));
    bench.keys("/");
    bench.type_text("quick");
    bench.keys("enter");
    assert!(bench.screen().contains("stopped   fit-quick"), "{}", bench.screen());
    // Groups can be folded all the same; without the filter, everything is as before.
    bench.keys("home left");
    assert!(!bench.screen().contains("stopped   fit-quick"), "{}", bench.screen());
    bench.keys("enter");
    assert!(bench.screen().contains("stopped   fit-quick"));
    bench.keys("esc");
    assert!(
        !bench.screen().contains("stopped   fit-quick") && bench.screen().contains("rl-mlp"),
        "{}",
        bench.screen()
    );
}

#[test]
fn folders_that_cannot_be_read_are_named() {
    let mut bench = full();
    let mut snapshot = (*bench.app.shared.runs).clone();
    let path = std::path::PathBuf::from("runs/exp=fit/run=torn");
    snapshot.unreadable = vec![(path, "cannot understand runs/exp=fit/run=torn/run.toml: no".to_owned())];
    bench.send(crate::app::Msg::Runs(snapshot.into()));
    bench.resize(120, 60);
    assert!(
        bench.screen().contains("   torn cannot be read: cannot understand run.toml: no"),
        "{}",
        bench.screen()
    );
    bench.keys("end");
    assert!(bench.targets().len() == 1, "the cursor is on a run");
    // Also if there is nothing else, or nothing else that the filter takes.
    bench.keys("/ n o n e enter");
    for words in ["No run matches", "torn cannot be read"] {
        assert!(bench.screen().contains(words), "{}", bench.screen());
    }
    let mut empty = Bench::new();
    let mut alone = gradtop_view::runs::RunsSnapshot::new("runs".into(), Vec::new(), Vec::new());
    alone.unreadable = bench.app.shared.runs.unreadable.clone();
    empty.send(crate::app::Msg::Runs(alone.into()));
    assert!(empty.screen().contains("torn cannot be read"), "{}", empty.screen());
}

#[test]
fn a_folder_of_runs_that_does_not_exist_is_not_one_without_runs() {
    let mut bench = Bench::new();
    let mut none = gradtop_view::runs::RunsSnapshot::new("runz".into(), Vec::new(), Vec::new());
    none.missing = true;
    bench.send(crate::app::Msg::Runs(none.into()));
    assert!(bench.screen().contains("No runs yet: there is no folder runz."), "{}", bench.screen());
}

#[test]
fn the_footer_names_what_can_be_done() {
    let mut bench = full();
    bench.resize(200, 50);
    bench.keys("up down");
    let last = |bench: &Bench| bench.screen().lines().last().unwrap_or_default().to_owned();
    let first = last(&bench);
    assert!(first.contains("p pause") && first.contains("S stop") && !first.contains("r resume"), "{first}");
    bench.keys("down");
    let second = last(&bench);
    assert!(
        !second.contains("p pause") && !second.contains("S stop") && !second.contains("r resume"),
        "{second}"
    );
    bench.keys("down");
    assert!(last(&bench).contains("r resume"), "{}", last(&bench));
    bench.keys("x");
    assert!(!last(&bench).contains("x experiments"), "{}", last(&bench));
}

#[test]
fn a_view_has_columns_of_its_own() {
    let view = |columns: &[&str]| ListView {
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        ..ListView::default()
    };
    let mut bench = full();
    bench.resize(120, 36);
    bench.open(Open::Listed(view(&["name", "LR", "progress", "host", "rows"])));
    insta::assert_snapshot!("chosen_columns", bench.screen());
    let titles = |bench: &Bench| bench.screen().lines().nth(2).unwrap_or_default().to_owned();
    // Narrowing comes before dropping, the last column first and names last.
    bench.resize(30, 24);
    let narrow = titles(&bench);
    assert!(narrow.contains("name") && narrow.contains("lr") && !narrow.contains("rows"), "{narrow}");
    bench.resize(120, 36);
    bench.keys("s");
    assert_eq!(bench.app.shared.settings.home.sort.by, "name");
    bench.keys("s");
    assert!(titles(&bench).contains("lr▾"), "{}", titles(&bench));
    bench.open(Open::Listed(view(&["name", "nothing"])));
    assert!(bench.screen().contains("no run has a nothing"), "{}", bench.screen());
    bench.keys("esc");
    assert!(titles(&bench).contains("step"), "{}", titles(&bench));
}

#[test]
fn groups_fold() {
    let mut bench = full();
    bench.keys("left");
    let screen = bench.screen();
    assert!(!screen.contains("fit-quick") && screen.contains("rl-mlp"), "{screen}");
    insta::assert_snapshot!("folded", screen);
    assert!(bench.app.shared.settings.home.folded.contains("plane-curves"));
    bench.keys("enter");
    assert!(bench.screen().contains("fit-quick"));
}

#[test]
fn sorting_by_a_column_and_by_a_click() {
    let mut bench = full();
    let names = |bench: &Bench| -> Vec<String> {
        let screen = bench.screen();
        let rows = screen.lines().take(20);
        rows.filter_map(|l| l.split_whitespace().find(|w| w.starts_with("fit-")).map(str::to_owned)).collect()
    };
    assert_eq!(names(&bench)[..3], ["fit-default-3", "fit-default-2", "fit-quick"]);
    bench.keys("o");
    assert_eq!(names(&bench)[..3], ["fit-quick", "fit-default-2", "fit-default-3"]);
    // A click on the heading of steps sorts the largest first.
    let screen = bench.screen();
    let (y, line) = screen.lines().enumerate().find(|(_, l)| l.contains(" step")).unwrap();
    let x = line.chars().take_while(|c| *c != 's').count();
    assert!(line.chars().skip(x).collect::<String>().starts_with("state"));
    let step = line.char_indices().position(|(i, _)| line[i..].starts_with("step")).unwrap();
    bench.click(step as u16, y as u16);
    assert_eq!(bench.app.shared.settings.home.sort.by, "step");
    assert_eq!(names(&bench)[..3], ["fit-default-2", "fit-default-3", "fit-quick"]);
}

#[test]
fn opening_and_comparing() {
    let mut bench = full();
    bench.keys("enter");
    assert_eq!(bench.targets(), [bench.id("fit-default-3")]);
    bench.keys("esc c");
    let screen = bench.screen();
    assert!(screen.contains("3 runs of"), "the runs of the cursor's experiment: {screen}");
}

#[test]
fn the_mouse_does_what_keys_do() {
    let mut bench = full();
    let screen = bench.screen();
    let y = screen.lines().position(|l| l.contains("rl-mlp")).unwrap() as u16;
    bench.click(10, y);
    assert_eq!(bench.targets(), [bench.id("rl-mlp")]);
    bench.click(1, y);
    assert!(bench.screen().contains("1 selected"), "{}", bench.screen());
    bench.click(10, y);
    assert_eq!(bench.title(), "A run: charts and system");
}

#[test]
fn the_first_and_the_last_line_are_runs() {
    let mut bench = fill(Bench::new());
    bench.keys("end home");
    let on = |bench: &Bench| bench.targets().first().map(|id| id.dir().name());
    assert_eq!(on(&bench).as_deref(), Some("fit-default-3"));
    bench.keys("enter");
    assert_eq!(bench.title(), "A run: charts and system", "it opens, and folds nothing");
    bench.keys("esc end");
    assert!(on(&bench).is_some());
}

#[test]
fn the_help_has_the_language_of_filters() {
    let mut bench = fill(Bench::new());
    bench.resize(120, 60);
    bench.keys("?");
    for words in ["state:running", "a OR b", "age<2h", "lr<0.01"] {
        assert!(bench.screen().contains(words), "{words}: {}", bench.screen());
    }
}

#[test]
fn of_mixed_runs_progress_and_the_word_last_come_before_the_third_parameter() {
    let spec = |n: i64| {
        let loss =
            SeriesKey { model: Some("deep".into()), split: Some("sinc".into()), ..SeriesKey::metric("loss") };
        let names = ["batch_size", "depth", "rate", "momentum", "optimizer", "warmup", "width", "noise"];
        let own =
            names.iter().enumerate().fold(run("fit", &format!("mixed-run-{n:02}"), n), |spec, (at, name)| {
                spec.param(name, ParamValue::Int((n + 1) * (at as i64 + 2) % 7))
            });
        own.at(State::Stopped, 1_000 * n).logged(loss, &[(0, 1.0), (1, 0.25 * n as f64)])
    };
    let titles = |tag: Option<&str>| {
        let tagged = (1..12).map(spec).map(|own| match tag {
            Some(tag) => own.tagged(tag),
            None => own,
        });
        let mut bench = Bench::of(tagged.collect());
        bench.resize(80, 24);
        bench.screen().lines().nth(2).unwrap_or_default().to_owned()
    };
    let (mixed, swept) = (titles(None), titles(Some("one")));
    assert!(mixed.contains(" done ") && mixed.contains(" last "), "{mixed}");
    assert!(!swept.contains(" last "), "what a sweep varied comes first: {swept}");
}
