//! Drives the real application by keys, with plugins as the watch would report them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::sync::Arc;

use gradtop_host::{Discovery, ExperimentDesc, FoundPlugin, Origin, PluginDesc, Refusal, Shadowed};
use gradtop_store::{Goal, MetricInfo, ParamValue, State};

use super::form::tests::experiment;
use crate::app::Msg;
use crate::app::testing::{Bench, SIZES, run};
use crate::screens::Screen as _;
use crate::screens::effect::{Answer, Message, Task};
use crate::screens::shared::PluginsSnapshot;
use gradtop_chart::cells::glyphs::Glyphs;
use gradtop_chart::colour::Colours;
use gradtop_view::runs::RunId;

fn plugin(path: &str, origin: Origin, experiments: Vec<ExperimentDesc>) -> FoundPlugin {
    let path = PathBuf::from(path);
    let desc = PluginDesc {
        file: path.clone(),
        built_with: Some("rustc 1.95.0".to_owned()),
        abi: (1, 0),
        needs_libtorch: true,
        experiments,
        warnings: Vec::new(),
    };
    FoundPlugin { path, origin, desc }
}

fn demo() -> ExperimentDesc {
    let metric = |name: &str, goal| MetricInfo {
        name: name.to_owned(),
        help: format!("what {name} measures"),
        goal,
        ..MetricInfo::default()
    };
    ExperimentDesc { metrics: vec![metric("loss", Goal::Min), metric("accuracy", Goal::Max)], ..experiment() }
}

/// A usable, a hidden, a refused and a pending plugin.
fn plugins() -> PluginsSnapshot {
    let other = ExperimentDesc { id: "other".to_owned(), params: Vec::new(), presets: Vec::new(), ..demo() };
    let first = PathBuf::from("/plugins/libdemo.so");
    let second = PathBuf::from("/installed/libolder.so");
    let libtorch = Refusal::MissingLibtorch {
        library: "libtorch_cpu.so".to_owned(),
        looked: vec!["/opt/torch/lib".into()],
    };
    PluginsSnapshot {
        loaded: true,
        found: Discovery {
            plugins: vec![
                plugin("/plugins/libdemo.so", Origin::Environment, vec![demo(), other]),
                plugin(
                    second.to_str().unwrap(),
                    Origin::User,
                    vec![ExperimentDesc { version: "0.9.0".to_owned(), ..demo() }],
                ),
            ],
            refused: vec![
                (PathBuf::from("/plugins/libbroken.so"), libtorch),
                (PathBuf::from("/plugins/libslow.so"), Refusal::TimeOut(10)),
            ],
            shadowed: vec![Shadowed { experiment: "demo".to_owned(), path: second, by: first }],
        },
        pending: vec![(PathBuf::from("/plugins/libnew.so"), Origin::Environment)],
        folders: vec![PathBuf::from("/plugins"), PathBuf::from("/usr/bin")],
    }
}

fn bench() -> Bench {
    let mut bench = Bench::of(vec![run("demo", "demo-1", 5)]);
    bench.send(Msg::Plugins(Arc::new(plugins())));
    bench.keys("x");
    bench
}

fn launched(bench: &mut Bench) -> Option<gradtop_host::Launch> {
    bench.take().into_iter().find_map(|e| match e {
        Task::Launch(launch) => Some(*launch),
        _ => None,
    })
}

/// Asserts that nothing but reading was requested.
fn only_looks(bench: &mut Bench) {
    let effects = bench.take();
    assert!(effects.iter().all(|e| matches!(e, Task::Watch(_) | Task::SaveSettings(_))), "{effects:?}");
}

#[test]
fn the_list_at_every_size() {
    for (width, height) in SIZES {
        let mut bench = bench();
        bench.resize(width, height);
        insta::assert_snapshot!(format!("list_{width}x{height}"), bench.screen());
    }
}

#[test]
fn a_list_that_goes_on_says_where_in_it_the_cursor_is() {
    let mut bench = bench();
    bench.resize(40, 12);
    bench.keys("down");
    assert!(bench.screen().contains(" 2 of 6 "), "{}", bench.screen());
    bench.resize(120, 36);
    assert!(!bench.screen().contains(" of 6"), "{}", bench.screen());
}

#[test]
fn a_refusal_is_told_whole() {
    let mut bench = bench();
    bench.resize(80, 24);
    bench.keys("end up");
    let screen = bench.screen();
    assert!(screen.contains("Run `gradtop setup`, or set GRADTOP_LIBTORCH"), "{screen}");
    insta::assert_snapshot!(screen);
    bench.keys("enter");
    assert!(bench.screen().contains("this plugin cannot be used"));
}

