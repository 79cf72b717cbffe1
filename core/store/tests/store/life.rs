//! Whether a run lives: its lock, its processes, and where they are or were.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use gradtop_store::{
    Event, Life, RunDir, RunLock, State, Status, append_event, boot_id, host_name, is_locked, process_start,
    view, write_status,
};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use rustix::fs::{FlockOperation, flock};

use crate::common::new_run;

/// A run that says it is running, and whose lock is free.
fn running(runs: &Path) -> RunDir {
    let run = new_run(runs, "a");
    write_status(&run, &Status { schema: 1, state: State::Running, ..Status::default() }).unwrap();
    run
}

/// As if a process of another place had signed the lock last; `notes` are the lines below host and boot.
fn sign(run: &RunDir, host: &str, boot: &str, notes: &str) {
    fs::write(run.lock(), format!("{host}\n{boot}\n{notes}")).unwrap();
}

/// The notes that this process signs with.
fn own_notes(run: &RunDir) -> Vec<String> {
    drop(RunLock::acquire(run).unwrap());
    fs::read_to_string(run.lock()).unwrap().lines().skip(2).map(str::to_owned).collect()
}

fn state_and_life(run: &RunDir) -> (State, Life) {
    let seen = view(run).unwrap();
    assert_eq!(seen.certain, seen.life != Life::Unknown);
    (seen.state, seen.life)
}

const GONE: (State, Life) = (State::Crashed, Life::Gone { held: false });
const UNKNOWN: (State, Life) = (State::Running, Life::Unknown);

#[test]
fn the_boot_decides_and_the_name_of_the_machine_does_not() {
    let temp = tempfile::tempdir().unwrap();
    let run = running(temp.path());
    let notes = own_notes(&run);
    let machine = notes.iter().find(|line| line.starts_with("machine="));
    assert!(notes.contains(&"lock=ofd".to_owned()), "{notes:?}");
    let (boot, all) = (boot_id(), notes.join("\n") + "\n");
    // In this boot the lock is the truth, whatever the machine was called, in whatever container, by whatever version.
    for (host, notes) in
        [("gone", &*all), ("gone", "pids=pid:[1]\nlock=ofd\n"), ("gone", ""), (&host_name(), "")]
    {
        sign(&run, host, &boot, notes);
        assert_eq!(state_and_life(&run), GONE, "{host} {notes:?}");
    }
    // In another boot it says nothing: dead if it was this machine's, by its id; else nobody can tell.
    sign(&run, &host_name(), "an earlier boot", "lock=ofd\n");
    assert_eq!(state_and_life(&run), UNKNOWN);
    assert!(view(&run).unwrap().age_of_last_write < Duration::from_mins(1));
    sign(&run, "elsewhere", "another boot", "machine=0123\nlock=ofd\n");
    assert_eq!(state_and_life(&run), UNKNOWN);
    assert_eq!(view(&run).unwrap().host.as_deref(), Some("elsewhere"));
    if let Some(machine) = machine {
        sign(&run, "renamed", "an earlier boot", &format!("{machine}\nlock=ofd\n"));
        assert_eq!(state_and_life(&run), GONE);
        let secret = fs::read_to_string("/etc/machine-id").unwrap();
        assert!(!machine.contains(secret.trim()), "the machine's id is nobody else's to know");
    }
    // A boot that is not known is equal to none.
    sign(&run, &host_name(), "", "");
    assert_eq!(state_and_life(&run), UNKNOWN);
}

#[test]
fn of_an_earlier_boot_of_a_machine_known_by_name_only_whoever_is_asked_to_go_on_may_conclude() {
    let temp = tempfile::tempdir().unwrap();
    let run = running(temp.path());
    sign(&run, &host_name(), "an earlier boot", "");
    // Just written: this boot began earlier than that, so another machine of this name may have it.
    assert!(!view(&run).unwrap().is_of_earlier_boot());
    for file in [run.manifest(), run.status()] {
        let file = File::options().write(true).open(file).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    }
    assert!(view(&run).unwrap().is_of_earlier_boot());
    // Taken up in this boot: its lock tells the truth from now on.
    let lock = RunLock::acquire(&run).unwrap();
    let seen = view(&run).unwrap();
    assert_eq!((seen.state, seen.certain, seen.is_of_earlier_boot()), (State::Running, true, false));
    drop(lock);
    assert_eq!(view(&run).unwrap().state, State::Crashed);
}

