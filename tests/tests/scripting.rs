//! The promises of docs/scripting.md: the fields of `--json`, and exit codes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use gradtop_tests::{Sandbox, paths};
use serde_json::Value;

/// The fields listed on the page, by command.
fn promised() -> BTreeMap<String, Vec<String>> {
    let page = std::fs::read_to_string(paths::checkout().join("docs/scripting.md")).unwrap();
    let blocks = page.split("```fields\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned());
    let lines: Vec<String> =
        blocks.flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let entry = |line: &String| {
        let (command, fields) = line.split_once(": ").unwrap();
        (command.to_owned(), fields.split(' ').map(str::to_owned).collect())
    };
    lines.iter().map(entry).collect()
}

/// The field names of an object, in order.
fn fields(value: &Value) -> Vec<String> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().cloned().collect()
}

#[test]
fn json_has_the_fields_that_the_page_lists() {
    let library = paths::fixture("careless");
    let datasets = paths::checkout().join("datasets");
    let sandbox =
        Sandbox::with(std::slice::from_ref(&library)).and_env("GRADTOP_DATASETS", datasets.to_str().unwrap());
    sandbox.run(&["walk", "--set", "steps=3", "--name", "a"]).expect_code(0);
    sandbox.run(&["walk", "--set", "steps=3", "--name", "b"]).expect_code(0);
    let library = sandbox.plugins().join("libcareless.so");
    let library = library.to_str().unwrap();
    let mut promised = promised();
    let broken = sandbox.path().join("broken.so");
    std::fs::write(&broken, "no library").unwrap();
    let table = sandbox.path().join("other.csv");
    std::fs::write(&table, "step,loss\n0,1\n").unwrap();
    let mut expect = |command: &str, args: &[&str], is_array: bool| {
        let said = sandbox.gradtop(&[args, &["--json"]].concat());
        let said = said.json();
        let value = if is_array { &said[0] } else { &said };
        let listed = promised.remove(command).unwrap_or_else(|| panic!("{command} is not on the page"));
        assert_eq!(fields(value), listed, "{command}");
    };
    expect("list", &["list"], true);
    expect("experiments", &["experiments"], true);
    expect("plot --list", &["plot", "a", "--list"], true);
    expect("data", &["data"], true);
    expect("data check", &["data", "check", "mnist"], true);
    expect("launchers", &["launchers"], true);
    expect("doctor", &["doctor"], true);
    expect("doctor RUN", &["doctor", "a"], true);
    expect("experiments NAME", &["experiments", "walk"], false);
    expect("best", &["best", "height"], false);
    expect("import", &["import", table.to_str().unwrap()], false);
    expect("show", &["show", "a"], false);
    expect("why", &["why", "a"], false);
    expect("compare", &["compare", "a", "b"], false);
    expect("config", &["config"], false);
    expect("plugin list", &["plugin", "list"], false);
    expect("plugin check", &["plugin", "check", library], false);
    expect("plugin check, refused", &["plugin", "check", broken.to_str().unwrap()], false);
    let quick = ["plugin", "check", library, "--conformance", "--timeout", "60"];
    expect("plugin check --conformance", &quick, false);
    expect("selftest", &["selftest", "--device", "cpu", "--plugin", library], false);
    let shown = sandbox.gradtop(&["show", "a", "--json"]).json();
    assert_eq!(Some(fields(&shown["metrics"][0])), promised.remove("show metrics"));
    assert!(promised.is_empty(), "nothing prints {promised:?}");
}

