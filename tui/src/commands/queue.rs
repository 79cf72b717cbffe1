//! `gradtop queue`: lists and reorders waiting runs, and starts them.

use std::path::Path;

use anyhow::Result;
use gradtop_host::{DeviceChoice, start_queued_blocking};
use gradtop_store::{
    InQueue, Job, QueueSettings, RunDir, State, StoreError, View, list_runs, queue_claims, queue_settings,
    read_job, waiting,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Context;
use super::select::{Selection, each_view, is_filter, matching};
use super::start::warn_of_gpu;
use crate::failure::Failure;
use crate::print::table::{Table, Words};
use crate::print::{self, clean};
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::number;
use gradtop_view::run::{json, remark};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Set how many runs may be at work at once: N on each device, or DEVICE=N on one, which then has its own number;
    /// DEVICE=default removes that. May be given several times
    #[arg(long, value_name = "N|DEVICE=N", value_parser = slots)]
    slots: Vec<Slots>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Keep runs from being started
    Hold(Selection),
    /// Let held runs be started
    Release(Selection),
    /// Delete waiting runs
    Rm(Selection),
    /// Move a run to the front
    First {
        /// The run
        run: String,
    },
    /// Move a run to another place
    Move {
        /// The run
        run: String,
        /// Its new place, from 1
        place: usize,
    },
    /// Start what can be started now, for example after a reboot
    Start,
}

/// A number of slots, for one device or for all.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slots {
    device: Option<DeviceChoice>,
    /// `None` for the number of all devices.
    count: Option<u32>,
}

fn slots(text: &str) -> Result<Slots, String> {
    let (device, count) = match text.split_once('=') {
        Some((device, count)) => (Some(device), count),
        None => (None, text),
    };
    let choice = device.map(str::parse::<DeviceChoice>).transpose().unwrap_or(Some(DeviceChoice::Auto));
    if let Some((device, DeviceChoice::Auto)) = device.zip(choice) {
        return Err(format!("unknown device {device:?}: use cpu or cuda:N"));
    }
    let count = match count.parse() {
        Ok(count @ 1..=1024) => Some(count),
        _ if count == "default" && device.is_some() => None,
        _ => {
            return Err(
                "use a number from 1 to 1024, or DEVICE=default to remove the one of a device".to_owned()
            );
        }
    };
    Ok(Slots { device: choice, count })
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let runs = context.runs()?;
    if args.command.is_some() && (args.json || !args.slots.is_empty()) {
        return Err(Failure::usage("--slots and --json go without a command").into());
    }
    match &args.command {
        None => {
            for slots in &args.slots {
                let device = slots.device.map(|device| device.to_string());
                gradtop_host::set_slots(&runs, device.as_deref(), slots.count)?;
                if let (Some(device), Some(_)) = (slots.device, slots.count) {
                    warn_of_gpu(device);
                }
            }
            if args.slots.is_empty() {
                return list(&runs, args.json);
            }
            if args.json {
                start_queued_blocking(&runs)?;
                return list(&runs, true);
            }
            print::line(&slots_in_words(&queue_settings(&runs)?));
            start_and_report(&runs).map(|_| 0)
        }
        Some(Command::Hold(of)) => apply(context, of, ("Hold", "held"), in_queue, gradtop_host::hold_queued),
        Some(Command::Release(of)) => {
            let may = if filtered(of) { held } else { in_queue };
            let code = apply(context, of, ("Release", "released"), may, gradtop_host::release_queued)?;
            start_and_report(&runs).map(|_| code)
        }
        Some(Command::Rm(of)) => {
            let delete = |run: &RunDir| gradtop_host::delete(&runs, run, false);
            apply(context, of, ("Delete", "deleted"), waits, delete)
        }
        Some(Command::First { run }) => move_to(context, run, 1),
        Some(Command::Move { place: 0, .. }) => Err(Failure::usage("places are counted from 1").into()),
        Some(Command::Move { run, place }) => move_to(context, run, *place),
        Some(Command::Start) => {
            if start_and_report(&runs)? == 0 {
                print::line(&why_nothing_started(&runs));
            }
            Ok(0)
        }
    }
}

fn why_nothing_started(runs: &Path) -> String {
    let waits = waiting(runs);
    if waits.is_empty() {
        return "No run waits.".to_owned();
    }
    if gradtop_store::queue_is_mine(runs) {
        format!("Nothing to start now: {} in the queue, `gradtop queue` says what for.", count(waits.len()))
    } else {
        "Nothing started: this queue belongs to another user.".to_owned()
    }
}

