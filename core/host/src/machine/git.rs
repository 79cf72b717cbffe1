//! Reads the commit a run is started at from the repository's files, and asks git what has changed since.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use crate::machine::child::run_child;
use crate::text::clean_bytes;

/// Time limit for each call of git.
const PATIENCE: Duration = Duration::from_secs(3);
/// Maximum size of a stored diff in bytes, and of its list of file names.
const DIFF: usize = 1 << 20;
const NAMES: usize = 100;
/// Maximum length of a name in bytes.
const NAME: usize = 1000;
/// The start of a file in a diff.
const FILE: &[u8] = b"\ndiff --git ";

/// Returns the commit checked out in the repository that contains `from`.
pub(crate) fn commit(from: &Path) -> Option<String> {
    let git = from.ancestors().find_map(|dir| folder(&dir.join(".git")))?;
    let head = std::fs::read_to_string(git.join("HEAD")).ok()?;
    let Some(name) = head.trim().strip_prefix("ref: ") else { return hash(&head) };
    // A worktree has its own HEAD and shares everything else.
    let common = match std::fs::read_to_string(git.join("commondir")) {
        Ok(text) => git.join(text.trim()),
        Err(_) => git.clone(),
    };
    for place in [&git, &common] {
        if let Some(found) = std::fs::read_to_string(place.join(name)).ok().and_then(|t| hash(&t)) {
            return Some(found);
        }
    }
    let packed = std::fs::read_to_string(common.join("packed-refs")).ok()?;
    packed.lines().find_map(|line| {
        let (found, of) = line.split_once(' ')?;
        (of == name).then(|| hash(found))?
    })
}

/// Returns the branch checked out in the repository that contains `from`.
pub(crate) fn branch(from: &Path) -> Option<String> {
    let git = from.ancestors().find_map(|dir| folder(&dir.join(".git")))?;
    let head = std::fs::read_to_string(git.join("HEAD")).ok()?;
    Some(head.trim().strip_prefix("ref: refs/heads/")?.to_owned())
}

/// Changes relative to a commit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Whether tracked files were changed.
    pub(crate) dirty: bool,
    /// A patch of the changes to tracked files, preceded by remarks; empty if there is nothing to report.
    pub(crate) diff: Vec<u8>,
}

/// Caches answers, so that git is called once per folder when many commands are started together.
#[derive(Default)]
pub(crate) struct Asked(RefCell<HashMap<(PathBuf, String), Rc<Answer>>>);

type Answer = Option<Result<Changes, String>>;

impl Asked {
    /// Like the function [`changes`], but cached.
    pub(crate) fn changes(&self, from: &Path, commit: &str) -> Rc<Answer> {
        let mut known = self.0.borrow_mut();
        let answer = known.entry((from.to_owned(), commit.to_owned()));
        answer.or_insert_with(|| Rc::new(changes(from, commit))).clone()
    }
}

/// Returns what differs from `commit` in the repository that contains `from`. `None` without a repository or git.
///
/// # Errors
/// Why git failed.
fn changes(from: &Path, commit: &str) -> Answer {
    let top = from.ancestors().find(|dir| folder(&dir.join(".git")).is_some())?;
    // No external programs from the repository's configuration, no colours, and paths as `git apply` expects them.
    let diff = [
        "diff",
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        "--src-prefix=a/",
        "--dst-prefix=b/",
        "--submodule=short",
        "--ignore-submodules=dirty",
        "HEAD",
        "--",
    ];
    let others = ["ls-files", "--others", "--exclude-standard", "--directory", "--no-empty-directory", "-z"];
    Some(match ask(top, &diff)? {
        Ok(diff) => ask(top, &others)?
            .map(|others| Changes { dirty: !diff.is_empty(), diff: patch(commit, diff, &others) }),
        Err(why) => Err(why),
    })
}

/// Calls git; `None` if it is not installed.
fn ask(top: &Path, args: &[&str]) -> Option<Result<Vec<u8>, String>> {
    let mut command = Command::new("git");
    command.arg("-C").arg(top).args(["-c", "core.fsmonitor=false"]).args(args).env("GIT_OPTIONAL_LOCKS", "0");
    for elsewhere in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(elsewhere);
    }
    let child = run_child(command, None, PATIENCE, false).ok()?;
    Some(match child.status {
        Some(status) if status.success() => Ok(child.answer),
        Some(_) => {
            let said = clean_bytes(child.output.trim_ascii(), NAME);
            Err(format!("git {}: {said}", args[0]))
        }
        None => Err(format!("git {} took longer than {} s", args[0], PATIENCE.as_secs())),
    })
}

