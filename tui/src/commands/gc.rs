//! `gradtop gc`: frees disk space that nothing needs.

use anyhow::Result;
use gradtop_host::{Spare, reclaim, spare};
use gradtop_store::View;

use super::Context;
use super::select::{each, matching, resolve};
use crate::print::table::Table;
use crate::print::{self, clean};
use gradtop_chart::cells::align::Align;
use gradtop_chart::number;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Of runs that have ended: rows that a resume set aside, and checkpoints other than the newest and the best. \
                        Also plugins in the runs folder that no run uses. Metrics, tables and logs stay."
)]
pub(crate) struct Args {
    /// Only these runs, by name or by a filter
    #[arg(value_name = "RUN|FILTER")]
    names: Vec<String>,
    /// Remove it, instead of listing it
    #[arg(short, long)]
    yes: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let folder = context.existing_runs()?;
    let views =
        if args.names.is_empty() { matching(context, "")?.views } else { resolve(context, &args.names)? };
    let with_spare = |view| (spare(&view), view);
    let found: Vec<(Vec<Spare>, View)> =
        views.into_iter().map(with_spare).filter(|(spare, _)| !spare.is_empty()).collect();
    let plugins = if args.names.is_empty() { gradtop_host::unused_plugins(&folder) } else { 0 };
    let bytes = found.iter().flat_map(|(spare, _)| spare).map(|spare| spare.bytes).sum::<u64>() + plugins;
    if found.is_empty() && plugins == 0 {
        print::line("Nothing to remove.");
        return Ok(0);
    }
    if !args.yes {
        list(&found, plugins);
        print::line(&format!("{} can be freed: add --yes", number::bytes(bytes)));
        return Ok(0);
    }
    let views: Vec<View> = found.into_iter().map(|(_, view)| view).collect();
    let mut freed = plugins;
    if plugins > 0 {
        gradtop_host::prune_plugins(&folder);
    }
    let code = each(&views, |view| {
        freed += reclaim(view)?;
        Ok(0)
    })?;
    print::line(&format!("freed {}", number::bytes(freed)));
    Ok(code)
}

fn list(found: &[(Vec<Spare>, View)], plugins: u64) {
    let mut table = Table::new(&[("run", Align::Left), ("what", Align::Left), ("size", Align::Right)]);
    for (spare, view) in found {
        for Spare { what, path, bytes } in spare {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let what = if name == "superseded" { (*what).to_owned() } else { format!("{what} {name}") };
            table.row([clean(&view.manifest.run).into(), clean(&what).into(), number::bytes(*bytes).into()]);
        }
    }
    if plugins > 0 {
        table.row(["".into(), "unused plugins".into(), number::bytes(plugins).into()]);
    }
    table.print(0);
}
