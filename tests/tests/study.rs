//! `gradtop study`: it survives every kind of interruption, reports failures, and its report links to the files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use gradtop_chart::cells::theme::Theme;
use gradtop_chart::scale::finite_range;
use gradtop_chart::{Axis, Chart, Shape};
use gradtop_store::{RunDir, State, figures};
use gradtop_tests::pty::Terminal;
use gradtop_tests::sandbox::Run;
use gradtop_tests::{Sandbox, check, paths, until};
use gradtop_view::figure::chart::{build, evaluate};
use gradtop_view::figure::view::{ChartView, Source, Subject};
use gradtop_view::live::{self, WatchRequest};
use gradtop_view::runs::RunId;
use rustix::process::{Pid, Signal, kill_process};

/// A plan of three runs that are held at step 100, so that they can be interrupted, and one that waits for a core.
fn three_held_and_one(sandbox: &Sandbox) -> String {
    let held = |key| {
        let [hold, gate] = sandbox.hold(&format!("study-mine-{key}"), 100);
        let (hold, gate) = (hold.replace('=', " = "), gate.replace("gate=", "gate = '") + "'");
        format!(
            "[[run]]\nexperiment = 'counter'\nkey = '{key}'\nparams = {{ steps = 1000, {hold}, {gate} }}\n"
        )
    };
    let last = "[[run]]\nexperiment = 'counter'\nkey = 'c'\nparams = { steps = 500 }\n";
    plan(
        sandbox,
        &(["name = 'mine'\nseed = 7\n".to_owned(), held("a"), held("b"), held("d")].concat() + last),
    )
}

