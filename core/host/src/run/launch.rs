//! Starting a run, and going on with one.

use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gradtop_store::{
    Birth, Checkpoint, Event, ExperimentInfo, Manifest, Owner, ParamValue, PluginInfo, Request, RunDir,
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
use crate::plugin::validate::{Judged, Params, judged_each};
use crate::run::alerts;
use crate::run::allowed::{Action, Why, has_all};
use crate::run::control::ready;
use crate::run::keeper_command::{self, GoOn};

/// What to run.
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
    /// The preset they came from, for the record.
    pub preset: Option<String>,
    /// The run's name; the next free one if `None`.
    pub name: Option<String>,
    /// The seed; drawn if `None`.
    pub seed: Option<u64>,
    /// The device.
    pub device: DeviceChoice,
    /// Threads; [`default_threads`] if `None`.
    pub threads: Option<u32>,
    /// Time between checkpoints of a resumable experiment; zero for none but those asked for.
    pub checkpoint_every: Duration,
}

/// How often a resumable run saves a checkpoint unless told otherwise.
pub const DEFAULT_CHECKPOINT_EVERY: Duration = Duration::from_mins(1);
/// How long a keeper may take to come up.
const DETACH: Duration = Duration::from_secs(10);

/// Threads of a run that does not say: as many as this process may use cores, at most 8. Depends on the machine, never on
/// its load, because results may depend on it; it is recorded in `run.toml`.
pub fn default_threads() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(8) as u32)
}

/// Starts a run and returns once it is on its own: it has its folder, its lock and its two processes, and whatever
/// happens to the caller no longer matters to it.
///
/// # Errors
/// The plugin, a parameter or the device cannot be used, the experiment refuses the parameters, the name is taken, or nothing can be
/// written or started.
pub fn launch(launch: &Launch) -> Result<RunDir> {
    let source = Source::of(launch, None)?;
    source.check(&[launch])?;
    let _blocked = Blocked::interrupts();
    let (run, lock) = source.birth(launch, Birth::begin)?.finish()?;
    start(&run, &lock, None, None)?;
    Ok(run)
}

/// How the folder of a run is begun.
pub(crate) type Begin = fn(&Path, Manifest, bool) -> gradtop_store::Result<Birth>;

/// What runs of one experiment on one device have in common: read once, however many there are.
pub(crate) struct Source {
    /// The first of them.
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
    /// Of a run. `gpu`: it will be on another machine, which has a GPU or not.
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
        let runs = std::path::absolute(&launch.runs).map_err(HostError::io("resolve the runs folder"))?;
        let (first, shared) = (launch.clone(), Shared::default());
        Ok(Self { first, runs, file, sha256, plugin, experiment, lib, device, device_reason, shared })
    }

    /// Whether it is this run's, too.
    pub(crate) fn is_of(&self, launch: &Launch) -> bool {
        let of = |l: &Launch| (l.runs.clone(), l.plugin.clone(), l.experiment.clone(), l.device);
        of(&self.first) == of(launch)
    }

    /// Asks the experiment whether it refuses the parameters of any of its runs.
    ///
    /// # Errors
    /// [`HostError::Refused`] for the first that it refuses.
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

    /// A run that has all that it is to be started with, except its name. Interrupts are blocked: one now would leave a folder that nobody
    /// runs.
    pub(crate) fn birth(&self, launch: &Launch, begin: Begin) -> Result<Birth> {
        let birth = begin(&self.runs, self.manifest(launch), launch.name.is_none())?;
        let run = birth.run();
        self.shared.put(&self.runs, &self.file, &self.sha256, &run.plugin()).map_err(|e| match e.kind() {
            ErrorKind::ResourceBusy => {
                HostError::Plugin { path: self.first.plugin.clone(), refusal: Refusal::being_written() }
            }
            _ => HostError::io("copy the plugin")(e),
        })?;
        if let Some(figures) = &self.experiment.figures {
            gradtop_store::figures::declare(run, figures)?;
        }
        write_status(run, &Status::queued(0))?;
        Ok(birth)
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

/// Why an experiment refuses these parameters; `None` if it does not. It is asked in a process of its own, as the start of
/// every run asks it. Defaults and presets are the author's own; asking about them too would make every start slower.
pub fn refused(
    plugin: &Path,
    experiment: &ExperimentDesc,
    params: &[(String, ParamValue)],
) -> Option<String> {
    // One that cannot be opened refuses nothing: the start says why.
    refused_of(&PluginFile::open(plugin).ok()?, experiment, &[params]).map(|(_, why)| why)
}

/// The first of several sets that it refuses, and why. One at which its process dies or hangs is not refused: the run will tell, with its log.
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
    judged_each(plugin, &experiment.id, &asked).zip(&asked).find_map(|(judged, set)| match judged {
        Judged::Refused(why) => Some((*set, why)),
        Judged::Accepted | Judged::Broken(_) => None,
    })
}

