//! The folder of a study, `<runs>/studies/<name>/`: its plan, its lock, its report. Its progress is not stored, but derived
//! from the runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use gradtop_store::{RunDir, RunLock, StoreError, inside};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::plan::{Entry, Plan};
use crate::failure::Failure;
use crate::files::{self, Cannot as _, replace};

/// The version of `study.toml`.
const SCHEMA: u32 = 1;

/// The most runs of one entry.
const MAX_ATTEMPTS: u32 = 10_000;

#[derive(Debug, Clone)]
pub(crate) struct Study {
    pub(crate) runs: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) created: Timestamp,
    pub(crate) plan: Plan,
}

/// `study.toml`, written once.
#[derive(Serialize, Deserialize)]
struct File {
    schema: u32,
    created: Timestamp,
    gradtop: String,
    plan: Plan,
}

#[derive(Deserialize)]
struct Schema {
    schema: u32,
}

impl Study {
    /// Its name, which is that of the folder.
    pub(crate) fn name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Creates the folder of a new study, named after the plan and numbered if necessary.
    pub(crate) fn create(runs: &Path, plan: &Plan) -> Result<Self> {
        let runs = std::path::absolute(runs)?;
        let all = runs.join("studies");
        files::make_folder(&runs)?;
        gradtop_store::create_shared(&runs, &all)?;
        for number in 1u32.. {
            let name = if number == 1 { plan.name.clone() } else { format!("{}-{number}", plan.name) };
            let study = Self {
                runs: runs.clone(),
                folder: all.join(name),
                created: Timestamp::now(),
                plan: plan.clone(),
            };
            // Runs of a deleted study, or of somebody who chose the same name.
            if study.plan.entries.iter().any(|entry| !study.attempts(entry).is_empty()) {
                continue;
            }
            match fs::create_dir(&study.folder) {
                Ok(()) => {}
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => continue,
                Err(e) => return Err(e).cannot("create", &study.folder),
            }
            let file = File {
                schema: SCHEMA,
                created: study.created,
                gradtop: env!("CARGO_PKG_VERSION").to_owned(),
                plan: plan.clone(),
            };
            replace(&study.folder.join("study.toml"), toml::to_string(&file)?.as_bytes())?;
            return Ok(study);
        }
        Err(Failure::new("there is no free name for the study").into())
    }

    /// Finds the newest study of this plan. Also returns what is wrong with unreadable folders.
    pub(crate) fn find(runs: &Path, plan: &Plan) -> (Option<Self>, Vec<String>) {
        let mut odd = Vec::new();
        let folders = files::entries(&runs.join("studies")).into_iter();
        let studies = folders.filter(|folder| folder.join("study.toml").is_file()).filter_map(|folder| {
            let read = Self::read(runs, &folder);
            read.inspect_err(|why| odd.push(format!("{}: {why:#}", folder.display()))).ok()
        });
        let newest = studies.filter(|study| study.plan == *plan).max_by_key(|study| study.created);
        // The given plan has the expected durations.
        (newest.map(|study| Self { plan: plan.clone(), ..study }), odd)
    }

    fn read(runs: &Path, folder: &Path) -> Result<Self> {
        // Anybody who may write to the runs folder could have created this file.
        let text = inside::read_text(&RunDir::new(folder), &folder.join("study.toml"), inside::TEXT_LIMIT)
            .context("study.toml cannot be read")?;
        // The schema first: a newer file may lack what this version requires.
        let Schema { schema } = toml::from_str(&text).context("study.toml is damaged")?;
        if schema > SCHEMA {
            anyhow::bail!("study.toml is of a newer gradtop (schema {schema}, this one reads {SCHEMA})");
        }
        let file: File = toml::from_str(&text).context("study.toml is damaged")?;
        let (runs, folder) = (std::path::absolute(runs)?, std::path::absolute(folder)?);
        Ok(Self { runs, folder, created: file.created, plan: file.plan })
    }

    /// Locks the study. Fails if another process has the lock.
    pub(crate) fn lock(&self) -> Result<RunLock> {
        RunLock::acquire(&RunDir::new(&self.folder)).map_err(|e| match e {
            StoreError::Locked { .. } => {
                Failure::new(format!("study {} is being run by another gradtop", self.name()))
                    .help("watch it in the monitor, or start another study with --fresh")
                    .into()
            }
            e => e.into(),
        })
    }

