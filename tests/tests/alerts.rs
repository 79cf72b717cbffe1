//! Alerts: rules that somebody sets for runs, told as events and to a hook.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use gradtop_store::{Event, State, read_events};
use gradtop_tests::sandbox::Run;
use gradtop_tests::{Sandbox, until};

fn alerts(run: &Run<'_>) -> Vec<String> {
    let message = |event| if let Event::Alert { message } = event { Some(message) } else { None };
    read_events(&run.dir).unwrap().into_iter().filter_map(|line| message(line.event)).collect()
}

const SCRIPT: &str =
    "for i in 1 2 3; do echo \"$i loss=$((i * 5))\" >&3; done; echo '4 loss=nan' >&3; exit 3";

#[test]
fn alerts_are_events_and_reach_the_hook_one_by_one() {
    let told = tempfile::NamedTempFile::new().unwrap();
    let hook = format!("cat >> '{0}'; echo >> '{0}'", told.path().display());
    let sandbox = Sandbox::with(&[])
        .and_env("GRADTOP_ALERTS_RULES", "non-finite, failure")
        .and_env("GRADTOP_ALERTS_HOOK", &hook);
    let args = ["exec", "--name", "a", "--alert", "loss > 12", "--", "sh", "-c", SCRIPT];
    sandbox.gradtop(&args).expect_code(1);
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
    let messages: Vec<&str> = events.iter().map(|event| event["message"].as_str().unwrap()).collect();
    assert_eq!(messages, expected);
    assert_eq!(events[0]["rule"], "loss > 12");
    assert_eq!((&events[0]["run"], &events[0]["step"]), (&"a".into(), &3.into()));
}

#[test]
fn a_hook_that_fails_is_an_event_and_nothing_else() {
    let sandbox = Sandbox::with(&[]).and_env("GRADTOP_ALERTS_HOOK", "exit 7");
    let args = ["exec", "--name", "a", "--alert", "loss > 12", "--", "sh", "-c", "echo '1 loss=13' >&3"];
    sandbox.gradtop(&args).expect_code(0);
    let run = sandbox.find("a");
    let warned = |event: &Event| matches!(event, Event::Warning { message } if message == "the hook of alerts ended with exit status: 7");
    until("the hook's failure to be told", || {
        read_events(&run.dir).unwrap().iter().any(|line| warned(&line.event)).then_some(())
    });
    assert_eq!((run.view().state, alerts(&run).len()), (State::Finished, 1));
}

#[test]
fn a_wrong_rule_starts_nothing() {
    let sandbox = Sandbox::with(&[]);
    let said = sandbox.gradtop(&["exec", "--name", "a", "--alert", "loss > high", "--", "true"]);
    let said = said.expect_code(2);
    assert!(said.err.contains("\"high\" is not a number"), "{}", said.err);
    assert!(gradtop_store::list_runs(&sandbox.runs()).is_empty());
}
