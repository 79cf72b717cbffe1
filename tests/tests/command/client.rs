//! What the Python client logs, and the cost when it or the recording process dies.

use std::fs;

use gradtop_store::{Event, State, read_manifest, read_series, read_table};
use gradtop_tests::sandbox::Run;
use gradtop_tests::{Sandbox, paths, until};
use rustix::process::Signal;

use crate::{cause, console, sandbox, start, values, warnings};

/// A Python loop that waits at a step until a file exists.
const GATED: &str = r#"
import os, sys, time, gradtop
run = gradtop.init(metrics={"loss": "min"}, params={"lr": 0.5, "net": {"width": 8}})
total, hold = int(sys.argv[1]), int(sys.argv[2])
start = 0
if run.resume_dir:
    if os.path.exists(sys.argv[3] + ".fail"):
        raise SystemExit(5)
    start = int((run.resume_dir / "step").read_text()) + 1
for step in run.steps(total, start):
    run.log(step, loss=1 / (step + 1), split="train", epoch=step / 10)
    if run.should_checkpoint():
        with run.checkpoint(step) as folder:
            (folder / "step").write_text(str(step))
    while step >= hold and not os.path.exists(sys.argv[3]):
        print("held", flush=True)
        time.sleep(0.02)
        if hold and run.should_stop():
            break
run.table("end", {"x": [1, 2], "y": ["a", "b"]})
run.finish()
"#;

/// Starts [`GATED`]. Returns the file that releases it, too.
fn gated<'a>(
    sandbox: &'a Sandbox,
    options: &[&str],
    name: &str,
    total: &str,
    hold: &str,
) -> (Run<'a>, std::path::PathBuf) {
    let script = sandbox.path().join("gated.py");
    fs::write(&script, GATED).unwrap();
    let gate = sandbox.path().join(format!("go-{name}"));
    let command = ["python3", script.to_str().unwrap(), total, hold, gate.to_str().unwrap()];
    (start(sandbox, options, name, &command), gate)
}

/// Logs a row three times as if that had been some seconds ago, then one of now and one of tomorrow.
const SHIFTED: &str = r"
import time, gradtop
run, now = gradtop.init(), time.monotonic_ns
for step, ago in enumerate([30, 20, 10, 0, -86400]):
    time.monotonic_ns = lambda: now() - ago * 10**9
    run.log(step, said=time.time() - ago)
run.finish()
";

#[test]
fn a_row_has_the_time_of_its_call_however_late_it_is_recorded() {
    let sandbox = sandbox();
    let script = sandbox.path().join("shifted.py");
    fs::write(&script, SHIFTED).unwrap();
    sandbox.gradtop(&["exec", "--name", "s", "--", "python3", script.to_str().unwrap()]).expect_code(0);
    let all = read_series(&sandbox.find("s").dir, |_| true).unwrap();
    let (said, system): (Vec<_>, Vec<_>) = all.into_iter().partition(|series| series.key.metric == "said");
    let times = &said[0].time_us;
    assert!(times.is_sorted(), "{times:?}");
    for (time, said) in times.iter().zip(&said[0].value).take(4) {
        // Time never goes back, so a row is no older than what the recorder itself measured before.
        let measured = system.iter().flat_map(|series| &series.time_us).filter(|t| *t <= time).max();
        let earliest = ((said * 1e6) as i64).max(measured.copied().unwrap_or(0));
        assert!((time - earliest).abs() < 5_000_000, "{time} is not {said}");
    }
    assert!(times[4] - times[3] < 3_600_000_000, "not tomorrow: {times:?}");
}

