//! `gradtop rename`: renames a run.

use anyhow::Result;

use super::Context;
use crate::failure::Failure;
use crate::print::{self, clean};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run, which must have ended
    run: String,
    /// Its new name: a letter, then letters, digits, '.', '_' or '-'
    name: String,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let view = context.view(&args.run)?;
    let before = view.manifest.run.clone();
    if before == args.name {
        return Err(Failure::usage(format!("{} already has that name", clean(&before))).into());
    }
    gradtop_host::rename(&view.dir, &args.name)?;
    print::line(&format!("{} is now {}", clean(&before), clean(&args.name)));
    Ok(0)
}