/// Limits the size of a diff and prepends the names of untracked files. `git apply` ignores text before the first file.
fn patch(commit: &str, diff: Vec<u8>, others: &[u8]) -> Vec<u8> {
    let others: Vec<&[u8]> = others.split(|b| *b == 0).filter(|name| !name.is_empty()).collect();
    if diff.is_empty() && others.is_empty() {
        return diff;
    }
    let mut head = vec![format!("What differed from commit {commit} when the run was started.")];
    let mut list = |what: &str, names: &[&[u8]], more: &str| {
        head.extend(names.iter().take(NAMES).map(|name| format!("{what}: {}", clean_bytes(name, NAME))));
        if names.len() > NAMES {
            head.push(format!("{} more {more}.", names.len() - NAMES));
        }
    };
    let (diff, left_out) = within_bounds(&diff);
    list(&format!("Changed, left out of these {} MiB", DIFF >> 20), &left_out, "left out");
    list("Untracked, not included", &others, "untracked");
    let head = format!("# {}\n", head.join("\n# "));
    [head.into_bytes(), diff.concat()].concat()
}

/// Returns the files of a diff that fit, and the names of the others. Only complete files are useful.
fn within_bounds(diff: &[u8]) -> (Vec<&[u8]>, Vec<&[u8]>) {
    let (mut rest, mut room) = (diff, DIFF);
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    while !rest.is_empty() {
        let next = rest.windows(FILE.len()).position(|at| at == FILE).map_or(rest.len(), |at| at + 1);
        let (file, others) = rest.split_at(next);
        rest = others;
        if file.len() <= room {
            room -= file.len();
            kept.push(file);
        } else {
            // `diff --git a/NAME b/NAME`
            let line = file.split(|b| *b == b'\n').next().unwrap_or_default();
            let to = line.windows(3).rposition(|at| at == b" b/").map_or(0, |at| at + 3);
            left_out.push(&line[to..]);
        }
    }
    (kept, left_out)
}

/// Returns `.git` itself, or the folder that a `.git` file points to.
fn folder(git: &Path) -> Option<PathBuf> {
    if git.is_dir() {
        return Some(git.to_owned());
    }
    let text = std::fs::read_to_string(git).ok()?;
    Some(git.parent()?.join(text.trim().strip_prefix("gitdir: ")?))
}

fn hash(text: &str) -> Option<String> {
    let text = text.trim();
    (text.len() >= 40 && text.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn loose_packed_and_detached_heads_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        let git = dir.path().join(".git");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir_all(git.join("refs/heads")).unwrap();
        let one = "1".repeat(40);
        std::fs::write(git.join("HEAD"), format!("{one}\n")).unwrap();
        assert_eq!(commit(&deep), Some(one.clone()));
        std::fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        assert_eq!(commit(&deep), None);
        std::fs::write(git.join("packed-refs"), format!("# pack-refs\n{one} refs/heads/main\n")).unwrap();
        assert_eq!(commit(&deep), Some(one.clone()));
        let two = "2".repeat(40);
        std::fs::write(git.join("refs/heads/main"), format!("{two}\n")).unwrap();
        assert_eq!((commit(&deep), branch(&deep).as_deref()), (Some(two), Some("main")));
        std::fs::write(git.join("HEAD"), format!("{one}\n")).unwrap();
        assert_eq!(branch(&deep), None, "detached");
    }

    #[test]
    fn a_patch_holds_whole_files_within_its_bounds() {
        assert!(patch("c0", Vec::new(), b"").is_empty());
        let text =
            |diff: &[u8], others: &[u8]| String::from_utf8(patch("c0", diff.to_vec(), others)).unwrap();
        let head = "# What differed from commit c0 when the run was started.\n";
        let small = "diff --git a/x b/x\n+new\n";
        assert_eq!(text(small.as_bytes(), b""), format!("{head}{small}"));
        assert_eq!(
            text(b"", b"a.py\0odd\n\x1b\0"),
            format!("{head}# Untracked, not included: a.py\n# Untracked, not included: odd\\n\\u{{1b}}\n")
        );
        // A file that is too long is named, and hides none of the others.
        let large = format!("diff --git a/my y b/my y\n{}\n", "+".repeat(DIFF));
        for (diff, kept) in
            [(large.clone(), String::new()), (format!("{small}{large}{small}"), format!("{small}{small}"))]
        {
            let said = format!("{head}# Changed, left out of these 1 MiB: my y\n{kept}");
            assert_eq!(text(diff.as_bytes(), b""), said);
        }
    }
}
