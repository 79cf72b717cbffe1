//! Fifteen healthy runs without any alert or verdict, and fifteen unhealthy ones that are each recognized.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_store::{Event, State};
use gradtop_tests::sandbox::Run;
use gradtop_tests::{Sandbox, in_parallel, until};
use rustix::process::Signal;

/// All rules that work for any run.
const ALL: [&str; 8] =
    ["non-finite", "diverged", "rate-fell", "gpu-idle", "stalled", "failure", "memory 99.9%", "disk 100%"];

/// A command that logs 300 steps; `values` is what awk prints for step `i`.
fn script(values: &str) -> String {
    format!("awk 'BEGIN {{ srand(1); for (i = 1; i <= 300; i++) {{ {values} }} }}' >&3")
}

fn alerts(run: &Run<'_>) -> Vec<String> {
    let events = run.logged_events(|event| matches!(event, Event::Alert { .. })).into_iter();
    events
        .filter_map(|line| if let Event::Alert { message } = line.event { Some(message) } else { None })
        .collect()
}

/// The verdicts of `why`, by their rules.
fn verdicts(sandbox: &Sandbox, name: &str) -> Vec<(String, String)> {
    let why = sandbox.gradtop(&["why", name, "--json"]).expect_code(0).json();
    let text = |verdict: &serde_json::Value, key: &str| verdict[key].as_str().unwrap().to_owned();
    why["verdicts"].as_array().unwrap().iter().map(|v| (text(v, "rule"), text(v, "text"))).collect()
}

#[test]
fn healthy_runs_raise_no_alert_and_have_no_verdict() {
    let sandbox = &Sandbox::new();
    let plugins: [&[&str]; 5] = [
        &["counter", "--set", "steps=3000"],
        &["counter", "--set", "steps=3000", "--set", "rate=3000"],
        &["counter", "--set", "steps=3000", "--set", "rate=3000", "--set", "burst=500"],
        &["counter", "--set", "steps=100000", "--seed", "3"],
        &["counter", "--set", "steps=50", "--seed", "11"],
    ];
    let curves = [
        "printf \"%d loss=%g\\n\", i, 3 / i",
        "printf \"%d loss=0.5 lr=%g\\n\", i, 0.1 * (1 + cos(i / 96)) / 2",
        "printf \"%d loss=%g\\n\", i, 2.3 * exp(-i / 80) + 0.2 * rand()",
        "printf \"%d loss=%g\\n\", i, (i % 50 == 7) ? 40 : 1 + 0.1 * rand()",
        "printf \"%d loss/train=%g loss/test=%g\\n\", i, 1 / i, 0.5 + i / 30",
        "printf \"%d loss=%g\\n\", i, -i / 10",
        "printf \"%d generator_loss=%g critic_loss=%g\\n\", i, 1 + 0.8 * sin(i / 9), 1 - 0.8 * sin(i / 9)",
        "printf \"%d loss=%g accuracy=%g\\n\", i, 2 / sqrt(i), 1 - 1 / i",
        "if (i % 10 == 0) printf \"%d loss=%g grad_norm=%g\\n\", i, 1 + rand(), 5 + 100 * rand()",
        "printf \"%d loss=%g\\n\", i, (i < 150) ? 2 - i / 100 : 1.9 - (i - 150) / 100",
    ];
    let rules: Vec<&str> = ALL.iter().flat_map(|rule| ["--alert", rule]).collect();
    let all: Vec<usize> = (0..plugins.len() + curves.len()).collect();
    assert_eq!(all.len(), 15);
    in_parallel(4, all, |at| {
        let name = &format!("h{at}");
        let (script, own) = match plugins.get(at) {
            Some(args) => (String::new(), *args),
            None => (script(curves[at - plugins.len()]), &[][..]),
        };
        let said = if script.is_empty() {
            sandbox.gradtop(&[&["run"], own, &["--threads", "1", "--name", name], &rules].concat())
        } else {
            sandbox.gradtop(&[&["exec", "--name", name], &rules[..], &["--", "sh", "-c", &script]].concat())
        };
        said.expect_code(0);
        let run = sandbox.find(name);
        assert_eq!(alerts(&run), [""; 0], "{name}: {script}");
        assert_eq!(verdicts(sandbox, name), [], "{name}: {script}");
    });
}

/// An unhealthy run: what it logs, how it ends, the rule, the message of its alert, and the verdict of `why`, if any.
struct Sick {
    values: &'static str,
    end: &'static str,
    args: &'static [&'static str],
    rule: &'static str,
    says: &'static str,
    why: Option<(&'static str, &'static str)>,
}

const fn sick(values: &'static str, rule: &'static str, says: &'static str) -> Sick {
    Sick { values, end: "", args: &[], rule, says, why: None }
}

