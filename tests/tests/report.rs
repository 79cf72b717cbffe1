//! `gradtop report`: a page about any runs, as a browser shows it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;

use gradtop_tests::Sandbox;

const HOSTILE: &str = "<script>alert(1)</script><img src=https://example.org/a.png> `*_|";

/// A run of a plugin, a failed command, and an imported run, with text that would do harm if it were not escaped.
fn with_runs() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.run(&["counter", "--name", "c1", "--set", "steps=50"]).expect_code(0);
    sandbox.run(&["counter", "--name", "c2", "--set", "steps=60"]).expect_code(0);
    sandbox.gradtop(&["note", "c1", &format!("Does it count?\n{HOSTILE}")]).expect_code(0);
    sandbox.gradtop(&["tag", "c1", "+best"]).expect_code(0);
    sandbox
        .gradtop(&[
            "exec",
            "--name",
            "cmd",
            "--",
            "sh",
            "-c",
            &format!("echo 'now it fails'; exit 3 # {HOSTILE}"),
        ])
        .expect_code(1);
    let log = sandbox.path().join("log.csv");
    fs::write(&log, format!("step,loss,{}\n1,2.0,0.1\n2,1.5,0.2\n3,nan,0.3\n", HOSTILE.replace(',', "")))
        .unwrap();
    sandbox.gradtop(&["import", log.to_str().unwrap()]).expect_code(0);
    sandbox
}

fn written(sandbox: &Sandbox, args: &[&str], name: &str) -> String {
    let file = sandbox.path().join(name);
    sandbox.gradtop(&[&["report", "-o", file.to_str().unwrap()], args].concat()).expect_code(0);
    fs::read_to_string(file).unwrap()
}

#[test]
fn a_report_repeats_a_command_with_all_that_it_was_given() {
    let sandbox = Sandbox::new();
    let options =
        "--experiment E1 --param id=007 --param f=1e5 --metric acc:max:headline=train --total 40 --seed 7";
    let mut args = vec!["exec", "--name", "m1"];
    args.extend(options.split(' '));
    args.extend(["--resumable", "--grace", "3", "--", "echo", "id={id}", "f={f}"]);
    sandbox.gradtop(&args).expect_code(0);
    let page = written(&sandbox, &["m1"], "m1.md");
    // Between them is --no-diff if the sandbox is in a checkout.
    for words in
        [format!("gradtop exec {options} --resumable --grace 3 ").as_str(), " -- echo 'id={id}' 'f={f}'"]
    {
        assert!(page.contains(words), "{words:?} is not in {page}");
    }
}

#[test]
fn a_report_says_what_was_found_what_differed_and_how_it_is_repeated() {
    let sandbox = with_runs();
    let page = written(&sandbox, &["c1", "c2"], "two.md");
    for words in [
        "## Summary\n\n1. ",
        "## What was asked\n",
        "> Note on c1: Does it count?\\\n> &lt;script&gt;",
        "### What differed between the runs",
        "| run | steps |",
        "gradtop run counter --set ",
        "--set steps=60 ",
        "gradtop report c1 c2",
        "| `c1` | finished |",
    ] {
        assert!(page.contains(words), "{words:?} is not in {page}");
    }
    let figures =
        page.split("](").filter_map(|rest| rest.split_once(".svg)")).map(|(name, _)| name.to_owned());
    let figures: Vec<String> = figures.collect();
    assert!(!figures.is_empty(), "{page}");
    for figure in figures {
        assert!(sandbox.path().join(format!("{figure}.svg")).is_file(), "{figure}");
    }
    let page = written(&sandbox, &["cmd"], "cmd.md");
    assert!(
        page.contains("1. failed: exit code 3")
            && page.contains("gradtop exec --seed ")
            && page.contains(" -- sh -c "),
        "{page}"
    );
    assert!(page.contains("The last lines of its output:\n\n```\nnow it fails\n```"), "{page}");
    let wrong = sandbox.gradtop(&["report", "c1", "-o", "page.txt"]).expect_code(2);
    assert!(wrong.err.contains(".html or .md, or into a folder"), "{}", wrong.err);
    assert!(!sandbox.path().join("page.txt").exists());
    // All in one folder, replacing an existing report.
    let folder = sandbox.path().join("all");
    for _ in 0..2 {
        sandbox.gradtop(&["report", "exp:*", "-o", folder.to_str().unwrap()]).expect_code(0);
    }
    assert!(folder.join("report.html").is_file() && folder.join("report.md").is_file());
    let said = sandbox.gradtop(&["report", "exp:nothing", "-o", folder.to_str().unwrap()]);
    assert_ne!(said.code, 0, "{said:#?}");
}

