//! The folder of runs: finding it, listing and finding runs, and naming new ones.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::disk::inside;
use crate::error::{IoContext as _, Result, StoreError};
use crate::folder::manifest::read_manifest;
use crate::folder::run_dir::RunDir;
use crate::runs::queue;
use crate::stages::stage;
use crate::suggest::near;

/// How often to repeat a listing during which runs leave the queue.
const LISTINGS: usize = 3;

/// How often to look for runs that leave the queue while they are looked at.
const LOOKS: usize = 20;

/// Minimum number of runs per thread.
const SHARE: usize = 50;

/// Maximum length of a run's name.
const MAX_NAME: usize = 100;

/// Returns the folder of all runs: `explicit` (`--runs`), else `GRADTOP_RUNS`, else `runs/` of the enclosing gradtop
/// checkout, else `$XDG_DATA_HOME/gradtop/runs`. The folder is not created.
///
/// # Errors
/// None is given and there is no home folder.
pub fn runs_dir(explicit: Option<&Path>) -> Result<PathBuf> {
    if let Some(dir) = explicit {
        return absolute(dir);
    }
    if let Some(dir) = std::env::var_os("GRADTOP_RUNS").filter(|v| !v.is_empty()) {
        return absolute(Path::new(&dir));
    }
    if let Ok(cwd) = std::env::current_dir()
        && let Some(root) = cwd.ancestors().find(|d| is_checkout(d))
    {
        return Ok(root.join("runs"));
    }
    Ok(user_dir("XDG_DATA_HOME", ".local/share").ok_or(StoreError::NoRunsDir)?.join("runs"))
}

/// Returns gradtop's folder in one of the user's: the one that a variable names, else one below the home folder. `None`
/// without a home folder.
pub fn user_dir(variable: &str, below_home: &str) -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    Some(set(variable).or_else(|| Some(set("HOME")?.join(below_home)))?.join("gradtop"))
}

fn absolute(dir: &Path) -> Result<PathBuf> {
    std::path::absolute(dir).at("resolve", dir)
}

/// Returns whether `dir` is a checkout of gradtop: no other project has these two files.
fn is_checkout(dir: &Path) -> bool {
    dir.join("core/abi/include/gradtop.h").is_file() && dir.join("Cargo.toml").is_file()
}

/// Words that readers of hive-partitioned folders parse as a date, number, Boolean or null, in any case.
const READ_OTHERWISE: [&str; 7] = ["epoch", "infinity", "inf", "nan", "true", "false", "null"];

/// Returns why a run or experiment may not have this name.
pub(crate) fn why_misread(name: &str) -> Option<&'static str> {
    let is_word = READ_OTHERWISE.iter().any(|word| name.eq_ignore_ascii_case(word));
    let is_number = name.parse::<f64>().is_ok();
    let is_date = name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b':' | b'.' | b'_' | b' ' | b'T'));
    (is_word || is_number || is_date)
        .then_some("DuckDB or Polars would read it as a date, a number or a truth value; add something to it")
}

/// Characters with a meaning in globs, in Hive's `key=value` and in its escapes.
const OF_READERS: [char; 7] = ['=', '%', '*', '?', '[', ']', '\\'];

/// Changes a generated name of an experiment if readers would not read it as text, or not find it.
pub fn readable_name(name: &str) -> String {
    let name = name.trim_start_matches('.').replace(|c: char| c.is_control() || OF_READERS.contains(&c), "-");
    if why_misread(&name).is_some() { name + "-runs" } else { name }
}

/// Checks the name of a run: a letter followed by letters, digits, `.`, `_` or `-`, at most 100 characters, not `last`,
/// and nothing that the documented readers do not read as text.
///
/// # Errors
/// The rule that the name breaks.
pub fn validate_name(name: &str) -> Result<()> {
    let bad = |why| Err(StoreError::BadName { of: "run", name: name.to_owned(), why });
    if name == "last" {
        return bad("`last` means the newest run");
    }
    if name.len() > MAX_NAME {
        return bad("it is longer than 100 characters");
    }
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return bad("it must begin with a letter, a to z or A to Z");
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')) {
        return bad("only the letters a to z and A to Z, digits, '.', '_' and '-' are allowed");
    }
    why_misread(name).map_or(Ok(()), bad)
}

