//! How a keeper is started: its command line, environment and reply.

#![allow(unsafe_code, reason = "leaves the session between fork and exec")]

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use gradtop_store::{RunDir, Turn};

use crate::command::run_processes::GIVEN;
use crate::machine::{program, signals};
use crate::run::alerts;

/// The argument for a keeper started by Slurm.
pub(crate) const IN_JOB: &str = "--job";
/// The keeper's reply once the run no longer depends on the launcher.
pub(crate) const DETACHED: &str = "detached\n";

/// How a run continues; passed to keeper and trainer as arguments.
pub(crate) struct ResumeFrom {
    /// The checkpoint's folder; `None` to start over.
    pub(crate) checkpoint: Option<PathBuf>,
    /// The hash of a plugin that the user trusts, if it is not the recorded one.
    pub(crate) trusted: Option<String>,
}

impl ResumeFrom {
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

/// Returns a keeper's command line, with the environment of this process.
fn base(run: &RunDir, lock: File, resume: Option<&ResumeFrom>) -> Command {
    let mut command = program::command();
    command.arg("__keeper").arg(run.path());
    for name in GIVEN {
        // Set if this run is started by the command of another one.
        command.env_remove(name);
    }
    if let Some(resume) = resume {
        resume.add_to(&mut command);
    }
    command.stdin(Stdio::from(lock));
    command
}

/// Returns the command that replaces the process of a job.
pub(crate) fn in_job(run: &RunDir, lock: File, resume: Option<&ResumeFrom>) -> Command {
    let mut command = base(run, lock, resume);
    command.arg(IN_JOB);
    command
}

/// Returns the command that starts a keeper in a session of its own.
pub(crate) fn command(run: &RunDir, lock: File, resume: Option<&ResumeFrom>, turn: Option<&Turn>) -> Command {
    let mut command = base(run, lock, resume);
    match (turn, alerts::variable()) {
        // With the environment and folder it was queued with, not those of the process that happens to start it.
        (Some(turn), _) => command.env_clear().envs(turn.env()).current_dir(turn.dir()),
        (None, (name, Some(alerts))) => command.env(name, alerts),
        (None, (name, None)) => command.env_remove(name),
    };
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    // SAFETY: only system calls are made between fork and exec, and all are async-signal-safe.
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
