//! Plugins that appear, change and disappear while the monitor shows them, in a real terminal.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use gradtop_store::State;
use gradtop_tests::pty::Terminal;
use gradtop_tests::{Sandbox, build, check, paths, until, until_seen};

/// Waits until the screen no longer shows a text.
fn gone(terminal: &Terminal, text: &str) {
    until_seen(&format!("{text:?} to be gone"), || {
        let screen = terminal.screen();
        if screen.contains(text) { Err(screen) } else { Ok(()) }
    });
}

/// Presses a key until the screen shows a text.
fn shown_after(terminal: &mut Terminal, key: &[u8], text: &str) {
    until(&format!("{text:?} to be shown"), || {
        terminal.press(key);
        terminal.screen().contains(text).then_some(())
    });
}

/// The line under the cursor.
fn here(terminal: &Terminal) -> String {
    terminal.screen().lines().find(|l| l.starts_with('›')).unwrap_or_default().to_owned()
}

/// Moves the cursor down to a line with this text.
fn down_to(terminal: &mut Terminal, text: &str) {
    for _ in 0..100 {
        let before = here(terminal);
        if before.contains(text) {
            return;
        }
        terminal.press(b"\x1b[B");
        until("the cursor to move", || (here(terminal) != before).then_some(()));
    }
    panic!("no line with {text:?}: {}", terminal.screen());
}

/// Replaces a file atomically, like `plugin install` and linkers.
fn put(from: &Path, to: &Path) {
    let beside = to.with_extension("tmp");
    fs::copy(from, &beside).unwrap();
    fs::rename(beside, to).unwrap();
}

#[test]
fn a_plugin_comes_is_run_changes_and_goes_and_its_run_is_not_disturbed() {
    let sandbox = Sandbox::with(&[]);
    let library = sandbox.plugins().join("libmisbehave.so");
    let mut terminal = Terminal::start(&sandbox, &[]);
    terminal.shows(&["gradtop"]);
    terminal.press(b"x");
    terminal.shows(&["No plugins yet"]);

    // Copied slowly, as over a network: it is described once it is complete.
    fs::copy(paths::fixture("misbehave"), &library).unwrap();
    terminal.shows(&["counter"]);

    // Down to `counter`, its form, many slow steps, start.
    down_to(&mut terminal, " counter ");
    terminal.press(b"\r");
    terminal.shows(&["new run of counter"]);
    down_to(&mut terminal, "steps");
    terminal.press(b"nonsense");
    terminal.shows(&["an integer"]);
    terminal.press(b"\x15100000000");
    // Once it is shown, the next movement is that of the cursor.
    until("the new value", || here(&terminal).contains("100000000").then_some(()));
    down_to(&mut terminal, "rate");
    terminal.press(b"500\x13");
    terminal.shows(&["counter-1"]);
    let run = sandbox.find("counter-1");
    run.until_state(State::Running);

    // Another version under another name: the experiment is still listed and can be run.
    put(&paths::fixture("refused"), &sandbox.plugins().join("librefused.so"));
    put(&paths::fixture("misbehave"), &library);
    terminal.press(b"x");
    // It comes after the many experiments of the other plugin.
    shown_after(&mut terminal, b"\x1b[F", "librefused.so");
    shown_after(&mut terminal, b"\x1b[H", " counter ");

    // Removed while its run continues.
    fs::remove_file(&library).unwrap();
    gone(&terminal, "libmisbehave.so");
    let before = run.view();
    assert_eq!(before.state, State::Running, "{:?}", before.status.cause);
    run.until_step(before.status.step.unwrap_or(0) + 1);

    // The run has its own copy of the plugin, from which the form opens.
    terminal.press(b"\x1b");
    terminal.shows(&["counter-1"]);
    terminal.press(b"R");
    terminal.shows(&["run's own copy"]);
    terminal.press(b"\x1b");
    gone(&terminal, "run's own copy");
    terminal.press(b"q");
    assert_eq!(terminal.exit_code(), 0, "{}", terminal.screen());
    assert_eq!(run.view().state, State::Running, "quitting stops nothing");
    sandbox.gradtop(&["stop", "counter-1"]).expect_code(0);
    run.until_state(State::Stopped);
    check::sealed(&run.dir);
}

#[test]
fn plugins_that_hang_die_or_are_none_are_refused_and_delay_no_other() {
    let sandbox = Sandbox::with(&[]);
    let mut terminal = Terminal::start(&sandbox, &[]);
    terminal.shows(&["gradtop"]);
    terminal.press(b"x");
    let plugin = |name: &str, body: &str| {
        let code = format!(
            "#include <stdlib.h>\n#include \"gradtop.h\"\nextern unsigned int sleep(unsigned int);\n\
             __attribute__((visibility(\"default\"))) const gradtop_entry *gradtop_entry_v1(void);\n\
             const gradtop_entry *gradtop_entry_v1(void) {{ {body} return 0; }}\n"
        );
        let built = sandbox.path().join("built");
        fs::create_dir_all(&built).unwrap();
        put(
            &build::text(name, &code, &built),
            &sandbox.plugins().join(format!("lib{}.so", &name[..name.len() - 2])),
        );
    };
    // Twice as many as are described in parallel.
    for i in 0..8 {
        plugin(&format!("hangs{i}.c"), "sleep(1000);");
    }
    plugin("dies.c", "abort();");
    fs::write(sandbox.plugins().join("libtext.so"), "no library").unwrap();
    terminal.shows(&["libhangs7.so"]);
    put(&paths::fixture("misbehave"), &sandbox.plugins().join("libmisbehave.so"));
    // The cursor stays on the first of the others, wherever that moves.
    shown_after(&mut terminal, b"\x1b[H", " counter ");
    assert!(sandbox.describing() > 0, "it waited for those that hang");
    // The last lines are the refused plugins.
    terminal.press(b"\x1b[F");
    for (name, words) in [
        ("libtext.so", "is not a shared library"),
        ("libhangs0.so", "did not describe itself"),
        ("libdies.so", "SIGABRT"),
    ] {
        until(&format!("{name} to be refused: {words}"), || {
            terminal.screen().lines().any(|l| l.contains(name) && l.contains(words)).then_some(())
        });
    }
    terminal.press(b"q");
    assert_eq!(terminal.exit_code(), 0, "{}", terminal.screen());
}