const fn lost(values: &'static str, says: &'static str, why: &'static str) -> Sick {
    Sick { why: Some(("not-finite", why)), ..sick(values, "non-finite", says) }
}

const SICK: [Sick; 13] = [
    lost(
        "printf \"%d loss=%s\\n\", i, (i < 62) ? 1 / i : \"nan\"",
        "loss is NaN at step 62",
        "loss is NaN since step 62",
    ),
    lost(
        "printf \"%d loss=%s\\n\", i, (i < 90) ? 1 : \"inf\"",
        "loss is inf at step 90",
        "loss is inf since step 90",
    ),
    lost(
        "printf \"%d loss=%s grad_norm=%s\\n\", i, (i < 63) ? 1 : \"nan\", (i < 60) ? 1 : \"inf\"",
        "grad_norm is inf at step 60",
        "grad_norm is inf since step 60",
    ),
    lost("printf \"%d loss=nan\\n\", i", "loss is NaN at step 1", "loss"),
    lost(
        "printf \"%d loss/train=%s loss/test=1\\n\", i, (i < 200) ? 1 : \"nan\"",
        "loss is NaN at step 200",
        "is NaN since step 200",
    ),
    sick(
        "printf \"%d loss=%g\\n\", i, (i < 100) ? 2 : 2 * exp((i - 100) / 20)",
        "diverged",
        "on average of 20 values, and was 2 at",
    ),
    sick(
        "printf \"%d loss=%g\\n\", i, -5 + ((i > 150) ? i - 150 : 0)",
        "diverged",
        "and was -5 at its beginning",
    ),
    sick("printf \"%d energy=%g\\n\", i, 1 + i * i", "diverged energy", "energy is "),
    sick(
        "printf \"%d loss=%g\\n\", i, 1 / ((i < 100) ? i : 100)",
        "plateau loss 150",
        "no better than 0.01 at step 100",
    ),
    Sick {
        args: &["--metric", "accuracy:max"],
        ..sick(
            "printf \"%d accuracy=%g\\n\", i, (i < 50) ? i / 100 : 0.5",
            "plateau accuracy 200",
            "no better than 0.5 at step 50",
        )
    },
    sick("printf \"%d loss=%g\\n\", i, i", "loss > 250", "loss is 251, which is > 250, at step 251"),
    Sick { end: "; exit 3", ..sick("printf \"%d loss=1\\n\", i", "failure", "failed: ") },
    sick("printf \"%d loss=1\\n\", i", "disk 0.001%", "% full"),
];

#[test]
fn sick_runs_are_told_for_what_they_are() {
    let sandbox = &Sandbox::with(&[]);
    in_parallel(4, SICK.iter().enumerate().collect(), |(at, sick)| {
        let name = &format!("s{at}");
        // Properties that no single row shows are judged once a second, so the run continues until they have been.
        let waits = sandbox.path().join(format!("go-{at}"));
        let hold = if sick.rule.starts_with("disk") {
            format!("; until [ -e '{}' ]; do sleep 0.05; done", waits.display())
        } else {
            sick.end.to_owned()
        };
        let script = script(sick.values) + &hold;
        let args = ["exec", "--detach", "--name", name, "--alert", sick.rule];
        sandbox.gradtop(&[&args, sick.args, &["--", "sh", "-c", &script]].concat()).expect_code(0);
        let run = sandbox.find(name);
        until(&format!("the alert of {}", sick.rule), || {
            alerts(&run).iter().any(|alert| alert.contains(sick.says)).then_some(())
        });
        std::fs::write(waits, "").unwrap();
        run.wait();
        let told = alerts(&run);
        assert!(!told.is_empty() && told.len() <= 2, "{name}: {told:?}");
        let found = verdicts(sandbox, name);
        match sick.why {
            Some((rule, says)) => assert!(
                found.len() == 1 && found[0].0 == rule && found[0].1.contains(says),
                "{name}: {found:?}"
            ),
            None => assert_eq!(found, [], "{name}"),
        }
    });
}

#[test]
fn a_run_that_stands_still_and_one_that_is_killed_are_told() {
    let sandbox = Sandbox::new();
    let still = sandbox.held(&["counter", "--set", "steps=10", "--alert", "stalled 1s"], "still", 2);
    until("the alert", || alerts(&still).iter().any(|alert| alert.starts_with("no row for")).then_some(()));
    still.go_on();
    still.wait().expect_code(0);
    let killed = sandbox.held(&["counter", "--set", "steps=10", "--alert", "failure"], "killed", 2);
    assert!(killed.signal_trainer(Signal::KILL));
    killed.until_state(State::Crashed);
    until("the alert", || alerts(&killed).iter().any(|alert| alert.starts_with("crashed: ")).then_some(()));
}
