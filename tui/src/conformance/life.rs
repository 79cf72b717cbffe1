//! Leads one experiment through a whole life, from validation to resuming.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use gradtop_chart::number::counted;
use gradtop_host::{DeviceChoice, HostError, ParamDesc, ParamKind, Validation};
use gradtop_store::{RunDir, State, checkpoints};

use super::rows::{Recorded, difference};
use super::{Bench, Outcome, Violation, Waited, ended, outcome, started};

const QUICK: &str = "quick run";
const RESUME: &str = "resume";
const KILL: &str = "kill and resume";
/// A text that is not a list, number, expression or path.
const STRANGE: &str = "?,;(";
/// How long a run may take to reject it.
const STRANGE_RUN: Duration = Duration::from_secs(10);

/// Runs all parts, as far as the previous ones allow: the experiment accepts its defaults and presets; it accepts range ends and
/// strange texts, or rejects them with a reason; a run completes; the same seed gives the same rows; a run can be paused and
/// stopped; a stopped run resumes to the same rows, and so does a killed one. Calls `report` after each part, with its name.
///
/// # Errors
/// Something other than the experiment failed, or it was interrupted.
pub(crate) fn live(bench: &mut Bench<'_>, report: &mut dyn FnMut(&str, &Outcome)) -> Result<()> {
    report("parameters", &parameters(bench)?);
    report("wrong parameters", &wrong_parameters(bench)?);
    let begun = Instant::now();
    let whole = match bench.run_to_end("whole") {
        Ok(view) => view,
        Err(error) => {
            report(QUICK, &Outcome::Failed(Violation::of(error)?));
            return Ok(());
        }
    };
    let took = begun.elapsed();
    let rows = Recorded::of(&whole.dir, bench.experiment)?;
    report(QUICK, &quick(bench, &rows, took));

    let again = bench.run_to_end("again").and_then(|view| {
        let again = Recorded::of(&view.dir, bench.experiment)?;
        Ok(difference(&rows, &again, "the first run", "the second"))
    });
    let again = again.or_else(|error| Violation::of(error).map(Some))?;
    let steady = again.is_none();
    let same = || Outcome::Passed(format!("the same {}", counted(rows.len(), "row")));
    report("same seed", &again.map_or_else(same, Outcome::Failed));

    let mut stopped = None;
    report("pause and stop", &outcome(stop(bench, took, &mut stopped))?);
    let lacks = match (bench.experiment.resumable, steady) {
        (false, _) => Some("it does not declare that it is resumable"),
        (true, false) => Some("the same seed gives other rows anyway"),
        (true, true) => None,
    };
    if let Some(lacks) = lacks {
        report(RESUME, &Outcome::Skipped(lacks.to_owned()));
        report(KILL, &Outcome::Skipped(lacks.to_owned()));
        return Ok(());
    }
    let resumed = match stopped {
        Some(run) => outcome(resume(bench, &run, &rows, &as_uninterrupted))?,
        None => Outcome::Skipped("there is no stopped run".to_owned()),
    };
    report(RESUME, &resumed);
    report(KILL, &outcome(kill(bench, took, &rows, &as_uninterrupted))?);
    Ok(())
}

fn parameters(bench: &Bench<'_>) -> Result<Outcome> {
    let e = bench.experiment;
    for preset in std::iter::once(None).chain(e.presets.iter().map(|p| Some(p.name.as_str()))) {
        let what = preset.map_or_else(|| "its defaults".to_owned(), |name| format!("its preset `{name}`"));
        let params = gradtop_host::resolve_params(e, preset, &[])?;
        match gradtop_host::validate(bench.library, &e.id, &params) {
            Validation::Accepted => {}
            // A data set may be missing on this machine; if the quick run needs it, that run will report it.
            Validation::Refused(why) => {
                return Ok(Outcome::Skipped(format!("here it refuses {what}: {why}")));
            }
            Validation::Broken(how) => {
                return Ok(Outcome::Failed(format!("asked to judge {what}, it {how}")));
            }
        }
    }
    let presets = match e.presets.len() {
        0 => String::new(),
        n => format!(" and {}", counted(n, "preset")),
    };
    Ok(Outcome::Passed(format!("defaults{presets}")))
}