/// Checks the name of an experiment, which is a folder's name, and must be text for the documented readers.
///
/// # Errors
/// The rule that the name breaks.
pub fn validate_experiment(id: &str) -> Result<()> {
    let why = match id {
        "" => Some("it is empty"),
        _ if id.contains(['/', '\0']) => Some("it is the name of a folder, which cannot contain /"),
        _ if id.starts_with('.') => Some("it is the name of a folder, which must not be hidden by a dot"),
        _ if id.contains(OF_READERS) => {
            Some("= % * ? [ ] and \\ have a meaning for DuckDB or Polars; write '-' instead")
        }
        _ if id.contains(char::is_control) => Some("it has a line break or another control character"),
        _ => why_misread(id),
    };
    why.map_or(Ok(()), |why| Err(StoreError::BadName { of: "experiment", name: id.to_owned(), why }))
}

/// Returns the next free name for a run of `experiment`, such as `curve-fit-7`.
pub fn new_run_name(runs: &Path, experiment: &str) -> String {
    new_run_names(runs, experiment).next().unwrap_or_default()
}

/// Returns the next free names.
pub(crate) fn new_run_names(runs: &Path, experiment: &str) -> impl Iterator<Item = String> + use<> {
    let mut base: String = experiment
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' })
        .take(MAX_NAME - 20)
        .collect();
    if !base.starts_with(|c: char| c.is_ascii_alphabetic()) {
        base.insert_str(0, "run-");
    }
    // A folder without a manifest occupies its name too.
    let used = folders(runs, &mut Vec::new())
        .into_iter()
        .chain(queue::waiting(runs))
        .filter_map(|r| r.name().strip_prefix(&base)?.strip_prefix('-')?.parse::<u64>().ok())
        .max()
        .unwrap_or(0);
    (1..).map(move |n| format!("{base}-{}", used.saturating_add(n)))
}

/// Lists runs by experiment and name, followed by those in the queue in their order. Folders without a manifest are left out.
pub fn list_runs(runs: &Path) -> Vec<RunDir> {
    list_runs_checked(runs).0
}

/// Like [`list_runs`], but also returns the folders that this user may not read or that have lost their manifest, with the
/// errors.
pub fn list_runs_checked(runs: &Path) -> (Vec<RunDir>, Vec<(PathBuf, StoreError)>) {
    let mut tries = 0..LISTINGS;
    loop {
        let before = queue::waiting(runs);
        stage("queue listed");
        let (mut found, bad) = list_started(runs);
        stage("runs listed");
        let mut waiting = queue::waiting(runs);
        // A run that leaves the queue or is put back during the listing may be missed or listed twice.
        let settled = before == waiting || {
            let names: HashSet<String> = found.iter().map(RunDir::name).collect();
            let all = |runs: &[RunDir], but: &[RunDir], started: bool| {
                let but: HashSet<&RunDir> = but.iter().collect();
                runs.iter().all(|run| but.contains(run) || names.contains(&run.name()) == started)
            };
            all(&before, &waiting, true) && all(&waiting, &before, false)
        };
        if settled || tries.next().is_none() {
            waiting.retain(|run| inside::exists(run, &run.manifest()));
            found.extend(waiting);
            return (found, bad);
        }
    }
}