/// A seed that is easy to type again: 32 bits of the system's randomness, which the standard library's hasher is keyed with.
pub(crate) fn draw_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish() >> 32
}

/// Starts the keeper and waits until it says that the run is on its own. The caller has blocked interrupts.
/// One that waited for its `turn` has the folder and the environment it was queued with.
pub(crate) fn start(run: &RunDir, lock: &RunLock, resume: Option<&GoOn>, turn: Option<&Turn>) -> Result<()> {
    let Err(why) = start_keeper(run, lock, resume, turn) else { return Ok(()) };
    // The keeper may have written down why itself; if it could not, this is said here.
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
    resume: Option<&GoOn>,
    turn: Option<&Turn>,
) -> Result<(), String> {
    let lock = lock.file().try_clone().map_err(|e| e.to_string())?;
    let mut command = keeper_command::command(run, lock, resume, turn);
    let mut child = command.spawn().map_err(|e| format!("the keeper cannot be started: {e}"))?;
    drop(command);
    let said = child.stdout.take().map(|pipe| read_line(&mut File::from(std::os::fd::OwnedFd::from(pipe))));
    if said.as_deref() == Some(keeper_command::DETACHED) {
        // Whoever started it waits for it in the end, or it stays a zombie for as long as a monitor runs.
        // Where no thread can be started, it stays one.
        std::thread::Builder::new().name("reap".to_owned()).spawn(move || child.wait()).ok();
        return Ok(());
    }
    // It said why, or nothing: then it hangs or is dead.
    let said = said.unwrap_or_default();
    child.kill().ok();
    let ended = child.wait().map_err(|e| e.to_string())?;
    if said.is_empty() {
        return Err(format!("the keeper ended with {}", crate::machine::signals::how_it_ended(ended)));
    }
    Err(said.trim_end().to_owned())
}

/// What the keeper says: to the end of the line or of the pipe, or until its time is over.
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

/// What resuming a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// It was paused, and is asked to go on.
    Unpaused,
    /// It had ended, and goes on from its newest checkpoint, or from its start.
    Continued,
}

/// How a run is resumed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resume {
    /// Even if it is another user's, or its plugin is not the file that it was started with; its events say so.
    pub trust: bool,
    /// From its start if it has no checkpoint; what it logged is set aside.
    pub restart: bool,
}

impl Resume {
    /// What it does to a run.
    pub fn action(self) -> Action {
        if self.restart { Action::Restart } else { Action::Resume }
    }
}

/// Lets a paused run go on, or goes on with one that stopped, failed or crashed: from its newest checkpoint, in the same folder
/// and with the same plugin, parameters and seed. Returns once it is on its own.
///
/// # Errors
/// It may not be resumed now, lacks what it goes on with, is in use, or does not start.
pub fn resume(run: &RunDir, how: Resume) -> Result<Resumed> {
    let path = std::path::absolute(run.path()).map_err(HostError::io("resolve the run's folder"))?;
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
    // An interrupt now would leave rows set aside and nobody to go on.
    let _blocked = Blocked::interrupts();
    let lock = RunLock::acquire(run)?;
    let owner = Owner::claim_if_possible(run)?;
    let gone_on = go_on_as(run, seen, &lock, trusted);
    if let (Err(_), Some(owner)) = (&gone_on, owner) {
        owner.end(run);
    }
    gone_on
}

