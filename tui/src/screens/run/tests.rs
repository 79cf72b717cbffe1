//! Tests of a run's screen in the real application, with real folders, keys and readers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use gradtop_store::{Event, ImportInfo, Kind, RunDir, State, append_event};
use proptest::prelude::*;

use super::pane;
use crate::app::Msg;
use crate::app::testing::{Bench, SIZES, Spec, run};
use crate::screens::effect::{Answer, Message, Task};
use crate::screens::keys::Binding;
use gradtop_chart::cells::glyphs::Glyphs;
use gradtop_chart::colour::Colours;
use gradtop_view::live::engine::WatchedRuns;
use gradtop_view::why::{Confidence, Rule, Verdict};

mod log_tests;

/// The application and its readers, without their threads.
struct Stage {
    bench: Bench,
    live: WatchedRuns,
    /// The pending request for the console to grow.
    waits: Option<pane::PaneRequest>,
}

impl Stage {
    /// Opens the screen of the first run.
    fn on(bench: Bench, specs: &[Spec]) -> Self {
        let mut stage = Self { bench, live: WatchedRuns::new(), waits: None };
        let dirs: Vec<RunDir> = specs.iter().map(|s| stage.bench.make(s)).collect();
        stage.bench.read();
        stage.open(&dirs[0].name());
        stage
    }

    fn new(spec: Spec) -> Self {
        Self::on(Bench::new(), &[spec])
    }

    fn open(&mut self, name: &str) {
        let started = Some(self.bench.id(name));
        self.bench.answer(Answer::Done(Message::news(String::new()), started));
        self.keys("enter");
    }

    /// Presses keys and reads what is requested.
    fn keys(&mut self, script: &str) {
        for key in script.split_whitespace() {
            self.bench.keys(key);
            self.settle();
        }
    }

    /// Reads until nothing more is requested.
    fn settle(&mut self) {
        for _ in 0..200 {
            let mut asked = false;
            for effect in self.bench.take() {
                match effect {
                    Task::Watch(requests) => {
                        self.live.watch(requests, Instant::now());
                        asked = true;
                    }
                    // That request waits for what a test does next.
                    Task::Pane(request) if matches!(request.what, pane::What::More(_)) => {
                        self.waits = Some(request);
                    }
                    Task::Pane(request) => {
                        self.bench.answer(Answer::Pane(pane::read(&request)));
                        asked = true;
                    }
                    _ => {}
                }
            }
            if !asked {
                return;
            }
            self.look();
        }
        panic!("it never has enough");
    }

    /// Reads what the runs have written since.
    fn look(&mut self) {
        while self.live.work(Instant::now(), Duration::from_secs(1)).next == Some(Duration::ZERO) {}
        let snapshot = self.live.snapshot();
        self.bench.send(Msg::Live(snapshot));
    }

    fn screen(&self) -> String {
        self.bench.screen()
    }

    fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16, modifiers: KeyModifiers) {
        self.bench.send(Msg::Mouse(MouseEvent { kind, column, row, modifiers }));
        self.settle();
    }
}

#[test]
fn a_list_of_series_that_has_no_room_says_so() {
    let mut stage = Stage::new(run("fit", "a", 1).losses());
    stage.bench.resize(80, 24);
    stage.keys("i");
    assert!(stage.screen().contains("needs 100 columns"), "{}", stage.screen());
    stage.bench.resize(120, 30);
    stage.keys("i i");
    assert!(stage.screen().contains("latest"), "{}", stage.screen());
}

const FIGURES: &str = r#"
[[figure]]
id = "loss"
title = "Loss of both networks"
[[figure.panel]]
y = { scale = "log" }
[[figure.panel.mark]]
type = "line"
metric = "loss"
"#;

fn wave(points: usize) -> Vec<(i64, f64)> {
    (0..points)
        .map(|i| (i as i64 * 100, 1.0 + (i as f64 / 9.0).sin() + 0.3 * (i as f64 * 1.7).cos()))
        .collect()
}

