//! Watching a run from its start, or its resumption, to its end.

use std::time::{Duration, Instant};

use anyhow::Result;
use gradtop_host::{Action, HostError, Why, Withdrawn};
use gradtop_store::{Event, EventLine, Kind, RunDir, State, View};
use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::follow::Follower;
use super::logs::{event_json, event_words};
use crate::failure::Failure;
use crate::print::progress::{Progress, Shown};
use crate::print::{self, clean, last_lines};
use gradtop_chart::cells::text::{fit, width_of};
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::number;
use gradtop_view::state;

/// Exit code when the run goes on without us.
pub(crate) const LEFT_RUNNING: i32 = 5;
/// Time between two looks at the run.
const LOOK: Duration = Duration::from_millis(100);
/// Time between two status lines where nobody sees a bar.
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// Time between two status lines of JSON.
const JSON_EVERY: Duration = Duration::from_secs(1);
/// Headline values in a line.
const VALUES: usize = 4;

/// How a run is watched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watch {
    /// JSON lines on standard output.
    pub(crate) json: bool,
    /// Ctrl-C asks the run to stop. Otherwise it only ends the watching.
    pub(crate) ours: bool,
}

/// How long a run that is left may take to say that it goes on.
const PATIENCE: Duration = Duration::from_secs(3);

/// Signals that came, counted. Made before a run is, so that none ends the command in silence.
pub(crate) struct Caught {
    signals: Signals,
    counts: Counts,
}

/// How many of each came.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) interrupts: usize,
    pub(crate) hangups: usize,
    /// Of `docker stop`, `systemctl stop`, `timeout` and the like. However many come, they ask for a stop once, and nothing
    /// takes it back.
    pub(crate) terminations: usize,
}

impl Counts {
    /// Whether a stop is asked for.
    pub(crate) fn stop(self) -> bool {
        self.interrupts + self.terminations > 0
    }
}

impl Caught {
    /// From now on. After `nohup` hangups stay ignored; an interrupt is heard even where a shell has started the command in
    /// the background, since whoever sends one means it.
    pub(crate) fn new() -> Result<Self> {
        let heard = [SIGINT, SIGTERM].into_iter().chain(Some(SIGHUP).filter(|signal| !is_ignored(*signal)));
        Ok(Self { signals: Signals::new(heard)?, counts: Counts::default() })
    }

    /// What has come so far.
    pub(crate) fn counts(&mut self) -> Counts {
        for signal in self.signals.pending() {
            *match signal {
                SIGINT => &mut self.counts.interrupts,
                SIGTERM => &mut self.counts.terminations,
                _ => &mut self.counts.hangups,
            } += 1;
        }
        self.counts
    }

    /// Whether any has come so far.
    pub(crate) fn any(&mut self) -> bool {
        let counts = self.counts();
        counts.stop() || counts.hangups > 0
    }
}

/// Whether this process was started with a signal ignored.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}

/// The first line: what was started and where.
pub(crate) fn announce(view: &View, verb: &str, json: bool) -> Result<()> {
    if json {
        return print_json(view, "started", None);
    }
    let m = &view.manifest;
    let threads = if m.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", m.threads) };
    let facts = match &m.command {
        Some(command) => vec![clean(&m.experiment.id), clean(&command.in_words())],
        None => vec![clean(&m.experiment.id), clean(&m.device), threads, format!("seed {}", m.seed)],
    };
    let name = print::styled(&m.run, Ink::Bold);
    print::line(&format!("{verb} {name}  {}", print::styled(&facts.join(" · "), Ink::Dim)));
    if let Some(reason) = m.device_reason.as_deref().filter(|r| !r.is_empty()) {
        print::dim(&format!("{}: {}", clean(&m.device), clean(reason)));
    }
    Ok(())
}

/// Starts a run and watches it, unless it is to be left alone; gives the exit code.
pub(crate) fn start(
    mut caught: Caught,
    detach: bool,
    json: bool,
    launch: impl FnOnce() -> gradtop_host::Result<RunDir>,
) -> Result<i32> {
    if caught.any() {
        return Err(interrupted());
    }
    let run = match launch() {
        Ok(run) => run,
        Err(_) if caught.any() => return Err(interrupted()),
        Err(e) => return Err(e.into()),
    };
    let view = super::view(&run)?;
    // Whoever interrupts a start wants it stopped, detached or not.
    let detach = detach && !caught.any();
    if detach && !json {
        // Only the name, for scripts: run=$(gradtop run … --detach).
        print::line(&view.manifest.run);
        return Ok(0);
    }
    announce(&view, "started", json)?;
    if detach {
        return Ok(0);
    }
    watch(&run, Watch { json, ours: true }, &mut caught)
}

/// The error for a Ctrl-C or SIGTERM before there was a run.
fn interrupted() -> anyhow::Error {
    Failure::new("interrupted before the run was started; nothing was left behind".to_owned()).into()
}