/// The same for who has the lock and has claimed the run.
fn go_on_as(run: &RunDir, seen: &View, lock: &RunLock, trusted: Option<(String, String)>) -> Result<()> {
    // Between the look and the lock, somebody else may have resumed it, and it may even have ended since.
    let now = view(run)?.status;
    if (now.state, now.updated) != (seen.status.state, seen.status.updated) {
        return Err(HostError::not_allowed(run, Action::Resume)(Why::Resumed));
    }
    recover(run, lock)?;
    clear_control(run)?;
    // From here on it is no job's.
    inside::remove_file(run, &run.job()).map_err(HostError::io("remove job.toml"))?;
    let go_on = set_back(run, lock, &now, trusted)?;
    let started = start(run, lock, Some(&go_on), None);
    if started.is_err() {
        // Its end is still the one that it had.
        let (state, cause, ended) = (now.state, now.cause, now.ended);
        write_end(run, &Status { state, cause, ended, ..read_status(run)? })?;
    }
    started
}

/// Sets a run back to its newest checkpoint, or to its start if it has none; how it goes on from there. `now` is its last status.
pub(crate) fn set_back(
    run: &RunDir,
    lock: &RunLock,
    now: &Status,
    trusted: Option<(String, String)>,
) -> Result<GoOn> {
    let manifest = read_manifest(run)?;
    let saved = manifest.experiment.resumable && !checkpoints(run).is_empty();
    let checkpoint = if saved {
        Some(prepare_resume(run, lock, None)?)
    } else {
        prepare_restart(run, lock)?;
        None
    };
    let status = Status {
        schema: gradtop_store::SCHEMA,
        state: State::Queued,
        step: checkpoint.as_ref().map(|from| from.step),
        epoch: checkpoint.as_ref().and_then(|from| from.epoch),
        updated: Timestamp::now(),
        started: now.started,
        elapsed_s: now.took(now.updated),
        trained_s: checkpoint.as_ref().and_then(|from| from.trained_s),
        ..Status::default()
    };
    // A run of an older version has no table of parameters yet.
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
    Ok(GoOn { checkpoint: checkpoint.map(|from| from.dir), trusted: trusted.transpose()? })
}

/// Whether a run that has ended, or will have been given up, could be resumed: an error says what it lacks, before anything is
/// written.
///
/// # Errors
/// What it lacks, or why its plugin is not trusted.
pub fn may_resume(run: &RunDir, how: Resume) -> Result<()> {
    let manifest = read_manifest(run)?;
    has_all(run, &manifest, how.action()).map_err(HostError::not_allowed(run, Action::Resume))?;
    may_run(run, &manifest, how.trust).map(drop)
}

/// Whether the plugin in a run's folder, or the command in its manifest, may be run. `None`: it is what it should be. Else what is trusted, in words, and the
/// hash of what may be run instead.
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
    let hash = file.sha256().map_err(HostError::io("read plugin.so"))?;
    let changes =
        changes(run, &file).map(|c| format!("; of its parameters {}", c.join(", "))).unwrap_or_default();
    Ok(Some((format!("resumed with --trust, although its plugin {refusal}{changes}"), hash)))
}

/// What this plugin changes in the parameters of a run, if it can be described and changes any.
fn changes(run: &RunDir, plugin: &PluginFile) -> Option<Vec<String>> {
    let manifest = read_manifest(run).ok()?;
    let (desc, _) = describe::described_exactly(plugin).ok()?;
    let (_, experiment) = desc.experiment(manifest.experiment.plugin_id())?;
    Some(parameter_changes(&manifest.params, experiment)).filter(|changes| !changes.is_empty())
}
