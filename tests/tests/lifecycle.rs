//! The life of a run: started, left, watched again, paused, stopped, resumed, awaited, deleted.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use gradtop_store::{Event, State};
use gradtop_tests::sandbox::Run;
use gradtop_tests::{Sandbox, check, paths, until};
use rustix::process::Signal;

/// The rows that must be equal in equal runs.
fn rows(run: &Run<'_>) -> Vec<check::Row> {
    let rows = check::sealed(&run.dir);
    check::no_row_twice(&rows);
    check::comparable(rows, &["clock"])
}

#[test]
fn paused_stopped_and_resumed_it_ends_with_the_same_rows() {
    let sandbox = Sandbox::new();
    let steps = "steps=3000";
    sandbox.run(&["counter", "--name", "whole", "--set", steps]).expect_code(0);
    let whole = rows(&sandbox.find("whole"));
    assert_eq!(whole.len(), 2 * 3000);

    let run = sandbox.held(&["counter", "--set", steps], "parts", 100);
    sandbox.gradtop(&["pause", "parts"]).expect_code(0);
    run.until_state(State::Paused);
    // Only the pause holds it while others look at it.
    run.let_to(1000);
    sandbox.gradtop(&["show", "parts"]).expect_code(0);
    sandbox.gradtop(&["resume", "parts"]).expect_code(0);
    run.until_step(1000);
    let when = |word| run.logged_events(|e| *e == word).first().expect("an event").time.as_microsecond();
    let pause = when(Event::Paused)..when(Event::Unpaused);
    let loss = || gradtop_store::read_series(&run.dir, |k| k.metric == "loss").unwrap().remove(0);
    let times = loss().time_us;
    assert!(times.iter().all(|t| !pause.contains(t)), "a paused run goes on: {pause:?} {times:?}");

    let said = sandbox.gradtop(&["checkpoint", "parts"]).expect_code(0);
    assert!(said.out.contains("saved a checkpoint"), "{said:#?}");
    assert_eq!(gradtop_store::checkpoints(&run.dir).pop().unwrap().step, 1000);
    run.go_to(1200);
    sandbox.gradtop(&["stop", "parts"]).expect_code(0);
    assert_eq!(run.wait().code, 3);
    // A stop saves a checkpoint, so no step is repeated.
    assert_eq!(gradtop_store::checkpoints(&run.dir).pop().unwrap().step, 1200);
    assert_eq!(loss().step.len(), 1201);

    run.go_on();
    sandbox.gradtop(&["resume", "parts"]).expect_code(0);
    assert_eq!(rows(&run), whole);
    let samples = |name: &str| gradtop_store::read_table(&sandbox.find(name).dir, "samples").unwrap();
    assert_eq!(samples("parts"), samples("whole"));
    let events = run.events();
    for word in ["\"paused\"", "\"unpaused\"", "\"checkpoint\"", "\"resumed\"", "\"stopped\"", "\"finished\""]
    {
        assert!(events.contains(word), "{word} is no event: {events}");
    }
    sandbox.gradtop(&["resume", "parts"]).expect_code(1);
}

#[test]
fn killed_and_resumed_it_ends_with_the_same_rows() {
    let sandbox = Sandbox::new();
    let steps = "steps=4000";
    sandbox.run(&["counter", "--name", "whole", "--set", steps]).expect_code(0);
    let run = sandbox.held(&["counter", "--set", steps], "parts", 200);
    for (step, trainer) in [(200, true), (1200, false)] {
        run.go_to(step);
        sandbox.gradtop(&["checkpoint", "parts"]).expect_code(0);
        assert_eq!(gradtop_store::checkpoints(&run.dir).pop().unwrap().step, step);
        run.go_to(step + 300);
        let rows = || gradtop_store::read_series(&run.dir, |k| k.metric == "loss").unwrap().remove(0).step;
        until("rows after the checkpoint", || (rows().len() as i64 > step + 1).then_some(()));
        assert!(if trainer { run.signal_trainer(Signal::KILL) } else { run.signal_keeper(Signal::KILL) });
        run.wait().expect_code(4);
        sandbox.gradtop(&["resume", "parts", "--detach"]).expect_code(0);
    }
    run.go_on();
    run.wait().expect_code(0);
    assert_eq!(rows(&run), rows(&sandbox.find("whole")));
    let superseded = check::files(&run.dir.superseded());
    assert!(!superseded.is_empty(), "what came after the checkpoint is set aside, not deleted");
}