/// Watches until the run has ended or is left; gives the exit code.
pub(crate) fn watch(run: &RunDir, how: Watch, caught: &mut Caught) -> Result<i32> {
    let mut events = Follower::from_end(run, run.events());
    let mut progress = if how.json { None } else { Progress::start() };
    let mut asked_to_stop = false;
    let mut told: Option<Instant> = None;
    let mut before = String::new();
    let result = loop {
        let view = match super::view(run) {
            Ok(view) => view,
            Err(_) if !run.path().exists() => {
                let gone = format!("the folder of {} was moved or deleted, which ends the run", run.name());
                let help = "if it was moved, its rows and its final state are in the new place";
                break Err(Failure::new(gone).help(help).into());
            }
            Err(e) => break Err(e),
        };
        let mut lines = Vec::new();
        loop {
            let more = events.lines().unwrap_or_default();
            if more.is_empty() {
                break;
            }
            lines.extend(more);
        }
        for line in &lines {
            show_event(line, how.json, progress.as_ref());
        }
        if view.state.is_final() {
            break Ok(Left::Ended(view));
        }
        let counts = caught.counts();
        if counts.hangups > 0 || print::nobody_reads() || counts.stop() && !how.ours {
            break Ok(Left::Alone(view));
        }
        if counts.interrupts > 1 {
            // One alone may both ask and leave: two that came between two looks.
            let taken_back = asked_to_stop && counts.terminations == 0;
            break if taken_back { take_back(run) } else { Ok(Left::Alone(view)) };
        }
        if counts.stop() && !asked_to_stop {
            asked_to_stop = true;
            match gradtop_host::stop(run, None) {
                // It has ended since it was looked at.
                Ok(_) | Err(HostError::NotAllowed { why: Why::Ended(_), .. }) => {}
                Err(e) => break Err(e.into()),
            }
            let say = || {
                let is_command = view.manifest.kind == Kind::Command;
                print::note(match (counts.terminations > 0, is_command) {
                    (true, true) => "received SIGTERM: the command has been asked to stop",
                    (true, false) => "received SIGTERM: stopping after this step",
                    // It may have had its signal already.
                    (false, true) => "the command has been asked to stop",
                    (false, false) => {
                        "stopping after this step; press Ctrl-C again to cancel and leave it running"
                    }
                });
            };
            progress.as_ref().map_or_else(say, |p| p.above(say));
        }
        let status = status_line(&view);
        let due = |every| told.is_none_or(|t: Instant| t.elapsed() >= every) && status != before;
        if let Some(progress) = &mut progress {
            progress.show(shown(&view));
        } else if how.json && due(JSON_EVERY) {
            print_json(&view, "status", None)?;
            (told, before) = (Some(Instant::now()), status);
        } else if !how.json && due(PLAIN_EVERY) && view.status.step.is_some() {
            print::line(&status);
            (told, before) = (Some(Instant::now()), status);
        }
        std::thread::sleep(LOOK);
    };
    if let Some(progress) = progress {
        progress.end();
    }
    let left = result?;
    if let Left::Ended(view) | Left::TooLate(view) = &left {
        if matches!(left, Left::TooLate(_)) && !how.json {
            print::note("it ended before the stop could be cancelled");
        }
        end(view, how.json)?;
        return Ok(view.state.exit_code());
    }
    leave(&left, how)?;
    Ok(LEFT_RUNNING)
}

/// How the watching ended.
enum Left {
    /// With the run.
    Ended(View),
    /// With the run, whose stop was to be taken back.
    TooLate(View),
    /// Without it; it goes on as it was.
    Alone(View),
    /// Without it; its stop was taken back.
    GoesOn(View),
    /// Without it; it has not taken the stop back yet, and does not at all if its experiment has been told.
    Stopping(View, bool),
}

/// Takes back the stop that the first Ctrl-C asked for.
fn take_back(run: &RunDir) -> Result<Left> {
    Ok(match gradtop_host::withdraw_stop(run, PATIENCE)? {
        Withdrawn::Continues(view) => Left::GoesOn(view),
        Withdrawn::StillStopping { view, notified } => Left::Stopping(view, notified),
        Withdrawn::Ended(_) => Left::TooLate(super::view(run)?),
    })
}

fn leave(left: &Left, how: Watch) -> Result<()> {
    let (Left::GoesOn(view)
    | Left::Stopping(view, _)
    | Left::Alone(view)
    | Left::Ended(view)
    | Left::TooLate(view)) = left;
    let how_it_goes = match left {
        Left::GoesOn(_) => "keeps running in the background: the stop was cancelled",
        Left::Stopping(_, true) => "is still stopping in the background: it was too late to cancel",
        Left::Stopping(_, false) => "has not yet confirmed that it keeps running",
        _ if view.state == State::Stopping => "is still stopping in the background",
        _ => "keeps running in the background",
    };
    if how.json {
        return print_json(view, "left", Some(LEFT_RUNNING));
    }
    let stopping = matches!(left, Left::Stopping(_, true)) || view.state == State::Stopping;
    let name = &view.manifest.run;
    print::note(&format!("{name} {how_it_goes}"));
    print::note(&format!("  gradtop wait {name}     wait until it has ended"));
    print::note(&format!("  gradtop logs -f {name}  follow its output"));
    if !stopping {
        print::note(&format!("  gradtop stop {name}     stop it"));
    }
    Ok(())
}