#[test]
fn a_copy_of_a_run_at_work_says_whose_it_is_and_a_folder_that_was_moved_is_none() {
    let temp = tempfile::tempdir().unwrap();
    let temp = temp.path().canonicalize().unwrap();
    let run = running(&temp);
    let lock = RunLock::acquire(&run).unwrap();
    let copy = RunDir::new(temp.join("copy"));
    let copied = Command::new("cp").arg("-a").args([run.path(), copy.path()]).status();
    assert!(copied.unwrap().success());
    let moved = RunDir::new(temp.join("moved"));
    let from = run.path().to_owned();
    fs::rename(&from, moved.path()).unwrap();
    assert_eq!(state_and_life(&moved).0, State::Running);
    assert_eq!(state_and_life(&copy), UNKNOWN);
    drop(lock);
    assert_eq!((state_and_life(&moved), state_and_life(&copy)), (GONE, UNKNOWN), "as it was when copied");
    assert_eq!(view(&copy).unwrap().whereabouts(), format!("a copy of {}", from.display()));
    // Back in its place: the number of a file says nothing alone.
    let away = temp.join("away");
    fs::rename(moved.path(), &away).unwrap();
    fs::rename(copy.path(), &from).unwrap();
    assert_eq!(state_and_life(&run), GONE);
    // Whoever goes on with a copy makes it a run of its own.
    fs::rename(&from, copy.path()).unwrap();
    assert_eq!(state_and_life(&copy), UNKNOWN);
    drop(RunLock::acquire(&copy).unwrap());
    assert_eq!(state_and_life(&copy), GONE);
}

#[test]
fn who_may_only_read_a_run_cannot_make_it_look_alive() {
    let temp = tempfile::tempdir().unwrap();
    let run = running(temp.path());
    let stranger = File::open(run.lock()).unwrap();
    flock(&stranger, FlockOperation::NonBlockingLockExclusive).unwrap();
    assert!(!is_locked(&run).unwrap());
    assert_eq!(state_and_life(&run), GONE);
    // Nor keep its owner from it.
    let lock = RunLock::acquire(&run).unwrap();
    assert!(is_locked(&run).unwrap());
    drop(lock);
    // A holder of an older version has no other lock than that.
    sign(&run, &host_name(), &boot_id(), "");
    assert!(is_locked(&run).unwrap());
    assert!(matches!(RunLock::acquire(&run), Err(gradtop_store::StoreError::Locked { .. })));
}

/// A lock that whoever can read the file can take.
fn read_lock(run: &RunDir) -> File {
    let file = File::open(run.lock()).unwrap();
    let mut lock = libc::flock { l_type: 0, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
    lock.l_type = libc::F_RDLCK as i16;
    fcntl(&file, FcntlArg::F_OFD_SETLK(&lock)).unwrap();
    file
}

#[test]
fn locks_of_readers_keep_nobody_from_a_run() {
    let temp = tempfile::tempdir().unwrap();
    let run = running(temp.path());
    drop(RunLock::acquire(&run).unwrap());
    fs::set_permissions(run.lock(), fs::Permissions::from_mode(0o640)).unwrap();
    // A new file in its place has another number.
    let text = || {
        let text = fs::read_to_string(run.lock()).unwrap();
        text.lines().filter(|line| !line.starts_with("inode=")).collect::<String>()
    };
    let before = text();
    let stranger = read_lock(&run);
    flock(&stranger, FlockOperation::NonBlockingLockExclusive).unwrap();
    assert_eq!(state_and_life(&run), GONE);
    let lock = RunLock::acquire_now(&run).unwrap();
    assert!(is_locked(&run).unwrap());
    assert!(matches!(RunLock::acquire_now(&run), Err(gradtop_store::StoreError::Locked { .. })));
    assert_eq!(text(), before);
    assert_eq!(fs::metadata(run.lock()).unwrap().mode() & 0o777, 0o640);
    drop(lock);
    assert!(!is_locked(&run).unwrap());
    // What a process left that died over it.
    fs::write(run.path().join(".tmp-lock"), "").unwrap();
    let _again = read_lock(&run);
    drop(RunLock::acquire(&run).unwrap());
    assert!(!run.path().join(".tmp-lock").exists());
}

#[test]
fn of_many_who_replace_a_lock_that_readers_hold_one_has_it() {
    let temp = tempfile::tempdir().unwrap();
    let run = running(temp.path());
    drop(RunLock::acquire(&run).unwrap());
    let mut taken = 0;
    for _ in 0..100 {
        let _stranger = read_lock(&run);
        let all: Vec<_> = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..4).map(|_| scope.spawn(|| RunLock::acquire_now(&run).ok())).collect();
            tries.into_iter().filter_map(|t| t.join().unwrap()).collect()
        });
        assert!(all.len() <= 1);
        taken += all.len();
    }
    assert!(taken > 0);
}

#[test]
fn an_older_version_sees_who_holds_the_lock() {
    let temp = tempfile::tempdir().unwrap();
    let run = running(temp.path());
    let lock = RunLock::acquire(&run).unwrap();
    // As it looks.
    let older = File::open(run.lock()).unwrap();
    assert!(flock(&older, FlockOperation::NonBlockingLockShared).is_err());
    let text = fs::read_to_string(run.lock()).unwrap();
    assert!(text.starts_with(&format!("{}\n{}\n", host_name(), boot_id())), "{text}");
    drop(lock);
    flock(&older, FlockOperation::NonBlockingLockShared).unwrap();
}

