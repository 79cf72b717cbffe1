//! Tests of the global keys, and that no sequence of keys causes a panic.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use gradtop_store::State;
use proptest::prelude::*;

use super::Msg;
use super::keys;
use super::testing::{Bench, SIZES, key, run};
use crate::screens::actions::RunAction;
use crate::screens::all_keys;
use crate::screens::effect::Task;
use crate::screens::keys::meanings::ALL;
use crate::screens::keys::{Binding, Keys, Kind, name as key_name};
use gradtop_chart::cells::glyphs::Glyphs;
use gradtop_chart::colour::Colours;

#[test]
fn every_key_of_the_table_can_be_pressed_and_means_one_thing() {
    for own in all_keys() {
        let title = own.title;
        for table in keys::sections(&Keys { syntax: &[], ..own.clone() }) {
            let mut seen: Vec<&str> = Vec::new();
            for binding in &table.bindings {
                assert!(!binding.names.is_empty() && !binding.what.is_empty(), "{title}: {binding:?}");
                for &name in &binding.names {
                    assert_eq!(key_name(&key(name)).as_deref(), Some(name), "{title}");
                    assert!(!seen.contains(&name), "{title}: {name} means two things");
                    seen.push(name);
                }
            }
        }
        // A screen may override no global key except those for leaving it.
        let everywhere = matches!(own.kind, Kind::Runs | Kind::Experiments);
        let global = keys::RUNS.iter().chain(keys::EVERYWHERE).filter(|_| everywhere);
        for name in global.flat_map(Binding::names).filter(|n| !matches!(*n, "esc" | "q" | "?")) {
            assert!(own.find(name).is_none(), "{title} hides {name}");
        }
    }
}

/// `n` and `y` are what people expect after a search, in a question, and of axes.
#[test]
fn a_key_means_the_same_on_all_screens() {
    let mut seen = std::collections::BTreeMap::new();
    for (key, meaning) in ALL {
        for name in key.names().iter().filter(|name| !matches!(**name, "n" | "y")) {
            let before = seen.insert(name, meaning);
            assert!(before.is_none(), "{name} means {meaning:?} and {before:?}");
        }
    }
}

#[test]
fn the_help_says_once_what_esc_does() {
    let mut bench = two();
    bench.resize(120, 120);
    for (screen, esc) in [
        ("", "clear the selection"),
        ("enter", "hide the cursor, close the large chart"),
        ("2", "back to the previous screen"),
        ("5", "back to the previous screen"),
        ("esc c", "hide the cursor, close the large chart"),
        ("2", "back to the previous screen"),
        ("esc x", "back to the previous screen"),
    ] {
        bench.keys(screen);
        bench.keys("?");
        let help = bench.screen();
        let rows: Vec<&str> = help.lines().filter(|line| line.starts_with("    esc ")).collect();
        assert!(rows.len() == 1 && rows[0].contains(esc), "{screen}: {rows:?}\n{help}");
        bench.keys("esc");
    }
}

/// Generates `docs/keys.md`.
fn markdown() -> String {
    let mut text = String::from(
        "# Keys\n\nThis page is made from the key table of the program (`INSTA_UPDATE=always cargo test --release -p gradtop keys`). \
         In the monitor, `?` shows the keys of the screen one is on; the mouse can do what is listed here too, and is never needed.\n",
    );
    let mut rows = |head: &str, rows: Vec<(Vec<&str>, &str)>| {
        text.push_str(&[head, "|---|---|\n"].concat());
        for (names, what) in rows {
            let names: Vec<String> = names.iter().map(|k| format!("`{}`", k.replace('|', "\\|"))).collect();
            text.push_str(&["| ", &names.join(" "), " | ", &what.replace('|', "\\|"), " |\n"].concat());
        }
    };
    let meanings = ALL.iter().map(|(key, meaning)| (key.names().to_vec(), *meaning));
    rows("\n## On all screens\n\n| Key | What it means wherever it is used |\n", meanings.collect());
    let shown = |keys: Keys| keys.bindings.into_iter().map(|row| (row.names, row.what)).collect();
    let mut section = |keys: Keys| {
        let syntax = (keys.kind == Kind::Typing && !keys.syntax.is_empty()).then(|| keys.of_syntax());
        rows(&format!("\n## {}\n\n| Key | What it does |\n", keys.title), shown(keys));
        if let Some(syntax) = syntax {
            rows("\n| What can be typed | What it means |\n", shown(syntax));
        }
    };
    all_keys().into_iter().for_each(&mut section);
    section(Keys::of("On a run, or on all selected", keys::RUNS));
    section(Keys::of("On every screen", keys::EVERYWHERE));
    section(Keys::of("Always, even while something is typed", keys::ALWAYS));
    text
}