/// The types of lines of JSON.
fn types(out: &str) -> Vec<String> {
    let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| line["type"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn lines_of_json_have_their_types() {
    let sandbox = Sandbox::with(&[paths::fixture("careless")]);
    let said = sandbox.run(&["walk", "--set", "steps=3", "--name", "a", "--json"]).expect_code(0);
    let told = types(&said.out);
    assert_eq!(
        (told.first().map(String::as_str), told.last().map(String::as_str)),
        (Some("started"), Some("final"))
    );
    let known = ["started", "event", "status", "final"];
    assert!(told.iter().all(|kind| known.contains(&kind.as_str())), "{told:?}");
    assert_eq!(types(&sandbox.gradtop(&["wait", "a", "--json"]).expect_code(0).out), ["final"]);
    let logged = types(&sandbox.gradtop(&["logs", "a", "--json"]).expect_code(0).out);
    assert!(
        !logged.is_empty() && logged.iter().all(|kind| kind == "event" || kind == "console"),
        "{logged:?}"
    );
}

#[test]
fn lines_of_runs_that_are_left_queued_or_asked_have_their_types_too() {
    let sandbox = Sandbox::new();
    let _held = sandbox.held(&["counter"], "a", 10);
    let left = sandbox.gradtop(&["wait", "a", "--timeout", "0.1", "--json"]).expect_code(5);
    assert_eq!(types(&left.out), ["left"]);
    let queue = ["counter", "--queue", "--after", "a", "--name", "b", "--json"];
    assert_eq!(types(&sandbox.run(&queue).expect_code(0).out), ["queued"]);
    assert_eq!(sandbox.gradtop(&["queue", "--slots", "3", "--json"]).json()["slots"], 3);
    let offered = sandbox.gradtop(&["__complete", "gradtop stop "]).expect_code(0).out;
    assert!(offered.contains("a\t"), "{offered}");
    let asked = sandbox.gradtop(&["stop", "a", "--no-wait", "--json"]).expect_code(0);
    assert_eq!(types(&asked.out), ["asked"]);
    sandbox.gradtop(&["wait", "a"]).expect_code(3);
    let offered = sandbox.gradtop(&["__complete", "gradtop stop "]).expect_code(0).out;
    assert!(!offered.contains("a\t"), "it has ended: {offered}");
}

#[test]
fn several_runs_and_filters_are_asked_once() {
    let sandbox = Sandbox::new();
    let runs = ["a", "b", "c"].map(|name| sandbox.held(&["counter"], name, 10));
    sandbox.gradtop(&["pause", "a", "b"]).expect_code(0);
    assert_eq!(sandbox.gradtop(&["list", "state:paused", "--json"]).json().as_array().unwrap().len(), 2);
    let said = sandbox.gradtop(&["resume", "state:paused"]).expect_code(2);
    assert_eq!(said.err, "error: the filter selects 2 runs: confirm with --yes\n");
    sandbox.gradtop(&["resume", "state:paused", "--yes"]).expect_code(0);
    sandbox.gradtop(&["stop", "a", "b"]).expect_code(0);
    // One of two fails; the other succeeds.
    let said = sandbox.gradtop(&["stop", "b", "c"]).expect_code(1);
    assert!(said.err.contains("b is not running: it has stopped"), "{said:#?}");
    assert!(runs.iter().all(|run| run.view().state == gradtop_store::State::Stopped));
    sandbox.gradtop(&["wait", "a", "b", "c"]).expect_code(3);
    sandbox.gradtop(&["stop", "state:live"]).expect_code(1);
    let live = sandbox.held(&["counter"], "live", 10);
    let gone = sandbox.held(&["counter"], "gone", 10);
    sandbox.gradtop(&["stop", "gone"]).expect_code(0);
    let said = sandbox.gradtop(&["rm", "live", "gone", "--yes"]).expect_code(1);
    assert!(said.err.contains("live is running") && said.out.contains("deleted gone"), "{said:#?}");
    assert!(!gone.dir.path().exists() && live.dir.path().exists());
    sandbox.gradtop(&["stop", "live"]).expect_code(0);
    sandbox.gradtop(&["rm", "live", "--yes"]).expect_code(0);

    let said = sandbox.gradtop(&["rm", "state:stopped", "name:a"]).expect_code(2);
    assert!(said.err.contains("--yes"), "{said:#?}");
    sandbox.gradtop(&["rm", "state:stopped", "NOT", "name:c", "--yes"]).expect_code(0);
    let left = sandbox.gradtop(&["list", "--json"]).json();
    assert_eq!(
        left.as_array().unwrap().iter().map(|run| run["run"].as_str().unwrap()).collect::<Vec<_>>(),
        ["c"]
    );
}

#[test]
fn what_is_not_there_is_named() {
    let sandbox = Sandbox::with(&[paths::fixture("careless")]);
    sandbox.run(&["walk", "--set", "steps=3", "--name", "first"]).expect_code(0);
    for (args, words) in [
        (&["list", "frist"][..], "did you mean first?"),
        (&["list", "step:many"], "compared with numbers"),
        (&["list", "stesp>1"], "did you mean step or steps?"),
        (&["list", "--sort", "heigth"], "did you mean height?"),
        (&["list", "--columns", "name,heigth"], "did you mean height?"),
        (&["best", "heigth"], "did you mean height?"),
        (&["star", "first", "frist"], "nothing was done: no run is called \"frist\""),
        (&["--runs", "rnus", "list"], "did you mean runs?"),
        (&["--runs", "rnus", "show"], "did you mean runs?"),
        (&["run", "walk", "--steps", "4"], "--set steps=4"),
        (&["run", "walk", "steps=4"], "--set steps=4"),
        (&["run", "walk", "--name", "NaN"], "DuckDB or Polars would read it as"),
    ] {
        let said = sandbox.gradtop(args).expect_code(2);
        assert!(said.err.contains(words), "{args:?}: {said:#?}");
    }
    // A column that was asked for is there, also without any value.
    let columns = ["list", "steps=3", "--sort", "height", "--columns", "name,star,steps,height"];
    let said = sandbox.gradtop(&columns).expect_code(0);
    let row: Vec<&str> = said.out.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(row, ["first", "–", "3", "4"], "{said:#?}");
}

/// The completions for a shell.
#[test]
fn completions_know_what_there_is() {
    let sandbox = Sandbox::with(&[paths::fixture("careless")]);
    sandbox.run(&["walk", "--set", "steps=3", "--name", "first"]).expect_code(0);
    for (line, expected) in [
        ("gradtop run w", &["walk"][..]),
        ("gradtop run walk --set s", &["steps="]),
        ("gradtop run walk --set steps=", &["steps=400"]),
        ("gradtop show f", &["first"]),
        ("gradtop plot first h", &["height"]),
        ("gradtop plot first f", &["first"]),
        ("gradtop compare first --metric h", &["height"]),
        ("gradtop list --columns name,st", &["name,steps", "name,state", "name,step", "name,star"]),
        ("gradtop stop state:ru", &["state:running"]),
        ("gradtop experiments w", &["walk"]),
        ("gradtop best h", &["height"]),
        ("gradtop best height f", &["first"]),
        ("gradtop sweep w", &["walk"]),
        ("gradtop sweep walk --vary st", &["steps="]),
    ] {
        let said = sandbox.gradtop(&["__complete", line]).expect_code(0);
        let words: Vec<&str> = said.out.lines().map(|line| line.split('\t').next().unwrap()).collect();
        assert_eq!(words, expected, "{line}");
    }
    // bash asks for and shows the same.
    let script = sandbox.gradtop(&["completions", "bash"]).expect_code(0).out;
    let program = sandbox.program();
    let asked = format!(
        "{script}\nCOMP_LINE='{0} run walk --set steps=' COMP_POINT=${{#COMP_LINE}} COMP_WORDS=({0} run walk --set steps =)\n\
         _gradtop; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        program.display()
    );
    let out = sandbox.around("bash").args(["-c", &asked]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout), "400\n", "{}", String::from_utf8_lossy(&out.stderr));
}
