//! How a keeper is started: its command line, its environment, and what it answers.

#![allow(unsafe_code, reason = "leaves the session between fork and exec")]

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use gradtop_store::{RunDir, Turn};

use crate::command::left::GIVEN;
use crate::machine::{program, signals};
use crate::run::alerts;

/// The argument of a keeper that Slurm has started.
pub(crate) const IN_JOB: &str = "--job";
/// What the keeper says to the launcher once the run is on its own.
pub(crate) const DETACHED: &str = "detached\n";

/// How a run goes on; the arguments of keeper and trainer after the folder.
pub(crate) struct GoOn {
    /// The checkpoint's folder; without one it starts over.
    pub(crate) checkpoint: Option<PathBuf>,
    /// The hash of the plugin that somebody has said to trust, where it is not the recorded one.
    pub(crate) trusted: Option<String>,
}

impl GoOn {
    pub(crate) fn from_args(args: &[OsString]) -> Option<Self> {
        let after = |name: &str| args.iter().skip_while(|a| *a != name).nth(1);
        let trusted = after("--trust").map(|hash| hash.to_string_lossy().into_owned());
        let checkpoint = after("--resume").map(PathBuf::from);
        (checkpoint.is_some() || trusted.is_some()).then_some(Self { checkpoint, trusted })
    }

    pub(crate) fn add_to(&self, command: &mut Command) {
        if let Some(checkpoint) = &self.checkpoint {
            command.arg("--resume").arg(checkpoint);
        }
        if let Some(hash) = &self.trusted {
            command.arg("--trust").arg(hash);
        }
    }
}

/// A keeper's command line, in the environment of this process.
fn base(run: &RunDir, lock: File, resume: Option<&GoOn>) -> Command {
    let mut command = program::command();
    command.arg("__keeper").arg(run.path());
    for name in GIVEN {
        // Of the command of another run, which starts this one.
        command.env_remove(name);
    }
    if let Some(resume) = resume {
        resume.add_to(&mut command);
    }
    command.stdin(Stdio::from(lock));
    command
}

/// The command that a job becomes.
pub(crate) fn in_job(run: &RunDir, lock: File, resume: Option<&GoOn>) -> Command {
    let mut command = base(run, lock, resume);
    command.arg(IN_JOB);
    command
}

/// The command that starts a keeper, in a session of its own from before it is another program.
pub(crate) fn command(run: &RunDir, lock: File, resume: Option<&GoOn>, turn: Option<&Turn>) -> Command {
    let mut command = base(run, lock, resume);
    match (turn, alerts::variable()) {
        // With what it was queued with, not with that of whoever happens to start it.
        (Some(turn), _) => command.env_clear().envs(turn.env()).current_dir(turn.dir()),
        (None, (name, Some(alerts))) => command.env(name, alerts),
        (None, (name, None)) => command.env_remove(name),
    };
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    // SAFETY: between fork and exec only system calls are made, of which all are safe there.
    unsafe {
        command.pre_exec(|| {
            signals::ignore(libc::SIGHUP);
            signals::ignore(libc::SIGINT);
            signals::unblock();
            rustix::process::setsid()?;
            Ok(())
        })
    };
    command
}
