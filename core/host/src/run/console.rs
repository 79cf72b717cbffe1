//! The output of the trainer or command: read from a pipe, written to files of bounded size.
//!
//! `console.log` takes the first 64 MiB. Further output goes to `console-tail.log`; at 32 MiB that becomes
//! `console-tail.old.log` and a new one is started, so the last 32 MiB are always available. At the end, `console.log`
//! contains the first 32 MiB, a line with the amount left out, and the last 32 MiB.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use gradtop_store::{RunDir, inside};

use crate::machine::file::readable;

/// Number of bytes kept of the beginning, and of the end.
const KEEP: u64 = 32 << 20;
/// Maximum number of bytes that wait if the disk fails.
const WAITING: usize = 1 << 20;
/// Number of bytes kept in memory to determine a cause.
const RECENT: usize = 64 << 10;

/// Reads a range of a run's console, also while the run is active. `span` maps the total number of bytes to the first
/// byte and length to read. Returns the actual first byte, the bytes read, and the total. The total shrinks when the
/// files are joined or the older tail is dropped.
pub fn console_span(run: &RunDir, span: impl FnOnce(u64) -> (u64, usize)) -> io::Result<(u64, Vec<u8>, u64)> {
    let files = Files::of(run, KEEP);
    let mut parts = Vec::new();
    let mut total = 0;
    for path in [&files.head, &files.old, &files.tail] {
        match inside::open(run, path) {
            Ok(file) => {
                let len = file.metadata()?.len();
                parts.push((file, total, len));
                total += len;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    let (from, bytes) = span(total);
    let end = from.saturating_add(bytes as u64);
    let mut out = Vec::new();
    for (mut file, start, len) in parts {
        let (a, b) = (from.max(start), end.min(start + len));
        if a < b {
            file.seek(SeekFrom::Start(a - start))?;
            file.take(b - a).read_to_end(&mut out)?;
        }
    }
    Ok((from, out, total))
}

/// The three files and their maximum sizes.
struct Files {
    run: RunDir,
    head: PathBuf,
    tail: PathBuf,
    old: PathBuf,
    keep: u64,
}

impl Files {
    fn of(run: &RunDir, keep: u64) -> Self {
        let in_run = |name| run.path().join(name);
        Self {
            run: run.clone(),
            head: run.console(),
            tail: in_run("console-tail.log"),
            old: in_run("console-tail.old.log"),
            keep,
        }
    }
}

/// Writes the console within its size limits.
struct Console {
    files: Files,
    head: File,
    head_len: u64,
    tail: Option<(File, u64)>,
    /// Number of bytes written beyond the head.
    past_head: u64,
    /// Bytes not yet written, and how many more had to be dropped.
    waiting: Vec<u8>,
    missing: usize,
}

impl Console {
    fn open(files: Files) -> io::Result<Self> {
        // A killed keeper may have left its tail.
        join(&files, None)?;
        let head = inside::append(&files.run, &files.head)?;
        let head_len = head.metadata()?.len();
        Ok(Self { files, head, head_len, tail: None, past_head: 0, waiting: Vec::new(), missing: 0 })
    }

    /// Writes pending bytes and these. What cannot be written is kept, the newest part of it.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.waiting.extend_from_slice(bytes);
        let written = self.flush();
        let over = self.waiting.len().saturating_sub(WAITING);
        self.waiting.drain(..over);
        self.missing += over;
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.missing > 0 {
            let gap = format!(
                "\n[gradtop: {} bytes are missing here: the disk could not take them]\n",
                self.missing
            );
            self.waiting.splice(..0, gap.into_bytes());
            self.missing = 0;
        }
        while !self.waiting.is_empty() {
            let waiting = std::mem::take(&mut self.waiting);
            let taken = self.head_or_tail_takes(&waiting);
            self.waiting = waiting;
            self.waiting.drain(..*taken.as_ref().unwrap_or(&0));
            taken?;
        }
        Ok(())
    }

    /// Writes some of the bytes and returns how many.
    fn head_or_tail_takes(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = (2 * self.files.keep).saturating_sub(self.head_len);
        if room > 0 {
            let n =
                self.head.write(&bytes[..bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX))])?;
            self.head_len += n as u64;
            return Ok(n);
        }
        if self.tail.as_ref().is_some_and(|(_, len)| *len >= self.files.keep) {
            self.tail = None;
            inside::rename(&self.files.run, &self.files.tail, &self.files.old)?;
        }
        let (file, len) = match &mut self.tail {
            Some(tail) => tail,
            none => {
                inside::remove_file(&self.files.run, &self.files.tail)?;
                none.insert((inside::create_new(&self.files.run, &self.files.tail)?, 0))
            }
        };
        let n = file.write(bytes)?;
        *len += n as u64;
        self.past_head += n as u64;
        Ok(n)
    }

    fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        join(&self.files, Some(self.past_head))
    }
}

