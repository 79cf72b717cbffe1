//! Watches a run from its start or resumption to its end.

use std::time::{Duration, Instant};

use anyhow::Result;
use gradtop_host::{Action, HostError, Why, Withdrawn};
use gradtop_store::{Event, EventLine, Kind, RunDir, State, View};

use super::follow::Follower;
use super::logs::{event_json, event_text, written};
use super::signals::{Counts, Signals};
use crate::failure::Failure;
use crate::print::progress::{Progress, Shown};
use crate::print::{self, clean, draw_target};
use crate::screens::run::console::sgr::Look;
use gradtop_chart::cells::text::{fit, packed, width_of};
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::number;
use gradtop_view::run::{headline, json, progress, remark, state};

/// The exit code if the run continues without us.
pub(crate) const LEFT_RUNNING: i32 = 5;
/// How often the run is polled.
const POLL: Duration = Duration::from_millis(100);
/// How often the status is printed if standard error is not a terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// How often the status is printed as JSON.
const JSON_EVERY: Duration = Duration::from_secs(1);
/// The most headline values in a line.
const VALUES: usize = 4;

/// How long to wait for a cancelled stop to take effect.
const PATIENCE: Duration = Duration::from_secs(3);

/// Prints the first line: what was started and where.
fn announce(view: &View, verb: &str, json: bool) -> Result<()> {
    if json {
        return print_json(view, "started", None);
    }
    let m = &view.manifest;
    let mut facts = vec![clean(&m.experiment.id)];
    if let Some(command) = &m.command {
        facts.push(clean(&command.in_words()));
    } else {
        facts.extend(m.device.as_deref().map(clean));
        facts.extend(m.threads.map(|threads| number::counted(threads as usize, "thread")));
        facts.extend(m.seed.map(|seed| format!("seed {seed}")));
    }
    let name = print::styled(&m.run, Ink::Bold);
    print::line(&format!("{verb} {name}  {}", print::styled(&facts.join(" · "), Ink::Dim)));
    if let (Some(device), Some(reason)) = (&m.device, m.device_reason.as_deref().filter(|r| !r.is_empty())) {
        print::dim(&format!("{}: {}", clean(device), clean(reason)));
    }
    Ok(())
}

/// Reports a run that was started or resumed, and watches it unless detached. `output` is where the output begins, which
/// is shown of commands. Returns the exit code.
pub(crate) fn started(
    run: &RunDir,
    verb: &str,
    output: Follower,
    detach: bool,
    json: bool,
    signals: &mut Signals,
) -> Result<i32> {
    // Interrupting a start stops the run, even with --detach.
    let detach = detach && !signals.any();
    let view = super::view(run)?;
    if detach && !json {
        // Only the name, for scripts: run=$(gradtop run … --detach).
        print::answer(&view.manifest.run);
        return Ok(0);
    }
    announce(&view, verb, json)?;
    if detach {
        return Ok(0);
    }
    let output = (view.manifest.kind == Kind::Command && !json).then(|| (output, Look::default()));
    let mut watcher = Watcher {
        run,
        json,
        events: Follower::from_end(run, run.events()),
        output,
        progress: if json { None } else { Progress::start() },
        asked_to_stop: false,
        printed: None,
    };
    let outcome = watcher.watch(signals);
    if let Some(progress) = watcher.progress {
        progress.end();
    }
    let (view, outcome) = outcome?;
    match outcome {
        Outcome::Ended | Outcome::TooLate => {
            if outcome == Outcome::TooLate && !json {
                print::note("it ended before the stop could be cancelled");
            }
            end(&view, json)?;
            Ok(view.state.exit_code())
        }
        _ => leave(&view, outcome, json).map(|()| LEFT_RUNNING),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Ended,
    /// The run ended before its stop could be cancelled.
    TooLate,
    /// The run continues in the background.
    Continues,
    /// It continues, since its stop was cancelled.
    StopCancelled,
    /// Its stop was cancelled, but the run has not confirmed that yet.
    Unconfirmed,
    /// The experiment already knew of the stop, so it cannot be cancelled.
    Stopping,
}

struct Watcher<'a> {
    run: &'a RunDir,
    json: bool,
    events: Follower,
    /// The output of a command, with the style in effect.
    output: Option<(Follower, Look)>,
    progress: Option<Progress>,
    asked_to_stop: bool,
    /// The last printed status, and when it was printed.
    printed: Option<(Instant, String)>,
}

