//! Starting and resuming runs.

use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gradtop_store::{
    Checkpoint, Event, ExperimentInfo, Manifest, NewRun, Owner, ParamValue, PluginInfo, Request, RunDir,
    RunLock, State, Status, Turn, View, append_event, checkpoints, clear_control, inside, prepare_restart,
    prepare_resume, read_manifest, read_status, recover, request, view, write_end, write_status,
};
use jiff::Timestamp;

use crate::error::{HostError, Refusal, Result};
use crate::machine::device::{self, DeviceChoice};
use crate::machine::file::readable;
use crate::machine::signals::Blocked;
use crate::machine::{git, libtorch};
use crate::plugin::changes::parameter_changes;
use crate::plugin::desc::{ExperimentDesc, PluginDesc};
use crate::plugin::describe;
use crate::plugin::file::{PluginFile, check_owner};
use crate::plugin::params::resolve_params;
use crate::plugin::shared::Shared;
use crate::plugin::validate::{Params, Validation, validate_each};
use crate::run::alerts;
use crate::run::allowed::{Action, Why, has_all};
use crate::run::control::ready;
use crate::run::keeper::invocation::{self, ResumeFrom};

/// An experiment to start as a run.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The folder of all runs.
    pub runs: PathBuf,
    /// The plugin.
    pub plugin: PathBuf,
    /// The experiment's id.
    pub experiment: String,
    /// A value for every parameter, from [`crate::plugin::params::resolve_params`].
    pub params: Vec<(String, ParamValue)>,
    /// The preset they are based on, to record it.
    pub preset: Option<String>,
    /// The run's name; `None` for the next free one.
    pub name: Option<String>,
    /// The seed; `None` for a random one.
    pub seed: Option<u64>,
    /// The device.
    pub device: DeviceChoice,
    /// Number of threads; `None` for [`default_threads`].
    pub threads: Option<u32>,
    /// Interval between checkpoints of a resumable experiment; zero for only those requested.
    pub checkpoint_every: Duration,
}

/// The default interval between checkpoints.
pub const DEFAULT_CHECKPOINT_EVERY: Duration = Duration::from_mins(1);
/// How long a keeper may take to start.
const DETACH: Duration = Duration::from_secs(10);

/// Returns the default number of threads: the number of cores this process may use, at most 8. Depends only on the
/// machine and not on its load, because results may depend on it. Recorded in `run.toml`.
pub fn default_threads() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(8) as u32)
}

/// Starts a run and returns once it no longer depends on the caller: it has its folder, its lock and its two processes.
///
/// # Errors
/// The plugin, a parameter or the device cannot be used, the experiment refuses the parameters, the name is taken, or
/// something cannot be written or started.
pub fn launch(launch: &Launch) -> Result<RunDir> {
    let source = Source::of(launch, None)?;
    source.check(&[launch])?;
    let _blocked = Blocked::interrupts();
    let (run, lock) = source.new_run(launch, NewRun::begin)?.finish()?;
    start(&run, &lock, None, None)?;
    Ok(run)
}

/// How to create the folder of a run: [`NewRun::begin`] or [`NewRun::begin_queued`].
pub(crate) type Begin = fn(&Path, Manifest, bool) -> gradtop_store::Result<NewRun>;

/// What runs of one experiment on one device have in common, read only once.
pub(crate) struct Source {
    /// The first of the runs.
    first: Launch,
    runs: PathBuf,
    file: PluginFile,
    sha256: String,
    plugin: PluginDesc,
    experiment: ExperimentDesc,
    lib: Option<PathBuf>,
    device: i32,
    device_reason: Option<String>,
    shared: Shared,
}

