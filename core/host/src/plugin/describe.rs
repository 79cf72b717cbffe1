//! Describes a plugin in a child process with a time-out, and caches the result.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{OWN_WORDS, Refusal};
use crate::machine::child::{answer_and_leave, run_child};
use crate::machine::dirs::{cache_dir, recall, remember};
use crate::machine::file::{hex, identity};
use crate::machine::last_words::{last_line, last_words};
use crate::machine::program;
use crate::plugin::desc::PluginDesc;
use crate::plugin::file::PluginFile;
use crate::plugin::{inspect, load};

/// How long a plugin may take to describe itself on an idle machine, and the maximum.
const TIME_OUT: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_mins(1);
/// How long a refusal is cached: its cause may have been fixed.
const REFUSED: Duration = Duration::from_secs(5);
/// How long a plugin that was too slow is not asked again, because asking takes long.
const SLOW: Duration = Duration::from_mins(1);

/// A cached answer with the circumstances it depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cached {
    /// The file, its size and its modification time in nanoseconds.
    file: PathBuf,
    size: u64,
    changed: i128,
    /// The same of this program: another version may judge differently.
    program: (u64, i128),
    asked: SystemTime,
    sha256: String,
    answer: Result<PluginDesc, Refusal>,
}

impl Cached {
    /// Returns whether it is still valid; a refusal only if it is newer than `since`.
    fn is_good(&self, since: Option<SystemTime>) -> bool {
        let known_for = match self.answer {
            Ok(_) => return true,
            Err(Refusal::TimeOut(_)) => SLOW,
            Err(_) => REFUSED,
        };
        self.asked.elapsed().is_ok_and(|age| age < known_for) && since.is_none_or(|since| self.asked >= since)
    }
}

/// Describes a plugin. A child process opens the file and has 10 s, more on a busy machine. Success is cached by path,
/// size and modification time, so that asking again costs a few file reads; a refused plugin is asked again.
///
/// # Errors
/// Why it cannot be used as a plugin.
pub fn describe(file: &Path) -> Result<PluginDesc, Refusal> {
    describe_since(file, Some(SystemTime::now()))
}

/// Like [`describe`], but returns a recent cached refusal if it is newer than `since`.
pub(crate) fn describe_since(file: &Path, since: Option<SystemTime>) -> Result<PluginDesc, Refusal> {
    described(&PluginFile::open(file)?, since).map(|(desc, _)| desc)
}

/// Like [`describe`], with the current SHA-256 of the file in hexadecimal, computed even if size and modification time
/// are unchanged.
pub(crate) fn described_exactly(plugin: &PluginFile) -> Result<(PluginDesc, String), Refusal> {
    let sha256 = plugin.sha256()?;
    let cached = described(plugin, Some(SystemTime::now()))?;
    if cached.1 == sha256 {
        return Ok(cached);
    }
    if let Some(place) = cache_file(plugin.path()) {
        std::fs::remove_file(place).ok();
    }
    let anew = described(plugin, None)?;
    if anew.1 == sha256 { Ok(anew) } else { Err(Refusal::being_written()) }
}

/// Like [`describe`], with the SHA-256 of the file in hexadecimal.
fn described(plugin: &PluginFile, since: Option<SystemTime>) -> Result<(PluginDesc, String), Refusal> {
    let file = plugin.path().to_owned();
    let (size, changed) = plugin.identity()?;
    let program = identity(Path::new("/proc/self/exe")).unwrap_or_default();
    let place = cache_file(&file);
    if let Some(cached) = place.as_deref().and_then(recall::<Cached>)
        && (&cached.file, cached.size, cached.changed, cached.program) == (&file, size, changed, program)
        && cached.is_good(since)
    {
        return cached.answer.map(|desc| (desc, cached.sha256));
    }
    // What can be decided without running anything needs neither a process nor a cache entry.
    let folder = file.parent().unwrap_or(Path::new("/"));
    match inspect::inspect_from(&plugin.handle(), folder)?.exports_entry {
        None => return Err(Refusal::NoEntry),
        Some(gradtop_abi::ABI_MAJOR) => {}
        Some(found) => return Err(Refusal::OtherMajor(found)),
    }
    let answer = ask(plugin);
    let sha256 = plugin.sha256()?;
    let cached = Cached { file, size, changed, program, asked: SystemTime::now(), sha256, answer };
    // Do not cache the answer for a file that has changed in the meantime. Failure to write the cache is ignored.
    if plugin.identity().is_ok_and(|now| now == (size, changed))
        && let Some(place) = place
    {
        remember(&place, &cached);
    }
    cached.answer.map(|desc| (desc, cached.sha256))
}