#[test]
fn equal_seeds_give_equal_rows_and_others_do_not() {
    let sandbox = Sandbox::new();
    for (name, seed) in [("a", "7"), ("b", "7"), ("c", "8")] {
        let args = ["run", "counter", "--name", name, "--seed", seed, "--set", "steps=500"];
        sandbox.gradtop(&args).expect_code(0);
    }
    assert_eq!(rows(&sandbox.find("a")), rows(&sandbox.find("b")));
    assert_ne!(rows(&sandbox.find("a")), rows(&sandbox.find("c")));
}

/// Enough steps to kill it before the end.
const FIT: [&str; 5] = ["function-fit", "--preset", "quick", "--set", "steps=12000"];

#[test]
fn what_only_the_experiment_can_judge_leaves_no_run() {
    let sandbox = Sandbox::with(&[paths::plugin("deep_vs_shallow")]);
    for (sets, why) in [
        (["functions=custom", "expression=sin(5*x"], "expression"),
        (["x_min=1", "x_max=-1"], "must be less than `x_max`"),
        (["models=deep,deeper", "steps=10"], "`deeper`"),
    ] {
        let args = ["function-fit", "--preset", "quick", "--set", sets[0], "--set", sets[1], "--name", "a"];
        let said = sandbox.run(&args).expect_code(2);
        assert!(said.err.contains(why) && said.err.contains("gradtop experiments function-fit"), "{said:#?}");
        assert!(!sandbox.runs().join("exp=function-fit").join("run=a").exists(), "{said:#?}");
    }
    let args =
        ["function-fit", "--preset", "quick", "--set", "functions=custom", "--set", "expression=sin(5*x)"];
    sandbox.run(&args).expect_code(0);
}

#[test]
fn a_killed_function_fit_ends_with_the_same_rows() {
    let sandbox = Sandbox::with(&[paths::plugin("deep_vs_shallow")]);
    sandbox.run(&[&FIT[..], &["--name", "whole"]].concat()).expect_code(0);
    let whole = sandbox.find("whole");
    let clocked: Vec<_> =
        whole.view().manifest.metrics.iter().filter(|m| m.wall_clock).map(|m| m.name.clone()).collect();
    let clocked: Vec<_> = clocked.iter().map(String::as_str).collect();
    let run = sandbox.start(&FIT, "parts");
    // It has no gate, so it is stepped from pause to pause until it is past a checkpoint.
    loop {
        sandbox.gradtop(&["checkpoint", "parts"]).expect_code(0);
        sandbox.gradtop(&["pause", "parts"]).expect_code(0);
        let step = run.until_state(State::Paused).status.step;
        if gradtop_store::checkpoints(&run.dir).pop().is_some_and(|c| Some(c.step) < step) {
            break;
        }
        sandbox.gradtop(&["resume", "parts"]).expect_code(0);
        until("it to go on", || (run.view().state != State::Paused).then_some(()));
    }
    assert!(run.signal_trainer(Signal::KILL), "it had already ended: give it more steps");
    run.wait().expect_code(4);
    sandbox.gradtop(&["resume", "parts"]).expect_code(0);
    let of = |run: &Run<'_>| check::comparable(check::sealed(&run.dir), &clocked);
    let (whole_rows, rows) = (of(&whole), of(&run));
    assert!(whole_rows.len() > 1000, "{} rows", whole_rows.len());
    check::no_row_twice(&rows);
    assert_eq!(rows.len(), whole_rows.len());
    for (a, b) in rows.iter().zip(&whole_rows) {
        assert_eq!(a, b);
    }
    for table in gradtop_store::table_names(&whole.dir) {
        if !["run", "params"].contains(&table.as_str()) {
            let of = |run: &Run<'_>| gradtop_store::read_table(&run.dir, &table).unwrap();
            assert_eq!(of(&run), of(&whole), "table {table}");
        }
    }
}