#[test]
fn the_client_logs_pauses_saves_stops_and_resumes() {
    let sandbox = sandbox();
    let (run, gate) = gated(&sandbox, &["--resumable"], "a", "1000000", "5");
    run.until_step(5);
    let manifest = read_manifest(&run.dir).unwrap();
    let params: Vec<String> = manifest.params.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(params, ["lr=0.5", "net.width=8"]);
    assert_eq!(manifest.metrics[0].name, "loss");
    fs::write(&gate, "").unwrap();
    run.until_step(50);
    sandbox.gradtop(&["pause", "a"]).expect_code(0);
    run.until_state(State::Paused);
    let done = || i64::try_from(run.status().done.unwrap()).unwrap();
    assert_eq!(done(), values(&run, "loss", Some("train")).last().unwrap().0 + 1);
    sandbox.gradtop(&["resume", "a"]).expect_code(0);
    assert_eq!(run.view().state, State::Running, "it is no longer paused once that was said");
    sandbox.gradtop(&["checkpoint", "a"]).expect_code(0);
    until("a checkpoint", || (!gradtop_store::checkpoints(&run.dir).is_empty()).then_some(()));
    sandbox.gradtop(&["stop", "a"]).expect_code(0);
    assert_eq!(
        (run.view().state, cause(&run).as_str()),
        (State::Stopped, "asked to stop"),
        "{}",
        console(&run)
    );
    let saved = gradtop_store::checkpoints(&run.dir).pop().unwrap().step;
    assert_eq!(values(&run, "loss", Some("train")).last().unwrap().0, saved, "it saves where it stops");
    assert_eq!(done(), saved + 1);

    sandbox.gradtop(&["resume", "a", "--detach"]).expect_code(0);
    run.until_step(saved + 50);
    run.signal_trainer(Signal::KILL);
    let step = run.status().step.unwrap();
    run.until_step(step + 50);
    sandbox.gradtop(&["stop", "a"]).expect_code(0);
    let steps: Vec<i64> = values(&run, "loss", Some("train")).iter().map(|(step, _)| *step).collect();
    assert!(steps.is_sorted_by(|a, b| a < b), "no step twice");
    assert!(run.events().contains("was restarted"), "{}", run.events());
    assert_eq!(read_table(&run.dir, "end").unwrap().rows(), 2);

    // One that ends before its first new row has what it had.
    let before = run.status();
    fs::write(gate.with_added_extension("fail"), "").unwrap();
    sandbox.gradtop(&["resume", "a"]).expect_code(1);
    let after = run.status();
    assert_eq!((after.state, after.headline, after.total), (State::Failed, before.headline, Some(1_000_000)));
    assert_eq!((after.step, after.done), (before.step, before.done));
}

#[test]
fn a_run_whose_sink_dies_stays_paused_and_still_hears_a_stop() {
    let sandbox = sandbox();
    let text = "import gradtop\nrun = gradtop.init()\nfor step in run.steps(10**9):\n    run.log(step, loss=step)\nrun.table('end', {'x': [1]})\n";
    let run = start(&sandbox, &[], "a", &["python3", "-c", text]);
    run.until_step(5);
    sandbox.gradtop(&["pause", "a"]).expect_code(0);
    run.until_state(State::Paused);
    let step = run.status().step.unwrap();
    let kill = || {
        let sink = run.status().trainer_pid;
        assert!(run.signal_trainer(Signal::KILL));
        until("another sink", || (run.status().trainer_pid != sink).then_some(()));
    };
    kill();
    run.until_state(State::Paused);
    let waits = |events: String| events.matches("\"paused\"").count();
    until("the client to wait again", || (waits(run.events()) == 2).then_some(()));
    assert_eq!(values(&run, "loss", None).last().unwrap().0, step, "it has waited");
    sandbox.gradtop(&["resume", "a"]).expect_code(0);
    run.until_step(step + 50);
    kill();
    sandbox.gradtop(&["stop", "a", "--grace", "60"]).expect_code(0);
    assert_eq!(cause(&run), "asked to stop");
    assert_eq!(read_table(&run.dir, "end").unwrap().rows(), 1, "it was told, not killed");
}