/// The ends of a parameter's range; for text, an empty and a strange value.
fn extremes(param: &ParamDesc) -> Vec<String> {
    let number = |bound: Option<f64>, excluded: bool| bound.filter(|_| !excluded).map(|b| format!("{b}"));
    let ends = match param.kind {
        ParamKind::I64 | ParamKind::F64 => {
            [number(param.min, param.min_excluded), number(param.max, param.max_excluded)]
        }
        ParamKind::Str => [String::new(), STRANGE.to_owned()].map(Some),
        ParamKind::Bool => ["true", "false"].map(|word| Some(word.to_owned())),
        ParamKind::Choice => [param.choices.first(), param.choices.last()].map(Option::<&String>::cloned),
    };
    ends.into_iter().flatten().collect()
}

fn wrong_parameters(bench: &mut Bench<'_>) -> Result<Outcome> {
    let e = bench.experiment;
    let judge = |sets: &[(String, String)]| {
        let params = gradtop_host::resolve_params(e, bench.preset().as_deref(), sets)?;
        Ok::<_, anyhow::Error>(gradtop_host::validate(bench.library, &e.id, &params))
    };
    let words = |sets: &[(String, String)]| {
        sets.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    };
    // Tests all lower ends at once, then all upper ends: two processes instead of two for each parameter.
    let end = |of: fn(&[String]) -> Option<&String>| -> Vec<(String, String)> {
        e.params.iter().filter_map(|p| Some((p.key.clone(), of(&extremes(p))?.clone()))).collect()
    };
    let mut judged = 0;
    for sets in [end(<[String]>::first), end(<[String]>::last)] {
        let answer = judge(&sets)?;
        judged += sets.len();
        let Some(problem) = problem(&answer) else { continue };
        // Finds out which parameter is to blame.
        for set in &sets {
            let one = std::slice::from_ref(set);
            if let Some(problem) = self::problem(&judge(one)?) {
                return Ok(Outcome::Failed(format!("asked to judge {}, it {problem}", words(one))));
            }
        }
        return Ok(Outcome::Failed(format!("asked to judge {}, it {problem}", words(&sets))));
    }
    // Texts accepted by validation must be rejected by the run.
    let texts = e.params.iter().filter(|p| p.kind == ParamKind::Str);
    let strange: Vec<(String, String)> = texts.map(|p| (p.key.clone(), STRANGE.to_owned())).collect();
    if !strange.is_empty() && judge(&strange)? == Validation::Accepted {
        let params = gradtop_host::resolve_params(e, bench.preset().as_deref(), &strange)?;
        let limit = bench.limit;
        bench.limit = limit.min(STRANGE_RUN);
        let ran = bench.start("strange", params).ok().map(|run| bench.until_end(&run)).transpose();
        bench.limit = limit;
        if let Some(view) = ran?.flatten().filter(|view| view.state == State::Crashed) {
            return Ok(Outcome::Failed(format!("run with {}, it {}", words(&strange), ended(&view))));
        }
    }
    Ok(Outcome::Passed(format!("{judged} values at the ends of what is allowed")))
}

fn problem(answer: &Validation) -> Option<String> {
    match answer {
        Validation::Broken(how) => Some(how.clone()),
        Validation::Refused(why) if why.trim().is_empty() => Some("refuses without a reason".to_owned()),
        Validation::Refused(why) if why.starts_with("panicked") => Some(why.clone()),
        _ => None,
    }
}

fn quick(bench: &Bench<'_>, rows: &Recorded, took: Duration) -> Outcome {
    let headlines = bench.experiment.metrics.iter().filter(|m| m.headline).map(|m| m.name.as_str());
    let unseen: Vec<&str> = headlines.filter(|name| !rows.has(name)).collect();
    if rows.len() == 0 && !rows.has_tables() {
        Outcome::Failed("it logs nothing: no value of a metric and no table".to_owned())
    } else if !unseen.is_empty() {
        Outcome::Failed(format!("it never logs {}, which it declares as its headline", unseen.join(", ")))
    } else {
        let preset = bench.preset().map_or("with its defaults", |_| "quick");
        Outcome::Passed(format!("{preset}, {} in {:.1} s", counted(rows.len(), "row"), took.as_secs_f64()))
    }
}

