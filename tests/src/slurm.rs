//! A real Slurm with one node in a temporary folder: without systemd or control groups, with its own ports, keys and folders.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};

use crate::sandbox::{CommandOutput, ended};
use crate::{Sandbox, until};

/// The number of processors that its node claims; the tests do not need all at once.
const CPUS: u32 = 12;

/// A cluster with the partitions `low` and `high`. Jobs in `low` are preempted by those in `high` after ten seconds.
pub struct Cluster {
    dir: tempfile::TempDir,
    daemons: Vec<(&'static str, Child)>,
}

impl Cluster {
    /// Starts it. Returns `None`, with a message, if Slurm is not installed.
    #[expect(clippy::print_stderr, reason = "a test that did not test says so")]
    pub fn start() -> Option<Self> {
        let missing: Vec<&str> = ["munged", "slurmctld", "slurmd", "sbatch"]
            .into_iter()
            .filter(|tool| find(tool).is_none())
            .collect();
        if !missing.is_empty() {
            eprintln!("NOT TESTED (it needs slurm-wlm and munge): no {} here", missing.join(", "));
            return None;
        }
        // The path of a socket must be short.
        let dir = tempfile::Builder::new().prefix("slurm-").tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["state", "spool"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let key: Vec<u8> = (0..1024_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        fs::write(dir.path().join("key"), key).unwrap();
        fs::set_permissions(dir.path().join("key"), fs::Permissions::from_mode(0o400)).unwrap();
        fs::write(dir.path().join("slurm.conf"), conf(dir.path())).unwrap();
        let mut cluster = Self { dir, daemons: Vec::new() };
        let at = |name: &str| cluster.dir.path().join(name).display().to_string();
        let munged = [
            "--foreground".to_owned(),
            format!("--key-file={}", at("key")),
            format!("--socket={}", at("munge")),
            format!("--pid-file={}", at("munge.pid")),
            format!("--log-file={}", at("munge.log")),
            format!("--seed-file={}", at("munge.seed")),
        ];
        cluster.daemon("munged", &munged);
        until("munged to listen", || cluster.dir.path().join("munge").exists().then_some(()));
        cluster.start_controller();
        cluster.daemon("slurmd", &["-D".to_owned()]);
        until("the node to be idle", || {
            cluster.ask("sinfo", &["-h", "-o", "%T"]).out.contains("idle").then_some(())
        });
        Some(cluster)
    }

    fn start_controller(&mut self) {
        self.daemon("slurmctld", &["-D".to_owned()]);
    }

    fn daemon(&mut self, name: &'static str, args: &[String]) {
        let out =
            fs::File::options().create(true).append(true).open(self.dir.path().join(format!("{name}.out")));
        let out = out.unwrap();
        let mut command = Command::new(find(name).unwrap());
        command.args(args).env("SLURM_CONF", self.conf()).stdin(Stdio::null());
        command.stdout(out.try_clone().unwrap()).stderr(out);
        self.daemons.push((name, command.spawn().unwrap()));
    }

    /// Kills the controller after it has saved all present jobs: it would forget others.
    pub fn kill_controller(&mut self) {
        let before = SystemTime::now();
        self.ask("sbatch", &["--hold", "--output=/dev/null", "--wrap", "true"]).expect_code(0);
        let saved = || fs::metadata(self.dir.path().join("state/job_state")).and_then(|file| file.modified());
        until("the controller to save its jobs", || saved().is_ok_and(|saved| saved > before).then_some(()));
        let place = self.daemons.iter().position(|(name, _)| *name == "slurmctld").unwrap();
        let (_, mut child) = self.daemons.swap_remove(place);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts a controller again and waits until it responds.
    pub fn restart_controller(&mut self) {
        self.start_controller();
        until("the controller to answer", || (self.ask("sinfo", &["-h"]).code == 0).then_some(()));
    }

    /// The value of `SLURM_CONF`.
    pub fn conf(&self) -> String {
        self.dir.path().join("slurm.conf").display().to_string()
    }

    /// A sandbox whose commands see this cluster, with the launchers `low`, `high`, `minute` with a time limit of one minute,
    /// and `nowhere`, whose partition does not exist.
    pub fn sandbox(&self, plugins: &[PathBuf]) -> Sandbox {
        let sandbox = Sandbox::with(plugins).and_env("SLURM_CONF", &self.conf());
        let config = sandbox.path().join("home/config/gradtop");
        fs::create_dir_all(&config).unwrap();
        let launcher = |name: &str| {
            format!("[launcher.{name}]\nkind = \"slurm\"\npartition = \"{name}\"\nask_every = 1\n")
        };
        let minute = launcher("low").replace("launcher.low", "launcher.minute") + "time = \"1\"\n";
        fs::write(config.join("config.toml"), ["low", "high", "nowhere"].map(launcher).concat() + &minute)
            .unwrap();
        sandbox
    }

    /// Runs one of Slurm's programs.
    pub fn ask(&self, program: &str, args: &[&str]) -> CommandOutput {
        let mut command = Command::new(find(program).unwrap_or_else(|| program.into()));
        command.args(args).env("SLURM_CONF", self.conf()).stdin(Stdio::null());
        ended(command, args)
    }

    /// The jobs as listed by `squeue`: id and state, one per line.
    pub fn jobs(&self) -> String {
        self.ask("squeue", &["-h", "-t", "all", "-r", "-o", "%i %T %r"]).out
    }

    /// Lets a requeued job start at once instead of after two minutes, but not in the second in which its earlier start ended:
    /// Slurm distinguishes starts by whole seconds.
    pub fn hurry(&self, job: &str) {
        until(&format!("job {job} to wait"), || {
            (self.ask("squeue", &["-h", "-j", job, "-o", "%T"]).out.trim() == "PENDING").then_some(())
        });
        self.ask("scontrol", &["update", &format!("JobId={job}"), "StartTime=now+2"]);
    }

    /// Processes with this cluster's settings, other than its daemons.
    fn steps(&self) -> Vec<Pid> {
        let mark = format!("SLURM_CONF={}", self.conf()).into_bytes();
        let own: Vec<u32> = self.daemons.iter().map(|(_, child)| child.id()).collect();
        let is = |pid: u32| {
            let env = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            !own.contains(&pid) && env.split(|b| *b == 0).any(|variable| variable == mark)
        };
        let pids = fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| is(*pid)).filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Without a controller, no new job starts.
        for (_, child) in self.daemons.iter_mut().rev() {
            child.kill().ok();
            child.wait().ok();
        }
        let start = Instant::now();
        while !self.steps().is_empty() && start.elapsed() < Duration::from_secs(10) {
            for pid in self.steps() {
                kill_process(pid, Signal::KILL).ok();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Finds a program, also in system folders that are not in PATH.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    places.map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// A port that is free at this moment.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn conf(dir: &Path) -> String {
    let name = gradtop_store::host_name();
    let host = name.split('.').next().unwrap_or("localhost").to_owned();
    let user = rustix::process::geteuid().as_raw();
    let at = |name: &str| dir.join(name).display().to_string();
    format!(
        "ClusterName=gradtop
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={}
SlurmdPort={}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={}
CredType=cred/munge
StateSaveLocation={}
SlurmdSpoolDir={}
SlurmctldPidFile={}
SlurmdPidFile={}
SlurmctldLogFile={}
SlurmdLogFile={}
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobRequeue=1
MinJobAge=300
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={host} NodeAddr=127.0.0.1 CPUs={CPUS} RealMemory=1000 State=UNKNOWN
PartitionName=low Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=10
PartitionName=high Nodes={host} MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
",
        port(),
        port(),
        at("munge"),
        at("state"),
        at("spool"),
        at("slurmctld.pid"),
        at("slurmd.pid"),
        at("slurmctld.log"),
        at("slurmd.log"),
    )
}