#[test]
fn the_documentation_of_the_keys_is_the_table() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/keys.md");
    let wanted = markdown();
    if std::env::var("INSTA_UPDATE").is_ok_and(|v| v == "always") {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/keys.md is not the table: INSTA_UPDATE=always cargo test --release -p gradtop keys"
    );
}

#[test]
fn q_leaves() {
    let mut bench = Bench::new();
    bench.keys("q");
    assert!(bench.take().iter().any(|e| matches!(e, Task::Quit)));
}

fn two() -> Bench {
    Bench::of(vec![run("fit", "a", 1).at(State::Running, 5_000), run("fit", "b", 2).losses()])
}

fn acts(bench: &mut Bench) -> Vec<(RunAction, Vec<String>)> {
    let names = |ids: Vec<gradtop_view::runs::RunId>| ids.iter().map(|id| id.dir().name()).collect();
    bench
        .take()
        .into_iter()
        .filter_map(|e| match e {
            Task::Act(action, ids) => Some((action, names(ids))),
            _ => None,
        })
        .collect()
}

#[test]
fn read_only_refuses_and_hides() {
    let mut bench = Bench::with(Glyphs::Braille, Colours::None, true);
    bench.make(&run("fit", "a", 1).at(State::Running, 5_000));
    bench.read();
    let before = bench.screen();
    assert!(!before.contains("pause") && !before.contains("stop"), "{before}");
    for name in ["p", "r", "S", "ctrl-k", "D", "K", "R"] {
        bench.keys(name);
        assert!(bench.screen().contains("--read-only"), "{name}: {}", bench.screen());
    }
    bench.keys("y");
    assert_eq!(acts(&mut bench), []);
}