impl Source {
    /// Creates the source for a run. `gpu` is set if the run will be on another machine, and says whether that has a GPU.
    pub(crate) fn of(launch: &Launch, gpu: Option<bool>) -> Result<Self> {
        let refuse = |refusal| HostError::Plugin { path: launch.plugin.clone(), refusal };
        let file = PluginFile::open(&launch.plugin).map_err(refuse)?;
        let (plugin, sha256) = describe::described_exactly(&file).map_err(refuse)?;
        let Some((_, experiment)) = plugin.experiment(&launch.experiment) else {
            return Err(HostError::NoSuchExperiment {
                path: launch.plugin.clone(),
                experiment: launch.experiment.clone(),
                has: plugin.experiments.iter().map(|e| e.id.clone()).collect(),
            });
        };
        let lib = if plugin.needs_libtorch {
            let missing = |looked| Refusal::MissingLibtorch { library: libtorch::CPU.to_owned(), looked };
            Some(libtorch::find(Some(&plugin.file)).map_err(missing).map_err(refuse)?)
        } else {
            None
        };
        let experiment = experiment.clone();
        let (device, device_reason) = match gpu {
            None => device::resolve(launch.device, experiment.uses_device, lib.as_deref())?,
            Some(gpu) => device::resolve_elsewhere(launch.device, experiment.uses_device, gpu)?,
        };
        let runs = std::path::absolute(&launch.runs).map_err(HostError::at("resolve", &launch.runs))?;
        let (first, shared) = (launch.clone(), Shared::default());
        Ok(Self { first, runs, file, sha256, plugin, experiment, lib, device, device_reason, shared })
    }

    /// Returns whether it also applies to another run.
    pub(crate) fn is_of(&self, launch: &Launch) -> bool {
        let of = |l: &Launch| (l.runs.clone(), l.plugin.clone(), l.experiment.clone(), l.device);
        of(&self.first) == of(launch)
    }

    /// Asks the experiment whether it refuses the parameters of any of its runs.
    ///
    /// # Errors
    /// [`HostError::Refused`] for the first refused run.
    pub(crate) fn check(&self, launches: &[&Launch]) -> Result<()> {
        let mut sets: Vec<&Params> = launches.iter().map(|launch| launch.params.as_slice()).collect();
        sets.dedup();
        let Some((set, mut message)) = refused_of(&self.file, &self.experiment, &sets) else { return Ok(()) };
        let varied = set.iter().filter(|param| sets.iter().any(|other| !other.contains(param)));
        let varied: Vec<String> = varied.map(|(key, value)| format!("{key}={value}")).collect();
        if !varied.is_empty() {
            message = format!("{}: {message}", varied.join(" "));
        }
        Err(HostError::Refused { experiment: self.experiment.id.clone(), message })
    }

    /// Creates a run with everything it needs except its name. Interrupts must be blocked, because one now would leave
    /// a folder without a process.
    pub(crate) fn new_run(&self, launch: &Launch, begin: Begin) -> Result<NewRun> {
        let new_run = begin(&self.runs, self.manifest(launch), launch.name.is_none())?;
        let run = new_run.run();
        self.shared.put(&self.runs, &self.file, &self.sha256, &run.plugin()).map_err(|e| match e.kind() {
            ErrorKind::ResourceBusy => {
                HostError::Plugin { path: self.first.plugin.clone(), refusal: Refusal::being_written() }
            }
            _ => HostError::at("copy the plugin to", &run.plugin())(e),
        })?;
        if let Some(figures) = &self.experiment.figures {
            gradtop_store::figures::declare(run, figures)?;
        }
        write_status(run, &Status::queued(0))?;
        Ok(new_run)
    }

    fn manifest(&self, launch: &Launch) -> Manifest {
        let Self { plugin, experiment, device, .. } = self;
        let info = ExperimentInfo {
            in_plugin: None,
            id: experiment.id.clone(),
            name: experiment.name.clone(),
            version: experiment.version.clone(),
            summary: experiment.summary.clone(),
            resumable: experiment.resumable,
            uses_device: experiment.uses_device,
        };
        let mut manifest = Manifest {
            seed: launch.seed.unwrap_or_else(draw_seed),
            device: if *device < 0 { "cpu".to_owned() } else { format!("cuda:{device}") },
            device_reason: self.device_reason.clone(),
            threads: launch.threads.unwrap_or_else(default_threads).max(1),
            checkpoint_every_s: launch.checkpoint_every.as_secs_f64().ceil() as u64,
            preset: launch.preset.clone(),
            alerts: alerts::given(),
            git_commit: std::env::current_dir().ok().and_then(|dir| git::commit(&dir)),
            plugin: Some(PluginInfo {
                file: "plugin.so".to_owned(),
                sha256: self.sha256.clone(),
                built_with: plugin.built_with.clone(),
                original_path: plugin.file.to_string_lossy().into_owned(),
            }),
            params: launch.params.clone(),
            metrics: experiment.metrics.clone(),
            ..Manifest::new(launch.name.as_deref().unwrap_or_default(), info)
        };
        manifest.versions.abi = format!("{}.{}", plugin.abi.0, plugin.abi.1);
        manifest.versions.libtorch = self.lib.as_deref().and_then(libtorch::version);
        manifest
    }
}

