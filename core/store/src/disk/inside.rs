//! File operations inside a run folder. All other code goes through these functions.
//!
//! A run folder may come from anybody and may be damaged. The folder itself may be reached through a symbolic link, but below it
//! links are never followed, only regular files are opened, and opening never blocks. Every `path` is the run's folder or lies
//! below it. Errors are those of the operating system; anything other than a regular file is [`io::ErrorKind::InvalidInput`].

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags, ResolveFlags, Stat,
    StatxAttributes, StatxFlags, fchmod, fchown, flock, fstat, linkat, mkdirat, openat, openat2, renameat,
    renameat_with, statat, statx, unlinkat,
};
use rustix::io::Errno;

use crate::disk::temporary::{is_temporary, tmp_beside};
use crate::error::NoFile;
use crate::folder::run_dir::RunDir;

/// Size limit of a text file that is read whole: manifest, status, figures and so on.
pub const TEXT_LIMIT: u64 = 16 << 20;
/// Size limit of the file of a request or a lock.
pub const NOTE_LIMIT: u64 = 64 << 10;

/// How long to wait for others who change the same file. A change takes a moment.
const TURN: Duration = Duration::from_secs(10);
/// Flags of every open call: never wait for the other end of a pipe or for a lease, never take over a terminal.
const CAREFUL: OFlags = OFlags::CLOEXEC.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
/// Flags for a folder that is only traversed.
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// The mode of new files and folders, before the umask.
const FILE_MODE: Mode = Mode::from_raw_mode(0o666);
const PRIVATE_MODE: Mode = Mode::from_raw_mode(0o600);
const PUBLIC_MODE: Mode = Mode::from_raw_mode(0o644);
const DIR_MODE: Mode = Mode::from_raw_mode(0o777);

/// Maps a missing file or folder to `None`.
pub(crate) fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// Opens a file for reading.
pub fn open(run: &RunDir, path: &Path) -> io::Result<File> {
    open_with(run, path, OFlags::RDONLY)
}

/// Opens a file for appending, creating it if necessary.
pub fn append(run: &RunDir, path: &Path) -> io::Result<File> {
    open_with(run, path, OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE)
}

/// Opens a file for reading and writing, creating it if necessary.
pub fn edit(run: &RunDir, path: &Path) -> io::Result<File> {
    open_with(run, path, OFlags::RDWR | OFlags::CREATE)
}

/// Like [`edit`], but a new file is readable by this user only.
pub(crate) fn edit_private(run: &RunDir, path: &Path) -> io::Result<File> {
    open_as(run, path, OFlags::RDWR | OFlags::CREATE, PRIVATE_MODE)
}

/// Creates a file for reading and writing; fails if the name is taken.
pub fn create_new(run: &RunDir, path: &Path) -> io::Result<File> {
    open_with(run, path, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)
}

/// Opens an existing file for writing and truncates it to `len` bytes if it is longer.
pub fn cut(run: &RunDir, path: &Path, len: u64) -> io::Result<()> {
    let file = open_with(run, path, OFlags::WRONLY)?;
    if file.metadata()?.len() > len { file.set_len(len) } else { Ok(()) }
}

/// Reads a whole file; fails if it is longer than `limit`.
pub fn read(run: &RunDir, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open(run, path)?;
    // Another machine may have replaced the file, so bypass cached attributes to get its current length.
    let sync = AtFlags::EMPTY_PATH | AtFlags::STATX_FORCE_SYNC;
    let len = statx(&file, "", sync, StatxFlags::SIZE).map_or(0, |seen| seen.stx_size);
    // Room for the whole file, and for the read that detects its end.
    let mut bytes = Vec::with_capacity(len.min(limit) as usize + 64);
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let message = format!("it is longer than the {} KiB allowed for this file", limit >> 10);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// Like [`read`], for UTF-8.
pub fn read_text(run: &RunDir, path: &Path, limit: u64) -> io::Result<String> {
    read(run, path, limit).and_then(utf8)
}

/// Returns bytes as text.
///
/// # Errors
/// Which line is not UTF-8.
pub fn utf8(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|e| {
        let before = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        io::Error::new(io::ErrorKind::InvalidData, format!("line {line} is not UTF-8 text"))
    })
}

/// Reads the last bytes of a file, at most `limit`, and returns how many bytes precede them.
pub fn read_end(run: &RunDir, path: &Path, limit: u64) -> io::Result<(Vec<u8>, u64)> {
    let mut file = open(run, path)?;
    let length = file.metadata()?.len();
    let before = length.saturating_sub(limit);
    file.seek(SeekFrom::Start(before))?;
    // With room for a little more, the end is found at once.
    let mut bytes = Vec::with_capacity(length.min(limit) as usize + 64);
    file.take(limit).read_to_end(&mut bytes)?;
    Ok((bytes, before))
}

