//! `gradtop import`: turns the logs of another tool into runs.

use std::path::{Path, PathBuf};

use anyhow::Result;
use gradtop_import::{Follower, Import, ImportError, Imported, News, Source, Target};
use serde_json::json;

use super::Context;
use super::signals::Signals;
use crate::failure::Failure;
use crate::print::{self, clean};
use gradtop_chart::number;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Reads TensorBoard event files, wandb's .wandb files, CSV (Lightning's metrics.csv and others), JSON lines and the \
                        trainer_state.json of Hugging Face. Of a folder, each folder in it that has such files becomes a \
                        run. Importing the same path again takes what is new."
)]
pub(crate) struct Args {
    /// The file or folder
    path: PathBuf,
    /// Keep reading as the files grow, until Ctrl-C or `gradtop stop`
    #[arg(short, long)]
    follow: bool,
    /// Follow in the background; `gradtop stop RUN` ends it
    #[arg(short, long, requires = "follow")]
    detach: bool,
    /// Put the runs under this experiment [default: the folder's name]
    #[arg(short, long, value_name = "NAME")]
    experiment: Option<String>,
    /// Name the run [default: by its folder or file]
    #[arg(short, long)]
    name: Option<String>,
    /// Print a line of JSON for each run
    #[arg(long)]
    json: bool,
    /// This is the background process
    #[arg(long, hide = true)]
    alone: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let runs = context.runs()?;
    let target = Target {
        runs,
        experiment: args.experiment.clone().unwrap_or_else(|| gradtop_import::experiment_of(&args.path)),
        name: args.name.clone(),
    };
    if let Some(name) = &args.name {
        gradtop_store::validate_name(name)?;
    }
    gradtop_store::validate_experiment(&target.experiment)?;
    let sources = gradtop_import::find(&args.path)?;
    if args.name.is_some() && sources.len() > 1 {
        let (path, many) = (print::short(&args.path), sources.len());
        return Err(Failure::usage(format!("--name names one run, but {path} holds {many}"))
            .help("leave it out, or name one of its folders")
            .into());
    }
    if args.detach {
        return detach(&target, args);
    }
    if args.follow {
        return follow(target, args);
    }
    if sources.is_empty() {
        return Err(no_logs(&args.path));
    }
    import_once(&target, &sources, args.json)
}

/// The error for a path without any known log.
pub(crate) fn no_logs(path: &Path) -> anyhow::Error {
    Failure::new(format!("nothing to import in {}", print::short(path)))
        .help(format!(
            "looked for {}; other CSV and JSON lines are imported when the file itself is named",
            gradtop_import::LOOKED_FOR
        ))
        .into()
}

fn import_once(target: &Target, sources: &[Source], json: bool) -> Result<i32> {
    let mut signals = Signals::new()?;
    let mut code = 0;
    for source in sources {
        if signals.any() {
            return Err(Failure::new("interrupted; import again to continue").into());
        }
        match Import::whole(target, source, || signals.any()) {
            Ok(imported) => {
                code = code.max(report(source, &imported, json)?);
                if matches!(imported.error, Some(ImportError::Interrupted(_))) {
                    break;
                }
            }
            Err(e) if sources.len() > 1 => {
                print::error(&clean(&e.to_string()), None);
                code = crate::failure::ERROR;
            }
            Err(e) => return Err(e.into()),
        }
    }
    Ok(code)
}

