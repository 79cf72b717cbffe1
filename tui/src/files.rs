//! File helpers whose errors name the file.

use std::fs::FileType;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use gradtop_store::inside;

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

/// Refuses to overwrite a file without --force. A device or a pipe holds nothing.
pub(crate) fn keeps_existing(path: &Path, force: bool) -> Result<()> {
    let holds = |kind: FileType| !(kind.is_char_device() || kind.is_fifo());
    if force || !std::fs::symlink_metadata(path).is_ok_and(|meta| holds(meta.file_type())) {
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

/// Writes a temporary file and renames it, so that nobody reads half of it.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        std::fs::remove_file(&beside).ok();
    }
    written.cannot("write", path)
}