/// Writes `bytes` to `path` through a temporary file and a rename: a reader sees the old file or the new one. With
/// `durable`, file and folder are synced before this returns.
pub fn replace(run: &RunDir, path: &Path, bytes: &[u8], durable: bool) -> io::Result<()> {
    replace_with(run, path, bytes, durable, None)
}

/// Like [`replace`], not durable, and readable by all whatever the umask.
pub(crate) fn replace_public(run: &RunDir, path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_with(run, path, bytes, false, Some(PUBLIC_MODE))
}

/// Like [`replace`], durable, and readable by this user only from its first byte on.
pub(crate) fn replace_private(run: &RunDir, path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_with(run, path, bytes, true, Some(PRIVATE_MODE))
}

fn replace_with(
    run: &RunDir,
    path: &Path,
    bytes: &[u8],
    durable: bool,
    mode: Option<Mode>,
) -> io::Result<()> {
    let tmp = tmp_beside(path);
    let written = (|| {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mut file = open_as(run, &tmp, flags, mode.unwrap_or(FILE_MODE))?;
        file.write_all(bytes)?;
        if let Some(mode) = mode {
            fchmod(&file, mode)?;
        }
        if durable {
            sync_file(run, &file)?;
        }
        rename(run, &tmp, path)
    })();
    if written.is_err() {
        remove_file(run, &tmp).ok();
        return written;
    }
    if durable { sync_dir(run, path.parent().unwrap_or(run.path())) } else { Ok(()) }
}

/// Moves a file or folder to another name within the run.
pub fn rename(run: &RunDir, from: &Path, to: &Path) -> io::Result<()> {
    let ((from_dir, from), (to_dir, to)) = (parent(run, from)?, parent(run, to)?);
    Ok(renameat(from_dir, from, to_dir, to)?)
}

/// Renames a folder within the run; fails with `AlreadyExists` if the name is taken.
pub fn rename_new(run: &RunDir, from: &Path, to: &Path) -> io::Result<()> {
    let ((from_dir, from), (to_dir, to)) = (parent(run, from)?, parent(run, to)?);
    match renameat_with(&from_dir, from, &to_dir, to, RenameFlags::NOREPLACE) {
        // This file system cannot rename without replacing: reserve the name with an empty folder, then replace that in one step.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            mkdirat(&to_dir, to, DIR_MODE)?;
            let renamed = renameat(&from_dir, from, &to_dir, to);
            if renamed.is_err() {
                unlinkat(&to_dir, to, AtFlags::REMOVEDIR).ok();
            }
            Ok(renamed?)
        }
        renamed => Ok(renamed?),
    }
}

