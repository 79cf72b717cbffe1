//! Runs that wait for their turn, `<runs>/.queue/<number>-<name>`: each the whole folder of a run, and beside what is in any run
//! [`RunDir::turn`], which says what it is to be started with. No process waits with them.
//!
//! The turn's file is what makes starting safe: it goes just before the first process that trains is started. A run that has one
//! and no process has never begun and may be started; one without has begun, and is never started by itself again. What is taken
//! out of the queue is first written into `claims.json`, then renamed, so that whoever is killed in between leaves a claim that
//! the next to look settles.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::folder::inside;
use crate::folder::lock::RunLock;
use crate::folder::machine::Place;
use crate::folder::manifest::read_manifest;
use crate::folder::run_dir::{QUEUE, RunDir};
use crate::folder::shared::create_shared;
use crate::folder::temporary::tmp_beside;

/// How often the queue's lock is tried for, each time for a second. Whoever starts a run holds it for a moment.
const PATIENCE: u32 = 30;

/// The queue's folder.
pub(crate) fn folder(runs: &Path) -> RunDir {
    RunDir::new(runs.join(QUEUE))
}

/// Text of the system, which is UTF-8 nearly always.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Text {
    Utf8(String),
    Bytes(Vec<u8>),
}

impl From<&OsStr> for Text {
    fn from(text: &OsStr) -> Self {
        text.to_str()
            .map_or_else(|| Self::Bytes(text.as_bytes().to_vec()), |text| Self::Utf8(text.to_owned()))
    }
}

impl Text {
    fn to_os(&self) -> OsString {
        match self {
            Self::Utf8(text) => text.into(),
            Self::Bytes(bytes) => OsString::from_vec(bytes.clone()),
        }
    }
}

/// What a run that waits is to be started with. Its file is its user's alone: an environment holds secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The device whose slot it takes.
    pub device: String,
    /// Runs that must have finished before, as `<experiment>/<name>`.
    #[serde(default)]
    pub after: Vec<String>,
    /// Why it is not started even when its turn has come.
    pub held: Option<String>,
    /// How often it was started in vain.
    #[serde(default)]
    pub tries: u32,
    host: String,
    machine: Option<String>,
    dir: Text,
    env: Vec<(Text, Text)>,
}

impl Turn {
    /// With the folder and the environment of this process.
    ///
    /// # Errors
    /// The working folder is gone.
    pub fn here(device: &str, after: Vec<String>) -> std::io::Result<Self> {
        let Place { host, machine, .. } = Place::here();
        let env = std::env::vars_os().map(|(key, value)| (Text::from(&*key), Text::from(&*value))).collect();
        let dir = Text::from(std::env::current_dir()?.as_os_str());
        let device = if device.is_empty() { "cpu" } else { device }.to_owned();
        Ok(Self { device, after, held: None, tries: 0, host, machine, dir, env })
    }

    /// The folder to start in.
    pub fn dir(&self) -> PathBuf {
        self.dir.to_os().into()
    }

    /// Sets a variable of its environment, or takes it out.
    pub fn set_env(&mut self, name: &str, value: Option<&str>) {
        let name = Text::from(OsStr::new(name));
        self.env.retain(|(known, _)| *known != name);
        self.env.extend(value.map(|value| (name, Text::from(OsStr::new(value)))));
    }

    /// The whole environment to start with.
    pub fn env(&self) -> impl Iterator<Item = (OsString, OsString)> {
        self.env.iter().map(|(key, value)| (key.to_os(), value.to_os()))
    }

    /// Whether it was queued on this machine, in whatever boot.
    pub fn is_here(&self) -> bool {
        let here = Place::here();
        if self.machine.is_some() { self.machine == here.machine } else { self.host == here.host }
    }
}