/// Joins the files if there is a tail: the first part of the head, a line with the amount left out, and the end of the
/// tail. `past_head` is the number of bytes that went to the tail files, if known.
fn join(files: &Files, past_head: Option<u64>) -> io::Result<()> {
    let length = |path: &Path| match inside::entry(&files.run, path) {
        Ok(entry) => Ok(entry.len),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(e),
    };
    let (head, old, tail) = (length(&files.head)?, length(&files.old)?, length(&files.tail)?);
    if old + tail == 0 {
        return Ok(());
    }
    let keep = usize::try_from(files.keep).unwrap_or(usize::MAX);
    let mut last = Vec::with_capacity(keep);
    for (path, len) in
        [(&files.head, head.saturating_sub(files.keep)), (&files.old, old), (&files.tail, tail)]
    {
        if len > 0 {
            last.extend_from_slice(&inside::read_end(&files.run, path, len.min(files.keep))?.0);
            let over = last.len().saturating_sub(keep);
            last.drain(..over);
        }
    }
    let missing = match past_head {
        Some(past) => format!("{} bytes", head.saturating_sub(files.keep) + past - last.len() as u64),
        None => "some bytes".to_owned(),
    };
    let mut joined = inside::append(&files.run, &files.head)?;
    joined.set_len(head.min(files.keep))?;
    writeln!(
        joined,
        "\n[gradtop: {missing} are missing here; the first and the last {} are kept]",
        megabytes(files.keep)
    )?;
    joined.write_all(&last)?;
    for path in [&files.old, &files.tail] {
        inside::remove_file(&files.run, path)?;
    }
    Ok(())
}

fn megabytes(bytes: u64) -> String {
    if bytes >= 1_000_000 { format!("{} MB", bytes / 1_000_000) } else { format!("{bytes} bytes") }
}

/// A thread that copies a pipe to the console.
pub(crate) struct Pump {
    thread: JoinHandle<Vec<u8>>,
    ended: Arc<AtomicBool>,
}

impl Pump {
    pub(crate) fn start(run: &RunDir, pipe: OwnedFd) -> io::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let (flag, files) = (ended.clone(), Files::of(run, KEEP));
        let thread =
            std::thread::Builder::new().name("console".to_owned()).spawn(move || pump(files, pipe, &flag))?;
        Ok(Self { thread, ended })
    }

    /// Called when the trainer has ended: reads what is left in the pipe without waiting for its end, as a leftover process may
    /// hold it open. Returns the end of the output, to determine a cause.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.ended.store(true, Ordering::Release);
        self.thread.join().unwrap_or_default()
    }
}