#[test]
fn sigterm_to_the_keeper_stops_in_order() {
    let sandbox = Sandbox::new();
    let run = sandbox.held(&["counter", "--set", "steps=1000000"], "a", 50);
    assert!(run.signal_keeper(Signal::TERM));
    run.wait().expect_code(3);
    assert!(run.status().cause.unwrap().contains("SIGTERM"));
    assert_eq!(gradtop_store::checkpoints(&run.dir).pop().expect("a checkpoint").step, 50);
    assert_eq!(check::sealed(&run.dir).iter().filter(|r| r.series.0 == "loss").count(), 51);
}

#[test]
fn a_run_is_a_session_of_its_own_and_deaf_to_hangups() {
    let sandbox = Sandbox::new();
    let run = sandbox.held(&["counter", "--set", "steps=1000000"], "a", 10);
    let status = run.status();
    let (keeper, trainer) = (status.keeper_pid.unwrap(), status.trainer_pid.unwrap());
    let fields = |pid: u32| -> Vec<String> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // The fields after the name in parentheses: state, parent, group, session, terminal.
        stat.rsplit_once(") ").unwrap().1.split(' ').take(5).map(str::to_owned).collect()
    };
    assert_eq!(fields(keeper)[3], keeper.to_string());
    assert_eq!(fields(trainer)[3], keeper.to_string());
    assert_eq!(fields(trainer)[1], keeper.to_string());
    assert_eq!([&fields(keeper)[4], &fields(trainer)[4]], ["0", "0"]);
    for pid in [keeper, trainer] {
        assert_eq!(fs::read_link(format!("/proc/{pid}/fd/0")).unwrap(), PathBuf::from("/dev/null"));
    }
    // Neither the keeper nor any viewer opens the plugin.
    let maps = |pid: u32| fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    assert!(!maps(keeper).contains("plugin.so") && maps(trainer).contains("plugin.so"));
    for signal in [Signal::HUP, Signal::INT] {
        run.signal_keeper(signal);
        run.signal_trainer(signal);
    }
    run.go_to(200);
    sandbox.gradtop(&["stop", "a", "--kill"]).expect_code(0);
    assert_eq!(run.wait().code, 3);
}

#[test]
fn a_plugin_rebuilt_or_deleted_leaves_its_runs_alone() {
    let sandbox = Sandbox::with(&[]);
    let plugin = sandbox.plugins().join("libmisbehave.so");
    // A copy, not a link, because it is overwritten.
    fs::copy(paths::fixture("misbehave"), &plugin).unwrap();
    let run = sandbox.held(&["counter", "--set", "steps=3000"], "a", 200);
    // As a careless linker does: truncated and rewritten in place.
    fs::write(&plugin, vec![0xcc; 1 << 20]).unwrap();
    run.go_to(600);
    sandbox.gradtop(&["stop", "a"]).expect_code(0);
    run.go_on();
    fs::remove_file(&plugin).unwrap();
    // The run continues with its own copy, although the experiment no longer exists.
    sandbox.run(&["counter"]).expect_code(2);
    sandbox.gradtop(&["resume", "a"]).expect_code(0);
    assert_eq!(run.wait().code, 0);
    assert_eq!(rows(&run).len(), 2 * 3000);
    // A run whose own copy was changed is not started.
    fs::copy(paths::fixture("misbehave"), &plugin).unwrap();
    let other = sandbox.held(&["counter", "--set", "steps=1000000"], "b", 10);
    sandbox.gradtop(&["stop", "b"]).expect_code(0);
    // Replaced instead of overwritten: other runs share the file.
    fs::remove_file(other.dir.plugin()).unwrap();
    fs::write(other.dir.plugin(), "no library any more").unwrap();
    let said = sandbox.gradtop(&["resume", "b"]).expect_code(1);
    assert!(said.err.contains("plugin.so is not the file the run was started with"), "{said:#?}");
}