/// Exchanges two folders in one step. Returns `false` if the file system cannot do that.
pub(crate) fn exchange(run: &RunDir, a: &Path, b: &Path) -> io::Result<bool> {
    #[cfg(test)]
    if crate::stages::hook::no_exchange() {
        return Ok(false);
    }
    let ((a_dir, a), (b_dir, b)) = (parent(run, a)?, parent(run, b)?);
    match renameat_with(a_dir, a, b_dir, b, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Gives an existing file the time of now, which needs no room.
pub(crate) fn touch(run: &RunDir, path: &Path) -> io::Result<()> {
    open_with(run, path, OFlags::WRONLY)?.set_modified(SystemTime::now())
}

/// Gives a file a second name in the same run.
pub fn hard_link(run: &RunDir, from: &Path, to: &Path) -> io::Result<()> {
    let ((from_dir, from), (to_dir, to)) = (parent(run, from)?, parent(run, to)?);
    Ok(linkat(from_dir, from, to_dir, to, AtFlags::empty())?)
}

/// Makes a folder, and those above it up to the run's own, which must be there.
pub fn create_dir_all(run: &RunDir, path: &Path) -> io::Result<()> {
    let mut dir = open_root(run)?;
    for name in relative(run, path)?.components() {
        let name = name.as_os_str();
        let made = match mkdirat(&dir, name, DIR_MODE) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(e) => return Err(e.into()),
        };
        let flags = if made { OFlags::RDONLY | OFlags::DIRECTORY | CAREFUL } else { FOLDER };
        let inner = open_below(&dir, Path::new(name), flags, Mode::empty())?;
        if made {
            give_to_owner(&dir, &inner);
        }
        dir = inner;
    }
    Ok(())
}

/// Removes a file, or a link itself; `false` if it is already gone.
pub fn remove_file(run: &RunDir, path: &Path) -> io::Result<bool> {
    let removed = parent(run, path).and_then(|(dir, name)| Ok(unlinkat(dir, name, AtFlags::empty())?));
    if_there(removed).map(|removed| removed.is_some())
}

/// Removes a folder and everything in it, or a link itself; `false` if it is already gone. Nothing of it is removed where
/// something is mounted in it: that is of another place, and would be emptied there.
pub fn remove_dir(run: &RunDir, path: &Path) -> io::Result<bool> {
    let removed = || {
        let name = path.file_name().ok_or_else(|| outside(path))?;
        let above = relative(run, path)?.parent().ok_or_else(|| outside(path))?;
        let dir = open_below(&open_root(run)?, above, FOLDER, Mode::empty())?;
        each_below(&dir, Path::new(name), &|_, _, _| Ok(()))?;
        each_below(&dir, Path::new(name), &|dir, name, flags| Ok(unlinkat(dir, name, flags)?))
    };
    if_there(removed()).map(|removed| removed.is_some())
}

/// Goes through all that is below `name` in `dir`, and `name` itself last. No link is followed, and no mount gone into.
fn each_below(
    dir: &OwnedFd,
    name: &Path,
    act: &impl Fn(&OwnedFd, &Path, AtFlags) -> io::Result<()>,
) -> io::Result<()> {
    let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        let same_disk = fstat(dir)?.st_dev == stat.st_dev;
        return if same_disk && !is_mounted(dir, name) {
            act(dir, name, AtFlags::empty())
        } else {
            Err(mounted(name))
        };
    }
    let inner = open_unmounted(dir, name)?;
    for name in names_in(&inner)? {
        each_below(&inner, Path::new(&name), act)?;
    }
    act(dir, name, AtFlags::REMOVEDIR)
}

/// Opens a folder that nothing is mounted on.
fn open_unmounted(dir: &OwnedFd, name: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | CAREFUL;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    match openat2(dir, name, flags, Mode::empty(), resolve) {
        Err(Errno::XDEV) => Err(mounted(name)),
        Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => {
            let inner = explained(open_step(dir.as_fd(), name, flags, Mode::empty()))?;
            // A folder of the same file system that is mounted there looks like any other to an old kernel.
            if fstat(&inner)?.st_dev == fstat(dir)?.st_dev { Ok(inner) } else { Err(mounted(name)) }
        }
        opened => explained(opened),
    }
}

