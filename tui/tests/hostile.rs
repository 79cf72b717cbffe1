//! Run folders full of hostile text: no command lets any of it control a terminal, neither in text nor in JSON.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "cli.rs uses the rest")]
mod fixture;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use gradtop_store::{
    ColumnData, Event, HeadlineValue, MetricInfo, ParamValue, Recorder, RecorderOptions, RunDir, RunLock,
    SeriesKey, State, Status, TableColumn, append_event, create_run, write_status,
};

/// Sequences that control a terminal or mislead its reader: OSC 52 writes the clipboard, C1 stands for ESC, bidi marks reorder
/// text.
const EVIL: [&str; 18] = [
    "\u{1b}]52;c;ZXZpbA==\u{7}",
    "\u{1b}[2J",
    "\u{1b}[?47h",
    "\u{1b}P1$r\u{1b}\\",
    "\u{1b}[31m",
    "\u{9b}31m",
    "\u{9d}0;x\u{9c}",
    "\u{85}",
    "\r",
    "\n",
    "\u{8}",
    "\u{7f}",
    "\0",
    "\u{202e}",
    "\u{2066}",
    "\u{61c}",
    "\u{2028}",
    "\u{feff}",
];

/// Harmless letters to combine them with; joiners are kept.
const GOOD: [&str; 6] = ["a", "loss", "é", "👩\u{200d}🔬", "می\u{200c}خ", "\"\\{}"];

/// Random texts, reproducible by seed.
struct Texts(u64);

impl Texts {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn text(&mut self) -> String {
        let (good, evil) = (GOOD[self.below(GOOD.len())], EVIL[self.below(EVIL.len())]);
        let more: String = (0..self.below(4)).map(|_| EVIL[self.below(EVIL.len())]).collect();
        format!("{good}{evil}{}{more}", GOOD[self.below(GOOD.len())])
    }

    fn texts<const N: usize>(&mut self) -> [String; N] {
        std::array::from_fn(|_| self.text())
    }
}

/// Returns whether a character may be printed.
fn harmless(c: char) -> bool {
    let invisible = ['\u{61c}', '\u{200b}', '\u{200e}', '\u{200f}', '\u{feff}'];
    let directs = ('\u{2028}'..='\u{202e}').contains(&c) || ('\u{2060}'..='\u{206f}').contains(&c);
    matches!(c, '\n' | '\t') || !(c.is_control() || directs || invisible.contains(&c))
}

