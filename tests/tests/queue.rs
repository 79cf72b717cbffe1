//! The queue: order, slots, dependencies, and that no kill loses a run or starts one twice.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_store::{Event, Life, RunDir, RunLock, State, View};
use gradtop_tests::sandbox::{Run, ended};
use gradtop_tests::{CommandOutput, Sandbox, until, until_seen};
use rustix::process::Signal;

/// Queues a counter that is held at its first step.
fn queue(sandbox: &Sandbox, name: &str, more: &[&str]) -> CommandOutput {
    let [hold, gate] = sandbox.hold(name, 1);
    let args = ["counter", "--queue", "--name", name, "--set", "steps=3", "--set", &hold, "--set", &gate];
    sandbox.run(&[&args, more].concat()).expect_code(0)
}

fn view(sandbox: &Sandbox, name: &str) -> View {
    until_seen(&format!("{name} to be found"), || {
        gradtop_store::find_run(&sandbox.runs(), name).and_then(|run| gradtop_store::view(&run))
    })
}

/// Waits until a run has started and is held at its first step.
fn at_work<'a>(sandbox: &'a Sandbox, name: &str) -> Run<'a> {
    until(&format!("{name} to be started"), || {
        let view = view(sandbox, name);
        (view.queued.is_none() && view.state == State::Running).then_some(())
    });
    let run = sandbox.find(name);
    run.until_step(1);
    run
}

fn waits(sandbox: &Sandbox) -> Vec<String> {
    let list = sandbox.gradtop(&["queue", "--json"]).expect_code(0).json();
    let names = list["waiting"].as_array().unwrap().iter();
    names.map(|run| run["run"].as_str().unwrap().to_owned()).collect()
}

fn finished(sandbox: &Sandbox, name: &str) {
    sandbox.let_go(name, "");
    sandbox.gradtop(&["wait", name]).expect_code(0);
}

/// How often the run's trainer was started.
fn starts(sandbox: &Sandbox, name: &str) -> usize {
    let run = sandbox.find(name);
    run.logged_events(|event| matches!(event, Event::State { state: State::Running, .. })).len()
}

#[test]
fn runs_start_in_order_as_slots_fall_free_and_nothing_waits_with_a_process() {
    let sandbox = Sandbox::new();
    assert!(queue(&sandbox, "a", &[]).out.contains("started a"));
    let first = at_work(&sandbox, "a");
    assert!(queue(&sandbox, "b", &[]).out.contains("queued b: #1"));
    for name in ["c", "d", "e"] {
        queue(&sandbox, name, &[]);
    }
    assert_eq!(waits(&sandbox), ["b", "c", "d", "e"]);
    let seen = view(&sandbox, "c");
    assert_eq!((seen.state, seen.life, seen.certain), (State::Queued, Life::Gone { held: false }, true));
    assert_eq!(seen.manifest.experiment.id, "counter");
    sandbox.gradtop(&["queue", "first", "e"]).expect_code(0);
    sandbox.gradtop(&["queue", "move", "b", "3"]).expect_code(0);
    assert_eq!(waits(&sandbox), ["e", "c", "b", "d"]);
    sandbox.gradtop(&["queue", "rm", "d"]).expect_code(0);
    sandbox.gradtop(&["pause", "d"]).expect_code(2);
    first.go_on();
    assert_eq!(first.wait().code, 0);
    at_work(&sandbox, "e");
    assert_eq!(waits(&sandbox), ["c", "b"], "one slot is one run");
    sandbox.gradtop(&["queue", "--slots", "2"]).expect_code(0);
    at_work(&sandbox, "c");
    for name in ["e", "c", "b"] {
        finished(&sandbox, name);
        assert_eq!(starts(&sandbox, name), 1);
    }
    assert_eq!(waits(&sandbox), [""; 0]);
}

