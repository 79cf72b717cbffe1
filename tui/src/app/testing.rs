//! Drives the real application in tests: real run folders, real keys through [`super::update`], and the picture that
//! [`super::view`] draws. The clock stands still.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use gradtop_store::{
    ExperimentInfo, Goal, HeadlineValue, Manifest, MetricInfo, ParamValue, PluginInfo, Recorder,
    RecorderOptions, RunDir, RunLock, SCHEMA, SeriesKey, State, Status, Versions, create_run, write_status,
};
use jiff::{SignedDuration, Timestamp};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::runs::{RunId, RunRow, RunsSnapshot};
use super::settings::Settings;
use super::theme::Caps;
use super::{App, Effect, Msg, update, view};
use crate::chart::raster::Glyphs;
use crate::print::Colours;

/// The sizes that every screen is looked at in; the last is too small for all of them.
pub(crate) const SIZES: [(u16, u16); 4] = [(80, 24), (120, 40), (200, 50), (60, 10)];

/// When it is.
pub(crate) fn now() -> Timestamp {
    "2026-11-20T14:32:07Z".parse().unwrap_or_default()
}

/// A run to be made.
pub(crate) struct Spec {
    /// What it is started with.
    pub(crate) manifest: Manifest,
    status: Status,
    series: BTreeMap<SeriesKey, Vec<(i64, f64)>>,
    figures: Option<&'static str>,
    locked: bool,
}

/// A run of an experiment, finished after 20,000 steps unless said otherwise; `minutes` ago.
pub(crate) fn run(experiment: &str, name: &str, minutes: i64) -> Spec {
    let created = now() - SignedDuration::from_mins(minutes);
    let manifest = Manifest {
        schema: SCHEMA,
        run: name.into(),
        created,
        seed: 7,
        device: "cpu".into(),
        device_reason: None,
        threads: 2,
        checkpoint_every_s: 60,
        preset: Some("default".into()),
        host: gradtop_store::host_name(),
        boot_id: gradtop_store::boot_id(),
        git_commit: None,
        experiment: ExperimentInfo {
            in_plugin: None,
            id: experiment.into(),
            name: experiment.into(),
            version: "1.0".into(),
            summary: "For tests".into(),
            resumable: true,
            uses_device: false,
        },
        plugin: PluginInfo {
            file: "plugin.so".into(),
            sha256: "0123456789abcdef".into(),
            built_with: None,
            original_path: "libtests.so".into(),
        },
        versions: Versions { gradtop: "0.1.0".into(), abi: "1.0".into(), libtorch: None },
        params: vec![
            ("function".into(), ParamValue::Text("sinc".into())),
            ("lr".into(), ParamValue::Float(1e-3)),
        ],
        metrics: vec![MetricInfo {
            name: "loss".into(),
            unit: Some("MSE".into()),
            goal: Goal::Min,
            headline: true,
            log: true,
            ..MetricInfo::default()
        }],
    };
    let status = Status {
        schema: SCHEMA,
        state: State::Finished,
        step: Some(20_000),
        done: 20_000,
        total: 20_000,
        updated: created + SignedDuration::from_mins(1),
        started: Some(created),
        ended: Some(created + SignedDuration::from_mins(1)),
        rows: 60_000,
        ..Status::default()
    };
    Spec { manifest, status, series: BTreeMap::new(), figures: None, locked: false }
}

impl Spec {
    /// Running (or paused, stopping …): at this step of 20,000.
    pub(crate) fn at(mut self, state: State, step: i64) -> Self {
        self.locked = !state.is_final();
        self.status.state = state;
        self.status.step = Some(step);
        self.status.done = step.unsigned_abs();
        if self.locked {
            self.status.ended = None;
            self.status.steps_per_s = Some(5_900.0);
            self.status.eta_s = Some((20_000 - step) as f64 / 5_900.0);
        }
        self
    }

    /// On this device.
    pub(crate) fn on(mut self, device: &str) -> Self {
        self.manifest.device = device.into();
        self.status.gpu = device.starts_with("cuda").then(|| format!("GPU-of-{device}"));
        self
    }

