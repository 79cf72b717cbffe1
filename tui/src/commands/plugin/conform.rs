//! `gradtop plugin check --conformance`: runs the conformance tests of a plugin.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use gradtop_host::DeviceChoice;
use serde_json::{Value, json};

use super::{describe, offers, warn};
use crate::commands::signals::Signals;
use crate::conformance::life::live;
use crate::conformance::{Bench, Outcome, folder_for_runs};
use crate::failure::Failure;
use crate::print::{self, clean};

/// The width of the longest test name.
const NAME: usize = 18;

pub(super) fn run(file: &Path, only: &[String], timeout: f64, json: bool) -> Result<i32> {
    let mut signals = Signals::new()?;
    let desc = match describe(file) {
        Ok(desc) => desc,
        Err(e) if json => {
            print::json(&json!({"file": file.to_string_lossy(), "ok": false, "reason": e.to_string()}))?;
            return Ok(1);
        }
        Err(e) => return Err(e),
    };
    let known = desc.experiments.iter().map(|e| e.id.as_str());
    let message = format!("{} has no experiment", print::short(file));
    Failure::unless_known(&message, only.iter().map(String::as_str), known, "experiments")?;
    if !json {
        offers(file, &desc);
        warn(&desc);
    }
    let runs = folder_for_runs()?;
    let mut parts: Vec<Value> = Vec::new();
    let mut failed = 0;
    for experiment in desc.experiments.iter().filter(|e| only.is_empty() || only.contains(&e.id)) {
        if !json {
            print::heading(&clean(&experiment.id));
        }
        let mut report = |part: &str, outcome: &Outcome| {
            let (word, said) = outcome.parts();
            failed += usize::from(matches!(outcome, Outcome::Failed(_)));
            if json {
                parts.push(json!({"experiment": experiment.id, "part": part, "outcome": word, "said": said}));
            } else {
                let said = gradtop_host::text::clean_lines(said).replace('\n', "\n    ");
                let said = print::styled(&format!("{word:<9}{said}"), outcome.ink());
                print::line(&format!("  {part:<NAME$}{said}"));
            }
        };
        let mut bench = Bench {
            library: file,
            experiment,
            runs: runs.path(),
            limit: Duration::from_secs_f64(timeout),
            device: DeviceChoice::Cpu,
            interrupted: &mut || signals.any(),
        };
        live(&mut bench, &mut report)?;
    }
    let kept = (failed > 0).then(|| runs.keep());
    if json {
        let (file, kept) = (file.to_string_lossy(), kept.map(|dir| dir.to_string_lossy().into_owned()));
        print::json(&json!({"file": file, "ok": failed == 0, "parts": parts, "runs": kept}))?;
    } else if let Some(kept) = kept {
        print::line("");
        say_failed(failed, &kept);
    }
    Ok(i32::from(failed > 0))
}

/// Reports failed checks and where their runs are kept.
pub(crate) fn say_failed(checks: usize, kept: &Path) {
    let help = format!("the runs are kept: gradtop --runs {} list", kept.display());
    print::error(&format!("checks failed: {checks}"), Some(&help));
}
