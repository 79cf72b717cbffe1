//! A runs folder shared by several machines.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use gradtop_store::{State, is_remote};
use gradtop_tests::disk::Mounted;
use gradtop_tests::nodes::{Cluster, fight, starts, until_written};
use gradtop_tests::{Sandbox, until};

#[test]
fn of_two_nodes_that_resume_a_run_at_once_one_has_it() {
    let rounds = 20;
    if let Some(won) = fight(rounds) {
        assert_eq!(won.iter().sum::<usize>(), rounds);
    }
}

#[test]
fn a_run_on_another_node_is_seen_stopped_and_neither_resumed_nor_deleted() {
    let sandbox = Sandbox::new();
    let Some(cluster) = Cluster::new(&sandbox) else { return };
    let (mut here, mut there) = (cluster.node("here"), cluster.node("there"));
    let [hold, gate] = sandbox.hold("r", 1);
    let start =
        format!("run counter --detach --name r --threads 1 --set steps=100 --set {hold} --set {gate}");
    assert_eq!(there.gradtop(&start).0, 0);
    let run = cluster.run("counter", "r");
    until_written(&run, State::Running, 1);
    assert_eq!(there.gradtop("checkpoint r").0, 0);
    let (code, said) = here.gradtop("list");
    assert!(code == 0 && said.contains("running") && !said.contains("running?"), "{said}");
    assert!(said.contains("on there, last seen "), "{said}");
    for refused in ["resume r", "rm --yes r", "rename r s"] {
        let (code, said) = here.gradtop(refused);
        assert!(code != 0 && said.contains("running"), "{refused}: {said}");
    }
    // Its status is still that of its own keeper.
    assert_eq!(starts(&run), 1);
    let (code, said) = here.gradtop("stop r");
    assert_eq!(code, 0, "{said}");
    assert_eq!(gradtop_store::read_status(&run).unwrap().state, State::Stopped);
    // After its end, any node may resume it.
    sandbox.let_go("r", "");
    let (code, said) = here.gradtop("resume r");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("finished"), "{said}");
    let (code, said) = there.gradtop("rm --yes r");
    assert_eq!(code, 0, "{said}");
    assert!(!run.path().exists());
}

#[test]
fn a_keeper_that_finds_another_owner_kills_its_trainer_and_writes_no_more() {
    let sandbox = Sandbox::new();
    let run = sandbox.held(&["counter", "--set", "steps=100"], "r", 1);
    let owner = fs::read_to_string(run.dir.path().join("owner-1")).unwrap();
    assert!(owner.contains("\"begun\": true"), "{owner}");
    let events = run.events();
    // As written by another node that has taken the run over.
    fs::write(run.dir.path().join("owner-2"), owner.replace("\"term\": 1", "\"term\": 2")).unwrap();
    until("its processes to be gone", || sandbox.is_quiet().then_some(()));
    assert_eq!(run.events(), events, "nothing is written of its end");
    assert_eq!(run.status().state, State::Running);
    assert!(run.dir.path().join("owner-2").exists());
}

#[test]
fn where_other_machines_may_write_nothing_is_expected_to_be_told() {
    let sandbox = Sandbox::new();
    assert!(!is_remote(sandbox.path()));
    let Some(_disk) = Mounted::faulty(&sandbox.runs(), sandbox.path()) else { return };
    assert!(is_remote(&sandbox.runs()));
    assert!(is_remote(&sandbox.runs().join("exp=counter/run=not-there-yet")));
}