    /// Ended with this cause.
    pub(crate) fn cause(mut self, cause: &str) -> Self {
        self.status.cause = Some(cause.into());
        self
    }

    /// With a parameter, in place of an earlier value.
    pub(crate) fn param(mut self, name: &str, value: ParamValue) -> Self {
        self.manifest.params.retain(|(n, _)| n != name);
        self.manifest.params.push((name.into(), value));
        self
    }

    /// With anything else in its manifest or status.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Manifest, &mut Status)) -> Self {
        change(&mut self.manifest, &mut self.status);
        self
    }

    /// With points of a metric, and its last value as headline if it is `loss`.
    pub(crate) fn series(self, metric: &str, model: Option<&str>, points: &[(i64, f64)]) -> Self {
        let key = SeriesKey { model: model.map(Into::into), ..SeriesKey::metric(metric) };
        self.logged(key, points)
    }

    /// With points of any series; `loss` stands for the run.
    pub(crate) fn logged(mut self, key: SeriesKey, points: &[(i64, f64)]) -> Self {
        if let (Some((_, value)), "loss") = (points.last(), key.metric.as_str()) {
            self.status.headline.push(HeadlineValue {
                metric: key.metric.clone(),
                model: key.model.clone(),
                split: key.split.clone(),
                trial: key.trial,
                value: *value,
            });
        }
        self.series.insert(key, points.to_vec());
        self
    }

    /// With losses of two models, 200 points each.
    pub(crate) fn losses(self) -> Self {
        let curve = |rate: f64| -> Vec<(i64, f64)> {
            (0..200).map(|i| (i * 100, 0.5 * (-rate * i as f64 / 200.0).exp())).collect()
        };
        self.series("loss", Some("deep"), &curve(9.0)).series("loss", Some("shallow"), &curve(4.0))
    }

    /// With declared figures, as `figures.toml`.
    pub(crate) fn figures(mut self, text: &'static str) -> Self {
        self.figures = Some(text);
        self
    }
}

/// The application, with a folder of runs and a terminal of its own.
pub(crate) struct Bench {
    /// The application.
    pub(crate) app: App,
    /// What it asked for since they were last taken.
    pub(crate) effects: Vec<Effect>,
    folder: tempfile::TempDir,
    locks: Vec<RunLock>,
    size: (u16, u16),
}

impl Bench {
    /// Without runs, at 120x40, in Braille without colours.
    pub(crate) fn new() -> Self {
        Self::with(Glyphs::Braille, Colours::None, false)
    }

    /// Without runs.
    pub(crate) fn with(glyphs: Glyphs, colours: Colours, read_only: bool) -> Self {
        let app = App::new(Caps { colours, glyphs }, Settings::default(), read_only, now());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut bench = Self { app, effects: Vec::new(), folder, locks: Vec::new(), size: (0, 0) };
        bench.resize(120, 40);
        bench
    }

    /// With these runs, read.
    pub(crate) fn of(specs: Vec<Spec>) -> Self {
        let mut bench = Self::new();
        for spec in specs {
            bench.make(&spec);
        }
        bench.read();
        bench
    }

    /// Makes a run's folder, with everything a real one has that screens read.
    pub(crate) fn make(&mut self, spec: &Spec) -> RunDir {
        let run = create_run(self.folder.path(), &spec.manifest).expect("a new run");
        let lock = RunLock::acquire(&run).expect("a free lock");
        if let Some(figures) = spec.figures {
            gradtop_store::figures::declare(&run, figures).expect("valid figures");
        }
        let recorder = Recorder::open(&run, RecorderOptions::default()).expect("a recorder");
        for (key, points) in &spec.series {
            let series = recorder.series(key, None).expect("few series");
            for (step, value) in points {
                recorder.log(*step, None, [(series, *value)]);
            }
        }
        recorder.finish().expect("sealed");
        write_status(&run, &spec.status).expect("a status");
        // Whoever holds it says so in it; of a run of another machine that is the other.
        let holder = format!("{}\n{}\n", spec.manifest.host, spec.manifest.boot_id);
        std::fs::write(run.lock(), holder).expect("a lock that can be written");
        if spec.locked {
            self.locks.push(lock);
        }
        run
    }

