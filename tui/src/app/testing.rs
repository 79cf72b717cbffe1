//! Drives the real application in tests, with real run folders, real keys through [`super::update`] and the frames that
//! [`super::view`] draws. The clock stands still.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use gradtop_host::{Action, Why};
use gradtop_store::{InQueue, RunDir};
use gradtop_tests::run_fixtures::RunFixtures;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::{App, Msg, update, view};
use crate::screens::effect::{Answer, Effect, Open, Task};
use crate::screens::settings::Settings;
use gradtop_chart::cells::glyphs::Glyphs;
use gradtop_chart::cells::theme::{Theme, ThemeName};
use gradtop_chart::colour::Colours;
use gradtop_view::live::engine::WatchedRuns;
use gradtop_view::runs::{RunId, RunRow, RunsSnapshot};

/// Terminal sizes that every screen is tested in: common ones, half a window, a phone, and one too small for anything.
pub(crate) const SIZES: [(u16, u16); 6] = [(80, 24), (120, 40), (200, 50), (60, 20), (40, 15), (20, 6)];

pub(crate) use gradtop_tests::run_fixtures::{Spec, now, run};

/// The application with its own folder of runs and its own terminal.
pub(crate) struct Bench {
    pub(crate) app: App,
    /// Tasks that the application has returned and nobody has taken yet.
    pub(crate) effects: Vec<Task>,
    runs: RunFixtures,
    size: (u16, u16),
}

impl Bench {
    /// Creates one without runs, 120x40, with Braille and no colours.
    pub(crate) fn new() -> Self {
        Self::with(Glyphs::Braille, Colours::None, false)
    }

    /// Creates one without runs.
    pub(crate) fn with(glyphs: Glyphs, colours: Colours, read_only: bool) -> Self {
        let app =
            App::new(Theme { name: ThemeName::Dark, colours, glyphs }, Settings::default(), read_only, now());
        gradtop_view::clock::in_utc();
        let mut bench = Self { app, effects: Vec::new(), runs: RunFixtures::new(), size: (0, 0) };
        bench.resize(120, 40);
        bench
    }

    /// Creates one with these runs and reads them.
    pub(crate) fn of(specs: Vec<Spec>) -> Self {
        let mut bench = Self::new();
        for spec in specs {
            bench.make(&spec);
        }
        bench.read();
        bench
    }

    /// Creates a run folder with everything that screens read.
    pub(crate) fn make(&mut self, spec: &Spec) -> RunDir {
        self.runs.make(spec)
    }

    /// Reads the folder of runs, as the runtime would.
    pub(crate) fn read(&mut self) {
        let rows = gradtop_store::list_runs(self.runs.folder()).into_iter().map(|run| {
            let mut view = gradtop_store::view(&run).expect("a whole run");
            // The real value depends on when the test runs.
            view.age_of_last_write = std::time::Duration::from_secs(if view.certain { 0 } else { 42 });
            if view.manifest.host == Some(gradtop_store::host_name()) {
                view.manifest.host = Some("here".to_owned());
            }
            // These folders have neither checkpoints nor plugins.
            let resume = match gradtop_host::allowed(&view, Action::Resume) {
                Err(Why::NothingSaved) => Ok(()),
                answer => answer,
            };
            Arc::new(RunRow { id: RunId::new(&run), view, resume })
        });
        let snapshot = RunsSnapshot::new(PathBuf::from("runs"), rows.collect(), Vec::new());
        self.send(Msg::Runs(Arc::new(snapshot)));
    }

    /// Shows these runs in folders of the queue.
    pub(crate) fn queue(&mut self, names: &[&str]) {
        let queued = |row: &Arc<RunRow>| {
            let folder = row.id.dir().runs().join(format!(".queue/1-{}", row.name()));
            let mut row = (**row).clone();
            row.id = RunId::new(&RunDir::new(folder));
            row.view.queued = Some(InQueue { place: Some(1), ..InQueue::default() });
            Arc::new(row)
        };
        let place = |row: &Arc<RunRow>| if names.contains(&row.name()) { queued(row) } else { row.clone() };
        let rows = self.app.shared.runs.rows.iter().map(place).collect();
        self.send(Msg::Runs(Arc::new(RunsSnapshot::new(PathBuf::from("runs"), rows, Vec::new()))));
    }

