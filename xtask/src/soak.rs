//! `cargo xtask soak`: checks with the real program that take too long for every test run.

use std::path::PathBuf;
use std::process::{Child, Command, ExitCode};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::setup;
use crate::workspace::{Workspace, succeed};

/// The name, the bench of `tests/`, and a description of each.
const KNOWN: [(&str, &str, &str); 12] = [
    (
        "campaign",
        "soak",
        "a queue and a sweep, kills, full disks and viewers, all at once: --minutes N, 10 if not given",
    ),
    ("kills", "soak", "SIGKILL of trainer, keeper or both at [TIMES] moments; rows lost"),
    ("disk", "soak", "full disks and failing writes during runs, each [TIMES]"),
    ("clocks", "soak", "a wall clock that jumps during runs, each [TIMES]"),
    (
        "client",
        "soak",
        "what the Python client costs, and SIGKILL of Python and of the sink, each at [TIMES] moments",
    ),
    ("nodes", "soak", "two nodes that share a file system resume one run at once, [TIMES]; a node that dies"),
    ("mixed", "soak", "an old version next to this one; a program replaced during its runs"),
    (
        "python",
        "soak",
        "PyTorch, Lightning, Hugging Face, TensorBoard and Optuna: python PYTHON, one that has them",
    ),
    (
        "slurm",
        "soak",
        "a real Slurm: an array of 200, preemption, time limits, a controller that dies, a study",
    ),
    ("ssh", "soak", "the monitor over a slow, far line that fails, through real ssh and sshd"),
    ("fuzz", "fuzz", "every command on damaged run folders: --mutations N"),
    ("tests", "", "the tests that wait for other processes, [TIMES] times next to two busy loops"),
];

/// Test programs that wait for other processes, by package.
const WAITING: [(&str, &str); 4] = [
    (
        "gradtop-tests",
        "lifecycle c_plugin study hot_plugins misbehave monitor link terminal crash alive disk own_plugin shared terminate",
    ),
    ("gradtop-host", "runs plugins"),
    ("gradtop-store", "store"),
    ("gradtop", "cli"),
];

/// Runs one of them with the arguments that follow its name.
pub(crate) fn soak(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    let known = args.split_first().and_then(|(name, rest)| {
        let (_, bench, _) = KNOWN.iter().find(|(known, ..)| known == name)?;
        Some((name, *bench, rest))
    });
    let Some((name, bench, rest)) = known else {
        for (name, _, what) in KNOWN {
            println!("cargo xtask soak {name:<8} {what}");
        }
        println!("\n--seed N repeats one: each prints its own.");
        return if args.is_empty() { Ok(ExitCode::SUCCESS) } else { bail!("unknown soak `{}`", args[0]) };
    };
    setup::ensure(workspace)?;
    // The program and the plugins of the tests, built as by `cargo xtask test`.
    succeed(workspace.cargo().args(["build", "--release", "--workspace", "--all-targets"]))?;
    let paths =
        [("GRADTOP_TEST_BIN", workspace.program()), ("GRADTOP_TEST_PLUGINS", workspace.release.clone())];
    if bench.is_empty() {
        let times = rest.first().map_or(Ok(20), |n| n.parse()).context("a number of times")?;
        return tests(workspace, &paths, times);
    }
    let mut cargo = workspace.cargo();
    cargo.args(["bench", "--workspace", "--bench", bench, "--"]);
    // One bench performs several of them.
    cargo.args((name != bench).then_some(name)).args(rest).envs(paths);
    succeed(&mut cargo)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs every program of [`WAITING`] repeatedly on a busy machine.
fn tests(workspace: &Workspace, paths: &[(&str, PathBuf)], times: usize) -> Result<ExitCode> {
    let busy: Vec<Busy> = (0..2).map(|_| Busy::start()).collect::<Result<_>>()?;
    let mut failed = 0;
    println!("| tests | times beside two busy loops | failed | seconds |\n|---|---|---|---|");
    let programs =
        WAITING.iter().flat_map(|(package, all)| all.split(' ').map(move |program| (package, program)));
    for (package, program) in programs {
        let (start, mut bad) = (Instant::now(), 0);
        for _ in 0..times {
            let mut cargo = workspace.cargo();
            cargo.args(["test", "--release", "--workspace", "--quiet", "-p", package, "--test", program]);
            cargo.envs(paths.iter().map(|(name, path)| (name, path)));
            let done = cargo.output().context("cargo test")?;
            if !done.status.success() {
                bad += 1;
                eprintln!(
                    "{}{}",
                    String::from_utf8_lossy(&done.stdout),
                    String::from_utf8_lossy(&done.stderr)
                );
            }
        }
        println!("| {package} {program} | {times} | {bad} | {} |", start.elapsed().as_secs());
        failed += bad;
    }
    drop(busy);
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A busy loop that occupies a processor until it is dropped.
struct Busy(Child);

impl Busy {
    fn start() -> Result<Self> {
        let child =
            Command::new("sh").args(["-c", "while :; do :; done"]).spawn().context("cannot start sh")?;
        Ok(Self(child))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).ok();
    }
}