/// Applies `look` to all runs with their positions in the queue, from 1. Returns what was seen, and the folders that
/// failed with the reason. Runs that leave the queue in the meantime are looked for again.
pub fn inspect_runs<T, E: std::fmt::Display>(
    runs: &Path,
    mut look: impl FnMut(&[(RunDir, usize)]) -> Vec<Result<T, E>>,
) -> (Vec<T>, Vec<(PathBuf, String)>) {
    let (mut seen, mut unreadable, mut left) = (Vec::new(), Vec::new(), Vec::<(RunDir, String)>::new());
    let mut known = HashSet::new();
    for again in 0..LOOKS {
        let (found, hidden) = list_runs_checked(runs);
        if again == 0 {
            unreadable.extend(hidden.into_iter().map(|(path, e)| (path, e.to_string())));
        }
        let names: HashSet<String> = left.drain(..).map(|(run, _)| run.name()).collect();
        let mut place = 0;
        let placed = found.into_iter().map(|run| {
            place += usize::from(run.is_queued());
            (run, place)
        });
        // After the first time only those that have left, where they are now.
        let placed: Vec<_> = placed
            .filter(|(run, _)| again == 0 || names.contains(&run.name()) && !known.contains(run))
            .collect();
        for ((run, _), looked) in placed.iter().zip(look(&placed)) {
            match looked {
                Err(e) if run.is_queued() && !inside::exists(run, &run.manifest()) => {
                    left.push((run.clone(), e.to_string()));
                    continue;
                }
                Err(e) => unreadable.push((run.path().to_owned(), e.to_string())),
                Ok(run) => seen.push(run),
            }
            known.insert(run.clone());
        }
        if left.is_empty() {
            break;
        }
    }
    unreadable.extend(left.into_iter().map(|(run, why)| (run.path().to_owned(), why)));
    (seen, unreadable)
}

/// Applies `look` to each of these runs, on all processors.
pub fn inspect_each<T: Send>(runs: &[(RunDir, usize)], look: impl Fn(&RunDir, usize) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = runs.len().div_ceil(threads).max(SHARE);
    let look =
        |part: &[(RunDir, usize)]| part.iter().map(|(run, place)| look(run, *place)).collect::<Vec<_>>();
    if runs.len() <= share {
        return look(runs);
    }
    std::thread::scope(|scope| {
        let parts: Vec<_> = runs.chunks(share).map(|part| scope.spawn(|| look(part))).collect();
        let ended = |part: std::thread::ScopedJoinHandle<'_, _>| {
            part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        parts.into_iter().flat_map(ended).collect()
    })
}

/// Lists the runs that are not in the queue, by experiment and name.
fn list_started(runs: &Path) -> (Vec<RunDir>, Vec<(PathBuf, StoreError)>) {
    let mut bad = Vec::new();
    let mut found = folders(runs, &mut bad);
    found.retain(|run| match inside::entry(run, &run.manifest()) {
        Ok(_) => true,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            // Without anything of a run in it, the folder is none.
            if [run.status(), run.metrics(), run.tables()].iter().any(|path| inside::exists(run, path)) {
                bad.push((run.path().to_owned(), no_manifest(run)));
            }
            false
        }
        Err(source) => {
            let path = run.path().to_owned();
            bad.push((path.clone(), StoreError::Io { what: "list", path, source }));
            false
        }
    });
    found.sort();
    (found, bad)
}

/// What is wrong with a run whose manifest is gone.
fn no_manifest(run: &RunDir) -> StoreError {
    let message = "the run has no manifest; its Parquet files can still be read".to_owned();
    StoreError::Damaged { path: run.manifest(), message }
}

/// Lists the folders of experiments.
pub fn list_experiments(runs: &Path) -> Vec<PathBuf> {
    subfolders(runs, "exp=", &mut Vec::new())
}

/// Lists all folders that are named like runs, with or without a manifest.
fn folders(runs: &Path, bad: &mut Vec<(PathBuf, StoreError)>) -> Vec<RunDir> {
    let experiments = subfolders(runs, "exp=", bad);
    experiments.iter().flat_map(|exp| subfolders(exp, "run=", bad)).map(RunDir::new).collect()
}

fn subfolders(dir: &Path, prefix: &str, bad: &mut Vec<(PathBuf, StoreError)>) -> Vec<PathBuf> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(source) => {
            bad.push((dir.to_owned(), StoreError::Io { what: "list", path: dir.to_owned(), source }));
            return Vec::new();
        }
    };
    entries
        .filter_map(std::result::Result::ok)
        .filter(|e| e.file_name().to_string_lossy().starts_with(prefix))
        .map(|e| e.path())
        .filter(|p| p.is_dir())
        .collect()
}