/// Whether something is mounted on a file, as far as the kernel tells: an old one does not.
fn is_mounted(dir: &OwnedFd, name: &Path) -> bool {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    statx(dir, name, flags, StatxFlags::TYPE)
        .is_ok_and(|seen| seen.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

fn mounted(name: &Path) -> io::Error {
    let what = format!("something is mounted on {} in it: unmount it first", name.display());
    io::Error::new(io::ErrorKind::CrossesDevices, what)
}

/// Waits until nobody else of those who ask is at work in the run's folder, and keeps them waiting as long as what is returned
/// lives. Nobody waits longer than [`TURN`], whoever holds the folder, nor where the file system has no such locks.
pub(crate) fn take_turn(run: &RunDir) -> io::Result<File> {
    let folder = File::from(open_dir(run, run.path())?);
    let deadline = Instant::now() + TURN;
    while Instant::now() < deadline
        && matches!(flock(&folder, FlockOperation::NonBlockingLockExclusive), Err(Errno::AGAIN | Errno::INTR))
    {
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(folder)
}

/// The user whom the run's folder belongs to.
pub fn owner(run: &RunDir) -> io::Result<u32> {
    Ok(fstat(open_root(run)?)?.st_uid)
}

/// Puts a file on the disk.
pub(crate) fn sync_file(run: &RunDir, file: &File) -> io::Result<()> {
    if is_unborn(run) { Ok(()) } else { file.sync_all() }
}

/// Puts a folder's entries on the disk.
pub(crate) fn sync_dir(run: &RunDir, path: &Path) -> io::Result<()> {
    if is_unborn(run) { Ok(()) } else { File::from(open_dir(run, path)?).sync_all() }
}

/// Puts a folder on the disk, with all that is below it.
pub(crate) fn sync_all(run: &RunDir, dir: &Path) -> io::Result<()> {
    for name in names(run, dir)? {
        let path = dir.join(name);
        match entry(run, &path)?.kind {
            Kind::Folder => sync_all(run, &path)?,
            _ => open(run, &path)?.sync_all()?,
        }
    }
    File::from(open_dir(run, dir)?).sync_all()
}

/// Whether nobody sees the run yet: it is put on the disk as a whole before it gets its name.
fn is_unborn(run: &RunDir) -> bool {
    is_temporary(run.path())
}

/// Names in a folder, in no order; none if it is not there.
pub fn names(run: &RunDir, path: &Path) -> io::Result<Vec<OsString>> {
    if_there(open_dir(run, path))?.map_or_else(|| Ok(Vec::new()), |dir| names_in(&dir))
}

fn names_in(dir: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// What lies at a path. A link is [`Kind::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its length in bytes.
    pub len: u64,
    /// When it was last changed.
    pub modified: SystemTime,
    /// The number of its inode.
    pub inode: u64,
    /// How many names it has.
    pub links: u64,
}

/// What can lie at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A link, pipe, socket or device.
    Other,
}

/// Looks at what lies at a path.
pub fn entry(run: &RunDir, path: &Path) -> io::Result<Entry> {
    let (dir, name) = parent(run, path)?;
    Ok(entry_of(&statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?))
}

/// Whether a regular file lies there.
pub fn is_file(run: &RunDir, path: &Path) -> bool {
    entry(run, path).is_ok_and(|e| e.kind == Kind::File)
}

/// Whether a folder lies there.
pub fn is_dir(run: &RunDir, path: &Path) -> bool {
    entry(run, path).is_ok_and(|e| e.kind == Kind::Folder)
}

/// Whether anything lies there.
pub fn exists(run: &RunDir, path: &Path) -> bool {
    entry(run, path).is_ok()
}

/// Whether a run may be mended by whoever merely looks at it: its folder is this user's own, nothing but files and folders
/// lies where gradtop writes, and what it writes to in place has no second name elsewhere.
pub fn is_own(run: &RunDir) -> bool {
    let own = |root: OwnedFd| fstat(root).is_ok_and(|s| s.st_uid == rustix::process::geteuid().as_raw());
    let below = |dir: &Path| -> Vec<PathBuf> {
        names(run, dir).unwrap_or_default().into_iter().map(|name| dir.join(name)).collect()
    };
    let in_place = [run.lock(), run.events(), run.series(), run.damage()];
    let plain = |path: &PathBuf| {
        let alone = |e: &Entry| e.links == 1 || !(in_place.contains(path) || path.starts_with(run.journal()));
        entry(run, path).is_ok_and(|e| e.kind == Kind::Folder || e.kind == Kind::File && alone(&e))
    };
    let mut folders = vec![
        run.path().to_owned(),
        run.journal(),
        run.metrics(),
        run.tables(),
        run.checkpoints(),
        run.control(),
    ];
    folders.extend(below(&run.tables()));
    open_root(run).is_ok_and(own) && folders.iter().all(|dir| below(dir).iter().all(plain))
}

fn entry_of(stat: &Stat) -> Entry {
    let since_1970 = Duration::new(u64::try_from(stat.st_mtime).unwrap_or(0), stat.st_mtime_nsec as u32);
    Entry {
        kind: match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Folder,
            _ => Kind::Other,
        },
        len: u64::try_from(stat.st_size).unwrap_or(0),
        modified: SystemTime::UNIX_EPOCH + since_1970,
        inode: stat.st_ino,
        links: stat.st_nlink,
    }
}

fn open_with(run: &RunDir, path: &Path, flags: OFlags) -> io::Result<File> {
    let mode = if flags.contains(OFlags::CREATE) { FILE_MODE } else { Mode::empty() };
    open_as(run, path, flags, mode)
}

fn open_as(run: &RunDir, path: &Path, flags: OFlags, mode: Mode) -> io::Result<File> {
    let file = open_in(run, path, flags | CAREFUL, mode)?;
    if flags.contains(OFlags::CREATE) {
        give_to_owner(&open_root(run)?, &file);
    }
    match entry_of(&fstat(&file)?).kind {
        Kind::File => Ok(File::from(file)),
        Kind::Folder => Err(NoFile::error("it is a folder, not a file")),
        Kind::Other => Err(NoFile::error("it is not a regular file")),
    }
}

/// What root makes in somebody's folder is theirs: they are to go on with it.
fn give_to_owner(folder: &OwnedFd, new: &OwnedFd) {
    if rustix::process::geteuid().is_root()
        && let (Ok(folder), Ok(stat)) = (fstat(folder), fstat(new))
        && folder.st_uid != 0
        && stat.st_uid == 0
        && (stat.st_nlink == 1 || entry_of(&stat).kind == Kind::Folder)
    {
        let (user, group) =
            (rustix::fs::Uid::from_raw(folder.st_uid), rustix::fs::Gid::from_raw(folder.st_gid));
        fchown(new, Some(user), Some(group)).ok();
    }
}

fn open_dir(run: &RunDir, path: &Path) -> io::Result<OwnedFd> {
    open_in(run, path, OFlags::RDONLY | OFlags::DIRECTORY | CAREFUL, Mode::empty())
}

/// Where a path begins.
enum Base {
    Folder(OwnedFd),
    Here,
}

impl AsFd for Base {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Folder(folder) => folder.as_fd(),
            Self::Here => CWD,
        }
    }
}