#[test]
fn a_report_of_several_experiments_says_which_run_was_the_best_of_each() {
    let sandbox = Sandbox::new();
    for (experiment, name, lr) in [("curves", "k1", "0.3"), ("curves", "k2", "0.1")] {
        sandbox.run(&[experiment, "--name", name, "--set", &format!("lr={lr}")]).expect_code(0);
    }
    sandbox.run(&["counter", "--name", "c1", "--set", "steps=50"]).expect_code(0);
    let page = written(&sandbox, &["exp:*"], "each.md");
    let (summary, rest) = page.split_once("## The runs").unwrap();
    let of = |words: &str| summary.lines().find(|line| line.contains(words)).unwrap_or_default();
    let both = of("**curves, loss");
    assert!(both.contains("lowest of any trial is ") && both.contains(" of k1, a (lr 0.3)"), "{page}");
    assert!(both.contains(", next is ") && both.contains(" of k2, a (lr 0.1)"), "{page}");
    // What only one run has is no comparison: its own line has the numbers, and their caution is said once.
    assert!(of("[c1]").contains("**loss:** best ") && of("**counter, loss").is_empty(), "{page}");
    assert_eq!(summary.matches("numbers alone").count(), 1, "{page}");
    // Nothing is compared across experiments.
    let results = rest.split("## Results").nth(1).unwrap().split("## Curves").next().unwrap();
    assert!(results.contains("| `k1` |") && !results.contains("c1"), "{page}");
}

/// Opens a page in frames of three widths. Returns `width overflow requests` for each.
fn seen(page: &Path, dark: bool) -> Vec<String> {
    let folder = page.parent().unwrap();
    let name = page.file_name().unwrap().to_str().unwrap();
    let probe = folder.join("probe.html");
    let frames: String = [390, 820, 1400]
        .map(|w| format!("<iframe width={w} height=900 frameborder=0 src='{name}'></iframe>"))
        .concat();
    let script = "onload = () => { const said = [...document.querySelectorAll('iframe')].map(f => { const d = f.contentDocument.documentElement; \
                  f.contentDocument.querySelectorAll('details').forEach(e => e.open = true); const w = f.contentWindow; \
                  return `${w.innerWidth} ${d.scrollWidth - d.clientWidth} ${w.performance.getEntriesByType('resource').length} \
                  ${w.matchMedia('(prefers-color-scheme: dark)').matches} ${d.innerText.includes('Summary')}`; }); \
                  document.body.innerHTML = '<pre>' + said.join('\\n') + '</pre>'; }";
    fs::write(&probe, format!("<!DOCTYPE html><body>{frames}<script>{script}</script></body>")).unwrap();
    let mut command = Command::new("chromium");
    command.args([
        "--headless",
        "--no-sandbox",
        "--hide-scrollbars",
        "--disable-gpu",
        "--allow-file-access-from-files",
        "--enable-logging=stderr",
    ]);
    command.arg(format!("--user-data-dir={}", folder.join("profile").display()));
    command.arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)));
    command.args(["--window-size=1500,1000", "--dump-dom"]).arg(format!("file://{}", probe.display()));
    let output = command.output().unwrap();
    let (out, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!log.contains("CONSOLE"), "{log}");
    let said = out.split("<pre>").nth(1).and_then(|rest| rest.split("</pre>").next());
    said.unwrap_or_else(|| panic!("{out}\n{log}")).lines().map(str::to_owned).collect()
}

#[test]
fn a_browser_shows_it_at_every_width_in_light_and_dark_and_asks_for_nothing() {
    if Command::new("chromium").arg("--version").output().is_err() {
        #[expect(clippy::print_stderr, reason = "a test says what it left out")]
        {
            eprintln!("left out: there is no chromium here to open a report in");
        }
        return;
    }
    let sandbox = with_runs();
    let long = "a-long-name-that-nobody-would-type-but-a-sweep-makes-from-its-parameters-lr-0.001-batch-128";
    sandbox.gradtop(&["rename", "c2", long]).expect_code(0);
    written(&sandbox, &["exp:*"], "all.html");
    written(&sandbox, &["cmd"], "cmd.html");
    for (name, dark) in [("all.html", false), ("all.html", true), ("cmd.html", false)] {
        let said = seen(&sandbox.path().join(name), dark);
        let expected = [390, 820, 1400].map(|width| format!("{width} 0 0 {dark} true"));
        assert_eq!(said, expected, "{name}");
    }
}

#[test]
fn a_report_says_which_file_of_a_run_is_damaged() {
    let sandbox = Sandbox::new();
    sandbox.run(&["counter", "--name", "a", "--set", "steps=50"]).expect_code(0);
    let metrics = sandbox.find("a").dir.metrics();
    let part = std::fs::read_dir(metrics).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&part, "nothing").unwrap();
    let said = sandbox.gradtop(&["report", "a", "-o", "r"]).expect_code(0);
    assert!(said.err.contains("what can be read is shown"), "{said:?}");
    let report = std::fs::read_to_string(sandbox.path().join("r/report.md")).unwrap();
    let name = part.file_name().unwrap().to_string_lossy();
    assert!(report.contains(&format!("metrics/{name} is damaged")), "{report}");
}
