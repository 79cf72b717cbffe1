//! `gradtop sweep`: a run for each combination of values, in the queue, under one tag.

use anyhow::Result;
use gradtop_host::Launch;
use gradtop_store::{ParamValue, RunDir, change_notes, validate_tag};

use super::Context;
use super::run::{Choice, resolved};
use super::run_config::assignment;
use crate::failure::Failure;
use crate::print::{self, clean};
use gradtop_view::state;

/// A value for every parameter.
type Params = Vec<(String, ParamValue)>;

/// Runs of one sweep at most.
const MOST: usize = 10_000;

/// Arguments of `sweep`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "gradtop sweep curve-fit --name rates --vary lr=1e-3,1e-2 --vary width=16..128:x2 --seeds 3\n\
                        gradtop list tag:rates            its runs\n\
                        gradtop query @settings --runs-of tag:rates\n\n\
                        Values are separated by commas, or by | where they have commas themselves. 16..128:x2 is 16, 32, 64, 128;\n\
                        1..9:+4 is 1, 5, 9. The same sweep with more values adds only the runs that are not there yet."
)]
pub(crate) struct Args {
    #[command(flatten)]
    choice: Choice,
    /// Try each of these values; may be given several times, for each combination
    #[arg(long, value_name = "KEY=VALUES", value_parser = assignment)]
    vary: Vec<(String, String)>,
    /// Tag of its runs, by which `list`, `query` and the monitor find them
    #[arg(long, value_name = "TAG")]
    name: String,
    /// Repeat each setting with the seeds 1 to N
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,
    /// Say which runs would be queued, and queue none
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(context: &Context, args: Args) -> Result<i32> {
    validate_tag(&args.name).map_err(|e| Failure::usage(clean(&e.to_string())))?;
    let axes: Vec<(String, Vec<String>)> = args
        .vary
        .iter()
        .map(|(key, text)| values(text).map(|values| (key.clone(), values)))
        .collect::<Result<_, String>>()
        .map_err(Failure::usage)?;
    if let Some((key, _)) = axes.iter().find(|(key, _)| args.choice.sets(key)) {
        return Err(Failure::usage(format!("{} is both set and varied", clean(key))).into());
    }
    let (base, experiment) = args.choice.launch(context)?;
    let settings = combinations(&axes).ok_or_else(|| Failure::usage(format!("more than {MOST} runs")))?;
    let mut wanted = Vec::new();
    for setting in &settings {
        // What is not varied is as it is in the base.
        let fixed = base.params.iter().filter(|(key, _)| axes.iter().all(|(varied, _)| varied != key));
        let fixed: Vec<(String, String)> =
            fixed.map(|(key, value)| (key.clone(), value.to_string())).collect();
        let params = resolved(&experiment, None, &[fixed, setting.clone()].concat())?;
        let preset = base.preset.clone();
        for seed in 1..=args.seeds {
            let (params, preset) = (params.clone(), preset.clone());
            wanted.push((setting, Launch { params, preset, seed: Some(seed), name: None, ..base.clone() }));
        }
    }
    if wanted.len() > MOST {
        return Err(Failure::usage(format!("more than {MOST} runs")).into());
    }
    let there = of_sweep(context, &args.name)?;
    let all = wanted.len();
    wanted.retain(|(_, launch)| !there.contains(&(launch.params.clone(), launch.seed.unwrap_or_default())));
    for (i, (setting, launch)) in wanted.iter().enumerate() {
        let mut words: Vec<String> = setting.iter().map(|(key, value)| format!("{key}={value}")).collect();
        words.push(format!("seed {}", launch.seed.unwrap_or_default()));
        let words = clean(&words.join("  "));
        if args.dry_run {
            print::line(&words);
            continue;
        }
        let run = gradtop_host::enqueue(launch, &[])?;
        let run = tagged(&run, &launch.experiment, &args.name)?;
        print::line(&format!("{}  {words}", clean(&run.name())));
        // The first ones are at work while the others are still being queued. Looking at all that waits takes its time.
        if (i + 1).is_power_of_two() {
            gradtop_host::start_waiting(&launch.runs)?;
        }
    }
    if !args.dry_run {
        gradtop_host::start_waiting(&base.runs)?;
    }
    let had = all - wanted.len();
    let verb = if args.dry_run { "would be queued" } else { "queued" };
    let rest = if had > 0 { format!(", {had} are there already") } else { String::new() };
    print::note(&format!("{} {verb}{rest}: gradtop list tag:{}", wanted.len(), clean(&args.name)));
    Ok(0)
}

/// Parameters and seed of the runs that have the tag.
fn of_sweep(context: &Context, tag: &str) -> Result<Vec<(Params, u64)>> {
    let runs = gradtop_store::list_runs(&context.runs()?);
    let tagged = runs.iter().filter_map(|run| super::view(run).ok());
    let tagged = tagged.filter(|view| view.notes.tags.iter().any(|known| known == tag));
    Ok(tagged.filter_map(|view| Some((view.manifest.params.clone(), state::seed(&view.manifest)?))).collect())
}

/// Tags a run that was just queued, wherever it has come since.
fn tagged(run: &RunDir, experiment: &str, tag: &str) -> Result<RunDir> {
    let add = |run: &RunDir| change_notes(run, |notes| notes.add_tag(tag));
    let first = gradtop_store::moved(run, experiment);
    if add(&first).is_ok() {
        return Ok(first);
    }
    // It was started at this moment.
    let now = gradtop_store::moved(run, experiment);
    add(&now)?;
    Ok(now)
}

/// All combinations; `None`: too many.
fn combinations(axes: &[(String, Vec<String>)]) -> Option<Vec<Vec<(String, String)>>> {
    let mut all = vec![Vec::new()];
    for (key, values) in axes {
        if all.len().checked_mul(values.len())? > MOST {
            return None;
        }
        let with = |before: &Vec<(String, String)>, value: &String| {
            [before.as_slice(), &[(key.clone(), value.clone())]].concat()
        };
        all = all.iter().flat_map(|before| values.iter().map(move |value| with(before, value))).collect();
    }
    Some(all)
}

/// `1e-3,1e-2`, `deep|deep,shallow`, `16..128:x2` or `1..9:+4` as values.
fn values(text: &str) -> Result<Vec<String>, String> {
    let bad = |why: &str| Err(format!("{text:?}: {why}"));
    if let Some((low, rest)) = text.split_once("..") {
        let Some((high, step)) = rest.split_once(':') else {
            return bad("a range needs a step: 16..128:x2 or 1..9:+4");
        };
        let number = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite());
        let by = step.get(1..).and_then(number);
        let (Some(low), Some(high), Some(by)) = (number(low), number(high), by) else {
            return bad("a range is of numbers: 16..128:x2 or 1..9:+4");
        };
        let next: Box<dyn Fn(i32) -> f64> = match step.as_bytes()[0] {
            b'x' if by > 1.0 && low > 0.0 => Box::new(move |n| low * by.powi(n)),
            b'+' if by > 0.0 => Box::new(move |n| low + by * f64::from(n)),
            _ => return bad("the step is xN with N above 1, or +N with N above 0"),
        };
        // Rounding keeps nobody from the last one.
        let last = high + (high.abs() + by) * 1e-9;
        let all: Vec<f64> = (0..).map(next).take_while(|v| *v <= last).take(MOST + 1).collect();
        if all.is_empty() || all.len() > MOST {
            return bad("the range is empty or endless");
        }
        return Ok(all.iter().map(|v| format!("{}", (v * 1e12).round() / 1e12)).collect());
    }
    let separator = if text.contains('|') { '|' } else { ',' };
    let values: Vec<String> = text.split(separator).map(|value| value.trim().to_owned()).collect();
    if values.iter().any(String::is_empty) {
        return bad("a value is empty");
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges_are_values() {
        let of = |text: &str| values(text).map(|values| values.join(" "));
        assert_eq!(of("1e-3,1e-2"), Ok("1e-3 1e-2".to_owned()));
        assert_eq!(of("deep|deep,shallow"), Ok("deep deep,shallow".to_owned()));
        assert_eq!(of("16..128:x2"), Ok("16 32 64 128".to_owned()));
        assert_eq!(of("1..9:+4"), Ok("1 5 9".to_owned()));
        assert_eq!(of("0.1..0.3:+0.1"), Ok("0.1 0.2 0.3".to_owned()));
        assert_eq!(of("0.0001..0.1:x10"), Ok("0.0001 0.001 0.01 0.1".to_owned()));
        for wrong in ["", "1,,2", "1..2", "1..2:3", "1..2:x1", "2..1:+1", "a..b:x2", "1..2:+1e-9"] {
            assert!(values(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_combination_is_there_once() {
        let axis =
            |key: &str, values: &[&str]| (key.to_owned(), values.iter().map(|v| (*v).to_owned()).collect());
        let all = combinations(&[axis("a", &["1", "2"]), axis("b", &["x", "y", "z"])]).unwrap_or_default();
        let word = |setting: &Vec<(String, String)>| {
            setting.iter().map(|(key, value)| [key.as_str(), value].concat()).collect::<Vec<_>>().concat()
        };
        let words: Vec<String> = all.iter().map(word).collect();
        assert_eq!(words, ["a1bx", "a1by", "a1bz", "a2bx", "a2by", "a2bz"]);
        assert_eq!(combinations(&[]).map(|all| all.len()), Some(1));
    }
}