/// A run with a figure and several metrics, one of them with gaps.
fn rich() -> Spec {
    let mut holes = wave(200);
    (holes[50].1, holes[120].1) = (f64::NAN, f64::INFINITY);
    run("fit", "rich", 3)
        .losses()
        .figures(FIGURES)
        .series("accuracy", None, &wave(200))
        .series("gradient norm", None, &holes)
        .series("system/cpu", None, &wave(60))
        .series("system/memory", None, &wave(60))
}

#[test]
fn charts_at_every_size() {
    let mut stage = Stage::new(rich());
    for (width, height) in SIZES {
        stage.bench.resize(width, height);
        stage.settle();
        insta::assert_snapshot!(format!("charts_{width}x{height}"), stage.screen());
    }
}

#[test]
fn charts_in_ascii_without_colours() {
    let mut stage = Stage::on(Bench::with(Glyphs::Ascii, Colours::None, false), &[rich()]);
    stage.bench.resize(80, 24);
    stage.settle();
    stage.keys("| | tab right left left");
    let screen = stage.screen();
    assert!(screen.is_ascii(), "{screen}");
    insta::assert_snapshot!("charts_ascii", screen);
    for pane in ["2", "3", "4", "5", "6"] {
        stage.keys(pane);
        let screen = stage.screen();
        assert!(screen.is_ascii(), "{screen}");
    }
}

#[test]
fn a_running_run_says_how_far_it_is() {
    let mut stage = Stage::new(rich().at(State::Running, 15_200).with(|_, s| {
        s.phase = Some("training".to_owned());
        s.epoch = Some(97.4);
    }));
    let first = stage.screen().lines().nth(1).unwrap().to_owned();
    insta::assert_snapshot!("header_running", first);
    stage.bench.resize(80, 24);
    stage.settle();
    let first = stage.screen().lines().nth(1).unwrap().to_owned();
    // Its rows are further than its status.
    assert!(first.contains("rich") && first.contains("99 %") && first.contains("eta"), "{first}");
    // An epoch that was not reached is not shown.
    let late = Stage::new(rich().at(State::Running, 15_200).with(|_, s| s.epoch = Some(116.67)));
    assert!(late.screen().contains("epoch 116.7 "), "{}", late.screen());
}

#[test]
fn a_paused_run_has_no_rate_and_no_time_left() {
    let at = |state| Stage::new(rich().at(state, 15_200)).screen().lines().nth(1).unwrap().to_owned();
    let (running, paused) = (at(State::Running), at(State::Paused));
    assert!(running.contains("/s") && running.contains("eta"), "{running}");
    assert!(paused.contains("99 %") && !paused.contains("/s") && !paused.contains("eta"), "{paused}");
}

#[test]
fn one_chart_on_the_whole_screen_has_a_list_of_its_series() {
    let mut stage = Stage::new(rich());
    stage.keys("enter end left left left");
    insta::assert_snapshot!("expanded_with_cursor", stage.screen());
    stage.keys("i");
    assert!(!stage.screen().contains("at cursor"));
    stage.keys("esc esc");
    assert!(stage.screen().contains("gradient norm"), "all charts again: {}", stage.screen());
    stage.keys("esc");
    assert!(!stage.screen().contains("gradient norm"), "the list of runs: {}", stage.screen());
}

#[test]
fn what_changes_all_charts_is_said_on_every_screen() {
    let mut stage = Stage::new(rich());
    stage.bench.resize(80, 24);
    stage.keys("X Y E +");
    let tabs = |stage: &Stage| stage.screen().lines().nth(2).unwrap().to_owned();
    let told = tabs(&stage);
    assert!(told.contains("[1 charts] 2  3 "), "names of tabs give way: {told}");
    assert!(told.ends_with(" x step · log x · same y · clipped · smooth 0.3"), "{told}");
    stage.keys("-");
    assert!(tabs(&stage).ends_with(" x step · log x · same y · clipped"), "{}", tabs(&stage));
    stage.bench.resize(40, 15);
    stage.settle();
    assert!(tabs(&stage).ends_with(" … · clipped"), "{}", tabs(&stage));
    stage.bench.resize(80, 24);
    stage.settle();
    stage.keys("X Y E");
    assert!(tabs(&stage).contains(" 6 system ") && tabs(&stage).ends_with(" x step"), "{}", tabs(&stage));
}