/// Asks an experiment, in a separate process, why it refuses these parameters; `None` if it does not. Defaults and
/// presets are not checked, because that would slow down every start.
pub fn refused(
    plugin: &Path,
    experiment: &ExperimentDesc,
    params: &[(String, ParamValue)],
) -> Option<String> {
    // If the plugin cannot be opened, starting the run reports why.
    refused_of(&PluginFile::open(plugin).ok()?, experiment, &[params]).map(|(_, why)| why)
}

/// Returns the first refused set of parameters. A set at which the process dies or hangs is not refused: the run will
/// fail with a log.
fn refused_of<'a>(
    plugin: &PluginFile,
    experiment: &ExperimentDesc,
    sets: &[&'a Params],
) -> Option<(&'a Params, String)> {
    let presets = experiment.presets.iter().map(|p| Some(p.name.as_str()));
    let declared: Vec<_> = std::iter::once(None)
        .chain(presets)
        .filter_map(|preset| resolve_params(experiment, preset, &[]).ok())
        .collect();
    let asked: Vec<&Params> = sets.iter().copied().filter(|set| declared.iter().all(|d| d != set)).collect();
    validate_each(plugin, &experiment.id, &asked).zip(&asked).find_map(|(judged, set)| match judged {
        Validation::Refused(why) => Some((*set, why)),
        Validation::Accepted | Validation::Broken(_) => None,
    })
}

/// Draws a seed of 32 bits, short enough to retype, from the randomness of the standard library's hasher.
pub(crate) fn draw_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish() >> 32
}

/// Starts the keeper and waits until the run no longer depends on this process. The caller has blocked interrupts. With
/// `turn`, the run gets the folder and environment it was queued with.
pub(crate) fn start(
    run: &RunDir,
    lock: &RunLock,
    resume: Option<&ResumeFrom>,
    turn: Option<&Turn>,
) -> Result<()> {
    let Err(why) = start_keeper(run, lock, resume, turn) else { return Ok(()) };
    // The keeper may have recorded the reason itself; if not, record it here.
    if read_status(run).is_ok_and(|s| !s.state.is_final()) {
        let status = Status {
            schema: gradtop_store::SCHEMA,
            state: State::Failed,
            cause: Some(format!("did not start: {why}")),
            updated: Timestamp::now(),
            ended: Some(Timestamp::now()),
            ..read_status(run).unwrap_or_default()
        };
        write_end(run, &status)?;
        Owner::end_of_dead(run);
    }
    Err(HostError::NotStarted { run: run.name(), why })
}

fn start_keeper(
    run: &RunDir,
    lock: &RunLock,
    resume: Option<&ResumeFrom>,
    turn: Option<&Turn>,
) -> Result<(), String> {
    if let Some(dir) = turn.map(Turn::dir).filter(|dir| !dir.is_dir()) {
        return Err(format!("the folder it was queued in is gone: {}", dir.display()));
    }
    let lock = lock.file().try_clone().map_err(|e| e.to_string())?;
    let mut command = invocation::command(run, lock, resume, turn);
    let mut child = command.spawn().map_err(|e| format!("the keeper cannot be started: {e}"))?;
    drop(command);
    let said = child.stdout.take().map(|pipe| read_line(&mut File::from(std::os::fd::OwnedFd::from(pipe))));
    if said.as_deref() == Some(invocation::DETACHED) {
        // The child must be reaped, or it stays a zombie while a monitor runs. If no thread can be started, it does.
        std::thread::Builder::new().name("reap".to_owned()).spawn(move || child.wait()).ok();
        return Ok(());
    }
    // It sent an error, or nothing because it hangs or is dead.
    let said = said.unwrap_or_default();
    child.kill().ok();
    let ended = child.wait().map_err(|e| e.to_string())?;
    if said.is_empty() {
        return Err(format!("the keeper ended with {}", crate::machine::signals::how_it_ended(ended)));
    }
    Err(said.trim_end().to_owned())
}

