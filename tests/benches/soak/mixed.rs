//! Two versions of the program at the same time, and a program that is replaced while its runs are in progress.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use gradtop_store::State;
use gradtop_tests::sandbox::{CommandOutput, Run, ended};
use gradtop_tests::{Sandbox, check, paths};

use crate::{Row, repeat};

/// The commit of the other version.
const OLD: &str = "7cfc162";

/// Builds the old program in a permanent folder. Returns its path, or what is missing.
fn build() -> Result<PathBuf, String> {
    let folder = paths::checkout().join("target/soak").join(OLD);
    let git = |args: &[&str], dir: &Path| {
        let done = Command::new("git").arg("-C").arg(dir).args(args).output().map_err(|e| e.to_string())?;
        done.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&done.stderr).into_owned())
    };
    if git(&["cat-file", "-e", &format!("{OLD}^{{commit}}")], &paths::checkout()).is_err() {
        return Err(format!(
            "commit {OLD} is not in this clone: fetch the whole history (git fetch --unshallow)"
        ));
    }
    if !folder.join(".git").exists() {
        let source = paths::checkout();
        let args = [
            "clone",
            "--quiet",
            "--no-checkout",
            "--local",
            source.to_str().unwrap(),
            folder.to_str().unwrap(),
        ];
        git(&args, &source)?;
        git(&["checkout", "--quiet", "--detach", OLD], &folder)?;
    }
    let built = Command::new("cargo")
        .args(["build", "--release", "--package", "gradtop", "--bin", "gradtop"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .status()
        .map_err(|e| e.to_string())?;
    if !built.success() {
        return Err(format!("commit {OLD} does not build"));
    }
    Ok(folder.join("target/release/gradtop"))
}

/// A command of the other version.
fn other(sandbox: &Sandbox, program: &Path, args: &[&str]) -> CommandOutput {
    let mut command = Command::new(program);
    command.args(args).current_dir(sandbox.path()).stdin(std::process::Stdio::null());
    command.env_clear().envs(sandbox.env().iter().map(|(k, v)| (k, v)));
    ended(command, args)
}

/// All files of a run, except those that a paused run keeps writing.
fn files(run: &Run<'_>) -> BTreeMap<PathBuf, (SystemTime, Vec<u8>)> {
    let own = [run.dir.status(), run.dir.lock()];
    let of = |path: PathBuf| {
        let read = (path.metadata().ok()?.modified().ok()?, fs::read(&path).ok()?);
        Some((path, read))
    };
    check::files(run.dir.path()).into_iter().filter(|path| !own.contains(path)).filter_map(of).collect()
}

/// `runs` starts and keeps the runs, `looks` is the other version.
fn beside(runs: &Path, looks: &Path) {
    let sandbox = Sandbox::running(runs);
    let look = |args: &[&str]| other(&sandbox, looks, args);
    let set = ["counter", "--set", "steps=100000", "--set", "rate=500"];
    let run = sandbox.start(&set, "a");
    run.until_step(100);
    for word in ["running", "paused"] {
        if word == "paused" {
            sandbox.gradtop(&["pause", "a"]).expect_code(0);
            run.until_state(State::Paused);
            // Everything is written within a tenth of a second and sealed by age.
            gradtop_tests::until("the paused run to rest", || {
                let before = files(&run);
                std::thread::sleep(Duration::from_secs(3));
                (files(&run) == before).then_some(())
            });
        }
        let before = files(&run);
        let listed = look(&["list", "--json"]).expect_code(0).json();
        assert_eq!(
            (&listed[0]["state"], listed[0]["certain"].as_bool()),
            (&word.into(), Some(true)),
            "{listed:#}"
        );
        for args in [
            &["show", "a"][..],
            &["plot", "a", "loss"],
            &["logs", "a"],
            &["compare", "a"],
            &["--once"],
            &["doctor"],
        ] {
            look(args).expect_code(0);
        }
        look(&["rm", "a", "--yes"]).expect_code(1);
        if word == "paused" {
            assert!(files(&run) == before, "a look changed the run's files");
        }
    }
    // The other version may send requests, too.
    look(&["resume", "a"]).expect_code(0);
    run.until_state(State::Running);
    look(&["checkpoint", "a"]).expect_code(0);
    look(&["stop", "a"]).expect_code(0);
    assert_eq!(look(&["wait", "a"]).code, 3);
    let rows = check::sealed(&run.dir).len();
    // An ended run looks the same and is not changed by reading it.
    let before = files(&run);
    let shown = look(&["show", "a", "--json"]).expect_code(0).json();
    assert_eq!(shown["state"], "stopped");
    assert!(files(&run) == before, "a look changed an ended run");
    assert_eq!(check::sealed(&run.dir).len(), rows);
}

/// Runs of `old` continue while its file is replaced by `new`, which stops and resumes them.
fn upgraded(old: &Path, new: &Path) {
    let sandbox = Sandbox::running(old);
    let program = sandbox.own_program();
    let set = ["counter", "--set", "steps=3000", "--set", "rate=500"];
    let [a, b] = ["a", "b"].map(|name| sandbox.start(&set, name));
    a.until_step(100);
    b.until_step(100);
    assert!(fs::write(&program, "overwritten").is_err(), "a program that runs was written over");
    let beside = program.with_extension("new");
    fs::copy(new, &beside).unwrap();
    fs::rename(&beside, &program).unwrap();
    let step = a.view().status.step.unwrap();
    a.until_step(step + 100);
    sandbox.gradtop(&["checkpoint", "a"]).expect_code(0);
    sandbox.gradtop(&["stop", "a"]).expect_code(0);
    assert_eq!(a.wait().code, 3);
    assert!(b.signal_trainer(rustix::process::Signal::KILL), "it had ended");
    assert_eq!(b.wait().code, 4);
    sandbox.gradtop(&["resume", "a"]).expect_code(0);
    check::no_row_twice(&check::sealed(&a.dir));
    let losses = check::sealed(&a.dir).iter().filter(|row| row.series.0 == "loss").count();
    assert_eq!(losses, 3000, "rows of a run that began with the old program and ended with the new one");
}

/// `old`: the path of the old program, if it is built already.
pub(crate) fn mixed(old: Option<&str>, print: &mut impl FnMut(Row)) {
    let new = paths::gradtop().to_owned();
    let old = old.map_or_else(build, |path| Ok(path.into())).unwrap_or_else(|why| panic!("{why}"));
    let none = |work: &dyn Fn()| {
        work();
        (0, Duration::ZERO)
    };
    let how =
        format!("a build of {OLD} beside this one: list, show, plot, logs, compare, the monitor, doctor, rm");
    print(repeat(
        "new program looks at old live runs",
        &how,
        1,
        "shown correctly, nothing written, obeys its requests",
        |_| none(&|| beside(&old, &new)),
    ));
    print(repeat(
        "old program looks at new live runs",
        &how,
        1,
        "shown correctly, nothing written, obeys its requests",
        |_| none(&|| beside(&new, &old)),
    ));
    let how = "the file is replaced by rename; writing over it is refused by the system";
    print(repeat(
        "program replaced by a newer one while runs live",
        how,
        1,
        "they go on; stopped, resumed to the same rows",
        |_| none(&|| upgraded(&old, &new)),
    ));
    print(repeat(
        "program replaced by an older one while runs live",
        how,
        1,
        "they go on; stopped, resumed to the same rows",
        |_| none(&|| upgraded(&new, &old)),
    ));
}