/// Finds a run by its name or a unique prefix; an exact name takes precedence. `last` is the newest run.
/// `<experiment>/<name>` and the path of a run's folder are accepted too.
///
/// # Errors
/// No run matches, or more than one.
pub fn find_run(runs: &Path, name: &str) -> Result<RunDir> {
    let (all, bad) = list_runs_checked(runs);
    let none = |near: Vec<String>| {
        let hidden = bad.first().map(|(_, why)| why.to_string());
        StoreError::NoSuchRun { name: name.to_owned(), runs: runs.to_owned(), near, hidden }
    };
    if name == "last" {
        return all
            .into_iter()
            .filter_map(|r| read_manifest(&r).ok().map(|m| (m.created, r)))
            .max()
            .map(|(_, r)| r)
            .ok_or_else(|| none(Vec::new()));
    }
    if name.is_empty() {
        return Err(none(Vec::new()));
    }
    if let Some((exp, run)) = name.trim_end_matches('/').rsplit_once('/') {
        // The path of a run's folder is that run, whatever other runs are called.
        let path = RunDir::new(name);
        if inside::exists(&path, &path.manifest()) {
            let place = |dir: &RunDir| fs::canonicalize(dir.path()).ok();
            let here = place(&path);
            return Ok(all.into_iter().find(|run| place(run) == here).unwrap_or(path));
        }
        let exp = exp.strip_prefix("exp=").unwrap_or(exp);
        let run = run.strip_prefix("run=").unwrap_or(run);
        let found = all.iter().find(|r| r.name() == run && experiment_of(r) == exp);
        return found.cloned().ok_or_else(|| none(nearest(&all, run)));
    }
    let exact: Vec<_> = all.iter().filter(|r| r.name() == name).collect();
    if exact.is_empty()
        && let Some(bare) = folders(runs, &mut Vec::new()).into_iter().find(|r| r.name() == name)
    {
        // A damaged run of exactly that name is meant, not another run that begins with it.
        let path = bare.manifest();
        if let Err(e) = inside::entry(&bare, &path)
            && e.kind() != std::io::ErrorKind::NotFound
        {
            return Err(e).at("read", &path);
        }
        return Err(no_manifest(&bare));
    }
    let begins = |r: &&RunDir| !name.is_empty() && r.name().starts_with(name);
    let matches = if exact.is_empty() { all.iter().filter(begins).collect() } else { exact };
    match matches.as_slice() {
        [] => Err(none(nearest(&all, name))),
        [one] => Ok((*one).clone()),
        many => Err(StoreError::Ambiguous {
            name: name.to_owned(),
            candidates: many.iter().map(|r| format!("{}/{}", experiment_of(r), r.name())).collect(),
        }),
    }
}

/// Returns the id of a run's experiment, also for a queued run. Empty if that one's manifest cannot be read.
pub fn experiment_of(run: &RunDir) -> String {
    if !run.is_queued() {
        return run.experiment();
    }
    read_manifest(run).map(|manifest| manifest.experiment.id).unwrap_or_default()
}

/// Like [`find_run`], for deletion: also finds a folder without a readable manifest.
///
/// # Errors
/// See [`find_run`].
pub fn find_folder(runs: &Path, name: &str) -> Result<RunDir> {
    let error = match find_run(runs, name) {
        Err(e @ (StoreError::NoSuchRun { .. } | StoreError::Damaged { .. })) => e,
        found => return found,
    };
    let path = std::path::absolute(name).ok();
    let is = |run: &RunDir| run.name() == name || Some(run.path()) == path.as_deref();
    let mut found = folders(runs, &mut Vec::new()).into_iter().filter(|run| !name.is_empty() && is(run));
    match (found.next(), found.next()) {
        (Some(run), None) => Ok(run),
        (Some(run), Some(other)) => Err(StoreError::Ambiguous {
            name: name.to_owned(),
            candidates: [run, other].map(|r| format!("{}/{}", r.experiment(), r.name())).into(),
        }),
        (None, _) => Err(error),
    }
}