#[test]
fn the_cursor_reads_every_series() {
    let mut stage = Stage::new(rich());
    stage.keys("home");
    let status = |stage: &Stage| stage.screen().lines().rev().nth(1).unwrap().to_owned();
    assert!(status(&stage).starts_with(" step 0   deep 0.5   shallow 0.5"), "{}", status(&stage));
    stage.keys("end");
    assert!(status(&stage).starts_with(" step 19900   deep"), "{}", status(&stage));
    stage.keys("ctrl-left left");
    let there = status(&stage);
    assert!(there.starts_with(" geometric mean of 2, steps 1") && !there.contains("19900"), "{there}");
    assert!(there.contains(" … "), "the lowest and the highest: {there}");
    // The cursor is at the same position in other charts.
    stage.keys("tab");
    assert!(status(&stage).contains("accuracy"), "{}", status(&stage));
}

#[test]
fn a_chart_of_a_table_leaves_the_cursor_to_the_others() {
    let columns = "[[figure]]\nid = \"points\"\ntitle = \"Points\"\n[[figure.panel]]\n[[figure.panel.mark]]\n\
                   type = \"scatter\"\ntable = \"points\"\nxcol = \"x\"\nycol = \"y\"\n";
    let mut stage = Stage::new(run("fit", "rich", 3).losses().figures(columns));
    assert!(stage.screen().contains("› Points"), "{}", stage.screen());
    stage.keys("home");
    let screen = stage.screen();
    assert!(screen.contains("\n step 0   the chart in focus has another x axis\n"), "no values: {screen}");
    stage.keys("enter esc z u shift-left 0 y esc enter");
    assert!(!stage.screen().contains("latest"), "no list of series beside it: {}", stage.screen());
    stage.keys("left");
    assert!(stage.screen().contains("is from tables and has no cursor"), "{}", stage.screen());
}

#[test]
fn zooming_and_panning_end_with_everything_again() {
    let mut stage = Stage::new(rich());
    let before = stage.screen();
    for script in
        ["z z Z Z", "u U", "z . , 0", "u shift-up shift-down 0", "z u esc", "X X", "E E", "Y Y", "y y", "+ -"]
    {
        stage.keys(script);
        assert_eq!(stage.screen(), before, "{script}");
    }
    stage.keys("z");
    assert!(stage.screen().contains("zoomed"));
    assert_ne!(stage.screen(), before);
    stage.bench.resize(40, 15);
    stage.settle();
    assert!(stage.screen().contains("zoomed: 0 resets"), "{}", stage.screen());
}

#[test]
fn settings_are_kept_for_the_experiment() {
    let mut stage = Stage::on(
        Bench::new(),
        &[rich(), run("fit", "second", 9).losses(), run("other", "third", 9).losses()],
    );
    for key in ["+", "+", "Y", "|"] {
        stage.bench.keys(key);
    }
    let saved = stage.bench.take().into_iter().filter_map(|e| match e {
        Task::SaveSettings(settings) => Some(settings.run.of("fit")),
        _ => None,
    });
    let saved = saved.last().unwrap();
    assert_eq!((saved.smoothing, saved.same_y, saved.columns), (0.6, true, Some(3)));
    stage.keys("esc esc");
    stage.open("second");
    assert!(stage.screen().contains("smooth 0.6"), "{}", stage.screen());
    stage.keys("esc");
    stage.open("third");
    assert!(!stage.screen().contains("smooth 0.6"), "{}", stage.screen());
}

#[test]
fn series_are_hidden_and_shown() {
    let mut stage = Stage::new(rich());
    stage.keys("L");
    insta::assert_snapshot!("list_of_series", stage.screen());
    while !stage.screen().contains("›✓ deep") {
        stage.keys("down");
    }
    stage.keys("space esc");
    let legend = stage.screen().lines().nth(3).unwrap().to_owned();
    assert!(!legend.contains("deep") && legend.contains("shallow"), "{legend}");
    stage.keys("L a esc");
    assert!(stage.screen().lines().nth(3).unwrap().contains("deep"));
}

