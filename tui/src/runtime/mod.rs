//! Runs the monitor: the only place with a terminal, threads, a clock and a channel.
//!
//! One channel brings everything that happens; the loop takes all that is there, input first, gives it to [`app::update`],
//! does what that asks for, and draws once. A key is drawn at once, a new size once it stays, data at most ten times a second;
//! nothing is written when nothing on the screen has changed, and little while the terminal has not shown what was.

mod input;
mod link;
mod machine;
mod note;
mod notify;
mod once;
mod pace;
mod picture;
mod query;
mod runs;
mod settings;
mod settle;
mod signals;
mod terminal;
mod work;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::layout::Rect;

use crate::app::{self, App, Msg};
use crate::config::LaunchDefaults;
use crate::print::paint::Painter;
use crate::print::terminal::tells_focus;
use crate::screens::actions::ActionResult;
use crate::screens::effect::{Answer, Task};
use crate::widgets::Turn;
use gradtop_chart::cells::theme::ThemeName;
use gradtop_view::picture::Picture;
use link::Link;
pub(crate) use once::once;
use pace::{Cost, Pace};
use settle::Settling;
use terminal::Screen;
use work::Workers;

/// How the monitor is started.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// The folder of the runs.
    pub(crate) runs: PathBuf,
    /// Nothing may be changed.
    pub(crate) read_only: bool,
    /// Most frames a second that new data may cause.
    pub(crate) fps: f64,
    /// Most kilobytes a second, on average; 0 for no limit.
    pub(crate) max_kbps: f64,
    /// Instead of the one chosen last.
    pub(crate) theme: Option<ThemeName>,
    /// What a run is started with.
    pub(crate) launch: LaunchDefaults,
}

/// What comes through the channel.
#[derive(Debug)]
enum Event {
    /// For the application.
    Msg(Msg),
    /// Stop until told to continue, as the shell's Ctrl-Z.
    Suspend,
    /// Continued: nothing is known of the terminal any more.
    Continued,
    /// The terminal has another size.
    Resized,
    /// The terminal has come to our last question.
    Answered,
    /// The terminal has what is typed, or no longer.
    Focus(bool),
}

impl From<Msg> for Event {
    fn from(msg: Msg) -> Self {
        Self::Msg(msg)
    }
}

impl Event {
    /// Whether a person waits for its effect.
    fn urgent(&self) -> bool {
        !matches!(
            self,
            Self::Resized
                | Self::Answered
                | Self::Focus(_)
                | Self::Msg(
                    Msg::Tick(_)
                        | Msg::Runs(_)
                        | Msg::Plugins(_)
                        | Msg::Live(_)
                        | Msg::Machine(_)
                        | Msg::Answer(Answer::Pane(_) | Answer::Why(..))
                )
        )
    }
}

/// The chart that a monitor showed last.
pub(crate) fn last_picture() -> Option<Picture> {
    settings::load(None).last
}

/// The theme that was chosen last.
pub(crate) fn remembered_theme() -> ThemeName {
    settings::load(None).theme
}

/// How long the first frame may wait for the list of runs, so that it is whole.
const FIRST: Duration = Duration::from_millis(80);
/// How long another page may wait for its values on a slow line, for the same reason.
const OPENING: Duration = Duration::from_millis(80);

/// How long an answer that is due is waited for before others read what the terminal says.
const LAST_WORD: Duration = Duration::from_millis(400);

/// Shows the monitor until it is left; the exit code.
pub(crate) fn run(options: &Options) -> Result<i32> {
    let (tx, rx) = channel();
    let mut app =
        App::new(crate::print::theme(), settings::load(options.theme), options.read_only, Timestamp::now());
    app.shared.launch = options.launch;
    let workers = Workers::start(options, &tx);
    signals::start(&tx)?;
    let screen = Screen::enter(&tx, !app.shared.settings.select)?;
    let due = Arc::default();
    let gate = input::Gate::default();
    input::start(&tx, Arc::clone(&due), gate.clone())?;
    let mut monitor = Monitor {
        screen,
        gate,
        terminal: Terminal::new(Painter::new(terminal::size()))?,
        workers,
        events: rx,
        before: Vec::new(),
        pace: Pace::new(options.fps, options.max_kbps),
        link: Link::new(due),
        size: Settling::default(),
        focus: None,
        resumed: false,
        opening: None,
        tick: Instant::now(),
        machine: machine::Meter::default(),
        frames: 0,
    };
    let result = monitor.first(&mut app).and_then(|go_on| {
        if !go_on {
            return Ok(0);
        }
        monitor.workers.start_late();
        monitor.run(&mut app)
    });
    monitor.leave();
    // The terminal may be gone before its hangup is heard of: that is no failure.
    result.or_else(|error| if hung_up(&error) { Ok(0) } else { Err(error) })
}