#[test]
fn who_begins_to_listen_late_is_told_that_a_checkpoint_is_due() {
    let sandbox = sandbox();
    let gate = sandbox.path().join("go");
    let script = "import gradtop, os, sys, time\nrun = gradtop.init()\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)\nfor step in run.steps(10**9):\n    run.log(step, loss=step)\n    if run.should_checkpoint():\n        with run.checkpoint(step) as folder: (folder / 'state').write_text('1')\n";
    let run = start(&sandbox, &["--resumable"], "a", &["python3", "-c", script, gate.to_str().unwrap()]);
    run.until_state(State::Running);
    sandbox.gradtop(&["checkpoint", "a"]).expect_code(0);
    until("the request to be seen", || run.events().contains("checkpoint").then_some(()));
    fs::write(&gate, "").unwrap();
    until("a checkpoint", || (!gradtop_store::checkpoints(&run.dir).is_empty()).then_some(()));
    sandbox.gradtop(&["stop", "a"]).expect_code(0);
}

#[test]
fn no_row_of_a_call_that_returned_is_lost_when_python_is_killed() {
    let sandbox = sandbox();
    let script = "import gradtop, os, signal\nrun = gradtop.init()\nfor step in range(20_000):\n    run.log(step, loss=step)\n    if step == 12_345: os.kill(os.getpid(), signal.SIGKILL)\n";
    let run = start(&sandbox, &[], "a", &["python3", "-c", script]);
    run.wait().expect_code(4);
    assert_eq!(cause(&run), "SIGKILL: not sent by gradtop");
    let loss = values(&run, "loss", None);
    assert_eq!((loss.len(), loss.last().copied()), (12_346, Some((12_345, 12_345.0))));
}

#[test]
fn the_progress_of_a_killed_client_is_as_far_as_its_steps() {
    let sandbox = sandbox();
    let report = r#"{"do":"progress","done":1,"total":100}"#;
    let done = |name: &str, before: &str, after: &str| {
        let script = format!(
            "printf '%s loss=1\\n' {before} >&3; echo '{report}' >&3; printf '%s loss=1\\n' {after} >&3; kill -9 $$"
        );
        let run = start(&sandbox, &[], name, &["sh", "-c", &script]);
        run.wait().expect_code(4);
        run.view().status.done
    };
    assert_eq!(done("steps", "0", "1 2 2 3 4 5"), Some(6));
    assert_eq!(
        done("all", "0", "$(seq 1 100)"),
        Some(100),
        "the values at the end have the step after the last"
    );
    assert_eq!(done("samples", "0", "10 20 30"), Some(1), "what is logged is no step of 100");
    assert_eq!(done("networks", "0 1 2", "3 4 5"), Some(1), "three steps of the first network");
    assert_eq!(done("past", "0", "$(seq 1 101)"), Some(1), "more steps than there are");
}

#[test]
fn a_command_goes_on_without_its_keeper_and_is_recorded_to_its_end() {
    let sandbox = sandbox();
    let (run, gate) = gated(&sandbox, &[], "a", "300", "5");
    run.until_step(5);
    run.signal_keeper(Signal::KILL);
    until("the keeper to be missed", || run.events().contains("keeper was killed").then_some(()));
    fs::write(&gate, "").unwrap();
    run.wait();
    assert_eq!(cause(&run), "exit code unknown: its keeper was killed");
    assert_eq!(values(&run, "loss", Some("train")).len(), 300);
    assert!(console(&run).contains("held"));

    let (run, _gate) = gated(&sandbox, &[], "b", "300", "5");
    run.until_step(5);
    run.signal_keeper(Signal::KILL);
    until("the keeper to be missed", || run.events().contains("keeper was killed").then_some(()));
    sandbox.gradtop(&["stop", "b"]).expect_code(0);
    assert_eq!(run.view().state, State::Stopped);
}