#[test]
fn a_program_replaced_or_removed_leaves_its_runs_alone() {
    let sandbox = Sandbox::new();
    let program = sandbox.own_program();
    let run = sandbox.held(&["counter", "--set", "steps=1000"], "a", 10);
    let other = sandbox.held(&["counter", "--set", "steps=1000"], "b", 10);
    assert!(fs::write(&program, "").is_err(), "the system lets nobody write over a program that runs");
    // Like an update: another file under the same name.
    let mut newer = fs::read(&program).unwrap();
    newer.extend_from_slice(b"another build");
    let beside = sandbox.path().join("bin/newer");
    fs::write(&beside, newer).unwrap();
    fs::set_permissions(&beside, fs::metadata(&program).unwrap().permissions()).unwrap();
    fs::rename(&beside, &program).unwrap();
    run.go_to(100);
    sandbox.gradtop(&["stop", "a"]).expect_code(0);
    assert_eq!(run.wait().code, 3);
    run.go_on();
    sandbox.gradtop(&["resume", "a"]).expect_code(0);
    assert_eq!(rows(&run).len(), 2 * 1000);
    // Without the program, the run ends like any other.
    fs::remove_file(&program).unwrap();
    other.go_on();
    other.until_state(State::Finished);
    assert_eq!(rows(&other), rows(&run));
}

#[test]
fn runs_started_at_once_get_names_of_their_own() {
    let sandbox = Sandbox::new();
    let start = || sandbox.gradtop(&["run", "short", "--detach"]).expect_code(0).out.trim().to_owned();
    let mut names: Vec<String> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        starts.into_iter().map(|s| s.join().unwrap()).collect()
    });
    names.sort();
    assert_eq!(names, (1..=8).map(|n| format!("short-{n}")).collect::<Vec<_>>());
    for name in &names {
        sandbox.gradtop(&["wait", name]).expect_code(0);
    }
}

#[test]
fn damaged_files_take_nothing_else_with_them() {
    let sandbox = Sandbox::new();
    sandbox.run(&["counter", "--set", "steps=2000", "--name", "a"]).expect_code(0);
    let run = sandbox.find("a").dir;
    // A second part that is not a Parquet file.
    let broken = run.metrics().join("part-00099.parquet");
    std::fs::write(&broken, b"PAR1 nothing of the kind").unwrap();
    for args in [&["show", "a"][..], &["plot", "a", "loss"]] {
        let said = sandbox.gradtop(args).expect_code(0);
        assert!(said.out.contains("loss"), "{said:#?}");
        assert!(said.err.contains("warning") && said.err.contains("part-00099.parquet"), "{said:#?}");
    }
    let json = sandbox.gradtop(&["show", "a", "--json"]).expect_code(0).json();
    assert_eq!(json["metrics"].as_array().unwrap().len(), 3, "{json}");
    std::fs::remove_file(broken).unwrap();
    // A status truncated by a power cut.
    let whole = std::fs::read(run.status()).unwrap();
    for len in [0, whole.len() / 2] {
        std::fs::write(run.status(), &whole[..len]).unwrap();
        let json = sandbox.gradtop(&["show", "a", "--json"]).expect_code(0).json();
        assert_eq!(json["state"], "finished", "{json}");
        assert!(json["cause"].as_str().unwrap().contains("status.json"), "{json}");
        sandbox.gradtop(&["wait", "a"]).expect_code(0);
    }
    // An unreadable manifest: the run can still be deleted, by its full name and with an option.
    std::fs::write(run.manifest(), "run = ").unwrap();
    sandbox.gradtop(&["show", "a"]).expect_code(1);
    let refused = sandbox.gradtop(&["rm", "--yes", "a"]).expect_code(1);
    assert!(refused.err.contains("run.toml") && refused.err.contains("--force"), "{refused:#?}");
    sandbox.gradtop(&["rm", "--yes", "--force", "a"]).expect_code(0);
    assert!(!run.path().exists());
}

