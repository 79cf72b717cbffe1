//! The Python client with real libraries: PyTorch, Lightning and the `Trainer` of Hugging Face, with one and two processes,
//! each watched, paused, stopped and resumed; a training that only writes TensorBoard logs; Optuna; and exports shown by
//! TensorBoard.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use gradtop_store::{State, checkpoints, read_manifest, read_series};
use gradtop_tests::sandbox::{Run, ended};
use gradtop_tests::{Sandbox, check, paths, until};

/// The libraries, by the names that pip uses.
const LIBRARIES: [&str; 6] = ["torch", "lightning", "transformers", "accelerate", "tensorboard", "optuna"];

/// Prints a row for each training. `python` has the libraries installed.
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
    let trainings: [(&str, &str, &[&str], &[&str]); 6] = [
        ("PyTorch", "fit_torch.py", &[python], &[]),
        ("PyTorch, `torchrun`", "fit_torch.py", &torchrun, &[]),
        ("Lightning", "fit_lightning.py", &[python], &[]),
        ("Lightning, its own launcher", "fit_lightning.py", &[python], &["--processes", "2"]),
        ("Hugging Face", "fit_transformers.py", &[python], &[]),
        ("Hugging Face, `torchrun`", "fit_transformers.py", &torchrun, &[]),
    ];
    for (name, script, program, options) in trainings {
        let row = training(script, program, options);
        println!("| {name} {row} |");
    }
    println!("\n{}\n{}", untouched(python), search(python));
    true
}

/// Follows a training that only writes TensorBoard logs, exports the run as event files, and opens those in TensorBoard and a
/// browser.
fn untouched(python: &str) -> String {
    const STEPS: usize = 600;
    let sandbox = sandbox();
    let script = paths::checkout().join("python/examples/fit_tensorboard.py");
    let steps = STEPS.to_string();
    let command = [python, script.to_str().unwrap(), "--steps", &steps, "--dir", "logs"];
    let exec = ["exec", "--detach", "--name", "untouched", "--tensorboard", "logs", "--"];
    sandbox.gradtop(&[&exec[..], &command].concat()).expect_code(0);
    let run = sandbox.find("untouched");
    run.wait().expect_code(0);
    assert_eq!(losses(&run), (0..STEPS).collect::<Vec<_>>());
    let headline = |run: &Run<'_>| read_manifest(&run.dir).unwrap().metrics.iter().any(|m| m.headline);
    assert!(headline(&run), "lists show its loss");

    sandbox.gradtop(&["export", "untouched", "--tensorboard", "out"]).expect_code(0);
    // TensorBoard prints its address on either stream.
    let serve = "exec \"$0\" -u -m tensorboard.main --logdir out --host 127.0.0.1 --port 0 2>&1";
    let mut server = sandbox.around("sh");
    server.args(["-c", serve, python]).stdout(Stdio::piped());
    let mut server = server.spawn().unwrap();
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address = said.find_map(|line| {
        let (address, _) = line.split_once("http://")?.1.split_once('/')?;
        Some(address.to_owned())
    });
    let address = address.expect("TensorBoard says where it is");
    let shown = until("TensorBoard to have read the run", || {
        Some(get(&address, "/data/plugin/scalars/tags")).filter(|tags| tags.contains("test/loss"))
    });
    assert!(shown.contains("untouched") && shown.contains("train/loss"), "{shown}");
    let points = get(&address, "/data/plugin/scalars/scalars?run=untouched&tag=test%2Floss");
    let picture = picture(&format!("http://{address}/#timeseries"));
    server.kill().unwrap();
    server.wait().unwrap();
    let points: Vec<serde_json::Value> = serde_json::from_str(&points).unwrap();
    assert_eq!(points.len(), STEPS / 50, "{points:?}");
    format!("TensorBoard alone: {STEPS} steps recorded live; exported, TensorBoard shows them: {picture}")
}

/// Sends a request to a local server. Returns the response.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}

/// Renders a page in a browser, if there is one. Returns the path of the picture.
fn picture(url: &str) -> String {
    let folder = paths::checkout().join("target/soak");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("tensorboard.png");
    fs::remove_file(&file).ok();
    let mut browser = Command::new("chromium");
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,1000"]);
    browser.args(["--virtual-time-budget=20000", &format!("--screenshot={}", file.display()), url]);
    browser.stdout(Stdio::null()).stderr(Stdio::null());
    let drawn = |file: &Path| fs::metadata(file).is_ok_and(|meta| meta.len() > 10_000);
    match browser.status() {
        Ok(_) if drawn(&file) => file.display().to_string(),
        Ok(ended) => panic!("chromium drew nothing ({ended})"),
        Err(_) => "there is no chromium to look at it with".to_owned(),
    }
}

/// Optuna with a run for each trial.
fn search(python: &str) -> String {
    const TRIALS: usize = 6;
    let sandbox = sandbox();
    let program = sandbox.program().to_str().unwrap().to_owned();
    let sandbox = sandbox.and_env("GRADTOP_PROGRAM", &program);
    let script = paths::checkout().join("python/examples/search_optuna.py");
    let trials = TRIALS.to_string();
    let mut command = sandbox.around(python);
    command.arg(script).args(["--trials", &trials]);
    let said = ended(command, &["search_optuna.py"]).expect_code(0);
    let runs = sandbox.gradtop(&["list", "--json"]).json();
    let runs = runs.as_array().unwrap();
    assert_eq!(runs.len(), TRIALS);
    assert!(
        runs.iter().all(|run| run["state"] == "finished" && run["params"]["lr"].is_number()),
        "{runs:#?}"
    );
    format!("Optuna, {TRIALS} trials: {}", said.out.trim())
}

/// Runs a training to its end, then one that is paused, stopped, resumed and stopped again.
fn training(script: &str, program: &[&str], options: &[&str]) -> String {
    let sandbox = sandbox();
    let (length, short) = if script == "fit_torch.py" { ("--steps", "300") } else { ("--epochs", "3") };
    let script = paths::checkout().join("python/examples").join(script);
    let command = [program, &[script.to_str().unwrap()], options].concat();
    let start = |name: &str, units: &str| {
        let exec = ["exec", "--detach", "--resumable", "--name", name, "--checkpoint-every", "2", "--"];
        sandbox.gradtop(&[&exec[..], &command, &[length, units]].concat()).expect_code(0);
        sandbox.find(name)
    };
    let whole = start("whole", short);
    whole.wait().expect_code(0);
    let logged = losses(&whole);
    let status = whole.status();
    assert_eq!(
        (status.done, Some(logged.len() as u64)),
        (status.total, status.total),
        "every step was logged once"
    );
    assert_eq!(logged.len(), logged.last().unwrap() - logged[0] + 1);
    let versions = read_manifest(&whole.dir).unwrap().versions;
    assert!(versions.python.is_some() && versions.torch.is_some(), "{versions:?}");

    let run = start("long", "1000000");
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

/// A sandbox in which Python finds the client, with a single thread per process.
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
