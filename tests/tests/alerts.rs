//! Alerts: rules for runs, reported as events and to a hook.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use gradtop_store::{Event, State, read_events};
use gradtop_tests::pty::Terminal;
use gradtop_tests::sandbox::Run;
use gradtop_tests::{Sandbox, until};

fn alerts(run: &Run<'_>) -> Vec<String> {
    let message = |event| if let Event::Alert { message } = event { Some(message) } else { None };
    read_events(&run.dir).unwrap().into_iter().filter_map(|line| message(line.event)).collect()
}

const SCRIPT: &str =
    "for i in 1 2 3; do echo \"$i loss=$((i * 5))\" >&3; done; echo '4 loss=nan' >&3; exit 3";

#[test]
fn in_a_tmux_that_does_not_hear_of_the_focus_an_alert_always_rings() {
    for (focus_events, rings) in [("off", true), ("on", false)] {
        let sandbox = Sandbox::new();
        let bin = sandbox.path().join("fake");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("tmux"), format!("#!/bin/sh\necho {focus_events}\n")).unwrap();
        fs::set_permissions(bin.join("tmux"), Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let sandbox = sandbox.and_env("TMUX", "/tmp/tmux,1,0").and_env("PATH", &path);
        let mut terminal = Terminal::start(&sandbox, &[]);
        terminal.shows(&["No runs"]);
        // The terminal reports the focus; the answer to the key after that proves that the report has arrived.
        terminal.press(b"\x1b[I?");
        terminal.shows(&["open the run, or fold"]);
        sandbox.gradtop(&["exec", "--name", "a", "--alert", "end", "--", "true"]).expect_code(0);
        terminal.shows(&["a: finished"]);
        let rang = terminal.written().contains("]777;notify;gradtop;a: finished");
        assert_eq!(rang, rings, "focus-events {focus_events}: {:?}", terminal.written());
    }
}

#[test]
fn alerts_are_events_and_reach_the_hook_one_by_one() {
    let told = tempfile::NamedTempFile::new().unwrap();
    let hook = format!("cat >> '{0}'; echo >> '{0}'", told.path().display());
    let sandbox = Sandbox::with(&[])
        .and_env("GRADTOP_ALERTS_RULES", "non-finite, failure")
        .and_env("GRADTOP_ALERTS_HOOK", &hook);
    let args =
        ["exec", "--name", "a", "--alert", "loss > 12", "--alert", "los > 1", "--", "sh", "-c", SCRIPT];
    let said = sandbox.gradtop(&args).expect_code(1);
    let run = sandbox.find("a");
    assert_eq!(run.view().state, State::Failed);
    let expected = [
        "loss is 15, which is > 12, at step 3".to_owned(),
        "loss is NaN at step 4".to_owned(),
        format!("failed: {}", run.view().status.cause.unwrap()),
    ];
    let events: Vec<serde_json::Value> = until("the hook to be told of the end", || {
        let text = fs::read_to_string(told.path()).unwrap();
        let lines: Vec<_> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        (lines.len() == expected.len()).then_some(lines)
    });
    assert_eq!(alerts(&run), expected);
    assert!(said.out.contains("the alert \"los > 1\" was about no series of this run"), "{}", said.out);
    assert!(!said.out.contains("\"loss > 12\" was about"), "{}", said.out);
    // Those of rows were there when the end was seen, and that of the end takes no place of theirs.
    assert!(expected[..2].iter().all(|alert| said.out.contains(alert)), "{}", said.out);
    assert_eq!(
        run.view().alert.map(|alert| (alert.message, alert.of_end)),
        Some((expected[1].clone(), false))
    );
    let listed = sandbox.gradtop(&["list", "a"]).expect_code(0);
    assert!(!listed.out.contains("alert: failed"), "{}", listed.out);
    let messages: Vec<&str> = events.iter().map(|event| event["message"].as_str().unwrap()).collect();
    assert_eq!(messages, expected);
    assert_eq!(events[0]["rule"], "loss > 12");
    assert_eq!((&events[0]["run"], &events[0]["step"]), (&"a".into(), &3.into()));
}

