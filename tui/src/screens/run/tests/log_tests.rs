//! The pane of the log.

use super::*;

#[test]
fn a_living_log_is_followed_as_it_grows() {
    let mut stage = Stage::new(run("fit", "a", 1).at(State::Running, 100));
    let console = stage.bench.id("a").dir().console();
    std::fs::write(&console, "one\n").unwrap();
    stage.keys("2");
    assert!(stage.screen().contains(" one"), "{}", stage.screen());
    for (line, text) in [("two", "one\ntwo\n"), ("three", "one\ntwo\nthree\n")] {
        let waits = stage.waits.take().expect("what comes next is waited for");
        std::fs::write(&console, text).unwrap();
        stage.bench.answer(Answer::Pane(pane::read(&waits)));
        stage.settle();
        assert!(stage.screen().contains(&format!(" {line}")), "{}", stage.screen());
    }
    // Elsewhere, nothing waits for it.
    let waits = stage.waits.take().expect("as before");
    stage.keys("3");
    stage.bench.answer(Answer::Pane(pane::read(&waits)));
    stage.settle();
    assert_eq!(stage.waits, None);
}

#[test]
fn the_log_is_followed_and_searched() {
    let mut stage = Stage::new(rich().at(State::Running, 10));
    let dir = stage.bench.id("rich").dir();
    let text: String = (0..5_000).map(|i| format!("line {i}\n")).collect::<Vec<_>>().concat();
    std::fs::write(dir.console(), &text).unwrap();
    stage.keys("2");
    assert!(stage.screen().contains("line 4999"));
    std::fs::write(dir.console(), text + "and one more\n").unwrap();
    stage.bench.send(Msg::Tick("2026-11-20T14:32:08Z".parse().unwrap()));
    stage.settle();
    assert!(stage.screen().contains("and one more"), "{}", stage.screen());
    stage.keys("/");
    stage.bench.type_text("line 123");
    stage.keys("enter");
    assert!(stage.screen().contains("›line 1239"), "the last that matches: {}", stage.screen());
    stage.keys("n n");
    assert!(stage.screen().contains("›line 1237"), "{}", stage.screen());
    stage.keys("N");
    assert!(stage.screen().contains("›line 1238"), "{}", stage.screen());
    stage.keys("/");
    stage.bench.type_text("nonsense");
    stage.keys("enter");
    assert!(stage.screen().contains("\"nonsense\" is nowhere"), "{}", stage.screen());
    stage.keys("home");
    assert!(stage.screen().contains(" line 0\n"), "{}", stage.screen());
    stage.keys("end");
    assert!(stage.screen().contains("and one more"));
}

#[test]
fn of_a_damaged_file_the_reason_is_seen() {
    let mut stage = Stage { bench: Bench::new(), live: WatchedRuns::new(), waits: None };
    let torn = stage.bench.make(&run("fit", "torn", 1).losses());
    std::fs::write(torn.figures(), "garbage[").unwrap();
    stage.bench.read();
    stage.open("torn");
    stage.bench.resize(80, 24);
    let screen = stage.bench.screen();
    assert!(
        screen.contains("some of its data cannot be read: figures.toml is damaged: figures, line 1:"),
        "{screen}"
    );
}