#[test]
fn python_alone_begins_a_run_of_its_own() {
    let sandbox = sandbox();
    let script = sandbox.path().join("alone.py");
    let text = "import gradtop\nrun = gradtop.init(experiment='own', name=NAME, config={'lr': 1})\nrun.log({'loss': 2.0})\nrun.log({'loss': 1.0})\n";
    let raises = "raise ValueError('no data')\n";
    let cases = [
        ("good", "gradtop.init(name='second').log({'loss': 3.0})\n", State::Finished),
        ("bad", raises, State::Failed),
        // An error in an interactive session does not end it.
        ("typed", raises, State::Finished),
        ("inline", "", State::Finished),
    ];
    for (name, end, state) in cases {
        let text = text.replace("NAME", &format!("'{name}'")) + end;
        fs::write(&script, &text).unwrap();
        let mut python = sandbox.around("python3");
        match name {
            "typed" => python.arg("-i").stdin(fs::File::open(&script).unwrap()),
            "inline" => python.arg("-c").arg(text.replace("experiment='own', ", "")),
            _ => python.arg(&script).arg("--lr").arg("1"),
        };
        let status = python.stderr(std::process::Stdio::null()).status().unwrap();
        assert_eq!(status.success(), name != "bad");
        // With the process, the run has ended too, and all of it can be seen.
        let run = sandbox.find(name);
        assert_eq!(run.view().status.state, state, "{}", cause(&run));
        assert_eq!(values(&run, "loss", None), [(0, 2.0), (1, 1.0)]);
        let python = read_manifest(&run.dir).unwrap().versions.python;
        assert!(python.as_deref().is_some_and(|version| version.starts_with("3.")), "{python:?}");
    }
    assert_eq!(cause(&sandbox.find("bad")), "ValueError: no data");
    assert_eq!(values(&sandbox.find("second"), "loss", None), [(0, 3.0)]);
}

#[test]
fn a_call_that_is_interrupted_costs_no_other() {
    let sandbox = sandbox();
    // The text does not fit into the socket buffer while the sink is stopped.
    let text = r#"
import gradtop, json, os, signal
run = gradtop.init()
run.log(0, loss=0)
sink = json.load(open(run.dir + "/status.json"))["trainer_pid"]
def interrupt(*_): raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)
os.kill(sink, signal.SIGSTOP)
signal.setitimer(signal.ITIMER_REAL, 0.5)
try:
    run.text("x" * (32 << 20))
except KeyboardInterrupt:
    print("interrupted")
os.kill(sink, signal.SIGCONT)
for step in range(1, 100): run.log(step, loss=step)
"#;
    let run = start(&sandbox, &[], "a", &["python3", "-c", text]);
    run.wait().expect_code(0);
    assert!(console(&run).contains("interrupted"), "{}", console(&run));
    let logged: Vec<i64> = values(&run, "loss", None).iter().map(|(step, _)| *step).collect();
    assert_eq!(logged, (0..100).collect::<Vec<_>>());
    assert!(warnings(&run).is_empty(), "{}", run.events());
}

#[test]
fn who_has_heard_a_stop_has_its_whole_grace_to_end() {
    let sandbox = sandbox();
    let text = "import gradtop, signal, sys, time\n\
                signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n\
                run, step = gradtop.init(), 0\n\
                while not run.should_stop():\n    run.log({'loss': 1.0}, step=step); step += 1; time.sleep(0.01)\n\
                run.finish()\n\
                time.sleep(0.5)";
    let run = start(&sandbox, &[], "a", &["python3", "-c", text]);
    run.until_step(1);
    sandbox.gradtop(&["stop", "a", "--grace", "60"]).expect_code(0);
    assert_eq!(cause(&run), "asked to stop");
}

#[test]
fn ranks_log_as_trials_and_end_at_the_same_step() {
    let sandbox = sandbox();
    let script = sandbox.path().join("rank.py");
    let text = "import gradtop, os, time\nrun = gradtop.init(rank='all')\nlast = -1\nfor step in run.steps(10**9):\n    run.log(step, loss=step)\n    last = step\n    time.sleep(0.002)\nprint('last', last, flush=True)\n";
    fs::write(&script, text).unwrap();
    let both = format!("for r in 0 1; do RANK=$r WORLD_SIZE=2 python3 {} & done; wait", script.display());
    let run = start(&sandbox, &["--grace", "60"], "a", &["sh", "-c", &both]);
    until("both to log", || (run.status().rows > Some(200) && run.status().step? > 50).then_some(()));
    let said = sandbox.gradtop(&["stop", "a", "--grace", "60"]).expect_code(0);
    let text = console(&run);
    let last: Vec<&str> = text.lines().filter(|line| line.starts_with("last")).collect();
    assert_eq!((last.len(), last.first()), (2, last.last()), "{text}{}", said.all());
    let series = read_series(&run.dir, |key| key.metric == "loss").unwrap();
    assert_eq!(series.iter().map(|s| s.key.trial).collect::<Vec<_>>(), [Some(0), Some(1)]);
}

