//! Starts a run as `run` and `exec` do: on this machine, in the queue or with a launcher.

use anyhow::Result;
use gradtop_chart::number;
use gradtop_host::{DeviceChoice, Launcher, Start, device, start_queued_blocking};

use super::Context;
use super::follow::Follower;
use super::launchers::{On, submitted};
use super::signals::Signals;
use super::watch;
use crate::failure::Failure;
use crate::print::{self, clean};
use gradtop_view::run::remark;

/// How a run is started: the options that `run` and `exec` share.
#[derive(Debug, clap::Args)]
pub(crate) struct Starting {
    /// Print the run's name and return once it has started
    #[arg(short, long)]
    detach: bool,
    /// Wait in the queue for a free slot instead of starting at once; `gradtop queue` shows it
    #[arg(long)]
    queue: bool,
    /// Start only when this run has finished; may be given several times
    #[arg(long, value_name = "RUN", requires = "queue")]
    after: Vec<String>,
    #[command(flatten)]
    on: On,
    /// Print JSON lines: started, event, status, final
    #[arg(long)]
    json: bool,
}

impl Starting {
    /// Starts a run where the options say. Returns the exit code.
    pub(crate) fn start(&self, context: &Context, signals: Signals, start: Start) -> Result<i32> {
        let launcher = self.on.launcher(context)?;
        if self.queue && self.on.is_given() && !launcher.is_local() {
            return Err(Failure::usage("--queue is for runs on this machine: leave out --on").into());
        }
        if self.queue || launcher.is_local() {
            warn_of_device(&start);
        }
        if self.queue { self.enqueue(context, start) } else { self.launch(&launcher, signals, start) }
    }

    /// Queues a run, starts whatever can start, and reports both.
    fn enqueue(&self, context: &Context, start: Start) -> Result<i32> {
        let (runs, experiment) = (context.runs()?, start.experiment());
        let after = self.after.iter().map(|name| context.find(name)).collect::<Result<Vec<_>>>()?;
        let mut queued = None;
        gradtop_host::enqueue(&[start], &after, None, |runs| {
            queued = runs.first().cloned();
            Ok(())
        })?;
        let Some(run) = queued else { return Ok(0) };
        let started = start_queued_blocking(&runs);
        let view = super::view(&gradtop_store::moved(&run, &experiment))?;
        let name = clean(&view.manifest.run);
        if self.json {
            watch::print_json(&view, if view.queued.is_some() { "queued" } else { "started" }, None)?;
        } else if self.detach {
            print::answer(&name);
        } else {
            print::line(&match &view.queued {
                Some(queued) => format!("queued {name}: {}", remark::queue_words(queued)),
                None => format!("started {name}"),
            });
        }
        // The run waits all the same.
        if let Err(e) = started {
            print::warn(format!("nothing could be started: {e}"));
        }
        Ok(0)
    }

    /// Starts a run. On this machine it is watched unless detached, elsewhere its job is reported.
    fn launch(&self, launcher: &Launcher, mut signals: Signals, start: Start) -> Result<i32> {
        let local = launcher.is_local();
        if local && signals.any() {
            return Err(interrupted());
        }
        let runs = match launcher.start(&[start], None, None) {
            Err(_) if local && signals.any() => return Err(interrupted()),
            runs => runs?,
        };
        let Some(run) = runs.first() else { return Ok(0) };
        if !local {
            return submitted(run, self.detach, self.json).map(|()| 0);
        }
        let output = Follower::new(run, run.console());
        watch::started(run, "started", output, self.detach, self.json, &mut signals)
    }
}

/// Warns if this machine may not have a GPU that is not needed yet.
pub(super) fn warn_of_gpu(choice: DeviceChoice) {
    let DeviceChoice::Cuda(n) = choice else { return };
    match device::gpus().map(|gpus| device::visible(&gpus).len()) {
        Err(why) => print::warn(format!("whether there is a {choice} cannot be checked: {why}")),
        Ok(count) if n as usize >= count => {
            print::warn(format!("this machine has no {choice}: there are {}", number::counted(count, "GPU")));
        }
        Ok(_) => {}
    }
}

/// Warns if it cannot be checked whether this machine has the GPU of a command. Of an experiment, that is an error.
pub(super) fn warn_of_device(start: &Start) {
    if let Start::Exec(exec) = start {
        warn_of_gpu(exec.device);
    }
}

/// The error for a signal before the run existed.
fn interrupted() -> anyhow::Error {
    Failure::new("interrupted before the run was started; nothing was left behind".to_owned()).into()
}
