//! Which files belong to a run's folder.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::inside;
use crate::disk::temporary::TMP;
use crate::error::{IoContext as _, Result, StoreError};
use crate::figures;
use crate::folder::damage::check_damage;
use crate::folder::events::check_events;
use crate::folder::job::{parse_job, parse_seen};
use crate::folder::manifest::read_manifest;
use crate::folder::notes::read_notes;
use crate::folder::run_dir::{OWNER, RunDir};
use crate::folder::status::read_status;
use crate::runs::queue::read_turn;

/// How a file is read through.
type Check = fn(&RunDir, &Path) -> Result<()>;

/// Files of a run, and folders whose content belongs to the experiment or was set aside, each with how it is checked.
static WHOLE: [(&str, Check); 19] = [
    ("run.toml", |run, _| read_manifest(run).map(drop)),
    ("code.diff", bytes),
    ("plugin.so", bytes),
    ("status.json", |run, _| read_status(run).map(drop)),
    ("events.jsonl", |run, _| check_events(run)),
    ("damage.jsonl", |run, _| check_damage(run)),
    ("figures.toml", |run, _| figures::read(run).map(drop)),
    ("notes.toml", |run, _| read_notes(run).map(drop)),
    ("console.log", bytes),
    ("console-tail.log", bytes),
    ("console-tail.old.log", bytes),
    // Others may not read it.
    (".start.json", |run, _| if inside::is_own(run) { read_turn(run).map(drop) } else { Ok(()) }),
    ("job.toml", |run, _| parse_job(run).map(drop)),
    ("job-seen.json", |run, _| parse_seen(run).map(drop)),
    ("job.log", bytes),
    // Checked with the rows, which it belongs to.
    ("series.jsonl", nothing),
    // There is nothing to understand in them.
    ("lock", nothing),
    (".reserve", nothing),
    ("damaged", nothing),
];

/// Reads a file of somebody else's bytes.
fn bytes(run: &RunDir, path: &Path) -> Result<()> {
    let copied = inside::open(run, path).and_then(|mut file| io::copy(&mut file, &mut io::sink()));
    copied.map(drop).at("read", path)
}

#[expect(clippy::unnecessary_wraps, reason = "it stands among checks that fail")]
fn nothing(_: &RunDir, _: &Path) -> Result<()> {
    Ok(())
}

/// Reads the files of a run through, except those of its rows, and lists its folders. Returns what is wrong with those that cannot be read or understood.
pub(crate) fn unreadable(run: &RunDir) -> Vec<StoreError> {
    let files = WHOLE.iter().filter_map(|(name, check)| check(run, &run.path().join(name)).err());
    let folders = FOLDERS.iter().map(|name| run.path().join(name));
    let folders = folders.filter_map(|path| inside::names(run, &path).at("list", &path).err());
    files.chain(folders).filter(|error| !error.is_gone()).collect()
}

/// Folders of a run in which every name is looked at.
const FOLDERS: [&str; 7] =
    ["control", "journal", "metrics", "tables", "checkpoints", "superseded", "weights"];

/// Returns what lies in a run's folder but does not belong to the run, as sorted paths relative to the folder. Folders
/// of the experiment's own are not searched.
///
/// # Errors
/// The folder cannot be listed.
pub fn foreign(run: &RunDir) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    look(run, run.path(), &mut found)?;
    found.sort();
    Ok(found)
}

/// Returns the disk usage of all files below a folder, in bytes; unreadable ones count as zero. A plugin file shared by
/// several runs is divided among them.
pub fn size(run: &RunDir, path: &Path) -> u64 {
    let names = inside::names(run, path).unwrap_or_default();
    let sizes = names.into_iter().map(|name| {
        let path = path.join(name);
        match inside::entry(run, &path) {
            Ok(entry) if entry.kind == inside::Kind::Folder => size(run, &path),
            Ok(entry) if entry.kind == inside::Kind::File => entry.len / entry.links.saturating_sub(1).max(1),
            _ => 0,
        }
    });
    sizes.sum()
}

fn look(run: &RunDir, dir: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for name in inside::names(run, dir).at("list", dir)? {
        let path = dir.join(&name);
        let below = path.strip_prefix(run.path()).unwrap_or(&path).to_owned();
        let is_folder = inside::is_dir(run, &path);
        match name.to_str().map_or(Belongs::No, |name| belongs(below.parent().unwrap_or(&below), name)) {
            Belongs::Folder if is_folder => look(run, &path, found)?,
            // Something else may have taken a name of the run.
            Belongs::Folder if dir != run.path() => found.push(below),
            Belongs::Whole | Belongs::Folder => {}
            Belongs::No => found.push(below),
        }
    }
    Ok(())
}