#[test]
fn an_example_of_a_script_trains_and_a_summary_writer_is_understood() {
    let sandbox = sandbox();
    let script = paths::checkout().join("python/examples/curve.py");
    let run =
        start(&sandbox, &["--seed", "1"], "a", &["python3", script.to_str().unwrap(), "--steps", "500"]);
    run.wait().expect_code(0);
    let test = values(&run, "loss", Some("test"));
    assert!(test.last().unwrap().1 < test[0].1 / 2.0, "{test:?}");
    assert_eq!(run.view().status.headline.len(), 2);

    let text = "import gradtop\nw = gradtop.SummaryWriter('logs')\nfor i in range(10):\n    w.add_scalar('Loss/train', i, i)\nw.add_scalars('acc', {'train': 1, 'big': 2}, 3)\nw.add_histogram('h', [1, 2, [3]], 0)\nw.add_hparams({'lr': 2}, {'final': 7})\nw.add_image('x', None)\nw.add_scalar('odd', 'text', 1)\nw.flush(); w.close()\n";
    let run = start(&sandbox, &[], "b", &["python3", "-c", text]);
    run.wait().expect_code(0);
    assert_eq!(values(&run, "Loss", Some("train")).len(), 10);
    assert_eq!(values(&run, "acc", Some("train")), [(3, 1.0)]);
    assert_eq!(values(&run, "final", None).len(), 1);
    assert_eq!(read_table(&run.dir, "histograms").unwrap().rows(), 30);
    assert!(console(&run).contains("SummaryWriter.add_image is ignored"), "{}", console(&run));
    assert!(console(&run).contains("odd is not a number"), "{}", console(&run));
}

#[test]
fn a_forked_child_takes_nothing_of_its_parents_run() {
    let sandbox = sandbox();
    let text = "import gradtop, os\nrun = gradtop.init()\nrun.log(0, loss=1)\npid = os.fork()\nrun.log(1, loss=2)\nif pid == 0: os._exit(0)\nos.waitpid(pid, 0)\nrun.log(2, loss=3)\n";
    let run = start(&sandbox, &[], "a", &["python3", "-W", "ignore", "-c", text]);
    run.wait().expect_code(0);
    assert_eq!(values(&run, "loss", None), [(0, 1.0), (1, 2.0), (2, 3.0)]);
    assert!(run.logged_events(|e| matches!(e, Event::Warning { .. })).is_empty(), "{}", run.events());
}

/// The recording of a client with the first version of the protocol.
#[test]
fn the_recording_of_an_older_client_is_understood() {
    let sandbox = sandbox();
    let golden = paths::checkout().join("core/host/tests/golden/lines-1.bin");
    let script = "import os, socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(os.environ['GRADTOP_SINK'])\ns.sendall(open(sys.argv[1], 'rb').read())\n";
    let run = start(&sandbox, &[], "a", &["python3", "-c", script, golden.to_str().unwrap()]);
    run.wait().expect_code(0);
    assert_eq!(values(&run, "loss", Some("train")), [(0, 1.0), (1, 0.5), (2, f64::INFINITY)]);
    assert_eq!(values(&run, "accuracy", None), [(0, 0.25), (1, 0.75), (2, 0.5)]);
    assert_eq!(values(&run, "speed", None), [(3, 7.0)]);
    assert_eq!(read_table(&run.dir, "points").unwrap().rows(), 2);
    assert_eq!(read_manifest(&run.dir).unwrap().params.len(), 1);
    assert_eq!(run.view().status.total, Some(4));
}