#[test]
fn what_is_hidden_of_another_run_is_neither_counted_nor_listed() {
    let second = run("fit", "second", 9).series("loss", None, &wave(60));
    let mut stage = Stage::on(Bench::new(), &[rich(), second]);
    stage.keys("L");
    while !stage.screen().contains("›✓ deep") {
        stage.keys("down");
    }
    stage.keys("space esc");
    assert!(stage.screen().lines().nth(2).unwrap().contains("1 hidden"), "{}", stage.screen());
    stage.keys("esc");
    stage.open("second");
    stage.keys("L");
    assert!(!stage.screen().contains("hidden") && !stage.screen().contains("deep"), "{}", stage.screen());
    // Showing only one of its series leaves the other run's hidden.
    stage.keys("f f esc esc");
    stage.open("rich");
    assert!(stage.screen().contains("1 hidden"), "{}", stage.screen());
}

#[test]
fn the_grid_is_chosen_and_charts_are_paged() {
    let mut stage = Stage::new(rich());
    stage.bench.resize(80, 24);
    stage.settle();
    assert!(stage.screen().contains("page 1 of 4 · 4 charts"), "{}", stage.screen());
    stage.keys("pagedown");
    assert!(stage.screen().contains("page 2 of 4"));
    stage.keys("pageup pageup _");
    assert!(stage.screen().contains("page 1 of 2"), "{}", stage.screen());
    stage.keys("down");
    let focused = stage.screen().lines().filter(|l| l.starts_with('›')).count();
    assert_eq!(focused, 1);
}

#[test]
fn the_mouse_does_the_same() {
    let mut stage = Stage::new(rich());
    let left = MouseButton::Left;
    let none = KeyModifiers::NONE;
    stage.mouse(MouseEventKind::Down(left), 90, 10, none);
    stage.mouse(MouseEventKind::Up(left), 90, 10, none);
    let status = |stage: &Stage| stage.screen().lines().rev().nth(1).unwrap().to_owned();
    assert!(status(&stage).contains("step"), "a click puts focus and cursor: {}", stage.screen());
    stage.keys("esc");
    let before = stage.screen();
    stage.mouse(MouseEventKind::ScrollUp, 90, 10, none);
    assert!(status(&stage).contains("zoomed"));
    let zoomed = stage.screen();
    stage.mouse(MouseEventKind::Down(left), 90, 10, none);
    stage.mouse(MouseEventKind::Drag(left), 80, 10, none);
    stage.mouse(MouseEventKind::Up(left), 80, 10, none);
    assert_ne!(stage.screen(), zoomed, "dragging moves the window");
    stage.keys("0");
    assert_eq!(stage.screen(), before);
    stage.mouse(MouseEventKind::ScrollUp, 90, 10, KeyModifiers::SHIFT);
    assert!(status(&stage).contains("zoomed"), "with shift along y");
    stage.mouse(MouseEventKind::Down(left), 14, 2, none);
    assert!(stage.screen().contains("[2 log]"), "{}", stage.screen());
}

#[test]
fn a_verdict_stands_below_the_header() {
    let mut stage = Stage::new(rich().at(State::Running, 10));
    let verdict = |text: &str| Verdict {
        rule: Rule::NotFinite,
        confidence: Confidence::Certain,
        text: text.to_owned(),
        since: None,
        step: Some(7),
        proof: Vec::new(),
    };
    let below = |stage: &Stage| stage.screen().lines().skip(2).take(2).collect::<Vec<_>>().join("\n");
    let id = stage.bench.id("rich");
    stage.bench.answer(Answer::Why(id.clone(), Some(verdict("loss is NaN since step 7"))));
    assert!(below(&stage).contains("▲ loss is NaN since step 7 (gradtop why)"), "{}", stage.screen());
    stage.bench.resize(30, 24);
    assert!(below(&stage).contains("▲ loss is NaN since step 7"), "{}", stage.screen());
    stage.bench.answer(Answer::Why(id, None));
    assert!(!stage.screen().contains("NaN since"), "{}", stage.screen());
}