impl Watcher<'_> {
    fn watch(&mut self, signals: &mut Signals) -> Result<(View, Outcome)> {
        loop {
            let view = self.view()?;
            self.show_events();
            // Everything written before the end is shown, also a last line without its end.
            self.show_output(view.state.is_final());
            if view.state.is_final() {
                return Ok((view, Outcome::Ended));
            }
            let counts = signals.counts();
            let left = counts.hangups > 0 || print::nobody_reads();
            // Two interrupts between two polls both request the stop and cancel it.
            if !left && counts.interrupts > 1 && self.asked_to_stop && counts.terminations == 0 {
                return cancel_stop(self.run);
            }
            if left || counts.interrupts > 1 {
                return Ok((view, Outcome::Continues));
            }
            if counts.stop() && !self.asked_to_stop {
                self.ask_to_stop(&view, counts)?;
            }
            self.show_status(&view)?;
            std::thread::sleep(POLL);
        }
    }

    fn view(&self) -> Result<View> {
        super::view(self.run).map_err(|error| {
            if self.run.path().exists() {
                return error;
            }
            let gone = format!("the folder of {} was moved or deleted, which ends the run", self.run.name());
            let help = "if it was moved, its rows and its final state are in the new place";
            Failure::new(gone).help(help).into()
        })
    }

    fn show_events(&mut self) {
        let show = |line: &[u8]| {
            show_event(line, self.json, self.progress.as_ref());
            Ok(())
        };
        self.events.each(show).unwrap_or_default();
    }

    fn show_output(&mut self, all: bool) {
        let Some((output, look)) = &mut self.output else { return };
        loop {
            let mut lines = output.lines().unwrap_or_default();
            if lines.is_empty() {
                lines.extend(if all { output.rest() } else { None });
            }
            if lines.is_empty() {
                return;
            }
            above(self.progress.as_ref(), || {
                // Nobody reads it if it cannot be printed; that is checked with each poll.
                for line in &lines {
                    written(line, false, look).unwrap_or_default();
                }
            });
        }
    }

    fn ask_to_stop(&mut self, view: &View, counts: Counts) -> Result<()> {
        self.asked_to_stop = true;
        match gradtop_host::stop(self.run, None) {
            // The run has ended since the last poll.
            Ok(_) | Err(HostError::NotAllowed { why: Why::Ended(_), .. }) => {}
            Err(e) => return Err(e.into()),
        }
        let is_command = view.manifest.kind == Kind::Command;
        let note = match (counts.terminations > 0, is_command) {
            (true, true) => "received SIGTERM: the command has been asked to stop",
            (true, false) => "received SIGTERM: stopping after this step",
            // The command may have received its signal already.
            (false, true) => "the command has been asked to stop",
            (false, false) => "stopping after this step; press Ctrl-C again to cancel and leave it running",
        };
        above(self.progress.as_ref(), || print::note(note));
        Ok(())
    }

    fn show_status(&mut self, view: &View) -> Result<()> {
        if let Some(progress) = &mut self.progress {
            progress.show(shown(view));
            return Ok(());
        }
        let status = status_line(view);
        let every = if self.json { JSON_EVERY } else { PLAIN_EVERY };
        let due = |(at, before): &(Instant, String)| at.elapsed() >= every && *before != status;
        if !self.printed.as_ref().is_none_or(due) {
            return Ok(());
        }
        if self.json {
            print_json(view, "status", None)?;
        } else if view.status.step.is_some() {
            print::line(&status);
        } else {
            return Ok(());
        }
        self.printed = Some((Instant::now(), status));
        Ok(())
    }
}

/// Prints something, above the progress bar if there is one.
fn above(progress: Option<&Progress>, print: impl FnOnce()) {
    match progress {
        Some(progress) => progress.above(print),
        None => print(),
    }
}

/// Cancels the stop that the first Ctrl-C requested.
fn cancel_stop(run: &RunDir) -> Result<(View, Outcome)> {
    Ok(match gradtop_host::withdraw_stop(run, PATIENCE)? {
        Withdrawn::Continues(view) => (view, Outcome::StopCancelled),
        Withdrawn::StillStopping { view, notified: true } => (view, Outcome::Stopping),
        Withdrawn::StillStopping { view, notified: false } => (view, Outcome::Unconfirmed),
        Withdrawn::Ended(_) => (super::view(run)?, Outcome::TooLate),
    })
}

/// Says that the run continues, and how to return to it.
fn leave(view: &View, how: Outcome, json: bool) -> Result<()> {
    if json {
        return print_json(view, "left", Some(LEFT_RUNNING));
    }
    let words = match how {
        Outcome::StopCancelled => "keeps running in the background: the stop was cancelled",
        Outcome::Stopping => "is still stopping in the background: it was too late to cancel",
        Outcome::Unconfirmed => "has not yet confirmed that it keeps running",
        _ if view.state == State::Stopping => "is still stopping in the background",
        _ => "keeps running in the background",
    };
    let name = &view.manifest.run;
    print::note(&format!("{name} {words}"));
    print::note(&format!("  gradtop wait {name}     wait until it has ended"));
    print::note(&format!("  gradtop logs -f {name}  follow its output"));
    if how != Outcome::Stopping && view.state != State::Stopping {
        print::note(&format!("  gradtop stop {name}     stop it"));
    }
    Ok(())
}

