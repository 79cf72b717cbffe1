//! Runs the monitor. This is the only module with a terminal, threads, a clock and a channel.
//!
//! All events arrive through one channel. The loop takes everything that is waiting, input first, passes it to [`app::update`],
//! performs the returned tasks and draws once. Keys are drawn at once, resizes when they settle, data at most ten times a
//! second. Nothing is written if nothing has changed, and little while the terminal lags behind.

mod debounce;
mod flow_control;
mod input;
mod machine;
mod note;
mod notify;
mod once;
mod pace;
mod picture;
mod query;
mod runs;
mod settings;
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
use ratatui::backend::TestBackend;

use crate::app::{self, App, Msg};
use crate::config::LaunchDefaults;
use crate::print::paint::Painter;
use crate::print::terminal::tells_focus;
use crate::screens::effect::{Answer, Message, Task};
use crate::widgets::Turn;
use debounce::ResizeDebounce;
use flow_control::FlowControl;
use gradtop_chart::cells::theme::ThemeName;
use gradtop_view::chart_spec::ChartSpec;
pub(crate) use once::once;
use pace::{Cost, Pace};
use terminal::Screen;
use work::Workers;

/// Options of the monitor.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) runs: PathBuf,
    /// Refuse all changes.
    pub(crate) read_only: bool,
    /// The most frames per second caused by new data.
    pub(crate) fps: f64,
    /// The most kilobytes per second, on average; 0 for no limit.
    pub(crate) max_kbps: f64,
    /// Overrides the last chosen theme.
    pub(crate) theme: Option<ThemeName>,
    /// The default options of new runs.
    pub(crate) launch: LaunchDefaults,
    /// Whose logs are shown, instead of runs that are started here.
    pub(crate) opened: Option<PathBuf>,
}

/// An event of the main loop.
#[derive(Debug)]
enum Event {
    /// For the application.
    Msg(Msg),
    /// Suspend, as by the shell's Ctrl-Z.
    Suspend,
    /// Continued after a suspend: the state of the terminal is unknown.
    Continued,
    /// The terminal was resized.
    Resized,
    /// The terminal has responded to our last query.
    Answered,
    /// The terminal gained or lost the focus.
    Focus(bool),
}

impl From<Msg> for Event {
    fn from(msg: Msg) -> Self {
        Self::Msg(msg)
    }
}

impl Event {
    /// Returns whether the user is waiting for its effect.
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
pub(crate) fn last_chart() -> Option<ChartSpec> {
    settings::load(None).last
}

/// The theme chosen last.
pub(crate) fn remembered_theme() -> ThemeName {
    settings::load(None).theme
}

/// How long the first frame may wait for a complete list of runs.
const FIRST_FRAME_WAIT: Duration = Duration::from_millis(80);
/// How long another page may wait for its values on a slow line.
const PAGE_WAIT: Duration = Duration::from_millis(80);

/// How long to wait for a pending response before giving the terminal to others.
const RESPONSE_WAIT: Duration = Duration::from_millis(400);

/// Shows the monitor until the user quits. Returns the exit code.
pub(crate) fn run(options: &Options) -> Result<i32> {
    let (tx, rx) = channel();
    let mut app =
        App::new(crate::print::theme(), settings::load(options.theme), options.read_only, Timestamp::now());
    app.shared.launch = options.launch;
    app.shared.opened.clone_from(&options.opened);
    let workers = Workers::start(options, &tx);
    signals::start(&tx)?;
    let screen = Screen::enter(&tx, !app.shared.settings.select)?;
    let due = Arc::default();
    let gate = input::Gate::default();
    input::start(&tx, Arc::clone(&due), gate.clone())?;
    let mut monitor = Monitor {
        screen,
        gate,
        painter: Painter::new(terminal::size()),
        frames: Terminal::new(frame_of(terminal::size()))?,
        workers,
        events: rx,
        early: Vec::new(),
        pace: Pace::new(options.fps, options.max_kbps),
        flow: FlowControl::new(due),
        size: ResizeDebounce::default(),
        focus: None,
        resumed: false,
        opening: None,
        tick: Instant::now(),
        machine: machine::Meter::default(),
        drawn: 0,
        quit: false,
    };
    let result = monitor.first(&mut app).and_then(|()| monitor.run(&mut app));
    monitor.leave();
    match result {
        // The terminal may be gone before its SIGHUP arrives, which is not an error.
        Err(error) if !hung_up(&error) => Err(error),
        _ => Ok(0),
    }
}

/// What ratatui takes for the terminal while it lends us frames: [`Painter`] writes them.
fn frame_of((width, height): (u16, u16)) -> TestBackend {
    TestBackend::new(width, height)
}

/// Returns whether an error means that the terminal is gone.
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
    painter: Painter,
    /// Lends the frames that are drawn.
    frames: Terminal<TestBackend>,
    workers: Workers,
    events: Receiver<Event>,
    /// Events that arrived while waiting for a response.
    early: Vec<Event>,
    pace: Pace,
    flow: FlowControl,
    size: ResizeDebounce,
    /// Whether the terminal has the focus, if it reports that.
    focus: Option<bool>,
    /// We have just continued after suspending ourselves, so the signal is no news.
    resumed: bool,
    /// Until when a frame waits for its content, so that a page is not sent twice over a slow line.
    opening: Option<Instant>,
    tick: Instant,
    machine: machine::Meter,
    /// The number of frames drawn.
    drawn: u64,
    /// The user has quit.
    quit: bool,
}