#[test]
fn a_rule_about_many_series_leaves_the_end_its_alert() {
    let sandbox = Sandbox::with(&[]);
    let script = "for i in $(seq 150); do echo \"1 loss$i=nan\" >&3; done; exit 3";
    let args = ["exec", "--name", "a", "--alert", "non-finite", "--alert", "end", "--", "sh", "-c", script];
    sandbox.gradtop(&args).expect_code(1);
    let told = until("the end to be told", || {
        let told = alerts(&sandbox.find("a"));
        told.last().is_some_and(|last| last.starts_with("failed: exit code 3")).then_some(told)
    });
    assert_eq!(told.len(), 21, "{told:?}");
    assert!(
        told[19].ends_with("; this rule tells no more of this run") && !told[18].contains(';'),
        "{told:?}"
    );
}

#[test]
fn a_hook_that_fails_each_time_is_one_event_and_nothing_else() {
    let called = tempfile::NamedTempFile::new().unwrap();
    let hook = format!("echo >> '{}'; exit 7", called.path().display());
    let sandbox = Sandbox::with(&[]).and_env("GRADTOP_ALERTS_HOOK", &hook);
    let rows = "printf '1 loss=13\\n2 loss=1\\n3 loss=13\\n' >&3";
    let args = ["exec", "--name", "a", "--alert", "loss > 12", "--alert", "end", "--", "sh", "-c", rows];
    sandbox.gradtop(&args).expect_code(0);
    let run = sandbox.find("a");
    let warned = |event: &Event| matches!(event, Event::Warning { message } if message == "the hook of alerts ended with exit status: 7");
    until("the hook to be told of the end", || {
        (std::fs::read_to_string(called.path()).unwrap().lines().count() == 3).then_some(())
    });
    // By its third call, the first two have been told.
    let told = read_events(&run.dir).unwrap().iter().filter(|line| warned(&line.event)).count();
    assert_eq!((run.view().state, alerts(&run).len(), told), (State::Finished, 3, 1));
}

#[test]
fn rules_that_were_given_for_a_run_hold_again_when_it_is_resumed_and_those_of_the_settings_are_the_resumers()
{
    let told = tempfile::NamedTempFile::new().unwrap();
    let sandbox = Sandbox::new();
    let rules = ["loss > -1", "loss < 0.98", "end"];
    let args =
        ["counter", "--set", "steps=100"].into_iter().chain(rules.iter().flat_map(|rule| ["--alert", rule]));
    let run = sandbox.held(&args.collect::<Vec<_>>(), "a", 1);
    sandbox.gradtop(&["stop", "a"]).expect_code(0);
    let says = |what: &str| until(what, || alerts(&run).last().filter(|last| last.contains(what)).map(drop));
    says("stopped");
    assert_eq!(alerts(&run).len(), 2, "{:?}", alerts(&run));
    // As a newer version might write it.
    let manifest = std::fs::read_to_string(run.dir.manifest()).unwrap();
    fs::write(run.dir.manifest(), manifest.replace("\"end\"", "\"at noon\", \"end\"")).unwrap();
    run.go_on();
    let hook = format!("cat >> '{0}'; echo >> '{0}'", told.path().display());
    let mut resume = sandbox.command(&["resume", "a"]);
    resume.env("GRADTOP_ALERTS_HOOK", &hook).env("GRADTOP_ALERTS_RULES", "loss < 0.97");
    gradtop_tests::sandbox::ended(resume, &["resume"]).expect_code(0);
    says("finished");
    let rules: Vec<String> = until("the hook to be told of the end", || {
        let text = fs::read_to_string(told.path()).unwrap();
        let rule = |line: &str| {
            Some(serde_json::from_str::<serde_json::Value>(line).ok()?["rule"].as_str()?.to_owned())
        };
        let rules: Vec<String> = text.lines().filter_map(rule).collect();
        rules.last().is_some_and(|last| last == "end").then_some(rules)
    });
    // Rules that held before it was stopped have already been reported.
    assert_eq!(rules, ["loss < 0.98", "loss < 0.97", "end"]);
    assert!(run.events().contains("is left out: \\\"at noon\\\" is not a rule"), "{}", run.events());
    let shown = sandbox.gradtop(&["show", "a", "--json"]).expect_code(0).json();
    assert_eq!(
        shown["manifest"]["alerts"],
        serde_json::json!(["loss > -1", "loss < 0.98", "at noon", "end"])
    );
}

#[test]
fn a_wrong_rule_starts_nothing() {
    let sandbox = Sandbox::with(&[]);
    let said = sandbox.gradtop(&["exec", "--name", "a", "--alert", "loss > high", "--", "true"]);
    let said = said.expect_code(2);
    assert!(said.err.contains("\"high\" is not a number"), "{}", said.err);
    assert!(gradtop_store::list_runs(&sandbox.runs()).is_empty());
}
