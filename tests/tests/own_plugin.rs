//! A run's own copy of the plugin: one file shared by all runs that use it, and never another file than the one it was started
//! with.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use gradtop_store::{State, read_manifest};
use gradtop_tests::sandbox::Run;
use gradtop_tests::{Sandbox, build, check, in_parallel, paths};

/// The files in the folder of shared plugins.
fn shared(sandbox: &Sandbox) -> Vec<PathBuf> {
    let entries = fs::read_dir(sandbox.runs().join(".plugins")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

/// The expected path of a run's shared plugin.
fn named_by_hash(sandbox: &Sandbox, run: &Run<'_>) -> PathBuf {
    let sha256 = read_manifest(&run.dir).unwrap().plugin.unwrap().sha256;
    sandbox.runs().join(".plugins").join(format!("{sha256}.so"))
}

/// A stopped run with a checkpoint.
fn stopped<'a>(sandbox: &'a Sandbox, name: &str) -> Run<'a> {
    let run = sandbox.start(&["counter", "--set", "steps=2000", "--set", "rate=500"], name);
    run.until_step(10);
    sandbox.gradtop(&["stop", name]).expect_code(0);
    run.until_state(State::Stopped);
    run
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn all_runs_of_a_plugin_have_one_file() {
    let sandbox = Sandbox::new();
    let names: Vec<String> = (0..8).map(|i| format!("r{i}")).collect();
    // In parallel, so that none of them finds the file.
    in_parallel(8, names.clone(), |name| drop(sandbox.run(&["short", "--name", &name]).expect_code(0)));
    let first = named_by_hash(&sandbox, &sandbox.find("r0"));
    assert_eq!(shared(&sandbox), [first.as_path()]);
    let meta = fs::metadata(&first).unwrap();
    assert_eq!((meta.nlink(), meta.mode() & 0o222), (9, 0), "linked eight times, and read-only");
    for name in &names {
        assert_eq!(inode(&sandbox.find(name).dir.plugin()), meta.ino(), "{name}");
    }
    let listed = sandbox.gradtop(&["list", "--json"]).expect_code(0).json();
    assert_eq!(listed.as_array().unwrap().len(), 8, "{listed:#}");
    let shown = sandbox.gradtop(&["show", "r0"]).expect_code(0).out;
    let (_, size) = shown.split_once("run=r0 (").unwrap();
    let (own, plugin) = size.split_once(", and a plugin of ").unwrap_or_else(|| panic!("{shown}"));
    assert!(own.ends_with(" kB"), "{own}");
    assert!(plugin.contains(" MB shared with 7 other runs)"), "{plugin}");

    // The file disappears with the last run that uses it, and so does the folder.
    sandbox.gradtop(
        &[&["rm", "--yes"], &names[1..].iter().map(String::as_str).collect::<Vec<_>>()[..]].concat(),
    );
    assert_eq!(shared(&sandbox).len(), 1);
    assert!(!sandbox.gradtop(&["show", "r0"]).expect_code(0).out.contains("shared with"));
    sandbox.gradtop(&["rm", "--yes", "r0"]).expect_code(0);
    assert!(!sandbox.runs().join(".plugins").exists());
}

#[test]
fn a_run_copied_elsewhere_is_whole() {
    let sandbox = Sandbox::new();
    let run = stopped(&sandbox, "a");
    let elsewhere = sandbox.path().join("elsewhere");
    copy_folder(run.dir.path(), &elsewhere.join("exp=counter/run=a"));
    sandbox.gradtop(&["rm", "--yes", "a"]).expect_code(0);
    assert_eq!(shared(&sandbox), [] as [PathBuf; 0]);
    fs::remove_dir_all(sandbox.plugins()).unwrap();
    let elsewhere = elsewhere.to_str().unwrap();
    sandbox.gradtop(&["--runs", elsewhere, "resume", "a"]).expect_code(0);
    let there = gradtop_store::find_run(Path::new(elsewhere), "a").unwrap();
    assert_eq!(gradtop_store::view(&there).unwrap().state, State::Finished);
}

#[test]
fn a_shared_file_is_never_believed_by_its_name() {
    let sandbox = Sandbox::new();
    sandbox.run(&["short", "--name", "one"]).expect_code(0);
    let file = named_by_hash(&sandbox, &sandbox.find("one"));
    let right = fs::read(&file).unwrap();
    // Other contents, an empty file, a writable one, a link out of the folder.
    let wrongs: [&dyn Fn(); 4] = [
        &|| fs::write(&file, "no library").unwrap(),
        &|| drop(fs::File::create(&file).unwrap()),
        &|| {
            fs::copy(sandbox.plugins().join("libmisbehave.so"), &file).unwrap();
        },
        &|| symlink(sandbox.plugins().join("libmisbehave.so"), &file).unwrap(),
    ];
    for (i, wrong) in wrongs.iter().enumerate() {
        fs::remove_file(&file).unwrap();
        wrong();
        let name = format!("wrong{i}");
        sandbox.run(&["short", "--name", &name]).expect_code(0);
        let meta = fs::symlink_metadata(&file).unwrap();
        assert!(meta.is_file() && meta.mode() & 0o222 == 0, "{name}");
        assert_eq!(fs::read(&file).unwrap(), right, "{name}");
        assert_eq!(inode(&sandbox.find(&name).dir.plugin()), meta.ino(), "{name}");
    }
    // Not a folder but a link: nothing is written to its target, and the run gets a copy.
    let outside = sandbox.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::remove_dir_all(sandbox.runs().join(".plugins")).unwrap();
    symlink(&outside, sandbox.runs().join(".plugins")).unwrap();
    sandbox.run(&["short", "--name", "copied"]).expect_code(0);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert_eq!(fs::read(sandbox.find("copied").dir.plugin()).unwrap(), right);
    sandbox.gradtop(&["rm", "--yes", "copied"]).expect_code(0);
}

/// A plugin that creates a file when it is opened.
fn telltale(sandbox: &Sandbox) -> (PathBuf, PathBuf) {
    let mark = sandbox.path().join("opened");
    let code = format!(
        "#include <fcntl.h>\n#include <unistd.h>\n#include \"gradtop.h\"\n\
         __attribute__((constructor)) static void opened(void) {{ close(creat(\"{}\", 0600)); }}\n\
         const gradtop_entry *gradtop_entry_v1(void) {{ return 0; }}\n",
        mark.display()
    );
    (build::text("telltale.c", &code, sandbox.path()), mark)
}

#[test]
fn a_plugin_that_is_not_the_recorded_one_is_not_opened() {
    let sandbox = Sandbox::new();
    let run = stopped(&sandbox, "a");
    let recorded = read_manifest(&run.dir).unwrap().plugin.unwrap().sha256;
    let (other, mark) = telltale(&sandbox);
    fs::remove_file(run.dir.plugin()).unwrap();
    fs::copy(&other, run.dir.plugin()).unwrap();
    let own = run.dir.plugin();
    let own = own.to_str().unwrap();
    let why = "is not the file the run was started with: its SHA-256 is ";
    let said = sandbox.gradtop(&["resume", "a"]).expect_code(1);
    assert!(
        said.err.contains(why) && said.err.contains(&format!("{}… was recorded", &recorded[..12])),
        "{said:#?}"
    );
    assert!(said.err.contains("gradtop resume a --trust"), "{said:#?}");
    // All other commands that open a plugin.
    for args in [&["plugin", "check", own][..], &["plugin", "install", own]] {
        let said = sandbox.gradtop(args).expect_code(1);
        assert!(said.err.contains(why), "{said:#?}");
    }
    // Even the trainer checks, in case the file is replaced after the resume has.
    assert!(!mark.exists(), "it was opened");
    assert_eq!(run.view().state, State::Stopped);

    // With --trust it is run, and the run records that. This one differs in a single byte.
    fs::remove_file(run.dir.plugin()).unwrap();
    let mut bytes = fs::read(paths::fixture("misbehave")).unwrap();
    bytes.push(0);
    fs::write(run.dir.plugin(), bytes).unwrap();
    sandbox.gradtop(&["resume", "a"]).expect_code(1);
    sandbox.gradtop(&["resume", "a", "--trust"]).expect_code(0);
    assert_eq!(run.view().state, State::Finished);
    assert!(
        run.events().contains("resumed with --trust, although its plugin is not the file"),
        "{}",
        run.events()
    );
    check::sealed(&run.dir);
}

#[test]
fn a_run_of_another_user_is_resumed_only_if_trusted() {
    let sandbox = Sandbox::new();
    let run = stopped(&sandbox, "a");
    // Only root can give files away.
    if std::os::unix::fs::chown(run.dir.manifest(), Some(65534), None).is_err() {
        return;
    }
    let said = sandbox.gradtop(&["resume", "a"]).expect_code(1);
    assert!(said.err.contains("belongs to another user (uid 65534)"), "{said:#?}");
    sandbox.gradtop(&["resume", "a", "--trust"]).expect_code(0);
    assert!(run.events().contains("resumed with --trust, although its plugin belongs to another user"));
}

#[test]
fn an_installed_plugin_is_removed_and_its_runs_go_on() {
    let sandbox = Sandbox::with(&[]);
    let file = sandbox.path().join("libmisbehave.so");
    fs::copy(paths::fixture("misbehave"), &file).unwrap();
    let installed = sandbox.path().join("data/gradtop/plugins/libmisbehave.so");
    let remove = |args: &[&str]| sandbox.gradtop(&[&["plugin", "remove"], args].concat());
    let said = remove(&["misbehave", "--yes"]).expect_code(2);
    assert!(said.err.contains("no installed plugin is called \"misbehave\""), "{said:#?}");
    assert!(said.err.contains("no plugin is installed in "), "{said:#?}");

    sandbox.gradtop(&["plugin", "install", "libmisbehave.so"]).expect_code(0);
    let run = sandbox.start(&["counter", "--set", "steps=1000000", "--set", "rate=500"], "a");
    let said = remove(&["misbehve", "--yes"]).expect_code(2);
    assert!(said.err.contains("did you mean misbehave?"), "{said:#?}");
    let said = remove(&["misbehave"]).expect_code(2);
    assert!(said.err.contains("confirm the removal with --yes"), "{said:#?}");
    let said = remove(&[file.to_str().unwrap(), "--yes"]).expect_code(2);
    assert!(said.err.contains("libmisbehave.so was not installed by `gradtop plugin install`"), "{said:#?}");
    assert!(installed.is_file() && file.is_file());
    let said = remove(&["misbehave", "--yes"]).expect_code(0);
    assert!(said.out.starts_with("removed ") && !installed.exists(), "{said:#?}");
    assert_eq!(said.err, "a is running and keeps its own copy\n");
    sandbox.run(&["counter"]).expect_code(2);

    // By its file name, and by one of its experiments.
    for name in [installed.to_str().unwrap(), "libmisbehave.so", "counter"] {
        sandbox.gradtop(&["plugin", "install", "libmisbehave.so"]).expect_code(0);
        remove(&[name, "--yes"]).expect_code(0);
        assert!(!installed.exists(), "{name}");
    }
    sandbox.gradtop(&["stop", "a"]).expect_code(0);
    run.until_state(State::Stopped);
    sandbox.gradtop(&["resume", "a", "--detach"]).expect_code(0);
    sandbox.gradtop(&["stop", "a"]).expect_code(0);
    run.until_state(State::Stopped);
}
