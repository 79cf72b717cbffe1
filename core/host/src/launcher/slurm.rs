//! Runs as Slurm jobs: one `sbatch` per command, an array for several runs.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use gradtop_store::{
    Event, Job, RunDir, RunLock, State, Status, append_event, change_notes, clear_control, create_shared,
    inside, read_job, read_manifest, read_status, shell_words, write_job, write_status,
};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp, Zoned};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::command::run_processes::GIVEN;
use crate::error::{HostError, Result};
use crate::launcher::ask::{answer, ask};
use crate::launcher::jobs::{ASK_EVERY, comment, folder};
use crate::launcher::start::{Checked, Start};
use crate::machine::program;
use crate::machine::signals::Blocked;
use crate::run::alerts;
use crate::run::allowed::{Action, Why};
use crate::run::control::ready;
use crate::run::launch::draw_seed;
use crate::run::resume::{self, Resume, Resumed};
use gradtop_store::NewRun;

const SUBMIT: &str = "sbatch";
/// Expected start times further ahead than this are not reported.
const FORESEEN: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Settings for submitting jobs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Slurm {
    /// `slurm`; here, so that it is among the keys that an error lists.
    #[serde(default, rename = "kind")]
    _kind: IgnoredAny,
    partition: Option<String>,
    gres: Option<String>,
    time: Option<String>,
    account: Option<String>,
    /// Additional options of sbatch.
    #[serde(default)]
    extra: Vec<String>,
    /// Shell lines before the run, such as `module load cuda`.
    #[serde(default)]
    setup: Vec<String>,
    /// Minimum interval between two queries to Slurm, in seconds.
    ask_every: Option<u64>,
}

impl Slurm {
    /// Returns the settings as options of sbatch.
    fn options(&self) -> Vec<String> {
        let named = [
            ("partition", &self.partition),
            ("gres", &self.gres),
            ("time", &self.time),
            ("account", &self.account),
        ];
        let named =
            named.into_iter().filter_map(|(name, value)| Some(format!("--{name}={}", value.as_ref()?)));
        named.chain(self.extra.iter().cloned()).collect()
    }

    pub(crate) fn check(&self) -> Result<String, String> {
        let version = ask(SUBMIT, &["--version"])?;
        let version = crate::text::clean(String::from_utf8_lossy(&version).trim());
        let options = self.options();
        let mut command = Command::new(SUBMIT);
        command.args(["--test-only", "--ntasks=1"]).args(&options);
        let (_, said) = answer(SUBMIT, command, Some("#!/bin/sh\n"))?;
        let said = String::from_utf8_lossy(&said);
        let when = said.lines().rev().find_map(|line| line.split_once("to start at ").map(|(_, when)| when));
        Ok(format!("{version}{}", when.map(start_in_words).unwrap_or_default()))
    }

    pub(crate) fn start(
        &self,
        name: &str,
        starts: &[Start],
        tag: Option<&str>,
        at_once: Option<u32>,
    ) -> Result<Vec<RunDir>> {
        if starts.is_empty() {
            return Ok(Vec::new());
        }
        let token = token();
        let has_gpu = self.options().iter().any(|option| option.contains("gpu"));
        let checked = Checked::all(starts, Some(has_gpu))?;
        // Once a run has its folder, this process must not be interrupted before the run has its job.
        let _blocked = Blocked::interrupts();
        let mut runs = Vec::new();
        let made = checked.new_runs(NewRun::begin).enumerate().try_for_each(|(i, new_run)| {
            let new_run = new_run?;
            if let Some(tag) = tag {
                change_notes(new_run.run(), |notes| notes.add_tag(tag))?;
            }
            let task = (starts.len() > 1).then(|| u32::try_from(i).unwrap_or(u32::MAX));
            write_job(new_run.run(), &self.job(name, &token, task))?;
            // The lock is released so that the job can take it.
            runs.push(new_run.finish()?.0);
            Ok(())
        });
        match made.and_then(|()| self.submit(&runs, &token, at_once, false)) {
            Ok(()) => Ok(runs),
            Err(e) => {
                for run in &runs {
                    remove(run);
                }
                Err(e)
            }
        }
    }

    fn job(&self, name: &str, token: &str, task: Option<u32>) -> Job {
        let ask_every_s = self.ask_every.unwrap_or(ASK_EVERY);
        Job { launcher: name.to_owned(), token: token.to_owned(), id: None, task, ask_every_s, seen: None }
    }

