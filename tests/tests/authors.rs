//! What the author of a plugin meets: `plugin new`, `build`, `install`, in Rust and C++, and each mistake's own words.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gradtop_store::{ColumnData, State};
use gradtop_tests::sandbox::ended_within;
use gradtop_tests::{Said, Sandbox, build, check, paths};

/// A sandbox with the compilers and the libtorch of whoever runs the tests. The cache stays from one test run to the next, so
/// that only the first one compiles tch.
fn workshop() -> Sandbox {
    let home = std::env::var("HOME").unwrap();
    let or_home = |name: &str, folder: &str| std::env::var(name).unwrap_or_else(|_| format!("{home}/{folder}"));
    let sandbox = Sandbox::with(&[])
        .and_env("CARGO_HOME", &or_home("CARGO_HOME", ".cargo"))
        .and_env("RUSTUP_HOME", &or_home("RUSTUP_HOME", ".rustup"))
        .and_env("GRADTOP_LIBTORCH", paths::checkout().join(".libtorch/torch").to_str().unwrap())
        .and_env("XDG_CACHE_HOME", kept("cache").to_str().unwrap());
    // The program's own folder is where it was built: what was compiled there need not be compiled again.
    symlink(paths::gradtop().with_file_name("build"), sandbox.path().join("bin/build")).unwrap();
    sandbox
}