fn cache_file(file: &Path) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    let name = hex(&Sha256::digest(file.as_os_str().as_bytes()));
    Some(cache_dir()?.join("plugins").join(format!("{}.json", &name[..32])))
}

/// Returns how long a plugin may take to answer now: longer in proportion if the machine has more work than processors.
pub(crate) fn time_out() -> Duration {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    time_out_under(&load, cores)
}

/// Like [`time_out`], for the content of `/proc/loadavg`: the one-minute load and the number of runnable tasks.
fn time_out_under(load: &str, cores: usize) -> Duration {
    let mut words = load.split(' ');
    let mean = words.next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
    let now = words.nth(2).and_then(|word| word.split('/').next()?.parse().ok()).unwrap_or(0.0);
    let share = f64::max(mean, now) / cores as f64;
    TIME_OUT.mul_f64(share.clamp(1.0, LONGEST.as_secs_f64() / TIME_OUT.as_secs_f64()))
}

/// Runs the child and parses its answer.
fn ask(plugin: &PluginFile) -> Result<PluginDesc, Refusal> {
    let mut command = program::command();
    command.arg("__describe").arg(plugin.path());
    let limit = time_out();
    let child = run_child(command, Some(plugin.file()), limit, false)
        .map_err(|e| Refusal::Internal(e.to_string()))?;
    let Some(status) = child.status else {
        return Err(Refusal::TimeOut(limit.as_secs()));
    };
    match serde_json::from_slice(&child.answer) {
        Ok(Err(Refusal::NoDescriptor { index, .. })) => {
            Err(Refusal::NoDescriptor { index, words: own_words(&child.output) })
        }
        Ok(answer) => answer,
        Err(_) if !status.success() || child.answer.is_empty() => Err(Refusal::Died {
            how: crate::machine::signals::how_it_ended(status),
            output: last_words(&child.output)
                .unwrap_or_else(|| crate::text::clean_bytes(last_line(&child.output), 400)),
        }),
        Err(e) => Err(Refusal::Internal(format!("its description could not be read: {e}"))),
    }
}

/// Returns what a plugin wrote about itself: the SDK's line, else the last line.
fn own_words(output: &[u8]) -> String {
    let mut lines = output.split(|b| *b == b'\n');
    let line = lines.rfind(|line| line.starts_with(OWN_WORDS.as_bytes())).unwrap_or(last_line(output));
    crate::text::clean_bytes(line.trim_ascii(), 1000)
}

/// Entry point of the child `gradtop __describe FILE`, with the open file as standard input. Writes the description or
/// the refusal as JSON to standard output.
pub(crate) fn describe_main(file: &Path) -> i32 {
    answer_and_leave(|| Some(open_stdin(file).map(|plugin| plugin.desc)))
}

/// Opens the plugin passed as standard input, which was opened at `path`.
pub(crate) fn open_stdin(path: &Path) -> Result<load::Plugin, Refusal> {
    let internal = |e: std::io::Error| Refusal::Internal(e.to_string());
    // Move it away from descriptors that a plugin may read or close.
    let file = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).map_err(|e| internal(e.into()))?;
    let null = std::fs::File::open("/dev/null").map_err(internal)?;
    rustix::stdio::dup2_stdin(&null).map_err(|e| internal(e.into()))?;
    let plugin = PluginFile::inherited(file.into(), path)?;
    load::open(plugin, path.parent().unwrap_or(Path::new("/")), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_machine_is_given_more_time() {
        let seconds = |load, cores| time_out_under(load, cores).as_secs();
        assert_eq!(seconds("0.50 1.00 2.00 1/300 4711\n", 2), 10);
        assert_eq!(seconds("6.00 1.00 2.00 1/300 4711\n", 2), 30);
        assert_eq!(seconds("0.10 0.10 0.10 8/300 4711\n", 2), 40);
        assert_eq!(seconds("80.0 1.00 2.00 1/300 4711\n", 2), 60);
        assert_eq!(seconds("", 2), 10);
    }

    #[test]
    fn a_refusal_is_believed_for_a_moment_and_never_by_who_asks_for_it() {
        let asked = |ago: u64, answer| Cached {
            file: PathBuf::new(),
            size: 0,
            changed: 0,
            program: (0, 0),
            asked: SystemTime::now() - Duration::from_secs(ago),
            sha256: String::new(),
            answer: Err(answer),
        };
        let slow = Refusal::TimeOut(10);
        for (refusal, good, old) in [(Refusal::NullEntry, 1, 10), (slow, 30, 100)] {
            assert!(asked(good, refusal.clone()).is_good(None));
            assert!(!asked(old, refusal.clone()).is_good(None));
            assert!(!asked(good, refusal).is_good(Some(SystemTime::now())));
        }
    }
}