#[test]
fn rm_deletes_what_has_ended_and_nothing_else() {
    let sandbox = Sandbox::new();
    let run = sandbox.held(&["counter", "--set", "steps=1000000"], "alive", 5);
    sandbox.run(&["short", "--name", "dead"]).expect_code(0);
    let said = sandbox.gradtop(&["rm", "--yes", "alive"]).expect_code(1);
    assert!(said.err.contains("running"), "{said:#?}");
    // What cannot be deleted does not keep the others.
    sandbox.run(&["short", "--name", "other"]).expect_code(0);
    sandbox.gradtop(&["rm", "--yes", "other", "alive"]).expect_code(1);
    assert_eq!(gradtop_store::list_runs(&sandbox.runs()).len(), 2);
    // There is no terminal to ask on.
    sandbox.gradtop(&["rm", "dead"]).expect_code(2);
    assert!(sandbox.find("dead").dir.path().is_dir());
    sandbox.gradtop(&["rm", "--yes", "dead"]).expect_code(0);
    assert_eq!(gradtop_store::list_runs(&sandbox.runs()).len(), 1);
    assert_eq!(run.view().state, State::Running);
    sandbox.gradtop(&["stop", "alive"]).expect_code(0);
    sandbox.gradtop(&["rm", "--yes", "alive"]).expect_code(0);
    assert!(gradtop_store::list_runs(&sandbox.runs()).is_empty());
    assert!(check::files(&sandbox.runs()).is_empty(), "{:?}", check::files(&sandbox.runs()));
}

#[test]
fn rm_means_the_one_run_that_is_named_and_nothing_of_others() {
    let sandbox = Sandbox::new();
    for experiment in ["counter", "short"] {
        sandbox.run(&[experiment, "--name", "twin"]).expect_code(0);
    }
    let rm = |name: &str| sandbox.gradtop(&["rm", "--yes", name]);
    for name in ["twin", ""] {
        assert!(rm(name).code != 0);
    }
    assert_eq!(gradtop_store::list_runs(&sandbox.runs()).len(), 2);
    // The path of a run identifies it even if another run has the same name.
    let (original, copy) =
        (sandbox.runs().join("exp=counter/run=twin"), sandbox.path().join("old/exp=counter/run=twin"));
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    assert!(std::process::Command::new("cp").arg("-a").args([&original, &copy]).status().unwrap().success());
    rm(copy.to_str().unwrap()).expect_code(0);
    assert!(!copy.exists() && original.exists());
    assert_eq!(rm("old/exp=counter/run=twin").code, 2, "it is gone, and its namesake is not meant");
    // Foreign files, however deep, and in the folder of shared plugins.
    let notes = ["metrics/src/main.c", "tables/NOTES.md", "checkpoints/best.pt", ".tmp-work/main.c"];
    for note in notes {
        let path = original.join(note);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        let said = rm("counter/twin").expect_code(1);
        assert!(said.err.contains("contains other files") && path.exists(), "{said:#?}");
        if note.starts_with(".tmp") {
            fs::remove_dir_all(path.parent().unwrap())
        } else {
            fs::remove_file(&path)
        }
        .unwrap();
        if note.contains("src") {
            fs::remove_dir(path.parent().unwrap()).unwrap();
        }
    }
    let mine = sandbox.runs().join(".plugins/my-own-plugin.so");
    fs::write(&mine, "").unwrap();
    rm("counter/twin").expect_code(0);
    assert!(mine.exists() && !original.exists());
}

