//! Two nodes of a cluster that share a runs folder.

use std::cell::Cell;
use std::process::Stdio;
use std::time::{Duration, Instant};

use gradtop_store::{Job, RunDir, State};
use gradtop_tests::nodes::{Cluster, Node, fight, starts, until_written};
use gradtop_tests::{Sandbox, check, until};

use crate::{Row, repeat};

pub(crate) fn nodes(rounds: usize) -> Vec<Row> {
    let won = Cell::new([0, 0]);
    let mut fought = repeat(
        "two nodes resume one run at once",
        "namespaces of network, host name, process ids and boot; FUSE file systems whose locks are each node's own and which refuse flags \
         of renames",
        1,
        "",
        |_| {
            won.set(fight(rounds).expect("nodes can be made here"));
            (0, Duration::ZERO)
        },
    );
    fought.times = rounds;
    if fought.outcome.is_empty() {
        let [one, two] = won.get();
        fought.outcome = format!("one has it each time ({one} and {two}), the other is refused and stops it");
    }
    let took = Cell::new(Duration::ZERO);
    let mut dies =
        repeat("a node dies, and another resumes its run", "all its processes killed at once", 1, "", |_| {
            took.set(dies());
            (0, Duration::ZERO)
        });
    if dies.outcome.is_empty() {
        dies.outcome = format!(
            "refused while the owner's file may be renewed, then watched for a minute and resumed, {} s after the death; finished, no row twice",
            took.get().as_secs()
        );
    }
    let took = Cell::new(Duration::ZERO);
    let how = "all its processes killed at once; the job's next start on another node, as Slurm requeues it";
    let mut job = repeat("the node of a job dies", how, 1, "", |_| {
        took.set(job_moves());
        (0, Duration::ZERO)
    });
    if job.outcome.is_empty() {
        let s = took.get().as_secs();
        job.outcome =
            format!("watched for a minute, and continued {s} s after the death; finished, no row twice");
    }
    let took = Cell::new(Duration::ZERO);
    let how =
        "the job's next start while the first one holds the run's lock, as where locks hold on all nodes";
    let mut cut = repeat("the node of a job is cut off from Slurm", how, 1, "", |_| {
        took.set(job_is_cut_off());
        (0, Duration::ZERO)
    });
    if cut.outcome.is_empty() {
        let s = took.get().as_secs();
        cut.outcome = format!(
            "the first start gives it up, and the next continues it after {s} s; finished, no row twice"
        );
    }
    vec![fought, dies, job, cut]
}

/// A run of a node, held at step 10.
fn begun(sandbox: &Sandbox, cluster: &Cluster<'_>, node: &mut Node) -> RunDir {
    let [hold, gate] = sandbox.hold("r", 10);
    let start =
        format!("run counter --detach --name r --threads 1 --set steps=100 --set {hold} --set {gate}");
    assert_eq!(node.gradtop(&start).0, 0);
    let run = cluster.run("counter", "r");
    until_written(&run, State::Running, 10);
    run
}

fn dies() -> Duration {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox).expect("nodes can be made here");
    let (mut here, mut there) = (cluster.node("here"), cluster.node("there"));
    let run = begun(&sandbox, &cluster, &mut there);
    assert_eq!(there.gradtop("checkpoint r").0, 0);
    until("a checkpoint", || gradtop_store::checkpoints(&run).pop());
    drop(there);
    let dead = Instant::now();
    sandbox.let_go("r", "");
    loop {
        let (code, said) = here.gradtop("resume r --detach");
        if code == 0 {
            break;
        }
        assert!(said.contains("running"), "{said}");
        assert!(dead.elapsed() < Duration::from_mins(5), "{said}");
        std::thread::sleep(Duration::from_secs(5));
    }
    let took = dead.elapsed();
    assert_eq!(here.gradtop("wait r").0, 0);
    assert_eq!(starts(&run), 2);
    check::no_row_twice(&check::sealed(&run));
    took
}

/// Writes the files that a submitted run has.
fn submitted(run: &RunDir) {
    let job = Job {
        launcher: "slurm".into(),
        token: "t".into(),
        id: Some(7),
        task: None,
        ask_every_s: 30,
        seen: None,
    };
    gradtop_store::write_job(run, &job).unwrap();
    gradtop_store::clear_control(run).unwrap();
}

fn job_moves() -> Duration {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox).expect("nodes can be made here");
    let (mut here, mut there) = (cluster.node("here"), cluster.node("there"));
    let run = begun(&sandbox, &cluster, &mut there);
    assert_eq!(there.gradtop("stop r").0, 0);
    submitted(&run);
    let place = sandbox.runs().join("exp=counter/run=r");
    there.job(&place, "t", 0);
    until("the job's first start to be at work", || (starts(&run) == 2).then_some(()));
    until_written(&run, State::Running, 10);
    drop(there);
    let dead = Instant::now();
    sandbox.let_go("r", "");
    here.job(&place, "t", 1);
    until("the job's second start to be at work", || (starts(&run) == 3).then_some(()));
    let took = dead.elapsed();
    assert_eq!(here.gradtop("wait r").0, 0);
    check::no_row_twice(&check::sealed(&run));
    took
}

fn job_is_cut_off() -> Duration {
    let sandbox = Sandbox::new();
    let run = sandbox.held(&["counter", "--set", "steps=100"], "r", 10);
    sandbox.gradtop(&["stop", "r"]).expect_code(0);
    let dir = run.dir.clone();
    submitted(&dir);
    let place = dir.path().display().to_string();
    let start = |restarts: &str| {
        let mut command = sandbox.command(&["__job", &place, "t"]);
        command.env("SLURM_JOB_ID", "7").env("SLURM_RESTART_COUNT", restarts);
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
    };
    let mut first = start("0");
    until("the job's first start to be at work", || (starts(&dir) == 2).then_some(()));
    until_written(&dir, State::Running, 10);
    let cut_off = Instant::now();
    let mut second = start("1");
    while starts(&dir) < 3 {
        assert!(cut_off.elapsed() < Duration::from_mins(5) && second.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(100));
    }
    let took = cut_off.elapsed();
    first.wait().unwrap();
    sandbox.let_go("r", "");
    assert_eq!(run.wait().code, 0);
    second.wait().unwrap();
    check::no_row_twice(&check::sealed(&dir));
    took
}