/// Creates a run with hostile text wherever text can be.
fn hostile(runs: &Path, name: &str, state: State, texts: &mut Texts) -> RunDir {
    let [key, value, phase, cause, model, split] = texts.texts();
    let params = vec![(key, ParamValue::Text(value)), ("lr".to_owned(), ParamValue::Float(0.1))];
    let mut manifest = fixture::manifest(name, fixture::at(0), params);
    manifest.device = Some(texts.text());
    manifest.device_reason = Some(texts.text());
    manifest.preset = Some(texts.text());
    manifest.git_commit = Some(texts.text());
    let experiment = &mut manifest.experiment;
    [experiment.name, experiment.version, experiment.summary] = texts.texts();
    let plugin = manifest.plugin.as_mut().unwrap();
    [plugin.file, plugin.sha256, plugin.original_path] = texts.texts();
    plugin.built_with = Some(texts.text());
    [manifest.versions.gradtop, manifest.versions.abi] = texts.texts().map(Some);
    let versions = &mut manifest.versions;
    [versions.libtorch, versions.python, versions.torch] = texts.texts().map(Some);
    let metric = texts.text();
    manifest.metrics.push(MetricInfo {
        name: metric.clone(),
        unit: Some(texts.text()),
        help: texts.text(),
        headline: true,
        ..MetricInfo::default()
    });
    if name == "elsewhere" {
        manifest.host = Some(texts.text());
    }
    let run = create_run(runs, &manifest).unwrap();
    let recorder = Recorder::open(&run, RecorderOptions::default()).unwrap();
    let key = SeriesKey { metric, model: Some(model), split: Some(split), trial: None };
    let series = recorder.series(&key, Some(&texts.text())).unwrap();
    for step in 0..20 {
        recorder.log(step, None, [(series, step as f64)]);
    }
    let [x, label, unit, word] = texts.texts();
    let column = |name: &str, data| TableColumn { name: name.to_owned(), unit: Some(unit.clone()), data };
    let columns = vec![
        column(&x, ColumnData::F64(vec![1.0, 2.0])),
        column(&label, ColumnData::Utf8(vec![word.clone(), word])),
    ];
    recorder.log_table("points", 20, columns).unwrap();
    recorder.checkpoint(10, None, None, |_| Ok(())).unwrap();
    recorder.finish().unwrap();
    let quoted = |text: &str| serde_json::to_string(text).unwrap().replace('\u{7f}', "\\u007f");
    let [title, caption, panel, axis, mark] = texts.texts();
    let figures = format!(
        "[[figure]]\nid = \"f\"\ntitle = {}\ncaption = {}\n[[figure.panel]]\ntitle = {}\nx = {{ label = {} }}\n\
         [[figure.panel.mark]]\ntype = \"line\"\nmetric = {}\nlabel = {}\n\
         [[figure.panel.mark]]\ntype = \"scatter\"\ntable = \"points\"\nxcol = {}\nycol = {}\n",
        quoted(&title),
        quoted(&caption),
        quoted(&panel),
        quoted(&axis),
        quoted(&key.metric),
        quoted(&mark),
        quoted(&x),
        quoted(&x),
    );
    gradtop_store::figures::declare(&run, &figures).unwrap();
    let events = [
        Event::State { state: State::Starting, cause: Some(texts.text()) },
        Event::Checkpoint { step: 10, path: texts.text() },
        Event::Resumed { step: 10, checkpoint: texts.text() },
        Event::Request { what: texts.text() },
        Event::Warning { message: texts.text() },
        Event::Alert { message: texts.text() },
        Event::Log { level: texts.text(), message: texts.text() },
        Event::Signal { name: texts.text(), process: texts.text() },
    ];
    for event in events {
        append_event(&run, &event).unwrap();
    }
    let mut console: Vec<u8> = (0..5).flat_map(|_| texts.text().into_bytes()).collect();
    console.extend_from_slice(b"\x9b31m \xc2\x9b \xed\xa0\x80 \x1b]0;x\x07\nlast\x1b[");
    std::fs::write(run.console(), console).unwrap();
    let headline = vec![HeadlineValue { key: SeriesKey { trial: None, ..key }, value: f64::NAN }];
    let status = fixture::status(state, 10, 20);
    write_status(&run, &Status { cause: Some(cause), phase: Some(phase), headline, ..status }).unwrap();
    run
}

/// Writes unreadable files, whose errors quote their content.
fn broken(runs: &Path, texts: &mut Texts) {
    let files = [("m", "run.toml"), ("s", "status.json"), ("f", "figures.toml"), ("k", "series.jsonl")];
    for (name, file) in files {
        let run = hostile(runs, name, State::Finished, texts);
        let text = format!("schema = 1\n{} = [\n{}", texts.text(), texts.text());
        std::fs::write(run.path().join(file), text).unwrap();
    }
}

fn gradtop(runs: &Path, args: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradtop"));
    command.args(args).env_clear().env("GRADTOP_RUNS", runs).env("LANG", "C.UTF-8").env("TZ", "UTC");
    command.env("XDG_DATA_HOME", runs.join(".data")).env("XDG_CACHE_HOME", runs.join(".cache"));
    command.env("GRADTOP_PLUGINS", runs.join(".plugins")).stdin(Stdio::null()).current_dir(runs);
    let said = command.output().unwrap();
    let utf8 = |bytes| String::from_utf8(bytes).unwrap_or_else(|e| panic!("{args:?}: {e}"));
    (utf8([said.stdout, said.stderr].concat()), said.status.code())
}

