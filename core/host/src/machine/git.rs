//! The commit that a run was started at, read from the repository's files.

use std::path::{Path, PathBuf};

/// The commit checked out in the repository around `from`, if there is one.
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

/// `.git` itself, or the folder that a `.git` file points to.
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
        assert_eq!(commit(&deep), Some(one));
        let two = "2".repeat(40);
        std::fs::write(git.join("refs/heads/main"), format!("{two}\n")).unwrap();
        assert_eq!(commit(&deep), Some(two));
    }
}