/// Prints the last lines: how the run ended, and what to do next.
pub(crate) fn end(view: &View, json: bool) -> Result<()> {
    if json {
        return print_json(view, "final", Some(view.state.exit_code()));
    }
    let s = &view.status;
    let name = &view.manifest.run;
    let took =
        progress::took(view, jiff::Timestamp::now()).map(|t| format!(" after {}", number::duration(t)));
    let step = s.step.map(|n| format!(", step {}", number::whole(n)));
    let more: String = [took, step, Some(remark::because(view))].into_iter().flatten().collect();
    let words = print::styled(&state::label(view), state::ink(view.state));
    print::line(&format!("{words}  {}{more}", print::styled(name, Ink::Bold)));
    for headline in headline::all(view) {
        let values = headline::values(&headline);
        let metric = headline::title(headline.metric, None);
        let room = room(width_of(&metric) + 4);
        for (i, line) in packed(&values, "  ", room).iter().enumerate() {
            let lead = if i == 0 { print::styled(&metric, Ink::Dim) } else { " ".repeat(width_of(&metric)) };
            print::line(&format!("  {lead}  {line}"));
        }
    }
    if s.headline_is_part {
        print::dim(&format!("  not all of them: `gradtop show {name} --json` has every series"));
    }
    let hint = match view.state {
        State::Finished if has_rows(view) => format!("gradtop plot {name}"),
        _ if gradtop_host::allowed(view, Action::Resume).is_ok() => format!("gradtop resume {name}"),
        _ => format!("gradtop logs {name}"),
    };
    print::command(&hint);
    Ok(())
}

/// Returns whether a run has rows of its own to draw. A command may log nothing.
fn has_rows(view: &View) -> bool {
    view.manifest.kind != Kind::Command || view.status.step.is_some()
}

/// Columns of the terminal left when so many are taken.
fn room(taken: usize) -> usize {
    print::terminal().size.map_or(usize::MAX, |(width, _)| width.saturating_sub(taken))
}

/// Prints a run as a line of JSON of this type.
pub(crate) fn print_json(view: &View, kind: &str, exit_code: Option<i32>) -> Result<()> {
    let mut fields = json::of(view);
    fields.shift_insert(0, "type".to_owned(), kind.into());
    if let Some(code) = exit_code {
        fields.insert("exit_code".to_owned(), code.into());
    }
    print::json(&fields)
}

/// Prints an event, except for changes of state, which the bar and the last line show.
fn show_event(line: &[u8], json: bool, progress: Option<&Progress>) {
    use Event::{Checkpoint, Request, State, Unknown};

    if json {
        if let Some(value) = event_json(line) {
            print::json(&value).ok();
        }
        return;
    }
    let Ok(line) = serde_json::from_slice::<EventLine>(line) else { return };
    if !matches!(line.event, State { .. } | Checkpoint { .. } | Request { .. } | Unknown) {
        above(progress, || print::line(&event_text(&line)));
    }
}

fn numbers(view: &View) -> Vec<String> {
    let step = view.status.step.map(|step| format!("step {}", number::whole(step)));
    [step, progress::rate(view).map(number::rate), progress::eta_words(view)].into_iter().flatten().collect()
}

fn phase(view: &View) -> String {
    if let Some(waiting) = remark::waiting(view) {
        return waiting;
    }
    match (view.state, view.status.phase.as_deref()) {
        (State::Running, Some(phase)) if !phase.is_empty() => clean(phase),
        (state, _) => state.word().to_owned(),
    }
}

fn shown(view: &View) -> Shown {
    Shown {
        share: progress::of(view),
        phase: phase(view),
        numbers: numbers(view).join("  "),
        // Never empty: a bar that changes its height makes the screen jump.
        below: format!(
            "  {}",
            fit(&headline::text(view, VALUES), room(2 + draw_target::ECHO), print::ascii())
        ),
    }
}

fn status_line(view: &View) -> String {
    let mut parts = vec![view.manifest.run.clone(), phase(view)];
    parts.extend(progress::of(view).map(|(done, total)| number::percent(done, total)));
    parts.extend(numbers(view));
    parts.push(headline::text(view, VALUES));
    parts.retain(|p| !p.is_empty());
    parts.join("  ")
}
