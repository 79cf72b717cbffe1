//! `gradtop why`: what is wrong with a run, and how that is known.

use anyhow::Result;
use gradtop_store::{Kind, State};

use super::Context;
use crate::print::{self, clean};
use gradtop_chart::cells::theme::Ink;
use gradtop_view::state;
use gradtop_view::why::{Reader, look};

/// Arguments of `why`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A verdict is given only if the run's rows, its processes or its disk prove it. Rules: waits (for the disk or \
                        the log), stalled, not-finite, rate-fell."
)]
pub(crate) struct Args {
    /// The run
    #[arg(default_value = "last")]
    run: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let view = context.view(&args.run)?;
    let mut reader = Reader::new(&view.dir, view.manifest.kind == Kind::Import);
    let found = look(&mut reader, &view)?;
    super::warn_of(reader.damage());
    if args.json {
        print::json(&found.to_json(&view))?;
        return Ok(0);
    }
    print::line(&format!(
        "{}  {}  {}",
        print::styled(&state::words(&view), state::ink(view.state)),
        print::styled(&view.manifest.run, Ink::Bold),
        print::styled(&clean(&view.manifest.experiment.id), Ink::Dim)
    ));
    if let Some(end) = &found.end {
        let bad = matches!(view.state, State::Failed | State::Crashed);
        print::line(&print::styled(&format!("  {end}"), if bad { Ink::Alert } else { Ink::Dim }));
    }
    for verdict in &found.verdicts {
        print::line("");
        print::line(&print::styled(&verdict.text, Ink::Alert));
        for fact in &verdict.proof {
            print::line(&format!("  {fact}"));
        }
        let rule = format!("  rule {}, {}", verdict.rule.word(), verdict.confidence.word());
        print::line(&print::styled(&rule, Ink::Dim));
    }
    print::line("");
    if found.verdicts.is_empty() {
        print::line("nothing found");
    }
    let heading = if found.verdicts.is_empty() { "looked at" } else { "also looked at" };
    if !found.looked.is_empty() {
        print::line(&print::styled(heading, Ink::Dim));
        for looked in &found.looked {
            print::line(&print::styled(&format!("  {looked}"), Ink::Dim));
        }
    }
    Ok(0)
}