/// Reads what a run that waits is to be started with.
///
/// # Errors
/// It cannot be read or understood.
pub fn read_turn(run: &RunDir) -> Result<Turn> {
    let path = run.turn();
    let bytes = inside::read(run, &path, inside::TEXT_LIMIT).at("read", &path)?;
    serde_json::from_slice(&bytes).format_at("understand", &path)
}

/// Writes it, for this user alone.
///
/// # Errors
/// The disk does not take it.
pub fn write_turn(run: &RunDir, turn: &Turn) -> Result<()> {
    let path = run.turn();
    let bytes = serde_json::to_vec(turn).format_at("encode", &path)?;
    inside::replace_private(run, &path, &bytes).at("write", &path)
}

/// What a run in the queue waits for, as far as this user may know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InQueue {
    /// Its place, from 1; `None` while it is being started.
    pub place: Option<usize>,
    /// Runs that must have finished before.
    pub after: Vec<String>,
    /// Why it is not started even when its turn has come.
    pub held: Option<String>,
}

/// What is to be known of a run that nobody runs, if it was never begun.
pub(crate) fn in_queue(run: &RunDir) -> Option<InQueue> {
    if !run.is_queued() && !inside::exists(run, &run.turn()) {
        return None;
    }
    let place = number(run)
        .filter(|_| run.is_queued())
        .map(|own| 1 + numbered(run.runs()).iter().filter(|(number, _)| *number < own).count());
    let turn = read_turn(run).ok();
    let (after, held) = turn.map(|turn| (turn.after, turn.held)).unwrap_or_default();
    Some(InQueue { place, after, held })
}

fn number(run: &RunDir) -> Option<u64> {
    run.path().file_name()?.to_str()?.split_once('-')?.0.parse().ok()
}

/// The numbers and folders of what waits, in order. One look into one folder.
fn numbered(runs: &Path) -> Vec<(u64, RunDir)> {
    let queue = folder(runs);
    let names = inside::names(&queue, queue.path()).unwrap_or_default();
    let mut found: Vec<(u64, RunDir)> = names
        .into_iter()
        .filter_map(|name| {
            let run = RunDir::new(queue.path().join(name));
            Some((number(&run)?, run))
        })
        .collect();
    found.sort();
    found
}

/// The runs that wait, in their order.
pub fn waiting(runs: &Path) -> Vec<RunDir> {
    numbered(runs).into_iter().map(|(_, run)| run).collect()
}

/// The run of that experiment and name, if it waits.
pub(crate) fn find(runs: &Path, experiment: &str, name: &str) -> Option<RunDir> {
    let is_of = |run: &RunDir| read_manifest(run).is_ok_and(|m| m.experiment.id == experiment);
    waiting(runs).into_iter().find(|run| run.name() == name && is_of(run))
}

/// Where a run is now that was seen in the queue: there, elsewhere in it, or started.
pub fn moved(run: &RunDir, experiment: &str) -> RunDir {
    if !run.is_queued() || inside::exists(run, &run.manifest()) {
        return run.clone();
    }
    queued_run(run.runs(), experiment, &run.name())
}

/// Where a run is that was queued once: started, or waiting still. One that is neither is where it would have been started.
pub fn queued_run(runs: &Path, experiment: &str, name: &str) -> RunDir {
    let started = RunDir::new(runs.join(format!("exp={experiment}")).join(format!("run={name}")));
    let is_there = || inside::exists(&started, &started.manifest());
    if is_there() {
        return started;
    }
    // It may be started between the two looks.
    find(runs, experiment, name).filter(|_| !is_there()).unwrap_or(started)
}

/// Whether there is a queue, and it is this user's: nobody starts runs of another.
pub fn queue_is_mine(runs: &Path) -> bool {
    inside::owner(&folder(runs)).is_ok_and(|owner| owner == rustix::process::geteuid().as_raw())
}

/// When something last came into the queue, went, or was claimed.
pub fn queue_stamp(runs: &Path) -> Option<SystemTime> {
    let queue = folder(runs);
    inside::entry(&queue, queue.path()).ok().map(|entry| entry.modified)
}