/// Returns the names of similar runs.
fn nearest(all: &[RunDir], name: &str) -> Vec<String> {
    let names: Vec<String> = all.iter().map(RunDir::name).collect();
    near(name, names.iter().map(String::as_str).chain((!all.is_empty()).then_some("last")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::stages::hook;

    /// The runs `w` that waits and `s` that was started; their places in the queue and outside of it.
    fn two(runs: &Path) -> (PathBuf, PathBuf) {
        for run in ["exp=e/run=s", ".queue/1-w"] {
            let run = runs.join(run);
            fs::create_dir_all(&run).unwrap();
            fs::write(run.join("run.toml"), "").unwrap();
        }
        (runs.join(".queue/1-w"), runs.join("exp=e/run=w"))
    }

    fn names(runs: &[RunDir]) -> Vec<String> {
        runs.iter().map(RunDir::name).collect()
    }

    #[test]
    fn a_run_that_leaves_the_queue_or_is_put_back_while_it_is_listed_is_listed_once() {
        for moment in ["queue listed", "runs listed"] {
            for put_back in [false, true] {
                let temp = tempfile::tempdir().unwrap();
                let (mut from, mut to) = two(temp.path());
                if put_back {
                    fs::rename(&from, &to).unwrap();
                    (from, to) = (to, from);
                }
                let moved = to.clone();
                hook::set(Some(Box::new(move |stage| {
                    if stage == moment && from.exists() {
                        fs::rename(&from, &to).unwrap();
                    }
                })));
                let (mut found, bad) = list_runs_checked(temp.path());
                hook::set(None);
                assert!(moved.exists() && bad.is_empty());
                found.sort_by_key(RunDir::name);
                assert_eq!(names(&found), ["s", "w"], "{moment}, {put_back}");
                assert!(found.iter().all(|run| run.manifest().exists()), "{found:?}");
            }
        }
    }

    #[test]
    fn a_run_that_leaves_the_queue_before_it_is_looked_at_is_neither_missed_nor_unreadable() {
        let temp = tempfile::tempdir().unwrap();
        let (waiting, started) = two(temp.path());
        let (seen, unreadable) = inspect_runs(temp.path(), |runs| {
            if waiting.exists() {
                assert_eq!((names(&[runs[0].0.clone()]), runs[0].1), (vec!["s".to_owned()], 0));
                fs::rename(&waiting, &started).unwrap();
            }
            runs.iter().map(|(run, _)| fs::read(run.manifest()).map(|_| run.clone())).collect()
        });
        assert_eq!(unreadable, []);
        assert_eq!(names(&seen), ["s", "w"]);
        // Nor is one that moves in the queue each time.
        let places: Vec<PathBuf> = (1..9).map(|n| temp.path().join(format!(".queue/{n}-w"))).collect();
        fs::rename(&started, &places[0]).unwrap();
        let mut moves = places.windows(2);
        let (seen, unreadable) = inspect_runs(temp.path(), |runs| {
            if let Some([from, to]) = moves.next() {
                fs::rename(from, to).unwrap();
            }
            runs.iter().map(|(run, _)| fs::read(run.manifest()).map(|_| run.clone())).collect()
        });
        assert_eq!((names(&seen), unreadable), (vec!["s".to_owned(), "w".to_owned()], Vec::new()));
        fs::rename(&places[7], &started).unwrap();
        // What cannot be read stays so, wherever it lies.
        fs::rename(&started, &waiting).unwrap();
        let torn = |(run, place): &(RunDir, usize)| match place {
            0 => Ok(run.clone()),
            place => Err(format!("torn, number {place}")),
        };
        let (seen, unreadable) = inspect_runs(temp.path(), |runs| runs.iter().map(torn).collect());
        assert_eq!(
            (names(&seen), unreadable),
            (vec!["s".to_owned()], vec![(waiting, "torn, number 1".to_owned())])
        );
    }
}