#[test]
fn a_lock_that_is_held_after_both_processes_are_gone_is_somebody_elses() {
    let temp = tempfile::tempdir().unwrap();
    let run = running(temp.path());
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    let (pid, start) = (Some(child.id()), process_start(child.id()));
    let both = Status {
        schema: 1,
        state: State::Running,
        trainer_pid: pid,
        trainer_start: start,
        keeper_pid: pid,
        keeper_start: start,
        ..Status::default()
    };
    write_status(&run, &both).unwrap();
    let lock = RunLock::acquire(&run).unwrap();
    assert!(matches!(view(&run).unwrap().life, Life::Alive { within_reach: true, suspended: None }));
    child.kill().unwrap();
    child.wait().unwrap();
    let seen = view(&run).unwrap();
    assert_eq!((seen.state, seen.life), (State::Crashed, Life::Gone { held: true }));
    let holder = format!("process {} (", std::process::id());
    assert!(seen.status.cause.unwrap().contains(&holder), "{holder}");
    // Process ids of another namespace are nobody's here, nor are start times by other clocks.
    let pids = fs::read_link("/proc/self/ns/pid").unwrap();
    let others = format!("pids={}\nclocks=time:[1]\nlock=ofd\n", pids.display());
    for notes in ["pids=pid:[1]\nlock=ofd\n", &others] {
        sign(&run, &host_name(), &boot_id(), notes);
        let alive = Life::Alive { within_reach: false, suspended: None };
        assert_eq!(state_and_life(&run), (State::Running, alive), "{notes}");
    }
    drop(lock);
    assert_eq!(state_and_life(&run), GONE);
}

#[test]
fn a_run_that_should_move_and_does_not_gives_no_sign() {
    let temp = tempfile::tempdir().unwrap();
    let run = running(temp.path());
    let lock = RunLock::acquire(&run).unwrap();
    assert_eq!(view(&run).unwrap().silent_for(), None);
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(35);
    let age = |path| File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    age(run.manifest());
    age(run.status());
    assert_eq!(view(&run).unwrap().silent_for().map(|t| t.as_secs()), Some(35));
    // A paused one need not move, a dead one cannot.
    write_status(&run, &Status { schema: 1, state: State::Paused, ..Status::default() }).unwrap();
    age(run.status());
    assert_eq!(view(&run).unwrap().silent_for(), None);
    // One that is at work and logs nothing has been silent since its last row.
    let updated = jiff::Timestamp::now();
    let quiet_since = Some(updated - Duration::from_secs(25));
    let status = Status { schema: 1, state: State::Running, updated, quiet_since, ..Status::default() };
    write_status(&run, &status).unwrap();
    let quiet = view(&run).unwrap();
    assert!(!quiet.gives_no_sign() && quiet.silent_for().unwrap().as_secs() >= 25);
    drop(lock);
    assert_eq!(view(&run).unwrap().silent_for(), None);
}

#[test]
fn the_time_taken_is_that_of_the_processes() {
    let at = |s: i64| jiff::Timestamp::from_second(s).unwrap();
    let old = Status { started: Some(at(100)), ended: Some(at(160)), ..Status::default() };
    assert_eq!(old.took(at(500)), Some(60.0));
    let back = Status { ended: Some(at(90)), ..old.clone() };
    assert_eq!(back.took(at(500)), Some(0.0), "the clock was set back, and nothing else is known");
    let known = Status { elapsed_s: Some(42.5), ..back };
    assert_eq!(known.took(at(500)), Some(42.5));
    let going = Status { elapsed_s: Some(42.5), updated: at(300), ended: None, ..old };
    assert_eq!(going.took(at(303)), Some(45.5));
    assert_eq!(Status::default().took(at(1)), None);
}

#[test]
fn the_last_alert_is_that_of_a_row_unless_only_the_end_has_one() {
    let temp = tempfile::tempdir().unwrap();
    let run = running(temp.path());
    let state = |state| append_event(&run, &Event::State { state, cause: None }).unwrap();
    let alert = |message: &str| append_event(&run, &Event::Alert { message: message.to_owned() }).unwrap();
    let last = || view(&run).unwrap().alert.map(|alert| (alert.message, alert.of_end));
    let is = |message: &str, of_end| Some((message.to_owned(), of_end));
    state(State::Starting);
    state(State::Running);
    state(State::Finished);
    alert("finished");
    assert_eq!(last(), is("finished", true));
    state(State::Starting);
    assert_eq!(last(), None, "of the life before");
    state(State::Running);
    alert("loss is 9");
    state(State::Failed);
    // Judged after the end.
    alert("loss is NaN");
    alert("failed: exit code 3");
    assert_eq!(last(), is("loss is NaN", false));
}
