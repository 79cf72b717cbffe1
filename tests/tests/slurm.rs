//! Runs as jobs of a real Slurm: a single job, an array, and a preempted job. Skipped if Slurm is not installed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use gradtop_store::{Event, Job, ParamValue, State, View};
use gradtop_tests::sandbox::Run;
use gradtop_tests::slurm::Cluster;
use gradtop_tests::{Sandbox, check, paths, until, until_seen};

/// Submits a counter that is held after a step.
fn submit<'a>(sandbox: &'a Sandbox, name: &str, steps: &str, hold: i64) -> Run<'a> {
    let [hold, gate] = sandbox.hold(name, hold);
    let args = ["counter", "--on", "low", "--name", name, "--set", steps, "--set", &hold, "--set", &gate];
    let said = sandbox.run(&args).expect_code(0);
    assert!(said.out.starts_with(&format!("submitted {name}: job ")), "{said:?}");
    sandbox.find(name)
}

fn job(view: &View) -> String {
    view.job.as_ref().and_then(Job::name).expect("it has a job")
}

/// Waits until the list contains these words.
#[track_caller]
fn listed(sandbox: &Sandbox, words: &str) {
    until_seen(&format!("the list to say {words:?}"), || {
        let said = sandbox.gradtop(&["list"]).expect_code(0).out;
        if said.contains(words) { Ok(()) } else { Err(said) }
    });
}

/// The number of its steps, each of which must occur once.
fn steps(run: &Run<'_>) -> usize {
    let rows = check::sealed(&run.dir);
    check::no_row_twice(&rows);
    rows.iter().map(|row| row.step).collect::<BTreeSet<_>>().len()
}

#[test]
fn a_run_is_a_job_that_is_seen_stopped_and_resumed_as_another() {
    let Some(cluster) = Cluster::start() else { return };
    let sandbox = cluster.sandbox(&[paths::fixture("misbehave")]);
    // One of them names a partition that does not exist.
    let launchers = sandbox.gradtop(&["launchers"]).expect_code(1);
    assert!(launchers.out.contains("high") && launchers.out.contains("would start"), "{launchers:?}");
    let refused = sandbox.gradtop(&["run", "counter", "--on", "middle"]).expect_code(2);
    assert!(refused.err.contains("there is no launcher \"middle\""), "{refused:?}");

    let run = submit(&sandbox, "a", "steps=40", 5);
    run.until_step(5);
    let first = job(&run.view());
    until_seen("the job's node to be known", || {
        let seen = sandbox.gradtop(&["show", "a", "--json"]).expect_code(0).json();
        let job = &seen["job"];
        if job["state"] == "RUNNING" && job["id"] == *first && !job["node"].is_null() {
            Ok(())
        } else {
            Err(job.clone())
        }
    });
    sandbox.gradtop(&["stop", "a"]).expect_code(0);
    assert_eq!(run.view().state, State::Stopped);
    let said = sandbox.gradtop(&["resume", "a", "--on", "low"]).expect_code(0);
    assert!(said.out.starts_with("submitted a: job "), "{said:?}");
    run.go_on();
    assert_eq!(run.wait().code, 0);
    assert_ne!(job(&run.view()), first, "another job, the same run");
    assert_eq!(steps(&run), 40);

    // A paused run cannot be moved elsewhere.
    let paused = submit(&sandbox, "p", "steps=40", 5);
    paused.until_step(5);
    sandbox.gradtop(&["pause", "p"]).expect_code(0);
    paused.until_state(State::Paused);
    let refused = sandbox.gradtop(&["resume", "p", "--on", "high"]).expect_code(2);
    assert!(refused.err.contains("p is paused, and can only continue where it is"), "{refused:?}");
    sandbox.gradtop(&["stop", "p"]).expect_code(0);
    sandbox.gradtop(&["rm", "p", "--yes"]).expect_code(0);

    // A waiting run says what it waits for, and can be stopped at no cost.
    cluster.ask("scontrol", &["update", "PartitionName=low", "State=DOWN"]);
    let waits = submit(&sandbox, "b", "steps=40", 5);
    submit(&sandbox, "c", "steps=40", 5);
    listed(&sandbox, &format!("job {} waits for PartitionDown", job(&waits.view())));
    assert_eq!(waits.view().state, State::Queued);
    let paused = sandbox.gradtop(&["pause", "b"]).expect_code(1);
    assert!(paused.err.contains("its job waits"), "{paused:?}");
    sandbox.gradtop(&["stop", "b"]).expect_code(0);
    assert_eq!(waits.view().status.cause.as_deref(), Some("stopped before it started"));
    sandbox.gradtop(&["queue", "rm", "c"]).expect_code(0);
    assert!(!cluster.jobs().contains("PENDING"), "{}", cluster.jobs());

    // Slurm keeps no trace of a task that is taken out of its array.
    let sweep =
        ["sweep", "counter", "--name", "s", "--vary", "steps=11,12,13", "--threads", "1", "--on", "low"];
    sandbox.gradtop(&sweep).expect_code(0);
    let waiting = sandbox.gradtop(&["queue"]).expect_code(0).out;
    let jobs: Vec<String> = (1..=3).map(|i| job(&sandbox.find(&format!("counter-{i}")).view())).collect();
    assert!(jobs.iter().all(|job| waiting.contains(&format!("job {job} waits"))), "{waiting}");
    cluster.ask("scancel", &[&jobs[1]]).expect_code(0);
    let code = sandbox.gradtop(&["wait", "counter-2"]).code;
    assert_eq!((code, sandbox.find("counter-2").view().state), (3, State::Stopped));
    sandbox.gradtop(&["stop", "tag:s", "--yes"]).expect_code(0);
    sandbox.gradtop(&["rm", "tag:s", "--yes"]).expect_code(0);

    // If Slurm rejects the job, nothing is left.
    let refused = sandbox.run(&["counter", "--on", "nowhere", "--name", "d"]).expect_code(1);
    assert!(refused.err.contains("cannot submit the job: sbatch: error: "), "{refused:?}");
    assert_eq!(gradtop_store::list_runs(&sandbox.runs()).len(), 2);
}

