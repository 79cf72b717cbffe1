//! The queue: runs that wait to be started, in `<runs>/.queue/<number>-<name>`. Each is a complete run folder with one
//! additional file, [`RunDir::turn`], which says how to start it. No process waits with them.
//!
//! The turn's file makes starting safe: it is removed just before the first process that trains is started. A run that
//! has the file and no process has never begun and may be started; a run without it has begun and is never started
//! automatically again. A run leaves the queue in two steps, first an entry in `claims.json`, then a rename, so that a
//! kill in between leaves a claim that the next process to look resolves.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::disk::inside;
use crate::disk::shared::create_shared;
use crate::disk::temporary::tmp_beside;
use crate::error::{FormatContext as _, IoContext as _, Result, StoreError};
use crate::folder::manifest::read_manifest;
use crate::folder::run_dir::{QUEUE, RunDir};
use crate::liveness::lock::RunLock;
use crate::liveness::machine::Place;

/// How often to try for the queue's lock, each time for a second. Starting a run holds it for a moment.
const PATIENCE: u32 = 30;

/// How often a run that is moved is followed.
const MOVES: u32 = 20;

/// The queue's folder.
pub(crate) fn folder(runs: &Path) -> RunDir {
    RunDir::new(runs.join(QUEUE))
}

/// A string of the operating system, which is nearly always UTF-8.
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

/// How to start a run that waits. Its file is readable by its user only, because an environment holds secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The device on which it takes a slot.
    pub device: String,
    /// Runs that must have finished first, as `<experiment>/<name>`.
    #[serde(default)]
    pub after: Vec<String>,
    /// Why it is held back even when its turn has come: by the user, or because it did not start.
    pub held: Option<String>,
    /// Which of the runs in `after` will not finish, and why. Looked at again whenever runs are started.
    #[serde(default)]
    pub blocked: Option<String>,
    /// Number of failed attempts to start it.
    #[serde(default)]
    pub tries: u32,
    host: String,
    machine: Option<String>,
    dir: Text,
    env: Vec<(Text, Text)>,
}

impl Turn {
    /// Captures the working folder and the environment of this process.
    ///
    /// # Errors
    /// The working folder does not exist.
    pub fn here(device: &str, after: Vec<String>) -> std::io::Result<Self> {
        let Place { host, machine, .. } = Place::here();
        let env = std::env::vars_os().map(|(key, value)| (Text::from(&*key), Text::from(&*value))).collect();
        let dir = Text::from(std::env::current_dir()?.as_os_str());
        let device = if device.is_empty() { "cpu" } else { device }.to_owned();
        Ok(Self { device, after, held: None, blocked: None, tries: 0, host, machine, dir, env })
    }

    /// Returns the folder to start in.
    pub fn dir(&self) -> PathBuf {
        self.dir.to_os().into()
    }

    /// Sets or removes a variable of its environment.
    pub fn set_env(&mut self, name: &str, value: Option<&str>) {
        let name = Text::from(OsStr::new(name));
        self.env.retain(|(known, _)| *known != name);
        self.env.extend(value.map(|value| (name, Text::from(OsStr::new(value)))));
    }

    /// Returns the environment to start with.
    pub fn env(&self) -> impl Iterator<Item = (OsString, OsString)> {
        self.env.iter().map(|(key, value)| (key.to_os(), value.to_os()))
    }

    /// Returns all reasons why it is held back.
    pub fn why_held(&self) -> Option<String> {
        match (&self.blocked, &self.held) {
            (Some(blocked), Some(held)) => Some(format!("{blocked}, and {held}")),
            (one, other) => one.clone().or_else(|| other.clone()),
        }
    }

    /// Returns whether it was queued on this machine, in any boot.
    pub fn is_here(&self) -> bool {
        let here = Place::here();
        if self.machine.is_some() { self.machine == here.machine } else { self.host == here.host }
    }
}

/// Reads how to start a run that waits.
///
/// # Errors
/// The file cannot be read or parsed.
pub fn read_turn(run: &RunDir) -> Result<Turn> {
    let path = run.turn();
    let bytes = inside::read(run, &path, inside::TEXT_LIMIT).at("read", &path)?;
    serde_json::from_slice(&bytes).format_at("understand", &path)
}

/// Writes how to start a run, readable by this user only.
///
/// # Errors
/// The file cannot be written.
pub fn write_turn(run: &RunDir, turn: &Turn) -> Result<()> {
    let path = run.turn();
    let bytes = serde_json::to_vec(turn).format_at("encode", &path)?;
    inside::replace_private(run, &path, &bytes).at("write", &path)
}

