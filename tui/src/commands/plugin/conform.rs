//! `gradtop plugin check --conformance`.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::{describe, offers, warn};
use crate::commands::watch::Caught;
use crate::conformance::{self, Outcome, Part, Runs};
use crate::failure::Failure;
use crate::print::{self, clean};
use gradtop_chart::cells::text::width_of;
use gradtop_chart::cells::theme::Ink;
use gradtop_store::suggest;

/// The width of the longest name of a part.
const NAME: usize = 18;

pub(super) fn run(file: &Path, only: &[String], timeout: f64, json: bool) -> Result<i32> {
    let mut caught = Caught::new()?;
    let desc = match describe(file) {
        Ok(desc) => desc,
        Err(e) if json => {
            print::json(&json!({"file": file.to_string_lossy(), "ok": false, "reason": e.to_string()}))?;
            return Ok(1);
        }
        Err(e) => return Err(e),
    };
    if let Some(unknown) = only.iter().find(|id| desc.experiment(id).is_none()) {
        let help = suggest(unknown, desc.experiments.iter().map(|e| e.id.as_str()), "experiments");
        let message = format!("{} has no experiment {unknown:?}", print::short(file));
        return Err(Failure::usage(message).help(clean(&help)).into());
    }
    if !json {
        offers(file, &desc);
        warn(&desc);
    }
    let runs = Runs::create()?;
    let mut parts: Vec<Value> = Vec::new();
    let mut failed = 0;
    for experiment in desc.experiments.iter().filter(|e| only.is_empty() || only.contains(&e.id)) {
        if !json {
            print::line("");
            print::line(&print::styled(&clean(&experiment.id), Ink::Bold));
        }
        let mut report = |part: Part, outcome: &Outcome| {
            let (word, said) = outcome.parts();
            failed += usize::from(matches!(outcome, Outcome::Failed(_)));
            if json {
                parts.push(
                    json!({"experiment": experiment.id, "part": part.name(), "outcome": word, "said": said}),
                );
            } else {
                let ink = match outcome {
                    Outcome::Passed(_) => Ink::Text,
                    Outcome::Skipped(_) => Ink::Dim,
                    Outcome::Failed(_) => Ink::Alert,
                };
                let name = part.name();
                let blank = " ".repeat(NAME.saturating_sub(width_of(name)));
                let said = gradtop_host::text::clean_lines(said).replace('\n', "\n    ");
                print::line(&format!("  {name}{blank}{}", print::styled(&format!("{word:<9}{said}"), ink)));
            }
        };
        conformance::check(
            file,
            experiment,
            runs.path(),
            Duration::from_secs_f64(timeout),
            &mut || caught.any(),
            &mut report,
        )?;
    }
    let kept = (failed > 0).then(|| runs.keep());
    if json {
        let kept = kept.map(|dir| dir.to_string_lossy().into_owned());
        print::json(
            &json!({"file": file.to_string_lossy(), "ok": failed == 0, "parts": parts, "runs": kept}),
        )?;
    } else if let Some(kept) = kept {
        print::line("");
        print::note(&format!("error: checks failed: {failed}"));
        print::note(&format!("help: the runs are kept: gradtop --runs {} list", kept.display()));
    }
    Ok(i32::from(failed > 0))
}