impl Monitor {
    /// Waits for the size and the runs, then draws the first frame.
    fn first(&mut self, app: &mut App) -> Result<()> {
        let (width, height) = terminal::size();
        self.update(app, Msg::Resize(width, height))?;
        let end = Instant::now() + FIRST_FRAME_WAIT;
        // Determining the time zone takes a while, and the first frame needs it.
        gradtop_view::clock::zone();
        while !app.shared.runs.loaded && !self.quit {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(event) => self.handle(app, event)?,
                Err(_) => break,
            }
        }
        if !self.quit {
            self.draw(app, Cost::Free)?;
            self.workers.start_late();
        }
        Ok(())
    }

    fn handle(&mut self, app: &mut App, event: Event) -> Result<()> {
        match event {
            Event::Msg(msg) => {
                if matches!(msg, Msg::Key(_) | Msg::Mouse(_) | Msg::Paste(_)) {
                    self.flow.key(Instant::now());
                }
                if matches!(msg, Msg::Live(_)) {
                    self.opening = None;
                }
                self.update(app, msg)?;
            }
            Event::Resized => self.size.resized(Instant::now()),
            Event::Answered => self.flow.answered(Instant::now()),
            Event::Focus(ours) => self.focus = Some(ours),
            Event::Suspend => self.suspend(app)?,
            Event::Continued if std::mem::take(&mut self.resumed) => {}
            Event::Continued => self.continued(app)?,
        }
        Ok(())
    }

    /// Handles events and draws until the user quits.
    fn run(&mut self, app: &mut App) -> Result<()> {
        // Whether the screen is out of date, and whether the user is waiting for it.
        let (mut stale, mut urgent) = (false, false);
        // Whether the next frame is the first one of this size.
        let mut resized = false;
        while !self.quit {
            let now = Instant::now();
            let mut wake = if self.early.is_empty() { self.tick } else { now };
            if let Some(settled) = self.size.due() {
                wake = wake.min(settled);
            } else if stale && self.flow.open(now, urgent) {
                wake = wake.min(self.opening.unwrap_or_else(|| self.pace.next()));
            }
            let first = match self.events.recv_timeout(wake.saturating_duration_since(now)) {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            let mut batch = std::mem::take(&mut self.early);
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
                self.handle(app, event)?;
                if self.quit {
                    return Ok(());
                }
            }
            let now = Instant::now();
            if self.size.settled(now) {
                self.resize(app)?;
                (stale, urgent, resized) = (true, true, true);
            }
            let due = (urgent || now >= self.pace.next()) && self.opening.is_none_or(|until| now >= until);
            if stale && due && self.size.due().is_none() && self.flow.open(now, urgent) {
                let cost = match (urgent, resized) {
                    (false, _) => Cost::Data,
                    (true, true) if self.flow.is_far() => Cost::Size,
                    (true, _) => Cost::Free,
                };
                self.draw(app, cost)?;
                (stale, urgent, resized, self.opening) = (app.shared.turns.owed(), false, false, None);
            }
        }
        Ok(())
    }

    /// Redraws everything in the current size of the terminal.
    fn resize(&mut self, app: &mut App) -> Result<()> {
        let (width, height) = terminal::size();
        self.painter.clear((width, height));
        self.frames = Terminal::new(frame_of((width, height)))?;
        self.update(app, Msg::Resize(width, height))
    }

    /// Passes a message to the application and performs the tasks that it returns.
    fn update(&mut self, app: &mut App, msg: Msg) -> Result<()> {
        for task in app::update(app, msg) {
            match task {
                Task::Quit => self.quit = true,
                Task::Suspend => self.suspend(app)?,
                Task::Note(run) => {
                    let runs = Arc::clone(&app.shared.runs);
                    self.lend(app, || Some(note::write(&runs, &run)))?;
                }
                Task::Query(asked) => {
                    let runs = Arc::clone(&app.shared.runs);
                    self.lend(app, || query::ask(&runs, &asked))?;
                }
                Task::Redraw => self.painter.clear(self.frames.size()?.into()),
                Task::Mouse(ours) => self.screen.mouse(ours)?,
                Task::Alert(_) if self.focus == Some(true) && tells_focus() => {}
                Task::Alert(alerts) => self.screen.alert(&alerts),
                other => {
                    if matches!(other, Task::Watch(_)) && self.flow.is_far() {
                        self.opening = Some(Instant::now() + PAGE_WAIT);
                    }
                    self.workers.perform(other, &app.shared.runs);
                }
            }
        }
        // The set of running runs may have changed, and with it the interval of ticks.
        self.tick = self.tick.min(Instant::now() + app.next_tick());
        Ok(())
    }

    fn suspend(&mut self, app: &mut App) -> Result<()> {
        self.await_response();
        self.screen.suspended()?;
        self.resumed = true;
        self.continued(app)
    }

    /// Runs another program in the terminal, then shows its result.
    fn lend(&mut self, app: &mut App, run: impl FnOnce() -> Option<Message>) -> Result<()> {
        self.await_response();
        self.gate.close(true);
        self.screen.lend();
        let result = run();
        // Suspends during that time were meant for the other program.
        let ours = |event: &Event| !matches!(event, Event::Suspend | Event::Continued);
        self.early.extend(self.events.try_iter().filter(ours));
        let left = self.continued(app);
        self.gate.close(false);
        left?;
        let Some(result) = result else { return Ok(()) };
        self.update(app, Msg::Answer(Answer::Done(result, None)))
    }

    fn continued(&mut self, app: &mut App) -> Result<()> {
        self.screen.again()?;
        self.flow.renewed();
        self.resize(app)?;
        // Time has passed, so the next frame must show the present.
        self.update(app, Msg::Tick(Timestamp::now()))
    }

    fn draw(&mut self, app: &mut App, cost: Cost) -> Result<()> {
        app.shared.behind = self.flow.behind(Instant::now());
        self.drawn += 1;
        app.shared.turns.begin(match cost {
            _ if !self.flow.is_far() => Turn::All,
            Cost::Data => Turn::Of(self.drawn),
            // What the user waits for comes first.
            Cost::Free | Cost::Size => Turn::Nobody,
        });
        self.screen.name(&app.title());
        app::view(app, &mut self.frames.get_frame());
        // The painter compares with what the terminal shows, so ratatui's own comparison is bypassed.
        self.painter.show(self.frames.current_buffer_mut());
        self.frames.swap_buffers();
        let bytes = self.painter.take();
        let now = Instant::now();
        let ask = self.flow.ask(now, bytes.len());
        let written = self.screen.write(&bytes, ask)?;
        if written > 0 {
            self.flow.written(now, written, ask);
        }
        self.pace.drawn(now, written, cost);
        Ok(())
    }

    /// Waits for the pending response, so that it does not end up in the shell.
    fn await_response(&mut self) {
        let end = Instant::now() + RESPONSE_WAIT;
        while self.flow.waiting(Instant::now()) {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(Event::Answered) => self.flow.answered(Instant::now()),
                Ok(other) => self.early.push(other),
                Err(_) => return,
            }
        }
    }

    /// Restores the terminal, then ends the workers.
    fn leave(mut self) {
        self.await_response();
        drop(self.screen);
        self.workers.end();
    }
}

/// Returns a function that sends a message, and returns whether anybody still listens.
fn sender(tx: &Sender<Event>) -> impl Fn(Msg) -> bool + Send + Clone + 'static {
    let tx = tx.clone();
    move |msg| tx.send(Event::Msg(msg)).is_ok()
}