/// Reports the result of one source. Returns the exit code.
fn report(source: &Source, imported: &Imported, json: bool) -> Result<i32> {
    let Imported { run, rows: (rows, before), overwritten, left_out, error } = imported;
    let name = run.as_ref().map(gradtop_store::RunDir::name);
    if json {
        print::json(&json!({
            "run": name,
            "experiment": run.as_ref().map(gradtop_store::RunDir::experiment),
            "format": source.format.name(),
            "source": source.path,
            "rows": rows,
            "new_rows": rows - before,
            "left_out": left_out,
            "error": error.as_ref().map(ToString::to_string),
        }))?;
    } else if let Some((run, name)) = run.as_ref().zip(name.as_ref()) {
        let rows = if before == &0 {
            number::counted(*rows as usize, "row")
        } else {
            let new = number::counted((rows - before) as usize, "new row");
            format!("{new}, {} in all", number::count(*rows as f64))
        };
        let place = clean(&print::short(&source.path));
        // Runs of several experiments may have the same name.
        let whole = clean(&format!("{}/{name}", run.experiment()));
        print::line(&format!("{whole}  {rows}  from {} in {place}", source.format.name()));
        if let Some(old) = overwritten {
            let (old, new) = (clean(&old.name()), clean(name));
            print::note(&format!("{place} was overwritten: {old} keeps what it held, {new} is new"));
        }
    } else if error.is_none() {
        print::note(&format!("{}: no rows yet", clean(&print::short(&source.path))));
    }
    for message in left_out.iter().filter(|_| !json) {
        print::warn(message);
    }
    if let Some(error) = error {
        let interrupted = matches!(error, ImportError::Interrupted(_));
        let kept = name.filter(|_| rows > before).map(|name| format!("what precedes it is in {name}"));
        let kept = kept.into_iter().chain(interrupted.then(|| "import again to continue".to_owned()));
        let kept = Some(kept.collect::<Vec<_>>().join("; ")).filter(|help| !help.is_empty());
        print::error(&clean(&error.to_string()), kept.as_deref());
        return Ok(crate::failure::ERROR);
    }
    Ok(0)
}

/// Follows the path until interrupted.
fn follow(target: Target, args: &Args) -> Result<i32> {
    if args.alone {
        // The process was started by `--detach`, and its session is about to end.
        rustix::process::setsid().ok();
    }
    let mut signals = Signals::new()?;
    let mut code = 0;
    let mut news = |news| match news {
        News::Begun(run) if args.json => {
            print::json(&json!({ "run": run.name() })).ok();
        }
        News::Begun(run) => print::answer(&run.name()),
        // Read by `detach`.
        News::Waiting if args.alone => print::line(""),
        News::Waiting => {}
        News::Trouble(source, e) => {
            code = crate::failure::ERROR;
            print::error(&format!("{}: {}", clean(&source.name), clean(&e.to_string())), None);
        }
    };
    let mut follower = Follower::new(&args.path, target, &mut news)?;
    if !args.json && !args.alone {
        print::note(&format!("following {}; Ctrl-C ends it", clean(&print::short(&args.path))));
    }
    follower.run(|| if args.alone { signals.counts().stop() } else { signals.any() }, &mut news)?;
    Ok(code)
}

/// Starts a process that follows the path, and returns once it has read what is there or failed.
fn detach(target: &Target, args: &Args) -> Result<i32> {
    use std::io::BufRead as _;
    use std::process::{Command, Stdio};

    let mut command = Command::new(std::env::current_exe()?);
    command.args(["import", "--follow", "--alone"]).arg(std::path::absolute(&args.path)?);
    command.arg("--runs").arg(&target.runs).arg("--experiment").arg(&target.experiment);
    if let Some(name) = &target.name {
        command.arg("--name").arg(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut first = String::new();
    if let Some(pipe) = child.stdout.take() {
        std::io::BufReader::new(pipe).read_line(&mut first)?;
    }
    if first.is_empty() {
        let ended = child.wait_with_output()?;
        print::note(String::from_utf8_lossy(&ended.stderr).trim_end());
        return Ok(ended.status.code().unwrap_or(crate::failure::ERROR));
    }
    let run = Some(first.trim_end()).filter(|run| !run.is_empty());
    let pid = child.id();
    if args.json {
        print::json(&json!({ "run": run, "pid": pid }))?;
    } else if let Some(run) = run {
        print::line(&format!("{run} is followed in the background; `gradtop stop {run}` ends that"));
    } else {
        let path = clean(&print::short(&args.path));
        print::line(&format!("{path} has no rows yet; it is followed in the background by process {pid}"));
        print::note(&format!("its first row begins a run; until then, `kill {pid}` ends that"));
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_interrupted_import_is_an_error_to_a_script() {
        let source = Source { path: "a".into(), format: gradtop_import::Format::Csv, name: String::new() };
        let code = |error| {
            let imported =
                Imported { run: None, rows: (0, 0), overwritten: None, left_out: Vec::new(), error };
            report(&source, &imported, true).unwrap()
        };
        assert_eq!(code(Some(ImportError::Interrupted("a".into()))), crate::failure::ERROR);
        assert_eq!(code(None), 0);
    }
}
