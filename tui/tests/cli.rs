//! Tests the real binary on run folders with known contents. Runs with plugins are tested in the `tests` crate.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod fixture;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use fixture::{bare, finished, status};
use gradtop_store::{Event, RunLock, State, append_event, request, take_requests, write_status};
use serde_json::Value;

struct Answer {
    out: String,
    err: String,
    code: i32,
}

fn command(runs: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradtop"));
    command.args(args).env_clear().env("GRADTOP_RUNS", runs).env("LANG", "C.UTF-8").env("TZ", "UTC");
    command.env("XDG_DATA_HOME", runs.join(".data")).env("XDG_CACHE_HOME", runs.join(".cache"));
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("GRADTOP_PLUGINS", runs.join(".plugins")).stdin(Stdio::null()).current_dir(runs);
    command
}

fn gradtop(runs: &Path, args: &[&str]) -> Answer {
    let output = command(runs, args).output().unwrap();
    Answer {
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap_or(-1),
    }
}

fn tempdir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.out).unwrap()
}

#[test]
fn help_texts() {
    let dir = tempdir();
    for command in [
        "",
        "run",
        "list",
        "show",
        "why",
        "logs",
        "plot",
        "compare",
        "study",
        "pause",
        "resume",
        "stop",
        "checkpoint",
        "wait",
        "rm",
        "experiments",
        "plugin",
        "setup",
        "doctor",
        "selftest",
        "config",
        "completions",
    ] {
        let args: Vec<&str> = if command.is_empty() { vec!["--help"] } else { vec![command, "--help"] };
        let answer = gradtop(dir.path(), &args);
        assert_eq!((answer.code, answer.err.as_str()), (0, ""));
        insta::assert_snapshot!(
            format!("help_{}", if command.is_empty() { "gradtop" } else { command }),
            answer.out
        );
    }
}

#[test]
fn plots_are_drawn_in_text() {
    let dir = tempdir();
    finished(dir.path(), "curve-fit-1", 0.01);
    let draw = |args: &[&str]| {
        let answer = gradtop(dir.path(), &[&["plot", "last"], args].concat());
        assert_eq!((answer.code, answer.err.as_str()), (0, ""));
        assert!(!answer.out.contains('\x1b'));
        answer.out
    };
    insta::assert_snapshot!("plot_loss", draw(&["loss", "--width", "80", "--height", "20"]));
    insta::assert_snapshot!("plot_fit", draw(&["fit", "--width", "130", "--height", "18"]));
    insta::assert_snapshot!("plot_surface", draw(&["surface", "--width", "60", "--height", "18"]));
    insta::assert_snapshot!("plot_accuracy", draw(&["accuracy", "--width", "70", "--height", "26"]));
    let ascii = draw(&["loss", "--width", "80", "--height", "20", "--ascii"]);
    assert!(ascii.is_ascii());
    insta::assert_snapshot!("plot_loss_ascii", ascii);
}