#[test]
fn no_plugins_yet() {
    let mut bench = Bench::new();
    bench.keys("x");
    assert!(bench.screen().contains("looking for plugins"));
    let none =
        PluginsSnapshot { loaded: true, folders: vec!["/plugins".into()], ..PluginsSnapshot::default() };
    bench.send(Msg::Plugins(Arc::new(none)));
    bench.resize(80, 24);
    insta::assert_snapshot!(bench.screen());
}

#[test]
fn a_value_is_whole_where_its_line_has_room() {
    let text = |key: &str, value: &str| gradtop_host::ParamDesc {
        default: value.to_owned(),
        ..gradtop_host::ParamDesc::text(key)
    };
    let conditions = "true,random,redrawn,shuffled-pixels,random-pixels,gauss";
    for (width, values) in [(40, &["deep,middle,shallow"][..]), (80, &["deep,middle,shallow", conditions])] {
        let params =
            values.iter().map(|value| text("models", value)).chain([text("instruments_curvature", "0")]);
        let experiment = ExperimentDesc { params: params.collect(), ..demo() };
        let mut plugins = plugins();
        plugins.found.plugins = vec![plugin("/plugins/libdemo.so", Origin::User, vec![experiment])];
        let mut bench = Bench::new();
        bench.send(Msg::Plugins(Arc::new(plugins)));
        bench.resize(width, 24);
        bench.keys("x enter");
        // On the field, too.
        for _ in 0..=values.len() {
            let screen = bench.screen();
            for words in values.iter().chain(&["instruments_curvature"]) {
                assert!(screen.contains(words), "{words}: {screen}");
            }
            bench.keys("down");
        }
    }
}

#[test]
fn the_form_at_every_size() {
    for (width, height) in SIZES {
        let mut bench = bench();
        bench.resize(width, height);
        bench.keys("enter down");
        bench.type_text("0.05");
        bench.keys("down");
        bench.type_text("many");
        insta::assert_snapshot!(format!("form_{width}x{height}"), bench.screen());
    }
}

#[test]
fn the_form_in_ascii() {
    let mut bench = Bench::with(Glyphs::Ascii, Colours::None, false);
    bench.resize(80, 24);
    bench.send(Msg::Plugins(Arc::new(plugins())));
    bench.keys("x");
    let list = bench.screen();
    bench.keys("enter down shift-up down down right");
    let form = bench.screen();
    assert!(list.is_ascii() && form.is_ascii(), "{list}{form}");
    insta::assert_snapshot!(form);
}

#[test]
fn a_run_is_set_up_and_started() {
    let mut bench = bench();
    bench.keys("enter right down down");
    bench.type_text("500");
    bench.keys("ctrl-s");
    let launch = launched(&mut bench).unwrap();
    assert_eq!((launch.experiment.as_str(), launch.preset.as_deref()), ("demo", Some("quick")));
    assert_eq!(launch.params[1], ("steps".to_owned(), ParamValue::Int(500)));
    assert_eq!(launch.runs, PathBuf::from("runs"));
    assert!(bench.screen().contains("starting"));
    // A second press does not start another run.
    bench.keys("ctrl-s");
    assert!(launched(&mut bench).is_none());
    // After a failure, the form is still there and shows it.
    bench.answer(Answer::Done(Message::failure("not started: disk full"), None));
    bench.keys("up");
    assert!(bench.screen().contains("not started: disk full") && bench.screen().contains("start the run"));
    bench.keys("ctrl-s");
    assert!(launched(&mut bench).is_some());
    // After a success, the list shows the new run.
    let started = Some(bench.id("demo-1"));
    bench.answer(Answer::Done(Message::news("demo-2 is started"), started));
    assert!(bench.screen().contains("demo-1") && !bench.screen().contains("new run"), "{}", bench.screen());
}

#[test]
fn what_cannot_be_used_is_not_started_and_leaving_starts_nothing() {
    let mut bench = bench();
    bench.keys("enter down ctrl-u x end enter ctrl-s");
    let screen = bench.screen();
    assert!(launched(&mut bench).is_none());
    assert!(screen.contains("lr = \"x\": expected a number in (0, 10]"), "{screen}");
    // Letters are text here, not commands.
    bench.keys("q");
    only_looks(&mut bench);
    bench.keys("esc");
    assert!(bench.screen().contains("experiments"));
    bench.keys("esc");
    only_looks(&mut bench);
}