    /// Reads the folder, as the runtime would.
    pub(crate) fn read(&mut self) {
        let rows = gradtop_store::list_runs(self.folder.path()).into_iter().map(|run| {
            let mut view = gradtop_store::view(&run).expect("a whole run");
            // It depends on when the test runs.
            view.age_of_last_write = std::time::Duration::from_secs(if view.certain { 0 } else { 42 });
            let saved = view.state.is_final() && view.manifest.experiment.resumable;
            Arc::new(RunRow { id: RunId::new(&run), view, saved })
        });
        let snapshot = RunsSnapshot::new(PathBuf::from("runs"), rows.collect(), Vec::new());
        self.send(Msg::Runs(Arc::new(snapshot)));
    }

    /// The run of that name.
    pub(crate) fn id(&self, name: &str) -> RunId {
        let rows = &self.app.shared.runs.rows;
        rows.iter().find(|r| r.name() == name).map(|r| r.id.clone()).expect("a run of that name")
    }

    /// Something happens.
    pub(crate) fn send(&mut self, msg: Msg) {
        self.effects.extend(update(&mut self.app, msg));
    }

    /// Goes to a screen.
    pub(crate) fn open(&mut self, open: super::Open) {
        let effects = self.app.settle(vec![Effect::Open(open)]);
        self.effects.extend(effects);
        // As with any other message: what the screen wants to watch is asked for.
        self.send(Msg::Tick(now()));
    }

    /// What it asked for since the last time.
    pub(crate) fn take(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Another size.
    pub(crate) fn resize(&mut self, width: u16, height: u16) {
        self.size = (width, height);
        self.send(Msg::Resize(width, height));
    }

    /// Presses keys, by their names in the table with blanks between: `down down space ctrl-k`.
    pub(crate) fn keys(&mut self, script: &str) {
        for name in script.split_whitespace() {
            self.send(Msg::Key(key(name)));
        }
    }

    /// Types text.
    pub(crate) fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.send(Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
        }
    }

    /// Presses and releases the left button at a cell.
    pub(crate) fn click(&mut self, column: u16, row: u16) {
        for kind in [MouseEventKind::Down(MouseButton::Left), MouseEventKind::Up(MouseButton::Left)] {
            self.send(Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
        }
    }

    /// The cells it draws now.
    pub(crate) fn buffer(&self) -> Buffer {
        let (width, height) = self.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal in memory");
        terminal.draw(|frame| view(&self.app, frame)).expect("drawn");
        terminal.backend().buffer().clone()
    }

    /// The text it draws now, without trailing blanks.
    pub(crate) fn screen(&self) -> String {
        let buffer = self.buffer();
        let mut text = String::new();
        for y in 0..buffer.area.height {
            let row: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
            text.push_str(row.trim_end());
            text.push('\n');
        }
        text
    }
}

/// The key of that name in the table.
pub(crate) fn key(name: &str) -> KeyEvent {
    let mut modifiers = KeyModifiers::NONE;
    let mut rest = name;
    for (prefix, modifier) in
        [("ctrl-", KeyModifiers::CONTROL), ("alt-", KeyModifiers::ALT), ("shift-", KeyModifiers::SHIFT)]
    {
        if let Some(tail) = rest.strip_prefix(prefix).filter(|t| !t.is_empty()) {
            (rest, modifiers) = (tail, modifiers | modifier);
        }
    }
    let code = match rest {
        "space" => KeyCode::Char(' '),
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" if modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
        "tab" => KeyCode::Tab,
        "backspace" => KeyCode::Backspace,
        "delete" => KeyCode::Delete,
        "insert" => KeyCode::Insert,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "pageup" => KeyCode::PageUp,
        "pagedown" => KeyCode::PageDown,
        _ => {
            let mut chars = rest.chars();
            match (rest.strip_prefix('f').and_then(|n| n.parse().ok()), chars.next(), chars.next()) {
                (Some(n), ..) => KeyCode::F(n),
                (None, Some(c), None) => KeyCode::Char(c),
                _ => panic!("no key is called {name:?}"),
            }
        }
    };
    KeyEvent::new(code, modifiers)
}