#[test]
fn no_command_lets_text_from_outside_command_a_terminal() {
    let seed = RandomState::new().hash_one(std::process::id());
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    let texts = &mut Texts(seed);
    hostile(runs, "finished", State::Finished, texts);
    hostile(runs, "failed", State::Failed, texts);
    hostile(runs, "crashed", State::Running, texts);
    hostile(runs, "elsewhere", State::Running, texts);
    let live = hostile(runs, "live", State::Paused, texts);
    let _lock = RunLock::acquire(&live).unwrap();
    broken(runs, texts);
    // Names are those of folders, whoever named them.
    let named = runs.join(format!("exp=\u{1b}]0;{}", "x\u{7}\u{202e}")).join("run=\u{1b}[31mred\u{9b}");
    std::fs::create_dir_all(named.parent().unwrap()).unwrap();
    let from = hostile(runs, "named", State::Finished, texts);
    std::fs::rename(from.path(), &named).unwrap();
    // Not even text.
    let odd = std::ffi::OsStr::from_bytes(b"run=odd\xff\x9b31m");
    let from = hostile(runs, "odd", State::Finished, texts);
    std::fs::rename(from.path(), from.path().with_file_name(odd)).unwrap();
    let named = named.to_str().unwrap();
    let runs_named: Vec<&str> = ["finished", "failed", "crashed", "elsewhere", "live", "m", "s", "f", "k"]
        .into_iter()
        .chain([named])
        .collect();
    let check = |args: &[&str]| {
        let (said, code) = gradtop(runs, args);
        assert!(code.is_some_and(|code| code != 101), "{args:?}: {code:?}: {said}");
        let bad: Vec<char> = said.chars().filter(|c| !harmless(*c)).collect();
        assert!(bad.is_empty(), "seed {seed}, {args:?} wrote {bad:?}:\n{}", said.escape_debug());
        said
    };
    for args in [&["list"][..], &["list", "--json"], &["--once"], &["doctor"], &["compare", "--json"]] {
        check(args);
    }
    for run in &runs_named {
        for args in [
            &["show", run][..],
            &["logs", run],
            &["logs", run, "--json"],
            &["logs", run, "-n", "3"],
            &["plot", run],
            &["plot", run, "--list"],
            &["plot", run, "--list", "--json"],
            &["plot", run, "f"],
            &["plot", run, "\u{1b}[31m"],
            &["compare", run, "finished"],
            &["compare", run, "finished", "--json"],
            &["plot", run, "finished", "f"],
            &["wait", run, "--timeout", "0"],
            &["wait", run, "--timeout", "0", "--json"],
            &["pause", run, "--no-wait"],
            &["checkpoint", run],
            &["resume", run, "--detach"],
            &["stop", run, "--no-wait"],
            &["rm", run],
        ] {
            check(args);
        }
        let json = check(&["show", run, "--json"]);
        if json.starts_with('{') {
            let value: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
            assert!(value["run"].is_string(), "{json}");
        }
    }
    let said = check(&["show", "no\u{1b}[31m\u{202e}such"]);
    assert!(said.contains("\\u{1b}"), "what is wrong can be seen: {said}");
}

#[test]
fn ascii_means_ascii_in_every_command_and_what_programs_read_stays() {
    let temp = tempfile::tempdir().unwrap();
    let runs = temp.path();
    for name in ["größe-1", "größe-日本"] {
        let made = hostile(runs, "made", State::Finished, &mut Texts(7));
        let run = RunDir::new(made.path().with_file_name(format!("run={name}")));
        std::fs::rename(made.path(), run.path()).unwrap();
        std::fs::write(run.console(), "Fehler: größer als 日本 · ½\n").unwrap();
        gradtop_store::append_event(&run, &Event::Warning { message: "é ≠ è".into() }).unwrap();
    }
    for args in [
        &["list"][..],
        &["list", "größe*"],
        &["list", "--help"],
        &["--once"],
        &["show", "größe-1"],
        &["logs", "größe-1"],
        &["why", "größe-1"],
        &["plot", "größe-1"],
        &["plot", "größe-1", "größe-日本"],
        &["plot", "größe-1", "--list"],
        &["compare", "größe-1", "größe-日本"],
        &["best", "größe"],
        &["wait", "größe-1"],
        &["stop", "größe-1"],
        &["rm", "größe-2"],
        &["queue"],
    ] {
        let (said, _) = gradtop(runs, &[args, &["--ascii"]].concat());
        assert!(said.is_ascii() && !said.is_empty(), "{args:?}:\n{said}");
    }
    for args in [
        &["list", "--json"][..],
        &["show", "größe-1", "--json"],
        &["plot", "größe-1", "f", "--csv", "-"],
        &["export", "größe-1", "--csv", "-"],
        &["__complete", "gradtop show größe-日"],
    ] {
        let given = if args[0] == "__complete" { args.to_vec() } else { [args, &["--ascii"]].concat() };
        assert_eq!(gradtop(runs, &given), gradtop(runs, args), "{args:?}");
        let (said, _) = gradtop(runs, &given);
        assert!(!said.is_ascii(), "{args:?}:\n{said}");
    }
    assert!(
        gradtop(runs, &["list", "gr??e-??", "--ascii"]).0.contains("gr??e-??"),
        "what is shown can be typed"
    );
}