    /// Submits the job of runs that have folders, and stores its id there.
    fn submit(&self, runs: &[RunDir], token: &str, at_once: Option<u32>, trust: bool) -> Result<()> {
        let Some(first) = runs.first() else { return Ok(()) };
        let mut command = Command::new(SUBMIT);
        command.args(["--parsable", "--requeue", "--open-mode=append", "--output=/dev/null", "--ntasks=1"]);
        command.arg(format!("--job-name=gradtop/{}", first.experiment()));
        command.arg(format!("--comment={}", comment(token)));
        let threads = runs.iter().map(|run| Ok(read_manifest(run)?.threads)).collect::<Result<Vec<_>>>()?;
        if let Some(threads) = threads.into_iter().flatten().max().filter(|threads| *threads > 1) {
            command.arg(format!("--cpus-per-task={threads}"));
        }
        if runs.len() > 1 {
            let most = at_once.map(|most| format!("%{most}")).unwrap_or_default();
            command.arg(format!("--array=0-{}{most}", runs.len() - 1));
        }
        command.args(self.options());
        let (name, alerts) = alerts::variable();
        match alerts {
            Some(alerts) => command.env(name, alerts),
            None => command.env_remove(name),
        };
        for name in GIVEN {
            command.env_remove(name);
        }
        let refused = |why: String| HostError::Slurm { what: "submit the job", why };
        let (said, _) = answer(SUBMIT, command, Some(&self.script(runs, token, trust))).map_err(refused)?;
        // `12`, or `12;cluster`.
        let said = String::from_utf8_lossy(&said);
        let id = said.trim().split(';').next().and_then(|id| id.parse().ok());
        let id: u64 = id.ok_or_else(|| refused(format!("sbatch answered {:?}", said.trim())))?;
        create_shared(first.runs(), folder(first.runs()).path())?;
        for run in runs {
            // The job may have begun and stored it itself.
            if let Some(job) = read_job(run).filter(|job| job.token == token && job.id.is_none()) {
                write_job(run, &Job { id: Some(id), ..job })?;
            }
        }
        Ok(())
    }

    /// Returns the job's script. It refers to runs by name, never by their position in a list that may change.
    fn script(&self, runs: &[RunDir], token: &str, trust: bool) -> String {
        let quoted = |path: &Path| shell_words(&[path.to_string_lossy().into_owned()]);
        let mut script = "#!/bin/bash\n".to_owned();
        if let [run] = runs {
            writeln!(script, "run={}", quoted(run.path())).ok();
        } else {
            script.push_str("case $SLURM_ARRAY_TASK_ID in\n");
            for (i, run) in runs.iter().enumerate() {
                writeln!(script, "{i}) run={} ;;", quoted(run.path())).ok();
            }
            script.push_str("*) exit 2 ;;\nesac\n");
        }
        script.push_str("exec >>\"$run/job.log\" 2>&1 </dev/null\n");
        for line in &self.setup {
            script.push_str(line);
            script.push('\n');
        }
        // A task of its own, because Slurm sends signals only to tasks.
        let program = program::command();
        let trust = if trust { " --trust" } else { "" };
        writeln!(
            script,
            "srun --nodes=1 --ntasks=1 --cpus-per-task=\"${{SLURM_CPUS_PER_TASK:-1}}\" {} __job \"$run\" {token}{trust}",
            quoted(Path::new(program.get_program()))
        )
        .ok();
        script
    }

    pub(crate) fn resume(&self, name: &str, run: &RunDir, how: Resume) -> Result<Resumed> {
        let path = std::path::absolute(run.path()).map_err(HostError::at("resolve", run.path()))?;
        let run = &RunDir::new(path);
        let seen = ready(run, how.action())?;
        if !seen.state.is_final() {
            return resume::resume(run, how);
        }
        resume::may_resume(run, how)?;
        let _blocked = Blocked::interrupts();
        let lock = RunLock::acquire(run)?;
        let before = read_status(run)?;
        if (before.state, before.updated) != (seen.status.state, seen.status.updated) {
            return Err(HostError::not_allowed(run, Action::Resume)(Why::Resumed));
        }
        clear_control(run)?;
        let token = token();
        write_job(run, &self.job(name, &token, None))?;
        let queued = Status {
            state: State::Queued,
            cause: None,
            ended: None,
            updated: Timestamp::now(),
            ..before.clone()
        };
        write_status(run, &queued)?;
        append_event(run, &Event::State { state: State::Queued, cause: None })?;
        drop(lock);
        let submitted = self.submit(std::slice::from_ref(run), &token, None, how.trust);
        if submitted.is_err() {
            inside::remove_file(run, &run.job()).map_err(HostError::at("remove", &run.job()))?;
            append_event(run, &Event::State { state: before.state, cause: before.cause.clone() })?;
            write_status(run, &before)?;
        }
        submitted.map(|()| Resumed::Continued)
    }
}

/// Extracts the start time from the output of `sbatch --test-only`, such as `2026-11-29T12:00:00 using 1 processors on nodes n1`.
fn start_in_words(when: &str) -> String {
    let date = when.split(' ').next().and_then(|date| date.parse::<DateTime>().ok());
    // If Slurm does not know the time, it reports one centuries ahead.
    if date.is_some_and(|date| date > Zoned::now().datetime().saturating_add(FORESEEN)) {
        return ", no start of a job is in sight".to_owned();
    }
    format!(", a job now would start at {}", crate::text::clean(when))
}

/// Returns whether this machine can submit jobs.
pub(crate) fn is_installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(SUBMIT).is_file())
}

/// Returns a unique token for a submission.
fn token() -> String {
    format!("{:08x}", draw_seed())
}

/// Removes a run that will not be started.
fn remove(run: &RunDir) {
    let above = RunDir::new(run.path().parent().unwrap_or(run.path()));
    inside::remove_dir(&above, run.path()).ok();
    std::fs::remove_dir(above.path()).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_in_centuries_is_none() {
        assert_eq!(
            start_in_words("3387-12-07T05:56:43 using 1 processors"),
            ", no start of a job is in sight"
        );
        for soon in ["2026-11-29T12:00:00 using 1 processors", "some day"] {
            assert_eq!(start_in_words(soon), format!(", a job now would start at {soon}"));
        }
    }
}