#[test]
fn a_metric_can_be_drawn_and_an_unknown_one_is_guessed() {
    let dir = tempdir();
    finished(dir.path(), "curve-fit-1", 0.01);
    let time = gradtop(dir.path(), &["plot", "curve", "loss", "--x", "epoch", "--scale", "linear"]);
    assert_eq!(time.code, 0);
    assert!(time.out.contains("epoch") && !time.out.contains("(log)"));
    let wrong = gradtop(dir.path(), &["plot", "last", "los"]);
    assert_eq!(wrong.code, 2);
    insta::assert_snapshot!(wrong.err, @r#"
    error: no run, and no figure or metric of curve-fit-1, is called "los"
    help: did you mean loss?
    "#);
    let listed = gradtop(dir.path(), &["plot", "--list"]);
    assert!(
        listed.out.contains("fit  Fit\n") && listed.out.contains("loss  Mean squared error on the grid\n")
    );
}

#[test]
fn drawings_are_written() {
    let dir = tempdir();
    finished(dir.path(), "curve-fit-1", 0.01);
    let answer = gradtop(dir.path(), &["plot", "last", "--svg", "all.svg", "--png", "all.png"]);
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    assert_eq!(answer.out.lines().next(), Some("wrote all-loss.svg"));
    for id in ["loss", "fit", "surface", "accuracy"] {
        let svg = std::fs::read_to_string(dir.path().join(format!("all-{id}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        let png = std::fs::read(dir.path().join(format!("all-{id}.png"))).unwrap();
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        assert!(png.len() > 10_000, "{id}: an empty picture is smaller than {}", png.len());
    }
}

#[test]
fn plot_says_how_many_metrics_it_leaves_out() {
    let dir = tempdir();
    let row = |cell: &dyn Fn(usize) -> String| (0..20).map(cell).collect::<Vec<_>>().join(",");
    let (names, values) = (row(&|i| format!("m{i}")), row(&|i| i.to_string()));
    std::fs::write(dir.path().join("wide.csv"), format!("step,{names}\n0,{values}\n1,{values}\n")).unwrap();
    assert_eq!(gradtop(dir.path(), &["import", "wide.csv"]).code, 0);
    let all = gradtop(dir.path(), &["plot", "last"]).out;
    assert!(all.contains("12 more metrics") && all.matches("wide: m").count() == 8, "{all}");
    assert!(!gradtop(dir.path(), &["plot", "last", "m1"]).out.contains("more metric"));
}

#[test]
fn runs_are_ranked_by_any_metric_that_they_have_logged() {
    let dir = tempdir();
    std::fs::write(dir.path().join("two.csv"), "step,loss,width,width:max\n0,1,5,9\n1,0,4,8\n").unwrap();
    assert_eq!(gradtop(dir.path(), &["import", "two.csv"]).code, 0);
    for (metric, value) in [("width", 4.0), ("width:min", 4.0), ("width:max", 8.0)] {
        assert_eq!(json(&gradtop(dir.path(), &["best", metric, "--json"]))["groups"][0]["median"], value);
    }
    let unknown = gradtop(dir.path(), &["best", "widht"]);
    assert!(unknown.code == 2 && unknown.err.contains("did you mean width?"), "{}", unknown.err);
}

#[test]
fn a_file_called_minus_is_standard_output_or_an_error() {
    let dir = tempdir();
    finished(dir.path(), "curve-fit-1", 0.01);
    let said = |args: &[&str]| gradtop(dir.path(), args);
    for (args, head) in [
        (&["plot", "last", "loss", "--csv", "-"][..], "series,x,y"),
        (&["plot", "last", "loss", "--svg", "-"], "<svg"),
        (&["export", "last", "--csv", "-"], "step,"),
        (&["report", "last", "-o", "-"], "<!doctype html"),
    ] {
        let answer = said(args);
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{args:?}");
        assert!(answer.out.to_lowercase().starts_with(&head.to_lowercase()), "{args:?}: {:.60}", answer.out);
    }
    let picture = command(dir.path(), &["plot", "last", "loss", "--png", "-"]).output().unwrap().stdout;
    assert!(
        picture.starts_with(b"\x89PNG") && picture.ends_with(b"IEND\xaeB`\x82"),
        "{} bytes",
        picture.len()
    );
    let beside = said(&["plot", "last", "loss", "--csv", "-", "--svg", "loss.svg"]);
    assert!(beside.out.starts_with("series,") && beside.err == "wrote loss.svg\n", "{}", beside.err);
    for (args, why) in [
        (&["plot", "last", "--csv", "-"][..], "standard output takes one drawing, and these are 4"),
        (&["plot", "last", "loss", "--csv", "-", "--png", "-"], "these are 2"),
        (&["export", "last", "--parquet", "-"], "Parquet cannot go to standard output"),
        (&["export", "last", "--tensorboard", "-"], "an event file cannot go to standard output"),
        (&["man", "-"], "a folder of pages cannot go to standard output"),
    ] {
        let answer = said(args);
        assert!(answer.code == 2 && answer.out.is_empty() && answer.err.contains(why), "{}", answer.err);
    }
    let there = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name());
    assert!(there.into_iter().all(|name| !name.to_string_lossy().starts_with('-')));
}

#[test]
fn runs_are_compared_in_tables_and_drawings() {
    let dir = tempdir();
    for (name, lr) in [("slow", 0.001), ("fast", 0.1), ("faster", 0.1)] {
        finished(dir.path(), name, lr);
    }
    let runs = ["compare", "slow", "fast", "faster"];
    let table = gradtop(dir.path(), &runs);
    assert_eq!((table.code, table.err.as_str()), (0, ""));
    insta::assert_snapshot!("compare", table.out);
    let grouped =
        gradtop(dir.path(), &[&runs[..], &["--by", "lr", "--metric", "loss", "--sort", "loss"]].concat());
    insta::assert_snapshot!("compare_grouped", grouped.out);
    let plot = ["plot", "slow", "fast", "faster", "loss"];
    let ascii = gradtop(dir.path(), &[&plot[..], &["--ascii", "--by", "lr", "--width", "80"]].concat());
    assert!(ascii.out.is_ascii() && ascii.out.contains("lr 0.001"), "{}", ascii.out);
    let told = json(&gradtop(dir.path(), &[&runs[..], &["--json"]].concat()));
    let columns = told["columns"].as_array().unwrap();
    assert!(columns.iter().any(|c| c["metric"] == "loss" && c["value"] == "best"), "{told:#}");
    let rows = told["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|r| r["values"].as_array().unwrap().len() == columns.len()), "{told:#}");
    assert_eq!((&rows[1]["name"], &rows[1]["params"]["lr"]), (&Value::from("fast"), &Value::from("0.1")));
    // A run without the metric has no row of its table.
    bare(dir.path(), "idle", 0, &status(State::Finished, 0, 10));
    let some = gradtop(dir.path(), &[&runs[..], &["idle"]].concat()).out;
    let (first, tables) = some.split_once("\nloss deep  lower is better · 3 of 4 runs\n").unwrap();
    assert!(first.contains("idle") && !tables.contains("idle") && !tables.contains('–'), "{some}");
    let files = ["--svg", "a.svg", "--png", "a.png", "--csv", "a.csv"];
    let drawn = gradtop(dir.path(), &[&plot[..], &["--smooth", "0.9", "--range", "20..60"], &files].concat());
    assert_eq!(drawn.code, 0, "{}", drawn.err);
    for written in drawn.out.lines().filter_map(|l| l.strip_prefix("wrote ")) {
        let bytes = std::fs::read(dir.path().join(written)).unwrap();
        let head: [&[u8]; 3] = [b"<svg", b"\x89PNG", b"series,x,y"];
        assert!(head.iter().any(|head| bytes.starts_with(head)), "{written}");
    }
    assert!(drawn.out.contains("wrote a-") && drawn.out.contains(".csv"), "{}", drawn.out);
    let smooth = gradtop(dir.path(), &[&plot[..], &["--smooth", "0.9"]].concat()).out;
    assert!(smooth.replace('\n', " ").contains("moving averages of weight 0.9"), "{smooth}");
    let outside = gradtop(dir.path(), &[&plot[..], &["--range", "1e6..2e6"]].concat());
    assert!(outside.code == 2 && outside.err.contains("--range 1000000..2000000"), "{}", outside.err);
    let same = gradtop(dir.path(), &["plot", "tag:none", "loss"]);
    assert!(same.code == 1 && same.err.contains("no run matches the filter `tag:none`"), "{}", same.err);
    let neither = gradtop(dir.path(), &["plot", "slow", "faster", "nothing"]);
    assert!(neither.code == 2 && neither.err.contains("none of these runs has a metric"), "{}", neither.err);
    for (args, words) in [
        (["--metric", "los"], "did you mean loss"),
        (["--by", "lrr"], "did you mean lr"),
        (["--sort", "los"], "did you mean loss"),
    ] {
        let wrong = gradtop(dir.path(), &[&runs[..], &args].concat());
        assert_eq!(wrong.code, 2, "{}", wrong.err);
        assert!(wrong.err.contains(words), "{args:?}: {}", wrong.err);
    }
}

#[test]
fn list_groups_runs_and_shows_what_differs() {
    let dir = tempdir();
    assert!(gradtop(dir.path(), &[]).out.starts_with("No runs in"));
    finished(dir.path(), "curve-fit-1", 0.01);
    finished(dir.path(), "curve-fit-2", 0.1);
    let mut failed = status(State::Failed, 300, 20_000);
    failed.cause = Some("loss is not finite\x1b[2J".into());
    bare(dir.path(), "bad", 50, &failed);
    let answer = gradtop(dir.path(), &["list"]);
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    let ages = without_ages(&answer.out);
    insta::assert_snapshot!("list", ages);
    assert!(gradtop(dir.path(), &["list", "--ascii"]).out.is_ascii());
    let all = json(&gradtop(dir.path(), &["list", "--json"]));
    let names: Vec<&str> = all.as_array().unwrap().iter().map(|r| r["run"].as_str().unwrap()).collect();
    assert_eq!(names, ["bad", "curve-fit-1", "curve-fit-2"]);
    assert_eq!(all[0]["state"], "failed");
    assert_eq!(all[1]["params"]["lr"], 0.01);
    assert_eq!(all[1]["headline"].as_array().unwrap().len(), 9);
}

/// Removes the folder's name and the ages, which depend on the day.
fn without_ages(text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[0] = lines[0].split_once("  ").map(|(_, rest)| format!("RUNS  {rest}")).unwrap();
    let age = |word: &str| {
        word.len() > 1 && word.ends_with('d') && word[..word.len() - 1].chars().all(|c| c.is_ascii_digit())
    };
    for line in &mut lines {
        if let Some(word) = line.split(' ').find(|w| age(w)).map(str::to_owned) {
            *line = line.replace(&word, &format!("{}d", "9".repeat(word.len() - 1)));
        }
    }
    lines.join("\n")
}

#[test]
fn a_hundred_runs_are_listed() {
    let dir = tempdir();
    for i in 0..100 {
        bare(dir.path(), &format!("run-{i}"), i, &status(State::Finished, 10, 10));
    }
    // Its speed is measured by `cargo xtask bench monitor start`.
    let list = gradtop(dir.path(), &["list"]);
    assert_eq!((list.code, list.out.matches("run-").count()), (0, 100));
}

#[test]
fn show_tells_everything() {
    let dir = tempdir();
    let run = finished(dir.path(), "curve-fit-1", 0.01);
    append_event(&run, &Event::Warning { message: "slow\x07 disk".into() }).unwrap();
    let text = gradtop(dir.path(), &["show", "last"]);
    assert_eq!((text.code, text.err.as_str()), (0, ""));
    for words in [
        "✓ finished  curve-fit-1",
        "lr        0.01",
        "deep · #0",
        "/metrics/*.parquet'",
        "slow\\u{7} disk",
        "tables",
        "took",
    ] {
        assert!(text.out.contains(words), "{words} is not in\n{}", text.out);
    }
    let value = json(&gradtop(dir.path(), &["show", "last", "--json"]));
    assert_eq!(value["metrics"].as_array().unwrap().len(), 9);
    assert_eq!(value["metrics"][0]["points"], 2000);
    assert_eq!(value["manifest"]["seed"], 7);
    assert_eq!(value["tables"], serde_json::json!(["classes", "predictions", "surface"]));
}

#[test]
fn logs_are_printed_escaped_and_followed_to_the_end() {
    let dir = tempdir();
    let run = bare(dir.path(), "a", 0, &status(State::Running, 1, 10));
    let lock = RunLock::acquire(&run).unwrap();
    append_event(&run, &Event::Log { level: "info".into(), message: "hello".into() }).unwrap();
    std::fs::write(
        run.console(),
        "[info] hello\none\n\x1b]0;title\x07two\n  0 %\r 50 %\r\x1b[32m100 %\x1b[0m\nthree",
    )
    .unwrap();
    let all = gradtop(dir.path(), &["logs", "a"]);
    // As in the monitor, titles are removed and a progress bar is shown in its last state.
    assert_eq!(all.out.matches("[info] hello\n").count(), 1, "in the output, and not as an event too");
    assert!(all.out.contains("\ntwo\n100 %\nthree\n"), "{}", all.out);
    assert!(gradtop(dir.path(), &["logs", "a", "--events"]).out.contains("  [info] hello\n"));
    assert_eq!(gradtop(dir.path(), &["logs", "a", "--console", "-n", "1"]).out, "100 %\nthree\n");
    let lines = gradtop(dir.path(), &["logs", "a", "--json"]);
    let first: Value = serde_json::from_str(lines.out.lines().next().unwrap()).unwrap();
    assert_eq!((first["type"].as_str(), first["message"].as_str()), (Some("event"), Some("hello")));

    let mut child =
        command(dir.path(), &["logs", "a", "-f", "--console"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "100 %"), "what is there");
    let mut console = std::fs::OpenOptions::new().append(true).open(run.console()).unwrap();
    console.write_all(b" and four\n").unwrap();
    assert_eq!(lines.next().as_deref(), Some("three and four"));
    write_status(&run, &status(State::Finished, 10, 10)).unwrap();
    drop(lock);
    assert_eq!(lines.next(), None);
    assert!(child.wait().unwrap().success());
}

#[test]
fn wait_gives_the_code_of_the_end() {
    let dir = tempdir();
    for (state, code) in [(State::Finished, 0), (State::Failed, 1), (State::Stopped, 3), (State::Crashed, 4)]
    {
        bare(dir.path(), state.word(), 0, &status(state, 5, 10));
        assert_eq!(gradtop(dir.path(), &["wait", state.word()]).code, code);
    }
    // A filter selects those that have ended too, and one that selects nothing is as wrong as a name.
    assert_eq!(gradtop(dir.path(), &["wait", "name:f*ed"]).code, 1);
    assert_eq!(gradtop(dir.path(), &["wait", "state:finished", "--json"]).out.lines().count(), 1);
    let wrong = gradtop(dir.path(), &["wait", "tag:raets"]);
    assert_eq!((wrong.code, wrong.err.as_str()), (1, "error: no run matches the filter `tag:raets`\n"));
    assert_eq!(gradtop(dir.path(), &["wait", "state:live"]).code, 0);
    let run = bare(dir.path(), "live", 1, &status(State::Running, 5, 10));
    let lock = RunLock::acquire(&run).unwrap();
    assert_eq!(gradtop(dir.path(), &["wait", "live", "--timeout", "0.2"]).code, 5);
    let child = command(dir.path(), &["wait", "live", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    // If it looks only afterwards, its answer is the same.
    write_status(&run, &status(State::Stopped, 6, 10)).unwrap();
    drop(lock);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let last: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((last["type"].as_str(), last["exit_code"].as_i64()), (Some("final"), Some(3)));
}

#[test]
fn a_live_run_is_asked_and_never_deleted() {
    let dir = tempdir();
    let run = bare(dir.path(), "live", 0, &status(State::Running, 5, 10));
    let lock = RunLock::acquire(&run).unwrap();
    let refused = gradtop(dir.path(), &["rm", "live", "--yes"]);
    assert_eq!(refused.code, 1);
    assert_eq!(refused.err, "error: live is running: stop it first\nhelp: gradtop stop live\n");
    assert_eq!(gradtop(dir.path(), &["stop", "live", "--no-wait", "--grace", "3"]).code, 0);
    assert_eq!(take_requests(&run).unwrap(), [gradtop_store::Request::Stop { grace_s: Some(3.0) }]);
    // Answers the pause.
    let answering = run.clone();
    let answer = std::thread::spawn(move || {
        // The command gives up earlier.
        for _ in 0..10_000 {
            std::thread::sleep(Duration::from_millis(5));
            if take_requests(&answering).unwrap().contains(&gradtop_store::Request::Pause) {
                return write_status(&answering, &status(State::Paused, 6, 10)).unwrap();
            }
        }
        panic!("nobody asked for a pause");
    });
    let paused = gradtop(dir.path(), &["pause", "live"]);
    answer.join().unwrap();
    assert_eq!(paused.out, "live is paused at step 6; `gradtop resume live` continues it\n");
    assert_eq!(gradtop(dir.path(), &["resume", "live"]).out, "live resumed\n");
    assert!(take_requests(&run).unwrap().contains(&gradtop_store::Request::Resume));
    drop(lock);
    write_status(&run, &status(State::Stopped, 6, 10)).unwrap();
    let unasked = gradtop(dir.path(), &["rm", "live"]);
    assert_eq!((unasked.code, run.path().exists()), (2, true));
    assert_eq!(unasked.err, "error: nothing is deleted without a confirmation\nhelp: add --yes\n");
    assert_eq!(gradtop(dir.path(), &["rm", "live", "-y"]).out, "deleted live\n");
    assert!(!run.path().exists() && !dir.path().join("exp=curve-fit").exists());
    let error = gradtop(dir.path(), &["stop", "live"]);
    assert_eq!(error.code, 2);
}

#[test]
fn asking_an_ended_run_is_an_error() {
    let dir = tempdir();
    let run = bare(dir.path(), "done", 0, &status(State::Finished, 10, 10));
    for command in ["pause", "stop", "checkpoint"] {
        let answer = gradtop(dir.path(), &[command, "done"]);
        assert_eq!((answer.code, answer.err.as_str()), (1, "error: done is not running: it has finished\n"));
    }
    assert_eq!(
        gradtop(dir.path(), &["resume", "done"]).err,
        "error: done has finished: there is nothing left to do\n"
    );
    request(&run, gradtop_store::Request::Pause).unwrap();
}

#[test]
fn what_would_be_ignored_is_said() {
    let dir = tempdir();
    finished(dir.path(), "curve-fit-1", 0.01);
    let said = |args: &[&str]| gradtop(dir.path(), args);
    let gif = said(&["plot", "last", "loss", "--png", "l.gif"]);
    assert_eq!((gif.code, gif.err.lines().next()), (2, Some("error: --png writes .png, not l.gif")));
    assert_eq!(said(&["export", "last", "--csv", "rows.parquet"]).code, 2);
    assert!(!dir.path().join("l.gif").exists() && !dir.path().join("rows.parquet").exists());
    assert_eq!(said(&["plot", "last", "loss", "--svg", "lr0.01"]).code, 0);
    let table = said(&["plot", "last", "fit", "--x", "time"]);
    assert_eq!(
        (table.code, table.err.as_str()),
        (0, "warning: --x time changes only metrics, and fit is drawn from tables\n")
    );
    assert_eq!(said(&["plot", "last", "loss", "--x", "time"]).err, "");
    let slots = said(&["queue", "--slots", "cuda:99=1"]);
    assert!(
        slots.code == 0 && slots.err.starts_with("warning: ") && slots.err.contains("cuda:99"),
        "{}",
        slots.err
    );
    assert_eq!(said(&["queue", "--slots", "cpu=2"]).err, "");
    let plain = command(dir.path(), &["list"]).env("GRADTOP_RUN_", "x").output().unwrap();
    let plain = String::from_utf8(plain.stderr).unwrap();
    assert!(plain.contains("did you mean GRADTOP_RUNS?"), "{plain}");
}

#[test]
fn tags_and_what_a_filter_selects_are_completed() {
    let dir = tempdir();
    finished(dir.path(), "a", 0.01);
    finished(dir.path(), "b", 0.02);
    assert_eq!(gradtop(dir.path(), &["tag", "a", "b", "+rates"]).code, 0);
    let words = |line: &str| {
        let answer = gradtop(dir.path(), &["__complete", line]);
        let words = answer.out.lines().map(|line| line.split('\t').next().unwrap().to_owned());
        words.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(words("gradtop compare tag:"), "tag:rates");
    assert_eq!(words("gradtop list lr:0.01"), "lr:0.01");
    assert_eq!(words("gradtop tag a +"), "+rates");
    assert_eq!(words("gradtop tag a -r"), "-rates");
    assert_eq!(words("gradtop compare tag:rates --by l"), "lr");
    assert_eq!(words("gradtop plot tag:rates loss --by l"), "lr");
    assert_eq!(words("gradtop compare tag:rates --metric los"), "loss");
    assert_eq!(words("gradtop exec --metric los"), "loss:min loss:max");
}

#[test]
fn metrics_are_named_by_globs_too() {
    let dir = tempdir();
    finished(dir.path(), "a", 0.01);
    finished(dir.path(), "b", 0.02);
    let out = |args: &[&str]| {
        let answer = gradtop(dir.path(), args);
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{args:?}");
        answer.out
    };
    assert_eq!(out(&["plot", "a", "los*"]), out(&["plot", "a", "loss"]));
    assert_eq!(out(&["plot", "a", "b", "los?"]), out(&["plot", "a", "b", "loss"]));
    assert_eq!(
        out(&["compare", "a", "b", "--metric", "l*"]),
        out(&["compare", "a", "b", "--metric", "loss"])
    );
    assert_eq!(out(&["list", "--columns", "name,los*"]), out(&["list", "--columns", "name,loss"]));
    let none = gradtop(dir.path(), &["compare", "a", "b", "--metric", "z*"]);
    assert!(none.code == 2 && none.err.contains("none of these runs has a metric \"z*\""), "{}", none.err);
}

#[test]
fn wrong_words_are_met_with_help() {
    let dir = tempdir();
    bare(dir.path(), "curve-fit-1", 0, &status(State::Finished, 10, 10));
    let run = gradtop(dir.path(), &["show", "curve-fti-1"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("did you mean curve-fit-1?"), "{}", run.err);
    let experiment = gradtop(dir.path(), &["run", "nothing"]);
    assert_eq!(experiment.code, 2);
    // The help depends on the plugins that are built next to the program.
    assert!(
        experiment.err.starts_with("error: there is no experiment \"nothing\"\nhelp: "),
        "{}",
        experiment.err
    );
    std::fs::write(dir.path().join("c.toml"), "experiment = 'x'\nsed = 1\n").unwrap();
    let config = gradtop(dir.path(), &["run", "--config", "c.toml"]);
    assert_eq!(
        (config.code, config.err.as_str()),
        (2, "error: c.toml: unknown key \"sed\"\nhelp: did you mean seed?\n")
    );
    std::fs::write(dir.path().join("c.toml"), b"experiment = 'x'\n# f\xfcr\n").unwrap();
    assert_eq!(
        gradtop(dir.path(), &["run", "--config", "c.toml"]).err,
        "error: cannot read c.toml: line 2 is not UTF-8 text\n"
    );
    assert_eq!(gradtop(dir.path(), &["lits"]).code, 2);
    assert_eq!(gradtop(dir.path(), &["run", "x", "--set", "lr"]).code, 2);
    assert_eq!(gradtop(dir.path(), &["plugin", "check", "nowhere.so"]).code, 1);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let dir = tempdir();
    finished(dir.path(), "curve-fit-1", 0.01);
    let mut child =
        command(dir.path(), &["show"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[test]
fn what_cannot_be_written_is_an_error_with_its_cause() {
    let dir = tempdir();
    finished(dir.path(), "curve-fit-1", 0.01);
    let full = |args: &[&str]| {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        command(dir.path(), args).stdout(full).output().unwrap()
    };
    // Exceeding a file size limit kills a program silently unless it handles the signal.
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 0; exec \"$0\" --runs \"$1\" star curve-fit-1"]);
    limited.arg(env!("CARGO_BIN_EXE_gradtop")).arg(dir.path()).env("LANG", "C.UTF-8");
    for (output, cause) in [
        (full(&["list"]), "No space left"),
        (full(&["--help"]), "No space left"),
        (limited.output().unwrap(), "File too large"),
    ] {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(said.starts_with("error: ") && said.contains(cause), "{said}");
    }
}

#[test]
fn doctor_and_completions_answer() {
    let dir = tempdir();
    let doctor = json(&gradtop(dir.path(), &["doctor", "--json"]));
    let topics: Vec<&str> = doctor.as_array().unwrap().iter().map(|f| f["topic"].as_str().unwrap()).collect();
    let expected = ["libtorch", "gpu", "alerts", "plugins", "plugins", "runs", "logout", "time"];
    assert_eq!(topics, expected);
    let missing = doctor[3]["text"].as_str().unwrap();
    assert!(
        missing.starts_with("GRADTOP_PLUGINS names ") && missing.ends_with("is not a folder"),
        "{missing}"
    );
    for (shell, has) in [
        ("bash", "__complete"),
        ("zsh", "__complete"),
        ("fish", "__complete"),
        ("elvish", "checkpoint-every"),
        ("powershell", "checkpoint-every"),
    ] {
        assert!(gradtop(dir.path(), &["completions", shell]).out.contains(has), "{shell}");
    }
}
