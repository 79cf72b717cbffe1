//! `gradtop logs`: what happened to a run, and what its plugin wrote.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Result;
use gradtop_store::{Event, EventLine, RunDir};
use serde_json::{Value, json};

use super::Context;
use super::follow::Follower;
use crate::print::{self, clean};
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::number;
use gradtop_view::state;

/// Arguments of `logs`.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct Args {
    /// The run
    #[arg(default_value = "last")]
    run: String,
    /// Keep printing until the run has ended
    #[arg(short, long)]
    follow: bool,
    /// Only the run's standard output and standard error
    #[arg(long, conflicts_with = "events")]
    console: bool,
    /// Only events: states, checkpoints, warnings, the plugin's messages
    #[arg(long)]
    events: bool,
    /// Only the last N lines of each
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<usize>,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let run = context.find(&args.run)?;
    let mut events = (!args.console).then(|| Follower::new(&run, run.events()));
    let mut console = (!args.events).then(|| Follower::new(&run, run.console()));
    for (follower, name) in [(&events, "events.jsonl"), (&console, "console.log")] {
        if let Some(out) = follower.as_ref().map(Follower::offset).filter(|n| *n > 0) {
            print::note(&format!("warning: {name} is too long: skipped its first {}", number::bytes(out)));
        }
    }
    print_new(events.as_mut(), args, event)?;
    print_new(console.as_mut(), args, written)?;
    if args.follow {
        follow(&run, args, events.as_mut(), console.as_mut())?;
    }
    if let Some(rest) = console.as_mut().and_then(Follower::rest) {
        written(&rest, args.json)?;
    }
    Ok(0)
}

fn follow(
    run: &RunDir,
    args: &Args,
    mut events: Option<&mut Follower>,
    mut console: Option<&mut Follower>,
) -> Result<()> {
    let whole = Args { run: args.run.clone(), lines: None, ..*args };
    loop {
        // Looked at before reading: what was written until its end is still printed.
        let ended = super::view(run)?.state.is_final();
        print_new(events.as_deref_mut(), &whole, event)?;
        print_new(console.as_deref_mut(), &whole, written)?;
        if ended || print::stdout_gone() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(150));
    }
}

/// Prints a line of the file: as text, or as JSON.
type Show = fn(&[u8], bool) -> Result<()>;

fn print_new(follower: Option<&mut Follower>, args: &Args, show: Show) -> Result<()> {
    let Some(follower) = follower else { return Ok(()) };
    let mut kept: VecDeque<Vec<u8>> = VecDeque::new();
    loop {
        let lines = follower.lines()?;
        if lines.is_empty() || print::stdout_gone() {
            break;
        }
        for line in lines {
            match args.lines {
                None => show(&line, args.json)?,
                Some(most) => {
                    kept.push_back(line);
                    if kept.len() > most {
                        kept.pop_front();
                    }
                }
            }
        }
    }
    for line in &kept {
        show(line, args.json)?;
    }
    Ok(())
}

fn written(line: &[u8], json: bool) -> Result<()> {
    let text = String::from_utf8_lossy(line);
    if json {
        return print::json(&json!({"type": "console", "line": text}));
    }
    // Tabs stay: they align columns and do no harm.
    print::line(&text.trim_end_matches('\r').split('\t').map(clean).collect::<Vec<_>>().join("\t"));
    Ok(())
}

fn event(line: &[u8], json: bool) -> Result<()> {
    if json {
        return event_json(line).map_or(Ok(()), |value| print::json(&value));
    }
    if let Ok(event) = serde_json::from_slice::<EventLine>(line) {
        print::line(&event_text(&event));
    }
    Ok(())
}

/// An event's line as it stands in the file, with `type`.
pub(crate) fn event_json(line: &[u8]) -> Option<Value> {
    let mut value: Value = serde_json::from_slice(line).ok()?;
    let fields = value.as_object_mut()?;
    fields.shift_insert(0, "type".to_owned(), Value::String("event".to_owned()));
    Some(value)
}

/// An event in one line, with the time of day.
pub(crate) fn event_text(line: &EventLine) -> String {
    format!(
        "{}  {}",
        print::styled(&gradtop_view::clock::moment(line.time), Ink::Dim),
        event_words(&line.event)
    )
}

/// An event in words.
pub(crate) fn event_words(event: &Event) -> String {
    match event {
        Event::State { state, cause } => {
            let cause = cause.as_deref().map(|c| format!(": {}", clean(c))).unwrap_or_default();
            print::styled(&format!("{} {}{cause}", state::glyph(*state), state.word()), state::ink(*state))
        }
        Event::Checkpoint { step, path } => format!("checkpoint of step {step} in {}", clean(path)),
        Event::Resumed { step, checkpoint } => format!("continues from step {step}, {}", clean(checkpoint)),
        Event::Paused => "paused".to_owned(),
        Event::Unpaused => "goes on".to_owned(),
        Event::Request { what } => format!("asked to {}", clean(what)),
        Event::Warning { message } => print::styled(&format!("warning: {}", clean(message)), Ink::Alert),
        Event::Alert { message } => print::styled(&format!("alert: {}", clean(message)), Ink::Alert),
        Event::Log { level, message } => format!("[{}] {}", clean(level), clean(message)),
        Event::Signal { name, process } => format!("{} sent to the {}", clean(name), clean(process)),
        Event::Unknown => "(an event unknown to this gradtop)".to_owned(),
    }
}