/// Why a run in the queue waits, as far as this user may know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InQueue {
    /// Its position, from 1; `None` while it is being started.
    pub place: Option<usize>,
    /// The device on which it takes a slot.
    pub device: Option<String>,
    /// Runs that must have finished first.
    pub after: Vec<String>,
    /// Why it is held back even when its turn has come.
    pub held: Option<String>,
}

/// Returns the queue entry of a run without processes, if it was never begun.
pub(crate) fn in_queue(run: &RunDir) -> Option<InQueue> {
    if !run.is_queued() && !inside::exists(run, &run.turn()) {
        return None;
    }
    let place = number(run)
        .filter(|_| run.is_queued())
        .map(|own| 1 + numbered(run.runs()).iter().filter(|(number, _)| *number < own).count());
    let known = read_turn(run).ok().map(|turn| {
        let held = turn.why_held();
        InQueue { place, device: Some(turn.device), after: turn.after, held }
    });
    Some(known.unwrap_or(InQueue { place, ..InQueue::default() }))
}

fn number(run: &RunDir) -> Option<u64> {
    run.path().file_name()?.to_str()?.split_once('-')?.0.parse().ok()
}

/// Lists the numbers and folders of the waiting runs, in order, with one directory listing.
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

/// Returns the waiting runs, in order.
pub fn waiting(runs: &Path) -> Vec<RunDir> {
    numbered(runs).into_iter().map(|(_, run)| run).collect()
}

/// Returns the run of that experiment and name if it waits.
pub(crate) fn find(runs: &Path, experiment: &str, name: &str) -> Option<RunDir> {
    let is_of = |run: &RunDir| read_manifest(run).is_ok_and(|m| m.experiment.id == experiment);
    waiting(runs).into_iter().find(|run| run.name() == name && is_of(run))
}

/// Returns the current folder of a run that was seen earlier: unchanged, moved within the queue, started, or put back.
pub fn moved(run: &RunDir, experiment: &str) -> RunDir {
    if inside::exists(run, &run.manifest()) {
        return run.clone();
    }
    queued_run(run.runs(), experiment, &run.name())
}

/// Acts on a run in its current folder, and again if `act` failed because the run was started or moved in the queue in
/// the meantime.
///
/// # Errors
/// What `act` returns for the run in its last folder.
pub fn follow_run<T, E>(
    run: &RunDir,
    experiment: &str,
    mut act: impl FnMut(&RunDir) -> std::result::Result<T, E>,
) -> std::result::Result<T, E> {
    let mut place = moved(run, experiment);
    for _ in 0..MOVES {
        let done = act(&place);
        let now = moved(&place, experiment);
        if done.is_ok() || now == place || !inside::exists(&now, &now.manifest()) {
            return done;
        }
        place = now;
    }
    act(&place)
}

/// Returns the current folder of a run that was once queued: started or still waiting. If it is neither, the folder it
/// would have been started in.
pub fn queued_run(runs: &Path, experiment: &str, name: &str) -> RunDir {
    let started = RunDir::of(runs, experiment, name);
    let is_there = || inside::exists(&started, &started.manifest());
    if is_there() {
        return started;
    }
    // It may be started between the two checks.
    find(runs, experiment, name).filter(|_| !is_there()).unwrap_or(started)
}

/// Returns whether there is a queue that belongs to this user. Nobody starts another user's runs.
pub fn queue_is_mine(runs: &Path) -> bool {
    inside::owner(&folder(runs)).is_ok_and(|owner| owner == rustix::process::geteuid().as_raw())
}

/// Returns when a run was last queued, removed or claimed.
pub fn queue_stamp(runs: &Path) -> Option<SystemTime> {
    let queue = folder(runs);
    inside::entry(&queue, queue.path()).ok().map(|entry| entry.modified)
}

/// How many runs may work at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueSettings {
    /// The limit of each device that is not listed.
    pub slots: u32,
    /// The limits of listed devices.
    #[serde(default)]
    pub devices: BTreeMap<String, u32>,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { slots: 1, devices: BTreeMap::new() }
    }
}

impl QueueSettings {
    /// Returns the limit of a device.
    pub fn of(&self, device: &str) -> u32 {
        self.devices.get(device).copied().unwrap_or(self.slots)
    }
}

/// Reads the queue's settings.
///
/// # Errors
/// The file cannot be read or parsed.
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

/// A slot that was assigned to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// `<experiment>/<name>`
    pub run: String,
    /// The name of its folder in the queue.
    pub from: String,
    /// The device of the slot.
    pub device: String,
    /// The machine of the device.
    pub host: String,
}

impl Claim {
    /// Returns the folder of the run once it has left the queue.
    pub fn dir(&self, runs: &Path) -> RunDir {
        let (experiment, name) = self.run.rsplit_once('/').unwrap_or(("", &self.run));
        RunDir::of(runs, experiment, name)
    }
}