#[test]
fn threads_that_begin_to_log_at_once_keep_their_values_apart() {
    let sandbox = sandbox();
    let text = r#"
import gradtop, sys, threading
sys.setswitchinterval(1e-6)
run = gradtop.init()
def work(name, value, barrier):
    barrier.wait()
    for i in range(20):
        run.log(i, {name: value})
for again in range(20):
    barrier = threading.Barrier(16)
    threads = [threading.Thread(target=work, args=(f"m{again}-{k}", float(16 * again + k), barrier)) for k in range(16)]
    for t in threads: t.start()
    for t in threads: t.join()
"#;
    let run = start(&sandbox, &[], "a", &["python3", "-c", text]);
    run.wait().expect_code(0);
    let series = read_series(&run.dir, |key| key.metric.starts_with('m')).unwrap();
    assert_eq!(series.len(), 320);
    for s in series {
        let (again, k) = s.key.metric[1..].split_once('-').unwrap();
        let value = 16.0 * again.parse::<f64>().unwrap() + k.parse::<f64>().unwrap();
        assert_eq!(s.value, [value; 20], "{}", s.key.metric);
    }
}

#[test]
fn what_is_wrong_with_a_message_costs_only_that_part_of_it() {
    let sandbox = sandbox();
    let long = "n".repeat(100_000);
    let script = format!(
        "import gradtop\nrun = gradtop.init()\nrun.params({{'lr': 1, '': 2, 'net': {{'width': 8}}, 'x': '\\udc80', 'big': 10**25, 'huge': 10**400}})\n\
         run.config.update({{'a ': 1, 'b': 2}})\nrun.log(0, {{'{long}': 1.0, '': 0.0, 'good': 2.0}})\nrun.log(1, loss=1.0, trial='2')\n\
         run.figures('[[figure]]\\nid = \"a\"\\ntitle = \"A\"')\n"
    );
    let path = sandbox.path().join("parts.py");
    fs::write(&path, script).unwrap();
    let run = start(&sandbox, &[], "a", &["python3", path.to_str().unwrap()]);
    run.wait().expect_code(0);
    let manifest = read_manifest(&run.dir).unwrap();
    let params: Vec<String> = manifest.params.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let huge = format!("huge=1{}", "0".repeat(400));
    assert_eq!(params, ["lr=1", "net.width=8", "x=?", "big=1e25", &huge, "b=2"]);
    assert_eq!(values(&run, "good", None), [(0, 2.0)]);
    let said = warnings(&run);
    let expected = [
        "not logged: parameter \"\" is empty".to_owned(),
        "not logged: parameter \"a \" begins or ends with a blank".to_owned(),
        format!("not logged: metric \"{}…\" is longer than 200 bytes", &long[..60]),
        "not logged: metric \"\" is empty".to_owned(),
        "not logged: trial \"2\": a trial is a whole number below 2,147,483,648".to_owned(),
        "not logged: figure \"a\": it has no panel: add [[figure.panel]]".to_owned(),
    ];
    assert_eq!(said, expected);

    let line = r#"echo '{"step":20,"a":1,"d":null,"e":true,"f":"word"}' >&3"#;
    let run = start(&sandbox, &[], "b", &["sh", "-c", line]);
    run.wait().expect_code(0);
    let series = read_series(&run.dir, |key| !key.metric.starts_with("system/")).unwrap();
    assert_eq!(series.iter().map(|s| s.key.metric.as_str()).collect::<Vec<_>>(), ["a", "e"]);
    assert!(warnings(&run).is_empty(), "{}", run.events());
}