fn count(runs: usize) -> String {
    if runs == 1 { "1 run waits".to_owned() } else { format!("{runs} runs wait") }
}

/// Starts the runs that can start and reports them. Returns their number.
fn start_and_report(runs: &Path) -> Result<i32> {
    let started = start_queued_blocking(runs)?;
    for run in &started {
        print::line(&format!("started {}", clean(&run.name())));
    }
    Ok(i32::try_from(started.len()).unwrap_or(i32::MAX))
}

/// Requires a run to be in the queue.
fn in_queue(view: View) -> Result<View> {
    let view = waits(view)?;
    if view.dir.is_queued() {
        return Ok(view);
    }
    let why = format!("{} waits for its job, not in the queue", view.manifest.run);
    Err(Failure::new(clean(&why)).help("the batch system decides when it starts").into())
}

/// Requires a run to be held in the queue.
fn held(view: View) -> Result<View> {
    let view = in_queue(view)?;
    if view.queued.as_ref().is_some_and(|queued| queued.held.is_some()) {
        return Ok(view);
    }
    Err(Failure::new(format!("{} is not held", clean(&view.manifest.run))).into())
}

/// Requires a run to be waiting, in the queue or for its job.
fn waits(view: View) -> Result<View> {
    if view.queued.is_some() {
        return Ok(view);
    }
    let why = format!("{} does not wait: it is {}", view.manifest.run, view.state);
    Err(Failure::new(clean(&why)).help("`gradtop queue` lists the runs that wait").into())
}

fn filtered(of: &Selection) -> bool {
    of.names.iter().any(|name| is_filter(name))
}

/// Finds a run by name. If several have it, the one that waits is meant.
fn named(context: &Context, name: &str) -> Result<View> {
    let mut waits = waiting(&context.existing_runs()?).into_iter().filter(|run| run.name() == name);
    match (waits.next(), waits.next()) {
        (Some(run), None) => super::view(&run),
        _ => context.view(name),
    }
}

/// Accepts a run, or says why not.
type May = fn(View) -> Result<View>;

/// The selected runs. Of those that a filter selects, the ones that `may` accepts; the user confirms several.
fn selected(context: &Context, of: &Selection, verb: &str, may: May) -> Result<Vec<View>> {
    if !filtered(of) {
        return of.names.iter().map(|name| may(named(context, name)?)).collect();
    }
    let matched = matching(context, &of.names.join(" "))?.views;
    let waits = matched.iter().any(|view| view.queued.is_some());
    let views: Vec<View> = matched.into_iter().filter_map(|view| may(view).ok()).collect();
    if views.is_empty() {
        let which = if waits && verb == "Release" { "is held" } else { "waits" };
        return Err(Failure::new(format!("no run that {which} matches the filter")).into());
    }
    if views.len() > 1 {
        of.confirm(verb, &views)?;
    }
    Ok(views)
}

/// Applies an action to the selected runs that `may` accepts.
fn apply(
    context: &Context,
    of: &Selection,
    (verb, done): (&str, &str),
    may: May,
    action: impl Fn(&RunDir) -> gradtop_host::Result<()>,
) -> Result<i32> {
    each_view(&selected(context, of, verb, may)?, |view| {
        match may(view.clone()) {
            // A filter no longer matches those that were started in the meantime.
            Err(why) if filtered(of) => {
                print::note(&format!("{why:#}"));
                return Ok(0);
            }
            checked => checked?,
        };
        action(&view.dir)?;
        print::line(&format!("{done} {}", clean(&view.manifest.run)));
        Ok(0)
    })
}

fn move_to(context: &Context, name: &str, place: usize) -> Result<i32> {
    let view = in_queue(named(context, name)?)?;
    gradtop_host::move_queued(&view.dir, place)?;
    let now = super::again(&view)?;
    let place = now.queued.and_then(|queued| queued.place).unwrap_or(place);
    print::line(&format!("{} is now #{place}", clean(&view.manifest.run)));
    Ok(0)
}

/// The slots in words: `2 slots per device · cuda:0 4`.
fn slots_in_words(settings: &QueueSettings) -> String {
    let each = number::counted(settings.slots as usize, "slot");
    let others = settings.devices.iter().map(|(device, slots)| format!(" · {device} {slots}"));
    others.fold(format!("{each} per device"), |words, other| words + &other)
}

struct Listing {
    settings: QueueSettings,
    /// The slots in use: a device, and the run on it if that can be read.
    taken: Vec<(String, Option<View>)>,
    /// The runs that wait for a slot, then those that wait for a job.
    waiting: Vec<View>,
}