#[test]
fn a_renamed_experiment_goes_by_its_new_name_and_its_runs_go_on() {
    let sandbox = Sandbox::new();
    sandbox.held(&["counter", "--set", "steps=100"], "a", 20);
    sandbox.gradtop(&["stop", "a"]).expect_code(0);
    assert_eq!(sandbox.find("a").wait().code, 3);
    fs::rename(sandbox.runs().join("exp=counter"), sandbox.runs().join("exp=renamed")).unwrap();
    let list = sandbox.gradtop(&["list", "renamed"]).expect_code(0);
    assert!(list.out.contains("renamed") && !list.out.contains("counter"), "{list:#?}");
    let shown = sandbox.gradtop(&["show", "renamed/a", "--json"]).expect_code(0).json();
    assert_eq!(shown["experiment"], "renamed");
    sandbox.let_go("a", "");
    sandbox.gradtop(&["resume", "a"]).expect_code(0);
    assert_eq!(sandbox.find("a").status().state, State::Finished);
}

#[test]
fn a_run_of_another_machine_is_not_judged() {
    let sandbox = Sandbox::new();
    let run = sandbox.held(&["counter", "--set", "steps=1000000"], "away", 20);
    // Both processes die unnoticed, and the folder is shared with another machine.
    run.signal_keeper(Signal::KILL);
    run.signal_trainer(Signal::KILL);
    until("both to be gone", || (!gradtop_store::is_locked(&run.dir).unwrap()).then_some(()));
    let lock = fs::read_to_string(run.dir.lock()).unwrap();
    let boot = gradtop_store::boot_id();
    let other = "00000000-0000-0000-0000-000000000000";
    assert!(lock.contains(&boot), "{lock}");
    fs::write(run.dir.lock(), format!("another-machine\n{other}\nmachine=0\nlock=ofd\n")).unwrap();
    let before = check::files(run.dir.path());
    let list = sandbox.gradtop(&["list"]).expect_code(0);
    assert!(list.out.contains("running?") && list.out.contains("another-machine"), "{list:#?}");
    let shown = sandbox.gradtop(&["show", "away", "--json"]).expect_code(0).json();
    assert_eq!((&shown["state"], &shown["certain"]), (&"running".into(), &false.into()), "{shown:#}");
    for args in [&["wait", "away"][..], &["stop", "away"], &["resume", "away"], &["rm", "--yes", "away"]] {
        let said = sandbox.gradtop(args).expect_code(1);
        let forced = said.err.contains(&format!("gradtop {}", args[0])) && said.err.contains("--force away");
        assert!(said.err.contains("another-machine") && (forced || args[0] == "wait"), "{args:?}: {said:#?}");
    }
    assert_eq!(check::files(run.dir.path()), before, "nothing is recovered");
    // An earlier boot of a machine of this name is uncertain, too.
    fs::write(run.dir.lock(), format!("{}\n{other}\n", gradtop_store::host_name())).unwrap();
    assert!(!run.view().certain);
    // Our own machine again: the run is dead, recovered, and can be resumed.
    fs::write(run.dir.lock(), lock).unwrap();
    assert_eq!(run.wait().code, 4);
    check::sealed(&run.dir);
}

#[test]
fn commands_without_a_terminal_print_plain_lines() {
    let sandbox = Sandbox::new();
    let said = sandbox.run(&["counter", "--name", "a", "--set", "steps=100"]).expect_code(0);
    check::harmless(&said.all());
    assert!(said.out.contains("started a") && said.out.contains("finished"), "{said:#?}");
    for args in [
        &["list"][..],
        &[],
        &["show", "a"],
        &["logs", "a"],
        &["logs", "-f", "a"],
        &["plot", "a"],
        &["plot", "a", "loss"],
        &["experiments"],
        &["experiments", "counter"],
        &["plugin", "list"],
        &["doctor"],
        &["wait", "a"],
        &["completions", "bash"],
        &["--help"],
    ] {
        let said = sandbox.gradtop(args).expect_code(0);
        check::harmless(&said.all());
        assert!(!said.out.is_empty(), "{args:?} says nothing");
    }
}

