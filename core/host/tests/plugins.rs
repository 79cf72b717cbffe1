//! Finding and describing plugins, through the example program.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples").join(name)
}

/// A copy of the program in an otherwise empty folder, and a cache of its own.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("bin")).unwrap();
        std::fs::copy(example("mini"), dir.path().join("bin/mini")).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn mini(&self, args: &[&str], env: &[(&str, &Path)]) -> Output {
        let mut command = Command::new(self.path("bin/mini"));
        command.args(args).env_clear();
        command.env("XDG_CACHE_HOME", self.path("cache")).env("XDG_DATA_HOME", self.path("data"));
        command.envs(env.iter().copied()).current_dir(self.dir.path());
        command.output().unwrap()
    }

    fn describe(&self, plugin: &Path, when: &str) -> (bool, String) {
        let args = ["describe", plugin.to_str().unwrap()];
        let output = self.mini(&args, &[("PLAIN_WHEN_DESCRIBED", Path::new(when))]);
        let text = if output.status.success() { &output.stdout } else { &output.stderr };
        (output.status.success(), String::from_utf8_lossy(text).into_owned())
    }
}

#[test]
fn a_plugin_is_described_and_the_answer_kept() {
    let place = Place::new();
    let plugin = place.path("p.so");
    std::fs::copy(example("libplain.so"), &plugin).unwrap();
    let (ok, text) = place.describe(&plugin, "");
    assert!(ok, "{text}");
    assert!(text.contains("\"plain\"") && text.contains("\"bare\""));
    // Its title holds an escape sequence, which must not get through.
    assert!(!text.contains('\u{1b}'));
    // It would hang now, but is not asked again.
    assert_eq!(place.describe(&plugin, "hangs"), (true, text));
    // Changed, it is.
    std::fs::File::open(&plugin).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let (ok, text) = place.describe(&plugin, "exits");
    assert!(!ok && text.contains("ended its process while being described (exit code 5)"), "{text}");
}

#[test]
fn a_plugin_that_hangs_is_given_up_and_asked_again_by_who_wants_it() {
    let place = Place::new();
    std::fs::create_dir(place.path("plugins")).unwrap();
    let plugin = place.path("plugins/p.so");
    std::fs::copy(example("libplain.so"), &plugin).unwrap();
    let discover = |when: &str| {
        let folder = place.path("plugins");
        let env = [("PLAIN_WHEN_DESCRIBED", Path::new(when)), ("GRADTOP_PLUGINS", &*folder)];
        String::from_utf8(place.mini(&["discover"], &env).stdout).unwrap()
    };
    let slow = "is slow or hangs";
    let (ok, text) = place.describe(&plugin, "hangs");
    assert!(!ok && text.contains("did not describe itself within ") && text.contains(slow), "{text}");
    // It would answer now, but a list does not wait for it again at once.
    assert!(discover("").contains(slow));
    assert!(place.describe(&plugin, "").0);
    assert!(discover("hangs").contains("plain GRADTOP_PLUGINS"));
}

#[test]
fn plugins_are_found_in_order_and_never_in_the_current_folder() {
    let place = Place::new();
    let first = place.path("first");
    let installed = place.path("data/gradtop/plugins");
    for folder in [&first, &installed] {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::copy(example("libplain.so"), folder.join("plain.so")).unwrap();
    }
    // In the current folder, which is `place`, beside the program, and not ELF at all.
    std::fs::copy(example("libplain.so"), place.path("here.so")).unwrap();
    std::fs::copy(example("mini"), place.path("bin/program.so")).unwrap();
    std::fs::write(first.join("text.so"), "no library").unwrap();
    let output = place.mini(&["discover"], &[("GRADTOP_PLUGINS", &first)]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let at = |p: &Path| p.display().to_string();
    let (plain, other) = (at(&first.join("plain.so")), at(&installed.join("plain.so")));
    let mut expected = vec![
        format!("plain GRADTOP_PLUGINS {plain}"),
        format!("bare GRADTOP_PLUGINS {plain}"),
        format!(
            "refused {} is not a shared library: a plugin is a compiled .so file, such as `gradtop plugin build` makes",
            at(&first.join("text.so"))
        ),
        format!("shadowed plain {other} {plain}"),
        format!("shadowed bare {other} {plain}"),
    ];
    let mut found: Vec<&str> = text.lines().collect();
    expected.sort();
    found.sort_unstable();
    assert_eq!(found, expected);
}

/// `mini watch`, and the lines it prints.
struct Watching {
    child: Child,
    lines: Receiver<String>,
}

impl Watching {
    fn start(place: &Place, folder: &Path) -> Self {
        let mut command = Command::new(place.path("bin/mini"));
        command
            .arg("watch")
            .env_clear()
            .env("XDG_CACHE_HOME", place.path("cache"))
            .env("XDG_DATA_HOME", place.path("data"));
        command.env("GRADTOP_PLUGINS", folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|l| send.send(l)));
        Self { child, lines }
    }

    /// The first line from now on that `wanted` takes. Only a broken run takes that long.
    fn next(&self, wanted: impl Fn(&str) -> bool) -> String {
        let limit = Duration::from_mins(3);
        let mut seen = Vec::new();
        loop {
            let line = self.lines.recv_timeout(limit).unwrap_or_else(|e| panic!("{e}; said: {seen:#?}"));
            if wanted(&line) {
                return line;
            }
            seen.push(line);
        }
    }

    /// Ends it as its user would; it must end by itself.
    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn plugins_are_seen_coming_changing_and_going() {
    let place = Place::new();
    // The folder itself comes later too.
    let folder = place.path("late");
    let watching = Watching::start(&place, &folder);
    watching.next(str::is_empty);
    std::fs::create_dir(&folder).unwrap();
    let plugin = folder.join("p.so");
    std::fs::copy(example("libplain.so"), &plugin).unwrap();
    let here = format!("plain@{}", plugin.display());
    watching.next(|l| l.contains(&here));
    // In a folder that is watched already.
    let second = folder.join("q.so");
    std::fs::write(&second, "no library").unwrap();
    watching.next(|l| l.contains(&format!("refused {} is not a shared library", second.display())));
    // Rebuilt: it was text, now it is a plugin.
    std::fs::remove_file(&plugin).unwrap();
    watching.next(|l| !l.contains(&here));
    std::fs::copy(example("libplain.so"), &second).unwrap();
    watching.next(|l| l.contains(&format!("plain@{}", second.display())));
    std::fs::remove_dir_all(&folder).unwrap();
    watching.next(str::is_empty);
    watching.end();
}

#[test]
fn a_file_that_is_being_written_is_left_alone_until_it_rests() {
    let place = Place::new();
    let folder = place.path("plugins");
    std::fs::create_dir(&folder).unwrap();
    let watching = Watching::start(&place, &folder);
    watching.next(str::is_empty);
    let plugin = folder.join("slow.so");
    let whole = std::fs::read(example("libplain.so")).unwrap();
    let mut file = std::fs::File::create(&plugin).unwrap();
    for part in whole.chunks(whole.len().div_ceil(8)) {
        std::io::Write::write_all(&mut file, part).unwrap();
        // What a linker does: it writes, computes, writes on.
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(file);
    // It never was half a plugin.
    let line = watching.next(|l| !l.starts_with("pending "));
    assert!(line.starts_with("plain@"), "{line}");
    watching.end();
}
