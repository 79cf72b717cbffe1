//! `cargo xtask bench`: how fast this machine logs, trains and displays.

mod report;

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::setup;
use crate::workspace::{SHIPPED, Workspace, succeed};

/// A part of the benchmarks, and how it is run.
struct Part {
    name: &'static str,
    what: &'static str,
    with: With,
}

enum With {
    Logging,
    Monitor,
    Instruments,
    /// A script in `benches/` that compares with `PyTorch` if that is installed.
    Script(&'static str),
}

const PARTS: [Part; 9] = [
    part("logging", "Logging ten metrics a step", With::Logging),
    part("monitor", "The monitor", With::Monitor),
    part("training", "Training the networks of function-fit", With::Script("function_fit_vs_pytorch.py")),
    part("cnn", "Training the LeNet of the report", With::Script("cnn_vs_pytorch.py")),
    part(
        "mnist-mlp",
        "Training a small perceptron, one and eight at once",
        With::Script("mnist_mlp_vs_pytorch.py"),
    ),
    part("random-labels", "Training on random labels", With::Script("random_labels_vs_pytorch.py")),
    part("hessians", "Exact Hessians", With::Script("hessians_vs_pytorch.py")),
    part("jacobian", "Input-output Jacobians", With::Script("jacobian_vs_pytorch.py")),
    part("instruments", "Training with instruments", With::Instruments),
];

const fn part(name: &'static str, what: &'static str, with: With) -> Part {
    Part { name, what, with }
}

/// The parts of `monitor`, each of which takes a minute or two: drawing, and the program in a terminal.
const MONITOR: [&str; 9] =
    ["draw", "start", "thousand", "query", "open-1m", "open-10m", "logs", "live", "keys"];

/// Runs one part with its arguments, or all. `--report` runs all and writes docs/performance.md.
pub(crate) fn bench(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    let (chosen, rest) = match args.split_first() {
        None => (&PARTS[..], args),
        Some((name, rest)) if name == "--report" => {
            setup::ensure(workspace)?;
            report::write(workspace, rest)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some((name, rest)) => {
            let Some(n) = PARTS.iter().position(|part| part.name == name) else {
                let known = PARTS.map(|part| part.name).join(", ");
                bail!("`{name}` is not a benchmark; expected --report or one of {known}")
            };
            (&PARTS[n..=n], rest)
        }
    };
    setup::ensure(workspace)?;
    for part in chosen {
        run(workspace, part, rest, None)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a part. Its results are appended to the file `record`, if given.
fn run(workspace: &Workspace, part: &Part, args: &[String], record: Option<&Path>) -> Result<()> {
    eprintln!("== {}: {}", part.name, part.what);
    let cargo = |words: &[&str]| {
        let mut command = workspace.cargo();
        command.args(SHIPPED).args(words).envs(record.map(|file| ("GRADTOP_BENCH_RECORD", file)));
        command
    };
    let script = |name: &str| {
        let mut command = Command::new("python3");
        command.arg(format!("benches/{name}")).args(args).current_dir(&workspace.root);
        workspace.clean_env(&mut command);
        command.envs(record.map(|file| ("GRADTOP_BENCH_RECORD", file)));
        command
    };
    match part.with {
        With::Logging => {
            succeed(&mut cargo(&["bench", "--workspace", "--bench", "logging"]))?;
            succeed(&mut cargo(&["build", "--release", "--workspace", "--bin", "gradtop"]))?;
            succeed(&mut script("loggers.py"))
        }
        With::Instruments => {
            let mut bench = cargo(&["bench", "--workspace", "--bench", "instruments", "--"]);
            // The arguments of a report are for the scripts.
            match record {
                Some(_) => bench.args(["--gradients", "--rounds", "3"]),
                None => bench.args(args),
            };
            succeed(&mut bench)
        }
        With::Script(name) => succeed(&mut script(name)),
        With::Monitor => {
            let args = if record.is_some() { &[] } else { args };
            if let Some(part) = args.iter().find(|p| !MONITOR.contains(&p.as_str())) {
                bail!("`{part}` is not a part of `monitor`; expected one of {}", MONITOR.join(", "));
            }
            let (draw, outside): (Vec<_>, Vec<_>) = args.iter().partition(|part| *part == MONITOR[0]);
            if args.is_empty() || !draw.is_empty() {
                let mut draw = cargo(&["test", "--release", "--workspace", "--bin", "gradtop", "--"]);
                draw.args(["--exact", "bench_tests::opens_and_draws", "--nocapture"]);
                succeed(draw.env("GRADTOP_BENCH", "1"))?;
            }
            if args.is_empty() || !outside.is_empty() {
                succeed(&mut cargo(&["build", "--release", "--workspace", "--bin", "gradtop"]))?;
                let mut bench = cargo(&["bench", "--workspace", "--bench", "monitor", "--"]);
                bench.args(outside).env("GRADTOP_BENCH_PROGRAM", workspace.program());
                succeed(&mut bench)?;
            }
            Ok(())
        }
    }
}
