//! Folders in the folder of runs, which several users may share.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use crate::error::{IoContext as _, Result};

/// Makes a folder in the folder of runs if it does not exist. It gets the same group and mode, so that others who may
/// write to the folder of runs may write to it too.
///
/// # Errors
/// The folder cannot be made.
pub fn create_shared(runs: &Path, dir: &Path) -> Result<()> {
    match fs::create_dir(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        made => made.at("create", dir)?,
    }
    let above = fs::metadata(runs).at("read", runs)?;
    if above.mode() & 0o022 != 0 {
        // Only a member of the group may do this; the mode is worth setting even if it fails.
        chown(dir, None, Some(above.gid())).ok();
        let mode = fs::Permissions::from_mode(above.mode() & 0o7777);
        fs::set_permissions(dir, mode).at("share", dir)?;
    }
    Ok(())
}