fn plan(sandbox: &Sandbox, text: &str) -> String {
    let path = sandbox.path().join("plan.toml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A sandbox with some of our plugins and the study of all of them.
fn with_study(plugins: &[&str]) -> Sandbox {
    let plugins = plugins.iter().copied().map(paths::plugin);
    Sandbox::with(&plugins.chain(paths::study()).collect::<Vec<_>>())
}

fn begin(sandbox: &Sandbox, args: &[&str]) -> Child {
    sandbox.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until a run exists and has done so many steps.
fn at_work<'a>(sandbox: &'a Sandbox, name: &str, step: i64) -> Run<'a> {
    until(&format!("{name} to be there"), || gradtop_store::find_run(&sandbox.runs(), name).ok());
    let run = sandbox.find(name);
    run.until_step(step);
    run
}

fn rows(run: &Run<'_>) -> Vec<check::Row> {
    let rows = check::sealed(&run.dir);
    check::no_row_twice(&rows);
    check::comparable(rows, &["clock"])
}

/// Compares every figure of a run in the monitor with the page of `plot` and the report. Returns the number of figures.
fn screen_and_page_agree(run: &RunDir) -> usize {
    let figures = figures::read(run).unwrap();
    let (page, damage) = live::read(&gradtop_store::view(run).unwrap(), &figures, 0.0).unwrap();
    assert!(damage.is_empty());
    let id = RunId::new(run);
    let request = WatchRequest {
        figures: figures.iter().map(|f| f.id.clone()).collect(),
        ..WatchRequest::of(id.clone(), false)
    };
    let mut runs = live::engine::WatchedRuns::new();
    runs.watch(vec![request], Instant::now());
    while runs.work(Instant::now(), Duration::from_secs(1)).next == Some(Duration::ZERO) {}
    let screen = Arc::clone(runs.snapshot().run(&id).unwrap());
    let look = Theme::default();
    for figure in &figures {
        for (n, page) in evaluate(figure, &page).charts.iter().enumerate() {
            let screen = build(
                &Source::of(&screen),
                Subject::Panel(figure, n),
                &ChartView::default(),
                (120, 40),
                look,
            );
            let what = format!("{} of {}, panel {n}", figure.id, run.name());
            let (screen, page) = (facts(&screen.chart), facts(page));
            assert_eq!(screen, page, "{what}");
        }
    }
    figures.len()
}

/// The content of a chart, apart from the number of points of its lines and the margins of its axes.
fn facts(chart: &Chart) -> Vec<String> {
    let axis = |axis: &Axis| {
        format!("{:?} {:?} {:?} {:?} {}", axis.label, axis.unit, axis.scale, axis.categories, axis.seconds)
    };
    let ends = |values: &[f64]| finite_range(values.iter().copied());
    let mut facts: Vec<String> =
        [Some(&chart.x), Some(&chart.y), chart.y2.as_ref()].into_iter().flatten().map(axis).collect();
    facts.extend(chart.notes.iter().cloned());
    facts.extend(chart.marks.iter().map(|mark| {
        let shape = match &mark.shape {
            Shape::Line { x, y } => format!("line {:?} {:?}", ends(x), ends(y)),
            Shape::Band { x, low, high } => format!("band {:?} {:?} {:?}", ends(x), ends(low), ends(high)),
            other => format!("{other:?}"),
        };
        format!(
            "{:?} {:?} {:?} {} {:?} {} {shape}",
            mark.name, mark.last, mark.paint, mark.marker, mark.side, mark.faint
        )
    }));
    facts
}

fn runs_of(sandbox: &Sandbox) -> Vec<String> {
    gradtop_store::list_runs(&sandbox.runs()).iter().map(gradtop_store::RunDir::name).collect()
}

fn report(sandbox: &Sandbox, study: &str) -> (PathBuf, String) {
    let folder = sandbox.runs().join("studies").join(study);
    let html = fs::read_to_string(folder.join("report.html")).unwrap();
    (folder, html)
}

/// Leaves a run as a reboot does: nobody recorded its end, and this boot does not know it.
fn lost_in_a_reboot(run: &Run<'_>) {
    assert!(run.signal_keeper(Signal::KILL) && run.signal_trainer(Signal::KILL));
    until("the killed run to be seen as crashed", || (run.view().state == State::Crashed).then_some(()));
    let boot = gradtop_store::boot_id();
    let lock = fs::read_to_string(run.dir.lock()).unwrap();
    let (host, rest) = lock.split_once('\n').unwrap();
    assert!(rest.starts_with(&boot), "{lock}");
    // As on a machine that has no id of its own.
    fs::write(run.dir.lock(), format!("{host}\n00000000-0000-0000-0000-000000000000\nlock=ofd\n")).unwrap();
    for file in check::files(run.dir.path()) {
        fs::File::options().write(true).open(file).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    assert!(!run.view().certain);
}

/// Checks that every link of the report has a target, including those to its own headings.
fn links_lead_somewhere(folder: &Path, html: &str) -> usize {
    let links: Vec<&str> = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    for link in links.iter().filter(|link| !link.starts_with("data:")) {
        match link.strip_prefix('#') {
            Some(id) => assert!(html.contains(&format!("id=\"{id}\"")), "#{id} is nowhere"),
            None => assert!(folder.join(link).exists(), "{link} is not there"),
        }
    }
    links.len()
}

#[test]
fn a_killed_study_goes_on_where_it_was() {
    let sandbox = Sandbox::new();
    let plan = three_held_and_one(&sandbox);
    let args = ["study", "--plan", &plan, "--cores", "3"];
    let mut study = begin(&sandbox, &args);
    let [a, b, d] = ["a", "b", "d"].map(|key| at_work(&sandbox, &format!("study-mine-{key}"), 100));
    let said = sandbox.gradtop(&args).expect_code(1);
    assert!(said.err.contains("is being run by another gradtop"), "{said:#?}");
    for name in ["study-mine-a", "study-mine-d"] {
        sandbox.gradtop(&["checkpoint", name]).expect_code(0);
    }
    study.kill().unwrap();
    assert_eq!(study.wait().unwrap().signal(), Some(9));
    lost_in_a_reboot(&a);
    assert!(d.signal_trainer(Signal::KILL));
    assert_eq!(
        runs_of(&sandbox),
        ["study-mine-a", "study-mine-b", "study-mine-d"],
        "three cores, three runs"
    );

    a.go_on();
    d.go_on();
    let mut study = sandbox.command(&args).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = Vec::new();
    for line in BufReader::new(study.stdout.take().unwrap()).lines().map(Result::unwrap) {
        // The run that nobody interrupted ends after it has been seen.
        if line.contains("is at work ") {
            b.go_on();
        }
        said.push(line);
    }
    assert!(study.wait().unwrap().success(), "{said:#?}");
    for (verb, key) in [("resumed", "a"), ("is at work", "b"), ("started", "c"), ("resumed", "d")] {
        let told = format!("{verb:<13}  study-mine-{key}");
        assert!(said.iter().any(|line| line.ends_with(&told)), "{told}: {said:#?}");
    }
    assert_eq!(runs_of(&sandbox).len(), 4, "each run once: {:?}", runs_of(&sandbox));
    assert!(a.events().contains("the machine was restarted"), "{}", a.events());
    assert!(!b.events().contains("\"resumed\"") && d.events().contains("\"resumed\""));
    sandbox.run(&["counter", "--name", "whole", "--set", "steps=1000"]).expect_code(0);
    let whole = rows(&sandbox.find("whole"));
    for run in [&a, &b, &d] {
        assert_eq!(rows(run), whole, "{} ends as one that was never interrupted", run.name());
    }
    let (folder, html) = report(&sandbox, "mine");
    assert!(html.contains("4 of 4 finished"));
    assert!(links_lead_somewhere(&folder, &html) > 10);

    // Everything is done: nothing runs again, and the report is the same.
    let said = sandbox.gradtop(&args).expect_code(0);
    assert!(!said.out.contains("started"), "{said:#?}");
    assert_eq!(report(&sandbox, "mine").1, html);
    // Another seed is another study, and so is a fresh one.
    sandbox.gradtop(&["study", "--plan", &plan, "--seed", "8", "--only", "c"]).expect_code(0);
    sandbox.gradtop(&["study", "--plan", &plan, "--seed", "8", "--only", "c", "--fresh"]).expect_code(0);
    assert!(runs_of(&sandbox).iter().any(|run| run == "study-mine-3-c"), "{:?}", runs_of(&sandbox));
}

#[test]
fn ctrl_c_stops_all_runs_with_a_checkpoint_and_the_next_study_goes_on() {
    let sandbox = Sandbox::new();
    let plan = three_held_and_one(&sandbox);
    let mut study = begin(&sandbox, &["study", "--plan", &plan, "--cores", "2"]);
    let runs = ["study-mine-a", "study-mine-b"].map(|name| at_work(&sandbox, name, 100));
    kill_process(Pid::from_child(&study), Signal::INT).unwrap();
    assert_eq!(study.wait().unwrap().code(), Some(3));
    for run in &runs {
        assert_eq!(run.view().state, State::Stopped);
        assert!(!gradtop_store::checkpoints(&run.dir).is_empty());
    }
    let (_, html) = report(&sandbox, "mine");
    assert!(html.contains("0 of 4 finished") && html.contains("State: stopped"), "{html}");
    // Composing a report runs nothing.
    let said = sandbox.gradtop(&["study", "--plan", &plan, "--report-only", "--json"]).expect_code(0).json();
    assert!(said["type"] == "final" && said["report"].is_string(), "{said}");
    assert_eq!(runs_of(&sandbox).len(), 2);
    runs.iter().for_each(Run::go_on);
    sandbox.let_go("study-mine-d", "");
    let said = sandbox.gradtop(&["study", "--plan", &plan, "--cores", "2"]).expect_code(0);
    assert_eq!(said.out.matches("resumed  ").count(), 2, "{said:#?}");
    assert!(report(&sandbox, "mine").1.contains("4 of 4 finished"));
}

#[test]
fn a_bar_that_stood_when_ctrl_c_was_echoed_is_taken_away() {
    let sandbox = Sandbox::new();
    // They never end by themselves.
    let run = |key| {
        format!(
            "[[run]]\nexperiment = 'counter'\nkey = '{key}'\nparams = {{ steps = 1000000, rate = 100 }}\n"
        )
    };
    let plan =
        plan(&sandbox, &["name = 'mine'\n".to_owned(), run("a"), run("b"), run("c"), run("d")].concat());
    let mut terminal = Terminal::start(&sandbox, &["study", "--plan", &plan, "--cores", "2"]);
    until("both lines below the bar", || {
        let screen = terminal.screen();
        ["● a", "● b", "finished, about"].iter().all(|word| screen.contains(word)).then_some(())
    });
    terminal.press(b"\x03");
    assert_eq!(terminal.exit_code(), 3, "{}", terminal.screen());
    let screen = terminal.screen();
    assert!(screen.contains("stopping all runs") && screen.contains("0 of 4 runs"), "{screen}");
    assert!(!screen.contains("about") && !screen.contains("● a") && !screen.contains('░'), "{screen}");
}

#[test]
fn what_only_the_experiment_can_refuse_is_refused_before_anything_is_begun() {
    let sandbox = with_study(&["deep_vs_shallow"]);
    for more in [&["--list"][..], &[]] {
        let mut args = vec!["study", "--preset", "quick", "--only", "function-fit"];
        args.extend(["--set", "function-fit.models=deep,deep"]);
        args.extend(more);
        let said = sandbox.gradtop(&args).expect_code(2);
        assert!(said.err.contains("function-fit: ") && said.err.contains("named twice"), "{said:#?}");
        assert!(!sandbox.runs().join("studies").exists() && runs_of(&sandbox).is_empty());
    }
}

#[test]
fn what_fails_or_is_missing_is_said_in_its_place() {
    let sandbox = Sandbox::new();
    let plan = plan(
        &sandbox,
        "name = 'odd'\n[[run]]\nexperiment = 'fail-short'\n[[run]]\nexperiment = 'not-there'\n[[run]]\nexperiment = 'abort'\n\
         [[run]]\nexperiment = 'counter'\nparams = { steps = 50 }\n",
    );
    let said = sandbox.gradtop(&["study", "--plan", &plan]).expect_code(1);
    assert!(
        said.err.contains("cannot run not-there: no plugin offers the experiment not-there: looked in"),
        "{said:#?}"
    );
    assert!(said.out.contains("1 of 4 runs have finished"), "{said:#?}");
    let words = ["failed: the data set is empty", "not started: no plugin offers", "crashed: SIGABRT"];
    for word in words {
        assert!(report(&sandbox, "odd").1.contains(word), "{word}: {}", report(&sandbox, "odd").1);
    }
    sandbox.gradtop(&["study", "--plan", &plan, "--report-only"]).expect_code(0);
    assert!(words.iter().all(|word| report(&sandbox, "odd").1.contains(word)));
    // Failed runs are tried once more, finished ones are not. A report that cannot be written does not hide that.
    let html = sandbox.runs().join("studies/odd/report.html");
    fs::remove_file(&html).unwrap();
    fs::create_dir(&html).unwrap();
    let said = sandbox.gradtop(&["study", "--plan", &plan]).expect_code(1);
    assert!(said.out.contains("1 of 4 runs have finished") && said.err.contains("cannot write"), "{said:#?}");
    let runs = runs_of(&sandbox);
    assert!(runs.iter().any(|run| run == "study-odd-fail-short-2"), "{runs:?}");
    assert_eq!(runs.iter().filter(|run| run.starts_with("study-odd-counter")).count(), 1);
    // An unknown parameter is a usage error: nothing is started.
    let said = sandbox.gradtop(&["study", "--plan", &plan, "--set", "counter.stepz=1"]).expect_code(2);
    assert!(said.err.contains("did you mean steps?"), "{said:#?}");
    sandbox.gradtop(&["study", "--plan", &plan, "--set", "counter.stepz=1", "--list"]).expect_code(2);
    let said = sandbox.gradtop(&["study", "--plan", &plan, "--list"]).expect_code(0);
    assert!(said.err.contains("not-there will not be run: no plugin offers"), "{said:#?}");
    let said = sandbox
        .gradtop(&["study", "--plan", &plan, "--only", "counter", "--set", "abort.steps=1", "--list"])
        .expect_code(2);
    assert!(said.err.contains("--only leaves out abort"), "{said:#?}");
    sandbox.gradtop(&["study", "--plan", &plan, "--report-only", "--seed", "9"]).expect_code(1);
    assert!(!sandbox.runs().join("studies/odd-2").exists());
}

#[test]
fn a_run_that_no_question_asks_for_has_its_section() {
    let [shipped, its_report] = paths::study();
    let sandbox = Sandbox::with(&[paths::fixture("misbehave"), shipped, its_report]);
    let text = "name = 'own'\nquestions = true\n[[run]]\nexperiment = 'counter'\nparams = { steps = 50 }\n";
    sandbox.gradtop(&["study", "--plan", &plan(&sandbox, text)]).expect_code(0);
    let (_, html) = report(&sandbox, "own");
    assert!(html.contains("id=\"run-counter\"") && !html.contains("id=\"problem-"), "{html}");
}

#[test]
fn the_report_answers_with_the_runs_own_figures_and_numbers() {
    let sandbox = with_study(&["deep_vs_shallow"]);
    let sets = ["steps=60", "points=200", "eval_every=10", "table_every=30"]
        .map(|set| format!("function-fit.{set}"));
    let mut args = vec!["study", "--preset", "quick", "--only", "function-fit", "--json"];
    for set in &sets {
        args.extend(["--set", set.as_str()]);
    }
    let said = sandbox.gradtop(&args).expect_code(0);
    let last: serde_json::Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
    assert_eq!((&last["type"], &last["exit_code"]), (&"final".into(), &0.into()));
    let (folder, html) = report(&sandbox, "quick");
    assert!(links_lead_somewhere(&folder, &html) > 20);
    assert!(html.contains("Problem 1-1") && !html.contains("Problem 3-1"), "only what was asked for");
    assert_eq!(html.matches("<svg ").count(), 3);
    // Every claim of the experiment, complete, as in its table.
    let run = sandbox.find("study-quick-function-fit");
    let table = gradtop_store::read_table_last(&run.dir, "conclusion").unwrap();
    for column in ["about", "claim", "evidence", "caution", "strength"] {
        let Some(gradtop_store::ColumnData::Utf8(words)) = table.column(column) else {
            panic!("no {column}: {table:?}")
        };
        let shown = |words: &String| html.contains(&gradtop_chart::svg::escape(words));
        assert!(!words.is_empty() && words.iter().all(shown), "{column}: {words:?}");
    }
    let summary =
        html.split("<section class=\"summary\"").nth(1).unwrap().split("</section>").next().unwrap();
    assert!((1..=10).contains(&summary.matches("<li>").count()), "{summary}");
    assert!(summary.contains("class=\"strength") && summary.contains("class=\"caution\""), "{summary}");
    let markdown = fs::read_to_string(folder.join("report.md")).unwrap();
    for figure in ["loss", "fit", "residuals"] {
        let file = format!("figures/function-fit-{figure}.svg");
        assert!(markdown.contains(&file) && folder.join(&file).is_file(), "{file}");
    }
}

#[test]
fn the_quick_study_answers_every_question_of_the_report() {
    let sandbox = with_study(&["deep_vs_shallow", "optimization", "generalization"]);
    let mut study = begin(&sandbox, &["study", "--preset", "quick"]);
    let ended = study.wait().unwrap();
    assert!(ended.success(), "{ended}");
    let (folder, html) = report(&sandbox, "quick");
    assert!(html.contains("10 of 10 finished"));
    for problem in ["1-1", "1-2", "2-1", "2-2", "3-1", "3-2", "3-3"] {
        assert!(html.contains(&format!("Problem {problem}:")), "{problem}");
    }
    // A figure, conclusion or table that is named but does not exist would be marked as missing.
    assert!(!html.contains("class=\"missing\""));
    assert_eq!(html.matches("class=\"found\"").count(), 10, "a conclusion of each experiment");
    assert!(links_lead_somewhere(&folder, &html) > 200);
    assert!(!html.replace(">NaN</td>", "").contains("NaN"), "only tables have values that are not finite");
    let runs = gradtop_store::list_runs(&sandbox.runs());
    assert_eq!(runs.iter().map(screen_and_page_agree).filter(|figures| *figures > 0).count(), 10);
}

/// The parts of the answers in our report, as (section, part).
fn parts() -> Vec<(toml::Value, toml::Table)> {
    let report: toml::Table = fs::read_to_string(&paths::study()[1]).unwrap().parse().unwrap();
    let all = |of: &toml::Value, key: &str| of[key].as_array().unwrap().clone();
    let mut found = Vec::new();
    for section in report["section"].as_array().unwrap() {
        for part in all(section, "question").iter().flat_map(|question| all(question, "answer")) {
            found.push((section["id"].clone(), part.as_table().unwrap().clone()));
        }
    }
    found
}

#[test]
fn the_words_of_our_report_hold_no_number() {
    for (section, part) in parts() {
        if let Some(words) = part.get("text").and_then(toml::Value::as_str) {
            let digit = words.chars().any(|c| c.is_ascii_digit());
            assert!(!digit, "{section}: {words:?} has a number that no run measured");
            assert!(words.ends_with('.'), "{section}: {words:?} is no sentence");
        }
    }
}

#[test]
fn every_experiment_of_our_plan_is_described_shown_and_concluded_from() {
    let plan: toml::Table = fs::read_to_string(&paths::study()[0]).unwrap().parse().unwrap();
    let presets: Vec<&str> =
        plan["presets"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
    let parts = parts();
    for run in plan["run"].as_array().unwrap() {
        let id = run["experiment"].as_str().unwrap();
        let count = |kind: &str| {
            parts.iter().filter(|(_, part)| part.get(kind).is_some_and(|p| p.as_str() == Some(id))).count()
        };
        assert_eq!((count("settings"), count("found")), (1, 1), "{id}");
        let of = |place: &toml::Value| place.as_str().unwrap().split('/').next() == Some(id);
        let shown = |(_, part): &(_, toml::Table)| {
            part.get("figures").is_some_and(|f| f.as_array().unwrap().iter().any(of))
        };
        assert!(parts.iter().any(shown), "{id}: figures");
        assert!(presets.iter().all(|preset| run["seconds"].get(preset).is_some()), "{id}: seconds");
    }
}

/// A course of somebody else: a folder with a plugin, a plan and a report.
fn pottery() -> Sandbox {
    let files = ["pottery.plan.toml", "pottery.report.toml"]
        .map(|name| paths::checkout().join("tests/examples/pottery").join(name));
    Sandbox::with(&[&[paths::fixture("pottery")][..], &files].concat())
}

#[test]
fn a_course_of_somebody_else_makes_its_own_report() {
    let sandbox = pottery();
    let said = sandbox.gradtop(&["study", "--preset", "sketch", "--list"]).expect_code(0);
    assert!(said.out.contains("wheel") && said.out.contains("turns=12"), "{said:#?}");
    sandbox.gradtop(&["study", "--preset", "sketch"]).expect_code(0);
    assert_eq!(runs_of(&sandbox), ["study-pottery-sketch-slow", "study-pottery-sketch-wheel"]);
    let (folder, html) = report(&sandbox, "pottery-sketch");
    assert!(links_lead_somewhere(&folder, &html) > 10);
    for words in [
        "<h1>Pots by experiment</h1>",
        "<h2 id=\"shape\">Does the pot stand?</h2>",
        "<h3 id=\"shape-1\">1. The walls</h3>",
        "<span class=\"who\">Asked:</span> How thin may a wall be?",
        "<span class=\"who\">The master says:</span> Slower.",
        "Clay is turned until it stands; <code>turns</code> says how long.",
        "<figure id=\"wheel-height\">",
        "<figure id=\"slow-height\">",
        "<li>the pot is 12 high</li>",
        "<summary>All numbers</summary>",
    ] {
        assert!(html.contains(words), "{words} is not in {html}");
    }
    assert!(!html.contains("class=\"missing\"") && !html.contains("gradient"), "{html}");
    // Named by its file, it is the same study; a preset that the plan lacks is refused.
    let plan = sandbox.plugins().join("pottery.plan.toml");
    let said =
        sandbox.gradtop(&["study", "--plan", plan.to_str().unwrap(), "--preset", "sketch"]).expect_code(0);
    assert!(!said.out.contains("started"), "{said:#?}");
    sandbox.gradtop(&["study", "--plan", "pottery", "--preset", "sketch", "--report-only"]).expect_code(0);
    let said = sandbox.gradtop(&["study", "--preset", "quick"]).expect_code(2);
    assert!(
        said.err.contains("has no preset \"quick\"") && said.err.contains("sketch, default"),
        "{said:#?}"
    );
}

#[test]
fn mistakes_in_a_plan_or_a_report_are_said_with_their_line() {
    let sandbox = pottery();
    let file = |name: &str| sandbox.plugins().join(name);
    let [plan, report] =
        ["pottery.plan.toml", "pottery.report.toml"].map(|name| fs::read_to_string(file(name)).unwrap());
    // Not the checkout's files, which may be linked here.
    let write = |name: &str, text: &str| {
        fs::remove_file(file(name)).unwrap();
        fs::write(file(name), text).unwrap();
    };
    let study = |more: &[&str]| sandbox.gradtop(&[&["study", "--preset", "sketch"], more].concat());
    for (name, text, from, to, why) in [
        ("pottery.plan.toml", &plan, "seconds", "secs", "unknown key \"secs\""),
        (
            "pottery.report.toml",
            &report,
            "wheel/height",
            "weel/height",
            "the plan has no run \"weel\"; did you mean wheel?",
        ),
        ("pottery.report.toml", &report, "{ found", "{ fond", "\"fond\" is not one of"),
        ("pottery.report.toml", &report, "`turns`", "`turns", "a backtick is not closed"),
    ] {
        let line = text[..text.find(from).unwrap()].matches('\n').count() + 1;
        write(name, &text.replacen(from, to, 1));
        let said = study(&[]).expect_code(2);
        let place = format!("{name}: line ");
        assert!(said.err.contains(&place) && said.err.contains(why), "{line}: {said:#?}");
        write(name, text);
    }
    assert!(runs_of(&sandbox).is_empty(), "said before anything is begun");
    // Mistakes that only finished runs can reveal are reported after they have ended.
    write("pottery.report.toml", &report.replace("wheel/height", "wheel/heigth"));
    let said = study(&[]).expect_code(0);
    let why =
        "the run of wheel has no figure \"heigth\" (did you mean height?); it is missing from the report";
    assert!(said.err.contains("pottery.report.toml: line ") && said.err.contains(why), "{said:#?}");
    let said = sandbox.gradtop(&["study", "--plan", "potery"]).expect_code(2);
    assert!(
        said.err.contains("no file or study plan is called \"potery\"") && said.err.contains("pottery"),
        "{said:#?}"
    );
    // Once installed, it is found in the user's folder, until it is removed.
    let plan = sandbox.path().join("pottery.plan.toml");
    for name in ["pottery.plan.toml", "pottery.report.toml"] {
        fs::rename(file(name), sandbox.path().join(name)).unwrap();
    }
    let said = sandbox.gradtop(&["plugin", "install", plan.to_str().unwrap()]).expect_code(0);
    assert_eq!(said.out.matches("installed ").count(), 2, "{said:#?}");
    study(&["--list"]).expect_code(0);
    sandbox.gradtop(&["plugin", "remove", "pottery.plan.toml", "--yes"]).expect_code(0);
    let said = study(&[]).expect_code(1);
    assert!(said.err.contains("there is no study plan (*.plan.toml) in "), "{said:#?}");
}
