//! `cargo xtask bench`: how fast this machine logs, trains and shows.

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::workspace::{Workspace, succeed};
use crate::{setup, toolchain};

/// Names, scripts that run beside `PyTorch`, and what they measure.
const BESIDE_PYTORCH: [(&str, &str, &str); 6] = [
    ("training", "benches/function_fit_vs_pytorch.py", "steps a second of function-fit"),
    ("cnn", "benches/cnn_vs_pytorch.py", "samples a second of the report's LeNet on MNIST"),
    ("hessians", "benches/hessians_vs_pytorch.py", "exact Hessians of 100 small networks"),
    ("jacobian", "benches/jacobian_vs_pytorch.py", "norms of input-output Jacobians at 10,000 images"),
    ("random-labels", "benches/random_labels_vs_pytorch.py", "samples a second on random labels"),
    (
        "mnist-mlp",
        "benches/mnist_mlp_vs_pytorch.py",
        "samples a second of a perceptron on MNIST, one and eight at once",
    ),
];

/// Parts of `monitor`, each for a minute or two: drawing, and the program in a terminal.
const MONITOR: [&str; 6] = ["draw", "start", "open-1m", "open-10m", "live", "keys"];

/// `logging`, `monitor` with some of its parts or all, `instruments`, one of those beside `PyTorch` with arguments of its
/// script, or all.
pub(crate) fn bench(workspace: &Workspace, args: &[String]) -> Result<ExitCode> {
    let (all, none) = (args.is_empty(), Vec::new());
    let (name, rest) = match args.split_first() {
        Some((name, rest)) => (name.as_str(), rest),
        None => ("", &none[..]),
    };
    let mut known = vec!["logging", "monitor", "instruments"];
    known.extend(BESIDE_PYTORCH.map(|(known, ..)| known));
    if !all && !known.contains(&name) {
        bail!("`{name}` is not a benchmark; expected one of {}", known.join(", "));
    }
    setup::ensure(workspace)?;
    if all || name == "logging" {
        eprintln!("== logging: 10 metrics, 100,000 steps, to sealed Parquet");
        succeed(workspace.cargo().args(["bench", "--workspace", "--bench", "logging"]))?;
    }
    if all || name == "monitor" {
        eprintln!("== monitor: opening and drawing runs, and the whole program in a terminal");
        monitor(workspace, rest)?;
    }
    if all || name == "instruments" {
        eprintln!("== instruments: the cost of reading gradients and curvature during training");
        let mut bench = workspace.cargo();
        bench.args(["bench", "-p", "gradtop-toolkit", "--bench", "instruments", "--"]).args(rest);
        succeed(&mut bench)?;
    }
    for (known, script, what) in BESIDE_PYTORCH {
        if all || name == known {
            eprintln!("== {known}: {what}, beside PyTorch");
            beside_pytorch(workspace, known, script, rest)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Once inside the program, then from outside.
fn monitor(workspace: &Workspace, parts: &[String]) -> Result<()> {
    if let Some(part) = parts.iter().find(|p| !MONITOR.contains(&p.as_str())) {
        bail!("`{part}` is not a part of the benchmark `monitor`; expected one of {}", MONITOR.join(", "));
    }
    if parts.is_empty() || parts.iter().any(|p| p == MONITOR[0]) {
        let mut draw = workspace.cargo();
        draw.args(["test", "--release", "--workspace", "--bin", "gradtop", "--"]);
        draw.args(["--exact", "bench_tests::opens_and_draws", "--nocapture"]);
        succeed(draw.env("GRADTOP_BENCH", "1"))?;
    }
    let outside: Vec<&String> = parts.iter().filter(|p| *p != MONITOR[0]).collect();
    if !parts.is_empty() && outside.is_empty() {
        return Ok(());
    }
    succeed(workspace.cargo().args(["build", "--release", "--workspace", "--bin", "gradtop"]))?;
    let mut bench = workspace.cargo();
    bench.args(["bench", "--workspace", "--bench", "monitor", "--"]).args(outside);
    succeed(bench.env("GRADTOP_BENCH_PROGRAM", workspace.root.join("target/release/gradtop")))
}

/// The other side of the comparison is a whole `PyTorch`, which the set-up does not bring.
fn beside_pytorch(workspace: &Workspace, name: &str, script: &str, args: &[String]) -> Result<()> {
    let named = args.iter().any(|arg| arg == "--python" || arg.starts_with("--python="));
    if !named
        && toolchain::python("import importlib.util as u, sys; sys.exit(u.find_spec('torch') is None)")
            .is_err()
    {
        bail!(
            "this python3 has no PyTorch to compare with.\n  \
             Make one (`python3 -m venv E && E/bin/pip install torch==2.11.0 numpy`), \
             then `cargo xtask bench {name} --python E/bin/python`"
        );
    }
    let mut command = Command::new("python3");
    command.arg(script).args(args).current_dir(&workspace.root);
    workspace.clean_env(&mut command);
    succeed(&mut command)
}