#[test]
fn json_is_json() {
    let sandbox = Sandbox::new();
    let [hold, gate] = sandbox.hold("a", 100);
    let args = [
        "run",
        "counter",
        "--name",
        "a",
        "--seed",
        "7",
        "--json",
        "--set",
        "steps=500",
        "--set",
        &hold,
        "--set",
        &gate,
    ];
    let mut run = sandbox.command(&args).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines: Vec<serde_json::Value> = Vec::new();
    for line in BufReader::new(run.stdout.take().unwrap()).lines().map(Result::unwrap) {
        lines.push(serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e} in {line}")));
        if lines.iter().any(|l| l["type"] == "status" && l["step"].is_i64()) {
            sandbox.find("a").go_on();
        }
    }
    assert!(run.wait().unwrap().success());
    let kind = |n: usize| lines[n]["type"].as_str().unwrap();
    assert_eq!((kind(0), kind(lines.len() - 1)), ("started", "final"), "{lines:#?}");
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["state"], &last["exit_code"], &last["seed"]),
        (&"finished".into(), &0.into(), &7.into())
    );
    assert_eq!(last["params"]["steps"], 500);
    for args in [
        &["list", "--json"][..],
        &["show", "a", "--json"],
        &["wait", "a", "--json"],
        &["experiments", "--json"],
        &["experiments", "counter", "--json"],
        &["plugin", "list", "--json"],
        &["doctor", "--json"],
    ] {
        sandbox.gradtop(args).expect_code(0).json();
    }
    for line in sandbox.gradtop(&["logs", "a", "--json"]).expect_code(0).out.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[test]
fn exit_codes_and_names() {
    let sandbox = Sandbox::new();
    sandbox.run(&["short", "--name", "alpha"]).expect_code(0);
    sandbox.run(&["fail-short", "--name", "beta"]).expect_code(1);
    sandbox.run(&["abort", "--name", "gamma"]).expect_code(4);
    sandbox.held(&["counter", "--set", "steps=1000000"], "delta", 2);
    sandbox.gradtop(&["wait", "delta", "--timeout", "0.2"]).expect_code(5);
    sandbox.gradtop(&["stop", "delta"]).expect_code(0);
    for (name, code) in [("alpha", 0), ("alp", 0), ("beta", 1), ("gamma", 4), ("delta", 3), ("last", 3)] {
        sandbox.gradtop(&["wait", name]).expect_code(code);
    }
    for args in [
        &["run", "contuer"][..],
        &["run", "counter", "--set", "stepz=1"],
        &["run", "counter", "--set", "steps=many"],
        &["run", "counter", "--set", "steps"],
        &["run", "counter", "--preset", "fast"],
        &["run", "counter", "--name", "last"],
        &["run", "counter", "--name", "../x"],
        &["run", "counter", "--device", "gpu"],
        &["run", "counter", "--threads", "0"],
        &["run"],
        &["show", "epsilon"],
        &["nonsense"],
    ] {
        let said = sandbox.gradtop(args).expect_code(2);
        check::harmless(&said.all());
        assert!(said.out.is_empty() && !said.err.is_empty(), "{args:?}: {said:#?}");
    }
    let said = sandbox.gradtop(&["run", "contuer"]).expect_code(2);
    assert!(said.err.contains("counter"), "{said:#?}");
    let said = sandbox.gradtop(&["show", "alpah"]).expect_code(2);
    assert!(said.err.contains("alpha"), "{said:#?}");
    let said = sandbox.run(&["short", "--name", "alpha"]).expect_code(1);
    assert!(said.err.contains("already exists"), "{said:#?}");
    assert_eq!(gradtop_store::list_runs(&sandbox.runs()).len(), 4);
}