#[test]
fn a_run_waits_for_others_and_is_held_where_they_fail() {
    let sandbox = Sandbox::new();
    sandbox.gradtop(&["queue", "--slots", "4"]).expect_code(0);
    queue(&sandbox, "a", &[]);
    queue(&sandbox, "b", &[]);
    queue(&sandbox, "after-a", &["--after", "a"]);
    queue(&sandbox, "after-b", &["--after", "b", "--after", "a"]);
    at_work(&sandbox, "a");
    at_work(&sandbox, "b");
    assert_eq!(waits(&sandbox), ["after-a", "after-b"]);
    sandbox.gradtop(&["stop", "b"]).expect_code(0);
    finished(&sandbox, "a");
    finished(&sandbox, "after-a");
    let held = until("the other to be held", || view(&sandbox, "after-b").queued.and_then(|q| q.held));
    assert_eq!(held, "b was stopped");
    let listed = sandbox.gradtop(&["list"]).expect_code(0).out;
    assert!(listed.contains("held because b was stopped"), "{listed}");
    let entry = sandbox.gradtop(&["queue", "--json"]).json()["waiting"][0].clone();
    let run = sandbox.gradtop(&["list", "after-b", "--json"]).json()[0]["queued"].clone();
    for (key, value) in run.as_object().unwrap() {
        assert_eq!(*value, entry[key], "{key}");
    }
    assert_eq!(
        (&run["held"], &run["device"], &run["place"]),
        (&held.as_str().into(), &"cpu".into(), &1.into())
    );
    let told = sandbox.gradtop(&["wait", "after-b", "--timeout", "0.5"]).expect_code(5).err;
    let why = "held because b was stopped; `gradtop queue release after-b` lets it start";
    assert_eq!(told.matches(why).count(), 2, "at once and at the end of the time: {told}");
    sandbox.gradtop(&["stop", "after-b"]).expect_code(0);
    sandbox.gradtop(&["wait", "after-b"]).expect_code(3);
    assert_eq!(view(&sandbox, "after-b").status.cause.as_deref(), Some("stopped before it started"));
}

#[test]
fn a_release_forgives_what_failed_and_a_resumed_run_is_waited_for_again() {
    let sandbox = Sandbox::new();
    sandbox.gradtop(&["queue", "--slots", "9"]).expect_code(0);
    for name in ["fails", "goes-on"] {
        queue(&sandbox, name, &[]);
        at_work(&sandbox, name);
    }
    for name in ["one", "again"] {
        queue(&sandbox, name, &["--after", "fails"]);
    }
    queue(&sandbox, "both", &["--after", "fails", "--after", "goes-on"]);
    let release = |name: &str, code| sandbox.gradtop(&["queue", "release", name]).expect_code(code);
    let said = release("both", 1).err;
    assert!(said.contains("both is not held: it waits for fails, goes-on"), "{said}");
    sandbox.gradtop(&["stop", "fails"]).expect_code(0);
    let held = |name: &str| view(&sandbox, name).queued.and_then(|queued| queued.held);
    for name in ["one", "again", "both"] {
        until(&format!("{name} to be held"), || held(name));
    }
    // One release is enough, however many reasons there are.
    sandbox.gradtop(&["queue", "hold", "one"]).expect_code(0);
    assert_eq!(held("one").as_deref(), Some("fails was stopped, and by `gradtop queue hold`"));
    assert!(release("one", 0).out.contains("started one"));
    finished(&sandbox, "one");
    release("both", 0);
    let queued = view(&sandbox, "both").queued.unwrap();
    assert_eq!((queued.after, queued.held), (vec!["counter/goes-on".to_owned()], None));
    // Nothing but runs that wait for others: there is nothing to start.
    sandbox.gradtop(&["resume", "fails", "--detach"]).expect_code(0);
    sandbox.gradtop(&["queue", "start"]).expect_code(0);
    assert_eq!(held("again"), None, "it waits again");
    for name in ["fails", "again", "goes-on", "both"] {
        finished(&sandbox, name);
    }
}