enum Belongs {
    Whole,
    /// A folder, if its content belongs.
    Folder,
    No,
}

fn belongs(dir: &Path, name: &str) -> Belongs {
    // What a resume set aside has the same layout.
    let mut parts = dir.iter().peekable();
    if parts.peek().is_some_and(|first| *first == "superseded") && dir.iter().count() > 1 {
        parts.nth(1);
    }
    let dir: Vec<&str> = parts.filter_map(|part| part.to_str()).collect();
    let numbered = |start: &str, end: &str| {
        let number = name.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
        number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit() || b == b'-'))
    };
    let whole = |is: bool| if is || is_unfinished(name) { Belongs::Whole } else { Belongs::No };
    match dir[..] {
        [] if FOLDERS.contains(&name) => Belongs::Folder,
        [] => whole(WHOLE.iter().any(|(whole, _)| *whole == name) || numbered(OWNER, "")),
        ["control"] => whole(matches!(name, "stop" | "pause" | "resume" | "checkpoint")),
        ["journal"] => whole(numbered("journal-", ".arrows")),
        ["metrics"] | ["tables", _] => whole(numbered("part-", ".parquet")),
        ["tables"] if is_unfinished(name) => Belongs::Whole,
        ["tables" | "superseded"] => Belongs::Folder,
        ["checkpoints"] => whole(numbered("step-", "")),
        ["weights"] => whole(name.ends_with(".safetensors") || name.ends_with(".safetensors.part")),
        _ => Belongs::No,
    }
}

/// Returns whether a name is one of unfinished work: `.tmp-<process id>-…`, or that of a merge or checkpoint.
fn is_unfinished(name: &str) -> bool {
    name.strip_prefix(TMP).is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_digit())
            || ["merge-", "step-", "old-"].iter().any(|work| rest.starts_with(work))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn what_runs_share_counts_in_each_for_its_part() {
        let temp = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| RunDir::new(temp.path().join(name)));
        for run in [&one, &two] {
            std::fs::create_dir_all(run.path().join("metrics")).unwrap();
            std::fs::write(run.path().join("metrics/part"), [0; 10]).unwrap();
        }
        std::fs::write(one.plugin(), [0; 1000]).unwrap();
        assert_eq!((size(&one, one.path()), size(&two, two.path())), (1010, 10));
        std::fs::hard_link(one.plugin(), temp.path().join("shared")).unwrap();
        assert_eq!(size(&one, one.path()), 1010);
        std::fs::hard_link(one.plugin(), two.plugin()).unwrap();
        assert_eq!((size(&one, one.path()), size(&two, two.path())), (510, 510));
    }

    #[test]
    fn files_of_others_are_found_wherever_they_lie() {
        let temp = tempfile::tempdir().unwrap();
        let run = RunDir::new(temp.path());
        let put = |path: &str| {
            let path = temp.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        let ours = [
            "run.toml",
            "code.diff",
            "damage.jsonl",
            "owner-12",
            "notes.toml",
            "damaged/2-part-00001.parquet",
            "control/stop",
            "journal/journal-00003.arrows",
            "metrics/part-00001-00002.parquet",
            "metrics/.tmp-12-ab-0-part-00003.parquet.new",
            "tables/t/part-00001.parquet",
            "checkpoints/step-9/src/model.pt",
            "checkpoints/.tmp-step-19/model.pt",
            "weights/networks.safetensors",
            "weights/deep.sinc.safetensors.part",
            "superseded/2026-01-02T03-04-05.000Z/metrics/part-00001.parquet",
            ".tmp-merge-metrics/part-00001-00032.parquet",
        ];
        for path in ours {
            put(path);
        }
        assert_eq!(foreign(&run).unwrap(), [""; 0].map(PathBuf::from));
        let foreign_ones = [
            ".tmp-work/main.c",
            "checkpoints/best.pt",
            "control/notes",
            "metrics/src/main.c",
            "notes.md",
            "owner-1b",
            "superseded/2026-01-02T03-04-05.000Z/notes.md",
            "tables/NOTES.md",
            "tables/t/main.c",
            "weights/NOTES.md",
            "weights/mine/networks.safetensors",
            "networks.safetensors",
        ];
        for path in foreign_ones {
            put(path);
        }
        let told = foreign(&run).unwrap();
        let named = |path: &&str| told.iter().any(|t| Path::new(path).starts_with(t));
        assert!(foreign_ones.iter().all(named), "{told:?}");
        assert!(!ours.iter().any(named), "{told:?}");
    }
}