/// The folder that a path lies in, and its name there.
fn parent<'a>(run: &RunDir, path: &'a Path) -> io::Result<(Base, &'a Path)> {
    let name = path.file_name().ok_or_else(|| outside(path))?;
    let below = relative(run, path)?;
    if is_entry(run, below) {
        return Ok((Base::Here, path));
    }
    let dir = below.parent().ok_or_else(|| outside(path))?;
    Ok((Base::Folder(open_below(&open_root(run)?, dir, FOLDER, Mode::empty())?), Path::new(name)))
}

/// Whether it lies in the run's folder itself, which may be reached in any way: then that folder need not be opened first. Thousands
/// of runs are looked at, and each in a dozen places.
fn is_entry(run: &RunDir, below: &Path) -> bool {
    run.held().is_none() && below.components().count() == 1
}

fn open_root(run: &RunDir) -> io::Result<OwnedFd> {
    Ok(match run.held() {
        Some(folder) => folder.try_clone()?,
        None => openat(CWD, run.path(), FOLDER, Mode::empty())?,
    })
}

/// The path as seen from the run's folder: names only.
fn relative<'a>(run: &RunDir, path: &'a Path) -> io::Result<&'a Path> {
    let below = path.strip_prefix(run.path()).map_err(|_| outside(path))?;
    let plain = below.components().all(|c| matches!(c, Component::Normal(_)));
    if plain { Ok(below) } else { Err(outside(path)) }
}

fn outside(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{} is outside the run's folder", path.display()))
}

/// Opens what lies at a path.
fn open_in(run: &RunDir, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    let below = relative(run, path)?;
    if is_entry(run, below) {
        return explained(open_step(CWD, path, flags, mode));
    }
    open_below(&open_root(run)?, below, flags, mode)
}

/// Opens a path of plain names below `dir` without following a link.
fn open_below(dir: &dyn AsFd, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    explained(match openat2(dir, path, flags, mode, resolve) {
        // An old kernel, a sandbox that forbids the call, or a rename at the same moment.
        Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => open_stepwise(dir, path, flags, mode),
        opened => opened,
    })
}

/// What it means for a file inside a run's folder that it was not opened.
fn explained<T>(opened: rustix::io::Result<T>) -> io::Result<T> {
    opened.map_err(|e| match e {
        Errno::LOOP => NoFile::error(
            "it is, or is behind, a symbolic link, and links inside a run folder are not followed",
        ),
        Errno::ISDIR => NoFile::error("it is a folder, not a file"),
        Errno::NOTDIR => NoFile::error("it is, or is behind, a file that has the name of a folder"),
        // A socket, a device without a driver, a pipe that nobody reads.
        Errno::NXIO => NoFile::error("it is not a regular file"),
        e => e.into(),
    })
}

/// The same, where the kernel has no `openat2`: each name by itself.
fn open_stepwise(dir: &dyn AsFd, path: &Path, flags: OFlags, mode: Mode) -> rustix::io::Result<OwnedFd> {
    let last = Path::new(path.file_name().unwrap_or(path.as_os_str()));
    let mut at = None;
    for name in path.parent().into_iter().flat_map(Path::components) {
        let dir = at.as_ref().map_or(dir.as_fd(), AsFd::as_fd);
        at = Some(open_step(dir, Path::new(name.as_os_str()), FOLDER, Mode::empty())?);
    }
    open_step(at.as_ref().map_or(dir.as_fd(), OwnedFd::as_fd), last, flags, mode)
}

/// Opens what a path ends with, unless that is a link.
fn open_step(dir: BorrowedFd<'_>, path: &Path, flags: OFlags, mode: Mode) -> rustix::io::Result<OwnedFd> {
    match openat(dir, path, flags | OFlags::NOFOLLOW, mode) {
        Err(Errno::NOTDIR) if is_link(dir, path) => Err(Errno::LOOP),
        opened => opened,
    }
}

fn is_link(dir: impl AsFd, name: &Path) -> bool {
    statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::Symlink)
}

#[cfg(test)]
mod tests;