/// A folder that outlives the test run.
fn kept(name: &str) -> PathBuf {
    let folder = paths::checkout().join("target/e2e-authors").join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A command that may compile.
fn slowly(sandbox: &Sandbox, args: &[&str]) -> Said {
    ended_within(Duration::from_mins(15), sandbox.command(args), args)
}

/// Makes a new project and moves it to a folder that stays, where only what differs is written: a build tool then does only
/// what has changed since the last test run.
fn project(sandbox: &Sandbox, name: &str, flags: &[&str]) -> PathBuf {
    sandbox.gradtop(&[&["plugin", "new", name], flags].concat()).expect_code(0);
    let (from, to) = (sandbox.path().join(name), kept(name));
    for file in check::files(&from) {
        let place = to.join(file.strip_prefix(&from).unwrap());
        let text = fs::read(&file).unwrap();
        if fs::read(&place).ok().as_ref() != Some(&text) {
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(&place, text).unwrap();
        }
    }
    to
}

/// Builds, checks and installs; gives the library.
fn build_and_install(sandbox: &Sandbox, folder: &Path) -> PathBuf {
    let built = slowly(sandbox, &["plugin", "build", folder.to_str().unwrap()]).expect_code(0);
    let library = built.out.trim();
    assert!(Path::new(library).is_file(), "not the path of one library: {built:#?}");
    let checked = sandbox.gradtop(&["plugin", "check", library]).expect_code(0);
    assert!(checked.out.contains("is a gradtop plugin"), "{checked:#?}");
    sandbox.gradtop(&["plugin", "install", library]).expect_code(0);
    let exports = build::exports(Path::new(library));
    assert_eq!(exports, ["gradtop_entry_v1"]);
    library.into()
}

/// A run that is stopped and resumed has the rows and tables of one that is not.
fn resumes_exactly(sandbox: &Sandbox, experiment: &str, table: &str, steps: i64) {
    // A stop may come after the end of a short run: then a longer one.
    for steps in [steps, 10 * steps, 100 * steps] {
        let set = format!("steps={steps}");
        let parts = sandbox.start(&[experiment, "--set", &set], &format!("parts-{steps}"));
        parts.until_step(20);
        sandbox.gradtop(&["stop", &parts.name()]);
        if parts.wait().code == 0 {
            continue;
        }
        assert_eq!(parts.view().state, State::Stopped);
        let before = check::sealed(&parts.dir).len();
        sandbox.gradtop(&["resume", &parts.name()]).expect_code(0);

        sandbox.run(&[experiment, "--set", &set, "--name", "whole"]).expect_code(0);
        let whole = sandbox.find("whole");
        let rows = |run: &gradtop_store::RunDir| check::comparable(check::sealed(run), &[]);
        assert!(before < rows(&whole.dir).len(), "it was stopped before its end");
        assert!(rows(&parts.dir) == rows(&whole.dir), "the rows differ");
        let table_of = |run: &gradtop_store::RunDir| gradtop_store::read_table(run, table).unwrap();
        assert_eq!(table_of(&parts.dir), table_of(&whole.dir));
        return;
    }
    panic!("{experiment} cannot be stopped before its end");
}

#[test]
fn cpp_builds_trains_stops_and_resumes() {
    let sandbox = workshop();
    let folder = project(&sandbox, "cpp-line", &["--cpp"]);
    build_and_install(&sandbox, &folder);
    sandbox.run(&["cpp-line", "--preset", "quick", "--name", "quick"]).expect_code(0);
    let loss = sandbox.gradtop(&["show", "quick", "--json"]).expect_code(0).json();
    assert!(loss.to_string().contains("\"loss\""), "{loss:#}");
    for figure in ["loss", "fit"] {
        sandbox.gradtop(&["plot", "quick", figure]).expect_code(0);
    }
    resumes_exactly(&sandbox, "cpp-line", "fit", 100_000);
    // CMake alone finds all it needs too.
    let other = sandbox.path().join("elsewhere");
    for args in [vec!["-S", folder.to_str().unwrap(), "-B", other.to_str().unwrap()], vec!["--build", other.to_str().unwrap()]] {
        let done = std::process::Command::new("cmake").args(args).output().expect("cmake: apt install cmake");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    sandbox.gradtop(&["plugin", "check", other.join("libcpp_line.so").to_str().unwrap()]).expect_code(0);
}

#[test]
fn cpp_on_libtorch_builds_trains_stops_and_resumes() {
    let sandbox = workshop();
    let folder = project(&sandbox, "cpp-spirals", &["--cpp", "--torch"]);
    let library = build_and_install(&sandbox, &folder);
    let checked = sandbox.gradtop(&["plugin", "check", library.to_str().unwrap()]).expect_code(0);
    assert!(checked.out.contains("libtorch 2.11.0") && checked.out.contains("needed"), "{checked:#?}");
    resumes_exactly(&sandbox, "cpp-spirals", "points", 1000);
    it_learned(&sandbox);
}

#[test]
fn rust_on_libtorch_builds_trains_stops_and_resumes() {
    let sandbox = workshop();
    let folder = project(&sandbox, "rust-spirals", &["--torch"]);
    build_and_install(&sandbox, &folder);
    resumes_exactly(&sandbox, "rust-spirals", "points", 1000);
    it_learned(&sandbox);
    // The binding to libtorch was not compiled again: it is the checkout's.
    let compiled = check::files(&kept("cache").join("gradtop/plugin-target"))
        .into_iter()
        .find(|file| file.file_name().is_some_and(|name| name == "libtch.a"));
    assert_eq!(compiled, None);
}

/// The run `whole` puts nearly all points on the right spiral.
fn it_learned(sandbox: &Sandbox) {
    let rows = check::sealed(&sandbox.find("whole").dir);
    let last = rows.iter().filter(|row| row.series.0 == "accuracy").max_by_key(|row| row.step).unwrap();
    assert!(f64::from_bits(last.bits) > 0.95, "accuracy {}", f64::from_bits(last.bits));
}

#[test]
fn rust_builds_and_trains() {
    let sandbox = workshop();
    let folder = project(&sandbox, "rust-line", &[]);
    build_and_install(&sandbox, &folder);
    sandbox.run(&["rust-line", "--preset", "quick"]).expect_code(0);
}

fn header() -> Sandbox {
    let sandbox = Sandbox::with(&[]);
    build::on_the_header("header.cpp", &sandbox.plugins());
    sandbox
}

#[test]
fn the_header_describes_what_its_author_declared() {
    let sandbox = header();
    let all = sandbox.gradtop(&["experiments", "everything", "--json"]).expect_code(0).json();
    let text = all.to_string();
    for word in ["[1, 8]", "(0, 1)", "0.5", "\"sinc\"", "\"a b\"", "nats", "Uses the whole header.", "\"quick\""] {
        assert!(text.contains(word) || text.contains(&word.replace('"', "\\\"")), "{word} is missing in {all:#}");
    }
    for (set, why) in [("width=9", "width"), ("rate=1", "rate"), ("shape=cube", "shape"), ("noisy=perhaps", "noisy")] {
        let said = sandbox.run(&["everything", "--set", set]).expect_code(2);
        assert!(said.err.contains(why), "{said:#?}");
    }
    let said = sandbox.run(&["everything", "--set", "width=5", "--set", "shape=sign"]).expect_code(2);
    assert!(said.err.contains("error: a sign is at most 4 wide"), "{said:#?}");
}

#[test]
fn the_header_logs_and_resumes() {
    let sandbox = header();
    sandbox
        .run(&["everything", "--preset", "quick", "--name", "a", "--set", "width=4", "--set", "rate=1e-300"])
        .expect_code(0);
    let run = sandbox.find("a");
    assert_eq!(run.view().status.phase.as_deref(), Some("counting"));
    let rows = check::sealed(&run.dir);
    let series = ("loss".to_owned(), Some("m".to_owned()), Some("train".to_owned()), Some(2));
    let loss: Vec<_> = rows.iter().filter(|row| *row.series == series).collect();
    assert_eq!(loss.len(), 5);
    assert_eq!((f64::from_bits(loss[1].bits), loss[1].epoch.map(f64::from_bits)), (1.5, Some(0.1)));
    assert_eq!(rows.iter().filter(|row| row.series.0 == "accuracy").count(), 5);

    let logged = run.logged();
    let has = |line: &str| assert!(logged.iter().any(|l| l == line), "{line} is missing in {logged:#?}");
    has("width 4 scale 0.500000 rate 0.000000 noisy 1 shape sinc label a b");
    has("refused: step_end belongs to the thread that run() was called on");
    has("-3: series: metric \"\" is empty");
    has("a warning");

    let table = gradtop_store::read_table(&run.dir, "kinds").unwrap();
    let column = |name| table.column(name).unwrap().clone();
    assert_eq!(column("i"), ColumnData::I64(vec![1, 2, 3]));
    assert_eq!(column("u"), ColumnData::I64(vec![4, 5, 6]));
    assert_eq!(column("f"), ColumnData::F64(vec![0.5, 1.5, 2.5]));
    assert_eq!(column("b"), ColumnData::I64(vec![1, 0, 1]));
    assert_eq!(column("w"), ColumnData::Utf8(["one", "", "three"].map(str::to_owned).to_vec()));
    assert_eq!(column("rgb"), ColumnData::Bytes { width: 2, data: vec![1, 2, 3, 4, 5, 6] });
    sandbox.gradtop(&["plot", "a", "own"]).expect_code(0);
}

#[test]
fn each_exception_ends_the_run_with_its_own_words() {
    let sandbox = header();
    let cause = |how: &str| {
        let set = format!("how={how}");
        sandbox.run(&["fails", "--set", &set, "--name", how]).expect_code(1);
        sandbox.find(how).view().status.cause.unwrap_or_default()
    };
    let expect = |how: &str, wanted: &str| {
        let found = cause(how);
        assert!(found.contains(wanted), "{how}: {found:?}");
        assert!(!found.contains("\\n"), "{how}: {found:?}");
    };
    expect("error", "it fails as it was told to");
    expect("lines", "the first line");
    let logged = sandbox.find("lines").logged();
    assert!(logged.iter().any(|line| line.contains("the third line")), "{logged:#?}");
    expect("io", "nothing-here");
    expect("memory", "out of memory");
    expect("number", "an exception that is not a std::exception left the experiment");
    expect("file", "short has 4 bytes instead of 8");
    expect("rows", "table `t`: column `y` has 1 rows, column `x` has 2");
    expect("checkpoint", "nothing to save");
    expect("long", "λ λ λ");
}