fn pump(files: Files, pipe: OwnedFd, ended: &AtomicBool) -> Vec<u8> {
    let mut recent = Vec::new();
    // Output is read even if it cannot be stored, because the trainer must never block on it.
    let mut console = Console::open(files).ok();
    let mut pipe = File::from(pipe);
    let mut buffer = vec![0; 64 << 10];
    // After the end, read at most the capacity of a pipe, because a leftover process may write forever.
    let mut left = 1usize << 20;
    loop {
        let over = ended.load(Ordering::Acquire);
        match readable(&pipe, if over { Duration::ZERO } else { Duration::from_millis(50) }) {
            Ok(false) if over => break,
            Ok(false) => {
                if let Some(console) = &mut console {
                    console.flush().ok();
                }
                continue;
            }
            Err(rustix::io::Errno::INTR) => continue,
            Ok(true) => {}
            Err(_) => break,
        }
        let n = match pipe.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        if let Some(console) = &mut console {
            // Bytes that cannot be written now are written later.
            console.write(&buffer[..n]).ok();
        }
        recent.extend_from_slice(&buffer[..n]);
        let cut = recent.len().saturating_sub(RECENT);
        recent.drain(..cut);
        if over {
            left = left.saturating_sub(n);
            if left == 0 {
                break;
            }
        }
    }
    // Files that cannot be joined remain readable as they are.
    if let Some(console) = console {
        console.finish().ok();
    }
    recent
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs;

    use super::*;

    fn console(dir: &Path) -> Console {
        Console::open(Files::of(&RunDir::new(dir), 100)).unwrap()
    }

    #[test]
    fn little_output_is_kept_whole() {
        let dir = tempfile::tempdir().unwrap();
        let mut c = console(dir.path());
        c.write(&[b'a'; 60]).unwrap();
        c.write(&[b'b'; 140]).unwrap();
        c.finish().unwrap();
        let text = fs::read(dir.path().join("console.log")).unwrap();
        assert_eq!(text, [&[b'a'; 60][..], &[b'b'; 140]].concat());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    /// Output of that length, of which any part says where it is from.
    fn output(len: u32) -> Vec<u8> {
        (0..len).map(|i| b'a' + (i % 23) as u8).collect()
    }

    #[test]
    fn much_output_keeps_both_ends_and_says_the_gap() {
        for len in [210, 250, 350, 5000] {
            let dir = tempfile::tempdir().unwrap();
            let mut c = console(dir.path());
            let all = output(len);
            for (i, piece) in all.chunks(37).enumerate() {
                c.write(piece).unwrap();
                let on_disk: u64 =
                    fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
                assert!(on_disk <= 500, "{on_disk}");
                let so_far = &all[..(37 * (i + 1)).min(all.len())];
                let run = RunDir::new(dir.path());
                let middle = |total: u64| (total / 3, 50);
                let (from, part, total) = console_span(&run, middle).unwrap();
                assert_eq!(total, on_disk);
                if on_disk == so_far.len() as u64 {
                    assert_eq!(part, so_far[from as usize..(from as usize + 50).min(so_far.len())]);
                }
                let (_, tail, _) = console_span(&run, |total| (total.saturating_sub(80), 80)).unwrap();
                assert!(so_far.ends_with(&tail) && tail.len() == 80.min(so_far.len()), "{i}");
            }
            c.finish().unwrap();
            let text = fs::read(dir.path().join("console.log")).unwrap();
            assert!(text.starts_with(&all[..100]));
            assert!(text.ends_with(&all[all.len() - 100..]));
            let gap = String::from_utf8_lossy(&text[100..text.len() - 100]).into_owned();
            assert!(gap.contains(&format!("{} bytes are missing", len - 200)), "{gap}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_tail_left_by_a_killed_keeper_is_joined() {
        let dir = tempfile::tempdir().unwrap();
        let mut c = console(dir.path());
        let all = output(450);
        all.chunks(50).for_each(|piece| c.write(piece).unwrap());
        drop(c);
        drop(console(dir.path()));
        let text = fs::read(dir.path().join("console.log")).unwrap();
        assert!(text.starts_with(&all[..100]) && text.ends_with(&all[350..]));
        assert!(String::from_utf8_lossy(&text).contains("some bytes are missing"));
    }
}