fn list(runs: &Path, as_json: bool) -> Result<i32> {
    let listing = Listing::read(runs)?;
    if as_json {
        print::json(&listing.to_json())?;
    } else {
        listing.print();
    }
    Ok(0)
}

impl Listing {
    fn read(runs: &Path) -> Result<Self> {
        let taken = queue_claims(runs)
            .into_iter()
            .map(|claim| (claim.device.clone(), super::view(&claim.dir(runs)).ok()))
            .filter(|(_, view)| view.as_ref().is_none_or(|view| !view.state.is_final()))
            .collect();
        let mut waits = Vec::new();
        for (before, run) in waiting(runs).into_iter().enumerate() {
            match gradtop_store::view(&run) {
                Ok(view) => waits.push(view.listed_at(before + 1)),
                // The run was started or moved just now.
                Err(StoreError::Io { .. }) if !run.path().is_dir() => {}
                Err(e) => print::warn(e),
            }
        }
        // Other runs may be waiting for their jobs.
        let jobs = list_runs(runs).into_iter().filter(|run| read_job(run).is_some());
        let jobs = jobs.filter_map(|run| super::view(&run).ok());
        waits.extend(jobs.filter(|v| v.job.is_some() && v.queued.is_some()));
        Ok(Self { settings: queue_settings(runs)?, taken, waiting: waits })
    }

    fn to_json(&self) -> Value {
        let name = |view: &View| clean(&view.manifest.run);
        let slot = |(device, view): &(String, Option<View>)| {
            let state = view.as_ref().map(|v| v.state.word());
            json!({"device": device, "run": view.as_ref().map(name), "state": state})
        };
        let waiting = |view: &View| {
            let mut fields = json::queued(&view.queued.clone().unwrap_or_default());
            fields["run"] = name(view).into();
            fields["experiment"] = view.manifest.experiment.id.clone().into();
            fields["job"] = view.job.as_ref().and_then(Job::name).into();
            fields
        };
        json!({
            "slots": self.settings.slots,
            "devices": self.settings.devices,
            "taken": self.taken.iter().map(slot).collect::<Vec<_>>(),
            "waiting": self.waiting.iter().map(waiting).collect::<Vec<_>>(),
        })
    }

    fn print(&self) {
        print::dim(&slots_in_words(&self.settings));
        for (device, view) in self.taken.iter().filter_map(|(device, view)| Some((device, view.as_ref()?))) {
            let paused = if view.state == State::Paused { "; a paused run keeps its slot" } else { "" };
            print::line(&format!(
                "{}: {} is {}{paused}",
                clean(device),
                clean(&view.manifest.run),
                view.state
            ));
        }
        if self.waiting.is_empty() {
            print::line("No run waits. Queue one:  gradtop run EXPERIMENT --queue");
            return;
        }
        let words = ["name", "experiment", "device", ""].map(|name| (name, Align::Left));
        let mut table = Table::new(&[&[("", Align::Right)], words.as_slice()].concat());
        for view in &self.waiting {
            let queued = view.queued.clone().unwrap_or_default();
            let place = queued.place.map(|place| format!("#{place}")).unwrap_or_default();
            let why = remark::job_words(view, Timestamp::now())
                .unwrap_or_else(|| remark::queue_words(&InQueue { place: None, ..queued.clone() }));
            table.row([
                place.into(),
                Words::bold(clean(&view.manifest.run)),
                clean(&view.manifest.experiment.id).into(),
                print::cleaned(queued.device.as_ref()).into(),
                Words::new(why, if queued.held.is_some() { Ink::Alert } else { Ink::Dim }),
            ]);
        }
        table.print(0);
        if self.taken.is_empty() && self.waiting.iter().any(|view| gradtop_host::is_ready(&view.dir)) {
            print::note("No run of the queue is at work: `gradtop queue start` starts what can be started");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_of_all_devices_or_of_one() {
        let of =
            |device: Option<&str>, count| Ok(Slots { device: device.and_then(|d| d.parse().ok()), count });
        assert_eq!(slots("4"), of(None, Some(4)));
        assert_eq!(slots("cuda:1=2"), of(Some("cuda:1"), Some(2)));
        assert_eq!(slots("cpu=default"), of(Some("cpu"), None));
        assert_eq!(slots("gpu=2"), Err("unknown device \"gpu\": use cpu or cuda:N".to_owned()));
        assert!(["0", "cpu=", "-1", "default"].iter().all(|text| slots(text).is_err()));
    }
}
