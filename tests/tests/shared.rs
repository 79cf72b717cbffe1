//! Several users with a shared runs folder. Only root can switch users; otherwise there is nothing to test.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use gradtop_store::State;
use gradtop_tests::sandbox::ended;
use gradtop_tests::{CommandOutput, Sandbox, check, until};
use rustix::process::Signal;

/// Runs a command as a user.
fn asks(sandbox: &Sandbox, user: u32, args: &[&str]) -> CommandOutput {
    let home = sandbox.path().join(format!("home-{user}"));
    if !home.exists() {
        fs::create_dir(&home).unwrap();
        chown(&home, Some(user), Some(user)).unwrap();
    }
    let id = user.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(sandbox.program()).args(args);
    command.envs(sandbox.env().iter().map(|(k, v)| (k, v))).current_dir(&home).stdin(Stdio::null());
    for variable in ["HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"] {
        command.env(variable, &home);
    }
    ended(command, args)
}

#[test]
fn two_users_run_one_experiment_in_one_folder_and_leave_each_others_runs_alone() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    fs::set_permissions(sandbox.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(sandbox.runs(), Permissions::from_mode(0o1777)).unwrap();
    let (first, second) = (12345, 12346);
    let run = ["--seed", "7", "--threads", "1"];
    for (user, name) in [(first, "a"), (second, "b")] {
        asks(&sandbox, user, &[&["run", "short", "--name", name][..], &run].concat()).expect_code(0);
    }
    assert_eq!(gradtop_store::list_runs(&sandbox.runs()).len(), 2);

    // A crashed run is recovered only by its own user.
    let long =
        ["run", "counter", "--set", "steps=1000000", "--set", "rate=500", "--detach", "--name", "dead"];
    asks(&sandbox, first, &[&long[..], &run].concat()).expect_code(0);
    let dead = sandbox.find("dead");
    dead.until_step(5);
    dead.signal_keeper(Signal::KILL);
    dead.signal_trainer(Signal::KILL);
    until("its lock to be free", || (dead.view().state == State::Crashed).then_some(()));
    let before: Vec<_> =
        check::files(dead.dir.path()).into_iter().map(|f| (fs::read(&f).unwrap(), f)).collect();
    for args in [&["list"][..], &["show", "dead"], &["plot", "dead"], &["logs", "dead"], &["--once"]] {
        let said = asks(&sandbox, second, args).expect_code(0);
        sandbox.gradtop(args).expect_code(0);
        assert!(args[0] != "list" || said.out.contains("crashed"), "{said:#?}");
    }
    let after: Vec<_> =
        check::files(dead.dir.path()).into_iter().map(|f| (fs::read(&f).unwrap(), f)).collect();
    assert!(before == after, "somebody else's look changed the run");
    asks(&sandbox, first, &["list"]).expect_code(0);
    assert_eq!(dead.status().state, State::Crashed);

    // Nobody deletes runs of others.
    asks(&sandbox, second, &["rm", "--yes", "a"]).expect_code(1);
    assert!(sandbox.find("a").dir.path().is_dir());
    asks(&sandbox, first, &["rm", "--yes", "a", "dead"]).expect_code(0);
    asks(&sandbox, second, &["rm", "--yes", "b"]).expect_code(0);
    assert!(gradtop_store::list_runs(&sandbox.runs()).is_empty());
}

#[test]
fn what_a_user_may_not_look_into_is_said_to_be_so() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    fs::set_permissions(sandbox.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(sandbox.runs(), Permissions::from_mode(0o1777)).unwrap();
    let user = 12345;
    let start = ["run", "counter", "--set", "steps=1000000", "--set", "rate=500", "--detach", "--name", "a"];
    asks(&sandbox, user, &start).expect_code(0);
    let run = sandbox.find("a");
    run.until_step(5);
    let close = |folder: &Path, mode| fs::set_permissions(folder, Permissions::from_mode(mode)).unwrap();

    let experiment = run.dir.path().parent().unwrap();
    close(experiment, 0);
    for args in [&["stop", "a"][..], &["show", "a"], &["rm", "a", "--yes"]] {
        let said = asks(&sandbox, user, args).expect_code(2);
        assert!(said.err.contains("exp=counter") && said.err.contains("Permission denied"), "{said:#?}");
    }
    close(experiment, 0o755);
    let mode = sandbox.runs().metadata().unwrap().permissions().mode();
    close(&sandbox.runs(), 0);
    for args in [&["list"][..], &["--once"], &["best", "loss"]] {
        let said = asks(&sandbox, user, args).expect_code(1);
        assert!(said.err.contains("cannot list ") && said.err.contains("Permission denied"), "{said:#?}");
    }
    close(&sandbox.runs(), mode);

    // The cause is kept even if the folder is closed to the run itself.
    close(run.dir.path(), 0);
    until("its end", || run.view().state.is_final().then_some(()));
    close(run.dir.path(), 0o755);
    asks(&sandbox, user, &["list"]).expect_code(0);
    let status = run.status();
    assert!(status.cause.as_deref().is_some_and(|why| why.contains("Permission denied")), "{status:#?}");
    assert_eq!(status.state, State::Failed);
}
