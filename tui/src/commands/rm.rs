//! `gradtop rm`: deletes runs.

use anyhow::Result;
use gradtop_host::SharedPlugin;
use gradtop_store::{RunDir, View, follow_run};

use super::Context;
use super::select::{abbreviated, allowing, each, is_filter, resolve};
use crate::failure::Failure;
use crate::print::{self, clean};
use gradtop_chart::number;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Runs by their full names, or a filter: 'state:failed age>7d'
    #[arg(required = true, value_name = "RUN|FILTER")]
    names: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Also delete a run whose run.toml cannot be read, one with other files in its folder, and one that may be running
    /// on another machine
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let folder = context.runs()?;
    let filter = args.names.iter().any(|name| is_filter(name));
    let mut runs: Vec<Doomed> = if filter { ended(context, args)? } else { Vec::new() };
    for name in args.names.iter().filter(|_| !filter) {
        // Other commands do not recognize a run without a manifest.
        let dir = gradtop_store::find_folder(&folder, name)?;
        let (run, experiment) = (&dir.name(), gradtop_store::experiment_of(&dir));
        // Prefixes are convenient for looking, but dangerous for deleting.
        if !(name == run || name.trim_end_matches('/').rsplit(['/', '=']).next() == Some(run)) {
            return Err(Failure::usage(format!("there is no run named {name:?}; nothing was deleted"))
                .help(format!("deletion needs the full name: gradtop rm {run}"))
                .into());
        }
        let doomed = Doomed { run: dir, experiment };
        if !runs.contains(&doomed) {
            runs.push(doomed);
        }
    }
    // Before the question, which is only about runs that can be deleted.
    let mut refused = 0;
    if !filter {
        let named = std::mem::take(&mut runs);
        refused = each(&named, |doomed| {
            // A run whose processes died is recovered first, as by any command.
            drop(super::view(&doomed.run));
            let may = |run: &RunDir| gradtop_host::may_delete(&folder, run, args.force);
            follow_run(&doomed.run, &doomed.experiment, may)?;
            runs.push(doomed.clone());
            Ok(0)
        })?;
    }
    if !args.yes && !runs.is_empty() {
        let names =
            abbreviated(&runs, |doomed| format!("{} ({})", doomed.name(&runs), size_in_words(&doomed.run)));
        match print::ask(&format!("Permanently delete {names}?")) {
            Some(true) => {}
            Some(false) => return Err(Failure::new("nothing was deleted").into()),
            None => {
                return Err(Failure::usage("nothing is deleted without a confirmation")
                    .help("add --yes")
                    .into());
            }
        }
    }
    let code = each(&runs, |doomed| {
        let delete = |run: &RunDir| gradtop_host::delete(&folder, run, args.force);
        follow_run(&doomed.run, &doomed.experiment, delete)?;
        print::line(&format!("deleted {}", doomed.name(&runs)));
        Ok(0)
    })?;
    Ok(if refused == 0 { code } else { refused })
}

/// A run to delete, which may be started until then.
#[derive(Clone, PartialEq)]
struct Doomed {
    run: RunDir,
    experiment: String,
}

impl Doomed {
    /// Its name, with its experiment if another of these runs has the same name.
    fn name(&self, of: &[Self]) -> String {
        let name = self.run.name();
        let alone = of.iter().filter(|other| other.run.name() == name).count() == 1;
        clean(&if alone { name } else { format!("{}/{name}", self.experiment) })
    }
}

/// The runs that the filter selects and that may be deleted.
fn ended(context: &Context, args: &Args) -> Result<Vec<Doomed>> {
    let folder = context.runs()?;
    let may = |view: View| -> Result<Doomed> {
        let (run, experiment) = (view.dir, view.manifest.experiment.id);
        follow_run(&run, &experiment, |run| gradtop_host::may_delete(&folder, run, args.force))?;
        Ok(Doomed { run, experiment })
    };
    let matched = resolve(context, &args.names)?;
    if matched.len() == 1 { matched.into_iter().map(may).collect() } else { allowing(matched, "delete", may) }
}

/// The disk usage of a run: `24 kB, and a plugin of 2.3 MB shared with 3 runs`.
pub(crate) fn size_in_words(run: &RunDir) -> String {
    let all = gradtop_store::size(run, run.path());
    match gradtop_host::shared_plugin(run) {
        Some(SharedPlugin { bytes, share, others }) => {
            let with = if others == 1 { "another run".to_owned() } else { format!("{others} other runs") };
            let (own, shared) = (number::bytes(all.saturating_sub(share)), number::bytes(bytes));
            format!("{own}, and a plugin of {shared} shared with {with}")
        }
        None => number::bytes(all),
    }
}
