//! `gradtop note`: writes a note about a run.

use std::io::IsTerminal as _;

use anyhow::Result;
use gradtop_store::{RunDir, change_notes, experiment_of, follow_run, read_notes};

use super::Context;
use crate::editor;
use crate::failure::Failure;
use crate::print::{self, clean};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The note is shown by `show`, `list` and the monitor. `gradtop list note:WORD` finds it."
)]
pub(crate) struct Args {
    /// The run
    run: String,
    /// The note, or - to read it from standard input [default: edit it with $VISUAL or $EDITOR]
    #[arg(allow_hyphen_values = true)]
    text: Option<String>,
    /// Add to the note instead of replacing it
    #[arg(short, long, requires = "text")]
    append: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let run = context.find(&args.run)?;
    let (experiment, before) = (experiment_of(&run), read_notes(&run)?.note);
    let said = match args.text.as_deref() {
        Some("-") => crate::files::read_input("the note")?,
        Some(text) => text.to_owned(),
        None if std::io::stdin().is_terminal() && print::terminal().tty => {
            // Ctrl-Z stops both the editor and us.
            editor::edit(&run.name(), &before, || ())?
        }
        None => {
            return Err(Failure::usage("no text for the note, and no terminal to edit it in")
                .help("gradtop note RUN TEXT, or - to read it from standard input")
                .into());
        }
    };
    let adds = args.append && !before.is_empty();
    let text = if adds { format!("{before}\n{said}") } else { said.clone() };
    // The run may have left the queue while the text was written.
    let change = |run: &RunDir| change_notes(run, |notes| notes.note.clone_from(&text));
    let notes = follow_run(&run, &experiment, change)?;
    let name = clean(&run.name());
    print::line(&match (notes.note == before, notes.note.is_empty()) {
        (true, _) => format!("{name}: note unchanged"),
        (false, true) => format!("{name}: note removed"),
        (false, false) if adds => format!("{name}: added {}", clean(said.lines().next().unwrap_or_default())),
        (false, false) => format!("{name}: {}", clean(notes.headline())),
    });
    Ok(0)
}
