//! `gradtop logs`: prints a run's output and events.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::Result;
use gradtop_store::{Event, EventLine, RunDir, StoreError, missing_files};
use serde_json::{Value, json};

use super::Context;
use super::follow::Follower;
use crate::print::{self, clean, paint};
use crate::screens::run::console::line;
use crate::screens::run::console::sgr::Look;
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::number;
use gradtop_view::run::{events, state};

#[derive(Debug, clap::Args)]
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
    /// Only the last N lines of output, and the last N events
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
    let both = !args.console && !args.events;
    let (mut look, mut lost) = (Look::default(), 0);
    let printed = print_new(events.as_mut(), args, &mut |line, json| event(line, json, both, &mut lost));
    let unread = readable(&mut events, printed, both)?;
    let printed = print_new(console.as_mut(), args, &mut |line, json| written(line, json, &mut look));
    readable(&mut console, printed, both && unread.is_none())?;
    if args.follow {
        follow(&run, args, (events.as_mut(), &mut lost), (console.as_mut(), &mut look))?;
    }
    if let Some(rest) = console.as_mut().and_then(Follower::rest) {
        written(&rest, args.json, &mut look)?;
    }
    let lost = (lost > 0).then(|| number::counted(lost, "line"));
    print::warn_of_damage(lost.map(|lines| format!("events.jsonl is damaged: {lines} cannot be understood")));
    let of = [events.map(|_| run.events()), console.map(|_| run.console())];
    let is_shown = |e: &StoreError| of.iter().flatten().any(|file| e.damaged_file() == Some(file));
    print::warn_of_damage(missing_files(&run).into_iter().filter(is_shown));
    Ok(0)
}

/// Warns of a file that cannot be read, which is followed no more, if something `else_is` shown; returns why.
fn readable(file: &mut Option<Follower>, read: Result<()>, else_is: bool) -> Result<Option<anyhow::Error>> {
    match read {
        Err(e) if else_is && e.downcast_ref::<std::io::Error>().is_some() => {
            print::warn_of_damage([format!("{e:#}")]);
            *file = None;
            Ok(Some(e))
        }
        read => read.map(|()| None),
    }
}

fn follow(
    run: &RunDir,
    args: &Args,
    (mut events, lost): (Option<&mut Follower>, &mut usize),
    (mut console, look): (Option<&mut Follower>, &mut Look),
) -> Result<()> {
    let whole = Args { run: args.run.clone(), lines: None, ..*args };
    let both = events.is_some() && console.is_some();
    loop {
        // Checked before reading, so that everything written before the end is printed.
        let ended = super::view(run)?.state.is_final();
        print_new(events.as_deref_mut(), &whole, &mut |line, json| event(line, json, both, lost))?;
        print_new(console.as_deref_mut(), &whole, &mut |line, json| written(line, json, look))?;
        if ended || print::nobody_reads() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(150));
    }
}

/// Prints a line, given whether as JSON.
type Show<'a> = &'a mut dyn FnMut(&[u8], bool) -> Result<()>;

fn print_new(follower: Option<&mut Follower>, args: &Args, show: Show<'_>) -> Result<()> {
    let Some(follower) = follower else { return Ok(()) };
    let Some(most) = args.lines else { return follower.each(|line| show(line, args.json)) };
    let mut kept: VecDeque<Vec<u8>> = VecDeque::new();
    follower.each(|line| {
        kept.push_back(line.to_owned());
        kept.drain(..kept.len().saturating_sub(most));
        Ok(())
    })?;
    kept.iter().try_for_each(|line| show(line, args.json))
}

/// Prints a line of output as a terminal would have left it, in colour where possible: a progress bar in its last state.
pub(super) fn written(line: &[u8], json: bool, look: &mut Look) -> Result<()> {
    let text = String::from_utf8_lossy(line);
    if json {
        return print::json(&json!({"type": "console", "line": text}));
    }
    let text = text.trim_end_matches('\r');
    if *look == Look::default() && !text.contains(|c: char| c.is_control() && c != '\t') {
        // Nothing is cut, however long the line. Tabs are kept because they align columns.
        print::out(&(text.split('\t').map(clean).collect::<Vec<_>>().join("\t") + "\n"));
        return Ok(());
    }
    let line = line::parse(text.as_bytes(), look);
    let parts: String = line.parts().map(|(text, look)| coloured(text, look)).collect();
    let cut = (line.cut > 0).then(|| format!(" … {} more", number::count(line.cut as f64)));
    print::out(&(parts + &cut.unwrap_or_default() + "\n"));
    Ok(())
}

/// Text in a style, if the terminal has colours.
fn coloured(text: &str, look: Look) -> String {
    let theme = print::theme();
    if theme.coloured() { paint::styled(text, look.style(theme)) } else { text.to_owned() }
}

/// Prints an event, and counts a line of which one is lost. With the output, what the run logged as text is left out: the output
/// has it.
fn event(line: &[u8], json: bool, with_output: bool, lost: &mut usize) -> Result<()> {
    let found = gradtop_store::whole_event(line);
    *lost += usize::from(found.as_ref().is_none_or(|(whole, _)| *whole != line));
    let Some((whole, event)) = found else { return Ok(()) };
    if json {
        return event_json(whole).map_or(Ok(()), |value| print::json(&value));
    }
    if !(with_output && matches!(event.event, Event::Log { .. })) {
        print::line(&event_text(&event));
    }
    Ok(())
}

/// An event as JSON: the line in the file plus a `type`.
pub(crate) fn event_json(line: &[u8]) -> Option<Value> {
    let mut value: Value = serde_json::from_slice(line).ok()?;
    let fields = value.as_object_mut()?;
    fields.shift_insert(0, "type".to_owned(), Value::String("event".to_owned()));
    Some(value)
}

/// An event as one line with the time of day.
pub(crate) fn event_text(line: &EventLine) -> String {
    let time = print::styled(&gradtop_view::clock::moment(line.time), Ink::Dim);
    let (words, ink) = event_ink(&line.event);
    format!("{time}  {}", print::styled(&words, ink))
}

/// An event in words, and its ink.
pub(crate) fn event_ink(event: &Event) -> (String, Ink) {
    let words = events::words(event);
    match event {
        Event::State { state, .. } => (format!("{} {words}", state::glyph(*state)), state::ink(*state)),
        Event::Warning { .. } | Event::Alert { .. } => (words, Ink::Alert),
        _ => (words, Ink::Text),
    }
}
