//! `gradtop why`: explains what is wrong with a run, with the evidence.

use anyhow::Result;
use gradtop_store::Kind;

use super::Context;
use super::show::{ending, title};
use crate::print::table::{Table, Words};
use crate::print::{self, clean};
use gradtop_chart::cells::theme::Ink;
use gradtop_view::why::{Reader, diagnose_run};

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
    let found = diagnose_run(&mut reader, &view, false)?;
    print::warn_of_damage(reader.damage());
    if args.json {
        print::json(&found.to_json(&view))?;
        return Ok(0);
    }
    title(&view, &clean(&view.manifest.experiment.id));
    ending(&view, found.end.as_deref());
    for verdict in &found.verdicts {
        print::line("");
        print::alert(&verdict.text);
        verdict.proof.iter().for_each(|fact| fact_line(fact, Ink::Text));
        print::dim(&format!("  rule {}, {}", verdict.rule.word(), verdict.confidence.word()));
    }
    let waits = view.queued.is_some();
    if waits && found.examined.is_empty() {
        return Ok(0);
    }
    print::line("");
    if found.verdicts.is_empty() && !waits {
        let nothing = if reader.damage().is_empty() {
            "nothing found"
        } else {
            "nothing found in the rows that can be read"
        };
        print::line(nothing);
    }
    let heading = if found.verdicts.is_empty() { "looked at" } else { "also looked at" };
    if !found.examined.is_empty() {
        print::dim(heading);
        found.examined.iter().for_each(|fact| fact_line(fact, Ink::Dim));
    }
    Ok(0)
}

/// Prints a fact, wrapped on a narrow terminal.
fn fact_line(fact: &str, ink: Ink) {
    let mut table = Table::of_words([""]);
    table.row([Words::new(fact, ink)]);
    table.print_hanging(2);
}
