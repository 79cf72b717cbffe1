//! Many runs in a real Slurm: a long array, preempted jobs, a time limit, a controller that is killed, and the study of all
//! experiments as an array.

use std::time::{Duration, Instant};

use gradtop_store::{Event, State};
use gradtop_tests::sandbox::ended_within;
use gradtop_tests::slurm::Cluster;
use gradtop_tests::{Sandbox, check, paths};

use crate::{Row, repeat};

/// The time limit of a command that waits for all runs.
const LIMIT: Duration = Duration::from_mins(40);
const STEPS: &str = "steps=60";

/// Prints a row for each part, or only for `part`.
pub(crate) fn slurm(part: Option<&str>, print: &mut impl FnMut(Row)) {
    type Part = (&'static str, fn(&mut Cluster) -> Row);
    const PARTS: [Part; 5] = [
        ("array", array),
        ("preemption", preemption),
        ("limit", limit),
        ("controller", controller),
        ("study", study),
    ];
    for (name, run) in PARTS {
        if part.is_none_or(|part| part == name) {
            let Some(mut cluster) = Cluster::start() else { return };
            print(run(&mut cluster));
        }
    }
}

fn done(sandbox: &Sandbox, args: &[&str]) {
    ended_within(LIMIT, sandbox.command(args), args).expect_code(0);
}

/// Counters `r0` to `r9`, each a job that waits after step 20.
fn ten(sandbox: &Sandbox, launcher: &str) -> Vec<String> {
    sandbox.run(&["counter", "--name", "whole", "--set", STEPS]).expect_code(0);
    let names: Vec<String> = (0..10).map(|i| format!("r{i}")).collect();
    for name in &names {
        let [hold, gate] = sandbox.hold(name, 20);
        let sets = ["--set", STEPS, "--set", &hold, "--set", &gate];
        let run = ["counter", "--on", launcher, "--name", name];
        sandbox.run(&[&run[..], &sets].concat()).expect_code(0);
    }
    for name in &names {
        sandbox.find(name).until_step(20);
    }
    names
}

/// Releases them and compares their rows with those of an undisturbed run.
fn as_undisturbed(sandbox: &Sandbox, names: &[String], resumed: usize) {
    let rows = |name: &str| check::comparable(check::sealed(&sandbox.find(name).dir), &["clock"]);
    let whole = rows("whole");
    for name in names {
        sandbox.let_go(name, "");
        done(sandbox, &["wait", name]);
        assert_eq!(rows(name), whole, "{name}");
        let times = sandbox.find(name).logged_events(|event| matches!(event, Event::Resumed { .. })).len();
        assert_eq!(times, resumed, "{name}");
    }
}

fn hurry_all(cluster: &Cluster, sandbox: &Sandbox, names: &[String]) {
    for name in names {
        cluster.hurry(&sandbox.find(name).view().job.unwrap().name().unwrap());
    }
}

fn array(cluster: &mut Cluster) -> Row {
    let how = "`sweep --seeds 200 --on … --at-once 8`: one `sbatch`";
    repeat("200 tasks in one array", how, 1, "each run once, in its own task", |_| {
        let sandbox = cluster.sandbox(&[paths::fixture("misbehave")]);
        let sweep = ["sweep", "counter", "--name", "s", "--vary", STEPS, "--seeds", "200", "--threads", "1"];
        done(&sandbox, &[&sweep[..], &["--on", "low", "--at-once", "8"]].concat());
        done(&sandbox, &["wait", "tag:s"]);
        let mut tasks: Vec<u32> = gradtop_store::list_runs(&sandbox.runs())
            .iter()
            .map(|dir| {
                let run = sandbox.find(&dir.name());
                let view = run.view();
                assert_eq!(view.state, State::Finished, "{:?}", view.status);
                let starts = |event: &Event| matches!(event, Event::State { state: State::Running, .. });
                assert_eq!(run.logged_events(starts).len(), 1, "{}", dir.name());
                view.job.unwrap().task.unwrap()
            })
            .collect();
        tasks.sort_unstable();
        assert_eq!(tasks, (0..200).collect::<Vec<_>>());
        (0, Duration::ZERO)
    })
}

fn preemption(cluster: &mut Cluster) -> Row {
    let how = "a job of a higher partition that needs the whole node; GraceTime 10 s";
    repeat(
        "preemption of ten jobs",
        how,
        1,
        "the same runs go on, with the rows of an undisturbed one",
        |_| {
            let sandbox = cluster.sandbox(&[paths::fixture("misbehave")]);
            let names = ten(&sandbox, "low");
            let all = ["-p", "high", "-n", "12", "--output=/dev/null", "--wrap", "sleep 1"];
            cluster.ask("sbatch", &all).expect_code(0);
            for name in &names {
                let seen = sandbox.find(name).until_state(State::Queued);
                assert_eq!(seen.status.cause.as_deref(), Some("preempted"));
            }
            hurry_all(cluster, &sandbox, &names);
            as_undisturbed(&sandbox, &names, 1);
            (0, Duration::ZERO)
        },
    )
}

fn limit(cluster: &mut Cluster) -> Row {
    let how = "`time = \"1\"`: a minute";
    repeat(
        "ten jobs at their time limit",
        how,
        1,
        "saved ahead of it, requeued, as undisturbed; a command ends and says why",
        |_| {
            let sandbox = cluster.sandbox(&[paths::fixture("misbehave")]);
            let names = ten(&sandbox, "minute");
            let exec = ["exec", "--on", "minute", "--name", "command", "--", "sleep", "600"];
            sandbox.gradtop(&exec).expect_code(0);
            for name in &names {
                let seen = sandbox.find(name).until_state(State::Queued);
                assert_eq!(seen.status.cause.as_deref(), Some("the time of its job was over"));
            }
            sandbox.gradtop(&["wait", "command"]);
            let cause = sandbox.find("command").status().cause.unwrap_or_default();
            assert_eq!(cause, "SIGTERM: the time of its job was over");
            hurry_all(cluster, &sandbox, &names);
            as_undisturbed(&sandbox, &names, 1);
            (0, Duration::ZERO)
        },
    )
}

fn controller(cluster: &mut Cluster) -> Row {
    let sandbox = cluster.sandbox(&[paths::fixture("misbehave")]);
    let names = ten(&sandbox, "low");
    cluster.kill_controller();
    let asked = Instant::now();
    sandbox.gradtop(&["launchers"]).expect_code(1);
    assert!(asked.elapsed() < Duration::from_mins(1), "all are asked at once");
    let seen = sandbox.gradtop(&["list", "--json"]).expect_code(0).json();
    let certain = seen.as_array().unwrap().iter().filter(|run| run["state"] == "running").count();
    // Half of them end while no controller is there.
    let (first, rest) = names.split_at(5);
    for name in first {
        sandbox.let_go(name, "");
        done(&sandbox, &["wait", name]);
    }
    cluster.restart_controller();
    let how = "SIGKILL of slurmctld with ten jobs at work, five of which end before it is started again";
    repeat("the controller is killed", how, 1, "runs go on and end; `list` says what their locks say", |_| {
        assert_eq!(certain, 10, "all are seen to run");
        as_undisturbed(&sandbox, rest, 0);
        as_undisturbed(&sandbox, first, 0);
        (0, Duration::ZERO)
    })
}

fn study(cluster: &mut Cluster) -> Row {
    let how = "`study --preset quick --on …`: one array";
    repeat("the study of all experiments", how, 1, "all finished, the report written", |_| {
        let plugins = ["deep_vs_shallow", "optimization", "generalization"].map(paths::plugin);
        let files: Vec<_> = plugins.into_iter().chain(paths::study()).collect();
        let sandbox = cluster.sandbox(&files);
        done(&sandbox, &["study", "--preset", "quick", "--on", "low"]);
        let runs = gradtop_store::list_runs(&sandbox.runs());
        let arrays: std::collections::BTreeSet<u64> =
            runs.iter().map(|dir| sandbox.find(&dir.name()).view().job.unwrap().id.unwrap()).collect();
        assert_eq!((runs.len(), arrays.len()), (10, 1));
        (0, Duration::ZERO)
    })
}