#[test]
fn a_sweep_is_one_array_and_each_task_has_its_own_run() {
    let Some(cluster) = Cluster::start() else { return };
    let sandbox = cluster.sandbox(&[paths::fixture("misbehave")]);
    let sweep = ["sweep", "counter", "--name", "s", "--vary", "steps=11,12,13,14", "--threads", "1"];
    let said = sandbox.gradtop(&[&sweep[..], &["--on", "low", "--at-once", "2"]].concat()).expect_code(0);
    assert!(said.err.contains("4 submitted"), "{said:?}");
    sandbox.gradtop(&["wait", "tag:s"]).expect_code(0);
    let runs = gradtop_store::list_runs(&sandbox.runs());
    let mut tasks = BTreeSet::new();
    let mut arrays = BTreeSet::new();
    for dir in &runs {
        let run = sandbox.find(&dir.name());
        let view = run.view();
        assert_eq!(view.state, State::Finished);
        let wanted = view.manifest.params.iter().find(|(key, _)| key == "steps").unwrap().1.clone();
        assert_eq!(ParamValue::Int(i64::try_from(steps(&run)).unwrap()), wanted);
        let job = view.job.unwrap();
        tasks.insert(job.task.unwrap());
        arrays.insert(job.id.unwrap());
    }
    assert_eq!((runs.len(), arrays.len(), tasks.into_iter().collect::<Vec<_>>()), (4, 1, vec![0, 1, 2, 3]));
    let again = sandbox.gradtop(&[&sweep[..], &["--on", "low"]].concat()).expect_code(0);
    assert!(again.err.contains("0 submitted, 4 are there already"), "{again:?}");
}

#[test]
fn a_person_who_stops_a_run_that_makes_way_stops_it() {
    let Some(cluster) = Cluster::start() else { return };
    let sandbox = cluster.sandbox(&[]);
    let gate = sandbox.path().join("gate");
    let script = format!(
        "trap '' TERM; echo '1 loss=1' >&3; while [ ! -e '{}' ]; do sleep 0.05; done",
        gate.display()
    );
    let exec = ["exec", "--on", "low", "--name", "a", "--resumable", "--", "sh", "-c", &script];
    sandbox.gradtop(&exec).expect_code(0);
    let run = sandbox.find("a");
    run.until_step(1);
    cluster.ask("scontrol", &["requeue", &job(&run.view())]).expect_code(0);
    let heard = |event: &Event| matches!(event, Event::Signal { process, .. } if process == "keeper");
    until("the keeper to hear of it", || (!run.logged_events(heard).is_empty()).then_some(()));
    sandbox.gradtop(&["stop", "a", "--no-wait"]).expect_code(0);
    std::fs::write(gate, "").unwrap();
    until_seen("it to be stopped", || {
        let status = run.status();
        assert_ne!(status.state, State::Queued, "{status:?}");
        if status.state == State::Stopped { Ok(()) } else { Err(status.state) }
    });
}

#[test]
fn a_run_that_makes_way_goes_on_in_the_same_job_as_if_undisturbed() {
    let Some(cluster) = Cluster::start() else { return };
    let sandbox = cluster.sandbox(&[paths::fixture("misbehave")]);
    sandbox.run(&["counter", "--name", "whole", "--set", "steps=60"]).expect_code(0);

    let run = submit(&sandbox, "a", "steps=60", 20);
    run.until_step(20);
    let id = job(&run.view());
    cluster
        .ask("sbatch", &["-p", "high", "-n", "12", "--output=/dev/null", "--wrap", "sleep 1"])
        .expect_code(0);
    let seen = run.until_state(State::Queued);
    assert_eq!((seen.status.cause.as_deref(), seen.certain), (Some("preempted"), true), "{:?}", seen.status);
    assert_eq!(seen.status.ended, None);
    cluster.hurry(&id);
    run.until_state(State::Running);
    // Killed with all its processes and restarted by Slurm: also from the newest checkpoint.
    run.until_step(20);
    cluster.ask("scontrol", &["requeue", &id]).expect_code(0);
    run.until_state(State::Queued);
    cluster.hurry(&id);
    run.go_on();
    let log = || std::fs::read_to_string(run.dir.path().join("job.log")).unwrap_or_default();
    assert_eq!(run.wait().code, 0, "{:?}\n{}\n{}", run.status(), run.events(), log());
    assert_eq!(job(&run.view()), id);
    assert_eq!(run.logged_events(|event| matches!(event, Event::Resumed { .. })).len(), 2);
    let rows = |run: &Run<'_>| check::comparable(check::sealed(&run.dir), &["clock"]);
    assert_eq!(rows(&run), rows(&sandbox.find("whole")));
    until("all jobs to be over", || {
        let jobs = cluster.jobs();
        (!jobs.contains("RUNNING") && !jobs.contains("COMPLETING")).then_some(())
    });
}