    /// Finds a run by name.
    pub(crate) fn id(&self, name: &str) -> RunId {
        let rows = &self.app.shared.runs.rows;
        rows.iter().find(|r| r.name() == name).map(|r| r.id.clone()).expect("a run of that name")
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, msg: Msg) {
        self.effects.extend(update(&mut self.app, msg));
    }

    /// Sends an answer of a worker.
    pub(crate) fn answer(&mut self, answer: Answer) {
        self.send(Msg::Answer(answer));
    }

    /// The title of the current key table.
    pub(crate) fn title(&self) -> &'static str {
        self.app.top().keys().title
    }

    /// The runs that actions apply to.
    pub(crate) fn targets(&self) -> Vec<RunId> {
        self.app.top().targets()
    }

    /// Opens a screen.
    pub(crate) fn open(&mut self, open: Open) {
        let effects = self.app.settle(vec![Effect::Open(open)]);
        self.effects.extend(effects);
        // As after any message, the screen asks for what it watches.
        self.send(Msg::Tick(now()));
    }

    /// Takes the tasks returned since the last call.
    pub(crate) fn take(&mut self) -> Vec<Task> {
        std::mem::take(&mut self.effects)
    }

    /// Reads what the screens watch, until they ask for nothing more.
    pub(crate) fn follow(&mut self, runs: &mut WatchedRuns) {
        loop {
            let mut asked = false;
            for task in self.take() {
                if let Task::Watch(requests) = task {
                    runs.watch(requests, Instant::now());
                    asked = true;
                }
            }
            if !asked {
                return;
            }
            while runs.work(Instant::now(), Duration::from_secs(1)).next == Some(Duration::ZERO) {}
            self.send(Msg::Live(runs.snapshot()));
        }
    }

    /// Resizes the terminal.
    pub(crate) fn resize(&mut self, width: u16, height: u16) {
        self.size = (width, height);
        self.send(Msg::Resize(width, height));
    }

    /// Presses keys, given by name and separated by spaces: `down down space ctrl-k`.
    pub(crate) fn keys(&mut self, script: &str) {
        for name in script.split_whitespace() {
            self.send(Msg::Key(key(name)));
        }
    }

    /// Types a text.
    pub(crate) fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.send(Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
        }
    }

    /// Clicks a cell with the left button.
    pub(crate) fn click(&mut self, column: u16, row: u16) {
        for kind in [MouseEventKind::Down(MouseButton::Left), MouseEventKind::Up(MouseButton::Left)] {
            self.send(Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
        }
    }

    /// Draws a frame and returns its cells.
    pub(crate) fn buffer(&self) -> Buffer {
        let (width, height) = self.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal in memory");
        terminal.draw(|frame| view(&self.app, frame)).expect("drawn");
        terminal.backend().buffer().clone()
    }

    /// Draws a frame and returns its text, without trailing blanks.
    pub(crate) fn screen(&self) -> String {
        gradtop_chart::cells::text::plain(&self.buffer())
    }
}

/// Numbers directly next to an ellipsis, which would be misread.
pub(crate) fn beside_cuts(screen: &str) -> Vec<String> {
    let part = |c: &char| c.is_ascii_digit() || matches!(c, '.' | 'e');
    let before =
        |text: &str| text.chars().rev().take_while(part).collect::<Vec<_>>().into_iter().rev().collect();
    let after = |text: &str| text.chars().take_while(part).collect();
    let both = |(at, sign): (usize, &str)| [before(&screen[..at]), after(&screen[at + sign.len()..])];
    let found: Vec<String> = screen.match_indices('…').flat_map(both).collect();
    found.into_iter().filter(|text| text.contains(|c: char| c.is_ascii_digit())).collect()
}

/// Converts the name of a key to an event.
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