#[test]
fn a_wrong_step_or_epoch_costs_nothing_else() {
    let sandbox = sandbox();
    let text = r#"
import gradtop
class Index:
    def __index__(self): return 4
run = gradtop.init()
run.log(2, {"a": 2.0})
for wrong in (3.5, "x", float("nan"), 2**63, object(), [1]):
    run.log(wrong, {"a": 100})
    run.log({"a": 100.0}, step=wrong)
    run.log({"a": 100.0}, wrong)
run.log({"a": 3})
run.log(Index(), {"a": 4})
run.log(20, {"a": 20.0}, epoch="x")
run.log(a=21, epoch=0.5)
run.log(22, {"a": 22.0, "b": "word", "c": 10**400})
"#;
    let run = start(&sandbox, &[], "a", &["python3", "-c", text]);
    run.wait().expect_code(0);
    let steps = [2, 3, 4, 20, 21, 22];
    assert_eq!(values(&run, "a", None), steps.map(|step| (step, step as f64)), "{}", console(&run));
    let said = console(&run);
    for part in [
        "log: a step is a whole number, not 3.5",
        "a step has at most 64 bits, not 9223372036854775808",
        "epoch 'x' is not a number: it is left out",
        "b is not a number but str",
        "c is too large: it is not logged",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn no_call_of_the_client_raises_into_the_loop() {
    let sandbox = sandbox();
    let text = r#"
import gradtop
class Bad:
    def __str__(self): raise OSError("no text")
    __repr__ = __float__ = __str__
run = gradtop.init()
writer = gradtop.SummaryWriter()
bad = [(), (None,), (1,), ("x",), (float("nan"),), (Bad(),), (1, 2), ("x", Bad(), Bad()), (1, 2, 3, 4, 5, 6, 7, 8, 9)]
for owner in (run, writer, run.config):
    for name in dir(type(owner)):
        own = getattr(vars(type(owner)).get(name), "__module__", None) == "gradtop"
        if name.startswith("_") or not own or name in ("finish", "checkpoint", "steps"): continue
        for args in bad:
            getattr(owner, name)(*args)
for wrong in (3.5, "x", None, Bad()):
    for step in run.steps(wrong): pass
    with run.checkpoint(wrong) as folder: (folder / "state").write_text("x")
assert list(run.steps(3.0)) == [0, 1, 2]
with run.checkpoint(): pass
run.config["bad"] = Bad()
run.config |= {"good": 1}
run.no_such_call(1).again()
gradtop.watch(1)
gradtop.log(Bad(), Bad())
with gradtop.profile() as p: p.step()
run.log(7, {"a": Bad(), "b": 1.0})
run.finish(Bad())
run.finish(1, 2, 3, 4)
run.log(8, b=1.0)
print("reached the end")
"#;
    let run = start(&sandbox, &[], "a", &["python3", "-c", text]);
    run.wait();
    let said = console(&run);
    assert!(said.contains("reached the end"), "{said}");
    assert!(said.contains("gradtop has no 'watch' here: it is ignored"), "{said}");
    assert_eq!(values(&run, "b", None).last().copied(), Some((7, 1.0)), "{said}");
    assert!(read_manifest(&run.dir).unwrap().params.iter().any(|(key, _)| key == "good"));
}

#[test]
fn what_keeps_python_from_a_run_is_told_in_a_sentence() {
    let sandbox = sandbox();
    for (name, value, why) in [
        ("GRADTOP_PROGRAM", "/no/such/program", "cannot start /no/such/program: No such file or directory"),
        ("GRADTOP_PROGRAM", "/bin/true", "/bin/true is not gradtop"),
        ("RANK", "abc", "the environment variable RANK is 'abc', not a whole number"),
    ] {
        let mut python = sandbox.around("python3");
        let output = python.env(name, value).args(["-c", "import gradtop\ngradtop.init()"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{said}");
        assert_eq!(said.matches("Traceback").count(), 1, "no cause behind the cause: {said}");
    }
    // Libraries that a script uses but this Python lacks; the client itself needs none of them.
    for (name, library) in
        [("HFCallback", "transformers"), ("LightningLogger", "lightning"), ("LightningCallback", "lightning")]
    {
        let script = format!(
            "import sys\nsys.path.insert(0, '')\nfor n in ('transformers', 'lightning', 'pytorch_lightning'): sys.modules[n] = None\nfrom gradtop import {name}"
        );
        let output = sandbox.around("python3").args(["-c", &script]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(&format!("pip install {library}")), "{said}");
    }
}