/// The last lines: how the run ended, and what to do next.
pub(crate) fn end(view: &View, json: bool) -> Result<()> {
    if json {
        return print_json(view, "final", Some(view.state.exit_code()));
    }
    let s = &view.status;
    let name = &view.manifest.run;
    let took = state::took(view, jiff::Timestamp::now()).map(|t| format!(" after {}", number::duration(t)));
    let step = state::step(s).map(|n| format!(", step {}", number::count(n as f64)));
    let cause = s.cause.as_deref().filter(|c| !c.is_empty()).map(|c| format!(": {}", clean(c)));
    let more: String = [took, step, cause].into_iter().flatten().collect();
    let words = print::styled(&state::words(view), state::ink(view.state));
    print::line(&format!("{words}  {}{more}", print::styled(name, Ink::Bold)));
    for headline in state::headlines(view) {
        let values = state::headline_values(&headline);
        let metric = state::headline_title(headline.metric, None);
        let room = room(width_of(&metric) + 4);
        for (i, line) in folded(&values, room).iter().enumerate() {
            let lead = if i == 0 { print::styled(&metric, Ink::Dim) } else { " ".repeat(width_of(&metric)) };
            print::line(&format!("  {lead}  {line}"));
        }
    }
    if s.headline_is_part {
        print::dim("  these are the best of each; the log has all of them");
    }
    let hint = match view.state {
        State::Finished => format!("gradtop plot {name}"),
        _ if gradtop_host::allowed(view, Action::Resume).is_ok() => format!("gradtop resume {name}"),
        _ => format!("gradtop logs {name}"),
    };
    print::dim(&format!("  {hint}"));
    Ok(())
}

/// Columns of the terminal beside those that are taken.
fn room(taken: usize) -> usize {
    print::terminal().size.map_or(usize::MAX, |(width, _)| width.saturating_sub(taken))
}

/// Items in lines of at most `width` columns, none of them broken.
fn folded(items: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        match lines.last_mut() {
            Some(line) if width_of(line) + 2 + width_of(item) <= width => {
                line.push_str("  ");
                line.push_str(item);
            }
            _ => lines.push(item.clone()),
        }
    }
    lines
}

fn print_json(view: &View, kind: &str, exit_code: Option<i32>) -> Result<()> {
    let mut fields = serde_json::Map::new();
    fields.insert("type".to_owned(), Value::String(kind.to_owned()));
    fields.extend(state::to_json(view));
    if let Some(code) = exit_code {
        fields.insert("exit_code".to_owned(), Value::from(code));
    }
    print::json(&fields)
}

/// States are shown by the bar and the last line; everything else is worth a line.
fn show_event(line: &[u8], json: bool, progress: Option<&Progress>) {
    if json {
        if let Some(value) = event_json(line) {
            print::line(&value.to_string());
        }
        return;
    }
    let Ok(EventLine { event, time }) = serde_json::from_slice(line) else { return };
    if matches!(
        event,
        Event::State { .. } | Event::Checkpoint { .. } | Event::Request { .. } | Event::Unknown
    ) {
        return;
    }
    let words = event_words(&event);
    let say =
        || print::line(&format!("{}  {words}", print::styled(&gradtop_view::clock::moment(time), Ink::Dim)));
    progress.map_or_else(say, |p| p.above(say));
}

fn numbers(view: &View) -> Vec<String> {
    let step = state::step(&view.status).map(|step| format!("step {}", number::count(step as f64)));
    let eta = state::eta(view).map(|eta| format!("eta {}", number::time_left(eta)));
    [step, state::rate(view).map(number::rate), eta].into_iter().flatten().collect()
}

fn headline(view: &View) -> String {
    state::headline_text(view, VALUES)
}

fn phase(view: &View) -> String {
    if let Some(waiting) = state::waiting(view) {
        return waiting;
    }
    match (view.state, view.status.phase.as_deref()) {
        (State::Running, Some(phase)) if !phase.is_empty() => clean(phase),
        (state, _) => state.word().to_owned(),
    }
}

fn shown(view: &View) -> Shown {
    Shown {
        share: state::progress(view),
        phase: phase(view),
        numbers: numbers(view).join("  "),
        headline: fit(&headline(view), room(2 + last_lines::ECHO), print::ascii()),
    }
}

fn status_line(view: &View) -> String {
    let mut parts = vec![view.manifest.run.clone(), phase(view)];
    parts.extend(state::progress(view).map(|(done, total)| number::percent(done, total)));
    parts.extend(numbers(view));
    parts.push(headline(view));
    parts.retain(|p| !p.is_empty());
    parts.join("  ")
}
