//! Simulates the nodes of a cluster on one machine. Each has its own network, host name, process ids and boot id, and sees the
//! runs folder through its own file system, whose locks are invisible to the others and which does not support flags of
//! renames.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use gradtop_store::{Event, RunDir, State};

use crate::disk::file_system;
use crate::{Sandbox, untested, until};

/// The start script of a node. `$0` is the program; the other arguments are the name, the file system with its folder and
/// fault, the runs folder, and files with the boot id and machine id.
const SCRIPT: &str = r#"
hostname "$1"
mount --make-rprivate /
mount --bind "$6" /proc/sys/kernel/random/boot_id
if [ -e /etc/machine-id ]; then mount --bind "$7" /etc/machine-id; fi
PLAIN_RENAME=1 "$2" "$3" "$4" "$5" -f &
until grep -q " $5 fuse" /proc/self/mounts; do sleep 0.02; done
echo ready
while read -r line; do
    sh -c "$line" "$0" || { echo "= $?"; continue; }
    echo "= 0"
done
"#;

/// A runs folder that nodes share.
pub struct Cluster<'a> {
    sandbox: &'a Sandbox,
    program: PathBuf,
    backing: PathBuf,
}

impl<'a> Cluster<'a> {
    /// Returns `None`, with a message, if nodes cannot be simulated.
    pub fn new(sandbox: &'a Sandbox) -> Option<Self> {
        let mut tried = sandbox.around("unshare");
        tried.args(["--net", "--uts", "--pid", "--mount", "--fork", "--mount-proc", "hostname", "a"]);
        let can = Path::new("/dev/fuse").exists() && tried.status().is_ok_and(|status| status.success());
        let program = file_system(sandbox.path()).filter(|_| can);
        if program.is_none() {
            untested("a shared file system: libfuse 3 is missing, or no namespaces can be made");
        }
        let backing = sandbox.path().join("backing");
        fs::create_dir(&backing).unwrap();
        fs::write(sandbox.path().join("fault"), "").unwrap();
        Some(Self { sandbox, program: program?, backing })
    }

    /// Starts a node.
    pub fn node(&self, name: &str) -> Node {
        let file = |what: &str, text: String| {
            let path = self.sandbox.path().join(format!("{what}-{name}"));
            fs::write(&path, text).unwrap();
            path
        };
        let digit = name.bytes().map(u32::from).sum::<u32>();
        let boot = file("boot", format!("{digit:08x}-0000-4000-8000-000000000000\n"));
        let machine = file("machine", format!("{digit:032x}\n"));
        let mut command = self.sandbox.around("unshare");
        command.args(["--net", "--uts", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]);
        command.args(["sh", "-ec", SCRIPT]).arg(self.sandbox.program()).arg(name).arg(&self.program);
        command.arg(&self.backing).arg(self.sandbox.path().join("fault")).arg(self.sandbox.runs());
        command.arg(boot).arg(machine).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut node = Node { child, input, output: BufReader::new(output) };
        assert_eq!(node.line(), "ready", "{name}");
        node
    }

    /// A run as it is on the underlying disk.
    pub fn run(&self, experiment: &str, name: &str) -> RunDir {
        RunDir::new(self.backing.join(format!("exp={experiment}/run={name}")))
    }
}

/// A node. Dropping it ends everything on it.
pub struct Node {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Node {
    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "the node has ended");
        line.trim_end().to_owned()
    }

    /// Starts a gradtop command, given in shell syntax.
    pub fn begin(&mut self, words: &str) {
        writeln!(self.input, "\"$0\" {words} 2>&1").unwrap();
    }

    /// Starts job 7, for the first time or a later one. Its output goes to the log of its run.
    pub fn job(&mut self, run: &Path, token: &str, restarts: u32) {
        let run = run.display();
        writeln!(
            self.input,
            "SLURM_JOB_ID=7 SLURM_RESTART_COUNT={restarts} \"$0\" __job '{run}' {token} >>'{run}/job.log' 2>&1 </dev/null &"
        )
        .unwrap();
        assert_eq!(self.end().0, 0);
    }

    /// Waits for the command. Returns its exit code and output.
    pub fn end(&mut self) -> (i32, String) {
        let mut said = String::new();
        loop {
            let line = self.line();
            if let Some(code) = line.strip_prefix("= ").and_then(|code| code.parse().ok()) {
                return (code, said);
            }
            said.push_str(&line);
            said.push('\n');
        }
    }

    /// Runs a command to its end.
    pub fn gradtop(&mut self, words: &str) -> (i32, String) {
        self.begin(words);
        self.end()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// How often a run was started.
pub fn starts(run: &RunDir) -> usize {
    let events = gradtop_store::read_events(run).unwrap_or_default();
    let is = |event: &Event| matches!(event, Event::State { state: State::Starting, .. });
    events.iter().filter(|line| is(&line.event)).count()
}

/// Waits until the files on the disk show this state, or a later step.
pub fn until_written(run: &RunDir, state: State, step: i64) {
    until(&format!("{} to be {state} at step {step}", run.name()), || {
        let status = gradtop_store::read_status(run).ok()?;
        (status.state == state && status.step >= Some(step)).then_some(())
    });
}

/// Lets two nodes resume a run at once, repeatedly, and each time stops it from the node that lost. Returns how often each node
/// won. Panics unless exactly one wins each time. Returns `None` if nodes cannot be simulated.
pub fn fight(rounds: usize) -> Option<[usize; 2]> {
    let sandbox = Sandbox::new();
    let cluster = Cluster::new(&sandbox)?;
    let mut nodes = [cluster.node("one"), cluster.node("two")];
    let [hold, gate] = sandbox.hold("r", 1);
    let (code, said) = nodes[0].gradtop(&format!(
        "run counter --detach --name r --seed 7 --threads 1 --set steps=100 --set {hold} --set {gate}"
    ));
    assert_eq!(code, 0, "{said}");
    let run = cluster.run("counter", "r");
    until_written(&run, State::Running, 1);
    let (code, said) = nodes[1].gradtop("stop r");
    assert_eq!(code, 0, "{said}");
    let mut won = [0; 2];
    for round in 0..rounds {
        let before = starts(&run);
        // The second command is a moment later, so they alternate.
        let order = [round % 2, 1 - round % 2];
        for at in order {
            nodes[at].begin("resume r --detach");
        }
        let said = [nodes[0].end(), nodes[1].end()];
        let winners: Vec<usize> = (0..2).filter(|at| said[*at].0 == 0).collect();
        let &[winner] = &winners[..] else { panic!("round {round}: {said:#?}\n{}", events(&run)) };
        assert_eq!(starts(&run), before + 1, "round {round}: {said:#?}\n{}", events(&run));
        won[winner] += 1;
        let (code, said) = nodes[1 - winner].gradtop("stop r");
        assert_eq!(code, 0, "round {round}: {said}\n{}", events(&run));
    }
    Some(won)
}

fn events(run: &RunDir) -> String {
    fs::read_to_string(run.events()).unwrap_or_default()
}
