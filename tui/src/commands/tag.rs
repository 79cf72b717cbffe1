//! `gradtop tag`, `star` and `unstar`: mark runs.

use anyhow::Result;
use gradtop_store::{Notes, View, change_notes, validate_tag};

use super::Context;
use super::select::{abbreviated, each_view, resolve};
use crate::failure::Failure;
use crate::print::{self, clean};
use gradtop_view::run::notes;

#[derive(Debug, clap::Args)]
#[command(after_help = "gradtop tag last +baseline         add a tag\n\
                        gradtop tag 'lr>0.1' +wild -good   several, of all runs that a filter matches\n\
                        gradtop list tag:baseline          find them")]
pub(crate) struct Args {
    /// Runs by name, or a filter; +TAG adds a tag, -TAG removes one
    #[arg(required = true, value_name = "RUN|FILTER|+TAG|-TAG", allow_hyphen_values = true)]
    names: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Stars {
    /// Runs by name, or a filter as in the monitor: 'state:finished loss<0.1'
    #[arg(required = true, value_name = "RUN|FILTER")]
    names: Vec<String>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let (mut names, mut add, mut remove) = (Vec::new(), Vec::new(), Vec::new());
    for word in &args.names {
        match word.split_at_checked(1) {
            Some(("-", option)) if option.starts_with('-') => {
                return Err(Failure::usage(format!("options belong before the runs: {word}")).into());
            }
            Some(("+", tag)) => {
                validate_tag(tag)?;
                add.push(tag);
            }
            Some(("-", tag)) if validate_tag(tag).is_ok() => remove.push(tag),
            _ => names.push(word.clone()),
        }
    }
    if add.is_empty() && remove.is_empty() {
        return Err(Failure::usage("no tag to add or remove").help("gradtop tag RUN +TAG -TAG").into());
    }
    if names.is_empty() {
        return Err(Failure::usage("no run to tag").help("gradtop tag RUN +TAG -TAG").into());
    }
    if let Some(tag) = add.iter().find(|tag| remove.contains(tag)) {
        return Err(Failure::usage(format!("{tag} cannot be both added and removed")).into());
    }
    let views = resolve(context, &names)?;
    for tag in &remove {
        if !views.iter().any(|view| view.notes.tags.iter().any(|known| known == tag)) {
            let runs = abbreviated(&views, |view| clean(&view.manifest.run));
            print::note(&format!("no tag {} to remove from {runs}", clean(tag)));
        }
    }
    change(&views, "no tags", |notes| {
        for tag in &remove {
            notes.remove_tag(tag);
        }
        for tag in &add {
            notes.add_tag(tag);
        }
    })
}

pub(crate) fn star(context: &Context, args: &Stars) -> Result<i32> {
    change(&resolve(context, &args.names)?, "", |notes| notes.starred = true)
}

pub(crate) fn unstar(context: &Context, args: &Stars) -> Result<i32> {
    change(&resolve(context, &args.names)?, "no star", |notes| notes.starred = false)
}

/// Changes the notes of runs and prints the marks that each has then, or `none`.
fn change(views: &[View], none: &str, change: impl Fn(&mut Notes)) -> Result<i32> {
    each_view(views, |view| {
        let notes = change_notes(&view.dir, &change)?;
        let mut noted = view.clone();
        noted.notes = Notes { note: String::new(), ..notes };
        let marks = notes::in_words(&noted);
        let marks = if marks.is_empty() { none } else { &marks };
        print::line(&format!("{}: {marks}", clean(&view.manifest.run)));
        Ok(0)
    })
}