/// How many runs may be at work at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueSettings {
    /// On each device that has no number of its own.
    pub slots: u32,
    /// On devices that have.
    #[serde(default)]
    pub devices: BTreeMap<String, u32>,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { slots: 1, devices: BTreeMap::new() }
    }
}

impl QueueSettings {
    /// On this device.
    pub fn of(&self, device: &str) -> u32 {
        self.devices.get(device).copied().unwrap_or(self.slots)
    }
}

/// The queue's settings.
///
/// # Errors
/// Their file cannot be read or understood.
pub fn queue_settings(runs: &Path) -> Result<QueueSettings> {
    let queue = folder(runs);
    let path = settings(&queue);
    let text = inside::if_there(inside::read_text(&queue, &path, inside::NOTE_LIMIT)).at("read", &path)?;
    text.map_or_else(
        || Ok(QueueSettings::default()),
        |text| toml::from_str(&text).format_at("understand", &path),
    )
}

fn settings(queue: &RunDir) -> PathBuf {
    queue.path().join("settings.toml")
}

fn claims(queue: &RunDir) -> PathBuf {
    queue.path().join("claims.json")
}

/// A slot that was given to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// `<experiment>/<name>`
    pub run: String,
    /// Its folder's name in the queue.
    pub from: String,
    /// The device whose slot it is.
    pub device: String,
    /// The machine that it is one of.
    pub host: String,
}

impl Claim {
    /// Where its run lies once it has been taken out of the queue.
    pub fn dir(&self, runs: &Path) -> RunDir {
        let (experiment, name) = self.run.rsplit_once('/').unwrap_or(("", &self.run));
        RunDir::new(runs.join(format!("exp={experiment}")).join(format!("run={name}")))
    }
}

