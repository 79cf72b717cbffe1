//! The link `.libtorch` in the checkout.
//!
//! `.libtorch` is a folder with one link, `torch`, to the libtorch in use: .cargo/config.toml sets LIBTORCH to
//! `.libtorch/torch`, whatever the name of the real folder.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The path that .cargo/config.toml names.
pub(crate) fn link_path(root: &Path) -> PathBuf {
    root.join(".libtorch/torch")
}

/// Points `.libtorch/torch` to `folder`. Returns whether that is a change.
pub(crate) fn point(root: &Path, folder: &Path) -> Result<bool> {
    let link = link_path(root);
    if fs::read_link(&link).is_ok_and(|target| target == folder) {
        return Ok(false);
    }
    replace(root, folder)
        .with_context(|| format!("cannot make {} point at {}", link.display(), folder.display()))?;
    Ok(true)
}

fn replace(root: &Path, folder: &Path) -> io::Result<()> {
    let holder = root.join(".libtorch");
    if !fs::symlink_metadata(&holder).is_ok_and(|found| found.is_dir()) {
        match fs::remove_file(&holder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(&holder)?,
        }
    }
    // Renamed into place, so that concurrent builds never find it missing.
    let fresh = holder.join(format!("torch.{}", std::process::id()));
    symlink(folder, &fresh)?;
    fs::rename(&fresh, holder.join("torch"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_link_is_made_kept_and_moved() {
        let temp = tempfile::tempdir().unwrap();
        let (root, one, two) = (temp.path(), temp.path().join("one"), temp.path().join("two"));
        assert!(point(root, &one).unwrap());
        assert!(!point(root, &one).unwrap(), "nothing to do the second time");
        assert!(point(root, &two).unwrap());
        assert_eq!(fs::read_link(link_path(root)).unwrap(), two);
        assert_eq!(fs::read_dir(root.join(".libtorch")).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_link_in_place_of_the_folder_gives_way_and_its_target_stays() {
        let temp = tempfile::tempdir().unwrap();
        let old = temp.path().join("old");
        fs::create_dir(&old).unwrap();
        fs::write(old.join("keep"), "").unwrap();
        symlink(&old, temp.path().join(".libtorch")).unwrap();
        assert!(point(temp.path(), Path::new("/new")).unwrap());
        assert_eq!(fs::read_link(link_path(temp.path())).unwrap(), Path::new("/new"));
        assert_eq!(fs::read_dir(&old).unwrap().count(), 1, "the old target is untouched");
    }
}
