//! Disks that fill up, fail and recover under live runs; folders that are moved or deleted. Losses are counted by a file
//! outside the runs folder that the plugin maps.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use gradtop_store::{RunDir, State};
use gradtop_tests::disk::{Counted, Mounted};
use gradtop_tests::{Sandbox, check, until};

fn until_told(sandbox: &Sandbox, what: &str) -> String {
    until(&format!("list to tell {what}"), || {
        let said = sandbox.gradtop(&["list"]);
        said.out.contains(what).then_some(said.out)
    })
}

#[test]
fn a_full_disk_is_waited_for_and_no_row_is_lost() {
    let sandbox = Sandbox::new();
    let Some(disk) = Mounted::small(&sandbox.runs(), 24 << 10) else { return };
    let counted = Counted::start(&sandbox, "full", 40_000, 5_000);
    counted.until_logged(5_000);
    disk.fill();
    let said = until_told(&sandbox, "the disk is full");
    assert!(said.contains("rows wait"), "{said}");
    let said = sandbox.gradtop(&["show", "full", "--json"]).expect_code(0).json();
    assert_eq!(said["waiting"]["cause"], "the disk is full");
    let before = counted.logged();
    counted.until_logged(before + 5_000);
    disk.make_room();
    assert_eq!(counted.run.wait().expect_code(0).code, 0);
    assert_eq!(counted.logged(), 40_000);
    counted.all_is_kept();
    counted.has_waited();
}

#[test]
fn a_run_whose_training_is_complete_waits_until_its_rows_are_kept() {
    let sandbox = Sandbox::new();
    let Some(disk) = Mounted::small(&sandbox.runs(), 24 << 10) else { return };
    let counted = Counted::start(&sandbox, "over", 10_000, 5_000);
    counted.until_logged(2_000);
    disk.fill();
    counted.until_logged(10_000);
    until_told(&sandbox, "rows wait");
    assert!(!counted.run.view().state.is_final());
    disk.make_room();
    counted.run.until_state(State::Finished);
    counted.all_is_kept();
}

#[test]
fn a_log_is_followed_on_once_there_is_room() {
    let sandbox = Sandbox::new();
    let Some(disk) = Mounted::small(&sandbox.runs(), 4 << 10) else { return };
    let log = sandbox.path().join("log.csv");
    fs::write(&log, "step,loss\n0,1\n").unwrap();
    let follow = ["import", log.to_str().unwrap(), "--follow", "--name", "followed"];
    let mut following = sandbox.command(&follow).stdin(Stdio::null()).spawn().unwrap();
    let has = |rows: usize| {
        until(&format!("{rows} rows"), || {
            let run = gradtop_store::find_run(&sandbox.runs(), "followed").ok()?;
            let series = gradtop_store::read_series(&run, |_| true).ok()?;
            (series.first()?.step.len() == rows).then_some(())
        });
    };
    let add = |steps: std::ops::Range<usize>| {
        let mut file = fs::File::options().append(true).open(&log).unwrap();
        steps.for_each(|step| writeln!(file, "{step},1").unwrap());
    };
    has(1);
    disk.fill();
    add(1..1_000);
    until_told(&sandbox, "the disk is full");
    disk.make_room();
    has(1_000);
    add(1_000..1_100);
    has(1_100);
    sandbox.gradtop(&["stop", "followed"]).expect_code(0);
    assert!(following.wait().unwrap().success());
}

#[test]
fn on_a_full_disk_stop_and_kill_need_no_room() {
    let sandbox = Sandbox::new();
    let Some(disk) = Mounted::small(&sandbox.runs(), 24 << 10) else { return };
    let counted = Counted::start(&sandbox, "stopped", 1_000_000, 2_000);
    let paused = Counted::start(&sandbox, "paused", 1_000_000, 2_000);
    counted.until_logged(1_000);
    paused.until_logged(1_000);
    sandbox.gradtop(&["pause", "paused"]).expect_code(0);
    paused.run.until_state(State::Paused);
    disk.fill();
    until_told(&sandbox, "rows wait");
    sandbox.gradtop(&["stop", "--kill", "paused"]).expect_code(0);
    assert_eq!(paused.run.view().state, State::Stopped);
    // Its end has released its reserve.
    disk.fill();
    let said = sandbox.gradtop(&["stop", "stopped"]).expect_code(0);
    let view = counted.run.view();
    assert_eq!(view.state, State::Stopped, "{said:#?}");
    // Exactly as many as were logged and are missing.
    let cause = view.status.cause.unwrap();
    let lost: usize = cause.split(' ').find_map(|word| word.parse().ok()).unwrap();
    assert!(cause.starts_with("asked to stop; ") && cause.contains("lost: the disk is full"), "{cause}");
    disk.make_room();
    let kept: usize = gradtop_store::read_series(&counted.run.dir, |_| true)
        .unwrap()
        .iter()
        .filter(|s| !s.key.metric.starts_with("system/"))
        .map(|s| s.step.len())
        .sum();
    let logged = 3 * counted.logged();
    // System metrics may be among the lost rows.
    assert!((logged..logged + 50).contains(&(kept + lost)), "{logged} logged, {kept} kept, {lost} lost");
}