/// Whether an error says that nobody is at the other end of the terminal any more.
fn hung_up(error: &anyhow::Error) -> bool {
    let gone = |e: &std::io::Error| {
        e.kind() == std::io::ErrorKind::BrokenPipe
            || e.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
    };
    error.chain().filter_map(|cause| cause.downcast_ref()).any(gone)
}

struct Monitor {
    screen: Screen,
    gate: input::Gate,
    terminal: Terminal<Painter>,
    workers: Workers,
    events: Receiver<Event>,
    /// Came while an answer was waited for.
    before: Vec<Event>,
    pace: Pace,
    link: Link,
    size: Settling,
    /// Whether the terminal has what is typed, if it says so.
    focus: Option<bool>,
    /// Continued after a stop of its own: what the signal tells is known.
    resumed: bool,
    /// Until when a frame waits for what it is to show, so that a page is not sent twice on a line that is slow.
    opening: Option<Instant>,
    tick: Instant,
    machine: machine::Meter,
    /// Frames drawn.
    frames: u64,
}

impl Monitor {
    /// The size, and the first frame: as soon as the runs are there.
    ///
    /// False: it was left before.
    fn first(&mut self, app: &mut App) -> Result<bool> {
        let size = self.terminal.size()?;
        self.update(app, Msg::Resize(size.width, size.height))?;
        let end = Instant::now() + FIRST;
        // It takes a while to find, and the first frame needs it.
        gradtop_view::clock::zone();
        while !app.shared.runs.loaded {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(event) => {
                    if !self.handle(app, event)? {
                        return Ok(false);
                    }
                }
                Err(_) => break,
            }
        }
        self.draw(app, Cost::Free)?;
        Ok(true)
    }

    /// False: leave.
    fn handle(&mut self, app: &mut App, event: Event) -> Result<bool> {
        match event {
            Event::Msg(msg) => {
                if matches!(msg, Msg::Key(_) | Msg::Mouse(_) | Msg::Paste(_)) {
                    self.link.key(Instant::now());
                }
                if matches!(msg, Msg::Live(_)) {
                    self.opening = None;
                }
                self.update(app, msg)
            }
            Event::Resized => {
                self.size.resized(Instant::now());
                Ok(true)
            }
            Event::Answered => {
                self.link.answered(Instant::now());
                Ok(true)
            }
            Event::Focus(ours) => {
                self.focus = Some(ours);
                Ok(true)
            }
            Event::Suspend => self.suspend(app),
            Event::Continued if std::mem::take(&mut self.resumed) => Ok(true),
            Event::Continued => self.continued(app),
        }
    }

    fn run(&mut self, app: &mut App) -> Result<i32> {
        // Whether something is not on the screen yet, and whether a person waits for it.
        let (mut stale, mut urgent) = (false, false);
        // The next frame is for a size of which nothing was drawn yet.
        let mut resized = false;
        loop {
            let now = Instant::now();
            let mut wake = if self.before.is_empty() { self.tick } else { now };
            if let Some(settled) = self.size.due() {
                wake = wake.min(settled);
            } else if stale && self.link.open(now, urgent) {
                wake = wake.min(self.opening.unwrap_or_else(|| self.pace.next()));
            }
            let first = match self.events.recv_timeout(wake.saturating_duration_since(now)) {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            };
            let mut batch = std::mem::take(&mut self.before);
            batch.extend(first.into_iter().chain(self.events.try_iter()));
            if Instant::now() >= self.tick {
                batch.push(Msg::Tick(Timestamp::now()).into());
                batch.extend(self.machine.look(app.shared.runs.gpus()).map(|m| Msg::Machine(m).into()));
                self.tick = Instant::now() + app.next_tick();
            }
            batch.sort_by_key(|event| !event.urgent());
            for event in batch {
                urgent |= event.urgent();
                stale |= !matches!(event, Event::Resized | Event::Answered | Event::Focus(_));
                if !self.handle(app, event)? {
                    return Ok(0);
                }
            }
            let now = Instant::now();
            if self.size.settled(now) {
                self.resize(app)?;
                (stale, urgent, resized) = (true, true, true);
            }
            let due = (urgent || now >= self.pace.next()) && self.opening.is_none_or(|until| now >= until);
            if stale && due && self.size.due().is_none() && self.link.open(now, urgent) {
                let cost = match (urgent, resized) {
                    (false, _) => Cost::Data,
                    (true, true) if self.link.is_far() => Cost::Size,
                    (true, _) => Cost::Free,
                };
                self.draw(app, cost)?;
                (stale, urgent, resized, self.opening) = (app.shared.turns.owed(), false, false, None);
            }
        }
    }

    /// Everything is drawn again, in the size that the terminal has now.
    fn resize(&mut self, app: &mut App) -> Result<()> {
        let (width, height) = terminal::size();
        self.terminal.backend_mut().resized((width, height));
        self.terminal.resize(Rect::new(0, 0, width, height))?;
        self.update(app, Msg::Resize(width, height)).map(drop)
    }

    /// False: leave.
    fn update(&mut self, app: &mut App, msg: Msg) -> Result<bool> {
        let mut go_on = true;
        for task in app::update(app, msg) {
            match task {
                Task::Quit => go_on = false,
                Task::Suspend => drop(self.suspend(app)?),
                Task::Note(run) => self.lend(app, || Some(note::write(&run.dir())))?,
                Task::Query(runs) => self.lend(app, || query::ask(&runs))?,
                Task::Redraw => self.terminal.clear()?,
                Task::Mouse(ours) => self.screen.mouse(ours)?,
                Task::Alert(_) if self.focus == Some(true) && tells_focus() => {}
                Task::Alert(alerts) => self.screen.alert(&alerts),
                other => {
                    if matches!(other, Task::Watch(_)) && self.link.is_far() {
                        self.opening = Some(Instant::now() + OPENING);
                    }
                    self.workers.perform(other);
                }
            }
        }
        // What runs has changed perhaps, and with it how often the clock is of interest.
        self.tick = self.tick.min(Instant::now() + app.next_tick());
        Ok(go_on)
    }

    fn suspend(&mut self, app: &mut App) -> Result<bool> {
        self.hear_out();
        self.screen.suspended()?;
        self.resumed = true;
        self.continued(app)
    }

    /// Another program has the terminal meanwhile; what came of it is said afterwards.
    fn lend(&mut self, app: &mut App, run: impl FnOnce() -> Option<ActionResult>) -> Result<()> {
        self.hear_out();
        self.gate.close(true);
        self.screen.lend();
        let result = run();
        // What was that program's to stop or continue for has been.
        let ours = |event: &Event| !matches!(event, Event::Suspend | Event::Continued);
        self.before.extend(self.events.try_iter().filter(ours));
        let left = self.continued(app);
        self.gate.close(false);
        left?;
        let Some(result) = result else { return Ok(()) };
        self.update(app, Msg::Answer(Answer::Done(result))).map(drop)
    }

    fn continued(&mut self, app: &mut App) -> Result<bool> {
        self.screen.again()?;
        self.link.renewed();
        self.resize(app)?;
        // It was away for a while: the next frame is of now.
        self.update(app, Msg::Tick(Timestamp::now()))
    }

    fn draw(&mut self, app: &mut App, cost: Cost) -> Result<()> {
        app.shared.behind = self.link.behind(Instant::now());
        self.frames += 1;
        app.shared.turns.begin(match cost {
            _ if !self.link.is_far() => Turn::All,
            Cost::Data => Turn::Of(self.frames),
            // What a person waits for comes first.
            Cost::Free | Cost::Size => Turn::Nobody,
        });
        self.screen.name(&app.title());
        let mut frame = self.terminal.get_frame();
        app::view(app, &mut frame);
        // The painter knows what is shown: it alone compares.
        let mut next = std::mem::take(self.terminal.current_buffer_mut());
        self.terminal.backend_mut().show(&mut next);
        *self.terminal.current_buffer_mut() = next;
        self.terminal.swap_buffers();
        let bytes = self.terminal.backend_mut().take();
        let now = Instant::now();
        let ask = self.link.ask(now, bytes.len());
        let written = self.screen.write(&bytes, ask)?;
        if written > 0 {
            self.link.written(now, written, ask);
        }
        self.pace.drawn(now, written, cost);
        Ok(())
    }

    /// Waits for the answer that is due, so that it does not arrive in the shell.
    fn hear_out(&mut self) {
        let end = Instant::now() + LAST_WORD;
        while self.link.waiting(Instant::now()) {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(Event::Answered) => self.link.answered(Instant::now()),
                Ok(other) => self.before.push(other),
                Err(_) => return,
            }
        }
    }

    /// Gives the terminal back, then lets the workers end.
    fn leave(mut self) {
        self.hear_out();
        drop(self.screen);
        self.workers.end();
    }
}

/// A way to send events that says whether anybody still listens.
fn sender(tx: &Sender<Event>) -> impl Fn(Msg) -> bool + Send + Clone + 'static {
    let tx = tx.clone();
    move |msg| tx.send(Event::Msg(msg)).is_ok()
}
