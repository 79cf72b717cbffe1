//! The Python client with the libraries that people train with: Lightning and the `Trainer` of Hugging Face, alone and as two
//! processes, each watched, paused, stopped and resumed.

use std::process::Command;

use gradtop_store::{State, checkpoints, read_series};
use gradtop_tests::sandbox::{Run, ended};
use gradtop_tests::{Sandbox, check, paths};

/// The libraries, by the names that pip has for them.
const LIBRARIES: [&str; 4] = ["torch", "lightning", "transformers", "accelerate"];

/// Prints a row for each training. `python` is a Python that has the libraries.
pub(crate) fn python(python: Option<&str>) -> bool {
    let Some(python) = python else {
        println!(
            "Name a Python that has the libraries: `python3 -m venv E && E/bin/pip install {}`, then `cargo xtask soak python E/bin/python`",
            LIBRARIES.join(" ")
        );
        return false;
    };
    let given = paths::checkout().join(python);
    let python = if python.contains('/') { given.to_str().unwrap() } else { python };
    let script = format!(
        "from importlib.metadata import version as v\nprint(', '.join(f'{{n}} {{v(n)}}' for n in {LIBRARIES:?}))"
    );
    let mut command = Command::new(python);
    command.args(["-c", &script]);
    let versions = ended(command, &["versions"]);
    if versions.code != 0 {
        println!("{python} lacks one of {}: {}", LIBRARIES.join(", "), versions.err.trim());
        return false;
    }
    println!(
        "{}\n\n| training | processes | steps | logged once each | paused | saved at | resumed to | ended |",
        versions.out.trim()
    );
    println!("|---|---|---|---|---|---|---|---|");
    let torchrun = [python, "-m", "torch.distributed.run", "--nproc-per-node", "2"];
    let trainings: [(&str, &str, &[&str], &[&str]); 4] = [
        ("Lightning", "fit_lightning.py", &[python], &[]),
        ("Lightning, its own launcher", "fit_lightning.py", &[python], &["--processes", "2"]),
        ("Hugging Face", "fit_transformers.py", &[python], &[]),
        ("Hugging Face, `torchrun`", "fit_transformers.py", &torchrun, &[]),
    ];
    for (name, script, program, options) in trainings {
        let row = training(script, program, options);
        println!("| {name} {row} |");
    }
    true
}

/// A training to its end; then one that is paused, stopped, resumed and stopped again.
fn training(script: &str, program: &[&str], options: &[&str]) -> String {
    let sandbox = sandbox();
    let script = paths::checkout().join("python/examples").join(script);
    let command = [program, &[script.to_str().unwrap()], options].concat();
    let start = |name: &str, epochs: &str| {
        let exec = ["exec", "--detach", "--resumable", "--name", name, "--checkpoint-every", "2", "--"];
        sandbox.gradtop(&[&exec[..], &command, &["--epochs", epochs]].concat()).expect_code(0);
        sandbox.find(name)
    };
    let whole = start("whole", "3");
    whole.wait().expect_code(0);
    let logged = losses(&whole);
    let status = whole.status();
    assert_eq!(
        (status.done, logged.len() as u64),
        (status.total, status.total),
        "every step was logged once"
    );
    assert_eq!(logged.len(), logged.last().unwrap() - logged[0] + 1);

    let run = start("long", "100000");
    run.until_step(20);
    sandbox.gradtop(&["pause", "long"]).expect_code(0);
    run.until_state(State::Paused);
    let paused = run.status().step.unwrap();
    sandbox.gradtop(&["resume", "long"]).expect_code(0);
    run.until_step(paused + 20);
    sandbox.gradtop(&["stop", "long", "--grace", "60"]).expect_code(0);
    run.until_state(State::Stopped);
    let processes = if program.len() > 1 || !options.is_empty() { 2 } else { 1 };
    let saved = checkpoints(&run.dir).iter().map(|c| c.step).max();
    let mut resumed = "—".to_owned();
    if let Some(saved) = saved {
        sandbox.gradtop(&["resume", "--detach", "long"]).expect_code(0);
        run.until_step(saved + 20);
        sandbox.gradtop(&["stop", "long", "--grace", "60"]).expect_code(0);
        resumed = losses(&run).last().unwrap().to_string();
    }
    let steps = losses(&run);
    assert_eq!(
        steps.len(),
        steps.last().unwrap() - steps[0] + 1,
        "each step is there once, and none is missing"
    );
    let saved = saved.map_or_else(|| "—".to_owned(), |step| step.to_string());
    let ended = run.status().cause.unwrap_or_default();
    format!("| {processes} | {} | yes | {paused} | {saved} | {resumed} | {ended}", logged.len())
}

/// A sandbox whose commands find the client, and in which two processes leave the cores to each other.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with(&[]);
    let client = paths::checkout().join("python");
    sandbox
        .and_env("PYTHONPATH", client.to_str().unwrap())
        .and_env("PYTHONDONTWRITEBYTECODE", "1")
        .and_env("OMP_NUM_THREADS", "1")
}

/// The steps of the training loss, in order.
fn losses(run: &Run<'_>) -> Vec<usize> {
    let is = |key: &gradtop_store::SeriesKey| key.metric == "loss" && key.split.as_deref() == Some("train");
    let series = read_series(&run.dir, is).unwrap();
    check::no_step_twice(&series);
    series.iter().flat_map(|s| s.step.iter().map(|step| usize::try_from(*step).unwrap())).collect()
}