#[test]
fn slots_of_one_device_stay_and_damaged_settings_can_be_set_anew() {
    let sandbox = Sandbox::new();
    let set = |slots: &[&str]| sandbox.gradtop(&[&["queue"], slots].concat());
    let said = set(&["--slots", "cuda:0=4", "--slots", "2"]).expect_code(0).out;
    assert_eq!(said, "2 slots per device · cuda:0 4\n");
    assert_eq!(set(&["--slots", "1"]).expect_code(0).out, "1 slot per device · cuda:0 4\n");
    assert_eq!(set(&["--slots", "cuda:0=default"]).expect_code(0).out, "1 slot per device\n");
    std::fs::write(sandbox.runs().join(".queue/settings.toml"), "slots = ").unwrap();
    let said = set(&[]).expect_code(1).err;
    assert!(
        said.contains("settings.toml") && said.contains("`gradtop queue --slots N` writes it anew"),
        "{said}"
    );
    assert_eq!(set(&["--slots", "3"]).expect_code(0).out, "3 slots per device\n");
}

#[test]
fn a_run_whose_folder_is_gone_says_so() {
    let sandbox = Sandbox::new();
    queue(&sandbox, "a", &[]);
    let work = sandbox.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let mut command = sandbox.command(&["exec", "--queue", "--name", "b", "--", "true"]);
    command.current_dir(&work);
    ended(command, &["exec"]).expect_code(0);
    std::fs::remove_dir(&work).unwrap();
    finished(&sandbox, "a");
    let held = until("b to be held", || view(&sandbox, "b").queued.and_then(|queued| queued.held));
    assert!(held.ends_with(&format!("the folder it was queued in is gone: {}", work.display())), "{held}");
}

#[test]
fn a_name_in_the_queue_is_that_of_the_run_that_waits() {
    let sandbox = Sandbox::new();
    sandbox.gradtop(&["exec", "--experiment", "other", "--name", "d", "--", "true"]).expect_code(0);
    queue(&sandbox, "a", &[]);
    queue(&sandbox, "d", &[]);
    for what in ["hold", "release", "first", "rm"] {
        sandbox.gradtop(&["queue", what, "d"]).expect_code(0);
    }
    assert_eq!(waits(&sandbox), [""; 0]);
}

#[test]
fn what_is_held_waits_until_it_is_released() {
    let sandbox = Sandbox::new();
    queue(&sandbox, "a", &[]);
    queue(&sandbox, "b", &[]);
    sandbox.gradtop(&["queue", "hold", "b"]).expect_code(0);
    queue(&sandbox, "c", &[]);
    finished(&sandbox, "a");
    at_work(&sandbox, "c");
    finished(&sandbox, "c");
    assert_eq!(waits(&sandbox), ["b"]);
    let released = sandbox.gradtop(&["queue", "release", "b"]).expect_code(0);
    assert!(released.out.contains("started b"), "{released:?}");
    finished(&sandbox, "b");
    let said = sandbox.gradtop(&["queue", "hold", "b"]).expect_code(1);
    assert!(said.err.contains("b does not wait: it is finished"), "{said:?}");
}