/// Reads the keeper's reply up to the end of the line or the pipe, or until time-out.
fn read_line(pipe: &mut File) -> String {
    let deadline = std::time::Instant::now() + DETACH;
    let mut said = Vec::new();
    let mut buffer = [0; 1024];
    while !said.ends_with(b"\n") {
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        match readable(&*pipe, left) {
            Ok(true) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Ok(false) | Err(_) => break,
        }
        match pipe.read(&mut buffer) {
            Ok(n) if n > 0 => said.extend_from_slice(&buffer[..n]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// The result of [`resume`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// The run was paused and has been asked to continue.
    Unpaused,
    /// The run had ended and continues from its newest checkpoint, or from its start.
    Continued,
}

/// Options for resuming a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resume {
    /// Even if it belongs to another user or its plugin has changed; recorded in its events.
    pub trust: bool,
    /// From its start if it has no checkpoint; what it logged is set aside.
    pub restart: bool,
}

impl Resume {
    /// Returns the corresponding action.
    pub fn action(self) -> Action {
        if self.restart { Action::Restart } else { Action::Resume }
    }
}

/// Continues a paused run, or resumes one that was stopped, failed or crashed, from its newest checkpoint and with the
/// same folder, plugin, parameters and seed. Returns once it no longer depends on the caller.
///
/// # Errors
/// The run may not be resumed now, lacks something, is in use, or does not start.
pub fn resume(run: &RunDir, how: Resume) -> Result<Resumed> {
    let path = std::path::absolute(run.path()).map_err(HostError::at("resolve", run.path()))?;
    let run = &RunDir::new(path);
    let seen = ready(run, how.action())?;
    if seen.state.is_final() {
        go_on(run, &seen, how.trust).map(|()| Resumed::Continued)
    } else {
        request(run, Request::Resume)?;
        Ok(Resumed::Unpaused)
    }
}

fn go_on(run: &RunDir, seen: &View, trust: bool) -> Result<()> {
    let trusted = may_run(run, &seen.manifest, trust)?;
    // An interrupt now would set rows aside without resuming the run.
    let _blocked = Blocked::interrupts();
    let lock = RunLock::acquire(run)?;
    let owner = Owner::claim_if_possible(run)?;
    let gone_on = resume_locked(run, seen, &lock, trusted);
    if let (Err(_), Some(owner)) = (&gone_on, owner) {
        owner.end(run);
    }
    gone_on
}

/// Resumes a run whose lock is held and that has been claimed.
fn resume_locked(run: &RunDir, seen: &View, lock: &RunLock, trusted: Option<(String, String)>) -> Result<()> {
    // Before the lock was taken, another process may have resumed it, and it may even have ended since.
    let now = view(run)?.status;
    if (now.state, now.updated) != (seen.status.state, seen.status.updated) {
        return Err(HostError::not_allowed(run, Action::Resume)(Why::Resumed));
    }
    recover(run, lock)?;
    clear_control(run)?;
    // It no longer belongs to a job.
    inside::remove_file(run, &run.job()).map_err(HostError::at("remove", &run.job()))?;
    let go_on = set_back(run, lock, &now, trusted)?;
    let started = start(run, lock, Some(&go_on), None);
    if started.is_err() {
        // If it does not start, its previous end still applies.
        let (state, cause, ended) = (now.state, now.cause, now.ended);
        write_end(run, &Status { state, cause, ended, ..read_status(run)? })?;
    }
    started
}

/// Sets a run back to its newest checkpoint, or to its start if it has none. Returns how it continues; `now` is its last status.
pub(crate) fn set_back(
    run: &RunDir,
    lock: &RunLock,
    now: &Status,
    trusted: Option<(String, String)>,
) -> Result<ResumeFrom> {
    let manifest = read_manifest(run)?;
    let saved = manifest.experiment.resumable && !checkpoints(run).is_empty();
    let checkpoint = if saved {
        Some(prepare_resume(run, lock, None)?)
    } else {
        prepare_restart(run, lock)?;
        None
    };
    let mut status = status_at(now, checkpoint.as_ref());
    if checkpoint.is_some() {
        gradtop_store::settle(run, &mut status);
    }
    // A run of an older version has no table of parameters.
    gradtop_store::write_params_table(run, &manifest)?;
    gradtop_store::write_run_table(run, &manifest, &status)?;
    write_status(run, &status)?;
    append_event(
        run,
        &match &checkpoint {
            Some(Checkpoint { dir, step, .. }) => {
                let place = dir.strip_prefix(run.path()).unwrap_or(dir).display().to_string();
                Event::Resumed { step: *step, checkpoint: place }
            }
            None => Event::Warning {
                message: "started again without a checkpoint: the run starts over".to_owned(),
            },
        },
    )?;
    let trusted = trusted.map(|(message, hash)| {
        append_event(run, &Event::Warning { message })?;
        Ok::<_, gradtop_store::StoreError>(hash)
    });
    Ok(ResumeFrom { checkpoint: checkpoint.map(|from| from.dir), trusted: trusted.transpose()? })
}

/// Returns the status of a run that continues from a checkpoint, or starts over, before it is brought to the rows that are
/// left.
fn status_at(now: &Status, checkpoint: Option<&Checkpoint>) -> Status {
    let mut status = Status {
        schema: gradtop_store::SCHEMA,
        state: State::Queued,
        epoch: checkpoint.and_then(|from| from.epoch),
        updated: Timestamp::now(),
        started: now.started,
        elapsed_s: now.took(now.updated),
        // Of a run that starts over, nothing of before counts.
        trained_s: checkpoint.map_or(Some(0.0), |from| from.trained_s),
        ..Status::default()
    };
    if let Some(from) = checkpoint {
        // Shown until it logs again, and if it never does. The step of the checkpoint may have logged nothing; of a step
        // after it, the rows are set aside, and those that are left say which is the last.
        status.step = now.step.filter(|step| *step <= from.step);
        (status.total, status.by_steps) = (now.total, now.by_steps);
        if now.works_by_steps() {
            status.done = u64::try_from(from.step.saturating_add(1)).unwrap_or(0).min(now.done);
        }
        (status.headline, status.headline_is_part) = (now.headline.clone(), now.headline_is_part);
    }
    status
}

/// Checks that an ended run could be resumed, before anything is written.
///
/// # Errors
/// What is missing, or why its plugin is not trusted.
pub fn may_resume(run: &RunDir, how: Resume) -> Result<()> {
    let manifest = read_manifest(run)?;
    has_all(run, &manifest, how.action()).map_err(HostError::not_allowed(run, Action::Resume))?;
    may_run(run, &manifest, how.trust).map(drop)
}

/// Checks whether a run's plugin or command may be run. Returns `None` if it is unchanged, else a description of what
/// is trusted and the hash of the trusted plugin.
pub(crate) fn may_run(run: &RunDir, manifest: &Manifest, trust: bool) -> Result<Option<(String, String)>> {
    let file = || match &manifest.plugin {
        Some(recorded) => PluginFile::of_run(run, &recorded.sha256).map(drop),
        None => Ok(()),
    };
    let refusal = match check_owner(run).and_then(|()| file()) {
        Ok(()) => return Ok(None),
        Err(refusal @ (Refusal::Foreign { .. } | Refusal::Changed { .. })) => refusal,
        Err(refusal) => return Err(HostError::Plugin { path: run.plugin(), refusal }),
    };
    if !trust {
        return Err(HostError::Untrusted { run: run.name(), refusal });
    }
    if manifest.plugin.is_none() {
        return Ok(None);
    }
    let unreadable = |refusal| HostError::Plugin { path: run.plugin(), refusal };
    let file = PluginFile::of_run_as_it_is(run).map_err(unreadable)?;
    let hash = file.sha256().map_err(HostError::at("read", &run.plugin()))?;
    let changes =
        changes(run, &file).map(|c| format!("; of its parameters {}", c.join(", "))).unwrap_or_default();
    Ok(Some((format!("resumed with --trust, although its plugin {refusal}{changes}"), hash)))
}

/// Describes how the current plugin changes the run's parameters, if it does.
fn changes(run: &RunDir, plugin: &PluginFile) -> Option<Vec<String>> {
    let manifest = read_manifest(run).ok()?;
    let (desc, _) = describe::described_exactly(plugin).ok()?;
    let (_, experiment) = desc.experiment(manifest.experiment.plugin_id())?;
    Some(parameter_changes(&manifest.params, experiment)).filter(|changes| !changes.is_empty())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_resumed_run_is_at_the_step_that_it_logged_last() {
        let from = Checkpoint { dir: PathBuf::new(), step: 825, epoch: None, trained_s: None };
        let now = |step| Status { step: Some(step), done: 826, total: 3000, ..Status::default() };
        let status = status_at(&now(820), Some(&from));
        assert_eq!((status.step, status.done), (Some(820), 826));
        // The rows that are left say where it is.
        assert_eq!(status_at(&now(830), Some(&from)).step, None);
        assert_eq!(status_at(&now(820), None).step, None);
    }
}