#[test]
fn on_a_full_disk_a_command_is_stopped_and_killed_and_says_what_it_lost() {
    let sandbox = Sandbox::new();
    let Some(disk) = Mounted::small(&sandbox.runs(), 24 << 10) else { return };
    let [over, gone] = ["over", "gone"].map(|name| sandbox.path().join(name));
    // `ended` has ended by itself when it is stopped: only its rows wait. It is the first, because the end of another one
    // leaves a moment's room, in which it would finish.
    let until_over = format!("while [ ! -e {} ]", over.display());
    let runs =
        [("ended", &*until_over, "stop"), ("stopped", "while :", "stop"), ("killed", "while :", "kill")].map(
            |(name, loop_while, how)| {
                let round = r#"i=$((i+1)); echo '{"loss": 1}' >&3; echo $i"#;
                let script = format!("i=0; {loop_while}; do {round}; done; : > {}", gone.display());
                let args = ["exec", "-d", "--name", name, "--", "sh", "-c", &script];
                sandbox.gradtop(&args).expect_code(0);
                (sandbox.find(name), how)
            },
        );
    for (run, _) in &runs {
        until("rows", || (run.view().status.rows > Some(1_000)).then_some(()));
    }
    disk.fill();
    for (run, _) in &runs {
        until("rows to wait", || run.view().status.waiting.is_some_and(|w| w.rows > Some(0)).then_some(()));
    }
    fs::write(&over, "").unwrap();
    until("the command to end", || gone.exists().then_some(()));
    for (run, how) in &runs {
        // The end of another one has released its reserve.
        disk.fill();
        let args: &[&str] = if *how == "kill" { &["stop", "--kill"] } else { &["stop"] };
        let said = sandbox.gradtop(&[args, &[&*run.name()]].concat()).expect_code(0);
        let status = run.view().status;
        assert_eq!(status.state, State::Stopped, "{said:#?}");
        let cause = status.cause.unwrap();
        let why = if *how == "kill" { "killed on request; " } else { "asked to stop; " };
        let lost = cause.strip_prefix(why).and_then(|rest| rest.strip_suffix(" rows lost: the disk is full"));
        assert!(lost.is_some_and(|rows| rows.parse::<u64>().is_ok_and(|rows| rows > 0)), "{cause}");
        let rows = gradtop_store::read_series(&run.dir, |key| key.metric == "loss").unwrap();
        assert_eq!(status.step, rows[0].step.last().copied(), "the status tells of lost rows");
    }
}

#[test]
fn errors_of_a_disk_are_waited_for() {
    let sandbox = Sandbox::new();
    let Some(disk) = Mounted::faulty(&sandbox.runs(), sandbox.path()) else { return };
    let faults = [
        (libc::EIO, "input/output errors"),
        (libc::EDQUOT, "quota"),
        (libc::EROFS, "read-only"),
        (libc::ENOSPC, "full"),
    ];
    let mut expected = 2_000;
    let counted = Counted::start(&sandbox, "faulty", 30_000, 2_000);
    counted.until_logged(expected);
    for (errno, words) in faults {
        disk.fail(errno);
        expected += 2_500;
        counted.until_logged(expected);
        disk.fail(0);
        until(words, || counted.run.events().contains(words).then_some(()));
    }
    // Also at the end of the run.
    disk.fail(libc::EIO);
    counted.until_logged(30_000);
    disk.fail(0);
    counted.run.until_state(State::Finished);
    counted.all_is_kept();
    counted.has_waited();
}

#[test]
fn a_run_whose_folder_is_moved_or_deleted_ends_and_leaves_nothing_at_its_place() {
    let sandbox = Sandbox::new();
    for (name, moved) in [("moved", true), ("deleted", false)] {
        let counted = Counted::start(&sandbox, name, 1_000_000, 2_000);
        counted.until_logged(1_000);
        let (old, new) = (counted.run.dir.path().to_owned(), sandbox.path().join("elsewhere"));
        if moved {
            fs::rename(&old, &new).unwrap();
        } else {
            // Files that are written meanwhile may make it fail.
            until("the folder to be deleted", || fs::remove_dir_all(&old).is_ok().then_some(()));
        }
        until("both processes to end", || sandbox.is_quiet().then_some(()));
        assert!(!old.exists(), "something was written at the old place");
        if moved {
            let view = gradtop_store::view(&RunDir::new(&new)).unwrap();
            assert_eq!(view.state, State::Failed);
            assert_eq!(view.status.cause.as_deref(), Some("its folder was moved or deleted"));
            let rows = check::sealed(&RunDir::new(&new));
            assert_eq!(rows.iter().filter(|r| r.series.0 == "loss").count(), counted.logged());
        }
        sandbox.run(&["short", "--name", name]).expect_code(0);
    }
}
