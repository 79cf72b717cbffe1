//! File helpers whose errors name the file.

use std::fs::{File, FileType};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use gradtop_store::{inside, tmp_beside};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat};

use crate::failure::Failure;

/// Says in an error what cannot be done to which file.
pub(crate) trait Cannot<T, E>: anyhow::Context<T, E> {
    fn cannot(self, verb: &str, path: &Path) -> Result<T>;
}

impl<T, E, R: anyhow::Context<T, E>> Cannot<T, E> for R {
    fn cannot(self, verb: &str, path: &Path) -> Result<T> {
        self.with_context(|| format!("cannot {verb} {}", path.display()))
    }
}

/// Returns whether a file argument means standard output.
pub(crate) fn is_stdout(file: &Path) -> bool {
    file == Path::new("-")
}

/// Rejects `-` for what cannot be written to standard output.
pub(crate) fn not_stdout<'a>(path: &'a Path, what: &str) -> Result<&'a Path> {
    if is_stdout(path) {
        let message = format!("{what} cannot go to standard output");
        return Err(Failure::usage(message).help("name another place").into());
    }
    Ok(path)
}

/// Endings of files that promise a format.
const PROMISES: [&str; 16] = [
    "png", "svg", "csv", "parquet", "gif", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "pdf", "eps", "html",
    "md", "json",
];

/// Rejects a file whose ending promises another format than the one that is written.
pub(crate) fn ends_as<'a>(file: &'a Path, format: &str) -> Result<&'a Path> {
    let end = file.extension().map(|end| end.to_string_lossy().to_lowercase()).unwrap_or_default();
    if end == format || !PROMISES.contains(&end.as_str()) {
        return Ok(file);
    }
    let message = format!("--{format} writes .{format}, not {}", crate::print::short(file));
    Err(Failure::usage(message).help(format!("name a file that ends in .{format}")).into())
}

fn is_stream(kind: FileType) -> bool {
    kind.is_char_device() || kind.is_fifo()
}

/// Refuses to overwrite a file without --force. A device or a pipe holds nothing.
pub(crate) fn keeps_existing(path: &Path, force: bool) -> Result<()> {
    let is_stream = std::fs::metadata(path).is_ok_and(|meta| is_stream(meta.file_type()));
    if force || is_stream || std::fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    Err(Failure::usage(format!("{} exists already", crate::print::short(path)))
        .help("name another file, or add --force to overwrite it")
        .into())
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String> {
    std::fs::read(path).and_then(inside::utf8).cannot("read", path)
}

/// Reads all of standard input as text; `what` is what it should be.
pub(crate) fn read_input(what: &str) -> Result<String> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().read_to_end(&mut bytes);
    read.and_then(|_| inside::utf8(bytes)).with_context(|| format!("cannot read {what} from standard input"))
}

/// The files and folders in a folder, by name; none if it cannot be read.
pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

/// The text of a file, if there is one.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<String>> {
    match std::fs::read(path).and_then(inside::utf8) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        text => text.map(Some).cannot("read", path),
    }
}

/// Makes a folder, and those that it is in.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).cannot("create", path)
}

/// Writes a file that a user asked for: `write` gets one without a name, which takes its place when it is whole. Whatever
/// happens meanwhile, an older file stays, and nothing else is left. A device or a pipe is written to as it is.
pub(crate) fn write_whole<T>(path: &Path, write: impl FnOnce(&File) -> Result<T>) -> Result<T> {
    let shown = crate::print::short(path);
    // A symbolic link is followed, not replaced.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let old = std::fs::metadata(path).ok();
    let kind = old.as_ref().map(std::fs::Metadata::file_type);
    if kind.is_some_and(is_stream) {
        let out = File::options().write(true).open(path).cannot("write", path)?;
        return write(&out);
    }
    if kind.is_some_and(|kind| !kind.is_file()) || target.file_name().is_none() {
        return Err(Failure::new(format!("cannot write {shown}: it is not a file"))
            .help("name another file")
            .into());
    }
    let beside = tmp_beside(&target);
    let out = nameless(&target).or_else(|_| File::create_new(&beside)).cannot("write", path)?;
    let placed = || {
        if let Some(old) = &old {
            out.set_permissions(old.permissions())?;
        }
        out.sync_all()?;
        if out.metadata()?.nlink() == 0 {
            linkat(CWD, path_of(&out), CWD, &beside, AtFlags::SYMLINK_FOLLOW)?;
        }
        std::fs::rename(&beside, &target)
    };
    let written = write(&out).and_then(|written| placed().cannot("write", path).map(|()| written));
    written.inspect_err(|_| drop(std::fs::remove_file(&beside)))
}

/// Opens a new file in the folder of another that has no name, so that it is gone if it is not given one.
fn nameless(path: &Path) -> std::io::Result<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (flags, mode) = (OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::from_raw_mode(0o666));
    Ok(File::from(openat(CWD, folder, flags, mode)?))
}

/// Returns a path by which other processes of this user can write to an open file.
pub(crate) fn path_of(file: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}

/// Writes a file of these bytes, whole or not at all.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole(path, |mut out| out.write_all(bytes).cannot("write", path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_file_is_whole_or_as_it_was_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("loss.svg"), folder.path().join("link.svg"));
        replace(&file, b"old").unwrap();
        symlink("loss.svg", &link).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let full = write_whole(&file, |mut out| {
            out.write_all(b"half of it").unwrap();
            assert_eq!(entries(folder.path()), [link.clone(), file.clone()], "a kill now leaves nothing");
            Err::<(), _>(std::io::Error::from(ErrorKind::StorageFull).into())
        });
        assert!(full.is_err());
        assert_eq!(read(&file).unwrap(), "old");
        replace(&link, b"new").unwrap();
        assert_eq!(read(&file).unwrap(), "new");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(entries(folder.path()), [link, file.clone()]);
        assert!(replace(folder.path(), b"").is_err_and(|e| e.to_string().contains("is not a file")));
        let null = folder.path().join("null");
        symlink("/dev/null", &null).unwrap();
        replace(&null, b"gone").unwrap();
        assert!(keeps_existing(&null, false).is_ok() && keeps_existing(&file, false).is_err());
    }
}