/// Reads the slots that are currently assigned.
pub fn queue_claims(runs: &Path) -> Vec<Claim> {
    let queue = folder(runs);
    let bytes = inside::read(&queue, &claims(&queue), inside::TEXT_LIMIT).unwrap_or_default();
    // A power cut may have torn the file: slots are then assigned anew.
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// The queue, locked against changes by others.
#[derive(Debug)]
pub struct LockedQueue {
    runs: PathBuf,
    queue: RunDir,
    _lock: RunLock,
}

impl LockedQueue {
    /// Waits for the queue's lock.
    ///
    /// # Errors
    /// The queue belongs to another user, or its lock was held for too long.
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

    /// Takes the lock, unless another process has it or the queue is not this user's.
    pub fn try_lock(runs: &Path) -> Option<Self> {
        let queue = folder(runs);
        let lock = RunLock::acquire_now(&queue).ok().filter(|_| queue_is_mine(runs))?;
        Some(Self { runs: runs.to_owned(), queue, _lock: lock })
    }

    /// Appends folders in the queue, which have temporary names so far.
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

    /// Moves a run to a position, counted from 1.
    ///
    /// # Errors
    /// A folder cannot be renamed; the order is then the old or the new one.
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
        // Make room from the end, so that the order of the others holds after every step.
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
    /// The file cannot be written.
    pub fn set(&self, new: &QueueSettings) -> Result<()> {
        let path = settings(&self.queue);
        let text = toml::to_string(new).format_at("encode", &path)?;
        inside::replace(&self.queue, &path, text.as_bytes(), true).at("write", &path)
    }

    /// Replaces the claims.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn set_claims(&self, new: &[Claim]) -> Result<()> {
        let path = claims(&self.queue);
        let bytes = serde_json::to_vec(new).format_at("encode", &path)?;
        inside::replace(&self.queue, &path, &bytes, true).at("write", &path)
    }

    /// Moves a claimed run out of the queue atomically. Its lock stays held.
    ///
    /// # Errors
    /// [`StoreError::RunExists`] if its name is taken by now, or the folder cannot be moved.
    pub fn take_out(&self, run: &RunDir, claim: &Claim) -> Result<RunDir> {
        let to = claim.dir(&self.runs);
        let (above, path) = (to.path().parent().unwrap_or(&self.runs), to.path());
        loop {
            create_shared(&self.runs, above)?;
            match inside::rename_new(&RunDir::new(&self.runs), run.path(), path) {
                // The folder of an experiment is removed together with its last run.
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

    /// Returns a run that was taken out but did not start to its old place.
    ///
    /// # Errors
    /// The folder cannot be moved.
    pub fn put_back(&self, run: &RunDir, claim: &Claim) -> Result<RunDir> {
        self.rename(run, self.queue.path().join(&claim.from))
    }

    /// Deletes a waiting run.
    ///
    /// # Errors
    /// The folder cannot be removed.
    pub fn remove(&self, run: &RunDir) -> Result<()> {
        let away = tmp_beside(run.path());
        inside::rename(&self.queue, run.path(), &away).at("remove", run.path())?;
        inside::remove_dir(&self.queue, &away).at("remove", run.path()).map(drop)
    }
}

fn path_of(queue: &RunDir, number: u64, name: &str) -> PathBuf {
    queue.path().join(format!("{number:03}-{name}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;

    use super::*;

    #[test]
    fn an_action_follows_a_run_that_moves_in_the_queue_is_started_or_put_back() {
        let temp = tempfile::tempdir().unwrap();
        let places = [".queue/003-w", ".queue/001-w", "exp=e/run=w", ".queue/002-w"];
        let places = places.map(|place| temp.path().join(place));
        fs::create_dir_all(&places[0]).unwrap();
        fs::create_dir_all(temp.path().join("exp=e")).unwrap();
        let manifest = "schema = 1\ncreated = \"2026-01-02T03:04:05Z\"\n[experiment]\nid = \"e\"\n";
        fs::write(places[0].join("run.toml"), manifest).unwrap();
        let seen = RunDir::new(&places[0]);
        let mut tried = Vec::new();
        let read = follow_run(&seen, "e", |run| {
            if let Some(next) = places.get(tried.len() + 1) {
                fs::rename(&places[tried.len()], next).unwrap();
            }
            tried.push(run.path().to_owned());
            read_manifest(run)
        });
        assert_eq!(read.unwrap().run, "w");
        assert_eq!(tried, places);
        // If it is nowhere any more, what failed first is the reason.
        let failed = follow_run(&RunDir::new(&places[3]), "e", |run| {
            fs::remove_dir_all(run.path()).unwrap();
            Err::<(), _>(run.clone())
        });
        assert_eq!(failed, Err(RunDir::new(&places[3])));
    }
}