#[test]
fn runs_that_wait_are_held_released_and_deleted_by_a_filter() {
    let sandbox = Sandbox::new();
    for (name, burst) in [("a", "burst=2"), ("b", "burst=2"), ("c", "burst=2"), ("other", "burst=1")] {
        queue(&sandbox, name, &["--set", burst]);
    }
    at_work(&sandbox, "a");
    let said = sandbox.gradtop(&["queue", "rm", "burst=2"]).expect_code(2);
    assert!(said.err.contains("the filter selects 2 runs: confirm with --yes"), "{said:?}");
    let said = sandbox.gradtop(&["queue", "hold", "burst=2", "--yes"]).expect_code(0);
    // Running ones are left alone.
    assert!(
        said.out.contains("held b") && said.out.contains("held c") && !said.out.contains("held a"),
        "{said:?}"
    );
    let said = sandbox.gradtop(&["queue", "rm", "burst=2", "-y"]).expect_code(0);
    assert!(said.out.contains("deleted b") && said.out.contains("deleted c"), "{said:?}");
    assert_eq!(waits(&sandbox), ["other"]);
    let said = sandbox.gradtop(&["queue", "release", "burst=2"]).expect_code(1);
    assert!(said.err.contains("no run that waits matches the filter"), "{said:?}");
    let said = sandbox.gradtop(&["rm", "burst=2", "-y"]).expect_code(1);
    assert!(said.err.contains("a is running: stop it first"), "{said:?}");
    sandbox.gradtop(&["queue", "rm", "other"]).expect_code(0);
    finished(&sandbox, "a");
    sandbox.gradtop(&["rm", "burst=2", "-y"]).expect_code(0);
}

#[test]
fn a_command_starts_with_the_folder_and_the_environment_it_was_queued_with() {
    let sandbox = Sandbox::new();
    queue(&sandbox, "a", &[]);
    let work = sandbox.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let mut command =
        sandbox.command(&["exec", "--queue", "--name", "b", "--", "sh", "-c", "pwd; echo is $SECRET"]);
    command.current_dir(&work).env("SECRET", "blue");
    ended(command, &["exec"]).expect_code(0);
    let queued = view(&sandbox, "b").dir;
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(queued.turn()).unwrap());
    assert_eq!(mode & 0o777, 0o600, "an environment holds secrets");
    finished(&sandbox, "a");
    sandbox.gradtop(&["wait", "b"]).expect_code(0);
    let run = sandbox.find("b");
    let said = std::fs::read_to_string(run.dir.console()).unwrap();
    assert!(said.contains(&format!("{}\nis blue", work.display())), "{said}");
    assert!(!run.dir.turn().exists(), "nothing of it is kept");
}

#[test]
fn each_queued_run_has_its_own_alerts() {
    let sandbox = Sandbox::new();
    queue(&sandbox, "first", &["--alert", "end"]);
    at_work(&sandbox, "first");
    queue(&sandbox, "with", &["--alert", "loss > -1"]);
    queue(&sandbox, "without", &[]);
    for name in ["first", "with", "without"] {
        finished(&sandbox, name);
    }
    let alerts = |name: &str| -> Vec<String> {
        let events = sandbox.find(name).logged_events(|event| matches!(event, Event::Alert { .. }));
        events.iter().map(|event| format!("{event:?}")).collect()
    };
    for (name, said) in [("first", "finished"), ("with", "> -1")] {
        until(&format!("the alert of {name}"), || {
            alerts(name).first().map(|alert| assert!(alert.contains(said), "{name}: {alert}"))
        });
    }
    assert_eq!(alerts("without"), [""; 0]);
}