/// Pauses and stops a run halfway, or from its beginning if it is too short.
fn stop(bench: &mut Bench<'_>, took: Duration, stopped: &mut Option<RunDir>) -> Result<Outcome> {
    for (name, wait) in [("stopped", took / 2), ("stopped-early", Duration::ZERO)] {
        let run = bench.start(name, bench.params()?)?;
        std::thread::sleep(wait);
        match gradtop_host::pause(&run) {
            Err(HostError::NotAllowed { .. }) => continue,
            asked => asked?,
        }
        match bench.until(&run, |view| view.state == State::Paused)? {
            Waited::Seen(_) => {}
            Waited::Ended(view) if view.state == State::Finished => continue,
            Waited::Ended(view) => bail!(Violation(format!("asked to pause, it {}", ended(&view)))),
            Waited::TooLong => bail!(never(bench, "paused")),
        }
        gradtop_host::stop(&run, gradtop_host::DEFAULT_GRACE)?;
        return match bench.until_end(&run)? {
            Some(view) if view.state == State::Stopped => {
                let step = view.status.step.map(|step| format!("after step {step}")).unwrap_or_default();
                if bench.experiment.resumable && checkpoints(&run).is_empty() {
                    let why = "it stopped without a checkpoint, although it is resumable: save one where `checkpoint_if_due` \
                               or `should_checkpoint` says so";
                    bail!(Violation(why.to_owned()));
                }
                *stopped = Some(run);
                Ok(Outcome::Passed(step))
            }
            Some(view) => bail!(Violation(format!("asked to stop, it {}", ended(&view)))),
            None => bail!(never(bench, "stopped")),
        };
    }
    Ok(Outcome::Skipped(TOO_SHORT.to_owned()))
}

const TOO_SHORT: &str =
    "its quick run is over before it could be interrupted: let the preset `quick` last a second";

fn never(bench: &Bench<'_>, what: &str) -> Violation {
    let limit = bench.limit.as_secs();
    Violation(format!("it never {what}, within {limit} s: each step must end with `ctx.steps` or `step_end`"))
}

/// Describes the first difference between a resumed run and an uninterrupted one.
type Differs<'a> = &'a dyn Fn(&Recorded, &Recorded) -> Option<String>;

pub(super) fn as_uninterrupted(whole: &Recorded, resumed: &Recorded) -> Option<String> {
    difference(whole, resumed, "without an interruption", "resumed")
}

fn resume(bench: &mut Bench<'_>, run: &RunDir, whole: &Recorded, differs: Differs<'_>) -> Result<Outcome> {
    started(gradtop_host::resume(run, gradtop_host::Resume::default()))?;
    let view = bench.until_finished(run).map_err(|error| Violation::after("resumed, ", error))?;
    let resumed = Recorded::of(&view.dir, bench.experiment)?;
    Ok(match differs(whole, &resumed) {
        None if bench.device == DeviceChoice::Cpu => {
            Outcome::Passed(format!("to the same {}", counted(whole.len(), "row")))
        }
        None => Outcome::Passed("to the same metrics, within their tolerances".to_owned()),
        Some(difference) => Outcome::Failed(difference),
    })
}

/// Kills a run once it has a checkpoint, and resumes it.
pub(super) fn kill(
    bench: &mut Bench<'_>,
    took: Duration,
    whole: &Recorded,
    differs: Differs<'_>,
) -> Result<Outcome> {
    for (name, wait) in [("killed", took / 2), ("killed-early", Duration::ZERO)] {
        let run = bench.start(name, bench.params()?)?;
        std::thread::sleep(wait);
        let saved = |run: &RunDir| !checkpoints(run).is_empty();
        let asked = gradtop_host::checkpoint(&run).and_then(|()| {
            // A short run is paused until it has been seen.
            if wait.is_zero() { gradtop_host::pause(&run) } else { Ok(()) }
        });
        match asked {
            Err(HostError::NotAllowed { .. }) => continue,
            asked => asked?,
        }
        let mut waited = bench.until(&run, |view| saved(&run) || view.state == State::Paused)?;
        if !saved(&run) && matches!(waited, Waited::Seen(_)) {
            gradtop_host::resume(&run, gradtop_host::Resume::default())?;
            waited = bench.until(&run, |_| saved(&run))?;
        }
        match waited {
            Waited::TooLong => {
                let limit = bench.limit.as_secs();
                bail!(Violation(format!("asked for a checkpoint, it saved none within {limit} s")));
            }
            Waited::Ended(view) if view.state != State::Finished => {
                bail!(Violation(format!("asked for a checkpoint, it {}", ended(&view))));
            }
            _ => {}
        }
        match gradtop_host::kill(&run) {
            Err(HostError::NotAllowed { .. }) => continue,
            killed => killed?,
        }
        if gradtop_host::look(&run)?.state == State::Finished {
            continue;
        }
        return resume(bench, &run, whole, differs);
    }
    Ok(Outcome::Skipped(TOO_SHORT.to_owned()))
}
