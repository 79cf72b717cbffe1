//! Disks that fill up and fail, and runs whose steps are counted outside of them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::sandbox::Run;
use crate::{Sandbox, check, logged, paths, untested, until};

/// A file system mounted over a folder, visible only to this thread and its children.
pub struct Mounted {
    path: PathBuf,
    /// The process that serves the file system, and the file with the error that it returns.
    server: Option<(Child, PathBuf)>,
}

impl Mounted {
    /// Mounts a disk of this many kilobytes. Returns `None`, with a message, if mounting is not permitted.
    pub fn small(path: &Path, kilobytes: u32) -> Option<Self> {
        let size = format!("size={kilobytes}k");
        let mounted = alone() && run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", path.to_str().unwrap()]);
        if !mounted {
            untested("a disk of a limited size: it cannot be mounted");
        }
        mounted.then(|| Self { path: path.to_owned(), server: None })
    }

    /// Mounts a disk that can be made to fail.
    pub fn faulty(path: &Path, beside: &Path) -> Option<Self> {
        let Some(program) = file_system(beside).filter(|_| alone()) else {
            untested("a disk that fails: libfuse 3 is missing, or it cannot be mounted");
            return None;
        };
        let (backing, fault) = (beside.join("backing"), beside.join("fault"));
        fs::create_dir(&backing).unwrap();
        fs::write(&fault, "").unwrap();
        let server = Command::new(&program).args([&backing, &fault, path]).arg("-f").spawn().unwrap();
        let mounted = Self { path: path.to_owned(), server: Some((server, fault)) };
        until("the disk", || {
            let mounts = fs::read_to_string("/proc/thread-self/mounts").unwrap();
            mounts.lines().any(|l| l.split(' ').nth(1) == path.to_str() && l.contains("fuse")).then_some(())
        });
        Some(mounted)
    }

    /// Makes all changes fail with an error; 0 makes them succeed again.
    pub fn fail(&self, errno: i32) {
        let fault = &self.server.as_ref().unwrap().1;
        // Written atomically, so that nobody reads half a number.
        let text = if errno == 0 { String::new() } else { errno.to_string() };
        let file = fs::File::options().write(true).open(fault).unwrap();
        if text.is_empty() { file.set_len(0).unwrap() } else { (&file).write_all(text.as_bytes()).unwrap() }
    }

    /// Fills the disk completely.
    pub fn fill(&self) {
        for block in [64 << 10, 512] {
            let file = fs::File::options().append(true).create(true).open(self.path.join("fill")).unwrap();
            while (&file).write_all(&vec![1; block]).is_ok() {}
        }
    }

    /// Frees the space again.
    pub fn make_room(&self) {
        fs::remove_file(self.path.join("fill")).unwrap();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run("umount", &["-l", self.path.to_str().unwrap()]);
        if let Some((server, _)) = &mut self.server {
            server.kill().ok();
            server.wait().ok();
        }
    }
}

/// Builds `faulty_fs.c` in a folder. Returns `None` if libfuse 3 is missing.
pub(crate) fn file_system(folder: &Path) -> Option<PathBuf> {
    let program = folder.join("faulty_fs");
    let source = paths::checkout().join("tests/fixtures/faulty_fs.c");
    let flags = Command::new("pkg-config").args(["--cflags", "--libs", "fuse3"]).output();
    let flags = flags.map(|o| String::from_utf8(o.stdout).unwrap()).unwrap_or_default();
    let mut args = vec!["-O1", source.to_str().unwrap(), "-o", program.to_str().unwrap()];
    args.extend(flags.split_whitespace());
    (!flags.trim().is_empty() && run("cc", &args)).then_some(program)
}

/// Gives this thread its own mount namespace.
fn alone() -> bool {
    #[expect(deprecated, reason = "unsafe only where descriptors are unshared, which is not done here")]
    let alone = rustix::thread::unshare(rustix::thread::UnshareFlags::NEWNS);
    alone.is_ok() && run("mount", &["--make-rprivate", "/"])
}

fn run(program: &str, args: &[&str]) -> bool {
    Command::new(program).args(args).status().is_ok_and(|status| status.success())
}

/// A run of `counter` that counts its steps in a separate file.
pub struct Counted<'a> {
    /// The run.
    pub run: Run<'a>,
    counter: PathBuf,
}

impl<'a> Counted<'a> {
    /// Starts a run with this number of steps at this rate.
    pub fn start(sandbox: &'a Sandbox, name: &str, steps: usize, rate: u32) -> Self {
        let counter = sandbox.path().join(format!("{name}.count"));
        let sets = [format!("steps={steps}"), format!("rate={rate}"), format!("file={}", counter.display())];
        let run = sandbox.start(
            &["counter", "--set", &sets[0], "--set", &sets[1], "--set", &sets[2], "--set", "burst=20"],
            name,
        );
        Self { run, counter }
    }

    /// The number of steps that the plugin has logged.
    pub fn logged(&self) -> usize {
        logged::all(&self.counter).len()
    }

    /// Waits until so many steps are logged.
    pub fn until_logged(&self, steps: usize) {
        until(&format!("{steps} steps"), || (self.logged() >= steps).then_some(()));
    }

    /// Asserts that every logged step is in sealed Parquet, once.
    pub fn all_is_kept(&self) {
        let rows = check::sealed(&self.run.dir);
        check::no_row_twice(&rows);
        assert_eq!(rows.iter().filter(|r| r.series.0 == "loss").count(), self.logged());
        assert_eq!(rows.iter().filter(|r| r.series.0 == "noise").count(), self.logged());
        let left = check::files(self.run.dir.path());
        assert!(!left.iter().any(|p| p.file_name().is_some_and(|n| n == ".reserve")), "{left:?}");
    }

    /// Asserts that events report that rows waited, and for how long.
    pub fn has_waited(&self) {
        let events = self.run.events();
        assert!(events.contains("wait in memory") && events.contains("again, after"), "{events}");
    }
}