#[test]
fn what_does_not_start_twice_is_held_with_its_reason_and_others_go_on() {
    let sandbox = Sandbox::new();
    queue(&sandbox, "a", &[]);
    let script = sandbox.path().join("work.sh");
    std::fs::write(&script, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    sandbox.gradtop(&["exec", "--queue", "--name", "b", "--", "./work.sh"]).expect_code(0);
    queue(&sandbox, "c", &[]);
    std::fs::remove_file(&script).unwrap();
    finished(&sandbox, "a");
    at_work(&sandbox, "c");
    let held = view(&sandbox, "b").queued.and_then(|queued| queued.held).unwrap();
    assert!(held.starts_with("it did not start, 2 times: ") && held.contains("work.sh"), "{held}");
    std::fs::write(&script, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    sandbox.gradtop(&["queue", "release", "b"]).expect_code(0);
    finished(&sandbox, "c");
    sandbox.gradtop(&["wait", "b"]).expect_code(0);
}

#[test]
fn when_all_keepers_are_killed_the_next_start_goes_on_and_none_runs_twice() {
    let sandbox = Sandbox::new();
    sandbox.gradtop(&["queue", "--slots", "2"]).expect_code(0);
    let names: Vec<String> = (0..6).map(|i| format!("r{i}")).collect();
    for name in &names {
        queue(&sandbox, name, &[]);
    }
    for name in &names[..2] {
        let run = at_work(&sandbox, name);
        run.signal_keeper(Signal::KILL);
        run.signal_trainer(Signal::KILL);
        run.until_state(State::Crashed);
    }
    sandbox.gradtop(&["list"]).expect_code(0);
    assert_eq!(waits(&sandbox), names[2..], "looking starts nothing");
    let said = sandbox.gradtop(&["queue", "start"]).expect_code(0);
    assert_eq!(said.out, "started r2\nstarted r3\n");
    for name in &names[2..] {
        finished(&sandbox, name);
    }
    for name in &names {
        assert_eq!(starts(&sandbox, name), 1, "{name}");
    }
}

/// A process that takes a run out of the queue may die between any two steps. Each of these states is simulated.
#[test]
fn a_claimer_that_dies_loses_no_run_and_the_run_starts_once() {
    let sandbox = Sandbox::new();
    queue(&sandbox, "a", &[]);
    for (name, moved) in [("claimed", false), ("taken-out", true)] {
        queue(&sandbox, name, &[]);
        let from = view(&sandbox, name).dir;
        let number = from.path().file_name().unwrap().to_str().unwrap().to_owned();
        let to = RunDir::new(sandbox.runs().join(format!("exp=counter/run={name}")));
        let claims = sandbox.runs().join(".queue/claims.json");
        let text = std::fs::read_to_string(&claims).unwrap();
        let mut list: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        let mut claim = list[0].clone();
        claim["run"] = format!("counter/{name}").into();
        claim["from"] = number.into();
        list.push(claim);
        std::fs::write(&claims, serde_json::to_string(&list).unwrap()).unwrap();
        if moved {
            std::fs::rename(from.path(), to.path()).unwrap();
            // No command takes it for a crash.
            sandbox.gradtop(&["list"]).expect_code(0);
            assert_eq!(view(&sandbox, name).state, State::Queued);
        }
    }
    finished(&sandbox, "a");
    // A run taken out of the queue already has its slot.
    at_work(&sandbox, "taken-out");
    for name in ["taken-out", "claimed"] {
        finished(&sandbox, name);
        assert_eq!(starts(&sandbox, name), 1, "{name}");
    }
}

#[test]
fn of_two_that_start_at_once_one_does() {
    let sandbox = Sandbox::new();
    queue(&sandbox, "a", &[]);
    for name in ["b", "c", "d", "e"] {
        queue(&sandbox, name, &[]);
    }
    let a = at_work(&sandbox, "a");
    a.signal_keeper(Signal::KILL);
    a.signal_trainer(Signal::KILL);
    a.until_state(State::Crashed);
    let children: Vec<_> = (0..6)
        .map(|_| sandbox.command(&["queue", "start"]).stdout(std::process::Stdio::null()).spawn().unwrap())
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(waits(&sandbox), ["c", "d", "e"]);
    at_work(&sandbox, "b");
    assert_eq!(starts(&sandbox, "b"), 1);
}

#[test]
fn a_name_is_given_once_and_a_queue_that_is_locked_is_waited_for() {
    let sandbox = Sandbox::new();
    queue(&sandbox, "a", &[]);
    queue(&sandbox, "b", &[]);
    let said = sandbox.run(&["counter", "--name", "b", "--detach"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("already exists"), "{said:?}");
    let lock = RunLock::acquire(&RunDir::new(sandbox.runs().join(".queue"))).unwrap();
    let first = sandbox.run(&["counter", "--set", "steps=1", "--detach"]).expect_code(0);
    drop(lock);
    assert_eq!(first.out.trim(), "counter-1", "what starts at once needs no queue");
}