#[test]
fn nothing_is_started_read_only() {
    let mut bench = Bench::with(Glyphs::Braille, Colours::None, true);
    bench.send(Msg::Plugins(Arc::new(plugins())));
    bench.keys("x");
    for key in ["enter", "n"] {
        assert!(!bench.screen().contains("set up a run"), "{}", bench.screen());
        bench.keys(key);
        assert!(bench.screen().contains("this is --read-only"), "{}", bench.screen());
        bench.keys("?");
        assert!(!bench.screen().contains("set up a run"), "{}", bench.screen());
        bench.keys("esc");
    }
}

#[test]
fn the_cursor_stays_on_its_plugin_while_others_come_and_go() {
    let mut bench = bench();
    bench.keys("end");
    assert!(bench.screen().lines().any(|l| l.contains("› ✗ refused") && l.contains("libslow.so")));
    let mut fewer = plugins();
    fewer.found.plugins.remove(0);
    fewer.found.shadowed.clear();
    bench.send(Msg::Plugins(Arc::new(fewer)));
    assert!(bench.screen().lines().any(|l| l.contains("› ✗ refused") && l.contains("libslow.so")));
    bench.send(Msg::Plugins(Arc::new(PluginsSnapshot { loaded: true, ..PluginsSnapshot::default() })));
    assert!(bench.screen().contains("No plugins yet"));
    bench.keys("down enter up pagedown");
    only_looks(&mut bench);
}

#[test]
fn a_form_outlives_its_plugin() {
    let mut bench = bench();
    bench.keys("enter down");
    bench.type_text("0.5");
    bench.send(Msg::Plugins(Arc::new(PluginsSnapshot { loaded: true, ..PluginsSnapshot::default() })));
    assert!(bench.screen().contains("0.5"));
}

fn restarted() -> Bench {
    let spec = run("demo", "demo-1", 5).with(|m, _| {
        m.preset = Some("quick".to_owned());
        m.params =
            vec![("lr".to_owned(), ParamValue::Float(0.25)), ("steps".to_owned(), ParamValue::Int(300))];
    });
    Bench::of(vec![spec])
}

#[test]
fn a_run_is_started_anew_with_changed_parameters() {
    let mut bench = restarted();
    // The plugins are not known yet.
    bench.keys("R");
    assert!(bench.screen().contains("looking for the run's plugin"), "{}", bench.screen());
    bench.send(Msg::Plugins(Arc::new(plugins())));
    let screen = bench.screen();
    assert!(screen.contains("run like demo-1") && screen.contains("0.25"), "{screen}");
    bench.keys("down down");
    bench.type_text("77");
    bench.keys("ctrl-s");
    let launch = launched(&mut bench).unwrap();
    let params: Vec<String> = launch.params.iter().take(2).map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!((params, launch.seed), (vec!["lr=0.25".to_owned(), "steps=77".to_owned()], Some(7)));
    // Leaving returns to the previous screen.
    bench.answer(Answer::Done(Message::failure("no"), None));
    bench.keys("esc");
    assert!(bench.screen().contains("demo-1") && !bench.screen().contains("run like"));
}