    /// The runs of an entry, oldest first. The last one counts; earlier ones could not be continued.
    pub(crate) fn attempts(&self, entry: &Entry) -> Vec<RunDir> {
        let at = |number: u32| {
            let folder = self.runs.join(format!("exp={}", entry.experiment));
            RunDir::new(folder.join(format!("run={}", self.run_name(entry, number))))
        };
        (1..=MAX_ATTEMPTS).map(at).take_while(|run| inside::exists(run, &run.manifest())).collect()
    }

    /// The name of the next run of an entry.
    pub(crate) fn next_name(&self, entry: &Entry) -> String {
        self.run_name(entry, self.attempts(entry).len() as u32 + 1)
    }

    fn run_name(&self, entry: &Entry, number: u32) -> String {
        let base = format!("study-{}-{}", self.name(), entry.key());
        if number == 1 { base } else { format!("{base}-{number}") }
    }

    /// The reasons saved by [`Self::write_refused`].
    pub(crate) fn read_refused(&self) -> BTreeMap<String, String> {
        let text = fs::read_to_string(self.refused()).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Saves why entries have no run, for a later report.
    pub(crate) fn write_refused(&self, why: &BTreeMap<String, String>) -> Result<()> {
        replace(&self.refused(), serde_json::to_string_pretty(why)?.as_bytes())
    }

    fn refused(&self) -> PathBuf {
        self.folder.join("not-started.json")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::study::plan_file::PlanFile;

    fn plan() -> Plan {
        let file = PlanFile::parse("name = 'mine'\n[[run]]\nexperiment = 'a'\n").unwrap();
        file.plan(None, |_| true).unwrap()
    }

    fn make_run(study: &Study, number: u32) {
        let entry = &study.plan.entries[0];
        let folder = study.runs.join("exp=a").join(format!("run={}", study.run_name(entry, number)));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("run.toml"), "").unwrap();
    }

    #[test]
    fn the_same_plan_is_the_same_study_and_another_is_not() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Study::find(dir.path(), &plan()).0.is_none());
        let made = Study::create(dir.path(), &plan()).unwrap();
        assert_eq!(made.name(), "mine");
        assert_eq!(Study::find(dir.path(), &plan()).0.unwrap().folder, made.folder);
        let other = Plan { seed: 2, ..plan() };
        assert!(Study::find(dir.path(), &other).0.is_none());
        // A fresh study of the same plan takes precedence from then on.
        let fresh = Study::create(dir.path(), &plan()).unwrap();
        assert_eq!(fresh.name(), "mine-2");
        assert_eq!(Study::find(dir.path(), &plan()).0.unwrap().folder, fresh.folder);
    }

    #[test]
    fn attempts_are_counted_and_names_of_others_are_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let study = Study::create(dir.path(), &plan()).unwrap();
        let entry = &study.plan.entries[0];
        assert_eq!(study.next_name(entry), "study-mine-a");
        make_run(&study, 1);
        assert_eq!(study.next_name(entry), "study-mine-a-2");
        make_run(&study, 2);
        assert_eq!(study.attempts(entry).last().unwrap().name(), "study-mine-a-2");
        fs::remove_dir_all(&study.folder).unwrap();
        assert_eq!(Study::create(dir.path(), &plan()).unwrap().name(), "mine-2");
    }

    #[test]
    fn one_process_runs_a_study_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let study = Study::create(dir.path(), &plan()).unwrap();
        let held = study.lock().unwrap();
        assert!(study.lock().unwrap_err().to_string().contains("by another gradtop"));
        drop(held);
        study.lock().unwrap();
    }

    #[test]
    fn a_damaged_or_newer_file_is_named_and_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [("bad", "schema = 'x'"), ("newer", "schema = 99")] {
            let folder = dir.path().join("studies").join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("study.toml"), text).unwrap();
        }
        let made = Study::create(dir.path(), &plan()).unwrap();
        let (found, odd) = Study::find(dir.path(), &plan());
        assert_eq!(found.unwrap().folder, made.folder);
        assert_eq!(odd.len(), 2);
        assert!(odd.iter().any(|why| why.contains("newer gradtop")), "{odd:?}");
    }

    #[test]
    fn why_nothing_was_started_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let study = Study::create(dir.path(), &plan()).unwrap();
        assert!(study.read_refused().is_empty());
        let why = BTreeMap::from([("a".to_owned(), "no such plugin".to_owned())]);
        study.write_refused(&why).unwrap();
        assert_eq!(study.read_refused(), why);
    }
}
