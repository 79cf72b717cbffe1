//! `gradtop --once`: prints one frame like the output of any command.

use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::{Options, runs, settings};
use crate::app::{self, App, Msg};
use crate::print;
use crate::screens::effect::Task;
use gradtop_view::live::engine::WatchedRuns;

/// The time limit for reading data. Whatever is missing then is marked in the frame.
const PATIENCE: Duration = Duration::from_secs(2);

/// Prints one frame in the size of the terminal, else `COLUMNS` by `LINES`, else 80 by 24.
pub(crate) fn once(options: &Options) -> Result<i32> {
    let mut settings = settings::load(options.theme);
    settings.welcomed = true;
    let mut app = App::new(print::theme(), settings, options.read_only, Timestamp::now());
    let (width, height) = size();
    let mut wanted = app::update(&mut app, Msg::Resize(width, height));
    let snapshot = runs::look(&options.runs);
    wanted.extend(app::update(&mut app, Msg::Runs(snapshot.into())));
    read(&mut app, wanted);
    let mut frame = Terminal::new(TestBackend::new(width, height))?;
    frame.draw(|frame| app::view(&app, frame))?;
    print::cells(frame.backend().buffer());
    Ok(0)
}

/// Reads everything that the screen watches.
fn read(app: &mut App, mut effects: Vec<Task>) {
    let end = Instant::now() + PATIENCE;
    let mut live = WatchedRuns::new();
    while let Some(requests) = effects.into_iter().rev().find_map(|e| match e {
        Task::Watch(requests) => Some(requests),
        _ => None,
    }) {
        live.watch(requests, Instant::now());
        while Instant::now() < end && live.work(Instant::now(), PATIENCE / 4).next == Some(Duration::ZERO) {}
        // New data may contain figures, which need more data.
        effects = app::update(app, Msg::Live(live.snapshot()));
    }
}

fn size() -> (u16, u16) {
    let variable = |name: &str| std::env::var(name).ok()?.parse::<u16>().ok().filter(|n| *n > 0);
    let terminal = print::terminal().size.map(|(w, h)| (w as u16, h as u16));
    let (width, height) = terminal.unwrap_or((80, 24));
    // Leaves a line for the shell's prompt.
    let height = if terminal.is_some() { height.saturating_sub(1).max(24) } else { height };
    match terminal {
        Some(_) => (width, height),
        None => (variable("COLUMNS").unwrap_or(width), variable("LINES").unwrap_or(height)),
    }
}