#[test]
fn the_other_panes() {
    let mut stage = Stage::new(rich());
    let dir = stage.bench.id("rich").dir();
    let log = b"\x1b[32mepoch 1\x1b[0m\n\r10 %\r100 %\n\x1b]52;c;aGk=\x07loss nan\n";
    std::fs::write(dir.console(), log).unwrap();
    stage.keys("2");
    let body = |stage: &Stage| stage.screen().lines().skip(3).take(8).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!("log", body(&stage));
    append_event(&dir, &Event::Alert { message: "deep #1 has diverged".to_owned() }).unwrap();
    stage.keys("3");
    assert!(body(&stage).contains("! alert: deep #1 has diverged"), "{}", stage.screen());
    stage.keys("4");
    let params = stage.screen().lines().skip(2).take(10).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!("params", params);
    stage.keys("5");
    assert!(stage.screen().contains("No tables"), "{}", stage.screen());
    stage.keys("6");
    assert!(stage.screen().contains("system/memory") && !stage.screen().contains("accuracy"));
    let bottom = stage.screen();
    assert!(bottom.contains("2 charts") && !bottom.contains("system/ 2"), "{bottom}");
}

#[test]
fn empty_panes_of_an_imported_run_promise_nothing() {
    let mut stage = Stage::new(run("fit", "imported", 1).losses().with(|m, _| {
        (m.kind, m.plugin) = (Kind::Import, None);
        (m.import, m.params) =
            (Some(ImportInfo { format: "csv".into(), source: "/a.csv".into() }), Vec::new());
    }));
    for (pane, said) in
        [("2", "No output"), ("4", "no parameters are in the source"), ("6", "gradtop did not see it train")]
    {
        stage.keys(pane);
        let screen = stage.screen();
        assert!(screen.contains(said) && !screen.contains("no installed plugin"), "{pane}: {screen}");
        assert!(pane != "4" || screen.contains("csv: /a.csv"), "{screen}");
    }
}

#[test]
fn what_is_wrong_with_a_search_is_whole_on_a_phone() {
    let mut stage = Stage::new(rich().at(State::Running, 10));
    stage.bench.resize(40, 15);
    stage.keys("/");
    stage.bench.type_text("/(loss");
    let screen = stage.screen();
    assert!(screen.contains(" find /(loss") && screen.contains("not a regular expression:"), "{screen}");
    assert!(!screen.contains('…') || !screen.contains("expression: …"), "{screen}");
}

#[test]
fn the_focus_is_on_its_chart_again_after_a_search_that_hid_it() {
    let mut stage = Stage::new(rich().at(State::Running, 10));
    let focused = |s: &Stage| {
        let screen = s.screen();
        let title = screen.lines().find_map(|l| l.split('›').nth(1)).unwrap_or_default();
        title.split("  ").next().unwrap_or_default().to_owned()
    };
    stage.keys("tab");
    let before = focused(&stage);
    for (search, end) in [("nothing-like-it", "esc"), ("/(loss", "enter"), ("/(loss", "esc")] {
        stage.keys("/");
        stage.bench.type_text(search);
        stage.keys(end);
        assert!(!before.is_empty() && focused(&stage) == before, "{search} {end}: {}", stage.screen());
    }
    stage.keys("/");
    stage.bench.type_text("/(loss");
    stage.keys("enter");
    assert!(stage.screen().contains("the search was not kept: not a regular"), "{}", stage.screen());
}

#[test]
fn states_without_data_say_what_to_do() {
    let bare =
        |state: State| run("fit", "bare", 2).at(state, 0).with(|_, s| (s.step, s.done) = (None, Some(0)));
    for state in [State::Queued, State::Starting, State::Running, State::Paused] {
        insta::assert_snapshot!(format!("bare_{state}"), Stage::new(bare(state)).screen());
    }
    let cause = "loss is not finite in every model and trial: deep, middle and shallow diverged at step 812 with lr = 0.5";
    let mut failed = Stage::new(bare(State::Failed).cause(cause));
    insta::assert_snapshot!("failed_without_data", failed.screen());
    failed.bench.resize(80, 24);
    failed.settle();
    insta::assert_snapshot!("failed_without_data_80x24", failed.screen());
}

#[test]
fn a_crash_is_told_above_the_charts() {
    let crashed = rich().at(State::Crashed, 8_000).cause("killed by SIGKILL (out of memory)");
    let mut stage = Stage::new(crashed);
    let top = stage.screen().lines().take(6).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!("crashed", top);
    stage.bench.resize(80, 24);
    stage.settle();
    assert!(stage.screen().contains("☠ killed by SIGKILL (out of memory)"));
}