#[test]
fn a_command_is_started_anew_with_other_values() {
    let spec = run("train", "train-1", 5).with(|m, _| {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        m.plugin = None;
        m.kind = gradtop_store::Kind::Command;
        m.device = None;
        m.params = vec![
            ("lr".to_owned(), ParamValue::Float(1e-3)),
            ("note".to_owned(), ParamValue::Text("first try".to_owned())),
            ("depth".to_owned(), ParamValue::Int(4)),
        ];
        m.command = Some(gradtop_store::CommandInfo {
            argv: words("python train.py --lr 1e-3"),
            template: words("python train.py --lr {lr}"),
            given: [("lr", "1e-3"), ("note", "first try")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            dir: "/data/project".to_owned(),
            ..gradtop_store::CommandInfo::default()
        });
    });
    let mut bench = Bench::of(vec![spec]);
    bench.keys("R");
    insta::assert_snapshot!("form_of_a_command", bench.screen());
    bench.resize(40, 15);
    insta::assert_snapshot!("form_of_a_command_40x15", bench.screen());
    bench.resize(120, 40);
    bench.keys("down");
    bench.type_text("3e-4");
    bench.keys("up end");
    bench.type_text(" --epochs '{seed} times");
    assert!(bench.screen().contains("a quote is not closed"), "{}", bench.screen());
    bench.keys("ctrl-s");
    assert!(bench.take().iter().all(|task| !matches!(task, Task::Exec(_))));
    bench.keys("end");
    bench.type_text("'");
    bench.keys("ctrl-s");
    let exec =
        bench.take().into_iter().find_map(|task| if let Task::Exec(exec) = task { Some(exec) } else { None });
    let exec = exec.unwrap();
    assert_eq!(exec.argv, ["python", "train.py", "--lr", "3e-4", "--epochs", "7 times"]);
    assert_eq!(exec.template[3..], ["{lr}", "--epochs", "{seed} times"]);
    assert_eq!((exec.seed, exec.experiment.as_deref()), (Some(7), Some("train")));
    assert_eq!(exec.dir, PathBuf::from("/data/project"));
    let params: Vec<_> = exec.params.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(params, ["lr=3e-4", "note=first try"], "what the command names itself is left to it");
}

#[test]
fn a_run_whose_plugin_is_gone_is_started_from_its_own_copy() {
    let mut bench = restarted();
    bench.send(Msg::Plugins(Arc::new(PluginsSnapshot { loaded: true, ..PluginsSnapshot::default() })));
    bench.keys("R");
    let own = bench.id("demo-1").dir().plugin();
    let asked =
        bench.take().into_iter().find_map(|e| if let Task::Describe(path) = e { Some(path) } else { None });
    assert_eq!(asked.as_ref(), Some(&own));
    let desc = plugin(own.to_str().unwrap(), Origin::User, vec![demo()]).desc;
    bench.answer(Answer::Described(own.clone(), Box::new(Ok(desc))));
    assert!(bench.screen().contains("this is the run's own copy"), "{}", bench.screen());
    bench.keys("ctrl-s");
    assert_eq!(launched(&mut bench).unwrap().plugin, own);
}

#[test]
fn a_run_whose_plugin_cannot_be_used_says_why() {
    let mut bench = restarted();
    bench.send(Msg::Plugins(Arc::new(PluginsSnapshot { loaded: true, ..PluginsSnapshot::default() })));
    bench.keys("R");
    let own = bench.id("demo-1").dir().plugin();
    let why = Refusal::Unreadable("No such file or directory".to_owned());
    bench.answer(Answer::Described(own, Box::new(Err(why))));
    let screen = bench.screen();
    assert!(screen.contains("cannot be restarted") && screen.contains("No such file"), "{screen}");
    bench.keys("esc");
    assert!(bench.screen().contains("demo-1"));
}

#[test]
fn the_mouse_does_what_keys_do() {
    let mut bench = bench();
    let row_of =
        |bench: &Bench, text: &str| bench.screen().lines().position(|l| l.contains(text)).unwrap() as u16;
    let refused = row_of(&bench, "libbroken.so");
    bench.click(10, refused);
    assert!(bench.screen().lines().any(|l| l.contains('›') && l.contains("libbroken.so")));
    let ready = row_of(&bench, "ready");
    bench.click(10, ready);
    bench.click(10, ready);
    let field = row_of(&bench, "optimizer");
    bench.click(8, field);
    bench.keys("space ctrl-s");
    assert_eq!(launched(&mut bench).unwrap().params[2].1, ParamValue::Text("sgd".to_owned()));
}

#[test]
fn text_of_plugins_commands_no_terminal() {
    let mut wild = plugins();
    let e = &mut wild.found.plugins[0].desc.experiments[0];
    e.params[4].default = "\u{1b}[2J".to_owned();
    for text in [&mut e.name, &mut e.summary, &mut e.version, &mut e.params[0].help] {
        *text = "\u{1b}[2J\u{202e}x".to_owned();
    }
    wild.found.refused.push((PathBuf::from("/plugins/\u{1b}[31m.so"), Refusal::NotElf));
    let mut bench = Bench::of(vec![run("demo", "a", 1).at(State::Running, 3)]);
    bench.send(Msg::Plugins(Arc::new(wild)));
    for keys in ["x", "end", "home enter", "down", "down down down down", "right left"] {
        bench.keys(keys);
        assert!(!bench.screen().contains(['\u{1b}', '\u{202e}']), "{keys}");
    }
}

#[test]
fn a_run_id_of_nowhere_is_told() {
    let mut bench = restarted();
    let gone = RunId::new(&gradtop_store::RunDir::new("/nowhere/exp=a/run=gone"));
    bench.send(Msg::Plugins(Arc::new(plugins())));
    let mut screen = super::Experiments::restart(gone);
    screen.on_change(&mut bench.app.shared);
    assert!(matches!(&screen.like, Some(super::Like::Impossible(why)) if why.contains("gone")));
}

#[test]
fn a_name_that_is_taken_is_told_at_once_and_what_was_typed_is_kept() {
    let mut bench = bench();
    bench.keys("enter down down down down down down");
    bench.type_text("demo-1");
    assert!(bench.screen().contains("there is a run demo-1 already"), "{}", bench.screen());
    bench.keys("ctrl-u");
    bench.type_text("another");
    bench.keys("esc");
    assert!(!bench.screen().contains("another"));
    bench.keys("enter");
    assert!(
        bench.screen().contains("another") && bench.screen().contains("as you left it"),
        "{}",
        bench.screen()
    );
}

#[test]
fn what_the_experiment_refuses_is_told_at_the_field_while_it_is_typed_and_once() {
    let asked = |bench: &mut Bench| {
        bench.take().into_iter().rev().find_map(|task| match task {
            Task::Judge(question) => Some(*question),
            _ => None,
        })
    };
    let why = "functions = sinc,sine are too many; steps allows one";
    let told = |bench: &Bench| bench.screen().matches("are too many").count();
    let mut bench = bench();
    bench.resize(160, 40);
    bench.keys("enter end pageup pageup down down");
    bench.take();
    bench.type_text("40");
    bench.keys("down down down");
    bench.type_text("sinc,sin");
    let early = asked(&mut bench).unwrap();
    bench.type_text("e");
    let question = asked(&mut bench).unwrap();
    assert_eq!(question.params[4], ("functions".to_owned(), ParamValue::Text("sinc,sine".to_owned())));
    // An answer about other values is ignored.
    bench.answer(Answer::Validation(Box::new(early), Some(why.to_owned())));
    assert_eq!(told(&bench), 0, "{}", bench.screen());
    bench.answer(Answer::Validation(Box::new(question), Some(why.to_owned())));
    let screen = bench.screen();
    assert_eq!(told(&bench), 1, "{screen}");
    assert!(screen.lines().any(|l| l.contains("› ✗ functions") && l.contains(why)), "{screen}");
    assert!(screen.contains("functions has an error"), "{screen}");
    // A name needs no validation.
    bench.keys("down");
    bench.type_text("mine");
    assert_eq!(told(&bench), 1, "{}", bench.screen());
    assert!(asked(&mut bench).is_none());
    // Starting asks again, because the plugin may have changed.
    bench.keys("ctrl-s");
    assert!(launched(&mut bench).is_some());
    bench.answer(Answer::Done(Message::failure(why), None));
    assert_eq!(told(&bench), 1, "{}", bench.screen());
    bench.keys("end backspace");
    assert_eq!(told(&bench), 0, "{}", bench.screen());
    assert!(asked(&mut bench).is_some());
}

#[test]
fn what_was_typed_into_several_forms_is_kept_in_each() {
    let mut bench = bench();
    bench.keys("enter down");
    bench.type_text("0.125");
    bench.keys("esc down enter");
    assert!(bench.screen().contains("of other"), "{}", bench.screen());
    bench.keys("end pagedown up up");
    bench.type_text("9");
    bench.keys("esc up enter");
    assert!(bench.screen().contains("0.125"), "{}", bench.screen());
}

#[test]
fn a_wrong_field_is_named_and_gone_to_at_every_size() {
    for (width, height) in [(200, 50), (120, 36), (80, 24), (40, 15)] {
        let mut bench = bench();
        bench.resize(width, height);
        bench.keys("enter down");
        bench.type_text("fast");
        bench.keys("end down down down down ctrl-s");
        let screen = bench.screen();
        assert!(launched(&mut bench).is_none());
        assert!(screen.contains("not started: lr has an error"), "{screen}");
        assert!(screen.lines().any(|line| line.contains("› ✗ lr")), "{screen}");
        // What is typed after a reset replaces it.
        bench.keys("ctrl-r");
        bench.type_text("0.25");
        assert!(
            bench
                .screen()
                .lines()
                .any(|line| line.contains("› ") && line.contains(" lr") && line.contains(" 0.25")),
            "{}",
            bench.screen()
        );
        assert!(!bench.screen().contains("has an error"), "{}", bench.screen());
    }
}