#[test]
fn the_header_says_at_every_width_what_is_unusual() {
    let mut bench = Bench::with(Glyphs::Braille, Colours::None, true);
    for (name, state) in
        [("a", State::Running), ("b", State::Paused), ("c", State::Crashed), ("d", State::Failed)]
    {
        bench.make(&run("fit", name, 1).at(state, 5_000));
    }
    bench.read();
    bench.app.shared.behind = Some(std::time::Duration::from_secs(3));
    for width in [40, 60, 80, 200] {
        bench.resize(width, 15);
        let screen = bench.screen();
        let header = screen.lines().next().unwrap();
        assert!(header.contains("read-only") && header.contains("3 s behind"), "{header}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Presses any keys in any order in all sizes and draws after each.
    #[test]
    fn no_sequence_of_keys_panics(
        script in prop::collection::vec((0usize..10_000, 0u8..12, any::<char>()), 1..80)
    ) {
        let mut bench = two();
        bench.make(&run("label", "c", 3).at(State::Crashed, 100).cause("killed by SIGKILL"));
        bench.read();
        let names: Vec<&str> = all_keys()
            .iter()
            .map(|keys| Keys { syntax: &[], ..keys.clone() })
            .flat_map(|keys| keys::sections(&keys))
            .flat_map(|keys| keys.bindings)
            .flat_map(|row| row.names)
            .filter(|n| !matches!(*n, "q" | "ctrl-c"))
            .collect();
        for (n, kind, c) in script {
            match kind {
                0 => {
                    let (width, height) = SIZES[n % SIZES.len()];
                    bench.resize(width, height);
                }
                1 => bench.resize((n % 230) as u16, (n / 230) as u16),
                2 => bench.type_text(&c.to_string()),
                3 => bench.click((n % 200) as u16, (n / 200) as u16),
                4 => bench.send(Msg::Paste(format!("{c}lr<1 (state:running OR"))),
                _ => bench.keys(names[n % names.len()]),
            }
            bench.screen();
            // An unchanged update must cause no task, or the application and its readers would keep each other busy for ever.
            bench.take();
            bench.send(Msg::Live(Arc::clone(&bench.app.shared.live)));
            bench.send(Msg::Runs(Arc::clone(&bench.app.shared.runs)));
            prop_assert!(bench.take().is_empty(), "asks again after {kind} {n}");
        }
    }
}

#[test]
fn an_idle_clock_ticks_when_a_shown_age_changes() {
    let next = |seconds: i64, state: State| {
        let created = |m: &mut gradtop_store::Manifest| {
            m.created = super::testing::now() - jiff::SignedDuration::from_secs(seconds);
        };
        let spec = run("x", "a", 0).at(state, 5).with(|m, _| created(m));
        let mut bench = Bench::of(vec![spec]);
        bench.app.message = None;
        bench.app.next_tick().as_secs_f64()
    };
    assert_eq!(next(7, State::Finished), 1.0);
    assert_eq!(next(61, State::Finished), 59.0);
    assert_eq!(next(3 * 3600, State::Finished), 60.0, "no later, whatever is shown");
    assert_eq!(next(3 * 3600, State::Running), 1.0, "clock and machine are shown");
    let created = |m: &mut gradtop_store::Manifest, _: &mut gradtop_store::Status| {
        m.created = super::testing::now() - jiff::SignedDuration::from_secs(7);
    };
    let mut bench = Bench::of(vec![run("x", "a", 0).with(created)]);
    bench.keys("enter");
    bench.app.message = None;
    assert_eq!(bench.app.next_tick().as_secs_f64(), 60.0, "the page of a run does not show its age");
    let mut bench = Bench::new();
    bench.app.message = None;
    assert_eq!(bench.app.next_tick().as_secs_f64(), 60.0);
}

#[test]
fn what_is_said_fades() {
    let mut bench = two();
    bench.keys("T");
    assert!(bench.screen().contains("theme: light"), "{}", bench.screen());
    assert_eq!(bench.app.next_tick().as_secs_f64(), 1.0);
    let later = |seconds| Msg::Tick(super::testing::now() + jiff::SignedDuration::from_secs(seconds));
    bench.send(later(5));
    assert!(bench.screen().contains("theme: light"));
    bench.send(later(6));
    assert!(!bench.screen().contains("theme: light"), "{}", bench.screen());
}

#[test]
fn a_key_frees_the_mouse() {
    let mut bench = two();
    bench.take();
    bench.keys("m");
    let tasks = bench.take();
    assert!(tasks.iter().any(|t| matches!(t, Task::Mouse(false))), "{tasks:?}");
    assert!(tasks.iter().any(|t| matches!(t, Task::SaveSettings(s) if s.select)), "{tasks:?}");
    bench.keys("m");
    assert!(bench.take().iter().any(|t| matches!(t, Task::Mouse(true))));
    bench.resize(140, 60);
    bench.keys("?");
    assert!(bench.screen().contains("free the mouse"), "{}", bench.screen());
}

/// Visits everything that can be reached, in ASCII, with names and values that are not ASCII.
#[test]
fn ascii_means_ascii_on_every_screen() {
    let mut bench = Bench::with(Glyphs::Ascii, Colours::None, false);
    bench.make(
        &run("fit", "a", 1)
            .at(State::Running, 5_000)
            .losses()
            .with(|m, _| m.experiment.name = "größe".to_owned()),
    );
    bench.make(&run("fit", "b", 2).at(State::Crashed, 100).cause("killed · by 日本 → SIGKILL"));
    bench.read();
    for (width, height) in SIZES {
        bench.resize(width, height);
        for script in [
            "", "v", "enter", "1", "2", "3", "4", "5", "6", "?", "esc", "esc", "c", "enter", "esc", "esc",
            "x", "esc", "S", "esc", "/",
        ] {
            bench.keys(script);
            let text = bench.screen();
            assert!(text.is_ascii(), "after {script} at {width}x{height}:\n{text}");
        }
        bench.keys("esc");
    }
}

#[test]
fn screens_follow_a_run_that_leaves_the_queue() {
    let waits = run("fit", "b", 2).at(State::Queued, 0);
    let mut bench = Bench::of(vec![run("fit", "a", 1).at(State::Running, 1), waits]);
    let started = bench.app.shared.runs.clone();
    for keys in ["enter", "space c"] {
        bench.queue(&["b"]);
        bench.keys(&format!("end {keys}"));
        bench.send(Msg::Runs(started.clone()));
        assert_eq!(bench.targets(), [bench.id("b")], "{keys}: {}", bench.screen());
        bench.keys("esc esc");
    }
    bench.queue(&["b"]);
    bench.keys("end S");
    bench.send(Msg::Runs(started));
    bench.keys("y");
    let id = bench.id("b");
    let stops = |task: &Task| matches!(task, Task::Act(RunAction::Stop, runs) if *runs == [id.clone()]);
    assert!(bench.take().iter().any(stops), "{}", bench.screen());
}