#[test]
fn causes_and_alerts_are_wrapped_above_the_charts() {
    let text =
        "deep, middle and shallow have diverged in every trial at step 812 with a learning rate of 0.5";
    let mut stage = Stage::new(rich().at(State::Stopped, 8_000).cause(&format!("asked to: {text}")));
    append_event(&stage.bench.id("rich").dir(), &Event::Alert { message: text.to_owned() }).unwrap();
    stage.bench.read();
    stage.bench.resize(80, 40);
    stage.settle();
    let screen = stage.screen();
    let lines: Vec<&str> = screen.lines().skip(3).take(4).collect();
    let words = lines.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words.matches(text).count(), 2, "{screen}");
}

#[test]
fn a_run_deleted_while_watched_stays_and_says_so() {
    let mut stage = Stage::new(rich().at(State::Running, 5_000));
    append_event(&stage.bench.id("rich").dir(), &Event::Paused).unwrap();
    stage.keys("3 1");
    assert!(stage.screen().contains("eta"), "{}", stage.screen());
    std::fs::remove_dir_all(stage.bench.id("rich").dir().path()).unwrap();
    stage.bench.read();
    stage.settle();
    for (pane, shown) in [
        ("1", "accuracy"),
        ("2", "before this was read"),
        ("3", "paused"),
        ("4", "lr"),
        ("5", "before this was read"),
        ("6", "was not read: its folder was deleted"),
        ("1", "accuracy"),
    ] {
        stage.keys(pane);
        let screen = stage.screen();
        assert!(screen.contains("\n gone  rich") && !screen.contains(" eta "), "{screen}");
        assert!(
            screen.contains("Its folder was deleted") && screen.contains("last seen running"),
            "{screen}"
        );
        assert!(screen.contains(shown) && !screen.contains("eading"), "{pane}: {screen}");
    }
    stage.keys("esc");
    assert!(!stage.screen().contains("Its folder was deleted"), "back at the list");
}

#[test]
fn a_figure_declared_meanwhile_appears_and_the_focus_stays() {
    let mut stage = Stage::new(rich().at(State::Running, 5_000));
    let title = |s: &Stage| s.screen().lines().find_map(|l| l.split('›').nth(1).map(str::to_owned)).unwrap();
    stage.keys("tab");
    let focused = title(&stage);
    let new =
        FIGURES.replace("\"loss\"\ntitle = \"Loss of both networks\"", "\"new\"\ntitle = \"A new figure\"");
    let dir = stage.bench.id("rich").dir();
    gradtop_store::figures::declare(&dir, &new).unwrap();
    let deadline = Instant::now() + Duration::from_mins(3);
    while !stage.screen().contains("A new figure") {
        assert!(Instant::now() < deadline, "{}", stage.screen());
        stage.look();
        stage.settle();
    }
    assert_eq!(title(&stage).split("  ").next(), focused.split("  ").next());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Any keys, mouse events and sizes in any order, with charts and data, drawing after each.
    #[test]
    fn no_sequence_of_keys_panics_with_charts(script in prop::collection::vec((0usize..10_000, 0u8..10), 1..60)) {
        let mut stage = Stage::new(rich());
        let modes = super::keys::ALL.iter().flat_map(|m| m.bindings);
        let names: Vec<&str> = modes.flat_map(Binding::names).filter(|n| *n != "esc").collect();
        for (n, kind) in script {
            let (x, y) = ((n % 140) as u16, (n / 140 % 45) as u16);
            let button = MouseButton::Left;
            match kind {
                0 => {
                    let (width, height) = SIZES[n % SIZES.len()];
                    stage.bench.resize(width, height);
                    stage.settle();
                }
                1 => stage.mouse(MouseEventKind::ScrollUp, x, y, KeyModifiers::NONE),
                2 => stage.mouse(MouseEventKind::ScrollDown, x, y, KeyModifiers::SHIFT),
                3 => stage.mouse(MouseEventKind::Down(button), x, y, KeyModifiers::NONE),
                4 => stage.mouse(MouseEventKind::Drag(button), x, y, KeyModifiers::NONE),
                _ => stage.keys(names[n % names.len()]),
            }
            stage.screen();
        }
    }
}