/// The slots that were given away and not yet taken back.
pub fn queue_claims(runs: &Path) -> Vec<Claim> {
    let queue = folder(runs);
    let bytes = inside::read(&queue, &claims(&queue), inside::TEXT_LIMIT).unwrap_or_default();
    // A power cut may have torn it: then slots are given anew.
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// The queue, while nobody else changes it.
#[derive(Debug)]
pub struct LockedQueue {
    runs: PathBuf,
    queue: RunDir,
    _lock: RunLock,
}

impl LockedQueue {
    /// Waits for its lock.
    ///
    /// # Errors
    /// The queue is another user's, or somebody has had its lock for very long.
    pub fn lock(runs: &Path) -> Result<Self> {
        let queue = folder(runs);
        if !queue_is_mine(runs) {
            return Err(StoreError::ForeignQueue(queue.path().to_owned()));
        }
        let mut tries = 0;
        loop {
            match RunLock::acquire(&queue) {
                Err(StoreError::Locked { .. }) if tries < PATIENCE => tries += 1,
                lock => return Ok(Self { runs: runs.to_owned(), queue, _lock: lock? }),
            }
        }
    }

    /// Takes the lock, unless somebody has it at this moment or the queue is not this user's.
    pub fn try_lock(runs: &Path) -> Option<Self> {
        let queue = folder(runs);
        let lock = RunLock::acquire_now(&queue).ok().filter(|_| queue_is_mine(runs))?;
        Some(Self { runs: runs.to_owned(), queue, _lock: lock })
    }

    /// Gives folders in the queue, so far of temporary names, the last places.
    pub(crate) fn append<'a>(
        &self,
        runs: impl Iterator<Item = (&'a RunDir, &'a str)>,
    ) -> Result<Vec<RunDir>> {
        let last = numbered(&self.runs).last().map_or(0, |(number, _)| *number);
        let queued: Result<_> = (last + 1..)
            .zip(runs)
            .map(|(number, (run, name))| self.move_to(run, path_of(&self.queue, number, name)))
            .collect();
        self.sync()?;
        queued
    }

    fn rename(&self, run: &RunDir, path: PathBuf) -> Result<RunDir> {
        let moved = self.move_to(run, path)?;
        self.sync().map(|()| moved)
    }

    fn move_to(&self, run: &RunDir, path: PathBuf) -> Result<RunDir> {
        inside::rename_new(&RunDir::new(&self.runs), run.path(), &path).at("move", run.path())?;
        Ok(RunDir::new(path))
    }

    fn sync(&self) -> Result<()> {
        inside::sync_dir(&self.queue, self.queue.path()).at("write", self.queue.path())
    }

    /// Moves a run to that place, counted from 1.
    ///
    /// # Errors
    /// A folder cannot be renamed; the order is then the old one, or the new one.
    pub fn put(&self, run: &RunDir, place: usize) -> Result<()> {
        let mut others = numbered(&self.runs);
        let before = others.len();
        others.retain(|(_, other)| other != run);
        if others.len() == before || others.is_empty() {
            return Ok(());
        }
        let at = place.saturating_sub(1).min(others.len());
        let wanted = match at.checked_sub(1) {
            Some(before) => others[before].0 + 1,
            None => others[0].0.saturating_sub(1).max(1),
        };
        // Room is made from behind, so that the others keep their order after every step.
        let in_the_way = (at..others.len()).take_while(|i| others[*i].0 == wanted + (i - at) as u64).count();
        for (number, other) in others[at..at + in_the_way].iter().rev() {
            self.rename(other, path_of(&self.queue, number + 1, &other.name()))?;
        }
        let path = path_of(&self.queue, wanted, &run.name());
        if path == run.path() { Ok(()) } else { self.rename(run, path).map(drop) }
    }

    /// Replaces the settings.
    ///
    /// # Errors
    /// The disk does not take them.
    pub fn set(&self, new: &QueueSettings) -> Result<()> {
        let path = settings(&self.queue);
        let text = toml::to_string(new).format_at("encode", &path)?;
        inside::replace(&self.queue, &path, text.as_bytes(), true).at("write", &path)
    }

    /// Replaces the claims.
    ///
    /// # Errors
    /// The disk does not take them.
    pub fn set_claims(&self, new: &[Claim]) -> Result<()> {
        let path = claims(&self.queue);
        let bytes = serde_json::to_vec(new).format_at("encode", &path)?;
        inside::replace(&self.queue, &path, &bytes, true).at("write", &path)
    }

    /// Takes a run out of the queue, to where runs are, in one step. Its lock stays held. The caller has claimed it.
    ///
    /// # Errors
    /// [`StoreError::RunExists`] if another has its name by now, or it cannot be moved.
    pub fn take_out(&self, run: &RunDir, claim: &Claim) -> Result<RunDir> {
        let to = claim.dir(&self.runs);
        let (above, path) = (to.path().parent().unwrap_or(&self.runs), to.path());
        loop {
            create_shared(&self.runs, above)?;
            match inside::rename_new(&RunDir::new(&self.runs), run.path(), path) {
                // The folder of an experiment goes with its last run.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound && inside::exists(run, run.path()) => {}
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                    return Err(StoreError::RunExists(path.to_owned()));
                }
                renamed => {
                    renamed.at("move", run.path())?;
                    return Ok(to);
                }
            }
        }
    }

    /// Puts a run that was taken out and did not start back to its old place.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn put_back(&self, run: &RunDir, claim: &Claim) -> Result<RunDir> {
        self.rename(run, self.queue.path().join(&claim.from))
    }

    /// Deletes a run that waits.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, run: &RunDir) -> Result<()> {
        let away = tmp_beside(run.path());
        inside::rename(&self.queue, run.path(), &away).at("delete", run.path())?;
        inside::remove_dir(&self.queue, &away).at("delete", run.path()).map(drop)
    }
}

fn path_of(queue: &RunDir, number: u64, name: &str) -> PathBuf {
    queue.path().join(format!("{number:03}-{name}"))
}
